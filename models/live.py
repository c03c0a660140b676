"""Packs a digit network for the live preview, which runs it in the visitor's browser.

``load_inside(card) -> pack -> NAME-HASH.gz -> static/live/network.js``

The packed form is: length of the plan (4 bytes, little-endian), plan (JSON, UTF-8, filled up
with spaces to a multiple of 4 bytes), then the weights.  The plan is a list of steps, which
network.js describes; batch normalisations and ReLUs are folded into the convolution before them,
and layers that do nothing once the training is over are left out.
"""

import gzip
import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.catalogue import Card
from models.inspection.arithmetic import paddings
from models.inspection.layer import Layer
from models.inspection.network import OpenedNetwork, load_inside

STATIC = Path(__file__).resolve().parents[1] / "static" / "live"

FORMAT = 1
"""Counted up whenever the packed form changes: it is part of each file's name."""

HALF_ABOVE = 200_000
"""Networks with more parameters are stored in half precision.

It moves the answer of the U-Net by 0.3 grey levels at most, of smaller networks by up to 0.95.
"""

PIXELS = 4  # that the engine makes at a time
LANES = 8
"""How many maps the kernel makes at a time."""


def packed_name(card: Card) -> str:
    """Return the name of a card's packed file: another network has another name."""
    content = f"{FORMAT} {card.sha256}"
    return f"{card.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.gz"


def write_packed(card: Card, folder: Path = STATIC) -> Path:
    """Pack the network of a card into the folder, in place of what was packed of it before.

    Raises:
        ModelError: if the network cannot be loaded.
        ValueError: if it has a layer that the browser knows no step for.
    """
    content = gzip.compress(pack_card(card), mtime=0)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / packed_name(card)
    for old in folder.glob(f"{card.name}-{'?' * 12}.gz"):
        old.unlink()
    path.write_bytes(content)
    return path


def pack_card(card: Card) -> bytes:
    """Return plan and weights of a card's network, stored as its size asks for.

    Raises:
        ModelError: if the network cannot be loaded.
        ValueError: if it has a layer that the browser knows no step for.
    """
    floats = "float16" if card.parameters > HALF_ABOVE else "float32"
    return pack(load_inside(card), floats)


def pack(network: OpenedNetwork, floats: str = "float32") -> bytes:
    """Return plan and weights of a network; ``floats`` is how its weights are stored.

    Raises:
        ValueError: if it has a layer that the browser knows no step for.
    """
    plan, weights = make_plan(network)
    header = json.dumps({"floats": floats, **plan}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    stored = weights.astype(np.dtype(floats).newbyteorder("<"))
    return struct.pack("<I", len(header)) + header + stored.tobytes()


def make_plan(network: OpenedNetwork) -> tuple[dict, np.ndarray]:
    """Return the plan as network.js reads it, and all weights in one row, as float32.

    Raises:
        ValueError: if there is a layer that the browser knows no step for.
    """
    steps: list[dict] = []
    place: dict[str, int] = {}  # The step that makes the values of each layer.
    weights = _Weights()
    for layer in network.layers.values():
        sources = [place[name] for name in layer.inputs]
        if layer.kind in ("BatchNormalization", "ReLU"):
            # Folded into the convolution, which nobody else may take the values of.
            _require_alone(network, layer)
            steps[sources[0]]["name"] = layer.name
            place[layer.name] = sources[0]
            continue
        if layer.kind in ("Dropout", "Clip"):  # The browser clips each answer itself.
            place[layer.name] = sources[0]
            continue
        step = {"name": layer.name, "op": _operation(network, layer), "from": sources}
        step["shape"] = [1] * (3 - len(layer.shape)) + list(layer.shape)
        if step["op"] == "conv":
            step |= _convolution(network, layer, weights)
        place[layer.name] = len(steps)
        steps.append(step)
    taps = [tap for step in steps for phase in step.get("phases", ()) for tap in phase["taps"]]
    return {"border": int(np.abs(taps).max(initial=0)), "steps": steps}, weights.joined()


def step_names(network: OpenedNetwork) -> set[str]:
    """Return the names of the layers whose values the plan has."""
    names: set[str] = set()
    for layer in network.layers.values():
        if layer.kind in ("BatchNormalization", "ReLU"):
            names -= set(layer.inputs)
        if layer.kind not in ("Dropout", "Clip"):
            names.add(layer.name)
    return names


class _Weights:
    """The weights of all steps, one after the other."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._size = 0

    def add(self, values: np.ndarray) -> int:
        """Return where these values begin."""
        start = self._size
        self._parts.append(values.astype(np.float32).ravel())
        self._size += values.size
        return start

    def joined(self) -> np.ndarray:
        return np.concatenate(self._parts)


OPERATIONS = {
    "InputLayer": "image",
    "Conv2D": "conv",
    "Conv2DTranspose": "conv",
    "Dense": "conv",
    "MaxPooling2D": "pool",
    "UpSampling2D": "upsample",
    "Cropping2D": "crop",
    "Concatenate": "concat",
    "Flatten": "reshape",
    "Reshape": "reshape",
}
ACTIVATIONS = ("linear", "relu", "sigmoid", "softmax")


def _operation(network: OpenedNetwork, layer: Layer) -> str:
    """Return the step for a layer, after a check that it is one of those we have."""
    inner = [network.layers[name].shape for name in layer.inputs]
    doubled = [tuple(2 * side for side in shape[:2]) for shape in inner]
    wide = _is_wide_enough(layer)
    fits = {
        "Conv2D": layer.strides == (1, 1) and wide,
        "Conv2DTranspose": layer.strides == (2, 2) and wide,
        "MaxPooling2D": layer.kernel == layer.strides == (2, 2) and _has_no_edge(network, layer),
        "UpSampling2D": doubled == [layer.shape[:2]],
        "Concatenate": len(inner) == 2,
    }.get(layer.kind, layer.kind in OPERATIONS)
    if not fits or layer.activation not in ACTIVATIONS:
        raise ValueError(
            f"the browser has steps for {', '.join(OPERATIONS)} as our networks use them, "
            f"got {layer}"
        )
    return OPERATIONS[layer.kind]


def _is_wide_enough(layer: Layer) -> bool:
    """Whether a convolution makes rows of pixels, or of one pixel alone, as a dense layer is.

    The engine makes four pixels of a row at once (static/live/network.js).
    """
    columns = layer.shape[1] // layer.strides[1] if len(layer.shape) == 3 else 1
    return columns == 1 or columns >= PIXELS


def _has_no_edge(network: OpenedNetwork, layer: Layer) -> bool:
    """Whether nothing below zero is pooled with the zeros beyond the edge."""
    source = network.layers[layer.inputs[0]]
    even = all(side % 2 == 0 for side in source.shape[:2])
    return even or source.kind == "ReLU" or source.activation in ("relu", "sigmoid")


def _convolution(network: OpenedNetwork, layer: Layer, weights: _Weights) -> dict:
    """Return what a convolution or a dense layer adds to its step, its weights put away."""
    own = network.weights(layer.name)
    kernel = own["kernel"]
    if layer.kind == "Dense":
        kernel = kernel[np.newaxis, np.newaxis]
    if layer.kind == "Conv2DTranspose":
        kernel = kernel.swapaxes(2, 3)  # Keras has (H, W, out, in) here.
    bias = own.get("bias", np.zeros(kernel.shape[3], np.float32))
    activation = layer.activation
    for follower in _folded(network, layer):
        if follower.kind == "BatchNormalization":
            fold = network.weights(follower.name)
            kernel, bias = kernel * fold["scale"], bias * fold["scale"] + fold["shift"]
        else:
            activation = "relu"
    stride = layer.strides[0]
    sides = network.layers[layer.inputs[0]].shape[:2]
    phases = []
    for place in np.ndindex(stride, stride):
        taps = _taps(layer, sides, kernel.shape[:2], place)
        chosen = np.stack([kernel[window] for window, _ in taps])
        phases.append(
            {
                "at": list(place),
                "taps": [list(offset) for _, offset in taps],
                "weights": weights.add(_in_lanes(chosen)),
                "bias": weights.add(_filled(bias)),
            }
        )
    return {
        "inputs": kernel.shape[2],
        "stride": stride,
        "activation": activation,
        "phases": phases,
    }


def _taps(
    layer: Layer, sides: Sequence[int], size: tuple[int, int], phase: tuple[int, int]
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the places of the window that an output of this phase sees, and what lies there.

    That is the distance, in rows and columns, from the input pixel which belongs to the output.
    """
    if layer.kind == "Dense":
        return [((0, 0), (0, 0))]
    if layer.kind == "Conv2D":
        before = [first for first, _ in paddings(sides, size, layer.strides, layer.padding)]
        return [
            (window, tuple(np.subtract(window, before).tolist())) for window in np.ndindex(*size)
        ]
    # Transposed: input p is spread over the outputs p * stride - before + window.
    stride = layer.strides[0]
    before = [max(side - stride, 0) // 2 if layer.padding == "same" else 0 for side in size]
    distances = {window: np.add(phase, before) - window for window in np.ndindex(*size)}
    return [
        (window, tuple((distance // stride).tolist()))
        for window, distance in distances.items()
        if not (distance % stride).any()
    ]


def _folded(network: OpenedNetwork, layer: Layer) -> list[Layer]:
    """Return the batch normalisation and the ReLU that follow a layer, as far as there are any."""
    following = []
    follower = network.follower(layer.name)
    while follower is not None and follower.kind in ("BatchNormalization", "ReLU"):
        following.append(follower)
        follower = network.follower(follower.name)
        if following[-1].kind == "ReLU":
            break
    return following


def _require_alone(network: OpenedNetwork, layer: Layer) -> None:
    (source,) = layer.inputs
    kinds = ("Conv2D", "Conv2DTranspose", "Dense", "BatchNormalization")
    if network.follower(source) != layer or network.layers[source].kind not in kinds:
        raise ValueError(
            f"{layer.kind} must follow a convolution that nothing else follows, got {layer}"
        )


def _in_lanes(kernel: np.ndarray) -> np.ndarray:
    """Order ``(taps, inputs, outputs)`` as the kernel reads it: eight outputs after eight."""
    taps, inputs, _ = kernel.shape
    return _filled(kernel).reshape(taps, inputs, -1, LANES).transpose(2, 0, 1, 3)


def _filled(values: np.ndarray) -> np.ndarray:
    """Fill the last axis up with zeros to whole lanes."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % LANES)])
