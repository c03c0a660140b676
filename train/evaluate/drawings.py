"""Drawings in black ink on white paper, fine and dense, with noise: what photos seldom have.

Nobody tells the level; beside that answer stands the one for the true level.
"""

from collections.abc import Callable

import numpy as np

from imaging import metrics
from imaging.pixels import to_pixels
from models.catalogue import find_card
from models.predictor import load_predictor

SIDE, SIGMA = 192, 20  # pixels; of 255


def inked(side: int = SIDE) -> dict[str, np.ndarray]:
    """Where there is ink, each ``(side, side)``: nowhere are 16 x 16 pixels of paper alone.

    ``side`` is a multiple of 4.
    """
    y, x = np.mgrid[:side, :side]
    rng = np.random.default_rng(0)
    return {
        "slanted": (x + y) % 9 == 0,
        "steep": (x + y // 3) % 9 == 0,
        "grid": (x % 9 == 4) | (y % 9 == 4),
        "rings": np.hypot(y - 70, x - 90) % 9 < 1,
        "waves": (y + 6 * np.sin(x / 17)) % 7 < 2,
        "code": np.kron(rng.integers(0, 2, (side // 4, side // 4)), np.ones((4, 4))) > 0,
        "dots": rng.permuted(np.tile(np.arange(4) == 0, (side, side // 4)), axis=1),
        "hatching": ((x + y) % 4 == 0) | ((x - y) % 6 == 0),
        "dithering": rng.random((side, side)) < 0.2 + 0.6 * x / side,
    }


def drawing(ink: np.ndarray, channels: int = 1, paper: float = 1.0) -> np.ndarray:
    """Black ink on white paper, or the other way round: ``float32 (H, W, channels)``."""
    picture = np.where(ink, 1 - paper, paper).astype(np.float32)
    return np.repeat(picture[..., np.newaxis], channels, axis=2)


def with_noise(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """White noise of ``sigma`` of 255, clipped and rounded: ``uint8``."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
    return to_pixels(clean + np.float32(sigma / 255) * noise)


def evaluate_drawings(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Measure the named networks on grey drawings, or every nth of them, with noise of ``SIGMA``.

    Returns, by network and drawing, the PSNR of what went in, of the answer, and of that for the
    true level.
    """
    found = {}
    for name in names:
        predictor = load_predictor(find_card(name))
        for title, ink in list(inked().items())[::every]:
            clean = drawing(ink)
            noisy = with_noise(clean, SIGMA)
            answers = predictor.predict(noisy), predictor.predict(noisy, SIGMA / 255)
            scores = [metrics.psnr(clean, each / np.float32(255)) for each in (noisy, *answers)]
            found[name, title] = before, after, told = tuple(scores)
            say(f"{name}, {title}: {before:.1f} -> {after:.1f} dB, told the level {told:.1f}")
    return found
