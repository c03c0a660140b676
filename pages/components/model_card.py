"""What is known of a model, for people."""

import streamlit as st

from models.catalogue import Card


def show_model_card(card: Card | None) -> None:
    """Draw the card of a model behind a button; a filter has none."""
    if card is None:
        return
    with st.popover("About this model", icon=":material/badge:"):
        path = card.folder / "card.md"
        text = path.read_text() if path.is_file() else card.purpose
        st.markdown(text.replace("# ", "#### ", 1) if text.startswith("# ") else text)
