"""Makes the ONNX file of a photo network small and quick, and reads its weights back.

tf2onnx computes at run time how much a transposed convolution must be cropped; where kernel and
stride are equal that is nothing, and the crop is only a copy of the largest maps.  Weights are
stored in half precision, or in whole numbers of 8 bits with a scale for each map, which ONNX turns
back when it loads, under the names of their layers.  What a skip connection hands over can be cut
when the file is opened (``models.session``).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from models.session import SKIPS
from train.export.onnx_file import contents, drop_unused, weights_by_contents

EXACT, STORED = "float32", "float16"  # How weights may lie in a file; int8 is the third way.


def to_stored_precision(model: keras.Model, stored: str = STORED) -> None:
    """Round the weights of a model to what the file will hold, so that both are one network."""
    if stored == "int8":
        for layer in model.layers:
            if _has_kernel(layer):
                kernel, *offset = layer.get_weights()
                layer.set_weights([_from_int8(*_to_int8(kernel, _maps_axis(layer))), *offset])
        return
    model.set_weights([weights.astype(stored).astype("float32") for weights in model.get_weights()])


def compact(path: Path, model: keras.Model, stored: str = STORED) -> None:
    """Rewrite the ONNX file of a model made of convolutions; offsets stay as they are.

    ``stored`` is "float16" or "int8", the precision that ``to_stored_precision`` was given.

    Raises:
        ValueError: if a kernel of the model is not found in the file.
    """
    file = onnx.load(path)
    graph = file.graph
    _skip_idle_crops(graph)
    drop_unused(graph)
    found = weights_by_contents(graph)
    for layer, kernel in _kernels(model):
        weights = found.pop(contents(kernel), None)
        if weights is None:
            raise ValueError(f"{path} has no weights of the layer {layer}")
        if stored == "int8":
            transposed = isinstance(model.get_layer(layer), keras.layers.Conv2DTranspose)
            _store_int8(graph, weights, layer, *_to_int8(kernel, 1 if transposed else 0))
        else:
            _store_half(graph, weights, layer, kernel)
    let_skips_be_cut(file, model)
    onnx.checker.check_model(file)
    onnx.save(file, path)


def let_skips_be_cut(file: onnx.ModelProto, model: keras.Model) -> None:
    """Multiply each kernel that reads a concatenated skip by a factor for each map, 1 in the file.

    The factors have the name of the layer that concatenates; zeros in their place, for the maps
    that come around the middle, do what zeros in place of these maps would, at no cost to whoever
    leaves them alone: they are worked into the kernel when the file is opened.
    """
    graph, skips = file.graph, {}
    for skip in model.layers:
        if isinstance(skip, keras.layers.Concatenate) and skip.name.startswith("skip_"):
            below, around = (each.shape[-1] for each in skip.input)
            (reader,) = (each.name for each in model.layers if each.input is skip.output)
            *_, last = _unpacking(graph, reader)
            kernel, last.output[0] = last.output[0], f"{reader}_uncut"
            ones = np.ones((1, below + around, 1, 1), np.float32)
            graph.initializer.append(numpy_helper.from_array(ones, skip.name))
            cut = helper.make_node("Mul", [last.output[0], skip.name], [kernel])
            graph.node.insert([*graph.node].index(last) + 1, cut)
            skips[skip.name] = [below, around]
    if skips:
        finest_first = dict(sorted(skips.items()))
        helper.set_model_props(file, {SKIPS: json.dumps(finest_first)})


def read_kernels(path: Path) -> dict[str, np.ndarray]:
    """Return the kernels of a compact file by layer name, ``float32`` of four axes as in ONNX."""
    stored = {weights.name: weights for weights in onnx.load(path).graph.initializer}
    return {
        name: numpy_helper.to_array(weights).astype(np.float32)
        for name, weights in stored.items()
        if weights.data_type == onnx.TensorProto.FLOAT16
    }


def read_biases(path: Path) -> dict[str, np.ndarray]:
    """Return the biases ``float32 (C,)`` of a compact file by layer name."""
    graph = onnx.load(path).graph
    stored = {weights.name: weights for weights in graph.initializer}
    layers = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    return {
        layers[kernel]: numpy_helper.to_array(stored[bias[0]])
        for _, kernel, *bias in (node.input for node in graph.node if node.op_type == "Conv")
        if bias
    }


def set_kernels(model: keras.Model, kernels: dict[str, np.ndarray]) -> None:
    """Give a model the kernels that ``read_kernels`` returned; biases stay as they are.

    A model with more filters begins as the narrower network: its further maps are random, but
    nothing that was there before reads them yet.  One with more residual blocks begins as the
    network without them: the second kernel of such a block is 0.

    Raises:
        ValueError: if names or shapes do not fit, or there is more than convolutions.

    Source:
        That a wider network may go on from a narrower one is Net2Net's (Chen et al., ICLR 2016,
        arXiv:1511.05641); there the further maps are copies.
    """
    dense = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if dense:
        raise ValueError(f"only kernels of convolutions can be given, not those of {dense}")
    own = dict(_kernels(model))
    deeper = [name for name in own if name not in kernels and "_block_" in name]
    for name in deeper:
        kernel = own.pop(name)
        if name.endswith("_conv_2"):
            model.get_layer(name).set_weights([np.zeros_like(kernel).transpose(2, 3, 1, 0)])
    if own.keys() != kernels.keys() or not _can_hold([*own.values()], [kernels[n] for n in own]):
        raise ValueError("the network is built otherwise than the one whose weights were given")
    for name, kernel in own.items():
        layer, (first, second) = model.get_layer(name), kernels[name].shape[:2]
        grown = kernel.copy()
        if isinstance(layer, keras.layers.Conv2DTranspose):  # (in, out, H, W)
            grown[first:, :second] = 0
        else:
            grown[:first, second:] = 0
        grown[:first, :second] = kernels[name]
        layer.set_weights([grown.transpose(2, 3, 1, 0), *layer.get_weights()[1:]])


def _can_hold(wide: list[np.ndarray], narrow: list[np.ndarray]) -> bool:
    """Whether each kernel is as wide as the other's or wider; pictures keep their channels."""
    shapes = [(a.shape, b.shape) for a, b in zip(wide, narrow, strict=True)]
    # Of the first kernel that is what it reads, of the last, a transposed one, what it writes.
    same_pictures = all(a[1] == b[1] for a, b in (shapes[0], shapes[-1]))
    return same_pictures and all(
        a[2:] == b[2:] and a[0] >= b[0] and a[1] >= b[1] for a, b in shapes
    )


def _kernels(model: keras.Model) -> Iterator[tuple[str, np.ndarray]]:
    """Yield layer name and kernel of every convolution; (in, out) swap in a transposed one.

    Keras has (H, W, in, out), and (H, W, out, in) in a transposed convolution; ONNX has
    (out, in, H, W) and (in, out, H, W): the same permutation.
    """
    for layer in model.layers:
        if _has_kernel(layer):
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


def _unpacking(graph: onnx.GraphProto, layer: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that make the kernel of a layer of what is stored of it."""
    name = layer
    for node in graph.node:
        if name in node.input and node.op_type in ("Cast", "Mul"):
            yield node
            name = node.output[0]


def _store_half(
    graph: onnx.GraphProto, weights: onnx.TensorProto, layer: str, kernel: np.ndarray
) -> None:
    name = weights.name
    weights.CopyFrom(numpy_helper.from_array(kernel.astype(STORED), layer))
    cast = helper.make_node("Cast", [layer], [name], to=onnx.TensorProto.FLOAT)
    graph.node.insert(0, cast)


def _store_int8(
    graph: onnx.GraphProto,
    weights: onnx.TensorProto,
    layer: str,
    steps: np.ndarray,
    size: np.ndarray,
) -> None:
    name = weights.name
    weights.CopyFrom(numpy_helper.from_array(steps, layer))
    graph.initializer.append(numpy_helper.from_array(size, f"{layer}_step"))
    cast = helper.make_node("Cast", [layer], [f"{layer}_whole"], to=onnx.TensorProto.FLOAT)
    scale = helper.make_node("Mul", [f"{layer}_whole", f"{layer}_step"], [name])
    graph.node.insert(0, scale)
    graph.node.insert(0, cast)


def _to_int8(kernel: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel in whole steps ``int8``, and for each map on ``axis`` how large one is."""
    others = tuple(each for each in range(kernel.ndim) if each != axis)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    size = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
    return np.rint(kernel / size).astype(np.int8), size


def _from_int8(steps: np.ndarray, size: np.ndarray) -> np.ndarray:
    return steps.astype(np.float32) * size


def _has_kernel(layer: keras.layers.Layer) -> bool:
    """Whether it is a convolution, and not a normalisation."""
    return bool(layer.weights) and len(layer.weights[0].shape) == 4


def _maps_axis(layer: keras.layers.Layer) -> int:
    """Where a Keras kernel counts the maps that the layer answers with."""
    return 2 if isinstance(layer, keras.layers.Conv2DTranspose) else 3
