"""Images with transparency: what of them is seen, and how it looks on a checkerboard.

Pixels are ``uint8 (H, W, C)``; ``alpha`` is how opaque they are, ``uint8 (H, W)``, None for wholly.
"""

import numpy as np
from scipy import ndimage

from imaging.pixels import strips

_CELL = 8
_SQUARE, _LIGHT, _DARK = 8, 255, 204


def on_checkerboard(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return uint8 ``(H, W, C)`` as it looks on a checkerboard; as it is without ``alpha``."""
    if alpha is None:
        return pixels
    shown = np.empty_like(pixels)
    across = np.arange(pixels.shape[1]) // _SQUARE
    for rows in strips(*pixels.shape[:2]):
        down = np.arange(rows.start, rows.stop) // _SQUARE
        ground = np.where((down[:, np.newaxis] + across) % 2, _DARK, _LIGHT)[..., np.newaxis]
        share = alpha[rows, :, np.newaxis].astype(np.float32) / 255
        shown[rows] = np.rint(pixels[rows] * share + ground * (1 - share))
    return shown


def on_ground(pixels: np.ndarray, alpha: np.ndarray, ground: int) -> np.ndarray:
    """Return uint8 pixels as they look on a ground of one grey."""
    share = alpha[..., np.newaxis].astype(np.float32) / 255
    return np.rint(pixels * share + ground * (1 - share)).astype(np.uint8)


def on_paper(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return a drawing as ink on paper: on white, or on black where the ink is light."""
    return pixels if alpha is None else on_ground(pixels, alpha, paper(pixels, alpha))


def paper(pixels: np.ndarray, alpha: np.ndarray) -> int:
    """Return the grey of the paper on which ``on_paper`` lays a drawing, 255 or 0."""
    seen = np.average(pixels.mean(axis=2), weights=alpha) if alpha.any() else 0
    return 255 if seen < 128 else 0


def off_ground(shown: np.ndarray, alpha: np.ndarray, ground: int, reach: int = 0) -> np.ndarray:
    """Return the uint8 pixels that look like ``shown`` on a ground of one grey.

    What is not seen there at all stays as it is shown.  Up to ``reach`` pixels beside what is
    wholly opaque, colours stay within those there: else what is sharper than its opacity would get
    a rim.
    """
    pixels = shown.copy()
    opaque, window = (alpha == 255)[..., np.newaxis], (2 * reach + 1, 2 * reach + 1, 1)
    lowest = ndimage.minimum_filter(np.where(opaque, shown, np.uint8(255)), window)
    highest = ndimage.maximum_filter(np.where(opaque, shown, np.uint8(0)), window)
    nowhere = lowest > highest
    lowest[nowhere], highest[nowhere] = 0, 255
    for rows in strips(*shown.shape[:2]):
        share = alpha[rows, :, np.newaxis].astype(np.float32) / 255
        own = ground + (shown[rows].astype(np.float32) - ground) / np.maximum(share, 1 / 255)
        own = np.clip(np.rint(own), lowest[rows], highest[rows])
        pixels[rows] = np.where(share > 0, own, shown[rows])
    return pixels


def visible_part(alpha: np.ndarray | None) -> tuple[slice, slice]:
    """Return a large rectangle in which nothing is hidden; all of it where there is none.

    Sides are multiples of 8 pixels: what is measured in it is measured on the image alone.
    """
    everything = np.s_[:, :]
    if alpha is None or (alpha > 0).all():
        return everything
    height, width = (side // _CELL for side in alpha.shape)
    cells = alpha[: height * _CELL, : width * _CELL] > 0
    cells = cells.reshape(height, _CELL, width, _CELL).all(axis=(1, 3))
    best, place = 0, everything
    heights = np.zeros(width, int)
    for row in range(height):
        heights = np.where(cells[row], heights + 1, 0)
        for left, right, tall in _rectangles(heights.tolist()):
            if (right - left) * tall > best:
                best = (right - left) * tall
                down = slice((row + 1 - tall) * _CELL, (row + 1) * _CELL)
                place = down, slice(left * _CELL, right * _CELL)
    return place


def _rectangles(heights: list[int]):
    """Each (left, right, height) that cannot be made wider, below a row of columns."""
    open_ones: list[tuple[int, int]] = []
    for column, tall in enumerate([*heights, 0]):
        left = column
        while open_ones and open_ones[-1][1] >= tall:
            left, height = open_ones.pop()
            yield left, column, height
        open_ones.append((left, tall))
