"""Finds the layers of an ONNX network that somebody else exported, and writes it as ours are.

``rebuild(model) -> the same network, with what models.inspection.network reads``

The network takes one picture at a time, and the shapes of all its values are known.  Operators
that only move values (reshape, transpose, repeat, crop) are followed value by value: where they
leave the maps as they were nothing is shown, and else the layer is named after what they do.
Layers are called by their kind, counted: what the file calls them is not used.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.inspection.arithmetic import paddings
from models.inspection.layer import BETWEEN, IMAGE, TABLE, Layer
from train.export.onnx_constants import evaluate, opset_of, shapes_of

SIDE = 28
NEAREST = b"nearest"
ANSWER = (SIDE, SIDE, 1)
OURS = "v"  # Before the numbers of values that belong to no layer.
INPUT = "picture"  # What the file's own input is called in the new one.


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# They move values and compute nothing.
MOVES = _names(
    "Cast DepthToSpace Dropout Expand Flatten Gather Identity Pad Reshape Resize Slice "
    "SpaceToDepth Split Squeeze Tile Transpose Unsqueeze Upsample"
)
# Each value comes from those at the same place alone.
ELEMENTWISE = _names(
    "Abs Add BatchNormalization Celu Clip Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu "
    "Log Max Mean Min Mish Mul Neg PRelu Pow Reciprocal Relu Selu Sigmoid Softplus Softsign "
    "Sqrt Sub Sum Tanh ThresholdedRelu"
)
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
POOLINGS = frozenset({"MaxPool", "AveragePool"})
MIXES = _names(
    "Concat Gemm GlobalAveragePool GlobalMaxPool GroupNormalization InstanceNormalization "
    "LayerNormalization LogSoftmax LRN MatMul ReduceMax ReduceMean ReduceSum Softmax"
)
COMPUTE = ELEMENTWISE | CONVOLUTIONS | POOLINGS | MIXES
# What exporters work shapes out with: allowed where the result does not depend on the picture.
CONSTANT = _names(
    "Ceil Constant ConstantOfShape Equal Floor Greater Less Mod Not Range Shape Size Where"
)
KNOWN = MOVES | COMPUTE | CONSTANT
# Their maps are (C, H, W).
PLANAR = CONVOLUTIONS | POOLINGS | {"BatchNormalization", "InstanceNormalization", "Resize"}
LEARNED = _names(
    "Add BatchNormalization Conv ConvTranspose Div Gemm GroupNormalization "
    "InstanceNormalization LayerNormalization MatMul Mul PRelu Sub"
)
NEUTRAL = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}  # Dividing by it, subtracting it.
ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid"}
# The kinds that screens know from Keras; others keep the name of the operator.
# "Clip" is what ends a network here, between 0 and 1; a file's own may have other limits.
KINDS = {"Relu": "ReLU", "Concat": "Concatenate", "Clip": "Limit"}
NAMES = {
    "Conv2D": "conv",
    "Conv2DTranspose": "transposed",
    "ConvTranspose": "transposed",
    "MaxPooling2D": "pool",
    "MaxPool": "pool",
    "BatchNormalization": "norm",
    "UpSampling2D": "upsampling",
    "Concatenate": "concat",
}

Span = tuple[np.ndarray, np.ndarray]  # As in train.export.describe, of rows or of columns.


class UnknownShape(ValueError):
    """The shape of a value depends on the picture."""


@dataclass
class Row:
    """A layer in the making: the tensor that has its values, and where those come from."""

    layer: Layer
    tensor: str
    planar: bool
    spans: tuple[Span, Span]
    node: onnx.NodeProto | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """What a tensor holds: values of a layer, by their place there, or a mix of several layers.

    ``places`` has the tensor's shape; -1 stands for a value that is in no layer.
    """

    layers: tuple[str, ...]
    places: np.ndarray | None = None


@dataclass(frozen=True)
class Rebuilt:
    """A network as ours are: the file's content, and what is known of it."""

    model: onnx.ModelProto
    layers: tuple[Layer, ...]


def rebuild(model: onnx.ModelProto) -> Rebuilt:
    """Return the network with its layers as outputs and in a table, its answer clipped to [0, 1].

    All that is constant must be an initializer (``fold_constants``).

    Raises:
        UnknownShape: if the shape of a value depends on the picture.
    """
    return _Rebuilding(model).finish()


class _Rebuilding:
    """One pass over the nodes of a graph, in their order."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.version = model, opset_of(model)
        self.shapes = shapes_of(model)
        self.constants = {
            each.name: numpy_helper.to_array(each) for each in model.graph.initializer
        }
        self.output = model.graph.output[0].name
        self.takers = Counter(name for node in model.graph.node for name in node.input)
        self.takers[self.output] += 1
        every = (np.arange(SIDE), np.arange(SIDE))
        picture = Layer(IMAGE, "InputLayer", (), ANSWER, 0, 0, 1)
        given = model.graph.input[0].name
        self.rows = {IMAGE: Row(picture, given, planar=False, spans=(every, every))}
        self.values = {given: Value((IMAGE,), np.arange(SIDE * SIDE).reshape(self.shapes[given]))}
        self.nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in model.graph.node]
        self.users: dict[str, list[str]] = {}
        for node in self.nodes:
            for name in node.input:
                self.users.setdefault(name, []).append(node.op_type)
        self.counts: Counter[str] = Counter()

    def finish(self) -> Rebuilt:
        for node in self.nodes:
            if self._changes_nothing(node):
                self.values[node.output[0]] = self.values[_given(node, self.constants)[0]]
            elif node.op_type not in MOVES or not self._moved(node):
                self._computed(node)
        last = self._end()
        layers = tuple(row.layer for row in self.rows.values())
        return Rebuilt(self._model(last), layers)

    # Following the values

    def _changes_nothing(self, node: onnx.NodeProto) -> bool:
        """Whether an operator multiplies by one or adds nothing, as a switch that is left alone."""
        given = _given(node, self.constants)
        constants = [self.constants[name] for name in node.input if name in self.constants]
        if node.op_type not in NEUTRAL or len(given) != 1 or not constants:
            return False
        if node.op_type in ("Div", "Sub") and node.input[0] != given[0]:
            return False
        same = self.shapes[node.output[0]] == self.shapes[given[0]]
        return same and bool((constants[0] == NEUTRAL[node.op_type]).all())

    def _moved(self, node: onnx.NodeProto) -> bool:
        """Follow values through an operator that moves them; False where it computes."""
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        source, *others = [name for name in node.input if name]
        if source in self.constants or any(name not in self.constants for name in others):
            raise UnknownShape(node.op_type)
        if node.op_type in ("Resize", "Upsample") and attributes.get("mode", NEAREST) != NEAREST:
            return False
        value = self.values[source]
        if value.places is None:
            for name in node.output:
                self.values[name] = value
            return True
        if node.op_type in ("Cast", "Dropout", "Identity"):
            moved = [value.places]
        else:
            # Counted from 1: what is filled up with zeros becomes -1.
            given = {source: value.places.astype(np.float32) + 1}
            given |= {name: self.constants[name] for name in others}
            if node.op_type == "Pad" and len(node.input) > 2 and node.input[2]:
                given[node.input[2]] = np.zeros_like(given[node.input[2]])
            moved = [each - 1 for each in evaluate(node, given, self.version)]
        for name, places in zip(node.output, moved, strict=False):
            self.values[name] = Value(value.layers, places.astype(np.int32))
        return True

    def _computed(self, node: onnx.NodeProto) -> None:
        """Make a layer of an operator, or a part of the layer before it."""
        given = _given(node, self.constants)
        if self._joined(node, given):
            return
        sources = tuple(dict.fromkeys(each for name in given for each in self._layers(name)))
        tensor, *others = node.output
        self.values |= {name: Value(sources) for name in others}
        shape = self.shapes[tensor]
        if len(shape) not in (2, 4) or shape[0] != 1:
            self.values[tensor] = Value(sources)  # Screens cannot show it.
            return
        planar = len(shape) == 4 and self._is_planar(node, given)
        kind, about, weights = self._kind(node, given, sources, planar)
        parameters = sum(
            self.constants[name].size
            for name in node.input
            if name in self.constants
            and node.op_type in LEARNED
            and self.constants[name].dtype == np.float32
        )
        layer = Layer(
            self._name(kind),
            kind,
            sources,
            _last(shape, planar),
            parameters,
            self._macs(node, weights),
            1,
            **about,
        )
        self._add(Row(layer, tensor, planar, self._spans(node, layer), node, weights))

    def _joined(self, node: onnx.NodeProto, given: list[str]) -> bool:
        """Make a bias or an activation a part of the layer that it alone follows."""
        if len(given) != 1 or self.takers[given[0]] != 1:
            return False
        value = self.values[given[0]]
        row = self.rows.get(value.layers[0]) if len(value.layers) == 1 else None
        if row is None or row.tensor != given[0] or row.layer.activation != "linear":
            return False
        if row.layer.kind not in ("Conv2D", "Conv2DTranspose", "Dense", "Conv", "ConvTranspose"):
            return False
        layer = row.layer
        if node.op_type in ACTIVATIONS:
            row.layer = replace(layer, activation=ACTIVATIONS[node.op_type])
        elif node.op_type == "Add" and row.weights and "bias" not in row.weights:
            (name,) = (each for each in node.input if each in self.constants)
            bias = self.constants[name]
            around = (layer.shape[-1], 1, 1) if row.planar else (layer.shape[-1],)
            if bias.size != layer.shape[-1] or (*bias.shape,)[-len(around) :] != around:
                return False
            row.weights["bias"] = bias.reshape(-1)
            row.layer = replace(layer, parameters=layer.parameters + bias.size)
        else:
            return False
        row.tensor = node.output[0]
        self.values[row.tensor] = value
        return True

    def _layers(self, tensor: str) -> tuple[str, ...]:
        """The layers that a tensor is made of; one of its own where values were moved."""
        value = self.values[tensor]
        if value.places is None:
            return value.layers
        shape = value.places.shape
        if len(shape) not in (2, 4) or shape[0] != 1:
            self.values[tensor] = Value(value.layers)
            return value.layers
        (source,) = value.layers
        before = self.rows[source].layer.shape
        places = value.places[0]
        if len(shape) == 2:
            if before == places.shape and _in_order(places):
                return value.layers
            planar = False
        else:
            ways = {True: places.transpose(1, 2, 0), False: places}
            if any(before == way.shape and _in_order(way) for way in ways.values()):
                return value.layers
            planar = self._is_fed_planar(tensor)
            places = ways[planar]
        kind = _movement(before, places)
        spans = self.rows[source].spans
        layer = Layer(self._name(kind), kind, (source,), places.shape, 0, 0, 1)
        moved = _moved_spans(spans, before, places)
        self._add(Row(layer, tensor, planar, moved))
        return (layer.name,)

    def _add(self, row: Row) -> None:
        widest = max(int((last - first).max()) + 1 for first, last in row.spans)
        row.layer = replace(row.layer, field=min(widest, SIDE))
        shape = row.layer.shape
        places = np.arange(int(np.prod(shape)), dtype=np.int32).reshape((1, *shape))
        if row.planar:
            places = places.transpose(0, 3, 1, 2)
        self.rows[row.layer.name] = row
        self.values[row.tensor] = Value((row.layer.name,), places)

    def _end(self) -> str:
        """Return the layer that has the answer, one that clips it where nothing else does."""
        before = self._layers(self.output)
        if len(before) == 1 and before[0] != IMAGE and self._is_within_range(before[0]):
            return before[0]
        spans = _whole(ANSWER, [self.rows[name] for name in before])
        if len(before) == 1 and self.rows[before[0]].layer.shape == ANSWER:
            spans = self.rows[before[0]].spans
        clip = Layer(self._name("Clip"), "Clip", before, ANSWER, 0, 0, 1)
        self._add(Row(clip, self.output, planar=False, spans=spans))
        return clip.name

    def _is_within_range(self, name: str) -> bool:
        """Whether the values of a layer cannot leave [0, 1]; they may have been moved since."""
        row = self.rows[name]
        while row.layer.kind in ("Reshape", "FoldByMap", "Move") and len(row.layer.inputs) == 1:
            row = self.rows[row.layer.inputs[0]]
        if row.layer.kind == "Limit" and row.node is not None:
            limits = [self.constants.get(each) for each in row.node.input[1:]]
            return len(limits) == 2 and None not in limits and limits == [0, 1]
        return row.layer.activation == "sigmoid" or row.layer.kind == "Sigmoid"

    # What a layer is

    def _kind(
        self, node: onnx.NodeProto, given: list[str], sources: tuple[str, ...], planar: bool
    ) -> tuple[str, dict, dict[str, np.ndarray]]:
        """What a layer is called, what there is to say of its window, its weights in ONNX's way."""
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        operator, kind = node.op_type, KINDS.get(node.op_type, node.op_type)
        if operator in CONVOLUTIONS | POOLINGS and len(self.shapes[node.output[0]]) == 4:
            return self._window(node, attributes, given[0])
        if operator in ("MatMul", "Gemm") and len(self.shapes[node.output[0]]) == 2:
            return self._dense(node, attributes)
        if operator == "BatchNormalization":
            if not planar or not self._is_behind_convolution(given[0]):
                return "BatchNorm", {}, {}  # Not one that can be joined with what comes before.
            gamma, beta, mean, variance = (self.constants[name] for name in node.input[1:5])
            scale = gamma / np.sqrt(variance + np.float32(attributes.get("epsilon", 1e-5)))
            return kind, {}, {"scale": scale, "shift": beta - mean * scale}
        if operator == "Concat":
            rank = len(self.shapes[node.output[0]])
            channels = 1 if planar or rank == 2 else 3
            joins = attributes["axis"] % rank == channels and len(sources) == len(given)
            return (kind if joins else operator), {}, {}
        return kind, {}, {}

    def _is_behind_convolution(self, tensor: str) -> bool:
        """Whether a tensor holds what a convolution adds up, and nobody else takes it."""
        (row,) = (self.rows[name] for name in self.values[tensor].layers[:1])
        return (
            row.tensor == tensor
            and self.takers[tensor] == 1
            and row.layer.kind in ("Conv2D", "Conv2DTranspose")
            and row.layer.activation == "linear"
        )

    def _window(
        self, node: onnx.NodeProto, attributes: dict, given: str
    ) -> tuple[str, dict, dict[str, np.ndarray]]:
        operator = node.op_type
        before, after = self.shapes[given][2:], self.shapes[node.output[0]][2:]
        learned = operator in CONVOLUTIONS
        kernel = self.constants.get(node.input[1]) if learned else None
        if learned and kernel is None:
            return operator, {}, {}
        size = tuple(kernel.shape[2:]) if learned else tuple(attributes["kernel_shape"])
        strides = tuple(attributes.get("strides", (1, 1)))
        pads = list(attributes.get("pads", (0, 0, 0, 0)))
        automatic = attributes.get("auto_pad", b"NOTSET")
        about = {"kernel": size, "strides": strides}
        plain = attributes.get("group", 1) == 1 and not attributes.get("ceil_mode", 0)
        plain = plain and set(attributes.get("dilations", (1, 1))) == {1}
        weights = {"kernel": kernel} if learned else {}
        if learned and len(node.input) > 2 and node.input[2]:
            weights["bias"] = self.constants[node.input[2]]
        if operator == "ConvTranspose":
            begin = [max(k - s, 0) // 2 for k, s in zip(size, strides, strict=True)]
            doubled = [side * stride for side, stride in zip(before, strides, strict=True)]
            if plain and automatic == b"NOTSET" and pads[:2] == begin and [*after] == doubled:
                return "Conv2DTranspose", about, weights
            return operator, about, {}
        if automatic in (b"SAME_UPPER", b"VALID"):
            pads = None
        elif automatic == b"SAME_LOWER":
            plain = False
        for padding in ("same", "valid"):
            edges = paddings(before, size, strides, padding)
            wanted = [each[0] for each in edges] + [each[1] for each in edges]
            named = automatic == (b"SAME_UPPER" if padding == "same" else b"VALID")
            if plain and operator != "AveragePool" and (named or pads == wanted):
                kind = "Conv2D" if operator == "Conv" else "MaxPooling2D"
                return kind, about | {"padding": padding}, weights
        return operator, about, {}

    def _dense(
        self, node: onnx.NodeProto, attributes: dict
    ) -> tuple[str, dict, dict[str, np.ndarray]]:
        kernel = self.constants.get(node.input[1])
        unusual = (
            attributes.get("transA", 0)
            or attributes.get("alpha", 1.0) != 1
            or attributes.get("beta", 1.0) != 1
            or len(self.shapes[node.input[0]]) != 2
        )
        if kernel is None or kernel.ndim != 2 or unusual:
            return node.op_type, {}, {}
        if attributes.get("transB", 0):
            kernel = np.ascontiguousarray(kernel.T)
            kept = [each for each in node.attribute if each.name != "transB"]
            del node.attribute[:]
            node.attribute.extend(kept)
        weights = {"kernel": kernel}
        if len(node.input) > 2 and node.input[2]:
            bias = self.constants.get(node.input[2])
            if bias is None:
                return node.op_type, {}, {}
            weights["bias"] = np.ascontiguousarray(
                np.broadcast_to(bias.reshape(-1), kernel.shape[1:])
            )
        return "Dense", {}, weights

    def _macs(self, node: onnx.NodeProto, weights: dict[str, np.ndarray]) -> int:
        operator, after = node.op_type, self.shapes[node.output[0]]
        if operator == "Conv":
            return int(np.prod(after[2:])) * int(np.prod(self.shapes[node.input[1]]))
        if operator == "ConvTranspose":
            before = self.shapes[node.input[0]]
            return int(np.prod(before[2:])) * int(np.prod(self.shapes[node.input[1]]))
        if operator in ("MatMul", "Gemm"):
            inner = self.shapes[node.input[0]][-1]
            return int(np.prod(after)) * int(inner)
        return 0

    def _is_planar(self, node: onnx.NodeProto, given: list[str]) -> bool:
        if node.op_type in PLANAR or node.op_type == "MatMul":
            return node.op_type in PLANAR
        for name in given:
            value = self.values[name]
            if value.places is None or value.places.ndim != 4:
                continue
            row = self.rows[value.layers[0]]
            if row.tensor == name and row.layer.name != IMAGE:
                return row.planar
            if _in_order(value.places[0]) and not _in_order(value.places[0].transpose(1, 2, 0)):
                return False
        return True

    def _is_fed_planar(self, tensor: str) -> bool:
        users = set(self.users.get(tensor, ()))
        if tensor == self.output and self.shapes[tensor][1:] == ANSWER:
            return False
        return bool(users & PLANAR) or "MatMul" not in users

    def _name(self, kind: str) -> str:
        base = NAMES.get(kind, kind.lower())
        self.counts[base] += 1
        return f"{base}_{self.counts[base]}"

    # How much of the picture a layer sees

    def _spans(self, node: onnx.NodeProto, layer: Layer) -> tuple[Span, Span]:
        rows = [self.rows[name] for name in layer.inputs]
        if not rows or not layer.has_maps:
            return _whole(layer.shape, rows)
        operator = node.op_type
        alike = operator in ELEMENTWISE or layer.kind == "Concatenate"
        if alike and all(
            row.layer.has_maps and row.layer.shape[:2] == layer.shape[:2] for row in rows
        ):
            return tuple(
                (
                    np.min([row.spans[axis][0] for row in rows], axis=0),
                    np.max([row.spans[axis][1] for row in rows], axis=0),
                )
                for axis in (0, 1)
            )
        if layer.kernel and len(rows) == 1 and rows[0].layer.has_maps:
            return tuple(_seen(node, layer, rows[0], axis) for axis in (0, 1))
        return _whole(layer.shape, rows)

    # The new file

    def _model(self, last: str) -> onnx.ModelProto:
        """Write the graph with names of ours, all layers and weights as outputs, and the table."""
        names = {self.model.graph.input[0].name: INPUT, "": ""}
        names |= {row.tensor: name for name, row in self.rows.items() if name not in (IMAGE, last)}
        arrays = {
            "own_shape": np.array(self.shapes[self.model.graph.input[0].name], np.int64),
            "our_shape": np.array((1, *ANSWER), np.int64),
            "black": np.array(0, np.float32),
            "white": np.array(1, np.float32),
        }
        arrays |= self._renamed(names)
        shown = [
            row
            for name, row in self.rows.items()
            if name not in (IMAGE, last) and names[row.tensor] == name
        ]
        weights = {
            f"{name}{BETWEEN}{part}": array
            for name, row in self.rows.items()
            for part, array in row.weights.items()
        }
        outputs = [(last, (1, *ANSWER))]
        outputs += [(row.layer.name, (1, *_first(row.layer.shape, row.planar))) for row in shown]
        outputs += [(name, array.shape) for name, array in weights.items()]
        graph = helper.make_graph(
            [
                helper.make_node("Reshape", [IMAGE, "own_shape"], [INPUT]),
                *self.nodes,
                *self._ending(names, last),
            ],
            "brought",
            [helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, (1, *ANSWER))],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs
            ],
            [
                numpy_helper.from_array(np.ascontiguousarray(array), name)
                for name, array in (arrays | weights).items()
            ],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.version)],
            ir_version=self.model.ir_version,
        )
        table = {
            "layers": [_as_row(row.layer) for row in self.rows.values()],
            "code": None,
            "planar": [row.layer.name for row in shown if row.planar],
        }
        helper.set_model_props(model, {TABLE: json.dumps(table, separators=(",", ":"))})
        return model

    def _renamed(self, names: dict[str, str]) -> dict[str, np.ndarray]:
        """Give all tensors of the nodes names of ours, and return the constants by these.

        ``names`` has those of the layers, and gets the others; weights are called by their layer.
        """
        in_weights: dict[tuple[int, int], str] = {}
        for name, row in self.rows.items():
            if "kernel" in row.weights:
                in_weights[id(row.node), 1] = f"{name}{BETWEEN}kernel"
                if len(row.node.input) > 2 and row.node.input[2]:
                    in_weights[id(row.node), 2] = f"{name}{BETWEEN}bias"
        numbers, arrays = count(), {}
        for node in self.nodes:
            for place, name in enumerate(node.input):
                if (id(node), place) in in_weights:
                    node.input[place] = in_weights[id(node), place]
                    continue
                if name not in names:
                    names[name] = f"{OURS}{next(numbers)}"
                if name in self.constants:
                    arrays[names[name]] = self.constants[name]
                node.input[place] = names[name]
            for place, name in enumerate(node.output):
                if name not in names:
                    names[name] = f"{OURS}{next(numbers)}"
                node.output[place] = names[name]
            node.name = node.doc_string = node.domain = ""
            del node.metadata_props[:]
        return arrays

    def _ending(self, names: dict[str, str], last: str) -> list[onnx.NodeProto]:
        """The operators that give the answer its shape: what is not a number is black."""
        ours = self.rows[last].node is None and self.rows[last].layer.kind == "Clip"
        numbers = "numbers" if ours else last
        nodes = [
            helper.make_node("Reshape", [names[self.output], "our_shape"], ["answer"]),
            helper.make_node("IsNaN", ["answer"], ["no_number"]),
            helper.make_node("Where", ["no_number", "black", "answer"], [numbers]),
        ]
        if ours:
            # Not Clip, whose limits are inputs from version 11 on only.
            nodes.append(helper.make_node("Max", [numbers, "black"], ["not_below"]))
            nodes.append(helper.make_node("Min", ["not_below", "white"], [last]))
        return nodes


def _given(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> list[str]:
    """The inputs of an operator that depend on the picture."""
    return [name for name in node.input if name and name not in constants]


def _movement(before: tuple[int, ...], places: np.ndarray) -> str:
    """Return what moving values from maps or a list to these places is called."""
    order = np.arange(int(np.prod(before)), dtype=np.int32)
    if places.ndim == 1:
        whole = places.size == order.size
        return "Flatten" if whole and (places == order).all() else "FlattenByMap"
    if len(before) == 1:
        whole = places.size == order.size
        return "Reshape" if whole and (places.ravel() == order).all() else "FoldByMap"
    maps = order.reshape(before)
    if places.shape == (2 * before[0], 2 * before[1], before[2]):
        doubled = maps.repeat(2, axis=0).repeat(2, axis=1)
        return "UpSampling2D" if (places == doubled).all() else "Resize"
    return "Move"


def _in_order(places: np.ndarray) -> bool:
    return bool((places.ravel() == np.arange(places.size)).all())


def _last(shape: Sequence[int], planar: bool) -> tuple[int, ...]:
    """The shape for one picture, channels last."""
    inner = tuple(shape[1:])
    return (*inner[1:], inner[0]) if planar else inner


def _first(shape: tuple[int, ...], planar: bool) -> tuple[int, ...]:
    """The shape for one picture as the tensor has it."""
    return (shape[-1], *shape[:-1]) if planar else shape


def _whole(shape: tuple[int, ...], rows: Iterable[Row]) -> tuple[Span, Span]:
    """All that the layers before depend on, for every place."""
    found = []
    for axis in (0, 1):
        spans = [row.spans[axis] for row in rows]
        low = min((int(first.min()) for first, _ in spans), default=0)
        high = max((int(last.max()) for _, last in spans), default=0)
        length = shape[axis] if len(shape) == 3 else 1
        found.append((np.full(length, low), np.full(length, high)))
    return tuple(found)


def _moved_spans(
    spans: tuple[Span, Span], before: tuple[int, ...], places: np.ndarray
) -> tuple[Span, Span]:
    """The spans of values at new places; those in no layer depend on nothing."""
    found = []
    for axis in (0, 1):
        first, last = spans[axis]
        if len(before) == 3:
            where = np.unravel_index(np.maximum(places, 0), before)[axis]
        else:
            where = np.zeros(places.shape, int)
        low = np.where(places < 0, SIDE, first[where])
        high = np.where(places < 0, -1, last[where])
        others = tuple(each for each in range(places.ndim) if each != axis)
        if places.ndim == 1:
            low, high = low.min(keepdims=True), high.max(keepdims=True)
        else:
            low, high = low.min(axis=others), high.max(axis=others)
        found.append((np.where(high < low, 0, low), np.where(high < low, 0, high)))
    return tuple(found)


def _seen(node: onnx.NodeProto, layer: Layer, source: Row, axis: int) -> Span:
    """What each row, or column, of a window's answer depends on."""
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    first, last = source.spans[axis]
    before, after = source.layer.shape[axis], layer.shape[axis]
    size, stride = layer.kernel[axis], layer.strides[axis]
    size = (size - 1) * list(attributes.get("dilations", (1, 1)))[axis] + 1
    automatic = attributes.get("auto_pad", b"NOTSET")
    begin = list(attributes.get("pads", (0, 0, 0, 0)))[axis]
    out = np.arange(after)
    if node.op_type == "ConvTranspose":
        if automatic != b"NOTSET":
            begin = max(size - stride, 0) // 2
        from_row = -((size - 1 - out - begin) // stride)
        to_row = (out + begin) // stride + 1
    else:
        if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
            missing = max(0, (after - 1) * stride + size - before)
            begin = missing // 2 if automatic == b"SAME_UPPER" else -(-missing // 2)
        from_row = out * stride - begin
        to_row = from_row + size
    from_row, to_row = np.clip(from_row, 0, before - 1), np.clip(to_row, 1, before)
    to_row = np.maximum(to_row, from_row + 1)
    pairs = list(zip(from_row, to_row, strict=True))
    return (
        np.array([first[a:b].min() for a, b in pairs]),
        np.array([last[a:b].max() for a, b in pairs]),
    )


def _as_row(layer: Layer) -> dict:
    """The layer as the table has it, without what has its default value."""
    plain = Layer("", "", (), (), 0, 0, 0)
    needed = ("name", "kind", "inputs", "shape", "parameters", "macs", "field")
    return {
        name: value
        for name, value in vars(layer).items()
        if name in needed or value != getattr(plain, name)
    }
