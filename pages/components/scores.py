"""What there is to say about a result: quality, what a reader reads, warnings, the others.

Pictures are ``(H, W, 1)``, ``float32`` in [0, 1]; the digit reader takes 28 by 28.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

import numpy as np
import streamlit as st

from imaging import metrics
from imaging.noise import NOISE_KINDS, NoiseKind
from models.catalogue import Card, ModelError
from models.methods import Method
from pages.components.cached import get_cards, get_predictor
from pages.components.explain import PSNR
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.methods import Result

READER = "digit-reader"
SURE = 0.5  # A reading below this probability is a guess.

Reading = tuple[int, float]  # digit, probability
Name = TypeVar("Name", bound=Hashable)


def read_digits(
    pictures: Mapping[Name, np.ndarray], cards: Mapping[str, Card]
) -> dict[Name, Reading]:
    """Return what the digit reader sees in each picture; empty where there is no reader."""
    try:
        reader = get_predictor(cards[READER])
    except (KeyError, ModelError):
        return {}
    answers = reader.predict_batch(np.stack(list(pictures.values())))
    return {
        title: (int(row.argmax()), float(row.max()))
        for title, row in zip(pictures, answers, strict=True)
    }


def read_thumbnails(
    pictures: Mapping[str, np.ndarray],
    clean: np.ndarray | None = None,
    unmeasured: Collection[str] = (),
    what: str = "",
) -> list[Thumbnail]:
    """Return pictures with what the digit reader sees in each, and their PSNR against ``clean``.

    ``unmeasured`` are those without a PSNR, beside the clean one; ``what`` follows each title in
    the words for people who cannot see them.
    """
    readings = read_digits(pictures, get_cards()[0])
    entries = []
    for title, picture in pictures.items():
        lines = []
        if clean is not None and picture is not clean and title not in unmeasured:
            lines.append(decibel(metrics.psnr(clean, picture)))
        if title in readings:
            lines.append(f"reader: {as_text(readings[title])}")
        alt = ", ".join([f"{title} {what}".strip(), *lines])
        entries.append(Thumbnail(title, picture, tuple(lines), alt))
    return entries


def captions(pictures: dict[str, np.ndarray], readings: dict[str, Reading]) -> dict[str, str]:
    """Return the line below each picture in the viewer: PSNR, and what the reader reads.

    The live preview writes the same (static/live/preview.js).
    """
    clean = pictures.get("Original")
    lines: dict[str, list[str]] = {title: [] for title in pictures}
    for title, picture in pictures.items():
        if clean is not None and title != "Original":
            lines[title].append(decibel(metrics.psnr(clean, picture)))
        if title in readings:
            lines[title].append(f"reader: {as_text(readings[title])}")
    return {title: " · ".join(line) for title, line in lines.items()}


def as_text(reading: Reading) -> str:
    """Return a reading as text: "7 (98 %)", not to be broken before %; no reader is ever sure."""
    digit, probability = reading
    percent = ">99" if probability > 0.99 else f"{probability * 100:.0f}"
    return f"{digit} ({percent}\N{NO-BREAK SPACE}%)"


def decibel(value: float) -> str:
    """Return a PSNR as text; a perfect picture has an infinite one."""
    return "∞ dB" if math.isinf(value) else f"{value:.1f} dB"


def gained(before: float, after: float) -> str:
    """Return how many decibels were gained, with its sign; nothing where either is infinite."""
    return "" if math.isinf(before) or math.isinf(after) else f"{after - before:+.1f}"


def show_quality(clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray) -> None:
    """Draw PSNR, SSIM and MSE of the denoised picture, with what was gained on the noisy one."""
    show_measured(metrics.measure(clean, noisy), metrics.measure(clean, denoised))


def show_measured(before: metrics.Quality, after: metrics.Quality) -> None:
    """Draw the numbers of the denoised picture with what was gained on the noisy one."""
    with st.container(horizontal=True):
        st.metric(
            "PSNR",
            decibel(after.psnr),
            f"{gain} dB" if (gain := gained(before.psnr, after.psnr)) else None,
            delta_description=f"from {decibel(before.psnr)}",
            help=f"{PSNR} Below it, the gain over the noisy picture.",
        )
        st.metric(
            "SSIM",
            f"{after.ssim:.3f}",
            f"{after.ssim - before.ssim:+.3f}",
            delta_description=f"from {before.ssim:.3f}",
            help="Structural similarity to the original: 1 means identical.",
        )
        st.metric(
            "MSE",
            f"{after.mse:.4f}",
            f"{after.mse - before.mse:+.4f}",
            delta_color="inverse",
            delta_description=f"from {before.mse:.4f}",
            help="Mean squared error against the original: lower is better.",
        )


def warn_if_worse(method: Method, before: float, after: float) -> None:
    """Say so if the error of the denoised picture is larger than that of the noisy one."""
    if after > before:
        st.warning(
            "Denoising made it worse: the noisy picture is closer to the original than the result "
            f"of {method.title}.",
            icon=":material/trending_down:",
        )


def show_warnings(
    method: Method,
    kind: NoiseKind,
    strength: float,
    clean: np.ndarray | None,
    noisy: np.ndarray,
    denoised: np.ndarray,
    readings: dict[str, Reading],
) -> None:
    """Say in plain sentences what is wrong with this result, if anything is."""
    if clean is not None:
        warn_if_worse(method, metrics.mse(clean, noisy), metrics.mse(clean, denoised))
    original, denoised = readings.get("Original"), readings.get("Denoised")
    if original and denoised and original[0] != denoised[0] and original[1] > SURE:
        st.warning(
            f"The digit changed: the reader saw {as_text(original)} in the original and now sees "
            f"{as_text(denoised)}. A clean picture is not always a correct one.",
            icon=":material/visibility_off:",
        )
    if method.card is not None:
        sentence = outside_training(method.card, kind, strength)
        if sentence:
            st.info(sentence, icon=":material/school:")


def outside_training(card: Card, kind: NoiseKind, strength: float) -> str | None:
    """Return a sentence if this noise is none that the model was trained on, as far as is known."""
    if not card.training:
        return None
    if not card.noise:
        return f"{card.title} has never seen noise: it was trained to rebuild clean pictures."
    if kind.name not in card.trained_ranges:
        known = ", ".join(NOISE_KINDS[name].title for name in card.trained_ranges)
        return f"{card.title} was trained on {known} noise. It has never seen {kind.title} noise."
    low, high = card.trained_ranges[kind.name]
    if not low <= strength <= high:
        return (
            f"{card.title} was trained on strengths from {low:g} to {high:g}; {strength:g} is "
            "outside that range."
        )
    return None


def show_all_methods(
    results: list[Result], clean: np.ndarray | None, noisy: np.ndarray, chosen: str
) -> None:
    """Draw every method's result on the same noisy picture, the best ones first.

    Without a clean picture there is nothing to measure: the order is then the catalogue's.
    """
    before = None if clean is None else metrics.psnr(clean, noisy)
    entries = []
    for result in results:
        card = result.method.card
        lines = [card.gloss] if card and card.gloss else []
        lines.append(f"{card.parameters:,} parameters" if card else "no parameters")
        lines.append(f"{result.milliseconds:.1f} ms")
        after = None
        if clean is not None:
            after = metrics.psnr(clean, result.answer)
            gain = gained(before, after)
            lines.insert(0, f"{decibel(after)} ({gain})" if gain else decibel(after))
        entry = Thumbnail(
            result.method.title,
            result.answer,
            tuple(lines),
            alt=f"Denoised by {result.method.title}",
            chosen=result.method.name == chosen,
        )
        entries.append((after or 0, entry))
    entries.sort(key=lambda pair: -pair[0])
    show_gallery(entry for _, entry in entries)
