"""What the Compare page asks: which measurements to see, and what of it stands in the link.

A visitor who comes from the Draw page finds its noise, strength and model here.  What is
changed here changes nothing there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.catalogue import Card
from pages.components import link
from pages.components.compare.measurements import (
    FAIR,
    FAMILIES,
    MEASURES,
    NETWORK,
    PICTURES,
    Measure,
    Measurements,
    MeasurementsError,
    Pictures,
    measures_of,
    method_title,
    noise_kind,
    noise_title,
    pictures_of,
    rank,
    read_measurements,
    shown_per_unit,
)
from pages.components.controls import DIGITS, DRAWING, HIGHEST_SEED, settled
from pages.components.draw_settings import Here, arrival, here_now
from pages.components.methods import method_names

VIEWS = {"measured": "Measured", "blind": "Blind test", "trust": "Trust map"}
BETWEEN = ";"  # Names of noises have commas in them.


@dataclass(frozen=True)
class Chosen:
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


def usual_settings(cards: Mapping[str, Card]) -> dict[str, object]:
    """Return what the controls show to a visitor who has been nowhere else."""
    return {
        "compare": next(iter(VIEWS)),
        "measured_on": next(iter(PICTURES)),
        "measured_by": next(iter(MEASURES)),
        "table_families": [],
        "table_noises": [],
        "blind_seed": 1,
        **_following(arrival(cards)),
    }


def open_link(cards: Mapping[str, Card]) -> None:
    """Start with what the link says, and go along with what has changed on the Draw page."""
    here, again = here_now(cards), link.came_back()
    following = {} if again else _following(here)
    problems = link.open_link(_parsers(cards), lambda: usual_settings(cards) | following, again)
    for problem in problems:
        st.warning(problem, icon=":material/link_off:")
    if st.session_state.trust_digit == DRAWING and st.session_state.trust_drawing is None:
        st.session_state.trust_digit = usual_settings(cards)["trust_digit"]
    if here != st.session_state.setdefault("compare_here", here):
        st.session_state.update(_following(here))
        st.session_state.compare_here = here


def write_link(cards: Mapping[str, Card]) -> None:
    """Put what the controls show into the address of the page."""
    usual = usual_settings(cards)
    settings = {name: st.session_state.get(name) for name in usual}
    if settings["trust_digit"] != DRAWING:
        settings["trust_drawing"] = None
    if settings["trust_drawing"] is not None:
        settings["trust_drawing"] = link.drawing_to_text(settings["trust_drawing"])
    link.write_link(_as_text(settings), _as_text(usual))


def reset(cards: Mapping[str, Card]) -> None:
    """Put all controls of the page back to where they were on arrival; a callback."""
    view = st.session_state.compare
    st.session_state.update(usual_settings(cards) | {"compare": view})
    st.session_state.pop("blind", None)


def show_reset(cards: Mapping[str, Card]) -> None:
    """Draw the button that puts everything back."""
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        help="All settings of this page, and the blind test, as on arrival.",
        on_click=reset,
        args=(cards,),
        key="compare_reset",
    )


def pick_view() -> str:
    """Ask which way of comparing to see."""
    return st.segmented_control(
        "Compare by",
        list(VIEWS),
        format_func=VIEWS.get,
        required=True,
        key="compare",
        persist_state="session",
        label_visibility="collapsed",
    )


def pick_measurements(measurements: Measurements, cards: Mapping[str, Card]) -> Chosen:
    """Ask for the pictures, the measure, the noise, a strength and a method to highlight."""
    data_sets = measurements.data_sets()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        data = settled("measured_on", data_sets)
        if len(data_sets) > 1:
            data = st.segmented_control(
                "Pictures",
                data_sets,
                format_func=lambda name: pictures_of(name).title,
                required=True,
                key="measured_on",
                persist_state="session",
                wrap=True,
            )
        rows = measurements.on(data)
        names = measures_of(rows)
        settled("measured_by", names)
        measure = st.segmented_control(
            "Measured by",
            names,
            format_func=lambda name: MEASURES[name].title,
            required=True,
            key="measured_by",
            persist_state="session",
            wrap=True,
            help=" ".join(
                f"**{MEASURES[name].title}**: {MEASURES[name].explain}" for name in names
            ),
        )
    kinds = pictures_of(data).kinds
    noises = sorted(rows["noise"].unique(), key=lambda name: rank(name, kinds))
    noise_box, strength_box, highlight_box = st.columns(3, gap="medium")
    settled("measured_noise", noises)
    noise = noise_box.selectbox(
        "Noise",
        noises,
        format_func=lambda name: noise_title(name, data),
        key="measured_noise",
        persist_state="session",
    )
    rows = rows[rows["noise"] == noise]
    per_unit = shown_per_unit(noise, data)
    strengths = sorted(rows["strength"].unique().tolist())
    kind = kinds.get(noise_kind(noise))
    _settle_nearest("measured_at", strengths, kind.default if kind else 0)
    at = (
        strengths[0]
        if len(strengths) == 1
        else strength_box.select_slider(
            "Ranked at strength",
            strengths,
            format_func=lambda strength: f"{strength * per_unit:.3g}",
            key="measured_at",
            persist_state="session",
            help="Where the methods are ranked, and weighed against their price.",
        )
    )
    rows = _as_shown(rows, measure, per_unit, cards)
    methods = rows["method"].unique().tolist()
    st.session_state.highlight = measured_name(st.session_state.highlight, methods)
    best = rows[rows["strength"] == at].sort_values("value", ascending=False)["method"]
    settled("highlight", methods, next(iter(best)))
    highlight = highlight_box.selectbox(
        "Highlight",
        methods,
        format_func=lambda name: method_title(name, cards),
        key="highlight",
        persist_state="session",
        help="Drawn boldly; shaded are the strengths on which it was trained.",
    )
    ranges = cards[highlight].trained_ranges if highlight in cards else {}
    trained = ranges.get(noise_kind(noise))
    return Chosen(rows, data, noise, MEASURES[measure], at, highlight, trained)


def measured_name(model: str, measured: list[str]) -> str:
    """Return the name under which a model of the Draw page was measured; else its own.

    The filters of that page have their bias undone, and are measured in both ways.
    """
    return model + FAIR if model + FAIR in measured else model


def _following(here: Here) -> dict[str, object]:
    """The settings that follow the Draw page."""
    return {
        "measured_noise": here.noise,
        "measured_at": here.strength,
        "highlight": here.model,
        "trust_digit": here.digit,
        "trust_noise": here.noise,
        "trust_strength": here.strength,
        "trust_seed": here.seed,
        "trust_model": here.model,
        "trust_drawing": here.drawing,
    }


def _parsers(cards: Mapping[str, Card]) -> dict[str, link.Parser]:
    methods = method_names(cards)
    try:
        measurements = read_measurements()
        data_sets = measurements.data_sets()
        measured, noises = (measurements.rows[name].unique() for name in ("method", "noise"))
    except MeasurementsError:  # The view that needs them says so.
        data_sets, measured, noises = list(PICTURES), [], [*(NOISE_KINDS | PHOTO_NOISE_KINDS)]
    return {
        "compare": link.one_of("view", VIEWS),
        "measured_on": link.one_of("picture set", data_sets),
        "measured_by": link.one_of("measure", MEASURES),
        "measured_noise": link.one_of("noise", noises),
        "measured_at": link.number("strength", 0, 100),
        "highlight": link.one_of("method", [*methods, *measured]),
        "table_families": _several(link.one_of("family", FAMILIES)),
        "table_noises": _several(link.one_of("noise", noises)),
        "blind_seed": link.number("seed", 0, HIGHEST_SEED, int),
        "trust_noise": link.one_of("noise", NOISE_KINDS),
        "trust_strength": _parse_strength,
        "trust_seed": link.number("seed", 0, HIGHEST_SEED, int),
        "trust_model": link.one_of("model", methods),
        "trust_digit": link.one_of("digit", [DRAWING, *DIGITS]),
        "trust_drawing": link.drawing,
    }


def _several(parse: link.Parser) -> link.Parser:
    """Return a parser for a choice of several."""
    return lambda text: [parse(part) for part in text.split(BETWEEN)]


def _parse_strength(text: str) -> float:
    kind = NOISE_KINDS[st.session_state.trust_noise]  # Read from the link just before.
    return link.number("strength", kind.low, kind.high)(text)


def _as_text(settings: Mapping[str, object]) -> dict[str, object]:
    """Write choices of several as a link carries them."""
    return {
        name: BETWEEN.join(value) if isinstance(value, list) else value
        for name, value in settings.items()
    }


def _settle_nearest(key: str, options: list[float], usual: float) -> None:
    """Put a number to the nearest option; one that lies outside of them to the usual one's."""
    wanted = st.session_state[key]
    if not 0 <= wanted <= options[-1]:
        wanted = usual
    st.session_state[key] = min(options, key=lambda option: abs(option - wanted))


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
    """The rows as ``Chosen`` has them."""
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
