"""Measures ways to denoise digits on held-out ones, all on the same noisy pictures.

Noise is drawn from a seed that depends on its kind and strength alone, and clipped to [0, 1] as
on the screen.  Batches are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from imaging import metrics
from imaging.noise import NOISE_KINDS
from models.predictor import Predictor

SEED = 20_261_121
FAIR = "+curve"  # The end of the name of a filter whose clip bias is undone.


@dataclass(frozen=True)
class Method:
    """A way to denoise a batch: ``run(noisy, clean)``; filters are told the true noise level."""

    name: str
    family: str
    run: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    """One line of ``measurements.json``."""

    method: str
    family: str
    data: str
    noise: str
    strength: float
    pictures: int
    psnr: float
    ssim: float
    read: float | None
    seconds_per_picture: float


def conditions() -> list[tuple[str, float]]:
    """Return what is measured: Gaussian at 0.1 to 1.0, five levels of every other slider."""
    rows = [("gaussian", round(0.1 * step, 2)) for step in range(1, 11)]
    for kind in NOISE_KINDS.values():
        if kind.name != "gaussian":
            rows += [(kind.name, round(kind.high * step / 5, 3)) for step in range(1, 6)]
    return rows


def noisy_pictures(clean: np.ndarray, noise: str, strength: float) -> np.ndarray:
    """Return the batch with the noise that every method is measured on."""
    kind = list(NOISE_KINDS).index(noise)
    rng = np.random.default_rng((SEED, kind, round(strength * 1000)))
    return np.clip(NOISE_KINDS[noise].corrupt(clean, strength, rng), 0, 1)


def evenly(count: int, pictures: np.ndarray) -> np.ndarray:
    """Return ``count`` of the pictures, or of their labels, spread evenly, or all there are.

    The first half of MNIST's test digits was written by other people than the second, and is
    easier.
    """
    count = min(count, len(pictures))
    return pictures[np.arange(count) * len(pictures) // count] if count else pictures


def network(predictor: Predictor, name: str) -> Method:
    """Return an opened network as a method."""
    return Method(name, "network", lambda noisy, _: predictor.predict_batch(noisy))


def measure(
    methods: Iterable[Method],
    clean: np.ndarray,
    labels: np.ndarray,
    condition: tuple[str, str, float],
    reader: Predictor | None,
) -> list[Row]:
    """Measure the methods on these pictures; ``condition`` names data set, noise and strength.

    ``reader`` reads the answers, None where pictures have no labels.
    """
    data, noise, strength = condition
    noisy = noisy_pictures(clean, noise, strength)
    rows = []
    for method in methods:
        start = time.perf_counter()
        denoised = method.run(noisy, clean)
        seconds = (time.perf_counter() - start) / len(clean)
        read = None
        if reader is not None:
            read = float(np.mean(reader.predict_batch(denoised).argmax(axis=1) == labels))
        rows.append(
            Row(
                method=method.name,
                family=method.family,
                data=data,
                noise=noise,
                strength=strength,
                pictures=len(clean),
                psnr=round(float(metrics.batch_psnr(clean, denoised).mean()), 3),
                ssim=round(float(metrics.batch_ssim(clean, denoised).mean()), 4),
                read=None if read is None else round(read, 4),
                seconds_per_picture=float(f"{seconds:.3g}"),
            )
        )
    return rows
