"""Measures the visitor's own networks as those of the catalogue were, while the page is shown."""

import dataclasses
from collections.abc import Mapping
from functools import partial

import pandas as pd
import streamlit as st

from imaging.pixels import to_image
from models import digit_scores
from models.catalogue import PRETRAINED, Card, ModelError
from models.digit_scores import Row
from models.methods import method_names
from models.picture_queue import Watch
from models.predictor import Predictor
from models.tasks.data_folder import data_folder
from models.tasks.denoise_digits import TASK
from models.tasks.digits import REPORTED, read_held_out
from pages.components.cached import get_predictor
from pages.components.compare.measurements import Measurements, noise_kind
from pages.components.draw_settings import fitting
from pages.components.long_work import result_of
from pages.components.picture_cache import Owner

DIGITS, FEWEST = 1_000, 100
SECONDS = 60.0  # A network that would take longer for a noise is measured on fewer digits.


def own_cards(cards: Mapping[str, Card]) -> dict[str, Card]:
    """Return the cards of the visitor's own networks that denoise digits."""
    denoisers = method_names(TASK, cards)
    return {
        name: card
        for name, card in fitting(cards).items()
        if card.folder.parent != PRETRAINED and name in denoisers
    }


def with_own(measurements: Measurements, cards: Mapping[str, Card]) -> Measurements:
    """Return the measurements with those of the visitor's own networks under the chosen noise.

    They are made in the queue, and kept for a while; until they are there, the page shows how far
    they are.
    """
    state, known = st.session_state, set(measurements.rows["method"])
    noise = noise_kind(state.measured_noise)
    mine = {name: card for name, card in own_cards(cards).items() if name not in known}
    if not mine or state.measured_on != REPORTED or noise not in TASK.degradations:
        return measurements
    if data_folder() is None:
        titles = ", ".join(card.title for card in mine.values())
        st.info(
            f"{titles}: not measured here, because this server has no held-out digits.",
            icon=":material/folder_off:",
        )
        return measurements
    rows: list[Row] = []
    for name, card in mine.items():
        try:
            work = partial(
                measure, get_predictor(card), get_predictor(cards[TASK.reader]), card, noise
            )
        except (KeyError, ModelError) as problem:
            st.warning(f"{problem} It is left out.", icon=":material/heart_broken:")
            continue
        found = result_of(
            f"measuring {name}",
            state.setdefault("compare_owner", Owner()),
            ("measured", card.sha256, noise),
            work,
            doing=f"Measuring {card.title} on {DIGITS:,} digits",
            failed=f"{card.title} could not be measured.",
        )
        if found and name not in state.setdefault("own_highlighted", []):
            state.own_highlighted.append(name)
            state.highlight = name  # Once: it is what the visitor waits for.
        # Another network of the visitor's may be the same file.
        rows += [dataclasses.replace(row, method=name) for row in found or ()]
    if not rows:
        return measurements
    added = pd.DataFrame.from_records(map(dataclasses.asdict, rows))
    return dataclasses.replace(
        measurements, rows=pd.concat([measurements.rows, added], ignore_index=True)
    )


def measure(
    predictor: Predictor, reader: Predictor, card: Card, noise: str, watch: Watch
) -> list[Row]:
    """Return the rows of a network at all strengths of a noise at which others were measured."""
    pictures, labels = read_held_out(data_folder())
    strengths = [strength for kind, strength in digit_scores.conditions() if kind == noise]
    method = digit_scores.network(predictor, card.name)
    rows: list[Row] = []
    count = FEWEST
    for done, strength in enumerate([strengths[0], *strengths]):
        watch(done, len(strengths) + 1)
        found = digit_scores.measure(
            [method],
            to_image(digit_scores.evenly(count, pictures)),
            digit_scores.evenly(count, labels),
            (REPORTED, noise, strength),
            reader,
        )
        if done:
            rows += found
        else:  # The first only tells how long a digit takes.
            each = found[0].seconds_per_picture * len(strengths)
            count = min(DIGITS, max(FEWEST, int(SECONDS / each)))
    return rows


def words(measurements: Measurements, cards: Mapping[str, Card]) -> str:
    """Return a sentence on how the visitor's own networks were measured; nothing without any."""
    rows = measurements.rows
    mine = rows[rows["method"].isin(list(own_cards(cards)))]
    if mine.empty:
        return ""
    titles = ", ".join(cards[name].title for name in mine["method"].unique())
    return (
        f"Measured on this server, just now, on {mine['pictures'].min():,} held-out digits: "
        f"{titles}. The noise is the same; times are those of this server."
    )
