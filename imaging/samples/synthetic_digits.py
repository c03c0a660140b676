"""Drawn digits: as many as one likes, drawn by the program, where none can be downloaded.

Each is one of the digits of ``imaging.samples.strokes`` in its own hand: slant, turn, proportions,
thickness of the pen and a wobble of every point are random.  It is then fitted as MNIST was.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from imaging.digit_fit import SIDE, fit_drawing
from imaging.samples.strokes import outline

CANVAS = 4 * SIDE  # pixels; the fitting shrinks it, which makes the edges smooth
TURN = np.deg2rad(9)
SLANT = (-0.12, 0.32)  # Most writers lean to the right.
STRETCH = (0.8, 1.2)
WOBBLE = 0.025  # of the canvas, the standard deviation of each point
PEN = (0.06, 0.13)  # of the canvas
STEPS = 5  # straight pieces to a curve


def draw_digits(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return ``count`` pictures, ``uint8 (N, 28, 28, 1)``, and the digits that they show.

    The same seed draws the same digits, and a larger count begins with those of a smaller one.
    """
    rng = np.random.default_rng(seed)
    pictures = np.empty((count, SIDE, SIDE, 1), np.uint8)
    labels = np.empty(count, np.uint8)
    for index in range(count):
        labels[index] = rng.integers(10)
        pictures[index] = np.rint(255 * draw_digit(str(labels[index]), rng))
    return pictures, labels


def draw_digit(digit: str, rng: np.random.Generator) -> np.ndarray:
    """Return one digit in a random hand, ``(28, 28, 1)`` float32 in [0, 1].

    Raises:
        ValueError: if there are no strokes of this name.
    """
    turn, slant = rng.uniform(-TURN, TURN), rng.uniform(*SLANT)
    width, height = rng.uniform(*STRETCH, 2)
    cosine, sine = np.cos(turn), np.sin(turn)
    hand = np.array([[cosine, -sine], [sine, cosine]]) @ [[width, -slant], [0, height]]
    pen = round(rng.uniform(*PEN) * CANVAS)

    image = Image.new("L", (CANVAS, CANVAS))
    pencil = ImageDraw.Draw(image)
    for chain in _outline(digit):
        curves = (_wobble(chain, rng) - CANVAS / 2) @ hand.T + CANVAS / 2
        line = _points(curves)
        pencil.line(line.ravel().tolist(), fill=255, width=pen)
        for left, top, right, bottom in np.hstack([line - pen / 2, line + pen / 2]).tolist():
            pencil.ellipse((left, top, right, bottom), fill=255)  # Lines alone leave notches.
    return fit_drawing(np.asarray(image)[..., np.newaxis])


@lru_cache
def _outline(digit: str) -> list[np.ndarray]:
    return outline(digit, CANVAS)


def _wobble(chain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move each point of the chain a little, and its two handles with it."""
    moves = rng.normal(0, WOBBLE * CANVAS, (len(chain) // 3 + 1, 2))
    if np.array_equal(chain[0], chain[-1]):
        moves[-1] = moves[0]  # A closed stroke stays closed.
    return chain + moves[(np.arange(len(chain)) + 1) // 3]


_T = np.linspace(0, 1, STEPS + 1)[1:, np.newaxis]
# The weights of a cubic Bezier curve's four points.
_BEZIER = np.hstack([(1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T**2 * (1 - _T), _T**3])


def _points(chain: np.ndarray) -> np.ndarray:
    """Points along all curves of a chain."""
    curves = np.stack([chain[start : start + 4] for start in range(0, len(chain) - 1, 3)])
    return np.vstack([chain[:1], (_BEZIER @ curves).reshape(-1, 2)])
