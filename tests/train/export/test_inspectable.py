"""The ONNX file of a digit network answers for its layers, and costs little more for it."""

import json

import keras
import numpy as np
import onnxruntime as ort
import pytest

from models.architectures import build
from models.inspection.layer import TABLE
from models.inspection.network import OpenedNetwork
from train.export.describe import code_layer, describe, macs
from train.export.inspectable import make_inspectable, opened
from train.export.ship import to_onnx

# One small network of each kind, so that what is measured is what the additions cost at most.
SMALL = {
    "dense": {"hidden": 8},
    "convolutional": {"filters": [16, 8, 8], "code": 10},
    "unet": {"filters": [16, 32]},
}


@pytest.fixture(scope="module", params=SMALL)
def written(request, tmp_path_factory) -> tuple[keras.Model, OpenedNetwork, float]:
    """A network, the same opened from its file, and how much larger that is than a plain one."""
    keras.utils.set_random_seed(1)
    model = build(request.param, **SMALL[request.param])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # As after a training: untrained, its mean is 0 and its variance 1.
            rng = np.random.default_rng(len(layer.name))
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    folder = tmp_path_factory.mktemp("onnx")
    to_onnx(model, folder / "plain.onnx")
    to_onnx(opened(model), folder / "model.onnx")
    make_inspectable(folder / "model.onnx", model)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(folder / "model.onnx", options)
    plain, ours = ((folder / name).stat().st_size for name in ("plain.onnx", "model.onnx"))
    return model, OpenedNetwork(session), ours / plain - 1


def test_the_file_is_at_most_a_fifth_larger(written):
    assert written[2] <= 0.2


def test_the_values_shown_are_those_of_keras(written, rng):
    model, network, _ = written
    pictures = rng.random((2, 28, 28, 1), np.float32)
    maps = network.feature_maps(pictures)
    outputs = [layer.output for layer in model.layers]
    for layer, value in zip(model.layers, keras.Model(model.input, outputs)(pictures), strict=True):
        expected = keras.ops.convert_to_numpy(value)
        np.testing.assert_allclose(maps[layer.name], expected, atol=1e-4, err_msg=layer.name)


def test_the_weights_are_those_of_keras(written):
    model, network, _ = written
    for layer in model.layers:
        shown = network.weights(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            assert set(shown) == {"scale", "shift"}
            continue
        names = ["kernel", "bias"][: len(layer.get_weights())]
        assert sorted(shown) == sorted(names)
        for name, array in zip(names, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(shown[name], array)


def test_only_the_picture_has_to_be_given(written):
    session = written[1]._session
    assert [each.name for each in session.get_inputs()] == ["image"]
    assert session.get_outputs()[0].shape[1:] == [28, 28, 1]


def test_the_table_is_that_of_the_network(written):
    model, network, _ = written
    table = json.loads(network._session.get_modelmeta().custom_metadata_map[TABLE])
    assert table["layers"] == describe(model)
    assert table["code"] == code_layer(model)
    assert sum(row["macs"] for row in table["layers"]) == macs(model)
