"""Gives back regular patterns that were taken for noise.

Of cloth, mesh and grilles in a JPEG, a few pixels look like noise that is alike in neighbours, and
the small network reads it as that.  Noise does not repeat itself; what was removed of them does.
"""

import numpy as np

from imaging.spectrum import WINDOW, energies, repetition

# What repeats itself more than the first is given back in part, more than the second, wholly.  In
# windows of noise, of film and of what was enlarged four times 0.32 is the most that was read;
# cloth of which more than 3 dB was lost has 0.4 to 0.99.
_IN_PART, _WHOLLY = 0.3, 0.45


def with_patterns(tile: np.ndarray, denoised: np.ndarray) -> np.ndarray:
    """Return ``denoised``, with what was removed of the tile back where that repeats itself.

    Both are ``float32 (H, W, C)``.  Of less than a window nothing is known.
    """
    height, width = tile.shape[:2]
    if min(height, width) < WINDOW:
        return denoised
    removed = tile - denoised
    tops, lefts = (_starts(side) for side in (height, width))
    repeats = _repeats(removed, tops, lefts)
    back = np.clip((repeats - _IN_PART) / (_WHOLLY - _IN_PART), 0, 1).astype(np.float32)
    if not back.any():
        return denoised
    removed *= (_between(tops, height) @ back @ _between(lefts, width).T)[..., np.newaxis]
    return denoised + removed


def _repeats(removed: np.ndarray, tops: list[int], lefts: list[int]) -> np.ndarray:
    """How much each window of ``(H, W, C)`` repeats itself: ``(rows, columns)``."""
    rows = []
    for top in tops:
        strip = removed[top : top + WINDOW]
        windows = np.stack([strip[:, left : left + WINDOW] for left in lefts])
        row = repetition(energies(windows.mean(axis=3, keepdims=True)))
        # The mean has a third of the noise of three channels, and a pattern whole.
        likely = row > _IN_PART
        if likely.any():
            row[likely] = repetition(energies(windows[likely]))
        rows.append(row)
    return np.stack(rows)


def _starts(side: int) -> list[int]:
    """Where windows begin that cover a side; the last two may overlap."""
    return sorted({*range(0, side - WINDOW, WINDOW), side - WINDOW})


def _between(starts: list[int], side: int) -> np.ndarray:
    """The share ``(side, N)`` of each window in each place, by lines between their middles."""
    middles = np.array(starts) + (WINDOW - 1) / 2
    places = np.arange(side)
    shares = [np.interp(places, middles, each) for each in np.eye(len(starts))]
    return np.stack(shares, axis=1).astype(np.float32)
