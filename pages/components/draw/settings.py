"""The settings of the Draw page; the session keeps them under keys that begin with ``draw_``."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from imaging.samples.not_digits import SAMPLES
from imaging.samples.strokes import FIRST
from models.catalogue import Card
from models.methods import method_names
from models.tasks.denoise_digits import TASK
from pages.components import link
from pages.components import settings as page_settings
from pages.components.cached import first_for_all
from pages.components.controls import DIGITS, chosen_noise, noise_settings
from pages.components.settings import Setting

PREFIX = "draw_"
SOURCES = {"digit": "Digit", "other": "Not a digit", "nothing": "Pure noise"}
BLANK = "blank"
STARTS = [*DIGITS, BLANK]
DRAWN = "your drawing"  # Marked while there is one, in place of what it was begun from.


def settings(cards: dict[str, Card]) -> list[Setting]:
    """Return the settings of the page."""
    methods = method_names(TASK, cards)
    return [
        Setting("draw_source", "digit", link.one_of("picture", SOURCES), name="source"),
        Setting("draw_start", FIRST, link.one_of("start", STARTS), counts=_starts, name="start"),
        Setting(
            "draw_sample",
            next(iter(SAMPLES)),
            link.one_of("sample", SAMPLES),
            counts=lambda values: values["draw_source"] == "other",
            name="sample",
        ),
        *noise_settings(PREFIX, "", lambda: chosen_noise(PREFIX).default),
        Setting("draw_model", first_for_all(methods), link.one_of("model", methods), name="model"),
        Setting(
            "draw_drawing",
            None,
            link.drawing,
            link.drawing_to_text,
            counts=lambda values: values["draw_source"] == "digit",
            name="drawing",
        ),
    ]


def open_link(table: list[Setting]) -> None:
    """Start with what the link says, and say what of it makes no sense."""
    again, state = link.is_history_navigation(), st.session_state
    page_settings.show_problems(page_settings.open_link(table, again=again))
    if again or "draw_earlier_drawing" not in state:
        state.draw_earlier_drawing = state.draw_drawing
        state.draw_canvas_round = state.get("draw_canvas_round", 0) + again


def _starts(values: Mapping[str, Any]) -> bool:
    """Say whether the picture is the digit to start from, on which nobody has drawn yet."""
    return values["draw_source"] == "digit" and values["draw_drawing"] is None
