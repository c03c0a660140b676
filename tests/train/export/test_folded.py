import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.architectures import build
from train.export.compact import compact, to_stored_precision
from train.export.folded import folded
from train.export.ship import to_onnx

SETTINGS = {"channels": 3, "size": None, "filters": [6, 8, 10], "outputs": 4, "head": "softmax"}


def as_trained(model, seed=1):
    """Give the weights values that a training could have left, normalisation statistics too."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "bias", "moving_mean"):
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["half", "full"])
def model(request):
    keras.utils.set_random_seed(1)
    return as_trained(build("unet", **SETTINGS, half=request.param))


def answer(model, pictures):
    return keras.ops.convert_to_numpy(model(pictures, training=False))


def test_the_folded_network_answers_as_the_one_with_normalisation(model, rng):
    pictures = rng.random((2, 16, 24, 3), np.float32)
    twin = folded(model)
    assert not any("batch_norm" in type(layer).__name__.lower() for layer in twin.layers)
    np.testing.assert_allclose(answer(twin, pictures), answer(model, pictures), atol=1e-5)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


def test_a_normalisation_that_follows_no_convolution_is_refused():
    image = keras.Input((8, 8, 3))
    norm = keras.layers.BatchNormalization(name="norm")
    model = keras.Model(image, norm(keras.layers.ReLU(name="relu")(image)))
    with pytest.raises(ValueError, match="norm must follow a convolution, follows relu"):
        folded(model)


@pytest.mark.parametrize(("stored", "bytes_each"), [("float16", 2), ("int8", 1)])
def test_the_file_is_small_and_answers_as_the_rounded_network(
    model, stored, bytes_each, rng, tmp_path
):
    twin = folded(model)
    exact = [weights.copy() for weights in twin.get_weights()]
    to_stored_precision(twin, stored)
    to_onnx(twin, tmp_path / "model.onnx")
    compact(tmp_path / "model.onnx", twin, stored)
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    pictures = rng.random((2, 16, 24, 3), np.float32)
    from_file = session.run(None, {"image": pictures})[0]
    np.testing.assert_allclose(from_file, answer(twin, pictures), atol=1e-5)

    # Beside kernels there are steps of int8, and factors at which skip connections can be cut.
    kernels = [each for each in onnx.load(tmp_path / "model.onnx").graph.initializer
               if len(each.dims) == 4 and not each.name.endswith("_step")
               and not each.name.startswith("skip_")]  # fmt: skip
    assert len(kernels) == len([w for w in exact if w.ndim == 4])
    assert all(len(each.raw_data) == bytes_each * np.prod(each.dims) for each in kernels)


def test_int8_is_wrong_by_half_a_step_of_each_map_at_most(model):
    twin = folded(model)
    exact = {layer.name: layer.get_weights()[0] for layer in twin.layers if layer.weights}
    to_stored_precision(twin, "int8")
    for name, kernel in exact.items():
        rounded = twin.get_layer(name).get_weights()[0]
        transposed = isinstance(twin.get_layer(name), keras.layers.Conv2DTranspose)
        axis = (0, 1, 3) if transposed else (0, 1, 2)
        step = np.abs(kernel).max(axis=axis, keepdims=True) / 127
        assert (np.abs(rounded - kernel) <= step * 0.501).all()
