"""How far this browser has come in each lesson; without storage it is known while the page is open.

What the browser says is not trusted: only steps that exist are taken.
"""

import json
from typing import Any

import streamlit as st

from pages.components.component import component
from pages.components.learn.lesson import LESSONS, read_lesson

REACHED = "learn_reached"
START = (LESSONS[0], 1)

_mount = component(__file__)


def keep_progress(lesson: str, step: int) -> tuple[str, int] | None:
    """Note where the visitor is; return where they were before, if they have just arrived."""
    reached: dict[str, int] = st.session_state.setdefault(REACHED, {})
    reached[lesson] = max(step, reached.get(lesson, 0))
    said = _mount(
        key="learn-progress",
        data={"reached": reached, "at": _as_text(lesson, step), "start": _as_text(*START)},
        on_kept_change=lambda: None,
    ).kept
    for name, furthest in parse_progress(said).items():
        reached[name] = max(furthest, reached.get(name, 0))
    before = parse_place(said)
    return before if (lesson, step) == START != before else None


def _as_text(lesson: str, step: int) -> str:
    return f"{lesson}/{step}"


def is_done(lesson: str) -> bool:
    """Say whether the last step of a lesson was reached."""
    return st.session_state.get(REACHED, {}).get(lesson, 0) >= len(read_lesson(lesson).steps)


def parse_progress(text: object) -> dict[str, int]:
    """Return the furthest step by lesson from what a browser has kept, without what is nonsense."""
    return {name: step for name, step in _values(text).items() if _exists(name, step)}


def parse_place(text: object) -> tuple[str, int] | None:
    """Return the lesson and step at which a browser was, None where that is nonsense."""
    place = _values(text).get("at")
    if not isinstance(place, str):
        return None
    lesson, _, step = place[:100].partition("/")
    if not (step.isascii() and step.isdigit() and len(step) < 4):
        return None
    return (lesson, int(step)) if _exists(lesson, int(step)) else None


def _exists(lesson: Any, step: Any) -> bool:
    known = lesson in LESSONS and type(step) is int
    return known and 1 <= step <= len(read_lesson(lesson).steps)


def _values(text: object) -> dict:
    try:
        values = json.loads(text) if isinstance(text, str) and len(text) < 2000 else {}
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
