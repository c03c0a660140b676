"""The spectrum of maps, and how much of their energy repeats every two pixels.

Maps are ``(H, W, C)`` floating point, each channel its own map; a mean is taken off first.
"""

import numpy as np


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
