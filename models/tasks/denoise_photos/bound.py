"""An upper bound on the level of noise, from the places where a picture varies least.

The small network takes thin lines for noise of their contrast.  But the paper between the lines
is noisy too, and there, and on the lines themselves, noise can be measured.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from scipy.special import gammainc, gammaincinv

from models.tasks.denoise_photos.inks import WINDOW, in_windows, part

CELL = 16  # pixels
# How many of the 144 windows in a cell and in those next to it are as bright as most of the cell,
# and how many of these are the evenest.
_AS_BRIGHT, _EVENEST = 48, 7
# Noise is white where neighbours differ by this share of what any two pixels would, in the mean of
# a square of this many cells a side.
_WHITE, _CELLS = 0.85, 5
_EVEN = 1e-9  # The mean of equal numbers may differ from them by as much, squared.
# What noise of one level may have above what is measured, as where it depends on brightness.
_AT_MOST = 1.4


def bounded(cells: np.ndarray, tile: np.ndarray) -> np.ndarray:
    """Return a map ``(h, w)`` of levels, lowered where so much white noise is not to be seen.

    ``tile`` is ``float32 (H, W, C)`` in [0, 1], with a cell for each 16x16 pixels.  Of noise that
    is alike in neighbouring pixels nothing is said: a small window has less of it than there is,
    and in a JPEG many have none.
    """
    if min(tile.shape[:2]) < WINDOW:
        return cells
    windows = [_in_cells(each, cells.shape) for each in _windows(tile)]
    most = np.median(windows[0], axis=2, keepdims=True)
    brightness, variance, difference, unclipped = (_around(each) for each in windows)
    variance[variance < _EVEN] = np.inf  # Clipped, or never had noise.
    apart = np.where(np.isfinite(variance), np.abs(brightness - most), np.inf)
    variance, difference = _first(apart, _AS_BRIGHT, variance, difference)
    variance, difference = _first(variance, _EVENEST, variance, difference)
    variance, difference = variance.mean(axis=2), difference.mean(axis=2)

    known = np.isfinite(variance)
    of_any, of_neighbours = (
        ndimage.uniform_filter(np.where(known, each, 0), _CELLS, mode="mirror")
        for each in (variance, difference)
    )
    known &= of_neighbours > _WHITE * of_any
    share = _share_of_the_evenest((WINDOW**2 - 1) * tile.shape[2])
    measured = np.sqrt(np.where(known, variance, 0) / share)
    # The farther a level lies above what is possible, the less it is believed; where it is not at
    # all, lines would be lost with more than what clipping has left of the noise.
    excess = cells / np.maximum(_AT_MOST * measured, 1e-6)
    least = np.minimum(np.sqrt(unclipped.mean(axis=2)), 1)
    lowered = measured * np.clip(_AT_MOST / np.maximum(excess, 1), least, None)
    return np.where(known & (excess > 1), lowered, cells).astype(np.float32)


def _windows(tile: np.ndarray) -> list[np.ndarray]:
    """Of each window ``(rows, columns)`` what is measured in one of a strip."""
    tops = range(0, tile.shape[0] - WINDOW + 1, CELL)  # Little at a time stays in the cache.
    strips = [_windows_of(tile[top : top + CELL]) for top in tops]
    return [np.concatenate(each) for each in zip(*strips, strict=True)]


def _windows_of(strip: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each window, the brightness of most of it, and the variance of the noise in it, twice.

    The noise is what its one value or its two leave, and what was clipped does not count.  Its
    variance is that of all pixels, and then half the mean square by which neighbours differ.  The
    share that was not clipped comes last.
    """
    pixels, places = in_windows(strip), WINDOW**2
    count, low, high, rest, of_two, parted = part(pixels)
    dark = places - count
    mean = (count * high + dark * low) / places
    # What one value leaves is what two leave, and what there is between these.
    between = (count * dark * np.square(high - low)).mean(axis=0) / places
    of_one = ((places - 2) * of_two + between) / (places - 1)
    brightness = np.where(parted, np.where(count > dark, high, low), mean).mean(axis=0)
    noise = np.where(parted, rest, pixels)  # But for its mean.
    steps = (np.square(np.diff(noise, axis=axis)).mean(axis=(0, 1, 2)) / 4 for axis in (0, 1))
    inside = ((pixels > 0) & (pixels < 1)).view(np.uint8).sum(axis=(0, 1, 2), dtype=np.uint8)
    unclipped = (inside / np.float32(places * pixels.shape[2])).clip(1 / places)
    variance = np.where(parted, of_two, of_one) / unclipped
    return brightness, variance, sum(steps) / unclipped, unclipped


def _in_cells(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The values of the windows in each cell: ``(h, w, 16)``."""
    (height, width), each = shape, CELL // WINDOW
    missing = (height * each - values.shape[0], width * each - values.shape[1])
    values = np.pad(values, [(0, windows) for windows in missing], mode="symmetric")
    return values.reshape(height, each, width, each).swapaxes(1, 2).reshape(height, width, -1)


def _around(values: np.ndarray) -> np.ndarray:
    """What there is in each cell ``(h, w, n)`` and in those next to it: ``(h, w, 9 n)``."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    return sliding_window_view(padded, (3, 3), axis=(0, 1)).reshape(*values.shape[:2], -1)


def _first(order: np.ndarray, count: int, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each of the values ``(h, w, n)``, those where ``order`` is least: ``(h, w, count)``."""
    least = np.argpartition(order, count, axis=2)[..., :count]
    return tuple(np.take_along_axis(each, least, axis=2) for each in values)


def _share_of_the_evenest(numbers: int) -> float:
    """The mean variance of the evenest windows over that of all, each of so many free numbers.

    It is that of the least share of a chi-square distribution.
    """
    share = _EVENEST / _AS_BRIGHT
    largest = gammaincinv(numbers / 2, share)
    return float(gammainc(numbers / 2 + 1, largest) / share)
