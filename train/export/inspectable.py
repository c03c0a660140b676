"""Makes the ONNX file of a digit network one that can be looked into.

``opened(model)`` answers with every layer's values and takes switches; ``make_inspectable``
finishes what tf2onnx made of it.  ``models.inspection.network`` reads the file, and its docstring
says what is in it.  Where nobody asks for more than the picture, the file runs about a tenth
slower.
"""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers, ops
from onnx import TensorProto, helper, numpy_helper

from models.inspection.layer import BETWEEN, SWITCH, TABLE
from train.export.describe import code_layer, describe, is_input
from train.export.onnx_file import contents, drop_unused, weights_by_contents


def opened(model: keras.Model) -> keras.Model:
    """Return the network with switches as further inputs, and all values as outputs.

    The first output is the answer, then come the values of all other layers, in their order:
    what is asked for stays as Keras has it, weights and all.
    """
    code = code_layer(model)
    values = {model.inputs[0].name: keras.Input(model.inputs[0].shape[1:], name="image")}
    inputs, seen = list(values.values()), {}
    for layer in (each for each in model.layers if not is_input(each)):
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        given = [values[each.name] for each in given]
        if isinstance(layer, layers.Concatenate):
            switch = keras.Input(batch_shape=(1,), name=f"{layer.name}{SWITCH}")
            inputs.append(switch)
            given[1] = given[1] * switch
        value = seen[layer.name] = layer(given if len(given) > 1 else given[0])
        if layer.name == code:
            replacement = keras.Input(value.shape[1:], name="code_values")
            switch = keras.Input(batch_shape=(1,), name=f"code{SWITCH}")
            inputs += [replacement, switch]
            value = ops.where(switch > 0.5, replacement, value)
        values[layer.output.name] = value
    *others, answer = seen.values()
    return keras.Model(inputs, [answer, *others])


def stored_layers(model: keras.Model) -> list[str]:
    """Return the layers whose values the file answers with, besides the last.

    onnxruntime joins a convolution with the batch normalisation and the ReLU behind it.  Were
    the values in between asked for, a U-Net would take twice the time: ``inspection.network``
    works them out from what comes before.
    """
    joined = {
        each.name
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
        for each in (layer, _source(model, layer))
    }
    return [
        layer.name
        for layer in model.layers[:-1]
        if layer.name not in joined
        and not is_input(layer)
        and not isinstance(layer, layers.Dropout)
    ]


def make_inspectable(path: Path, model: keras.Model) -> None:
    """Finish the ONNX file of ``opened(model)``: names, defaults of switches, weights, table.

    Raises:
        ValueError: if a weight of the model is not found in the file.
    """
    file = onnx.load(path)
    graph = file.graph
    for node in graph.node:
        node.name = ""  # Long, optional, and nobody reads them.
    planar = _name_outputs(graph, model)
    drop_unused(graph)
    _show_weights(graph, model)
    graph.initializer.extend(_usual_value(given) for given in graph.input[1:])
    table = {"layers": describe(model), "code": code_layer(model), "planar": planar}
    helper.set_model_props(file, {TABLE: json.dumps(table, separators=(",", ":"))})
    onnx.checker.check_model(file)
    onnx.save(file, path)


def _usual_value(given: onnx.ValueInfoProto) -> onnx.TensorProto:
    """What an input is where it is left out: skip connections as trained, no code given."""
    dims = given.type.tensor_type.shape.dim
    # A batch of one is repeated for as many as there are.
    shape = [each.dim_value or 1 for each in dims]
    default = 0 if given.name.startswith("code") else 1
    return numpy_helper.from_array(np.full(shape, default, np.float32), given.name)


def _name_outputs(graph: onnx.GraphProto, model: keras.Model) -> list[str]:
    """Keep the outputs that are wanted, named as their layers; return those that are (C, H, W).

    That is how ONNX has maps.  Keras's order would cost a transposition each; only the answer
    has it.
    """
    *others, answer = (each.name for each in model.layers if not is_input(each))
    tensors = dict(zip([answer, *others], (each.name for each in graph.output), strict=True))
    makers = {name: node for node in graph.node for name in node.output}
    names, planar, outputs = {}, [], []
    for layer in [answer, *stored_layers(model)]:
        tensor, shape = tensors[layer], model.get_layer(layer).output.shape[1:]
        while makers[tensor].op_type == "Identity":
            tensor = makers[tensor].input[0]
        if layer != answer and _to_channels_last(makers[tensor]):
            planar.append(layer)
            tensor, shape = makers[tensor].input[0], shape[-1:] + shape[:-1]
        # One tensor can be the value of two layers; only the first can give it a name.
        if names.setdefault(tensor, layer) != layer:
            graph.node.append(helper.make_node("Identity", [names[tensor]], [layer]))
        outputs.append(helper.make_tensor_value_info(layer, TensorProto.FLOAT, ["N", *shape]))
    for node in graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    del graph.output[:]
    graph.output.extend(outputs)
    return planar


def _to_channels_last(node: onnx.NodeProto) -> bool:
    return node.op_type == "Transpose" and [*node.attribute[0].ints] == [0, 2, 3, 1]


def _show_weights(graph: onnx.GraphProto, model: keras.Model) -> None:
    """Make the weights of all layers outputs, called ``LAYER/kernel`` and so on."""
    stored = weights_by_contents(graph)
    for layer in model.layers:
        for part, array in _weights(layer).items():
            name = f"{layer.name}{BETWEEN}{part}"
            weights = stored.pop(contents(array), None)
            if weights is None and part in ("scale", "shift", "bias"):
                # Worked out, or equal to another one: it is small.
                graph.initializer.append(numpy_helper.from_array(array, name))
            elif weights is None:
                raise ValueError(f"the file has no {part} of the layer {layer.name}")
            else:
                _rename(graph, weights, name)
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))


def _weights(layer: keras.Layer) -> dict[str, np.ndarray]:
    """The weights of a layer in ONNX's layout; (out, in) swap in a transposed convolution."""
    if isinstance(layer, layers.BatchNormalization):
        gamma, beta, mean, variance = layer.get_weights()
        scale = gamma / np.sqrt(variance + np.float32(layer.epsilon))
        return {"scale": scale, "shift": beta - mean * scale}
    parts = dict(zip(("kernel", "bias"), layer.get_weights(), strict=False))
    if "kernel" in parts and parts["kernel"].ndim == 4:
        parts["kernel"] = parts["kernel"].transpose(3, 2, 0, 1)
    return parts


def _rename(graph: onnx.GraphProto, weights: onnx.TensorProto, name: str) -> None:
    for node in graph.node:
        node.input[:] = [name if each == weights.name else each for each in node.input]
    weights.name = name


def _source(model: keras.Model, layer: keras.Layer) -> keras.Layer:
    """The layer that a layer with one input gets its values from."""
    return next(each for each in model.layers if each.output.name == layer.input.name)
