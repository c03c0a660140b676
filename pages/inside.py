"""Inside the network: what its layers make of one digit, and why it works."""

import streamlit as st

from models.catalogue import ModelError
from pages.components.inside import (
    anomaly,
    autoencoders,
    checkerboard,
    code,
    layers,
    pixel_order,
    settings,
    shared,
    skips,
    window,
)
from pages.components.layout import page_footer, page_setup

# ``show(digit)`` writes a section.
SHOW = {
    "layers": layers.show,
    "window": window.show,
    "skips": skips.show,
    "checkerboard": checkerboard.show,
    "code": code.show,
    "pca": autoencoders.show,
    "order": pixel_order.show,
    "anomaly": anomaly.show,
}

page_setup(
    "Inside the network",
    "Follow your digit through a network, layer by layer, and see what each part does.",
)


@st.fragment
def body() -> None:
    """One section at a time, as a fragment: a click redraws it without the page around it."""
    settings.open_link()

    # Ask
    section = shared.pick_section(settings.SECTIONS)
    digit = shared.pick_digit()

    # Compute and show
    try:
        SHOW[section](digit)
    except ModelError as problem:
        st.error(f"{problem} The other sections work without it.", icon=":material/heart_broken:")
    settings.write_link()
    settings.show_reset()


body()
page_footer(
    "The digits here are drawn by this app, or by you. The address of this page contains every "
    "setting: share it to show exactly this."
)
