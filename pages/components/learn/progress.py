"""How far this browser has come in each lesson; without storage it is known while the page is open.

What the browser says is not trusted: only steps that exist are taken.
"""

import json
from collections.abc import Mapping

import streamlit as st

from pages.components.component import component
from pages.components.learn.lesson import LESSONS, read_lesson

REACHED, AT = "learn_reached", "learn_at"

_mount = component(__file__)


def keep_progress(lesson: str, step: int) -> Mapping[str, int]:
    """Note where the visitor is; return the furthest step of each lesson that was begun."""
    reached: dict[str, int] = st.session_state.setdefault(REACHED, {})
    reached[lesson] = max(step, reached.get(lesson, 0))
    said = _mount(
        key="learn-progress",
        data={"reached": reached, "at": f"{lesson}/{step}"},
        on_kept_change=lambda: None,
    ).kept
    for name, furthest in parse_progress(said).items():
        reached[name] = max(furthest, reached.get(name, 0))
    return reached


def is_done(lesson: str) -> bool:
    """Say whether the last step of a lesson was reached."""
    return st.session_state.get(REACHED, {}).get(lesson, 0) >= len(read_lesson(lesson).steps)


def parse_progress(text: object) -> dict[str, int]:
    """Return the furthest step by lesson from what a browser has kept, without what is nonsense."""
    try:
        values = json.loads(text) if isinstance(text, str) and len(text) < 2000 else {}
    except (ValueError, RecursionError):
        values = {}
    if not isinstance(values, dict):
        return {}
    return {
        name: step
        for name, step in values.items()
        if name in LESSONS and type(step) is int and 1 <= step <= len(read_lesson(name).steps)
    }
