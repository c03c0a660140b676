"""What the Compare page asks: which measurements to see."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from models.catalogue import Card
from models.digit_scores import FAIR
from pages.components import widgets
from pages.components.compare.measurements import (
    FAMILIES,
    MEASURES,
    NETWORK,
    Measure,
    Measurements,
    Pictures,
    measures_of,
    method_title,
    noise_kind,
    noise_title,
    pictures_of,
    rank,
    shown_per_unit,
)
from pages.components.compare.settings import VIEWS
from pages.components.controls import keep_valid, keep_valid_for_now
from pages.components.methods import unlike_each


@dataclass(frozen=True)
class Selection:
    """The measurements that the visitor wants to see.

    ``rows`` are those of one data set and one noise, a method's filter version with its bias
    undone in place of the plain one; beside the columns of the table they have ``title``,
    ``value``, the chosen measure, and ``shown``, the strength as a screen shows it.  ``at``
    is the strength at which methods are ranked, ``trained`` the range on which the
    highlighted one was trained with this noise.
    """

    rows: pd.DataFrame
    data: str
    noise: str
    measure: Measure
    at: float
    highlight: str
    trained: tuple[float, float] | None

    @property
    def pictures(self) -> Pictures:
        """What it was measured on."""
        return pictures_of(self.data)

    @property
    def per_unit(self) -> float:
        """By how much a screen multiplies strengths."""
        return shown_per_unit(self.noise, self.data)

    @property
    def there(self) -> pd.DataFrame:
        """The rows at the chosen strength, the best first."""
        rows = self.rows[self.rows["strength"] == self.at]
        return rows.sort_values("value", ascending=False)


def pick_view() -> str:
    """Ask which way of comparing to see."""
    return widgets.segments("Compare by", VIEWS, "compare")


def pick_measurements(measurements: Measurements, cards: Mapping[str, Card]) -> Selection:
    """Ask for the pictures, the measure, the noise, a strength and a method to highlight."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        data = _pick_data(measurements.data_sets())
        rows = measurements.on(data)
        measure = _pick_measure(measures_of(rows))
    noise_box, strength_box, highlight_box = st.columns(3, gap="medium")
    with noise_box:
        noise = _pick_noise(rows, data)
    rows = rows[rows["noise"] == noise]
    per_unit = shown_per_unit(noise, data)
    with strength_box:
        kind = pictures_of(data).kinds.get(noise_kind(noise))
        at = _pick_strength(rows, per_unit, kind.default if kind else 0)
    rows = _as_shown(rows, measure, per_unit, cards)
    with highlight_box:
        highlight = _pick_highlight(rows, at, cards)
    ranges = cards[highlight].trained_ranges if highlight in cards else {}
    trained = ranges.get(noise_kind(noise))
    return Selection(rows, data, noise, MEASURES[measure], at, highlight, trained)


def _pick_data(data_sets: list[str]) -> str:
    data = keep_valid("measured_on", data_sets)
    if len(data_sets) == 1:
        return data
    return widgets.segmented_control(
        "Pictures",
        data_sets,
        format_func=lambda name: pictures_of(name).title,
        key="measured_on",
        wrap=True,
    )


def _pick_measure(names: list[str]) -> str:
    keep_valid("measured_by", names)
    return widgets.segmented_control(
        "Measured by",
        names,
        format_func=lambda name: MEASURES[name].title,
        key="measured_by",
        wrap=True,
        help=" ".join(
            f"**{MEASURES[name].title}**: {MEASURES[name].description}" for name in names
        ),
    )


def _pick_noise(rows: pd.DataFrame, data: str) -> str:
    kinds = pictures_of(data).kinds
    noises = sorted(rows["noise"].unique(), key=lambda name: rank(name, kinds))
    keep_valid("measured_noise", noises)
    return widgets.selectbox(
        "Noise",
        noises,
        format_func=lambda name: noise_title(name, data),
        key="measured_noise",
    )


def _pick_strength(rows: pd.DataFrame, per_unit: float, default: float) -> float:
    strengths = sorted(rows["strength"].unique().tolist())
    keep_valid_for_now(
        "measured_at", strengths, lambda wanted: _nearest(wanted, strengths, default)
    )
    if len(strengths) == 1:
        return strengths[0]
    return widgets.select_slider(
        "Ranked at strength",
        strengths,
        format_func=lambda strength: f"{strength * per_unit:.3g}",
        key="measured_at",
        help="The strength at which the methods are ranked and compared with their cost.",
    )


def _pick_highlight(rows: pd.DataFrame, at: float, cards: Mapping[str, Card]) -> str:
    methods = rows["method"].unique().tolist()
    st.session_state.highlight = measured_name(st.session_state.highlight, methods)
    best = rows[rows["strength"] == at].sort_values("value", ascending=False)["method"]
    keep_valid("highlight", methods, next(iter(best)))
    titles = {
        name: cards[name].title_in_lists if name in cards else method_title(name, cards)
        for name in methods
    }
    return widgets.selectbox(
        "Highlight",
        methods,
        format_func=unlike_each(titles).get,
        key="highlight",
        help="Drawn bold; the shaded range shows the strengths on which it was trained.",
    )


def measured_name(model: str, measured: list[str]) -> str:
    """Return the name under which a model of the Draw page was measured; else its own.

    The filters of that page have their bias undone, and are measured in both ways.
    """
    return model + FAIR if model + FAIR in measured else model


def _nearest(wanted: float, options: list[float], default: float) -> float:
    """Return the option that is nearest, to the default where it lies outside of them."""
    if not 0 <= wanted <= options[-1]:
        wanted = default
    return min(options, key=lambda option: abs(option - wanted))


def _ordered(rows: pd.DataFrame, cards: Mapping[str, Card]) -> list[str]:
    """The methods of these rows: models in the order of their cards, filters, the noisy input."""
    first = rows.drop_duplicates("method")
    places = {
        method: (rank(family, FAMILIES), rank(method, cards), method)
        for method, family in zip(first["method"], first["family"], strict=True)
    }
    return sorted(places, key=places.get)


def _as_shown(
    rows: pd.DataFrame, measure: str, per_unit: float, cards: Mapping[str, Card]
) -> pd.DataFrame:
    """The rows as ``Selection`` has them."""
    fair = {name.removesuffix(FAIR) for name in rows["method"] if name.endswith(FAIR)}
    rows = rows[~rows["method"].isin(fair) & rows[measure].notna()]
    order = {method: place for place, method in enumerate(_ordered(rows, cards))}
    rows = rows.sort_values("strength").sort_values(
        "method", key=lambda names: names.map(order), kind="stable"
    )
    return rows.assign(
        family=rows["family"].where(rows["family"].isin(FAMILIES), NETWORK),
        value=rows[measure],
        shown=rows["strength"] * per_unit,
        title=rows["method"].map(lambda name: method_title(name, cards)),
    )
