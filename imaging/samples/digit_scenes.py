"""Scenes with several digits: scattered over a piece of a photo, or each in a colour of its own.

They are made of digits ``uint8 (N, 28, 28, 1)``, white on black, with their labels ``(N,)``.  The
same seed makes the same scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imaging.cielab import lab_to_rgb
from imaging.pixels import to_image, to_pixels

NOTHING = 10  # where there is no digit
SIZES = (26, 44)  # pixels to a side of a digit with the black around it
INK = 0.4  # A pixel with as much of it belongs to the digit.
TRIES = 12  # places that are tried for each digit
CONTRAST = 0.35  # At least, between a digit and what is behind it.
CHROMA = 45.0  # How far the colours of digits are from grey, in units of Lab.


@dataclass(frozen=True)
class Placed:
    """A digit in a scene: its ink, ``float32 (h, w, 1)`` in [0, 1], and which pixels it covers."""

    digit: int
    ink: np.ndarray
    place: tuple[slice, slice]


def scatter(
    pictures: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> list[Placed]:
    """Return the digits in random sizes at random places of a scene, those that find room.

    No two touch.
    """
    taken, placed = np.zeros(size, bool), []
    for picture, digit in zip(pictures, labels, strict=True):
        side = int(rng.integers(SIZES[0], SIZES[1] + 1))
        shape = (round(side * rng.uniform(0.9, 1.1)), side)
        ink = _resized(picture, shape)
        for _ in range(TRIES):
            top, left = (
                rng.integers(whole - part + 1) for whole, part in zip(size, shape, strict=True)
            )
            place = np.s_[top : top + shape[0], left : left + shape[1]]
            if not (taken[place] & (ink[..., 0] > 0)).any():
                taken[place] |= ink[..., 0] > 0
                placed.append(Placed(int(digit), ink, place))
                break
    return placed


def on_photo(placed: Sequence[Placed], photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo ``uint8 (H, W, 3)`` with the digits on it, each in an ink of its own."""
    scene = to_image(photo)
    for each in placed:
        behind = scene[each.place]
        grey = float(behind[each.ink[..., 0] > INK].mean())
        # Light ink on what is dark, dark ink on what is light.
        room = (grey + CONTRAST, 1.0) if grey < 0.5 else (0.0, grey - CONTRAST)
        ink = np.clip(rng.uniform(*room) + rng.uniform(-0.15, 0.15, 3), 0, 1).astype(np.float32)
        scene[each.place] = behind + each.ink * (ink - behind)
    return to_pixels(scene)


def in_colours(
    placed: Sequence[Placed], size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return the digits on dark grey, ``uint8 (*size, 3)``: their hue says which digit it is.

    How light each is says nothing.
    """
    scene = np.full((*size, 3), rng.uniform(0.04, 0.2), np.float32)
    for each in placed:
        angle = 2 * np.pi * each.digit / 10
        a, b = CHROMA * np.cos(angle), CHROMA * np.sin(angle)
        colour = lab_to_rgb(np.array([rng.uniform(55, 80), a, b]))
        behind = scene[each.place]
        scene[each.place] = behind + each.ink * (colour - behind)
    return to_pixels(scene)


def classes_of(placed: Sequence[Placed], size: tuple[int, int]) -> np.ndarray:
    """Return for each pixel of a scene the digit that is there, ``int32 size``, or NOTHING."""
    classes = np.full(size, NOTHING, np.int32)
    for each in placed:
        classes[each.place][each.ink[..., 0] > INK] = each.digit
    return classes


def _resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    larger = Image.fromarray(picture[..., 0]).resize(shape[::-1], Image.Resampling.BILINEAR)
    return to_image(np.asarray(larger))[..., np.newaxis]
