"""How much a picture is like itself a few pixels on, as cloth, a grille or a print is.

Noise of any kind is not: neighbours may be alike, but then what lies half-way is more so.
"""

import numpy as np
from scipy.fft import irfft2, rfft2

WINDOW = 64  # pixels
NEAREST, FARTHEST = 3, 16  # pixels from a place to its like; nearer ones are neighbours
# As much larger that nothing meets itself around the edge.
_PADDED = WINDOW + FARTHEST
_ROUNDING = 1e-9  # Below it, in squares of a full range, is what float32 rounds.


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
