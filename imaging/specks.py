"""Specks: single pixels far from all around them, bright ones and dark ones everywhere.

Salt-and-pepper noise that was saved as a JPEG, or made smaller, is no longer white and black, and
what reads the level of other noise passes over it.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from imaging.impulses import pairs_at, spread_windows
from imaging.pixels import as_image

# How far a speck lies above or below each of its neighbours.
_APART = 0.2
# A picture has them if so many of its pixels are specks, and in squares of this side that are
# neither dark nor light, where both kinds would be seen, there are both: in so many of those that
# would have them if specks lay at random.  Of many specks, fewer do: no photo has so many.
_LEAST_SHARE, _SQUARE, _MID_TONES = 0.004, 32, (0.3, 0.7)
_IN_NEARLY_ALL, _MANY, _IN_MOST = 0.92, 0.02, 0.85
# With fewer squares of mid-tones than this, or than this share of all, nothing is known.
_FEWEST, _LEAST_MID_TONES = 8, 0.1
# In weaves, and in dithering that was made smaller, there are more pairs of them than at random at
# some step up to this far, by this many standard deviations, and this many times as many.
_FARTHEST, _MORE, _TIMES = 6, 4, 1.4
_WINDOWS = 4  # a side, of a large picture


def speck_level(picture: np.ndarray) -> float:
    """Return the level of the error that specks make in ``(H, W, C)``, 0 where there are none.

    ``picture`` is of 8 or 16 bits or floating point in [0, 1]; the level is a root mean square in
    units of the full range.
    """
    windows = [as_image(each).mean(axis=2) for each in spread_windows(picture, _WINDOWS)]
    bright, dark = (np.stack(each) for each in zip(*map(_specks, windows), strict=True))
    share = np.mean(bright | dark)
    if share < _LEAST_SHARE:
        return 0.0
    tones = _in_squares(windows)
    mid = (tones > _MID_TONES[0]) & (tones < _MID_TONES[1])
    if np.count_nonzero(mid) < max(_FEWEST, _LEAST_MID_TONES * mid.size):
        return 0.0
    # Stars, glints and hot pixels are bright alone; dots of a print are dark where it is light.
    kinds = np.stack([_in_squares(each)[mid] for each in (bright, dark)])
    expected = np.prod(1 - np.exp(-(_SQUARE**2) * kinds.mean(axis=1)))
    least = expected * (_IN_MOST if share > _MANY else _IN_NEARLY_ALL)
    if not np.mean(kinds.min(axis=0) > 0) >= least > 0 or _are_regular(bright | dark):
        return 0.0
    away = [grey - ndimage.median_filter(grey, 5, mode="mirror") for grey in windows]
    squares = _in_squares([np.square(each) * (np.abs(each) > _APART) for each in away])
    return float(np.sqrt(np.median(squares[mid])))  # Not that of squares with text.


def _specks(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where ``(H, W)`` a pixel is far brighter than each of its neighbours, and far darker."""
    padded = np.pad(grey, 1, mode="reflect")
    highest, lowest = np.full_like(grey, -np.inf), np.full_like(grey, np.inf)
    height, width = grey.shape
    for down, across in np.ndindex(3, 3):
        if (down, across) != (1, 1):
            beside = padded[down : down + height, across : across + width]
            np.maximum(highest, beside, out=highest)
            np.minimum(lowest, beside, out=lowest)
    return grey - highest > _APART, lowest - grey > _APART


def _are_regular(specks: np.ndarray) -> bool:
    """Whether specks ``(N, H, W)`` keep to distances; next to each other none are."""
    steps = [
        (down, across)
        for down in range(_FARTHEST + 1)
        for across in range(-_FARTHEST, _FARTHEST + 1)
        if (down, across) > (0, 0) and max(down, abs(across)) > 1
    ]
    return any(more > _MORE and times > _TIMES for more, times in pairs_at(specks, steps))


def _in_squares(values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The mean of ``(N, H, W)`` in each whole square, ``(S,)``."""
    count, height, width = np.shape(values)
    rows, columns = height // _SQUARE, width // _SQUARE
    whole = np.asarray(values, np.float32)[:, : rows * _SQUARE, : columns * _SQUARE]
    return whole.reshape(count, rows, _SQUARE, columns, _SQUARE).mean(axis=(2, 4)).ravel()
