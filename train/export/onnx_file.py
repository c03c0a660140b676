"""What is done to the ONNX graph of every network, for digits or photos, after tf2onnx made it."""

import numpy as np
import onnx
from onnx import numpy_helper

Contents = tuple[tuple[int, ...], bytes]


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that no output needs."""
    needed = {each.name for each in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    weights = [each for each in graph.initializer if each.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def weights_by_contents(graph: onnx.GraphProto) -> dict[Contents, onnx.TensorProto]:
    """Return the weights of a graph by ``contents``: their names are not those of the layers."""
    return {contents(numpy_helper.to_array(weights)): weights for weights in graph.initializer}


def contents(array: np.ndarray) -> Contents:
    """Return what two arrays have in common whose shapes and values are the same."""
    return array.shape, np.ascontiguousarray(array).tobytes()
