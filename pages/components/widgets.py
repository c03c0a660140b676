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


def by_title(
    ask: Callable[..., str], label: str, titles: Mapping[str, str], key: str, **more: Any
) -> str:
    """Ask for one of several, which are shown by their titles; ``ask`` is one of the above."""
    return ask(label, list(titles), format_func=titles.get, key=key, **more)


def segments(label: str, titles: Mapping[str, str], key: str, **more: Any) -> str:
    """Ask for one of a few by joined buttons with their titles; the label is for ears alone."""
    return by_title(segmented_control, label, titles, key, label_visibility="collapsed", **more)


def chips(label: str, titles: Mapping[str, str], key: str, **more: Any) -> str:
    """Ask for one of several, in as many rows of buttons as they need; as ``segments`` does."""
    return by_title(pills, label, titles, key, wrap=True, label_visibility="collapsed", **more)


def titles_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles of what stands in a table, by name."""
    return {name: each.title for name, each in table.items()}


def remove_button(
    remove: Callable[..., None], *args: object, label: str = "Remove", **more: Any
) -> None:
    """Draw the button that takes something away."""
    st.button(label, icon=":material/delete:", on_click=remove, args=args, **more)


def reset_button(
    reset: Callable[..., None], *args: object, label: str = "Reset", **more: Any
) -> None:
    """Draw the button that puts something back."""
    st.button(label, icon=":material/restart_alt:", on_click=reset, args=args, **more)
