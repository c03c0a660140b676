"""Patterns of two inks, as dithering and fine dots are: each pixel is one of two values.

A network makes grey of such a pattern.  But where nearly every window of 4x4 pixels has two values
that are far apart, and the same two as those around it, the noise is what is left of them.
"""

import numpy as np
from scipy import ndimage

WINDOW = 4  # pixels
# A window has two values, as of paper and ink, where they are this many times as far apart as what
# is left deviates; noise alone, parted in the middle of its range, has 2.7.
_TWO_VALUES = 6
_CONTRAST = 0.1  # Blocks of a JPEG that has lost much are of two values too, which are alike.
_AROUND = 9  # Windows in a row of those that have the same two inks.
# The share of windows with two values, and the noise there is beside two inks over that beside two
# values a window: from which on the network is not believed, and from which on it is.
_NEARLY_ALL, _ALL = 0.85, 0.95
_SAME, _OTHERS = 1.25, 1.6
# Of noise this many times as strong as the level nothing is taken, and all from the second on.
_TOO_STRONG, _AS_TOLD = 2.5, 1.25
_LEAST = 1e-6  # of a variance: rounding to 8 bits makes as much


def in_windows(strip: np.ndarray) -> np.ndarray:
    """The pixels ``(H, W, C)`` of each whole window: ``(4, 4, C, rows, columns)``."""
    rows, columns = (side // WINDOW for side in strip.shape[:2])
    whole = strip[: rows * WINDOW, : columns * WINDOW]
    # The places in a window first.
    return np.ascontiguousarray(
        whole.reshape(rows, WINDOW, columns, WINDOW, -1).transpose(1, 3, 4, 0, 2)
    )


def part(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Part the pixels of each window in two, in the middle of their range.

    Returns how many are bright ``(1, rows, columns)``, the dark value and the bright one
    ``(C, rows, columns)``, what each pixel differs from its own, the variance of that, and whether
    a window has two values, ``(rows, columns)`` both.
    """
    grey = pixels.mean(axis=2, keepdims=True)
    is_bright = grey > (grey.min(axis=(0, 1)) + grey.max(axis=(0, 1))) / 2
    # All of it is float32: a count of whole numbers would make doubles of the rest.
    bright, places = is_bright.astype(np.float32), WINDOW**2
    dark, count = 1 - bright, bright.sum(axis=(0, 1))
    high = (pixels * bright).sum(axis=(0, 1)) / np.maximum(count, 1)
    low = (pixels * dark).sum(axis=(0, 1)) / (places - count)
    rest = pixels - (high * bright + low * dark)
    variance = np.square(rest).sum(axis=(0, 1)).mean(axis=0) / (places - 2)
    two = np.square(high - low).mean(axis=0) > _TWO_VALUES**2 * variance
    two &= count[0] > 0
    return count, low, high, rest, variance, two


def with_two_inks(tile: np.ndarray, denoised: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return ``denoised``, but what two inks make of the ``tile`` where it is a pattern of them.

    Both are ``float32 (H, W, C)``; ``levels`` ``(H, W, 1)`` are those of the noise to remove.
    """
    if min(tile.shape[:2]) < WINDOW:
        return denoised
    strips = [in_windows(tile[top : top + 16]) for top in range(0, len(tile) - WINDOW + 1, 16)]
    counts, lows, highs, _, variances, twos = zip(*map(part, strips), strict=True)
    count, low, high, variance, two = (
        np.concatenate(each, axis=-2) for each in (counts, lows, highs, variances, twos)
    )
    two = (two & (np.square(high - low).mean(axis=0) > _CONTRAST**2)).astype(np.float32)
    share = _mean(two)
    if share.max() <= _NEARLY_ALL:
        return denoised
    of_dark, of_bright = two * (WINDOW**2 - count), two * count
    dark, bright = (
        _mean(ink * weight) / np.maximum(_mean(weight), 1e-6)
        for ink, weight in ((low, of_dark), (high, of_bright))
    )
    noise = np.maximum(_mean(variance * two) / np.maximum(share, 1e-6), _LEAST)
    shape = tile.shape[:2]
    share, noise = (_enlarged(each[np.newaxis], shape) for each in (share, noise))
    dark, bright = (_enlarged(each, shape) for each in (dark, bright))
    # The mean of both inks, by how likely each is.
    middle, half = (bright + dark) / 2, (bright - dark) / 2
    inked = middle + half * np.tanh(((tile - middle) * half).sum(axis=2, keepdims=True) / noise)
    side = 5 * WINDOW
    left = ndimage.uniform_filter(np.square(tile - inked).mean(axis=2), side, mode="mirror")
    left = ndimage.maximum_filter(left[..., np.newaxis] / noise, (side, side, 1))
    weight = (
        _ramp(share, _NEARLY_ALL, _ALL)
        * _ramp(-left, -_OTHERS, -_SAME)
        * _ramp(levels / np.sqrt(noise), 1 / _TOO_STRONG, 1 / _AS_TOLD)
    )
    return (denoised + weight * (inked - denoised)).astype(np.float32)


def _mean(windows: np.ndarray) -> np.ndarray:
    """The mean of ``(..., rows, columns)`` around each window."""
    values = windows.astype(np.float32)
    return ndimage.uniform_filter(values, _AROUND, mode="mirror", axes=(-2, -1))


def _enlarged(windows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The values ``(C, rows, columns)`` of windows as those of pixels, ``(H, W, C)``."""
    pixels = np.moveaxis(windows, 0, 2).repeat(WINDOW, axis=0).repeat(WINDOW, axis=1)
    missing = [(0, side - there) for side, there in zip(shape, pixels.shape[:2], strict=True)]
    return np.pad(pixels, (*missing, (0, 0)), mode="edge")


def _ramp(values: np.ndarray, first: float, last: float) -> np.ndarray:
    return np.clip((values - first) / (last - first), 0, 1)
