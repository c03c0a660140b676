"""Makes the ONNX file of a photo network small and quick, and reads its weights back.

tf2onnx computes at run time how much a transposed convolution must be cropped; where kernel and
stride are equal that is nothing, and the crop is only a copy of the largest maps.  Weights are
stored in half precision, which ONNX turns back when it loads, under the names of their layers.
"""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from train.onnx_graph import contents, drop_unused, weights_by_contents

STORED = "float16"


def to_stored_precision(model: keras.Model) -> None:
    """Round the weights of a model to what the file will hold, so that both are one network."""
    model.set_weights([weights.astype(STORED).astype("float32") for weights in model.get_weights()])


def compact(path: Path, model: keras.Model) -> None:
    """Rewrite the ONNX file of a model made of convolutions without bias.

    Raises:
        ValueError: if a kernel of the model is not found in the file.
    """
    file = onnx.load(path)
    graph = file.graph
    _skip_idle_crops(graph)
    drop_unused(graph)
    stored = weights_by_contents(graph)
    for layer, kernel in _kernels(model):
        weights = stored.pop(contents(kernel), None)
        if weights is None:
            raise ValueError(f"{path} has no weights of the layer {layer}")
        _store_half(graph, weights, layer, kernel)
    onnx.checker.check_model(file)
    onnx.save(file, path)


def read_kernels(path: Path) -> dict[str, np.ndarray]:
    """Return the kernels of a compact file by layer name, as ``float32`` in ONNX's layout."""
    stored = {weights.name: weights for weights in onnx.load(path).graph.initializer}
    return {
        name: numpy_helper.to_array(weights).astype(np.float32)
        for name, weights in stored.items()
        if weights.data_type == onnx.TensorProto.FLOAT16
    }


def set_kernels(model: keras.Model, kernels: dict[str, np.ndarray]) -> None:
    """Give a model the kernels that ``read_kernels`` returned.

    Raises:
        ValueError: if names or shapes do not fit.
    """
    wanted = {layer: kernel.shape for layer, kernel in _kernels(model)}
    given = {layer: kernel.shape for layer, kernel in kernels.items()}
    if wanted != given:
        raise ValueError("the network is built otherwise than the one whose weights were given")
    for layer in wanted:
        model.get_layer(layer).set_weights([kernels[layer].transpose(2, 3, 1, 0)])


def _kernels(model: keras.Model) -> Iterator[tuple[str, np.ndarray]]:
    """Yield layer name and kernel of every convolution; (in, out) swap in a transposed one.

    Keras has (H, W, in, out), and (H, W, out, in) in a transposed convolution; ONNX has
    (out, in, H, W) and (in, out, H, W): the same permutation.
    """
    for layer in model.layers:
        if layer.weights:
            yield layer.name, layer.get_weights()[0].transpose(3, 2, 0, 1)


def _skip_idle_crops(graph: onnx.GraphProto) -> None:
    """Let whoever reads a cropped and padded transposed convolution read it directly."""
    crops = {node.input[0]: node for node in graph.node if node.op_type == "Slice"}
    pads = {node.input[0]: node for node in graph.node if node.op_type == "Pad"}
    replaced = {}
    for node in graph.node:
        if node.op_type == "ConvTranspose":
            given = {each.name: each for each in node.attribute}
            crop = crops.get(node.output[0])
            pad = pads.get(crop.output[0]) if crop else None
            if pad and [*given["kernel_shape"].ints] == [*given["strides"].ints]:
                replaced[pad.output[0]] = node.output[0]
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = replaced.get(name, name)


def _store_half(
    graph: onnx.GraphProto, weights: onnx.TensorProto, layer: str, kernel: np.ndarray
) -> None:
    name = weights.name
    weights.CopyFrom(numpy_helper.from_array(kernel.astype(STORED), layer))
    cast = helper.make_node("Cast", [layer], [name], to=onnx.TensorProto.FLOAT)
    graph.node.insert(0, cast)
