"""Networks as other people's exporters write them, small, with random weights."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAST, FIRST = ("N", 28, 28, 1), ("N", 1, 28, 28)
NORMALISATION = {  # of four maps
    "gamma": np.array([1, 2, 0.5, 1], np.float32),
    "beta": np.array([0, 0.1, -0.1, 0.2], np.float32),
    "mean": np.array([0.1, 0, 0, -0.1], np.float32),
    "var": np.array([1, 4, 0.25, 1], np.float32),
}


def network(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray] | None = None,
    shape: tuple = FIRST,
    answer: tuple | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """Return a network from ``x`` to ``y``; ``answer`` is the shape it says that ``y`` has."""
    graph = helper.make_graph(
        nodes,
        "somebody's",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, answer or shape)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def random(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(sum(shape))
    fan_in = np.prod(shape[1:]) or 1
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def layer(number: int, *shape: int, biases: int | None = None) -> dict[str, np.ndarray]:
    """Weights of this shape and biases, as many as there are first ones unless it is said."""
    return {f"w{number}": random(*shape), f"b{number}": random(biases or shape[0])}


def node(operator: str, inputs: str, output: str, **attributes) -> onnx.NodeProto:
    """``inputs`` are names between spaces; a dot stands for one that is left out."""
    names = ["" if name == "." else name for name in inputs.split()]
    return helper.make_node(operator, names, [output], **attributes)


def pytorch_autoencoder(batch: object = 1) -> onnx.ModelProto:
    """Strided convolutions padded as PyTorch does, transposed ones back, one picture at a time."""
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2 b2", "c2", pads=[1] * 4),
        node("LeakyRelu", "c2", "r2", alpha=0.1),
        node("MaxPool", "r2", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "p w3 b3", "t1", kernel_shape=[2, 2], strides=[2, 2]),
        node(
            "ConvTranspose",
            "t1 w4 b4",
            "t2",
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[1] * 4,
            output_padding=[1, 1],
        ),
        node("Sigmoid", "t2", "y"),
    ]
    weights = {
        **layer(1, 4, 1, 3, 3),
        **layer(2, 6, 4, 3, 3),
        **layer(3, 6, 4, 2, 2, biases=4),
        **layer(4, 4, 1, 3, 3, biases=1),
    }
    shape = (batch, 1, 28, 28)
    return network(nodes, weights, shape)


def pytorch_dense() -> onnx.ModelProto:
    """``x.view(x.size(0), -1)`` as older exporters write it, and ``Linear`` as Gemm."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n axes", "n1"),
        node("Concat", "n1 rest", "flat", axis=0),
        node("Reshape", "x flat", "v"),
        node("Gemm", "v w1 b1", "d1", transB=1),
        node("Relu", "d1", "r1"),
        node("Gemm", "r1 w2 b2", "d2", transB=1),
        node("Sigmoid", "d2", "s2"),
        node("Concat", "n1 picture", "square", axis=0),
        node("Reshape", "s2 square", "y"),
    ]
    weights = {
        **layer(1, 16, 784),
        **layer(2, 784, 16),
        "zero": np.array(0),
        "axes": np.array([0]),
        "rest": np.array([-1]),
        "picture": np.array([1, 28, 28]),
    }
    return network(nodes, weights)


def keras_dense() -> onnx.ModelProto:
    """Channels last, MatMul and Add, as tf2onnx writes dense layers."""
    nodes = [
        node("Reshape", "x flat", "v"),
        node("MatMul", "v w1", "m1"),
        node("Add", "m1 b1", "a1"),
        node("Relu", "a1", "r1"),
        node("MatMul", "r1 w2", "m2"),
        node("Add", "m2 b2", "a2"),
        node("Sigmoid", "a2", "s2"),
        node("Reshape", "s2 square", "y"),
    ]
    weights = {
        **layer(1, 784, 12, biases=12),
        **layer(2, 12, 784, biases=784),
        "flat": np.array([-1, 784]),
        "square": np.array([-1, 28, 28, 1]),
    }
    return network(nodes, weights, LAST)


def keras_upsampling() -> onnx.ModelProto:
    """Channels last with transpositions around convolutions, and repetition by Tile."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w1 b1", "c1", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Relu", "c1", "r1"),
        node("Transpose", "r1", "l", perm=[0, 2, 3, 1]),
        node("Reshape", "l split", "s"),
        node("Tile", "s twice", "rows"),
        node("Reshape", "rows doubled", "u"),
        node("Transpose", "u", "p", perm=[0, 3, 1, 2]),
        node("Conv", "p w2", "c2", pads=[1] * 4),
        node("Add", "c2 b2", "a2"),
        node("Sigmoid", "a2", "g"),
        node("Transpose", "g", "y", perm=[0, 2, 3, 1]),
    ]
    weights = {
        **layer(1, 3, 1, 3, 3),
        "split": np.array([-1, 14, 1, 14, 1, 3]),
        "twice": np.array([1, 1, 2, 1, 2, 1]),
        "doubled": np.array([-1, 28, 28, 3]),
        "w2": random(1, 3, 3, 3),
        "b2": np.full((1, 1, 1, 1), 0.1, np.float32),
    }
    return network(nodes, weights, LAST)


def residual() -> onnx.ModelProto:
    """Batch normalisation, a residual connection, a depthwise convolution, no end activation."""
    nodes = [
        node("Conv", "x w1", "c1", pads=[1] * 4),
        node("BatchNormalization", "c1 gamma beta mean var", "n1"),
        node("Relu", "n1", "r1"),
        node("Conv", "r1 w2", "c2", pads=[1] * 4, group=4),
        node("Relu", "c2", "r2"),
        node("BatchNormalization", "r2 gamma beta mean var", "n2"),
        node("Add", "n2 r1", "a"),
        node("Conv", "a w3", "y", pads=[1] * 4),
    ]
    weights = {
        "w1": random(4, 1, 3, 3),
        **NORMALISATION,
        "w2": random(4, 1, 3, 3),
        "w3": random(1, 4, 3, 3),
    }
    return network(nodes, weights)


def skips() -> onnx.ModelProto:
    """A small U-Net: ReLU6, pooling, nearest and bilinear enlarging, two joins of channels."""
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1] * 4),
        node("Relu", "c1", "r1"),
        node("AveragePool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p1 w2 b2", "c2", pads=[2] * 4, dilations=[2, 2]),
        node("Clip", "c2 zero six", "r2"),
        node("MaxPool", "r2", "p2", kernel_shape=[2, 2], strides=[2, 2]),
        node(
            "Resize",
            "p2 . twice",
            "u1",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Concat", "u1 r2", "j1", axis=1),
        node("Resize", "j1 . twice", "u2", mode="linear"),
        node("Concat", "u2 r1", "j2", axis=1),
        node("Conv", "j2 w3 b3", "c3"),
        node("Clip", "c3 zero one", "y"),
    ]
    weights = {
        **layer(1, 3, 1, 3, 3),
        **layer(2, 5, 3, 3, 3),
        **layer(3, 1, 13, 1, 1),
        "twice": np.array([1, 1, 2, 2], np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "six": np.array(6, np.float32),
    }
    return network(nodes, weights)


def bottleneck() -> onnx.ModelProto:
    """Convolutions, a code of eight numbers by way of planar flattening, and back."""
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1] * 4, strides=[4, 4]),
        node("Elu", "c1", "h1"),
        node("Flatten", "h1", "f"),
        node("Gemm", "f w2 b2", "code", transB=1),
        node("Gemm", "code w3 b3", "wide", transB=1),
        node("Relu", "wide", "r3"),
        node("Reshape", "r3 maps", "m"),
        node("ConvTranspose", "m w4 b4", "t", kernel_shape=[4, 4], strides=[4, 4]),
        node("Sigmoid", "t", "y"),
    ]
    weights = {
        **layer(1, 2, 1, 3, 3),
        **layer(2, 8, 98),
        **layer(3, 98, 8),
        **layer(4, 2, 1, 4, 4, biases=1),
        "maps": np.array([-1, 2, 7, 7]),
    }
    return network(nodes, weights)


def pytorch_unet() -> onnx.ModelProto:
    """Only what the browser has steps for: values below zero are pooled, the end is linear."""
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1] * 4),
        node("MaxPool", "c1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p1 w2", "c2", pads=[1] * 4),
        node("BatchNormalization", "c2 gamma beta mean var", "n2"),
        node("Relu", "n2", "r2"),
        node("MaxPool", "r2", "p2", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "p2 w3 b3", "t1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", "t1 r2", "j", axis=1),
        node("ConvTranspose", "j w4 b4", "t2", kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4),
        node("Relu", "t2", "r4"),
        node("Conv", "r4 w5 b5", "y"),
    ]
    weights = {
        **layer(1, 5, 1, 3, 3),
        **layer(3, 4, 3, 2, 2, biases=3),
        **layer(4, 7, 6, 4, 4, biases=6),
        "w2": random(4, 5, 3, 3),
        **NORMALISATION,
        "w5": random(1, 6, 1, 1),
        "b5": np.array([0.2], np.float32),
    }
    return network(nodes, weights)


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    each.__name__: each
    for each in (
        pytorch_autoencoder,
        pytorch_dense,
        keras_dense,
        keras_upsampling,
        residual,
        skips,
        bottleneck,
        pytorch_unet,
    )
}
