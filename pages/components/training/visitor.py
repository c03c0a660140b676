"""Who is looking: a token that this browser keeps, so that a reload finds one's own runs."""

import streamlit as st

from pages.components.component import component

LONGEST = 100

_mount = component(__file__)


def visitor_token() -> str | None:
    """Return this browser's token; None in the first instant, before the browser has said it."""
    # Mounted at every run: an element that goes away moves all below it, and what moves is
    # made again, with every open box closed.
    token = _mount(key="visitor", on_token_change=lambda: None).token
    if _might_be_ours(token) and "visitor_token" not in st.session_state:
        st.session_state.visitor_token = token
    return st.session_state.get("visitor_token")


def _might_be_ours(token: object) -> bool:
    """Whether it is like those that the script makes: a browser can be made to send anything."""
    return isinstance(token, str) and token.isascii() and 0 < len(token) <= LONGEST
