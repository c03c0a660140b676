"""Compare the methods: measured numbers, a blind test, and where answers cannot be trusted."""

import streamlit as st

from models.catalogue import ModelError
from models.methods import method_title
from models.tasks.denoise_digits import TASK
from pages.components import controls
from pages.components.cached import get_catalogue
from pages.components.compare import (
    blind_test,
    charts,
    own_measurements,
    selection,
    settings,
    table,
    trust_map,
)
from pages.components.compare.measurements import MeasurementsError, read_measurements, unmeasured
from pages.components.draw_settings import draw_settings, fitting
from pages.components.layout import flush_to_browser, page_footer, page_setup
from pages.components.methods import usable_cards
from pages.components.settings import write_link

page_setup(
    "Compare",
    "Which method is better, by how much, and at what cost? Measured scores, a blind test for "
    "your own eyes, and a map of where a result cannot be trusted.",
)


def show_measured(cards: dict) -> None:
    """All methods, measured on held-out pictures."""
    try:
        measurements = read_measurements()
    except MeasurementsError as problem:
        st.error(
            f"{problem} The blind test and the trust map work without it.",
            icon=":material/heart_broken:",
        )
        return

    measurements = own_measurements.with_own(measurements, cards)

    # Ask
    chosen = selection.pick_measurements(measurements, cards)
    here = draw_settings(cards)

    # Show
    st.markdown(charts.summary(chosen))
    if charts.has_curves(chosen):
        curves_box, ranking_box = st.columns([3, 2], gap="large")
        with curves_box:
            charts.show_curves(chosen, here)
        with ranking_box:
            charts.show_ranking(chosen)
    else:
        charts.show_ranking(chosen)
    st.caption(charts.legend_words(chosen, here, cards))
    if charts.has_prices(chosen):
        st.header("What it costs", anchor=False)
        time_box, size_box = st.columns(2, gap="large")
        with time_box:
            charts.show_time(chosen)
        with size_box:
            charts.show_size(chosen, cards)
        st.caption(charts.PRICE_WORDS)
    st.header("All numbers", anchor=False)
    rows = table.pick_rows(measurements, chosen)
    table.show_table(rows, cards)
    if missing := unmeasured(measurements, cards):
        st.caption(f"Not measured, and therefore not shown: {', '.join(missing)}.")
    table.show_provenance(measurements, cards, chosen.data)
    if said := own_measurements.words(measurements, cards):
        st.caption(said)


def show_blind() -> None:
    """Two unnamed results at a time, ten times."""
    st.markdown(blind_test.WORDS)
    test = blind_test.blind_test_of(fitting(get_catalogue()[0]))
    if test.is_over:
        blind_test.show_score(test)
    else:
        blind_test.show_round(test)
    blind_test.show_restart(test)


def show_trust(cards: dict) -> None:
    """One digit under many draws of the noise, and the noise alone."""
    cards = fitting(cards)

    # Ask
    clean = controls.pick_digit("trust_")
    kind, strength = controls.pick_noise("trust_")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = controls.pick_seed("trust_")
        name = controls.pick_method(cards, "trust_")

    # Compute
    title, noise = method_title(TASK, name, cards), f"{kind.title} noise, strength {strength:g}"
    try:
        found = trust_map.find_trust(name, cards, kind, strength, clean, seed)
    except ModelError as problem:
        st.error(f"{problem} Choose another one above.", icon=":material/heart_broken:")
        return

    # Show
    trust_map.show_trust(found, title, noise)
    flush_to_browser()
    trust_map.show_numbers(found)
    st.markdown(trust_map.WORDS)
    st.header("Does the digit reader change its mind?", anchor=False)
    trust_map.show_readings(found)
    st.header("Pure noise in: what is invented?", anchor=False)
    st.markdown(trust_map.NOISE_WORDS)
    trust_map.show_invented(trust_map.invent(name, cards, kind, strength, seed), title, kind)


@st.fragment
def body() -> None:
    """All views, as a fragment: a click redraws one of them without the page around it."""
    cards = usable_cards()
    all_settings = settings.settings(cards)
    settings.open_link(all_settings, cards)
    view = selection.pick_view()
    if view == "measured":
        show_measured(cards)
    elif view == "blind":
        show_blind()
    else:
        show_trust(cards)
    write_link(all_settings)
    settings.show_reset(all_settings)


body()
page_footer(
    "The digits of the blind test and the trust map are drawn by this app or by you. The address "
    "of this page contains every setting: share it to show exactly this."
)
