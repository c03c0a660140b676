"""One window of a network worked out in numbers: what a single value is made of.

Every number that a screen shows comes from here, and tests compare the last one with the value
that onnxruntime has at the same place.
"""

from dataclasses import dataclass

import numpy as np

from models.inspection.arithmetic import convolve, paddings, windows_of
from models.inspection.layer import Layer
from models.inspection.network import OpenedNetwork

LARGEST = 7  # The side of the largest window that is shown.
CONVOLUTION, POOLING = "Conv2D", "MaxPooling2D"
ACTIVATIONS = {
    "linear": lambda value: value,
    "relu": lambda value: np.maximum(value, 0.0),
    "sigmoid": lambda value: 1 / (1 + np.exp(-value)),
}


@dataclass(frozen=True)
class Place:
    """A value in the maps of a layer: row, column and map, counted from 0."""

    layer: str
    row: int
    column: int
    filter: int


@dataclass(frozen=True)
class Convolution:
    """How a convolution comes to the value at one place.

    ``patch``, ``kernel`` and ``products`` are ``(H, W, C)``: a map of the layer before for each C.
    ``top`` and ``left`` are where the patch begins in those maps, below 0 where it sticks out.
    ``scale`` and ``shift`` are those of a batch normalisation behind it, None without one.
    ``end`` is the layer whose map holds ``value``: that of the activation.
    """

    patch: np.ndarray
    kernel: np.ndarray
    top: int
    left: int
    bias: float
    scale: float | None
    shift: float | None
    activation: str
    end: str

    @property
    def products(self) -> np.ndarray:
        """Each value of the patch times that of the kernel, ``(H, W, C)``."""
        return self.patch * self.kernel

    @property
    def sums(self) -> np.ndarray:
        """The sum of the products for each map that comes in, ``(C,)``."""
        return self.products.sum(axis=(0, 1))

    @property
    def total(self) -> float:
        """The sum of all products and the bias."""
        return float(self.sums.sum()) + self.bias

    @property
    def normalised(self) -> float:
        """The total after the batch normalisation, if there is one."""
        return self.total if self.scale is None else self.total * self.scale + self.shift

    @property
    def value(self) -> float:
        """What comes out in the end."""
        return float(ACTIVATIONS[self.activation](self.normalised))


@dataclass(frozen=True)
class Pooling:
    """How a max pooling comes to the value at one place; beyond the edge there is no value, NaN."""

    patch: np.ndarray
    top: int
    left: int

    @property
    def value(self) -> float:
        """The largest value of the patch."""
        return float(np.nanmax(self.patch))


def convolution_layers(network: OpenedNetwork) -> list[str]:
    """Return the convolutions that can be worked out at a window."""
    return [
        layer.name
        for layer in network.layers.values()
        if layer.kind == CONVOLUTION
        and _activation(network, layer.name)[1] in ACTIVATIONS
        and _fits(network, layer)
    ]


def pooling_layers(network: OpenedNetwork) -> list[str]:
    """Return the max poolings that can be worked out at a window."""
    return [
        layer.name
        for layer in network.layers.values()
        if layer.kind == POOLING and _fits(network, layer)
    ]


def convolution_at(network: OpenedNetwork, picture: np.ndarray, place: Place) -> Convolution:
    """Work out the value that a convolution has at a place for one picture ``(H, W, 1)``."""
    kernel = network.weights(place.layer)["kernel"][..., place.filter]
    patch, top, left = _patch(network, picture, place, 0.0)
    return Convolution(
        patch.astype(np.float64),
        kernel.astype(np.float64),
        top,
        left,
        *_bias_and_norm(network, place),
        *reversed(_activation(network, place.layer)),
    )


def moved_convolution(
    network: OpenedNetwork, before: np.ndarray, place: Place, strides: tuple[int, int], padding: str
) -> np.ndarray:
    """Return the map ``(H, W)`` that a filter makes of the maps ``before`` it ``(1, H, W, C)``.

    Its kernel, bias, norm and activation are those of the network; ``strides`` and ``padding``
    may be others than there.
    """
    kernel = network.weights(place.layer)["kernel"][..., place.filter : place.filter + 1]
    total = convolve(before, kernel, None, strides, padding)[0, ..., 0]
    bias, scale, shift = _bias_and_norm(network, place)
    total = total + bias
    if scale is not None:
        total = total * scale + shift
    return ACTIVATIONS[_activation(network, place.layer)[1]](total).astype(np.float32)


def pooling_at(network: OpenedNetwork, picture: np.ndarray, place: Place) -> Pooling:
    """Work out the value that a max pooling has at a place for one picture ``(H, W, 1)``."""
    patch, top, left = _patch(network, picture, place, np.nan)
    return Pooling(patch[..., place.filter].astype(np.float64), top, left)


def _fits(network: OpenedNetwork, layer: Layer) -> bool:
    """Whether the window is small enough to be shown, and fits into the maps of one layer."""
    if len(layer.inputs) != 1 or not network.layers[layer.inputs[0]].has_maps:
        return False
    sides = network.layers[layer.inputs[0]].shape[:2]
    return all(
        window <= min(side, LARGEST) for window, side in zip(layer.kernel, sides, strict=True)
    )


def _patch(
    network: OpenedNetwork, picture: np.ndarray, place: Place, beyond: float
) -> tuple[np.ndarray, int, int]:
    """What the layer sees ``(H, W, C)`` of the maps before it, and where that begins."""
    layer = network.layers[place.layer]
    (source,) = layer.inputs
    maps = network.feature_maps(picture[np.newaxis], [source])[source]
    windows = windows_of(maps, layer.kernel, layer.strides, layer.padding, beyond)
    patch = windows[0, place.row, place.column].transpose(1, 2, 0)
    (above, _), (before, _) = paddings(maps.shape[1:3], layer.kernel, layer.strides, layer.padding)
    return patch, place.row * layer.strides[0] - above, place.column * layer.strides[1] - before


def _bias_and_norm(
    network: OpenedNetwork, place: Place
) -> tuple[float, float | None, float | None]:
    """The bias of a filter, and scale and shift of the batch normalisation behind it, if any."""
    bias = network.weights(place.layer).get("bias")
    norm = network.follower(place.layer)
    scale = shift = None
    if norm is not None and norm.kind == "BatchNormalization":
        both = network.weights(norm.name)
        scale, shift = (float(both[part][place.filter]) for part in ("scale", "shift"))
    return 0.0 if bias is None else float(bias[place.filter]), scale, shift


def _activation(network: OpenedNetwork, name: str) -> tuple[str, str]:
    """The layer that ends a convolution, and its activation: its own or that of a ReLU layer."""
    layer = network.layers[name]
    following = network.follower(name)
    while following is not None and following.kind in ("BatchNormalization", "ReLU"):
        layer, following = following, network.follower(following.name)
    return layer.name, "relu" if layer.kind == "ReLU" else layer.activation
