"""Digits: bring a drawing into the form in which MNIST keeps its digits.

A network trained on MNIST knows digits of one size, at one place, with full contrast.  A drawing
that is only shrunk to 28x28 is none of these, and then the network fails through no fault of its
own.
"""

import numpy as np
from PIL import Image

SIDE = 28
BOX = 20
# All 60,000 training digits have their centre of mass within half a pixel of row and column 14.
CENTRE = 14
# A dot stays a dot: shrinking the whole canvas to 28 pixels may be exceeded this many times.
LARGEST_MAGNIFICATION = 4
# Ink below this share of the brightest stroke does not count when the drawing is measured.
FAINTEST_INK = 0.04


def fit_drawing(drawing: np.ndarray) -> np.ndarray:
    """Return the drawing as an MNIST digit, ``(28, 28, 1)`` float32, the brightest stroke at 1.

    ``drawing`` is ``(H, W, C)`` in any size, white strokes on black; channels are averaged.  Its
    bounding box is scaled by pixel areas until the longer side has 20 pixels, and moved by whole
    pixels until its centre of mass is in the middle, as far as nothing is cut off.  A drawing much
    smaller than the canvas is enlarged less: a dot becomes no disc.

    Raises:
        ValueError: if nothing is drawn.

    Source:
        LeCun et al., The MNIST database of handwritten digits,
        http://yann.lecun.com/exdb/mnist/: "size normalized to fit in a 20x20 pixel box [...]
        centered in a 28x28 image by computing the center of mass".
    """
    ink = np.mean(drawing, axis=-1, dtype=np.float64)
    if ink.size == 0 or ink.max() <= 0:
        raise ValueError("The canvas is empty: draw a digit first.")
    ink = np.clip(ink / ink.max(), 0, 1)
    glyph = _scale(_cut_out(ink), LARGEST_MAGNIFICATION * SIDE / max(ink.shape))
    top, left = (
        np.clip(round(CENTRE - mean), 0, SIDE - length)
        for mean, length in zip(centre_of_mass(glyph), glyph.shape, strict=True)
    )
    fitted = np.zeros((SIDE, SIDE, 1), np.float32)
    fitted[top : top + glyph.shape[0], left : left + glyph.shape[1], 0] = glyph
    return fitted


def canvas_to_grey(rgba: np.ndarray) -> np.ndarray:
    """Return a drawing canvas, ``(H, W, 4)`` uint8, as grey float32 ``(H, W, 1)`` on black.

    Source:
        Luma of ITU-R BT.601; what is transparent is black.
    """
    rgba = np.asarray(rgba, np.float32) / 255
    luma = rgba[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    return (luma * rgba[..., 3])[..., np.newaxis]


def centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Return mean row and mean column of the ink of ``(H, W)``, the first pixel counting 0."""
    total = ink.sum()
    rows, columns = np.arange(ink.shape[0]), np.arange(ink.shape[1])
    return float(ink.sum(1) @ rows / total), float(ink.sum(0) @ columns / total)


def _cut_out(ink: np.ndarray) -> np.ndarray:
    """The smallest rectangle with all ink in it."""
    rows = np.flatnonzero((ink > FAINTEST_INK).any(axis=1))
    columns = np.flatnonzero((ink > FAINTEST_INK).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale(glyph: np.ndarray, largest: float) -> np.ndarray:
    """The glyph with its longer side at 20 pixels, enlarged ``largest`` times at most."""
    scale = min(BOX / max(glyph.shape), largest)
    height, width = (max(1, round(length * scale)) for length in glyph.shape)
    scaled = Image.fromarray(glyph.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    ink = np.asarray(scaled)
    return np.clip(ink / ink.max(), 0, 1)
