"""The layers that are found in foreign networks: each is what its row says, worked out by NumPy."""

import json

import numpy as np
import onnx
import pytest

from models.inspection.arithmetic import convolve, pool
from models.inspection.layer import TABLE
from models.inspection.network import OpenedNetwork
from models.live import pack
from tests.train.foreign_networks import NETWORKS, network, node, random
from train.export import brought
from train.export.onnx_constants import open_bytes

ACTIVATIONS = {
    "linear": lambda values: values,
    "relu": lambda values: np.maximum(values, 0),
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
}


def rebuilt(name: str) -> tuple[OpenedNetwork, dict]:
    about, content = brought.open_brought(NETWORKS[name]().SerializeToString())
    return OpenedNetwork(open_bytes(content)), about


def kinds(network: OpenedNetwork) -> list[str]:
    return [layer.kind for layer in network.layers.values()]


def pictures() -> np.ndarray:
    return np.random.default_rng(0).random((2, 28, 28, 1)).astype(np.float32)


def worked_out(network, layer, given, weights):
    """The values of a layer by another way than onnxruntime's; None where there is none here."""
    values = given[0]
    if layer.kind == "Conv2D":
        made = convolve(
            values, weights["kernel"], weights.get("bias"), layer.strides, layer.padding
        )
        return ACTIVATIONS[layer.activation](made)
    if layer.kind == "Dense":
        return ACTIVATIONS[layer.activation](values @ weights["kernel"] + weights.get("bias", 0))
    if layer.kind == "MaxPooling2D":
        return pool(values, layer.kernel, layer.strides, layer.padding)
    if layer.kind == "BatchNormalization":
        return values * weights["scale"] + weights["shift"]
    if layer.kind == "Conv2DTranspose":
        return ACTIVATIONS[layer.activation](transposed(values, layer, weights))
    return {
        "ReLU": lambda: np.maximum(values, 0),
        "Sigmoid": lambda: 1 / (1 + np.exp(-values)),
        "Tanh": lambda: np.tanh(values),
        "Flatten": lambda: values.reshape(len(values), -1),
        "Reshape": lambda: values.reshape(len(values), *layer.shape),
        "UpSampling2D": lambda: values.repeat(2, axis=1).repeat(2, axis=2),
        "Concatenate": lambda: np.concatenate(given, axis=-1),
        "Add": lambda: given[0] + given[1],
        "Clip": lambda: np.clip(values, 0, 1),
        "Elu": lambda: np.where(values > 0, values, np.exp(values) - 1),
        "AveragePool": lambda: values.reshape(len(values), *sum(halves(values), ()), -1).mean(
            (2, 4)
        ),
        "FlattenByMap": lambda: values.transpose(0, 3, 1, 2).reshape(len(values), -1),
        "FoldByMap": lambda: values.reshape(-1, *planar(layer.shape)).transpose(0, 2, 3, 1),
    }.get(layer.kind, lambda: None)()


def halves(values):
    return tuple((side // 2, 2) for side in values.shape[1:3])


def planar(shape):
    return (shape[2], *shape[:2])


def transposed(values, layer, weights):
    """Spread each value over the picture, as the kernel says; Keras's "same"."""
    kernel, stride = weights["kernel"], layer.strides[0]
    size = kernel.shape[0]
    rows, columns, filters = layer.shape
    wide = np.zeros((len(values), rows + 2 * size, columns + 2 * size, filters), np.float32)
    before = max(size - stride, 0) // 2
    for row in range(values.shape[1]):
        for column in range(values.shape[2]):
            spread = np.einsum("ni,aboi->nabo", values[:, row, column], kernel)
            top, left = size + row * stride - before, size + column * stride - before
            wide[:, top : top + size, left : left + size] += spread
    return wide[:, size : size + rows, size : size + columns] + weights.get("bias", 0)


UNKNOWN_HERE = {
    "InputLayer",
    "Conv",
    "ConvTranspose",
    "LeakyRelu",
    "Limit",
    "Resize",
    "BatchNorm",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_what_its_row_says(name):
    network, _ = rebuilt(name)
    maps = network.feature_maps(pictures())
    for layer in network.layers.values():
        assert maps[layer.name].shape == (2, *layer.shape)
        given = [maps[each] for each in layer.inputs]
        expected = worked_out(network, layer, given, network.weights(layer.name)) if given else None
        if expected is None:
            assert layer.kind in UNKNOWN_HERE
        else:
            np.testing.assert_allclose(maps[layer.name], expected, atol=2e-5, err_msg=str(layer))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_answers_as_the_file_did_clipped(name):
    model = NETWORKS[name]()
    network, about = rebuilt(name)
    own = open_bytes(model.SerializeToString())
    for picture in pictures():
        given = picture.reshape(1, 1, 28, 28) if about["channels_first"] else picture[np.newaxis]
        (answer,) = own.run(None, {"x": given})
        expected = np.clip(answer.reshape(28, 28, 1), 0, 1)
        np.testing.assert_allclose(network.denoise(picture[np.newaxis])[0], expected, atol=1e-5)


def test_the_layers_of_a_pytorch_autoencoder_are_named_by_what_they_do():
    network, _ = rebuilt("pytorch_autoencoder")
    assert [(layer.name, layer.kind, layer.shape) for layer in network.layers.values()] == [
        ("image", "InputLayer", (28, 28, 1)),
        # Padded by one on both sides, where Keras pads on one only.
        ("conv_1", "Conv", (14, 14, 4)),
        ("conv_2", "Conv2D", (14, 14, 6)),
        ("leakyrelu_1", "LeakyRelu", (14, 14, 6)),
        ("pool_1", "MaxPooling2D", (7, 7, 6)),
        ("transposed_1", "Conv2DTranspose", (14, 14, 4)),
        ("transposed_2", "ConvTranspose", (28, 28, 1)),
    ]
    assert network.layers["conv_1"].activation == "relu"
    assert network.layers["transposed_2"].activation == "sigmoid"


def test_sizes_that_an_exporter_works_out_are_constants():
    network, _ = rebuilt("pytorch_dense")
    assert kinds(network) == ["InputLayer", "Flatten", "Dense", "Dense", "Reshape"]


def test_transpositions_and_repetitions_are_what_keras_has():
    network, about = rebuilt("keras_upsampling")
    assert kinds(network) == ["InputLayer", "Conv2D", "UpSampling2D", "Conv2D"]
    assert not about["channels_first"]
    assert network.layers["conv_1"].padding == "same"
    assert "bias" in network.weights("conv_2")


def test_maps_flattened_one_after_the_other_are_not_taken_for_pixels():
    network, _ = rebuilt("bottleneck")
    assert "FlattenByMap" in kinds(network)
    assert "FoldByMap" in kinds(network)
    with pytest.raises(ValueError, match="the browser has steps for"):
        pack(network)


def test_the_limits_of_a_file_are_not_taken_for_the_end():
    network, _ = rebuilt("skips")
    assert [layer.kind for layer in network.layers.values()].count("Limit") == 2
    # It ends with limits of 0 and 1 already.
    assert "Clip" not in kinds(network)
    clipped = list(network.layers.values())[-1]
    assert clipped.name == "limit_2"
    with pytest.raises(ValueError, match="the browser has steps for"):
        pack(network)


def test_a_norm_behind_an_activation_is_not_folded_into_the_convolution():
    network, _ = rebuilt("residual")
    assert kinds(network)[1:4] == ["Conv2D", "BatchNormalization", "ReLU"]
    assert kinds(network)[4:6] == ["Conv", "BatchNorm"]
    assert network.layers["add_1"].inputs == ("batchnorm_1", "relu_1")


def test_an_activation_of_what_is_used_elsewhere_too_is_a_layer_of_its_own():
    nodes = [
        node("Conv", "x w b", "c", pads=[1] * 4),
        node("Relu", "c", "r"),
        node("Add", "r c", "y"),
    ]
    weights = {"w": random(1, 1, 3, 3), "b": random(1)}
    _, content = brought.open_brought(network(nodes, weights).SerializeToString())
    opened = OpenedNetwork(open_bytes(content))
    assert kinds(opened)[1:4] == ["Conv2D", "ReLU", "Add"]
    maps = opened.feature_maps(pictures(), ["conv_1", "relu_1", "add_1"])
    assert maps["conv_1"].min() < 0
    np.testing.assert_array_equal(maps["relu_1"], np.maximum(maps["conv_1"], 0))
    np.testing.assert_allclose(maps["add_1"], maps["relu_1"] + maps["conv_1"], atol=1e-6)


def test_every_weight_is_in_the_new_file_once():
    nodes = [node("Conv", "x w b", "c", pads=[1] * 4), node("Sigmoid", "c", "y")]
    weights = {"w": random(1, 1, 3, 3), "b": random(1)}
    _, content = brought.open_brought(network(nodes, weights).SerializeToString())
    stored = onnx.load_from_string(content).graph.initializer
    floats = {each.name for each in stored if each.data_type == onnx.TensorProto.FLOAT}
    assert floats == {"black", "white", "conv_1/kernel", "conv_1/bias"}


def test_parameters_work_and_fields_are_counted():
    network, about = rebuilt("pytorch_autoencoder")
    # 4 filters of 9 and a bias; 6 of 4 * 9; 2 x 2 windows from 6 maps to 4; 3 x 3 from 4 to 1.
    assert about["parameters"] == 40 + 222 + 100 + 37
    assert network.layers["conv_1"].macs == 14 * 14 * 4 * 9
    assert network.layers["transposed_2"].macs == 14 * 14 * 4 * 9
    # 3; then 3 + 2 * 2, as every other pixel is skipped; pooled two of these.
    fields = {name: layer.field for name, layer in network.layers.items()}
    assert (fields["conv_1"], fields["conv_2"], fields["pool_1"]) == (3, 7, 9)
    assert rebuilt("pytorch_dense")[0].layers["dense_1"].field == 28


def test_values_at_the_edge_that_come_from_nowhere_depend_on_nothing():
    # A picture in a frame of zeros, whose edge a window of one pixel sees: the field stays 1.
    nodes = [
        node("Pad", "x pads", "p"),
        node("Conv", "p w", "c"),
        node("Slice", "c start end axes", "y"),
    ]
    weights = {
        "pads": np.array([0, 0, 2, 2, 0, 0, 2, 2]),
        "w": random(1, 1, 1, 1),
        "start": np.array([2, 2]),
        "end": np.array([30, 30]),
        "axes": np.array([2, 3]),
    }
    _, content = brought.open_brought(network(nodes, weights).SerializeToString())
    opened = OpenedNetwork(open_bytes(content))
    assert [layer.field for layer in opened.layers.values()] == [1] * 5
    assert kinds(opened) == ["InputLayer", "Move", "Conv2D", "Move", "Clip"]


def test_names_and_words_of_the_file_are_left_behind():
    model = NETWORKS["residual"]()
    model.doc_string = model.graph.node[0].doc_string = model.graph.node[0].name = "<script>"
    model.metadata_props.add(key=TABLE, value=json.dumps("<script>"))
    _, content = brought.open_brought(model.SerializeToString())
    assert b"<script>" not in content
    assert b"somebody" not in content
