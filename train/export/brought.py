"""Opens a network that a visitor has brought, in a process that may do next to nothing else.

    file on standard input --checks--> rebuilt network, after a line of JSON, on standard output

``train.brought`` starts it and reads the line: what is known of the network, or why it is refused.
Once all that is needed is imported, the process can open no file and no connection, start no
other process, and has little memory and time: whoever makes it do more only ends it.  What it
writes is a network of our own making, with names of ours and nothing that was not understood.
"""

import json
import math
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.shape_inference
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from models.inspection.layer import IMAGE
from train.brought_limits import LARGEST_FILE, MEMORY, SECONDS, SLOWEST, Refused
from train.export import onnx_layers
from train.export.onnx_constants import fold_constants, open_bytes, shapes_of, types_of
from train.export.onnx_file import drop_unused

LIBRARIES = 300_000_000  # Bytes of addresses that the libraries take, hardly any of it memory.
LARGEST_ANSWER = LARGEST_FILE + 2_000_000
MOST_NODES, MOST_LAYERS = 1_000, 150
MOST_VALUES = 4_000_000  # of all layers for one picture
SHAPES = ((28, 28, 1), (1, 28, 28))
UNFOLDED = ((28, 28), (784,))  # The same values in the same order.
OPSETS = range(9, 25)  # IsNaN and Where, which we add, are from 9 on.
LOOPS = ("Loop", "If", "Scan", "SequenceMap")
# Sums in another order differ by rounding.
TOLERANCE = 1e-3
RUNS = 5

CUT_OFF = (
    "This is not an ONNX file, or it is cut off. Export the network again, and bring the whole "
    "file."
)
SIZES = (
    "The sizes of its layers cannot be told before it has seen a picture, so nobody knows what it "
    "will need. Export it for pictures of one size."
)


def _draw() -> np.ndarray:
    """Return black, noise, and two that are like digits, bright strokes on black."""
    rng = np.random.default_rng(0)
    pictures = np.zeros((4, 28, 28), np.float32)
    pictures[1] = rng.random((28, 28))
    pictures[2:, 5:23, 12:16] = 1
    pictures[3] = np.clip(pictures[3] + 0.5 * rng.standard_normal((28, 28)), 0, 1)
    return pictures


PICTURES = _draw()  # While NumPy may still load what draws them.


def main() -> None:
    """Read the file, write the answer."""
    try:
        limit(*map(int, sys.argv[1:]))
        content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        about, rebuilt = open_brought(content)
    except Refused as problem:
        about, rebuilt = {"refused": str(problem)}, b""
    except MemoryError:
        about, rebuilt = {"refused": TOO_LARGE}, b""
    sys.stdout.buffer.write(json.dumps(about).encode() + b"\n" + rebuilt)
    sys.stdout.buffer.flush()


def limit(memory: int = MEMORY, seconds: int = SECONDS) -> None:
    """Give up all that the work does not need; it may use these bytes, and seconds of a processor.

    Raises:
        Refused: if the system cannot limit its processes.
    """
    limits = {
        resource.RLIMIT_AS: LIBRARIES + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: LARGEST_ANSWER + 10_000,  # With the line before it.
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,  # Open ones stay open, no other can be opened: no connection.
    }
    with suppress(OSError):  # Where the host runs out of memory, it ends this process first.
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        for what, most in limits.items():
            resource.setrlimit(what, (most, most))
    except (OSError, ValueError):
        raise Refused(
            "This server cannot keep a foreign network within limits, so it opens none."
        ) from None


def open_brought(content: bytes) -> tuple[dict, bytes]:
    """Return what is known of a network and the file that the app runs.

    Raises:
        Refused: with a sentence for the visitor.
    """
    model = read_model(content)
    channels_first = prepare(model)
    own = _session(model)
    milliseconds = _time(own, channels_first)
    try:
        rebuilt = onnx_layers.rebuild(model)
    except onnx_layers.UnknownShape:
        raise Refused(SIZES) from None
    if len(rebuilt.layers) > MOST_LAYERS:
        raise Refused(
            f"It has {len(rebuilt.layers)} layers; networks here have at most {MOST_LAYERS}."
        )
    written = rebuilt.model.SerializeToString()
    if len(written) > LARGEST_ANSWER:
        raise Refused(
            "Many of its layers share their weights; with separate weights for each layer, it is "
            f"larger than {LARGEST_FILE // 1_000_000} MB."
        )
    lowest, highest = _require_same(own, channels_first, written)
    about = {
        "parameters": sum(layer.parameters for layer in rebuilt.layers),
        "macs": sum(layer.macs for layer in rebuilt.layers),
        "layers": len(rebuilt.layers) - 1,
        "channels_first": channels_first,
        "milliseconds": round(milliseconds, 3),
        "lowest": lowest,
        "highest": highest,
    }
    return about, written


def read_model(content: bytes) -> onnx.ModelProto:
    """Return the model in a file, once it holds nothing but known operators and sound weights."""
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception:  # Whatever the parser raises: this is not a model.
        raise Refused(CUT_OFF) from None
    if not model.graph.node or not model.opset_import:
        raise Refused(CUT_OFF)
    _require_known(model)
    _require_sound(model.graph.initializer)
    for node in model.graph.node:
        _require_sound(each.t for each in node.attribute if each.type == AttributeProto.TENSOR)
    return model


def prepare(model: onnx.ModelProto) -> bool:
    """Make a model one for a single picture, all its sizes known; return if channels come first."""
    graph = model.graph
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    del graph.input[:], graph.value_info[:], graph.output[1:]
    graph.input.extend(inputs)
    shape = _require_pictures(graph.input)
    if shape in UNFOLDED:
        inputs = _take_picture(graph)
    if not graph.output or graph.output[0].name in weights | {inputs[0].name}:
        raise Refused("Its answer does not depend on the picture.")
    try:
        drop_unused(graph)
        onnx.checker.check_model(model)
        graph.output[0].type.tensor_type.ClearField("shape")  # It may say what is not so.
        fold_constants(model)
        shapes, types = shapes_of(model), types_of(model)
        if shapes.get(graph.output[0].name, ())[1:] in UNFOLDED:
            _answer_with_picture(graph)
            shapes, types = shapes_of(model), types_of(model)
    except MemoryError:
        raise
    except Exception as error:  # The checker, shape inference and onnxruntime have no common base.
        raise Refused(_unreadable(error)) from None
    _require_sound(graph.initializer)
    _require_fixed(graph, shapes, types)
    answer = shapes[graph.output[0].name]
    if answer[1:] not in SHAPES or answer[0] != 1:
        raise Refused(
            f"It answers with {_words(answer)} values; a network for digits answers with a picture "
            "of 28 × 28, as large as the one that it is given."
        )
    return shape == SHAPES[1]


TOO_LARGE = (
    f"It needs more than {MEMORY // 1_000_000} MB of memory to be opened, which is the most that "
    "this server has for it."
)


def _require_known(model: onnx.ModelProto) -> None:
    graph = model.graph
    if model.functions or graph.sparse_initializer or model.training_info:
        raise Refused(
            "It contains functions, sparse weights or a training graph, which networks here "
            "cannot have. Export it for inference."
        )
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise Refused(
            f"It was not written with the operators of ONNX, version {OPSETS[0]} to {OPSETS[-1]}. "
            "Export it with `opset_version=18`."
        )
    if len(graph.node) > MOST_NODES:
        raise Refused(f"It has {len(graph.node):,} operators; at most {MOST_NODES:,} are possible.")
    for node in graph.node:
        kinds = {each.type for each in node.attribute}
        if node.op_type in LOOPS or kinds & {AttributeProto.GRAPH, AttributeProto.GRAPHS}:
            raise Refused(
                "It has a loop or a branch, whose time depends on the picture. Networks here go "
                "straight from the picture to the answer."
            )
        if node.domain not in ("", "ai.onnx") or node.op_type not in onnx_layers.KNOWN:
            raise Refused(
                f"It uses the operator {_quoted(node.op_type)}, which networks here cannot have: "
                "known are convolutions, dense layers, pooling, normalisation, activations, and "
                "what moves or joins maps."
            )
        if kinds & {AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS}:
            raise Refused("It has sparse weights, which networks here cannot have.")


def _require_sound(tensors: Iterable[TensorProto]) -> None:
    """Raise ``Refused`` where weights are not there, not of their size, or no numbers."""
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise Refused(
                "Its weights are in another file (external data). Export it into one file: for "
                "PyTorch with `external_data=False`."
            )
        if math.prod(tensor.dims) * 4 > MEMORY or any(each < 0 for each in tensor.dims):
            raise Refused(TOO_LARGE)
        try:
            values = numpy_helper.to_array(tensor)
        except Exception:  # Several types, for as many ways to be damaged.
            raise Refused(CUT_OFF) from None
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise Refused(
                "Some of its weights are not numbers (NaN or infinite): its training went wrong. "
                "Train it again with a smaller learning rate."
            )


def _require_pictures(inputs: Sequence[onnx.ValueInfoProto]) -> tuple[int, ...]:
    """Return the shape of the one picture that a network takes; its batch is set to one."""
    if len(inputs) != 1:
        raise Refused(f"It takes {len(inputs)} inputs; a network here takes one, the picture.")
    tensor = inputs[0].type.tensor_type
    dims = tensor.shape.dim
    shape = tuple(each.dim_value for each in dims)
    picture = next((each for each in (*SHAPES, *UNFOLDED) if _can_be(shape[1:], each)), None)
    if picture is None or tensor.elem_type != TensorProto.FLOAT:
        raise Refused(
            f"It takes {_words(shape)} values{_not_float(tensor.elem_type)}; networks here take "
            "one grey picture of 28 × 28 as float32: N × 28 × 28 × 1 (Keras) or N × 1 × 28 × 28 "
            "(PyTorch), also N × 28 × 28 or N × 784."
        )
    if shape[0] not in (0, 1):
        raise Refused(
            f"It takes {shape[0]} pictures at a time. Export it for one picture, or for any number."
        )
    for each, side in zip(dims, (1, *picture), strict=True):
        each.Clear()
        each.dim_value = side
    return picture


def _can_be(sides: tuple[int, ...], picture: tuple[int, ...]) -> bool:
    """Whether sides, 0 for any, can be those of this picture; its one channel must be said."""
    return len(sides) == len(picture) and all(
        side == wanted or (side == 0 and wanted == 28)
        for side, wanted in zip(sides, picture, strict=True)
    )


def _take_picture(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Put a picture before a network that takes its values unfolded; return the new input."""
    (before,) = graph.input
    sides = [each.dim_value for each in before.type.tensor_type.shape.dim]
    picture = helper.make_tensor_value_info(
        _free_name(graph, "picture"), TensorProto.FLOAT, (1, *SHAPES[0])
    )
    first = _reshape(graph, picture.name, before.name, sides)
    nodes = [first, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(picture)
    return [picture]


def _answer_with_picture(graph: onnx.GraphProto) -> None:
    """Fold the answer of a network into a picture."""
    answer = _free_name(graph, "folded")
    graph.node.append(_reshape(graph, graph.output[0].name, answer, (1, *SHAPES[0])))
    graph.output[0].name = answer


def _reshape(
    graph: onnx.GraphProto, source: str, target: str, shape: Sequence[int]
) -> onnx.NodeProto:
    sides = _free_name(graph, f"sides of {target}")
    graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), sides))
    return helper.make_node("Reshape", [source, sides], [target])


def _free_name(graph: onnx.GraphProto, name: str) -> str:
    """Return a name that nothing in a graph has."""
    taken = {each.name for each in (*graph.input, *graph.initializer, *graph.output)}
    taken |= {each for node in graph.node for each in (*node.input, *node.output)}
    while name in taken:
        name += "_"
    return name


def _require_fixed(graph: onnx.GraphProto, shapes: dict, types: dict) -> None:
    """Raise ``Refused`` unless all sizes are known, and all that the picture changes is float."""
    made = [name for node in graph.node for name in node.output if name]
    needed = {name for node in graph.node for name in node.input} | {graph.output[0].name}
    if any(name not in shapes for name in made):
        raise Refused(SIZES)
    if any(node.op_type not in onnx_layers.MOVES | onnx_layers.COMPUTE for node in graph.node):
        raise Refused(SIZES)
    if any(types[name] != TensorProto.FLOAT for name in made if name in needed):
        raise Refused(
            "It computes with other numbers than float32 (whole ones, or half precision). Export "
            "it with float32, not quantised."
        )
    total = sum(math.prod(shapes[name]) for name in made)
    if total > MOST_VALUES:
        raise Refused(
            f"Its layers have {total:,} values for one picture; at most {MOST_VALUES:,} are "
            "possible."
        )


def _session(model: onnx.ModelProto):
    try:
        return open_bytes(model.SerializeToString())
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime raises many types that share no base class.
        raise Refused(_unreadable(error)) from None


def _time(session, channels_first: bool) -> float:
    """Return the milliseconds for one picture, the least of a few runs."""
    times: list[float] = []
    for run in range(RUNS + 1):
        picture = PICTURES[run % len(PICTURES)].reshape(1, *SHAPES[channels_first])
        start = time.perf_counter()
        answer = _run(session, picture)
        times.append(1000 * (time.perf_counter() - start))
        if not np.isfinite(answer).all():
            raise Refused(
                "Its answer to a digit is not a number (NaN or infinite). Train it again with a "
                "smaller learning rate."
            )
        if times[0] > 10 * SLOWEST:
            break
    fastest = min(times[1:] or times)
    if fastest > SLOWEST:
        raise Refused(
            f"One picture takes it {fastest:.0f} ms on this server; at most {SLOWEST} ms are "
            "possible, because others wait meanwhile."
        )
    return fastest


def _run(session, picture: np.ndarray) -> np.ndarray:
    try:
        return session.run(None, {session.get_inputs()[0].name: picture})[0]
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(_unreadable(error)) from None


def _require_same(own, channels_first: bool, written: bytes) -> tuple[float, float]:
    """Return the range of the answers, after a check that the new file gives the same."""
    ours = open_bytes(written)
    answers = []
    for picture in PICTURES:
        answers.append(_run(own, picture.reshape(1, *SHAPES[channels_first])).reshape(28, 28, 1))
        again, *values = ours.run(None, {IMAGE: picture.reshape(1, 28, 28, 1)})
        if not all(np.isfinite(each).all() for each in values):
            raise Refused(
                "Inside it, some values are not numbers (NaN or infinite), whatever comes out of "
                "that. Train it again with a smaller learning rate."
            )
        if not np.allclose(np.clip(answers[-1], 0, 1), again, atol=TOLERANCE):
            raise Refused("It does not answer the same twice, or not as ONNX says it should.")
    return float(np.min(answers)), float(np.max(answers))


def _unreadable(error: Exception) -> str:
    if "bad_alloc" in str(error) or "Failed to allocate" in str(error):
        return TOO_LARGE
    return (
        "It does not keep to the rules of ONNX, or uses an operator in a way that is not known "
        "here. Export it again, for one picture of 28 × 28."
    )


def _words(shape: tuple[int, ...]) -> str:
    """A shape as text; the number of pictures is called N where it is not fixed."""
    sides = [str(side) if side > 0 else "any" for side in shape[:6]]
    if shape and shape[0] <= 0:
        sides[0] = "N"
    return " × ".join(sides) or "an unknown number of"


def _not_float(kind: int) -> str:
    known = kind in TensorProto.DataType.values()
    return (
        ""
        if kind == TensorProto.FLOAT or not known
        else (f" of the type {TensorProto.DataType.Name(kind).lower()}")
    )


def _quoted(name: str | bytes) -> str:
    """A name from the file, bytes where it is not UTF-8, without what a page would interpret."""
    name = name if isinstance(name, str) else name.decode("ascii", "ignore")
    kept = "".join(each for each in name[:40] if each.isascii() and each.isalnum())
    return f"`{kept}`" if kept else "without a name"


if __name__ == "__main__":
    main()
