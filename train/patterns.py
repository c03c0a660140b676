"""Fine regular patterns over photos: cloth, grilles, mesh, print.

They are clean, and look like noise to whoever sees a few pixels of them.
"""

import numpy as np
from scipy import ndimage

# Pixels from a thread to the next, and how much of the brightness they differ by.
PERIODS, CONTRASTS = (2.2, 16), (0.02, 0.6)
_AXIS_ALIGNED, _WHOLE_PIXELS, _HARD, _UNEVEN, _EVERYWHERE = 0.6, 0.5, 0.5, 0.3, 0.6
_WAVES = 3  # in each of two directions, the mean and the second harmonic among them


def with_pattern(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ``float32 (H, W, C)`` in [0, 1] with a pattern drawn over it or a part of it."""
    height, width, channels = picture.shape
    contrast = np.exp(rng.uniform(*np.log(CONTRASTS)))
    colour = rng.uniform(0.3, 1, channels) if rng.random() < 0.3 else np.ones(channels)
    pattern = contrast * colour * draw_pattern(height, width, rng)[..., np.newaxis]
    if rng.random() >= _EVERYWHERE:
        top, left = rng.integers(height // 2), rng.integers(width // 2)
        rows, columns = rng.integers(height // 3, height + 1), rng.integers(width // 3, width + 1)
        inside = np.zeros((height, width, 1), bool)
        inside[top : top + rows, left : left + columns] = True
        pattern *= inside
    # A pattern is of what is lit; on black there would be none.
    lit = 0.3 + 0.7 * picture
    return np.clip(picture + lit * pattern, 0, 1).astype(np.float32)


def draw_pattern(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``(H, W)`` in [-1, 1]: waves in two directions, soft or nearly of two values."""
    periods = np.exp(rng.uniform(*np.log(PERIODS))) * rng.choice([1, 1, 1, 0.5, 2], 2)
    angle = 0.0 if rng.random() < _AXIS_ALIGNED else rng.uniform(0, np.pi)
    if rng.random() < _WHOLE_PIXELS:
        periods = np.rint(periods)
    periods = np.clip(periods, *PERIODS)
    rows, columns = np.indices((height, width))
    phases = []
    for period, turned in zip(periods, (angle, angle + np.pi / 2), strict=True):
        phase = (columns * np.cos(turned) + rows * np.sin(turned)) / period
        if rng.random() < _UNEVEN:
            bends = ndimage.gaussian_filter(
                rng.standard_normal((height, width)), period, mode="wrap"
            )
            phase = phase + rng.uniform(0, 0.2) * bends / max(bends.std(), 1e-6)
        phases.append(phase + rng.random())
    along, across = (
        [np.cos(2 * np.pi * wave * phase) for wave in range(_WAVES)] for phase in phases
    )
    weights = rng.standard_normal((_WAVES, _WAVES)) * (rng.random((_WAVES, _WAVES)) < 0.5)
    weights[0, 0] = 0
    weights[rng.integers(2), 1] = 1  # At least one wave.
    pattern = sum(
        weights[i, j] * along[i] * across[j] for i in range(_WAVES) for j in range(_WAVES)
    )
    if rng.random() < _HARD:
        pattern = np.tanh(rng.uniform(2, 10) * (pattern / pattern.std() - rng.uniform(-0.7, 0.7)))
    return pattern / max(np.abs(pattern).max(), 1e-6)
