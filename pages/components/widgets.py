"""Streamlit's controls, with a value that lasts as long as the session, whatever page is shown.

In choices that are buttons one is always chosen.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

# In the state of a session: the keys of the controls of this run, and of the last whole one.
_DRAWN, _DRAWN_BEFORE = "controls drawn", "controls drawn before"
_DEFAULTS = {"value", "index", "default"}


def begin_run() -> None:
    """Note that a run of a page begins."""
    st.session_state[_DRAWN] = set()


def end_run() -> None:
    """Note that a run of a page was whole: controls that it did not draw have left the screen."""
    st.session_state[_DRAWN_BEFORE] = st.session_state.get(_DRAWN, set())


def _lasting(
    control: Callable[..., Any], without_default: int, *args: Any, key: str, **more: Any
) -> Any:
    """Draw a control, and tell the browser its value where it was not on the screen before.

    In its next message a browser names the value of a control that has just left the screen.
    Streamlit takes it that the browser knows the value; but a control that comes back begins at its
    own default, a slider at its lowest.  Where a default is among the arguments, after so many
    ``without_default``, it begins there, and Streamlit wants no other value of it.
    """
    state = st.session_state
    drawn, before = (state.setdefault(each, set()) for each in (_DRAWN, _DRAWN_BEFORE))
    has_default = len(args) > without_default or not _DEFAULTS.isdisjoint(more)
    if key not in before and key in state and not has_default:
        state[key] = state[key]
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        before.add(key)  # No run of a page ends after it.
    drawn.add(key)
    return control(*args, key=key, persist_state="session", **more)


number_input = partial(_lasting, st.number_input, 3)
select_slider = partial(_lasting, st.select_slider, 2)
selectbox = partial(_lasting, st.selectbox, 2)
slider = partial(_lasting, st.slider, 3)
toggle = partial(_lasting, st.toggle, 1)

pills = partial(_lasting, st.pills, 2, required=True)
segmented_control = partial(_lasting, st.segmented_control, 2, required=True)


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
