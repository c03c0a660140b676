"""What is computed on the Draw page: the noisy picture, and what a method makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imaging import metrics
from imaging.noise import NoiseKind
from models.catalogue import Card
from models.methods import Method, find_method
from models.tasks import denoise_digits
from pages.components.cached import get_predictor
from pages.components.methods import Result, run_all

TASK = denoise_digits.TASK


@dataclass(frozen=True)
class Restored:
    """A picture, its noisy version and the answer of a method, each ``(28, 28, 1)`` in [0, 1].

    ``source`` says where the picture is from; "nothing" is black, and nothing to compare with.
    """

    source: str
    clean: np.ndarray
    kind: NoiseKind
    strength: float
    seed: int
    noisy: np.ndarray
    sigma: float
    method: Method
    denoised: np.ndarray

    @property
    def reference(self) -> np.ndarray | None:
        """What quality is measured against."""
        return None if self.source == "nothing" else self.clean

    @property
    def pictures(self) -> dict[str, np.ndarray]:
        """The pictures by their titles on screen."""
        pictures = {"Original": self.clean, "Noisy": self.noisy, "Denoised": self.denoised}
        if self.reference is None:
            del pictures["Original"]
        return pictures

    @property
    def settings(self) -> dict[str, object]:
        """How it was made, for the file that a visitor downloads."""
        return {
            "picture": self.source,
            "noise": self.kind.name,
            "strength": self.strength,
            "seed": self.seed,
            "model": self.method.name,
        }

    def by_every_method(self, cards: Mapping[str, Card]) -> list[Result]:
        """Return the answers of all methods to the same noisy picture."""
        return run_all(TASK, cards, (self.kind.name, self.strength), self.noisy, self.sigma)


def restore(
    source: str,
    clean: np.ndarray,
    noise: tuple[NoiseKind, float, int],
    name: str,
    cards: Mapping[str, Card],
) -> Restored:
    """Add noise, given as kind, strength and seed, and remove it by the method called ``name``.

    ``clean`` is ``(28, 28, 1)`` in [0, 1].

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    kind, strength, seed = noise
    noisy = np.clip(kind.corrupt(clean, strength, np.random.default_rng(seed)), 0, 1)
    sigma = metrics.rms(clean, noisy)
    method = find_method(TASK, name, cards, get_predictor, (kind.name, strength))
    denoised = method.run(noisy, sigma)
    return Restored(source, clean, kind, strength, seed, noisy, sigma, method, denoised)
