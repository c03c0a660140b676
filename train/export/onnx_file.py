"""What is done to the ONNX graph of every network, for digits or photos, after tf2onnx made it."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

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


def drop_idle_axes(graph: onnx.GraphProto) -> None:
    """Remove axes of length 1 that an output has in front of those it is declared with.

    tf2onnx writes a reshape with such axes and a squeeze behind it, and then may lose the squeeze:
    that depends on the order of a set, which is another one in every process.
    """
    shapes = {each.name: numpy_helper.to_array(each).tolist() for each in graph.initializer}
    makers = {node.output[0]: node for node in graph.node if node.op_type == "Reshape"}
    for output in graph.output:
        if output.name not in makers:
            continue
        maker = makers[output.name]
        shape = shapes.get(maker.input[1], [])
        idle = len(shape) - len(output.type.tensor_type.shape.dim)
        if idle > 0 and shape[:idle] == [1] * idle:
            maker.output[0] = whole = f"{output.name}_whole"
            axes = numpy_helper.from_array(np.arange(idle), f"{output.name}_idle_axes")
            graph.initializer.append(axes)
            graph.node.append(helper.make_node("Squeeze", [whole, axes.name], [output.name]))


def weights_by_contents(graph: onnx.GraphProto) -> dict[Contents, onnx.TensorProto]:
    """Return the weights of a graph by ``contents``: their names are not those of the layers."""
    return {contents(numpy_helper.to_array(weights)): weights for weights in graph.initializer}


def contents(array: np.ndarray) -> Contents:
    """Return what two arrays have in common whose shapes and values are the same."""
    return array.shape, np.ascontiguousarray(array).tobytes()
