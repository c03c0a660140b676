"""Measures networks and filters on photos: Kodak24 with noise added, PolyU with a camera's own.

All methods see the same noisy pictures and are told the same level.  Kodak24 is never trained on;
of PolyU only the scenes that the task keeps back are measured.

Photos are ``uint8 (H, W, C)``.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from imaging import metrics
from imaging.filters import CLASSICAL
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from imaging.pixels import to_pixels
from imaging.specialists import SPECIALISTS
from models.catalogue import Card, Score, find_card
from models.digit_scores import SEED, Row
from models.methods import Method, network_method
from models.predictor import load_predictor
from models.tasks.contract import Examples
from models.tasks.data_folder import data_folder
from models.tasks.denoise_photos import TASK
from models.tasks.denoise_photos.data import KODAK24, POLYU, held_out_pairs
from models.tasks.denoise_photos.solve import level_of
from train.evaluate.cards import write_card
from train.evaluate.measure import scores_of
from train.evaluate.measure_task import measure_method
from train.evaluate.tables import PAPER_NOISE, PAPER_SIGMAS

ALL, SOME = 24, 8  # pictures; every third where a whole slider is measured
# Of each slider, where all pictures are measured.
HEADLINES = {
    "gaussian": [sigma / 255 for sigma in PAPER_SIGMAS],
    "poisson": [0.183],  # 30 photons at white
    "speckle": [0.25],
    "salt-and-pepper": [0.05],
    "jpeg": [80],
}
REST = {
    "gaussian": [5 / 255, 75 / 255],
    "poisson": [0.05, 0.1, 0.3, 0.5],
    "speckle": [0.05, 0.1, 0.4, 0.6],
    "salt-and-pepper": [0.01, 0.2, 0.35, 0.5],
    "jpeg": [10, 40, 60, 90, 95],
    "camera": [4, 16, 64, 128, 256],
}
# Filters to beat, of each noise: those that are ahead of the others somewhere on its slider.
RIVALS = {
    "gaussian": ["wavelet"],
    "poisson": ["anscombe"],
    "speckle": ["anscombe", "log-wavelet"],
    "salt-and-pepper": ["switching"],
    "jpeg": ["shifted-blocks"],
    "camera": ["wavelet", "shifted-blocks"],
}


def conditions() -> Iterator[tuple[str, float, int]]:
    """Yield noise, strength and how many pictures are measured there."""
    for sigma in PAPER_SIGMAS:
        yield PAPER_NOISE, round(sigma / 255, 6), ALL
    for table, count in ((HEADLINES, ALL), (REST, SOME)):
        for noise, strengths in table.items():
            for strength in strengths:
                yield noise, round(strength, 6), count


def kodak24() -> list[np.ndarray]:
    """Load the 24 photos, ``float32 (500, 500, 3)``.

    Raises:
        OSError: if they are not there.
    """
    folder = data_folder()
    files = sorted((folder / "photos" / "kodak24").glob("*.*")) if folder else []
    if not files:
        raise OSError("Kodak24 is looked for in photos/kodak24 of DENOISE_DATA_DIR")
    return [open_photo(path) for path in files]


def degrade(clean: np.ndarray, noise: str, strength: float, index: int) -> np.ndarray:
    """Return picture number ``index`` with the noise that every method is measured on."""
    seed = (SEED, round(strength * 1e6), index)
    if noise == PAPER_NOISE:
        return clean + np.float32(strength) * np.random.default_rng(seed).standard_normal(
            clean.shape, np.float32
        )
    noisy = PHOTO_NOISE_KINDS[noise].corrupt(clean, strength, np.random.default_rng(seed))
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.float32) / np.float32(255)


def evaluate_kodak24(
    names: list[str], filters: bool, say: Callable[[str], None] = print
) -> list[Row]:
    """Measure the named networks and, if wanted, all filters; write the cards; return the rows."""
    cards = [find_card(name) for name in names]
    methods = _methods(cards, filters)
    photos = kodak24()
    rows: list[Row] = []
    for noise, strength, count in conditions():
        chosen = photos[:: ALL // count]
        noisy = [degrade(clean, noise, strength, i) for i, clean in enumerate(chosen)]
        levels = [
            strength
            if noise == PAPER_NOISE
            else level_of(noise, strength, to_pixels(before), to_pixels(after))
            for before, after in zip(chosen, noisy, strict=True)
        ]
        pairs = Examples(chosen, noisy)
        rows += [_row(method, pairs, levels, KODAK24, noise, strength) for method in methods]
        say(_line(rows[-len(methods) :]))
    _write_cards(cards, rows)
    return rows


def evaluate_auto(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, str, float], tuple[float, float, float]]:
    """Measure networks that are told no level on every noise of the sliders, 8 photos or fewer.

    Returns, by network, noise and strength, the PSNR of what went in, of the best of ``RIVALS``,
    each told the level or left to find it, whichever is better, and of the network's answer.
    """
    predictors = {name: load_predictor(find_card(name)) for name in names}
    photos = kodak24()[:: ALL // SOME * every]
    found = {}
    for noise, strength, _ in conditions():
        if noise == PAPER_NOISE:
            continue
        noisy = [degrade(clean, noise, strength, i) for i, clean in enumerate(photos)]
        pairs = list(zip(photos, noisy, strict=True))
        levels = [
            level_of(noise, strength, to_pixels(before), to_pixels(after))
            for before, after in pairs
        ]
        scores = {}
        for name in RIVALS[noise]:
            for told in (levels, [None] * len(levels)):
                answers = [
                    TASK.baselines[name].run(seen, sigma)
                    for seen, sigma in zip(noisy, told, strict=True)
                ]
                scores[f"{name}{' told' * (told is levels)}"] = _psnr(photos, answers)
        rival = max(scores, key=lambda name: scores[name])
        before = _psnr(photos, noisy)
        for name, predictor in predictors.items():
            after = _psnr(photos, [predictor.predict(seen) for seen in noisy])
            found[name, noise, strength] = before, scores[rival], after
            say(
                f"{name}, {noise} {strength:g}: {before:.2f} -> {after:.2f} dB, "
                f"{rival} {scores[rival]:.2f}, {after - scores[rival]:+.2f}, {len(photos)} photos"
            )
    return found


def _psnr(clean: list[np.ndarray], answers: list[np.ndarray]) -> float:
    return float(np.mean([metrics.psnr(*pair) for pair in zip(clean, answers, strict=True)]))


def evaluate_polyu(
    names: list[str], filters: bool, say: Callable[[str], None] = print
) -> list[Row]:
    """Measure on camera noise, whose level nobody knows: each network reads it for itself.

    Filters are told what is estimated as if the noise were white.
    """
    cards = [find_card(name) for name in names]
    clean, noisy = zip(*held_out_pairs(data_folder()), strict=True)
    levels = [estimate_level(each) for each in noisy]
    rows = [
        _row(method, Examples(clean, noisy), None if method.card else levels, POLYU, "camera", 0)
        for method in _methods(cards, filters)
    ]
    say(_line(rows))
    _write_cards(cards, rows)
    return rows


def _methods(cards: list[Card], filters: bool) -> list[Method]:
    methods = [Method("noisy", "Noisy", "none", "", lambda noisy, level=None: noisy)]
    methods += [network_method(card, load_predictor(card)) for card in cards]
    if filters:
        methods += [
            Method(each.name, each.title, "filter", each.description, each.denoise)
            for each in (*CLASSICAL.values(), *SPECIALISTS.values())
        ]
    return methods


def _row(
    method: Method,
    photos: Examples,
    levels: list[float] | None,
    data: str,
    noise: str,
    strength: float,
) -> Row:
    scores, seconds = measure_method(TASK, method, photos, levels)
    about = (method.name, method.family, data, noise, strength, len(photos))
    return Row(*about, **scores, read=None, seconds_per_picture=float(f"{seconds:.3g}"))


def _line(rows: list[Row]) -> str:
    values = ", ".join(f"{row.method} {row.psnr:.2f}" for row in rows)
    return f"{rows[0].noise} {rows[0].strength:g}, {rows[0].pictures} photos: {values}"


def _write_cards(cards: list[Card], rows: list[Row]) -> None:
    """Put the new scores in place of those of the same noise, a camera's own or an added one."""
    for card in cards:
        new = scores_of(card.name, rows)
        kinds = {_kind(score) for score in new}
        kept = [score for score in card.scores if _kind(score) not in kinds]
        write_card(dataclasses.replace(card, scores=(*kept, *new)))


def _kind(score: Score) -> tuple[str, bool, bool]:
    return score.degradation, score.clipped, score.strength > 0


def open_photo(path: Path) -> np.ndarray:
    """Return the pixels of a file, ``float32 (H, W, 3)`` in [0, 1]."""
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"), np.float32) / np.float32(255)
