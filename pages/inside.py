"""Inside the network: what its layers make of one digit, and why it works."""

import streamlit as st

from models.catalogue import ModelError
from pages.components import (
    inside,
    inside_anomaly,
    inside_checkerboard,
    inside_code,
    inside_layers,
    inside_order,
    inside_pca,
    inside_skips,
    inside_window,
)
from pages.components.layout import page_footer, page_setup

# What there is to see, in this order; ``show(digit)`` of the chosen one writes it.
SECTIONS = {
    "layers": ("Layers", inside_layers.show),
    "window": ("One window", inside_window.show),
    "skips": ("Skip connections", inside_skips.show),
    "checkerboard": ("Checkerboard", inside_checkerboard.show),
    "code": ("The code", inside_code.show),
    "pca": ("PCA", inside_pca.show),
    "order": ("Order of pixels", inside_order.show),
    "anomaly": ("Anomaly", inside_anomaly.show),
}

page_setup(
    "Inside the network",
    "Follow your digit through a network, layer by layer, and see what each part is good for.",
)


@st.fragment
def lab() -> None:
    """One section at a time, as a fragment: a click redraws it without the page around it."""
    titles = {name: title for name, (title, _) in SECTIONS.items()}
    inside.open_link(titles)

    # Ask
    section = inside.pick_section(titles)
    digit = inside.pick_digit()

    # Compute and show
    _, show = SECTIONS[section]
    try:
        show(digit)
    except ModelError as problem:
        st.error(f"{problem} The other sections work without it.", icon=":material/heart_broken:")
    inside.write_link()
    inside.show_reset()


lab()
page_footer(
    "The digits here are drawn by this app, or by you. Every setting is in the address of this "
    "page: copy it, and it shows the same."
)
