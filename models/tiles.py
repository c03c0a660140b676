"""Works on a large picture tile by tile, so that memory is bounded and no seam is seen.

Neighbouring tiles overlap; across the middle of the overlap one is faded into the other, far
enough from the edges of both, where a network knows too little of the surroundings.  The picture
stays as it came: 8-bit pixels are turned into floats, and back, one tile at a time.
"""

from collections.abc import Callable
from itertools import pairwise
from math import isqrt

import numpy as np

from imaging.pixels import as_image

TILE_PIXELS = 384 * 1024  # About 50 MB of a network's inner maps; less than half a second.
OVERLAP = 96
FADE = 16

Work = Callable[[np.ndarray], np.ndarray]
Watch = Callable[[int, int], None]


def in_tiles(
    picture: np.ndarray,
    work: Work,
    watch: Watch | None = None,
    multiple: int = 1,
    tile_pixels: int = TILE_PIXELS,
    margin: int = 0,
    scale: int = 1,
    side: int = 0,
    dtype: type | None = None,
    clip: bool = True,
) -> np.ndarray:
    """Return ``work`` of the picture ``(H, W, C)``, clipped to [0, 1], in the type it came in.

    ``work`` takes ``float32 (h, w, C)``, 8-bit pixels divided by 255, and returns
    ``float32 (scale h, scale w, D)``; so the result is ``(scale H, scale W, D)``.  Tiles begin at
    multiples of ``multiple``, so that a network halves the same pixels as in the whole picture;
    where a network knows one size only, all are squares of that ``side``, which the picture must
    have.  Beyond the picture they show ``margin`` pixels of its mirror image, a multiple too, for
    work that does less well at an edge.  ``watch`` is told how many tiles of how many are done,
    before the first and after each; what it raises ends the work.  ``dtype`` is that of the result,
    8 bits or ``float32``, which keeps what leaves [0, 1] unless ``clip``.

    Raises:
        ValueError: if the picture is neither 8-bit nor float32, has no pixels, or is smaller than
            ``side``.
    """
    if picture.ndim != 3 or 0 in picture.shape:
        raise ValueError(f"expected a picture of shape (H, W, C), got {picture.shape}")
    if picture.dtype not in (np.uint8, np.float32):
        raise ValueError(f"expected 8-bit or float32 pixels, got {picture.dtype}")
    height, width = picture.shape[:2]
    if side:
        rows, columns = squares(height, side), squares(width, side)
    else:
        across, down = width + 2 * margin, height + 2 * margin
        rows = spans(height, _longest(across, multiple, tile_pixels), multiple)
        columns = spans(width, _longest(down, multiple, tile_pixels), multiple)
    done, total = 0, len(rows) * len(columns)
    watch = watch or (lambda done, total: None)
    watch(done, total)
    dtype, result = np.dtype(dtype or picture.dtype), None
    row_fades, column_fades = _fades(rows, scale), _fades(columns, scale)
    for (top, bottom), row_fade in zip(rows, row_fades, strict=True):
        strip = None
        for (left, right), column_fade in zip(columns, column_fades, strict=True):
            tile = _work_on(picture, (top, bottom), (left, right), work, margin, scale)
            tile = np.clip(tile, 0, 1) if clip else tile
            if dtype == np.uint8:
                tile = tile * 255
            if strip is None:
                strip = np.empty((len(tile), scale * width, tile.shape[2]), dtype)
            columns_of_tile = slice(scale * left, scale * right)
            _fade_in(strip[:, columns_of_tile].swapaxes(0, 1), tile.swapaxes(0, 1), column_fade)
            done += 1
            watch(done, total)
        if result is None:
            result = np.empty((scale * height, scale * width, strip.shape[2]), dtype)
        _fade_in(result[scale * top : scale * bottom], strip, row_fade)
    return result


def _work_on(
    picture: np.ndarray,
    rows: tuple[int, int],
    columns: tuple[int, int],
    work: Work,
    margin: int,
    scale: int,
) -> np.ndarray:
    """Return ``work`` of one tile, which sees a margin where it ends with the picture."""
    (top, bottom), (left, right) = rows, columns
    height, width = picture.shape[:2]
    above, before = margin * (top == 0), margin * (left == 0)
    below, behind = margin * (bottom == height), margin * (right == width)
    tile = as_image(picture[top:bottom, left:right])
    tile = work(np.pad(tile, ((above, below), (before, behind), (0, 0)), mode="reflect"))
    return tile[
        scale * above : scale * (above + bottom - top),
        scale * before : scale * (before + right - left),
    ]


def spans(length: int, longest: int, multiple: int) -> list[tuple[int, int]]:
    """Return (start, end) of overlapping stretches of about equal length that cover ``length``."""
    if length <= longest:
        return [(0, length)]
    overlap = min(OVERLAP, longest // 2)
    count = -(-(length - overlap) // (longest - overlap))
    evenly = (index * (length - overlap) // count for index in range(count))
    starts = sorted({start // multiple * multiple for start in evenly})
    ends = [start + overlap for start in starts[1:]] + [length]
    return list(zip(starts, ends, strict=True))


def squares(length: int, side: int) -> list[tuple[int, int]]:
    """Return (start, end) of stretches of this length, evenly, that overlap by half or more.

    Raises:
        ValueError: if the length is less than one of them.
    """
    if length < side:
        raise ValueError(f"expected {side} pixels or more to a side, got {length}")
    count = -(-2 * (length - side) // side) + 1
    starts = np.rint(np.linspace(0, length - side, count)).astype(int)
    return [(int(start), int(start) + side) for start in starts]


def _longest(across: int, multiple: int, tile_pixels: int) -> int:
    """How long a tile may be: longer than a square where the picture is narrow."""
    padded = -(-across // multiple) * multiple
    return tile_pixels // min(padded, isqrt(tile_pixels))


def _fades(stretches: list[tuple[int, int]], scale: int) -> list[np.ndarray]:
    """How much of each stretch is taken at each place, over what the one before it left there."""
    fades = [np.ones(scale * (stretches[0][1] - stretches[0][0]), np.float32)]
    for (_, end_before), (start, end) in pairwise(stretches):
        overlap = scale * (end_before - start)
        fade = max(1, min(scale * FADE, overlap))
        places = np.arange(scale * (end - start), dtype=np.float32)
        fades.append(np.clip((places + 0.5 - (overlap - fade) / 2) / fade, 0, 1))
    return fades


def _fade_in(there: np.ndarray, new: np.ndarray, share: np.ndarray) -> None:
    """Replace ``there`` by ``new`` along the first axis; where a share is below 1, mix them."""
    mixed = np.count_nonzero(share < 1)  # They come first.
    there[mixed:] = _as(there.dtype, new[mixed:])
    before = there[:mixed].astype(np.float32)
    there[:mixed] = _as(there.dtype, before + share[:mixed, None, None] * (new[:mixed] - before))


def _as(dtype: np.dtype, pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels) if dtype == np.uint8 else pixels
