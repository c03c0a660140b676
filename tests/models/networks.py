"""Tiny networks whose answers are known by hand, and the folders in which models live."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.catalogue import Card, sha256_of


def identity(size: int = 28, channels: int = 1) -> onnx.ModelProto:
    """Return a network that answers with the picture itself."""
    return _model([helper.make_node("Identity", ["image"], ["denoised"])], size, channels)


def times(gain, size: int = 28, channels: int = 1) -> onnx.ModelProto:
    """Return a network that multiplies each tile by ``gain``, a number or an array."""
    return _model(
        [helper.make_node("Mul", ["image", "gain"], ["denoised"])],
        size,
        channels,
        [numpy_helper.from_array(gain, "gain")],
    )


def means(size: int = 28) -> onnx.ModelProto:
    """Return a "reader" with two labels: one minus the mean of the picture, and the mean."""
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["right"]),
        helper.make_node("Sub", ["one", "right"], ["left"]),
        helper.make_node("Concat", ["left", "right"], ["denoised"], axis=1),
    ]
    constants = {
        "axes": np.array([1, 2, 3]),
        "column": np.array([-1, 1]),
        "one": np.ones(1, np.float32),
    }
    arrays = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return _model(nodes, size, 1, arrays, out=["N", 2])


TRAINING = {
    "architecture": "identity",
    "settings": {},
    "data": "mnist",
    "noise": [{"kind": "gaussian", "low": 0.2, "high": 0.8, "share": 1.0}],
    "fresh_noise": True,
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "schedule": "constant",
    "batch": 128,
    "epochs": 1,
    "seed": 0,
    "crop": 96,
    "epoch_batches": 500,
    "start": "",
}


def ship(folder: Path, name: str, network: onnx.ModelProto, **changes: object) -> Card:
    """Write a model folder as ``train.export.ship`` does, and return its card.

    ``changes`` are of the card or of the settings of its training.
    """
    target = folder / name
    target.mkdir(parents=True)
    (target / "model.onnx").write_bytes(network.SerializeToString())
    card = Card(
        name=name,
        title=name.title(),
        purpose="Shows what a test wants to see.",
        source="tests",
        task="denoise-digits",
        training=TRAINING | {name: changes.pop(name) for name in TRAINING if name in changes},
        size=28,
        channels=1,
        parameters=0,
        macs_per_pixel=0.0,
        sha256=sha256_of(target / "model.onnx"),
        folder=target,
    )
    card = dataclasses.replace(card, **changes)
    (target / "card.json").write_text(card.to_json())
    return card


def _model(nodes, size, channels, arrays=(), out=None) -> onnx.ModelProto:
    shape = ["N", size, size, channels]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("denoised", TensorProto.FLOAT, out or shape)],
        list(arrays),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
