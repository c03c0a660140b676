"""The settings of the Learn page: the lesson, its step, and how it is shown."""

import streamlit as st

from pages.components import link
from pages.components import settings as page_settings
from pages.components.learn.lesson import LESSONS, read_lesson
from pages.components.settings import Setting

ON = "1"


def settings() -> list[Setting]:
    """Return the settings of the page."""
    return [
        Setting("learn_lesson", LESSONS[0], link.one_of("lesson", list(LESSONS)), name="lesson"),
        Setting("learn_step", 1, _parse_step, name="step"),
        _switch("learn_only", "only"),
        _switch("learn_sheet", "sheet"),
    ]


def open_link() -> None:
    """Start with what the link says, and say what of it makes no sense."""
    problems = page_settings.open_link(settings(), again=link.is_history_navigation())
    state = st.session_state
    place = state.learn_lesson, state.learn_step
    if problems:
        state.learn_problems_at = place
    elif state.get("learn_problems_at") != place:  # They have gone on.
        page_settings.forget_problems("learn")
    page_settings.show_until_answered("learn", problems)


def write_link() -> None:
    """Put lesson and step into the address of the page."""
    page_settings.write_link(settings())


def _switch(key: str, name: str) -> Setting:
    return Setting(
        key,
        False,
        lambda text: text == ON,
        lambda value: ON if value else "0",
        name=name,
    )


def _parse_step(text: str) -> int:
    steps = read_lesson(st.session_state.learn_lesson).steps  # The lesson was read just before.
    return int(link.number("step", 1, len(steps), int)(text))
