"""Streamlit's controls, with a value that lasts as long as the session, whatever page is shown.

In choices that are buttons one is always chosen.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

number_input = partial(st.number_input, persist_state="session")
select_slider = partial(st.select_slider, persist_state="session")
selectbox = partial(st.selectbox, persist_state="session")
slider = partial(st.slider, persist_state="session")
toggle = partial(st.toggle, persist_state="session")

pills = partial(st.pills, persist_state="session", required=True)
segmented_control = partial(st.segmented_control, persist_state="session", required=True)


def segments(label: str, titles: Mapping[str, str], key: str, **more: Any) -> str:
    """Ask for one of a few by joined buttons with their titles; the label is for ears alone."""
    return _pick(segmented_control, label, titles, key, **more)


def chips(label: str, titles: Mapping[str, str], key: str, **more: Any) -> str:
    """Ask for one of several, in as many rows of buttons as they need; as ``segments`` does."""
    return _pick(pills, label, titles, key, wrap=True, **more)


def _pick(
    ask: Callable[..., str], label: str, titles: Mapping[str, str], key: str, **more: Any
) -> str:
    return ask(
        label,
        list(titles),
        format_func=titles.get,
        key=key,
        label_visibility="collapsed",
        **more,
    )
