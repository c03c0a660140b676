"""Works out, in a graph that somebody else exported, all that does not depend on the picture."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper


def fold_constants(model: onnx.ModelProto) -> None:
    """Work out, in place, all that does not depend on the picture: sizes, mostly."""
    graph, version = model.graph, opset_of(model)
    shapes = shapes_of(model)
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    kept = []
    for node in graph.node:
        given = [name for name in node.input if name]
        if node.op_type == "Constant":
            results = [_constant(node)]
        elif node.op_type in ("Shape", "Size") and given[0] in shapes:
            whole = np.zeros(shapes[given[0]], np.bool_)  # Only its shape is asked for.
            results = evaluate(node, {given[0]: whole}, version)
        elif all(name in constants for name in given) and node.op_type != "Identity":
            results = evaluate(node, {name: constants[name] for name in given}, version)
        elif node.op_type == "Identity" and given[0] in constants:
            results = [constants[given[0]]]
        else:
            kept.append(node)
            continue
        constants |= dict(zip(node.output, results, strict=False))
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input} | {each.name for each in graph.output}
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in constants.items()
        if name in used
    )


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the values that are known, by the names of the tensors."""
    inferred = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    ).graph
    shapes = {each.name: tuple(each.dims) for each in inferred.initializer}
    for info in (*inferred.input, *inferred.value_info, *inferred.output):
        tensor = info.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes[info.name] = tuple(d.dim_value for d in tensor.shape.dim)
    return shapes


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    """Return the types of the values, as ``TensorProto`` numbers them."""
    inferred = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    ).graph
    infos = (*inferred.input, *inferred.value_info, *inferred.output)
    return {info.name: info.type.tensor_type.elem_type for info in infos}


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that a model uses."""
    return next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))


def evaluate(node: onnx.NodeProto, given: dict[str, np.ndarray], version: int) -> list[np.ndarray]:
    """Return what a node makes of these values."""
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in given.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    one = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    return open_bytes(one.SerializeToString()).run(None, given)


def open_bytes(content: bytes) -> ort.InferenceSession:
    """Open a network in this thread alone."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _constant(node: onnx.NodeProto) -> np.ndarray:
    (attribute,) = node.attribute
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.to_array(value)
    kinds = {"value_float": np.float32, "value_floats": np.float32}
    return np.array(value, kinds.get(attribute.name, np.int64))
