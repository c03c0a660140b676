"""An ONNX graph keeps what its outputs need, and its weights are found by their values."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from train.export.onnx_file import contents, drop_idle_axes, drop_unused, weights_by_contents

KERNEL, BIAS, IDLE = (np.float32(values) for values in ([[1, 2], [3, 4]], [5, 6], [7]))


@pytest.fixture
def graph():
    """A layer, ``image @ kernel + bias``, and two nodes that nobody needs the values of."""
    return helper.make_graph(
        [
            helper.make_node("MatMul", ["image", "kernel"], ["product"]),
            helper.make_node("Mul", ["product", "idle"], ["scaled"]),
            helper.make_node("Add", ["product", "bias"], ["answer"]),
            helper.make_node("Neg", ["scaled"], ["nobody's"]),
        ],
        "layer",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(array, name)
            for name, array in (("idle", IDLE), ("kernel", KERNEL), ("bias", BIAS))
        ],
    )


def test_what_no_output_needs_is_dropped_and_the_rest_stays_in_order(graph):
    drop_unused(graph)
    assert [node.op_type for node in graph.node] == ["MatMul", "Add"]
    assert [weights.name for weights in graph.initializer] == ["kernel", "bias"]


def test_a_weight_that_is_itself_an_output_stays(graph):
    graph.output.append(helper.make_tensor_value_info("idle", TensorProto.FLOAT, [1]))
    drop_unused(graph)
    assert [weights.name for weights in graph.initializer] == ["idle", "kernel", "bias"]


def test_weights_are_found_by_shape_and_values_however_they_lie_in_memory(graph):
    found = weights_by_contents(graph)
    assert found[contents(np.asfortranarray(KERNEL))].name == "kernel"
    assert contents(KERNEL.reshape(-1)) not in found
    assert contents(KERNEL.T) not in found


@pytest.mark.parametrize(
    ("declared", "shape"),
    [(["N", 3, 1], (5, 3, 1)), ([1, "N", 3, 1], (1, 5, 3, 1))],
    ids=["lost", "meant"],
)
def test_an_answer_has_the_axes_it_is_declared_with_and_no_others(declared, shape):
    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["image"], ["negative"]),
            helper.make_node("Reshape", ["negative", "shape"], ["answer"]),
        ],
        "reshaped",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, declared)],
        [numpy_helper.from_array(np.array([1, -1, 3, 1]), "shape")],
    )
    drop_idle_axes(graph)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (answer,) = ort.InferenceSession(file.SerializeToString()).run(
        None, {"image": np.ones((5, 3), np.float32)}
    )
    assert answer.shape == shape
    assert (answer == -1).all()
