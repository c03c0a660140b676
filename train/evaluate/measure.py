"""Measures models and filters on held-out digits; nobody types the numbers it writes.

All methods see the same noisy pictures, those of ``models.digit_scores``.  Batches are
``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from imaging import metrics
from imaging.filters import CLASSICAL, with_digit_curve
from imaging.pixels import to_image
from models import digit_scores
from models.catalogue import UNCLIPPED, Card, Score, find_card
from models.digit_scores import FAIR, Method, Row, conditions, evenly
from models.predictor import load_predictor
from models.tasks import find_task
from models.tasks.data_folder import data_folder
from models.tasks.denoise_digits import TASK
from models.tasks.digits import DIGIT_SETS
from train.evaluate.cards import headline, write_card
from train.evaluate.tables import MEASUREMENTS, write_rows
from train.fit.data import load_pictures

ALL_DIGITS, SOME_DIGITS = 10_000, 1_000
HEADLINE = TASK.headline  # The noise factor of the tutorials, on all test digits.


def network(card: Card) -> Method:
    """Return a trained model as a method."""
    return digit_scores.network(load_predictor(card), card.name)


def filters(noise: str, strength: float) -> Iterator[Method]:
    """Yield the classical filters, each as it is and with its clip bias undone."""
    for classical in CLASSICAL.values():
        fair = with_digit_curve(classical, noise, strength)
        yield Method(classical.name, "filter", _one_by_one(classical))
        yield Method(
            f"{classical.name}{FAIR}",
            "filter",
            _one_by_one(fair),
        )


def unchanged() -> Method:
    """Return the method that leaves the noise in."""
    return Method("noisy", "none", lambda noisy, _: noisy)


def measure(
    methods: Iterable[Method], data: str, noise: str, strength: float, count: int
) -> list[Row]:
    """Measure the methods on ``count`` test pictures, spread evenly."""
    pictures, labels = _test_pictures(data, data_folder())
    reader = load_predictor(find_card(TASK.reader)) if DIGIT_SETS[data].has_labels else None
    return digit_scores.measure(
        methods,
        to_image(evenly(count, pictures)),
        evenly(count, labels),
        (data, noise, strength),
        reader,
    )


def evaluate_models(names: list[str], say: Callable[[str], None] = print) -> list[Row]:
    """Measure the named models, write the numbers into their cards, return all rows."""
    rows: list[Row] = []
    cards = [find_card(name) for name in names]
    for card in cards:
        if find_task(card.task).target.kind == "label":
            write_card(card := _measure_reader(card))
            say(f"{card.name}: {headline(card)}")
    for data in DIGIT_SETS:
        models = [
            card
            for card in cards
            if card.data == data and find_task(card.task).target.kind == "image"
        ]
        if not models:
            continue
        measured = []
        for at in conditions():
            measured += _measure_at(at, [network(card) for card in models], data)
            say(f"{data}, {at[0]} {at[1]:g}: measured")
        rows += measured
        for card in models:
            write_card(card := _with_quality(card, measured))
            say(f"{card.name}: {headline(card)}")
    return rows


def evaluate_filters(say: Callable[[str], None] = print) -> list[Row]:
    """Measure the classical filters on digits and return all rows."""
    rows = []
    for noise, strength in conditions():
        rows += _measure_at((noise, strength), filters(noise, strength), "mnist")
        best = max((row for row in rows[-2 * len(CLASSICAL) :]), key=lambda row: row.psnr)
        say(f"{noise} {strength:g}: best filter {best.method} {best.psnr:.2f} dB")
    return rows


def write_measurements(rows: list[Row], path: Path = MEASUREMENTS) -> None:
    """Put the rows into the table of all measurements, in place of older ones of these methods.

    The noisy pictures are measured beside every method; they get one row for each noise.
    """
    last = {(row.method, row.data, row.noise, row.strength): row for row in rows}
    write_rows(path, map(dataclasses.asdict, last.values()), ("method", "data"))


@lru_cache(maxsize=1)
def _test_pictures(data: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """The test pictures and their labels; a new ``folder`` is a new look."""
    return load_pictures(data)[1]


def _measure_at(at: tuple[str, float], methods: Iterable[Method], data: str) -> list[Row]:
    return measure(
        [unchanged(), *methods], data, *at, ALL_DIGITS if at == HEADLINE else SOME_DIGITS
    )


def _with_quality(card: Card, rows: list[Row]) -> Card:
    return dataclasses.replace(card, scores=tuple(scores_of(card.name, rows)))


def scores_of(name: str, rows: list[Row]) -> list[Score]:
    """Pair each row of a model with that of the noisy pictures under the same condition."""
    noisy = {(row.noise, row.strength): row for row in rows if row.method == "noisy"}
    return [
        Score(
            row.noise.removesuffix(UNCLIPPED),
            row.strength,
            row.pictures,
            _values(noisy[row.noise, row.strength]),
            _values(row),
            clipped=not row.noise.endswith(UNCLIPPED),
        )
        for row in rows
        if row.method == name
    ]


def _values(row: Row) -> dict[str, float]:
    values = {name: getattr(row, name) for name in ("psnr", "ssim", "read")}
    return {name: value for name, value in values.items() if value is not None}


def _measure_reader(card: Card) -> Card:
    pictures, labels = _test_pictures(card.data, data_folder())
    answers = load_predictor(card).predict_batch(to_image(pictures)).argmax(axis=1)
    accuracy = round(float(np.mean(answers == labels)), 5)
    score = Score("", 0.0, len(labels), {}, {"accuracy": accuracy})
    return dataclasses.replace(card, scores=(score,))


def _one_by_one(denoiser) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def run(noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                denoiser.denoise(picture, metrics.rms(truth, picture))
                for picture, truth in zip(noisy, clean, strict=True)
            ]
        )

    return run
