"""Random crops for training: a picture and what belongs to its pixels, moved alike.

Pictures are ``uint8 (H, W, C)``, with 1 or 3 channels; labels are whole numbers ``(H, W)``, one a
pixel, which are never mixed.  Beyond its edges a picture continues as its mirror image.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Moves:
    """How far a crop may differ from the picture it is cut from.

    ``smallest`` and ``largest`` are factors of the size, ``turn`` is in degrees to either side;
    ``stretch`` is the largest ratio between the factors of the two sides.  ``upright`` pictures
    are mirrored sideways only, others also turned by quarters.
    """

    smallest: float = 1.0
    largest: float = 1.0
    turn: float = 0.0
    stretch: float = 1.0
    upright: bool = False


def random_crop(
    picture: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    moves: Moves,
    rng: np.random.Generator,
    beyond: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop ``uint8 (*size, C)`` and its labels ``int32 size``.

    The middle of the crop lies anywhere in the picture from which it reaches as little beyond the
    edges as it can.  Labels beyond the edges are mirrored too, or ``beyond`` where that is given.
    """
    matrix = _matrix(moves, rng)
    half = np.array([size[1], size[0]]) / 2  # x before y, as Pillow has it.
    reach = np.abs(matrix) @ half
    sides = np.array([picture.shape[1], picture.shape[0]])
    room = np.floor(sides - 2 * reach)
    # By whole pixels, so that a crop that is not moved otherwise shows the pixels as they are.
    middle = reach + np.where(room > 0, np.floor(rng.random(2) * (room + 1)), room // 2)
    start = np.floor(middle - reach).astype(int) - 1
    end = np.ceil(middle + reach).astype(int) + 1
    columns, rows = (np.arange(a, b) for a, b in zip(start, end, strict=True))
    patch = _mirrored(picture, rows, columns)
    marks = _mirrored(labels, rows, columns).astype(np.int32)
    if beyond is not None:
        marks[(rows < 0) | (rows >= sides[1])] = beyond
        marks[:, (columns < 0) | (columns >= sides[0])] = beyond
    offset = middle - start - matrix @ half
    affine = (*matrix[0], offset[0], *matrix[1], offset[1])
    moved = Image.fromarray(patch[..., 0] if patch.shape[2] == 1 else patch).transform(
        size[::-1], Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    numbered = Image.fromarray(marks).transform(
        size[::-1], Image.Transform.AFFINE, affine, Image.Resampling.NEAREST
    )
    return np.asarray(moved).reshape(*size, -1), np.asarray(numbered)


def jitter(
    crop: np.ndarray, strength: float, rng: np.random.Generator, noise: float = 0.0
) -> np.ndarray:
    """Return the crop as ``float32`` in [0, 1] with other brightness, contrast and colours.

    ``strength`` is the largest change of each, as a share of the full range; ``noise`` the largest
    standard deviation of the Gaussian noise that is added.
    """
    contrast, light, curve = strength * rng.uniform(-1, 1, 3)
    tint = 1 + strength / 2 * rng.uniform(-1, 1, crop.shape[-1])
    # A table of 256 values a channel is quicker than arithmetic on each pixel.
    values = (np.arange(256) / 255) ** 2**curve
    values = (values - 0.5) * (1 + contrast) + 0.5 + light / 2
    table = np.clip(values[:, None] * tint, 0, 1).astype(np.float32)
    moved = np.stack([table[crop[..., c], c] for c in range(crop.shape[-1])], axis=-1)
    if noise:
        level = np.float32(noise * rng.random())
        moved += level * rng.standard_normal(moved.shape, np.float32)
        np.clip(moved, 0, 1, out=moved)
    return moved


def _matrix(moves: Moves, rng: np.random.Generator) -> np.ndarray:
    """The matrix from places of the crop to places of the picture."""
    size = np.exp(rng.uniform(np.log(moves.smallest), np.log(moves.largest)))
    stretch = np.exp(rng.uniform(-1, 1) * np.log(moves.stretch) / 2)
    angle = np.deg2rad(rng.uniform(-moves.turn, moves.turn))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turned @ np.diag([1 / (size * stretch), stretch / size])
    if rng.random() < 0.5:
        matrix = matrix @ np.diag([-1.0, 1.0])
    if not moves.upright:
        for _ in range(rng.integers(4)):
            matrix = matrix @ np.array([[0.0, -1.0], [1.0, 0.0]])
    return matrix


def _mirrored(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    if rows[0] >= 0 and columns[0] >= 0 and rows[-1] < height and columns[-1] < width:
        return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return values[_reflect(rows, height)[:, None], _reflect(columns, width)]


def _reflect(places: np.ndarray, length: int) -> np.ndarray:
    """Fold places beyond the ends back inside, the outermost pixel not being repeated."""
    if length == 1:
        return np.zeros_like(places)
    period = 2 * (length - 1)
    folded = np.abs(places) % period
    return np.where(folded < length, folded, period - folded)
