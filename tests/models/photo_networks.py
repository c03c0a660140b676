"""Tiny networks for photos whose answers are known by hand; see also ``networks``."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def network(*nodes, **arrays) -> onnx.ModelProto:
    """Return a network that takes ``image`` and ``level`` and answers with ``denoised``."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "H", "W", channels])
        for name, channels in (("image", 3), ("level", 1))
    ]
    output = helper.make_tensor_value_info("denoised", TensorProto.FLOAT, ["N", "H", "W", 3])
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]
    graph = helper.make_graph(list(nodes), "tiny", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def smoother() -> onnx.ModelProto:
    """Mixes each pixel with the mean of 5x5, all the more the higher the level."""
    make = helper.make_node
    return network(
        make("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        make("Pad", ["planes", "pads"], ["padded"], mode="reflect"),
        make("Conv", ["padded", "kernel"], ["blurred"], group=3),
        make("Transpose", ["blurred"], ["blurred_image"], perm=[0, 2, 3, 1]),
        make("Sub", ["blurred_image", "image"], ["change"]),
        make("Add", ["level", "level"], ["share"]),
        make("Mul", ["share", "change"], ["share_of_change"]),
        make("Add", ["image", "share_of_change"], ["denoised"]),
        pads=np.int64([0, 0, 2, 2, 0, 0, 2, 2]),
        kernel=np.full((3, 1, 5, 5), 1 / 25, np.float32),
    )


def tinted() -> onnx.ModelProto:
    """Adds red and takes blue, as much as the level."""
    return network(
        helper.make_node("Mul", ["level", "tint"], ["colour"]),
        helper.make_node("Add", ["image", "colour"], ["denoised"]),
        tint=np.float32([1, 0, -1]),
    )


def minus_level() -> onnx.ModelProto:
    """Takes the level from every value."""
    return network(helper.make_node("Sub", ["image", "level"], ["denoised"]))


def average() -> onnx.ModelProto:
    """Answers with the mean of all that it is given, for each channel."""
    make = helper.make_node
    return network(
        make("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        make("Sub", ["image", "image"], ["black"]),
        make("Add", ["black", "mean"], ["denoised"]),
        axes=np.int64([1, 2]),
    )
