"""Draws regions over a picture: filled with a colour, with a line around them."""

from collections.abc import Sequence

import numpy as np

from imaging.pixels import strips, to_8_bits
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
    # What each value becomes: as it is, or mixed with one of the colours.
    values = np.arange(256)[:, np.newaxis]
    mixed = np.rint(values * (1 - strength) + colours[:, np.newaxis].astype(float) * strength)
    table = np.stack([np.broadcast_to(values, (256, 3)), *mixed]).astype(np.uint8)
    line = outlines(numbers + 1) if contour else None
    result = np.empty_like(shown)
    for rows in strips(*numbers.shape):
        chosen = numbers[rows] % len(colours)
        kind = np.where(numbers[rows] >= 0, chosen + 1, 0)
        result[rows] = table[kind[..., np.newaxis], shown[rows], np.arange(3)]
        if line is not None:
            result[rows][line[rows]] = colours[chosen[line[rows]]]
    return result


def without_void(classes: np.ndarray, count: int) -> np.ndarray:
    """Return class numbers ``(H, W)`` with -1 where a truth has none of the ``count`` classes."""
    return np.where(classes < count, classes, -1)


def table_of(colours: Sequence[str]) -> np.ndarray:
    """Return hexadecimal colours as ``float32 (K, 3)`` from 0 to 255."""
    return np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], np.float32)
