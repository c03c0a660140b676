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
    shared,
    skips,
    window,
)
from pages.components.layout import page_footer, page_setup

# What there is to see, in this order; ``show(digit)`` of the chosen one writes it.
SECTIONS = {
    "layers": ("Layers", layers.show),
    "window": ("One window", window.show),
    "skips": ("Skip connections", skips.show),
    "checkerboard": ("Checkerboard", checkerboard.show),
    "code": ("The code", code.show),
    "pca": ("PCA", autoencoders.show),
    "order": ("Order of pixels", pixel_order.show),
    "anomaly": ("Anomaly", anomaly.show),
}

page_setup(
    "Inside the network",
    "Follow your digit through a network, layer by layer, and see what each part is good for.",
)


@st.fragment
def lab() -> None:
    """One section at a time, as a fragment: a click redraws it without the page around it."""
    titles = {name: title for name, (title, _) in SECTIONS.items()}
    shared.open_link(titles)

    # Ask
    section = shared.pick_section(titles)
    digit = shared.pick_digit()

    # Compute and show
    _, show = SECTIONS[section]
    try:
        show(digit)
    except ModelError as problem:
        st.error(f"{problem} The other sections work without it.", icon=":material/heart_broken:")
    shared.write_link()
    shared.show_reset()


lab()
page_footer(
    "The digits here are drawn by this app, or by you. Every setting is in the address of this "
    "page: copy it, and it shows the same."
)
