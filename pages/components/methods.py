"""Networks and classical filters as one list: whatever turns a noisy picture into a clean one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imaging.filters import CLASSICAL, with_digit_curve
from imaging.noise import NoiseKind
from models.catalogue import Card, ModelError
from pages.components.cached import get_denoiser


@dataclass(frozen=True)
class Method:
    """A way to denoise, with its card where it is a trained network."""

    name: str
    title: str
    denoise: Callable[[np.ndarray, float | None], np.ndarray]
    card: Card | None = None


@dataclass(frozen=True)
class Result:
    """What one method made of the noisy picture, and how long it took, in milliseconds.

    It is run twice and the faster run counts: the first one of a network also sets it up, and
    either may have had to wait for other visitors.
    """

    method: Method
    denoised: np.ndarray
    milliseconds: float


def load_method(name: str, cards: dict[str, Card], kind: NoiseKind, strength: float) -> Method:
    """Return the method called ``name``.

    A classical filter gets its fair chance: the curve for this noise that undoes the bias
    which clipping leaves in the blacks.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    if name in cards:
        card = cards[name]
        return Method(name, card.title, get_denoiser(card).denoise, card)
    classical = CLASSICAL[name]
    fair = with_digit_curve(classical, kind.name, strength)
    return Method(name, method_title(name, cards), fair.denoise)


def run_all(
    cards: dict[str, Card],
    kind: NoiseKind,
    strength: float,
    noisy: np.ndarray,
    sigma: float,
) -> list[Result]:
    """Denoise one picture by every method; one whose weights are broken is left out."""
    results = []
    for name in method_names(cards):
        try:
            method = load_method(name, cards, kind, strength)
        except ModelError:
            continue  # The picker says so to whoever chooses it.
        times = []
        for _ in range(2):
            start = time.perf_counter()
            denoised = method.denoise(noisy, sigma)
            times.append(1000 * (time.perf_counter() - start))
        results.append(Result(method, denoised, min(times)))
    return results


def method_names(cards: dict[str, Card]) -> list[str]:
    """Return the names of all denoising models of digits, best first, and of the filters."""
    networks = [name for name, card in cards.items() if card.denoises and not card.for_photos]
    return networks + list(CLASSICAL)


def method_title(name: str, cards: dict[str, Card]) -> str:
    """Return what a method is called on screen."""
    return cards[name].title if name in cards else f"{CLASSICAL[name].title} (classical)"
