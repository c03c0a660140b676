"""Output curves: compare the classical filters fairly on digits.

A filter cannot know that clipping to [0, 1] has lifted the black background; a network learns it.
So that a comparison does not measure this handicap, each filter gets one rising curve of grey
levels for each noise and strength, and the noise level it should be told when a curve follows.
Both are fitted here on training digits and kept in ``imaging/output_curves.json``.

Digits are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import isotonic_regression

from imaging import metrics
from imaging.filters import CLASSICAL, CURVES, Classical, apply_curve
from imaging.noise import NOISE_KINDS, NoiseKind
from imaging.pixels import to_image
from train.run_folder import write_whole

KNOTS = 33
STRENGTHS = 10
# What the noise level is multiplied by before a filter is told; 0 leaves all to the curve.
BOOSTS = (0.0, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 1.55, 1.7, 2.0, 2.4, 2.8, 4.0)
DIGITS = 600
DIGITS_TO_CHOOSE = 160
SEED = 20_080


def write_curves(
    path: Path = CURVES,
    digits: np.ndarray | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Fit all curves on training ``digits``, write them as JSON and return where.

    ``digits`` is ``(N, 28, 28, 1)`` float32; without it, the first MNIST training digits are
    loaded.  ``report`` is given a line for each noise and strength, with the PSNR reached.
    """
    if digits is None:
        from train.fit.data import load_pictures  # imports Keras

        digits = to_image(load_pictures("mnist")[0][0][:DIGITS])
    fitted = fit_curves(digits, report)
    text = json.dumps(fitted, separators=(",", ":")) + "\n"
    write_whole(path, lambda unfinished: unfinished.write_text(text))
    return path


def fit_curves(digits: np.ndarray, report: Callable[[str], None] = print) -> dict:
    """Return ``{kind: {filter: {"strengths", "boosts", "curves"}}}`` of lists, ready for JSON."""
    fitted = {}
    for kind in NOISE_KINDS.values():
        entries = fitted[kind.name] = {
            name: {"strengths": [], "boosts": [], "curves": []} for name in CLASSICAL
        }
        for strength in np.linspace(0, kind.high, STRENGTHS + 1)[1:].round(4).tolist():
            reached = []
            noisy, sigmas = _corrupt(digits, kind, strength)
            for name, filter in CLASSICAL.items():
                level_factor, curve, psnr = _fit_one(filter, digits, noisy, sigmas)
                entries[name]["strengths"].append(strength)
                entries[name]["boosts"].append(level_factor)
                entries[name]["curves"].append(curve.round(3).tolist())
                reached.append(f"{name} {psnr:.2f} dB at {level_factor:g}")
            report(f"{kind.name} {strength:g}: {', '.join(reached)}")
    return fitted


def fit_curve(denoised: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return the rising curve, ``KNOTS`` values, that brings ``denoised`` closest to ``clean``.

    Straight pieces between equally spaced knots are fitted by least squares; knots that fall are
    then pooled with their neighbours.

    Source:
        Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions,
        1972, for the pooling, as SciPy computes it.
    """
    place = denoised.ravel().astype(np.float64) * (KNOTS - 1)
    below = np.minimum(place.astype(int), KNOTS - 2)
    upper = place - below
    lower = 1 - upper

    def total(lower_values: np.ndarray, upper_values: np.ndarray) -> np.ndarray:
        """Sum over the pixels, each giving to the knots on either side of it."""
        return np.bincount(below, lower_values, KNOTS) + np.bincount(below + 1, upper_values, KNOTS)

    both = np.bincount(below, lower * upper, KNOTS)[:-1]
    weights = np.diag(total(lower**2, upper**2)) + np.diag(both, 1) + np.diag(both, -1)
    target = total(lower * clean.ravel(), upper * clean.ravel())
    # A knot that no pixel comes near follows its neighbours.
    steps = np.diff(np.eye(KNOTS), axis=0)
    curve = np.linalg.solve(weights + 0.01 * steps.T @ steps, target)
    return np.clip(isotonic_regression(curve, weights=weights.sum(axis=0) + 1e-3).x, 0, 1)


def _fit_one(
    filter: Classical, clean: np.ndarray, noisy: np.ndarray, sigmas: np.ndarray
) -> tuple[float, np.ndarray, float]:
    """The boost that a few digits like best, the curve for it by all, and the PSNR in dB."""
    few = slice(DIGITS_TO_CHOOSE)
    level_factor = max(
        BOOSTS, key=lambda factor: _try(filter, factor, clean[few], noisy[few], sigmas[few])[1]
    )
    return level_factor, *_try(filter, level_factor, clean, noisy, sigmas)


def _try(
    filter: Classical, level_factor: float, clean: np.ndarray, noisy: np.ndarray, sigmas: np.ndarray
) -> tuple[np.ndarray, float]:
    denoised = np.stack(
        [
            filter.denoise(image, level_factor * sigma)
            for image, sigma in zip(noisy, sigmas, strict=True)
        ]
    )
    curve = fit_curve(denoised, clean)
    return curve, float(np.mean(metrics.batch_psnr(clean, apply_curve(denoised, curve))))


def _corrupt(clean: np.ndarray, kind: NoiseKind, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """The noisy digits, clipped as a visitor's are, and the noise level of each."""
    noisy = np.clip(kind.corrupt(clean, strength, np.random.default_rng(SEED)), 0, 1)
    return noisy, np.sqrt(np.mean(np.square(noisy - clean), axis=(1, 2, 3)))
