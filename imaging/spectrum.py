"""The spectrum of maps and of what was removed of a picture, and how much in them repeats itself.

Maps are ``(H, W, C)`` floating point, each channel its own map; a mean is taken off first.  They
repeat every two pixels where a transposed convolution left its marks.  Cloth, a grille or a print
is like itself a few pixels on.  Noise of any kind is not: neighbours may be alike, but then what
lies half-way is more so.
"""

import numpy as np
from scipy.fft import irfft2, rfft2

WINDOW = 64  # pixels
NEAREST, FARTHEST = 3, 16  # pixels from a place to its like; nearer ones are neighbours
# As much larger that nothing meets itself around the edge.
_PADDED = WINDOW + FARTHEST
_ROUNDING = 1e-9  # Below it, in squares of a full range, is what float32 rounds.


def spectra(maps: np.ndarray) -> np.ndarray:
    """Return the energy of each wave in maps ``(H, W, C)``; the slowest is in the middle."""
    centred = maps - maps.mean(axis=(0, 1), dtype=np.float64)
    waves = np.fft.fft2(centred, axes=(0, 1), norm="ortho")
    return np.fft.fftshift(np.abs(waves) ** 2, axes=(0, 1))


def period_two_shares(maps: np.ndarray) -> np.ndarray:
    """Return for each map of ``(H, W, C)`` the share of its variance that repeats every two pixels.

    These are three waves: stripes across, stripes down, and both at once, the checkerboard.  A
    map without any variance has none.

    Raises:
        ValueError: if a side is odd: no wave of period 2 fits into it.

    Source:
        The pattern is that of Odena, Dumoulin and Olah, Distill 2016, doi:10.23915/distill.00003.
    """
    height, width = maps.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"the sides must be even, got {maps.shape}")
    energy = spectra(maps)  # The fastest waves come first, the slowest is in the middle.
    at_two = energy[0, 0] + energy[0, width // 2] + energy[height // 2, 0]
    total = energy.sum(axis=(0, 1))
    return np.divide(at_two, total, out=np.zeros_like(total), where=total > 0)


def period_two_share(maps: np.ndarray) -> float:
    """Return the share at period 2 of all maps ``(H, W, C)`` together, each with its variance.

    Raises:
        ValueError: if a side is odd.
    """
    shares, variances = period_two_shares(maps), maps.var(axis=(0, 1), dtype=np.float64)
    return float(np.average(shares, weights=variances)) if variances.any() else 0.0


def energies(windows: np.ndarray) -> np.ndarray:
    """Return the energy at each frequency ``(N, 80, 41)`` of windows ``float32 (N, 64, 64, C)``."""
    planes = np.moveaxis(windows, 3, 1)
    centred = planes - planes.mean(axis=(2, 3), keepdims=True)
    return np.square(np.abs(rfft2(centred, (_PADDED, _PADDED)))).sum(axis=1)


def repetition(energy: np.ndarray) -> np.ndarray:
    """Return how much more alike pixels a few apart are than those half-way, ``(N,)``, 0 to 1.

    ``energy`` ``(N, 80, 41)`` is that of windows, or the sum of many.
    """
    products = irfft2(energy, (_PADDED, _PADDED))
    whole = products[:, :1, :1]
    down, across = np.mgrid[: FARTHEST + 1, -FARTHEST : FARTHEST + 1]
    # The farther apart, the fewer pairs there are in a window.
    pairs = (WINDOW - down) * (WINDOW - np.abs(across))
    alike = products[:, down, across] * (WINDOW**2 / pairs / np.maximum(whole, _ROUNDING))
    half_way = alike[:, down // 2, np.trunc(across / 2).astype(int) + FARTHEST]
    apart = np.hypot(down, across)
    few = (apart >= NEAREST) & (apart <= FARTHEST)
    more = (alike - np.maximum(half_way, 0))[:, few].max(axis=1)
    return np.where(whole[:, 0, 0] > _ROUNDING, np.clip(more, 0, 1), 0)
