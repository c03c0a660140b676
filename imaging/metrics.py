"""Quality: how far a picture is from the clean one.

Pictures are ``(H, W, C)``, the batch functions take ``(N, H, W, C)``; values are meant to lie in
[0, 1], and that range is what PSNR and SSIM refer to.  Two pictures of different shape are a
``ValueError``.  Everything is computed in double precision.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# The window of Wang et al.: a Gaussian of 1.5 pixels, cut off after 5 pixels to either side.
SSIM_SIGMA = 1.5
SSIM_RADIUS = 5
SSIM_STABILISERS = (0.01**2, 0.03**2)
_WEIGHTS = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
_WEIGHTS /= _WEIGHTS.sum()

# Pictures in a batch that are worked on at a time: small enough for the processor's cache.
_CHUNK = 64


@dataclass(frozen=True)
class Quality:
    """The three numbers shown beside a picture; ``psnr`` is in dB."""

    psnr: float
    ssim: float
    mse: float


def measure(clean: np.ndarray, other: np.ndarray) -> Quality:
    """Return all qualities of ``other`` at once."""
    return Quality(psnr(clean, other), ssim(clean, other), mse(clean, other))


def mse(clean: np.ndarray, other: np.ndarray) -> float:
    """Return the mean squared error, 0 for identical pictures."""
    clean, other = _pair(clean, other)
    return float(np.mean(np.square(clean - other)))


def rms(clean: np.ndarray, noisy: np.ndarray) -> float:
    """Return the root of the mean squared error: the noise level a classical filter is told."""
    return float(np.sqrt(mse(clean, noisy)))


def psnr(clean: np.ndarray, other: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite for identical pictures.

    Source:
        Gonzalez and Woods, Digital Image Processing, section 8.1; the peak is 1.
    """
    return float(decibel(mse(clean, other)))


def ssim(clean: np.ndarray, other: np.ndarray) -> float:
    """Return the structural similarity, 1 for identical pictures; channels are averaged.

    The window is 11 pixels wide, and the border where it does not fit is left out.  Of a picture
    narrower than the window the centre is kept, and the window sees the picture mirrored.

    Source:
        Wang et al., IEEE TIP 2004, doi:10.1109/TIP.2003.819861.
    """
    return float(np.mean(similarity(clean, other)))


def similarity(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the map ``(h, w)`` whose mean is ``ssim``, without the border that is left out."""
    clean, other = _pair(clean, other)
    return _similarity_of(clean[np.newaxis], other[np.newaxis])[0].mean(axis=2)


def batch_psnr(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the PSNR of each picture of a batch, ``(N,)`` float64 in dB."""
    _require_same_shape(clean, other)
    return np.concatenate(
        [decibel(np.mean(np.square(a - b), axis=(1, 2, 3))) for a, b in _chunks(clean, other)]
        or [np.empty(0)]
    )


def batch_ssim(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the SSIM of each picture of a batch, ``(N,)`` float64, equal to ``ssim`` of each."""
    _require_same_shape(clean, other)
    return np.concatenate(
        [np.mean(_similarity_of(a, b), axis=(1, 2, 3)) for a, b in _chunks(clean, other)]
        or [np.empty(0)]
    )


def _similarity_of(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the similarity around each pixel from the sum and the difference of two batches.

    Twice the product of two means is half of the square of their sum less that of their difference,
    the sum of their squares is half of both together; so it is with covariance and variances.  That
    is four window means in place of five.
    """
    total, change = clean + other, clean - other
    total_squared, change_squared = _window_mean(total) ** 2, _window_mean(change) ** 2
    total_variance = _window_mean(np.square(total, out=total)) - total_squared
    change_variance = _window_mean(np.square(change, out=change)) - change_squared
    c1, c2 = SSIM_STABILISERS
    similar = (total_squared - change_squared + 2 * c1) * (
        total_variance - change_variance + 2 * c2
    )
    similar /= (total_squared + change_squared + 2 * c1) * (
        total_variance + change_variance + 2 * c2
    )
    return similar


def _window_mean(batch: np.ndarray) -> np.ndarray:
    """The Gaussian mean around each pixel, without the border where the window does not fit.

    Of a picture narrower than the window the centre is left, and the window sees it mirrored.
    """
    border = min(SSIM_RADIUS, (min(batch.shape[1:3]) - 1) // 2)
    if missing := SSIM_RADIUS - border:
        batch = np.pad(batch, ((0, 0), (missing, missing), (missing, missing), (0, 0)), "symmetric")
    return _weighted(_weighted(batch, 1), 2)


def _weighted(batch: np.ndarray, axis: int) -> np.ndarray:
    """The Gaussian mean along one axis, where the window fits."""
    kept = batch.shape[axis] - 2 * SSIM_RADIUS

    def part(start: int) -> np.ndarray:
        return batch[(slice(None),) * axis + (slice(start, start + kept),)]

    mean = part(SSIM_RADIUS) * _WEIGHTS[SSIM_RADIUS]
    pair = np.empty_like(mean)
    for place in range(SSIM_RADIUS):
        np.add(part(place), part(2 * SSIM_RADIUS - place), out=pair)
        pair *= _WEIGHTS[place]
        mean += pair
    return mean


def decibel(error: np.ndarray | float) -> np.ndarray:
    """Return mean squared errors as PSNR in dB; the peak is 1."""
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)


def _chunks(clean: np.ndarray, other: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(clean), _CHUNK):
        part = slice(start, start + _CHUNK)
        yield np.asarray(clean[part], np.float64), np.asarray(other[part], np.float64)


def _pair(clean: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _require_same_shape(clean, other)
    return np.asarray(clean, np.float64), np.asarray(other, np.float64)


def _require_same_shape(clean: np.ndarray, other: np.ndarray) -> None:
    if np.shape(clean) != np.shape(other):
        raise ValueError(
            f"the pictures must have one shape, got {np.shape(clean)} and {np.shape(other)}"
        )
