"""Networks that visitors bring, honest and hostile: all are opened by the process with limits."""

import io
import resource
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.inspection.network import OpenedNetwork
from tests.train.foreign_networks import NETWORKS, network, node, random
from train import brought
from train.brought import FAILED, ROOT, check
from train.brought_limits import LARGEST_FILE, Refused
from train.export.onnx_constants import open_bytes

SAME = [node("Identity", "x", "y")]
CUT_OFF = "not an ONNX file, or it is cut off"


def refusal(content: bytes | onnx.ModelProto, name: str = "mine.onnx") -> str:
    """What a visitor who brings this is told."""
    if isinstance(content, onnx.ModelProto):
        content = content.SerializeToString()
    with pytest.raises(Refused) as refused:
        check(content, name)
    return str(refused.value)


def convolutions(count: int, channels: int, side: int = 3) -> onnx.ModelProto:
    """Convolutions one after the other, all with the same weights: a small file, much work."""
    nodes = [node("Conv", "x first", "c0", pads=[1] * 4)]
    nodes += [node("Conv", f"c{n} w", f"c{n + 1}", pads=[side // 2] * 4) for n in range(count)]
    nodes.append(node("Conv", f"c{count} last", "y"))
    weights = {
        "first": random(channels, 1, 3, 3),
        "w": random(channels, channels, side, side),
        "last": random(1, channels, 1, 1),
    }
    return network(nodes, weights)


@pytest.mark.parametrize(
    ("name", "first"), [("pytorch_autoencoder", True), ("keras_upsampling", False)]
)
def test_networks_of_both_layouts_are_taken(name, first):
    taken = check(NETWORKS[name]().SerializeToString(), "Mine.ONNX")
    assert taken.channels_first is first
    assert 0 < taken.milliseconds < 100
    opened = OpenedNetwork(open_bytes(taken.content))
    assert len(opened.layers) == taken.layers + 1
    answers = opened.denoise(np.zeros((3, 28, 28, 1), np.float32))
    assert answers.shape == (3, 28, 28, 1)


def test_a_batch_that_is_named_and_one_of_one_are_taken():
    for batch in ("batch", 1):
        check(NETWORKS["pytorch_autoencoder"](batch).SerializeToString())


@pytest.mark.parametrize("version", [9, 10, 12, 18, 21, 24])
def test_old_and_new_operators_are_known(version):
    model = NETWORKS["residual"]()
    model.opset_import[0].version = version
    model.ir_version = 8 if version < 19 else 11
    assert check(model.SerializeToString()).layers == 8


def test_a_network_that_was_downloaded_here_is_taken_without_its_switches():
    content = (ROOT / "models" / "pretrained" / "conv-16-8-8" / "model.onnx").read_bytes()
    assert check(content).layers > 8


def test_more_outputs_than_the_answer_are_left_out():
    model = NETWORKS["residual"]()
    model.graph.output.add(name="a", type=model.graph.output[0].type)
    check(model.SerializeToString())


# Other files


def test_an_empty_file_is_refused():
    assert refusal(b"") == "This file is empty."


def test_a_file_above_the_limit_is_refused_before_anything_reads_it(monkeypatch):
    monkeypatch.setattr(brought, "_run", None)
    assert "more than 10 MB" in refusal(b"\x08" * (LARGEST_FILE + 1))


@pytest.mark.parametrize("name", ["mine.keras", "mine.onnx"])
def test_a_keras_file_is_refused_with_the_reason_whatever_it_is_called(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config.json", "{}")
    assert "A Keras file can carry code" in refusal(packed.getvalue(), name)
    assert "A Keras file can carry code" in refusal(b"\x89HDF\r\n\x1a\n", "mine.h5")


def test_a_pytorch_file_is_refused_with_the_reason():
    assert "A PyTorch file can carry code" in refusal(b"PK\x03\x04", "mine.pt")
    assert "A PyTorch file can carry code" in refusal(b"\x80\x02}q", "mine.pkl")


def test_any_other_file_is_refused():
    assert "Only ONNX files" in refusal(b"\x89PNG\r\n", "cat.png")
    assert CUT_OFF in refusal(b"\x89PNG\r\n", "cat.onnx")
    assert CUT_OFF in refusal(np.random.default_rng(0).bytes(10_000))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(share):
    content = NETWORKS["pytorch_dense"]().SerializeToString()
    assert refusal(content[: int(share * len(content))])


def test_a_file_that_is_cut_off_is_told_so():
    content = NETWORKS["pytorch_dense"]().SerializeToString()
    assert CUT_OFF in refusal(content[:-5])


# Hostile ones


def test_a_tensor_that_is_huge_by_its_name_only_is_refused():
    model = network([node("Add", "x w", "y")], {"w": random(1)})
    model.graph.initializer[0].dims[:] = [50_000, 50_000]
    assert "more than 250 MB" in refusal(model)


def test_a_tensor_that_is_smaller_than_it_says_is_refused():
    model = network([node("Add", "x w", "y")], {"w": random(4)})
    model.graph.initializer[0].dims[:] = [1000]
    assert CUT_OFF in refusal(model)


def test_a_tensor_that_would_be_made_huge_is_refused():
    nodes = [
        node("ConstantOfShape", "s", "h"),
        node("ReduceSum", "h", "r"),
        node("Add", "x r", "y"),
    ]
    sentence = refusal(network(nodes, {"s": np.array([40_000, 40_000])}))
    assert "memory" in sentence


def test_a_picture_that_is_repeated_into_a_huge_one_is_refused():
    nodes = [
        node("Tile", "x many", "t"),
        node("ReduceMean", "t", "m", axes=[2, 3]),
        node("Add", "x m", "y"),
    ]
    sentence = refusal(network(nodes, {"many": np.array([1, 1, 1000, 1000])}))
    assert f"{1000 * 1000 * 28 * 28 + 1 + 28 * 28:,} values" in sentence


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan"])
def test_loops_and_branches_are_refused(operator):
    body = helper.make_graph([], "body", [], [])
    name = {"Loop": "body", "If": "then_branch", "Scan": "body"}[operator]
    loop = helper.make_node(operator, ["x"], ["y"], **{name: body})
    assert "a loop or a branch" in refusal(network([loop]))


def test_a_graph_hidden_in_another_operator_is_refused():
    hidden = helper.make_node("Relu", ["x"], ["y"], body=helper.make_graph([], "body", [], []))
    assert "a loop or a branch" in refusal(network([hidden]))


def test_external_data_is_refused():
    model = network([node("Add", "x w", "y")], {"w": random(4)})
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")
    assert "external data" in refusal(model)


def test_external_data_in_a_constant_is_refused():
    weights = numpy_helper.from_array(random(4))
    weights.external_data.add(key="location", value="../../secret")
    constant = helper.make_node("Constant", [], ["w"], value=weights)
    assert "external data" in refusal(network([constant, node("Add", "x w", "y")]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value):
    weights = {"w": np.array([value], np.float32)}
    assert "not numbers" in refusal(network([node("Mul", "x w", "y")], weights))
    constant = helper.make_node("Constant", [], ["w"], value_float=float(value))
    assert "not numbers" in refusal(network([constant, node("Mul", "x w", "y")]))


def test_an_answer_that_is_no_number_is_refused():
    assert "answer to a digit is not a number" in refusal(network([node("Log", "x", "y")]))


def test_values_inside_that_are_no_numbers_are_refused():
    nodes = [node("Log", "x", "l"), node("Sigmoid", "l", "y")]  # The sigmoid of -inf is 0.
    assert "Inside it, some values are not numbers" in refusal(network(nodes))


def test_operators_that_nobody_knows_are_refused_by_name():
    assert "`RandomNormalLike`" in refusal(network([node("RandomNormalLike", "x", "y")]))
    assert "`scriptx`" in refusal(network([node("<script>`x`", "x", "y")]))
    content = network([node("Relu", "x", "y")]).SerializeToString()
    assert "`elu`" in refusal(content.replace(b"Relu", b"\xffelu"))
    foreign = node("Relu", "x", "y", domain="com.microsoft")
    assert "`Relu`" in refusal(network([foreign]))


def test_functions_of_the_file_are_refused():
    model = network(SAME)
    model.functions.add(name="Relu", domain="")
    assert "contains functions" in refusal(model)


def test_operators_newer_than_those_known_are_refused():
    assert "opset_version=18" in refusal(network(SAME, opset=400))


def test_more_operators_than_anybody_needs_are_refused():
    nodes = [node("Relu", f"r{n}" if n else "x", f"r{n + 1}") for n in range(1001)]
    nodes.append(node("Relu", "r1001", "y"))
    assert "at most 1,000" in refusal(network(nodes))


def test_more_layers_than_a_page_can_show_are_refused():
    nodes = [node("Tanh", f"r{n}" if n else "x", f"r{n + 1}") for n in range(160)]
    nodes.append(node("Tanh", "r160", "y"))
    assert "at most 150" in refusal(network(nodes))


# Honest ones that do not fit


def test_other_pictures_than_ours_are_refused_with_what_fits():
    sentence = refusal(network(SAME, shape=("N", 3, 224, 224)))
    assert "N × 3 × 224 × 224" in sentence
    assert "N × 28 × 28 × 1 (Keras) or N × 1 × 28 × 28" in sentence
    assert "takes 64 pictures" in refusal(network(SAME, shape=(64, 1, 28, 28)))
    assert "takes N × 1 × any × 32 values" in refusal(network(SAME, shape=("N", 1, "H", 32)))
    assert "takes N × any × any × any values" in refusal(network(SAME, shape=(*"NCHW",)))


@pytest.mark.parametrize(("sides", "first"), [((1, "H", "W"), True), (("H", 28, 1), False)])
def test_a_network_for_any_size_is_taken_for_ours(sides, first):
    taken = check(network([node("Relu", "x", "y")], shape=("N", *sides)).SerializeToString())
    assert taken.channels_first is first


@pytest.mark.parametrize("shape", [("N", 784), (1, 784), ("N", 28, 28)])
def test_a_network_that_takes_and_gives_a_picture_unfolded_is_taken(shape):
    nodes = [
        node("Reshape", "x flat", "picture"),  # What the new input would be called.
        node("MatMul", "picture w1", "a"),
        node("Sigmoid", "a", "s"),
        node("Reshape", "s square", "y"),
    ]
    weights = {
        "flat": np.array([-1, 784]),
        "w1": random(784, 784),
        "square": np.array([-1, *shape[1:]]),
    }
    taken = check(network(nodes, weights, shape).SerializeToString())
    opened = OpenedNetwork(open_bytes(taken.content))
    picture = np.random.default_rng(0).random((1, 28, 28, 1), np.float32)
    expected = 1 / (1 + np.exp(-picture.reshape(1, 784) @ weights["w1"]))
    np.testing.assert_allclose(
        opened.denoise(picture), expected.reshape(1, 28, 28, 1), rtol=0, atol=1e-5
    )


def test_a_picture_may_be_answered_with_a_list_of_its_values():
    nodes = [node("Relu", "x", "r"), node("Flatten", "r", "y")]
    assert check(network(nodes, answer=("N", 784)).SerializeToString()).channels_first


def test_an_answer_that_is_no_picture_is_refused():
    nodes = [node("ReduceMean", "x", "y", axes=[2], keepdims=0)]
    assert "answers with 1 × 1 × 28 values" in refusal(network(nodes, answer=("N", 1, 28)))


def test_an_answer_that_does_not_depend_on_the_picture_is_refused():
    constant = helper.make_node("ConstantOfShape", ["s"], ["y"])
    assert refusal(network([constant], {"s": np.array([1, 1, 28, 28])}))


def test_two_inputs_are_refused():
    model = network([node("Add", "x z", "y")])
    model.graph.input.add(name="z", type=model.graph.input[0].type)
    assert "takes 2 inputs" in refusal(model)


def test_sizes_that_depend_on_the_picture_are_refused():
    nodes = [
        node("ReduceSum", "x", "sum", keepdims=0),
        node("Cast", "sum", "whole", to=TensorProto.INT64),
        node("Unsqueeze", "whole axes", "size"),
        node("ConstantOfShape", "size", "large"),
        node("ReduceSum", "large", "again"),
        node("Add", "x again", "y"),
    ]
    assert "sizes of its layers" in refusal(network(nodes, {"axes": np.array([0])}))


def test_a_scale_that_depends_on_the_picture_is_refused():
    nodes = [
        node("ReduceMean", "x", "scale", axes=[0, 1, 2], keepdims=0),
        node("Slice", "scale zero four", "scales"),
        node("Resize", "x . scales", "y", mode="linear"),
    ]
    weights = {"zero": np.array([0]), "four": np.array([4])}
    assert "sizes of its layers" in refusal(network(nodes, weights))


def test_whole_numbers_made_of_the_picture_are_refused():
    nodes = [
        node("Cast", "x", "i", to=TensorProto.INT32),
        node("Div", "i i", "d"),  # By zero, which ends a process.
        node("Cast", "d", "y", to=TensorProto.FLOAT),
    ]
    assert "other numbers than float32" in refusal(network(nodes))


# Limits


def test_a_slow_network_is_refused():
    sentence = refusal(convolutions(15, 192, side=7))
    assert "at most 100 ms" in sentence


def test_weights_that_many_layers_share_are_counted_for_each():
    nodes = [node("Flatten", "x", "f0"), node("Reshape", "f6 shape", "y")]
    nodes[1:1] = [node("MatMul", f"f{n} w", f"f{n + 1}") for n in range(6)]
    weights = {"w": random(784, 784), "shape": np.array([-1, 1, 28, 28])}
    assert "share their weights" in refusal(network(nodes, weights))


def test_a_process_that_takes_too_much_of_the_processor_is_ended(monkeypatch):
    monkeypatch.setattr(brought, "SECONDS", 1)
    nodes = [node("ConstantOfShape", "s", "c0", value=numpy_helper.from_array(np.ones(1, "f")))]
    nodes += [node("MatMul", f"c{n} c0", f"c{n + 1}") for n in range(3)]
    nodes += [node("ReduceMean", "c3", "m"), node("Add", "x m", "y")]
    start = time.monotonic()
    assert "took too long" in refusal(network(nodes, {"s": np.array([3500, 3500])}))
    assert time.monotonic() - start < 20


def test_a_process_that_does_not_come_back_is_ended(monkeypatch):
    monkeypatch.setattr(brought, "PATIENCE", 0.05)
    assert "took too long" in refusal(NETWORKS["residual"]())


def test_a_process_that_wants_too_much_memory_is_ended(monkeypatch):
    monkeypatch.setattr(brought, "MEMORY", 0)
    nodes = [
        node("ConstantOfShape", "s", "c"),
        node("ReduceMean", "c", "m"),
        node("Add", "x m", "y"),
    ]
    assert "memory" in refusal(network(nodes, {"s": np.array([6000, 6000])}))


def test_what_a_process_writes_that_nobody_understands_is_refused(monkeypatch):
    for written in (b"", b"[]\n", b'{"surprise": 1}\n', b"\xff\n"):
        monkeypatch.setattr(
            brought, "_run", lambda given, answer, written=written: write(answer, written)
        )
        assert refusal(NETWORKS["residual"]()) == FAILED


def write(answer, content: bytes) -> int:
    answer.write(content)
    return 0


@pytest.mark.parametrize(
    "deed",
    [
        "open('/etc/hostname')",
        "open('made-by-a-test', 'w')",
        "import socket; socket.socket()",
        "import os; os.pipe()",
        "import subprocess; subprocess.run(['true'])",
    ],
)
def test_the_process_can_open_nothing_once_it_has_its_limits(deed):
    program = (
        "import socket, subprocess, os\n"
        "from train.export import brought\n"
        f"brought.limit()\ntry:\n    {deed}\nexcept OSError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


def test_a_system_without_limits_takes_nothing(monkeypatch):
    from train.export import brought as process

    def forbidden(what, limits):
        raise ValueError("not here")

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    with pytest.raises(Refused, match="opens none"):
        process.limit()


def test_a_server_short_of_memory_opens_nothing(monkeypatch):
    small, free = NETWORKS["residual"]().SerializeToString(), [60.0]
    monkeypatch.setattr(brought, "free_megabytes", lambda: free[0])
    assert "short of memory" in refusal(small)
    free[0] = 75.0
    check(small)
    large = network([node("Add", "x w", "y")], {"w": random(1, 28, 28)})
    large.doc_string = "x" * 1_000_000
    assert "short of memory" in refusal(large)


def test_the_process_is_the_first_to_go_where_the_host_runs_out_of_memory():
    program = (
        "from train.export import brought\n"
        "score = open('/proc/self/oom_score_adj')\nbrought.limit()\nprint(score.read().strip())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "1000\n", done.stderr


def test_one_file_is_opened_at_a_time(monkeypatch):
    monkeypatch.setattr(brought, "WAIT", 0.01)
    with brought._one_at_a_time:
        assert "Try again in a moment" in refusal(NETWORKS["residual"]())
    check(NETWORKS["residual"]().SerializeToString())


def test_two_visitors_at_once_both_get_their_networks():
    files = [NETWORKS[name]().SerializeToString() for name in ("residual", "keras_dense")]
    with ThreadPoolExecutor() as visitors:
        assert [each.layers for each in visitors.map(check, files)] == [8, 4]


def test_the_process_never_loads_keras():
    program = (
        "import sys, train.export.brought; print('keras' in sys.modules, 'skimage' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False False\n", done.stderr
