"""Who is looking: a token that this browser keeps, so that a reload finds one's own runs."""

import streamlit as st

from pages.components.component import component

_mount = component(__file__)


def visitor_token() -> str | None:
    """Return this browser's token; None in the first instant, before the browser has said it."""
    # Mounted at every run: an element that goes away moves all below it, and what moves is
    # made again, with every open box closed.
    token = _mount(key="visitor", on_token_change=lambda: None).token
    if token and "visitor_token" not in st.session_state:
        st.session_state.visitor_token = token
    return st.session_state.get("visitor_token")
