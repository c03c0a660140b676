"""The settings of the Compare page, which follow the Draw page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.catalogue import Card
from models.methods import method_names
from models.tasks.denoise_digits import TASK
from pages.components import link, widgets
from pages.components.compare.measurements import (
    FAMILIES,
    MEASURES,
    PICTURES,
    MeasurementsError,
    read_measurements,
)
from pages.components.controls import HIGHEST_SEED, digit_settings, noise_settings
from pages.components.draw_settings import DrawSettings, on_arrival, open_link_and_follow
from pages.components.settings import Setting, reset

PREFIX = "trust_"
VIEWS = {"measured": "Measured", "blind": "Blind test", "trust": "Trust map"}
BETWEEN = ";"  # Names of noises have commas in them.


def settings(cards: Mapping[str, Card]) -> list[Setting]:
    """Return the settings of the page."""
    default, methods = on_arrival(cards), method_names(TASK, cards)
    data_sets, measured, noises = _measured()
    parse_noise = link.one_of("noise", noises)
    return [
        Setting("compare", next(iter(VIEWS)), link.one_of("view", VIEWS)),
        Setting("measured_on", next(iter(PICTURES)), link.one_of("picture set", data_sets)),
        Setting("measured_by", next(iter(MEASURES)), link.one_of("measure", MEASURES)),
        Setting("measured_noise", default.noise, parse_noise),
        Setting("measured_at", default.strength, link.number("strength", 0, 100)),
        Setting("highlight", default.model, link.one_of("method", [*methods, *measured])),
        _several("table_families", link.one_of("family", FAMILIES)),
        _several("table_noises", parse_noise),
        Setting("blind_seed", 1, link.number("seed", 0, HIGHEST_SEED, int)),
        *noise_settings(PREFIX, PREFIX, default.strength),
        Setting("trust_model", default.model, link.one_of("model", methods)),
        *digit_settings(PREFIX),
    ]


def open_link(table: list[Setting], cards: Mapping[str, Card]) -> None:
    """Start with what the link says, and go along with what has changed on the Draw page."""
    open_link_and_follow(table, PREFIX, cards, _follow)


def show_reset(table: list[Setting]) -> None:
    """Draw the button that puts everything back."""
    puts_back = "Resets all settings of this page, and the blind test."
    widgets.reset_button(_reset, table, help=puts_back, key="compare_reset")


def _follow(there: DrawSettings) -> dict[str, Any]:
    return {
        "measured_noise": there.noise,
        "measured_at": there.strength,
        "highlight": there.model,
        "trust_digit": there.digit,
        "trust_noise": there.noise,
        "trust_strength": there.strength,
        "trust_seed": there.seed,
        "trust_model": there.model,
        "trust_drawing": there.drawing,
    }


def _measured() -> tuple[list[str], list[str], list[str]]:
    """Return the names of the data sets, methods and noises that were measured."""
    try:
        measurements = read_measurements()
    except MeasurementsError:  # The view that needs them says so.
        return list(PICTURES), [], [*(NOISE_KINDS | PHOTO_NOISE_KINDS)]
    rows = measurements.rows
    return measurements.data_sets(), list(rows["method"].unique()), list(rows["noise"].unique())


def _reset(table: list[Setting]) -> None:
    view = st.session_state.compare
    reset(table)
    st.session_state.compare = view
    st.session_state.pop("blind", None)


def _several(key: str, parse: link.Parser) -> Setting:
    """A choice of several, none of them by default."""
    return Setting(key, [], link.several(parse, BETWEEN), BETWEEN.join)
