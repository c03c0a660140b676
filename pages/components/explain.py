"""Text that explains: what is seen, with the definition of each term one hover away; a model."""

from collections.abc import Mapping

import streamlit as st

from models.catalogue import Card
from models.methods import Method

PSNR = (
    "Peak signal-to-noise ratio against the original, in decibels (dB): higher is better, and 3 "
    "dB more means half the squared error."
)


def explain(text: str, terms: Mapping[str, str], source: str) -> None:
    """Write a text, the terms that it uses, each with its definition, and where it comes from."""
    st.markdown(text)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for term, definition in terms.items():
            st.badge(term, color="gray", help=definition)
    st.caption(f"Source: {source}")


def measured_on(measured: Mapping) -> str:
    """Return by what, when and on which machine the numbers of a part were measured."""
    made_with = measured["made_with"]
    return (
        f"Measured by `python -m train lab` on {made_with['date']}: {made_with['processor']}, "
        f"{made_with['cores']} cores, Keras {made_with['keras']}."
    )


def show_about(method: Method) -> None:
    """Draw behind a button what a method is: the card of a network, what a filter does."""
    if method.card is not None:
        show_model_card(method.card)
        return
    with st.popover("About this filter", icon=":material/badge:"):
        st.markdown(method.description)
        st.caption(f"Source: {method.source}.")


def show_model_card(card: Card, title: str = "About this model") -> None:
    """Draw the card of a model behind a button."""
    with st.popover(title, icon=":material/badge:"):
        path = card.folder / "card.md"
        text = path.read_text() if path.is_file() else card.purpose
        st.markdown(text.replace("# ", "#### ", 1) if text.startswith("# ") else text)


def duration(seconds: float) -> str:
    """Return a time in words, as "3 min 20 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
