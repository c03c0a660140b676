"""The noise level of a photo, for a network that must be told it.

Fine texture looks like noise to ``imaging.filters.estimate_sigma``, and clipping hides noise
from it.  Here noise is looked for where a photo has least of its own: in the colour differences
of evenly coloured places in mid-tones.

Pictures are ``(H, W, C)``, 8-bit or ``float32`` in [0, 1].
"""

from collections.abc import Callable
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct
from scipy.special import ndtr

from imaging.pixels import white

PATCH = 8
# Patches looked at, spread evenly: enough for a percent, and no more in a large picture.
_PATCHES = 30_000
_AT_ONCE = 1024  # of them, within a processor's cache: of all at once it would be 125 MB
# The share of the evenest among them that counts, and its least number.
_EVENEST, _AT_LEAST = 0.07, 400
# What unevenness in all channels counts beside that in the colour differences.
_ALL_CHANNELS = 0.4
# What clipping must leave of the variance of a patch; where a quarter of the picture does not
# fare so well, the least clipped quarter is used.
_SPARED = 0.65
_ROUNDS, _SETTLED = 5, 0.001  # A round that changes the level by a smaller share is the last.
_GREYS_TOLD = 4096  # for which it is worked out what is kept, not for each of all patches
# A drawing has this share of exactly even windows, and among the others seldom one of a contrast
# as small as weak noise would make it; in so many of them two neighbours are alike, which strong
# noise, even where much of it is clipped, makes differ.
_MOSTLY_EVEN, _SMALL, _SELDOM, _ALIKE = 0.15, 0.1, 0.1, 0.4
# A drawing in so few colours, none of them near the one beside it but in this share of the steps
# from a colour to another, needs no even areas.  Two greys are enough: a few photons make more.
_COLOURS, _GREYS, _NEAR, _PIXELS_OF_A_COLOUR = 32, 2, 0.05, 16
_ROWS = 128  # are looked at for that
# Of a large picture, this many bands of rows are looked at for that.
_BANDS, _BAND = 16, 64
# Whole rows that differ in brightness do so by this much at least, or nobody sees it; both halves
# of a row differ alike, to this share, as noise in rows does and seldom an edge.
_SEEN_IN_ROWS, _ALIKE_IN_HALVES = 2 / 255, (0.4, 1.15)
_FEWEST_ROWS, _PIXELS_OF_A_ROW = 64, 1024
# Frequencies of a patch, as a share of its highest, above which there is little but noise.
_HIGH = 0.57
# Red against blue, green against both, and what all have in common: a rotation, so that white noise
# stays what it is.
_ROTATED = np.array([[1, 0, -1], [1, -2, 1], [1, 1, 1]], np.float32) / np.sqrt(
    np.array([[2], [6], [3]], np.float32)
)


def variance_kept(mean: np.ndarray, sigma: float) -> np.ndarray:
    """Return the share of the variance ``sigma**2`` that is left after clipping to [0, 1].

    ``mean`` is the mean of the clipped values, from which that before clipping is worked out,
    taken to lie in [0, 1] too.
    """
    before = np.linspace(0, 1, 257)
    to_black, to_white = -before / sigma, (1 - before) / sigma
    inside = ndtr(to_white) - ndtr(to_black)
    bell_black, bell_white = (
        np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi) for z in (to_black, to_white)
    )
    # Moments in units of sigma, counted from the mean before clipping.
    first = bell_black - bell_white + to_black * ndtr(to_black) + to_white * ndtr(-to_white)
    second = (
        inside
        + to_black * bell_black
        - to_white * bell_white
        + np.square(to_black) * ndtr(to_black)
        + np.square(to_white) * ndtr(-to_white)
    )
    return np.interp(mean, before + sigma * first, second - np.square(first))


def estimate_level(
    noisy: np.ndarray, kept: Callable[[np.ndarray, float], np.ndarray] = variance_kept
) -> float:
    """Return the standard deviation that the noise of ``(H, W, C)`` had before it was clipped.

    ``noisy`` is ``uint8`` or floating point in [0, 1]; the level is in units of the full range.
    The noise is taken to be white and alike in all pixels and channels.  Under noise that
    depends on the brightness the level is a mean; of noise that is alike in neighbouring pixels,
    as in a camera's JPEG, next to nothing is seen.  A picture without noise, and one of a single
    pixel, has level 0.

    ``kept(mean, level)`` says what share of its variance the noise keeps in a patch of that
    mean; it differs for noise other than Gaussian.

    The variance is a mean over fine details of 8x8 patches: of those directions among them, in
    the evenest patches, in which the picture varies least.  What clipping took from it is given
    back by a formula.

    Source:
        Directions: Chen, Zhu and Heng, ICCV 2015, doi:10.1109/ICCV.2015.62.  Colour differences:
        Nakamura and Kobayashi, 2019, arXiv:1904.02566.  Even patches: Liu, Tanaka and Okutomi,
        IEEE TIP 2013, doi:10.1109/TIP.2013.2283400; here they are chosen by their coarse
        details, which do not depend on the noise in the fine ones.  Clipping: Foi, Signal
        Processing 2009, doi:10.1016/j.sigpro.2009.04.035.
    """
    parts = _sample(noisy)
    rows, columns = parts[0].shape[-2:]
    frequency = np.add.outer(np.arange(rows), np.arange(columns))
    high = frequency > _HIGH * frequency.max()
    low = (frequency > 0) & ~high
    if not high.any() or not any(map(len, parts)):
        return 0.0

    if all(np.all(part == part[:, :1]) for part in parts):  # Grey, alike noisy in every channel.
        parts = [part[:, :1] for part in parts]
    channels = parts[0].shape[1]
    # Of three channels the two differences; nothing is known of what all have in common.
    mix = _ROTATED[:2] if channels == 3 else np.eye(channels, dtype=np.float32)
    brightness, unevenness, details = (
        np.concatenate(each, axis)
        for each, axis in zip(
            zip(*(_look_at(part, high) for part in parts), strict=True), (1, 0, 1), strict=True
        )
    )
    noise_alone = np.count_nonzero(low) * (len(mix) + _ALL_CHANNELS * channels)

    share = np.where((brightness > 0.1) & (brightness < 0.9), 1.0, 0.0)
    darkest, brightest = brightness.min(), brightness.max()
    greys = np.linspace(darkest, brightest, _GREYS_TOLD)
    shares = (brightness - darkest) / max(brightest - darkest, np.float32(1e-6))
    nearest = np.rint(shares * (_GREYS_TOLD - 1)).astype(np.intp)
    level = 0.0
    for _ in range(_ROUNDS):
        if level:
            share = kept(greys, level)[nearest]
        # More even than noise alone leaves it, a patch is at random, and of less noise.
        uneven = np.maximum(unevenness, noise_alone * level**2)
        chosen = _even_and_spared(uneven, share.min(axis=0))
        by_plane = np.square(mix) @ share[:, chosen] if level else np.ones((len(mix), 1))
        variances = [_noise_variance(plane[chosen]) for plane in details]
        before, level = level, float(np.sqrt(np.mean(variances / by_plane.mean(axis=1))))
        if level < 1e-6:
            return 0.0
        if abs(level - before) < _SETTLED * level:
            break
    return level


def is_drawn(picture: np.ndarray) -> bool:
    """Whether a picture ``(H, W, C)`` is drawn: even areas and hard edges, nothing in between.

    A page of text, a chart or a sprite is; so is a fine pattern of few colours, as a bar code and
    dithering in black and white.  A noisy photo may have even areas too, a border or
    what was clipped, but next to none elsewhere; and a photo, or what a lossy file does to a
    drawing, has small differences too.
    """
    if min(picture.shape[:2]) < 3:
        return False
    if len(picture) > _BANDS * _BAND:
        tops = np.linspace(0, len(picture) - _BAND, _BANDS).astype(int)
        picture = np.concatenate([picture[top : top + _BAND] for top in tops])
    return _has_hard_edges(picture) or _has_few_colours(picture)


def _has_hard_edges(picture: np.ndarray) -> bool:
    """Whether many windows of 3x3 pixels are even, and few of the others nearly so."""
    right = _alike_in_all(picture[:, :-1], picture[:, 1:])
    # In the middle of each even window two neighbours are alike; in most photos too few are.
    if np.mean(right[1:-1, 1:]) <= _MOSTLY_EVEN:
        return False
    # The highest and the lowest value in 3 x 3 pixels: along the rows, then along the columns.
    high, low = (
        extreme(extreme(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
        for extreme in (np.maximum, np.minimum)
        for rows in [extreme(extreme(picture[:-2], picture[1:-1]), picture[2:])]
    )
    contrast = (high - low).max(axis=2)
    uneven = contrast > 0
    if 1 - np.mean(uneven) <= _MOSTLY_EVEN:
        return False
    small = uneven & (contrast < _SMALL * (white(picture) if picture.dtype.kind == "u" else 1))
    below = _alike_in_all(picture[1:-1, 1:-1], picture[2:, 1:-1])
    alike = uneven & (right[1:-1, 1:] | below)
    return bool(
        small.sum() <= _SELDOM * max(uneven.sum(), 1) and alike.sum() >= _ALIKE * uneven.sum()
    )


def _alike_in_all(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether two pixels are the same in all channels, ``(H, W)``."""
    same = one == other
    alike = same[..., 0]
    for channel in range(1, same.shape[2]):
        alike = alike & same[..., channel]
    return alike


def _has_few_colours(picture: np.ndarray) -> bool:
    """Whether ``(H, W, C)`` has few colours, and neighbours have the same or quite another."""
    lines = np.linspace(0, len(picture) - 1, min(len(picture), _ROWS)).astype(int)
    rows = picture[lines].astype(np.float32)
    if picture.dtype.kind == "u":
        rows /= white(picture)
    by_channel = np.abs(np.diff(rows, axis=1))
    steps = np.maximum.reduce([by_channel[..., channel] for channel in range(rows.shape[2])])
    changes = np.count_nonzero(steps)
    if np.count_nonzero(steps[steps < _SMALL]) > _NEAR * changes:
        return False
    colours = np.unique(rows.reshape(-1, rows.shape[2]), axis=0)
    most = _GREYS if np.all(colours == colours[:, :1]) else _COLOURS
    return len(colours) <= min(most, lines.size * rows.shape[1] // _PIXELS_OF_A_COLOUR)


def band_levels(picture: np.ndarray) -> tuple[float, float]:
    """Return how much whole rows of ``(H, W, C)`` differ in brightness at random, and columns.

    The standard deviations are in units of the full range, and 0 where nobody would see bands, or
    where what bends from row to row is not alike in both halves: then it is of the picture.  The
    sensors of some cameras have such noise in dim light, and scanners.
    """
    return _rows_apart(picture), _rows_apart(picture.swapaxes(0, 1))


def _rows_apart(picture: np.ndarray) -> float:
    if min(picture.shape[:2]) < _FEWEST_ROWS:
        return 0.0
    rows = picture[:, :: -(-picture.shape[1] // _PIXELS_OF_A_ROW)].mean(axis=2, dtype=np.float32)
    rows /= white(picture) if picture.dtype.kind == "u" else 1
    bends = rows[:-2] - 2 * rows[1:-1] + rows[2:]
    halves = [np.median(half, axis=1) for half in np.array_split(bends, 2, axis=1)]
    # What an edge does is far from what most rows do.
    spreads = [1.4826 * float(np.median(np.abs(half - np.median(half)))) for half in halves]
    left, right = (
        np.clip(half, -3 * spread, 3 * spread) for half, spread in zip(halves, spreads, strict=True)
    )
    common = float(np.mean(left * right))
    least, most = (share * spreads[0] * spreads[1] for share in _ALIKE_IN_HALVES)
    level = np.sqrt(max(common, 0) / 6)  # 1 + 4 + 1 are the squares of what makes a bend.
    return float(level) if least < common < most and level >= _SEEN_IN_ROWS else 0.0


def _sample(noisy: np.ndarray) -> list[np.ndarray]:
    """Patches ``(N, C, rows, columns)``, some at a time, spread evenly over the picture.

    Those that are clipped all over are left out: they tell nothing.
    """
    height, width = noisy.shape[:2]
    windows = sliding_window_view(noisy, (min(PATCH, height), min(PATCH, width)), axis=(0, 1))
    rows, columns = windows.shape[:2]
    # Along the rows, one after the other; a step that is prime to 8 and to the width meets the
    # blocks of a JPEG, and the columns, at all their places.
    step = -(-rows * columns // _PATCHES)
    while gcd(step, 2 * columns) > 1 and step > 1:
        step += 1
    top = 255 if noisy.dtype == np.uint8 else 1
    parts = []
    for first in range(0, rows * columns, step * _AT_ONCE):
        places = np.arange(first, min(first + step * _AT_ONCE, rows * columns), step)
        part = windows[np.divmod(places, columns)]
        parts.append(part[np.any((part > 0) & (part < top), axis=(1, 2, 3))])
    return parts


def _look_at(part: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return brightness ``(C, N)``, unevenness ``(N,)`` and fine details ``(M, N, D)`` of patches.

    They are ``(N, C, rows, columns)``; ``high`` are the frequencies of fine details, and of three
    channels the details are of the ``M`` = 2 differences.
    """
    patches = np.moveaxis(part, 1, 0).astype(np.float32, order="C")
    if part.dtype == np.uint8:
        patches /= 255
    patches = patches.reshape(*patches.shape[:2], high.size)
    brightness = patches @ np.full(high.size, 1 / high.size, np.float32)
    patches -= brightness[..., np.newaxis]
    fine = patches @ _dct(*high.shape)[high.ravel()].T
    # Of a rotation, here the cosine transform, the energies add up: what is not fine is coarse.
    coarse = (_energy(patches) - _energy(fine)).sum(axis=0)
    of_differences = coarse
    if len(patches) == 3:
        # So they do over the channels, which are rotated once there is less of them.
        fine = np.tensordot(_ROTATED, fine, 1)
        of_common = _energy(patches.sum(axis=0)) * _ROTATED[2, 0] ** 2 - _energy(fine[2])
        fine, of_differences = fine[:2], coarse - of_common
    unevenness = np.maximum(of_differences + _ALL_CHANNELS * coarse, 0)
    return brightness, unevenness, fine


@lru_cache
def _dct(rows: int, columns: int) -> np.ndarray:
    """The discrete cosine transform of a patch: a direction of length 1 in each row."""
    down, across = (dct(np.eye(side), axis=0, norm="ortho") for side in (rows, columns))
    return np.kron(down, across).astype(np.float32)


def _energy(details: np.ndarray) -> np.ndarray:
    """The sum of squares ``(..., N)`` in each patch of ``(..., N, D)``."""
    return np.einsum("...d,...d->...", details, details)


def _even_and_spared(unevenness: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Which patches to use: mid-tones, and of these the evenest."""
    spared = kept >= min(_SPARED, np.quantile(kept, 0.75))
    share = min(max(_EVENEST, _AT_LEAST / np.count_nonzero(spared)), 1)
    return spared & (unevenness <= np.quantile(unevenness[spared], share))


def _noise_variance(details: np.ndarray) -> float:
    """The mean variance in the directions of ``(N, D)`` that noise alone fills.

    Of noise alone, the eigenvalues of the covariance scatter, skew by up to D / N, so that their
    median lies about as much below their mean, give or take 1 / sqrt(N).  Where it lies lower,
    the picture has a part in the largest, and they are left out.
    """
    count, directions = details.shape
    values = np.linalg.eigvalsh((details.T @ details / count).astype(np.float64)).clip(0)
    least = 1 - directions / count - count**-0.5
    for left in range(directions, 1, -1):
        if np.median(values[:left]) >= np.mean(values[:left]) * least:
            return float(np.mean(values[:left]))
    return float(values[0])
