"""Noise and quality of pictures too large to be turned into floats as a whole.

Pictures are ``uint8 (H, W, 1)`` or ``(H, W, 3)`` and are worked on in strips of rows.
"""

from collections.abc import Iterator

import numpy as np

from imaging import metrics
from imaging.metrics import SSIM_RADIUS, Quality
from imaging.noise import NoiseKind
from imaging.pixels import strips, to_image, to_pixels, white

STRIP_PIXELS = 2**20
# SSIM holds some ten values of eight bytes for each pixel and channel: as many as a processor's
# cache has room for, and memory for fifty visitors'.
SSIM_PIXELS = 2**14
_SSIM_ROWS = 32
# JPEG stores blocks of 16 rows: a strip that ends elsewhere would show.
_ROWS = 16


def corrupt_pixels(kind: NoiseKind, pixels: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Return the picture with noise, clipped and rounded to 8 bits.

    The pattern follows from the seed; a larger strength scales the same one.
    """
    noisy = np.empty_like(pixels)
    for number, rows in enumerate(_strips(*pixels.shape[:2])):
        rng = np.random.default_rng((seed, number) if number else seed)
        noisy[rows] = to_pixels(kind.corrupt(to_image(pixels[rows]), strength, rng))
    return noisy


def rms_pixels(clean: np.ndarray, noisy: np.ndarray) -> float:
    """Return the root of the mean squared error, in units of the full range."""
    squared = 0.0
    for rows in strips(*clean.shape[:2]):
        # Differences of pixels, and the squares of those of 8 bits, are exact in float32.
        difference = np.subtract(clean[rows], noisy[rows], dtype=np.float32)
        difference *= difference
        squared += float(difference.sum(dtype=np.float64))
    return (squared / clean.size) ** 0.5 / white(clean)


def measure_pixels(
    clean: np.ndarray, other: np.ndarray, alpha: np.ndarray | None = None
) -> Quality:
    """Return PSNR, SSIM and MSE of ``other``; equal to ``metrics.measure`` of the whole.

    Pixels that nobody sees, with an ``alpha`` of 0, are not counted, and have no noise for the
    windows of SSIM that reach over them.
    """
    seen, share = None, 1.0
    if alpha is not None and (alpha > 0).any():
        seen = alpha > 0
        other, share = np.where(seen[..., np.newaxis], other, clean), float(np.mean(seen))
    height, width = clean.shape[:2]
    if min(height, width) <= 2 * SSIM_RADIUS or height * width <= SSIM_PIXELS:
        bounds = [(0, height)]
    else:
        step = max(_SSIM_ROWS, SSIM_PIXELS // width)
        firsts = range(SSIM_RADIUS, height - SSIM_RADIUS, step)
        # The window of SSIM needs some rows above and below those that are counted.
        bounds = [
            (first - SSIM_RADIUS, min(first + step + SSIM_RADIUS, height)) for first in firsts
        ]
    border = min(SSIM_RADIUS, (min(height, width) - 1) // 2)
    if seen is not None and not seen[border : height - border, border : width - border].any():
        seen = None  # No window has what is seen in its middle.
    total, count = 0.0, 0
    for rows in (slice(*each) for each in bounds):
        similar = metrics.similarity(_doubles(clean[rows]), _doubles(other[rows]))
        if seen is not None:
            similar = similar[_middle(seen[rows], similar.shape)]
        total, count = total + float(similar.sum()), count + similar.size
    mse = rms_pixels(clean, other) ** 2 / share
    return Quality(float(metrics.decibel(mse)), total / count, mse)


def _middle(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The values ``(H, W)`` without the border that a smaller shape leaves out."""
    rows, columns = (
        slice((whole - part) // 2, (whole + part) // 2)
        for whole, part in zip(values.shape, shape, strict=True)
    )
    return values[rows, columns]


def _doubles(pixels: np.ndarray) -> np.ndarray:
    return pixels / white(pixels)


def _strips(height: int, width: int) -> Iterator[slice]:
    step = max(_ROWS, STRIP_PIXELS // width // _ROWS * _ROWS)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
