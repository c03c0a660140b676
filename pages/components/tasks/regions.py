"""Draws regions over a picture: filled with a colour, with a line around them."""

from collections.abc import Sequence

import numpy as np

from imaging.pixels import to_8_bits
from imaging.segmentation import outlines

# Told apart by the colour-blind (Okabe and Ito, 2008), without black and white.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


def as_shown(picture: np.ndarray) -> np.ndarray:
    """Return a picture as ``uint8 (H, W, 3)``; a very dark one is made lighter."""
    pixels = to_8_bits(picture) if picture.dtype != np.float32 else np.rint(picture * 255)
    brightest = float(np.percentile(pixels[::4, ::4], 99.8))
    if 0 < brightest < 140:
        pixels = np.clip(pixels.astype(np.float32) * (235 / brightest), 0, 255)
    return np.broadcast_to(pixels.astype(np.uint8), (*pixels.shape[:2], 3))


def overlay(
    shown: np.ndarray, numbers: np.ndarray, colours: np.ndarray, strength: float, contour: bool
) -> np.ndarray:
    """Return the picture ``uint8 (H, W, 3)`` with regions in their colours.

    ``numbers (H, W)`` choose a row of ``colours (K, 3)``, which repeat; negative ones stay clear.
    At ``strength`` 1 the colour hides the picture.
    """
    chosen = colours[numbers % len(colours)]
    marked = numbers >= 0
    result = shown.copy()
    mixed = shown[marked] * (1 - strength) + chosen[marked] * strength
    result[marked] = np.rint(mixed)
    if contour:
        line = outlines(numbers + 1)
        result[line] = chosen[line]
    return result


def without_void(classes: np.ndarray, count: int) -> np.ndarray:
    """Return class numbers ``(H, W)`` with -1 where a truth has none of the ``count`` classes."""
    return np.where(classes < count, classes, -1)


def table_of(colours: Sequence[str]) -> np.ndarray:
    """Return hexadecimal colours as ``float32 (K, 3)`` from 0 to 255."""
    return np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], np.float32)
