"""Classical filters: denoising as it was done before networks, as the yardstick for them.

Every filter keeps one contract: ``denoise(noisy, sigma=None)`` takes ``float32`` ``(H, W, C)`` in
[0, 1] and returns the same shape, clipped to [0, 1].  ``sigma`` is the noise level, the root of
the mean squared error of ``noisy`` (``metrics.rms``), in units of the full range; ``None`` has it
estimated.  A sigma of 0 returns the picture unchanged, and a negative one is a ``ValueError``.

All settings follow from ``sigma`` and from the picture's size, without steps.  Their constants
were fitted to MNIST training digits (28 pixels wide) and to scikit-image's sample photos (256
pixels), both under Gaussian noise clipped to [0, 1].
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.restoration import denoise_nl_means

from imaging.digit_fit import SIDE
from imaging.named import by_name

CURVES = Path(__file__).with_name("output_curves.json")

# Daubechies' wavelet with two vanishing moments, blind to level and slope.
_DAUBECHIES_2 = np.array([1 - 3**0.5, 3**0.5 - 3, 3 + 3**0.5, -1 - 3**0.5]) / 2**2.5
# The median of the magnitude of a standard normal variable.
_MEDIAN_MAGNITUDE = 0.6744897501960817
# Chambolle's iteration: its step, and when to stop, as in scikit-image.
_STEP, _MOST_STEPS, _ENOUGH = 1 / 4, 200, 2e-4
# Axes of brightness, red against blue, green against both: a rotation of red, green and blue.
_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def estimate_sigma(noisy: np.ndarray) -> float:
    """Return the noise level of ``(H, W, C)`` from its finest diagonal detail, channels averaged.

    Meant for additive noise that is the same everywhere; single wild pixels hardly count, and
    exact zeros, a background that was clipped or never had noise, do not count at all.

    Source:
        Donoho and Johnstone, Biometrika 1994, doi:10.1093/biomet/81.3.425, section 4.  Agrees
        with scikit-image's ``estimate_sigma``, which needs one package more, PyWavelets.
    """
    detail = noisy.astype(np.float64)
    for axis in (0, 1):
        detail = ndimage.correlate1d(detail, _DAUBECHIES_2, axis=axis, mode="mirror")
    return float(np.mean([_spread(channel) for channel in np.moveaxis(np.abs(detail), -1, 0)]))


def median(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Replace each pixel by the median of a window that grows with the noise, up to 7x7.

    Where the window of choice lies between two odd widths, their results are mixed.

    Source:
        Huang, Yang and Tang, IEEE TASSP 1979, doi:10.1109/TASSP.1979.1163188.
    """
    radius = min(4 * _room(noisy) * sigma, 3)
    share = radius % 1
    fine, coarse = (
        ndimage.median_filter(noisy, 2 * whole + 1, axes=(0, 1), mode="mirror")
        for whole in (math.floor(radius), math.ceil(radius))
    )
    return (1 - share) * fine + share * coarse


def gaussian(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Replace each pixel by the mean of its surroundings under a bell curve.

    Its width grows with the root of the noise level: on a digit, 0.4 pixels at 0.08, 1 at 0.5.

    Source:
        Gonzalez and Woods, Digital Image Processing, section 3.5.
    """
    width = 1.4 * _room(noisy) * sigma**0.5
    return ndimage.gaussian_filter(noisy, width, axes=(0, 1), mode="mirror")


def non_local_means(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Replace each pixel by the mean of those whose surroundings look alike.

    Source:
        Buades, Coll and Morel, CVPR 2005, doi:10.1109/CVPR.2005.38, in scikit-image's fast form.
    """
    return denoise_nl_means(
        noisy,
        patch_size=5,
        patch_distance=7,
        h=0.9 * sigma / (1 + 2.5 * sigma),
        sigma=0.7 * sigma,
        fast_mode=True,
        channel_axis=-1,
    ).reshape(noisy.shape)


def total_variation(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Find the picture with few jumps that is closest to the noisy one.

    Source:
        Rudin, Osher and Fatemi, Physica D 1992, doi:10.1016/0167-2789(92)90242-F, by the
        algorithm of Chambolle, 2004, doi:10.1023/B:JMIV.0000011325.36760.1e.
    """
    weight = 0.53 * _room(noisy) ** 0.5 * sigma

    def smooth(image: np.ndarray) -> np.ndarray:
        channels = np.moveaxis(image, -1, 0)
        return np.stack([_few_jumps(channel, weight) for channel in channels], axis=-1)

    return _by_opponent_colours(noisy, smooth)


def _few_jumps(image: np.ndarray, weight: float) -> np.ndarray:
    """Minimise half the squared distance to ``image`` (H, W) plus ``weight`` times all jumps.

    Our own, as scikit-image's loads all of scipy.stats: 44 MB and half a second for each server.
    """
    flow = np.zeros((2, *image.shape), image.dtype)  # Down and to the right.
    jumps = np.zeros_like(flow)
    first = before = None
    for _ in range(_MOST_STEPS):
        change = flow.sum(axis=0)
        change[1:] -= flow[0, :-1]
        change[:, 1:] -= flow[1, :, :-1]
        smooth = image + change
        np.subtract(smooth[1:], smooth[:-1], out=jumps[0, :-1])
        np.subtract(smooth[:, 1:], smooth[:, :-1], out=jumps[1, :, :-1])
        size = np.sqrt(np.square(jumps).sum(axis=0))
        energy = float(np.square(change).sum() + weight * size.sum())
        if first is None:
            first = energy
        elif abs(before - energy) <= _ENOUGH * first:
            break
        before = energy
        flow += _STEP * jumps
        flow /= 1 + _STEP / weight * size
    return smooth


def wavelet(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Split the picture into details of several sizes and weaken those no larger than noise.

    Haar's wavelet at every shift, so that no place is special; a coefficient is weakened by the
    share that noise has in the mean square of the 5x5 coefficients around it.

    Source:
        Coifman and Donoho, Translation-invariant de-noising, 1995,
        doi:10.1007/978-1-4612-2544-7_9; Mihcak et al., IEEE SPL 1999, doi:10.1109/97.803428.
    """
    noise = _room(noisy) ** 0.5 * sigma**2
    levels = int(np.clip(round(np.log2(min(noisy.shape[:2]))) - 3, 1, 4))
    margin = 2**levels
    border = ((margin, margin), (margin, margin), (0, 0))

    def shrink(image: np.ndarray) -> np.ndarray:
        smooth = np.pad(image, border, mode="reflect")
        details = []
        for step in (2**level for level in range(levels)):
            low, high = _haar(smooth, step, axis=0)
            smooth, across = _haar(low, step, axis=1)
            down, diagonal = _haar(high, step, axis=1)
            details.append([_weaken(detail, noise) for detail in (across, down, diagonal)])
        for level in reversed(range(levels)):
            across, down, diagonal = details[level]
            low = _unhaar(smooth, across, 2**level, axis=1)
            high = _unhaar(down, diagonal, 2**level, axis=1)
            smooth = _unhaar(low, high, 2**level, axis=0)
        return smooth[margin:-margin, margin:-margin]

    return _by_opponent_colours(noisy, shrink)


@dataclass(frozen=True)
class Classical:
    """A filter with what a page needs to know about it, and under the contract of this module."""

    name: str
    title: str
    description: str
    source: str
    smooth: Callable[[np.ndarray, float], np.ndarray]

    def denoise(self, noisy: np.ndarray, sigma: float | None = None) -> np.ndarray:
        """Return ``noisy`` with less noise; see the top of the module for the contract."""
        noisy = np.ascontiguousarray(noisy, np.float32)
        if sigma is None:
            sigma = estimate_sigma(noisy)
        if not sigma >= 0:
            raise ValueError(f"sigma must not be negative, got {sigma}")
        if sigma == 0:
            return noisy
        return np.clip(self.smooth(noisy, sigma), 0, 1).astype(np.float32)

    def fitted_to(self, picture: np.ndarray) -> "Classical":
        """Return the filter for tiles of a picture ``(H, W, C)`` of 8 bits or ``float32``.

        What it has to know of the whole picture that is told of a noise level, it reads here.
        """
        return self


CLASSICAL: dict[str, Classical] = by_name(
    [
        Classical(
            "median",
            "Median",
            "Each pixel becomes the middle one of its neighbours, sorted by value.",
            "Huang, Yang and Tang, 1979",
            median,
        ),
        Classical(
            "gaussian",
            "Gaussian blur",
            "Each pixel becomes a mean of its neighbours, the nearest counting most.",
            "Gonzalez and Woods, Digital Image Processing",
            gaussian,
        ),
        Classical(
            "non-local-means",
            "Non-local means",
            "Each pixel becomes a mean of pixels whose surroundings look like its own.",
            "Buades, Coll and Morel, 2005",
            non_local_means,
        ),
        Classical(
            "total-variation",
            "Total variation",
            "Finds flat areas with sharp edges that stay close to the noisy picture.",
            "Rudin, Osher and Fatemi, 1992",
            total_variation,
        ),
        Classical(
            "wavelet",
            "Wavelet",
            "Splits the picture into fine and coarse detail and weakens what looks like noise.",
            "Coifman and Donoho, 1995; Mihcak et al., 1999",
            wavelet,
        ),
    ]
)


def with_digit_curve(filter: Classical, kind_name: str, strength: float) -> Classical:
    """Return the filter at its best for *digits* under a known noise, for a fair comparison.

    Clipping to [0, 1] lifts a black background under strong noise, which no filter can know of.
    A curve of grey levels, fitted on training digits (``train/evaluate/output_curves.py``), takes
    that back, and the filter is told another noise level where it then does better.  Between two
    fitted strengths both are mixed; where nothing was fitted, the filter is returned as it is.
    """
    fitted = digit_curves().get(kind_name, {}).get(filter.name)
    if fitted is None or strength == 0:
        return filter
    place = np.interp(strength, fitted.strengths, np.arange(len(fitted.strengths)))
    below = min(int(place), len(fitted.strengths) - 2)
    mix = np.array([1 - (place - below), place - below])
    level_factor = float(mix @ fitted.boosts[below : below + 2])
    curve = mix @ fitted.curves[below : below + 2]

    def smooth(noisy: np.ndarray, sigma: float) -> np.ndarray:
        return apply_curve(filter.denoise(noisy, level_factor * sigma), curve)

    return replace(filter, smooth=smooth)


def apply_curve(image: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Return the values of ``image`` read off a curve whose knots lie equally spaced in [0, 1]."""
    return np.interp(image, np.linspace(0, 1, len(curve)), curve)


@dataclass(frozen=True)
class DigitCurves:
    """For strengths rising from 0: factors for the noise level, ``(S,)``, curves ``(S, K)``."""

    strengths: np.ndarray
    boosts: np.ndarray
    curves: np.ndarray


@cache
def digit_curves() -> dict[str, dict[str, DigitCurves]]:
    """Return the fitted curves by noise kind and filter; empty where their file is missing."""
    if not CURVES.exists():
        return {}
    fitted = json.loads(CURVES.read_text())
    return {
        kind: {name: _from_strength_0(**entry) for name, entry in filters.items()}
        for kind, filters in fitted.items()
    }


def _from_strength_0(strengths: list, boosts: list, curves: list) -> DigitCurves:
    """The fitted entry with a first strength of 0, at which nothing is changed."""
    identity = np.linspace(0, 1, len(curves[0]))
    return DigitCurves(
        strengths=np.array([0.0, *strengths]),
        boosts=np.array([1.0, *boosts]),
        curves=np.vstack([identity, curves]),
    )


def _room(picture: np.ndarray) -> float:
    """How much wider than on a digit of 28 pixels a filter may reach.

    The lines of a digit are three pixels wide and everything in it is detail; photos have more
    even places the more pixels they have, up to about 336.
    """
    return min(min(picture.shape[:2]) / SIDE, 12) ** (1 / 3)


def _spread(magnitude: np.ndarray) -> float:
    """The standard deviation of normal numbers with these magnitudes, zeros left out."""
    magnitude = magnitude[magnitude > 1e-9]
    return np.median(magnitude) / _MEDIAN_MAGNITUDE if magnitude.size else 0.0


def _by_opponent_colours(
    noisy: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Smooth brightness and colour apart, as colour varies less; a rotation keeps white noise."""
    if noisy.shape[-1] != 3:
        return smooth(noisy)
    return smooth(noisy @ _OPPONENT.T.astype(np.float32)) @ _OPPONENT.astype(np.float32)


def _haar(image: np.ndarray, step: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and differences of pixels ``step`` apart, the picture continuing at its other end."""
    neighbour = np.roll(image, -step, axis)
    return (image + neighbour) / 2**0.5, (image - neighbour) / 2**0.5


def _unhaar(low: np.ndarray, high: np.ndarray, step: int, axis: int) -> np.ndarray:
    """The picture that has these sums and differences: the mean of its two reconstructions."""
    return (low + high + np.roll(low - high, step, axis)) / 2**1.5


def _weaken(detail: np.ndarray, noise: float) -> np.ndarray:
    """Wiener's rule with the mean square of the 5x5 neighbours in place of the unknown signal."""
    power = ndimage.uniform_filter(np.square(detail), 5, axes=(0, 1), mode="wrap")
    return detail * (np.maximum(power - noise, 0) / np.maximum(power, 1e-12))
