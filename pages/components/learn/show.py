"""What the Learn page shows: the lessons, one step of one of them, its questions on a sheet."""

from collections.abc import Callable
from html import escape
from urllib.parse import urlencode

import streamlit as st

from models.catalogue import ModelError
from pages.components import widgets
from pages.components.learn.demos import Target
from pages.components.learn.lesson import LESSONS, Lesson, read_lesson
from pages.components.learn.progress import is_done
from pages.components.learn.settings import ON

STYLE = """
<style>
.st-key-learn-step {scroll-margin-top: 4.5rem}
.st-key-learn-step [data-testid="stMarkdownContainer"] p {max-width: 46rem}
.st-key-learn-pictures .lab-gallery {max-width: 52rem;
  grid-template-columns: repeat(auto-fill, minmax(min(11rem, 40%), 1fr))}
.st-key-learn-maps .lab-gallery {gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(7rem, 28%), 1fr))}
</style>
"""
SHEET = """
<style>
.learn-sheet {max-width: 46rem}
.learn-sheet li {margin-bottom: 1.25rem}
.learn-sheet i {display: block; height: 2.2rem; border-bottom: 1px solid currentColor; opacity: .4}
@media print {
  .stApp, .stApp * {background: #fff !important; color: #000 !important}
  header, .stButton, .stApp hr, .stHeading, .stMarkdown {display: none !important}
  .learn-answers {break-before: page}
}
</style>
"""
ALONE = """
<style>
[data-testid="stHeader"] {display: none}
.stMainBlockContainer {padding-top: 1.5rem}
</style>
"""


def pick_lesson() -> Lesson:
    """Ask for a lesson; those that were finished have a tick."""
    lessons = {name: read_lesson(name) for name in LESSONS}

    def title(name: str) -> str:
        tick = "✓ " if is_done(name) else ""
        return f"{tick}{LESSONS.index(name) + 1} {lessons[name].short}"

    titles = {name: title(name) for name in LESSONS}
    name = widgets.chips("Lesson", titles, "learn_lesson", on_change=_to_step, args=(1,))
    return lessons[name]


def show_way_back(before: tuple[str, int] | None) -> None:
    """Draw the button that leads to where the visitor was the last time, if that was elsewhere."""
    if before:
        name, step = before
        st.button(
            f"Continue where you were: {read_lesson(name).short}, step {step}",
            icon=":material/resume:",
            on_click=_to_lesson,
            args=before,
        )


def show_claim(lesson: Lesson) -> None:
    """Draw what the lesson's tutorial says and what was measured here."""
    says_box, measured_box = st.columns(2, gap="medium")
    with says_box.container(border=True, height="stretch"):
        st.markdown(f"**The tutorial says.** {lesson.claim}")
        st.caption(lesson.source)
    with measured_box.container(border=True, height="stretch"):
        st.markdown(f"**Measured here.** {lesson.measured}")


def show_step(lesson: Lesson, number: int, alone: bool) -> None:
    """Draw one step: its text, its demo, its question, and the way on."""
    step, last = lesson.steps[number - 1], len(lesson.steps)
    with st.container(key="learn-step"):
        st.subheader(f"{number}. {step.title}", anchor=False)
        st.markdown(step.text)
        key = f"learn-{lesson.name}-{number}"
        target = None
        try:
            target = step.demo.show(key)
        except ModelError as problem:
            st.error(f"{problem} The text goes on without it.", icon=":material/heart_broken:")
        st.markdown(f"**Question.** {step.question}")
        with st.expander("Show the answer", key=f"{key}-answer"):
            st.markdown(step.answer)
        st.progress(number / last, f"Step {number} of {last}")
        with st.container(horizontal=True):
            _show_ways(lesson, number, alone)
            if target and not alone:
                st.link_button(
                    f"Open this on {target.title}", address(target), icon=":material/open_in_new:"
                )


def address(target: Target) -> str:
    """Return the link that shows the same on another page, relative to this one."""
    return f"./{target.page}" + (f"?{urlencode(target.settings)}" if target.settings else "")


def _show_ways(lesson: Lesson, number: int, alone: bool) -> None:
    """Draw the buttons to the step before and to the next one, or to the next lesson."""
    st.button(
        "Back",
        key="learn-back",
        icon=":material/arrow_back:",
        shortcut="B",
        disabled=number == 1,
        on_click=_to_step,
        args=(number - 1,),
    )
    if number < len(lesson.steps):
        _next_button("Next", _to_step, number + 1)
    elif not alone:
        after = LESSONS[(LESSONS.index(lesson.name) + 1) % len(LESSONS)]
        _next_button(f"Next lesson: {read_lesson(after).short}", _to_lesson, after)


def _next_button(label: str, go: Callable[..., None], to: object) -> None:
    st.button(label, key="learn-next", type="primary", shortcut="N", on_click=go, args=(to,))


def show_for_teachers(lesson: Lesson) -> None:
    """Draw the links that a class can use."""
    with st.popover("For teachers", icon=":material/groups:"):
        st.markdown(
            "A link that shows this lesson and nothing else, and its questions on a sheet to print."
        )
        only = {"lesson": lesson.name, "only": ON}
        st.link_button("This lesson alone", f"?{urlencode(only)}", icon=":material/open_in_new:")
        st.button("Questions to print", icon=":material/print:", on_click=_to_sheet, args=(True,))


def show_sheet(lesson: Lesson) -> None:
    """Draw the questions of a lesson with room to answer, and the answers on a second page."""
    st.button("Back to the lesson", icon=":material/arrow_back:", on_click=_to_sheet, args=(False,))
    questions = "".join(
        f"<li><b>{escape(_ended(step.title))}</b> {escape(step.question)}<i></i><i></i></li>"
        for step in lesson.steps
    )
    answers = "".join(f"<li>{escape(step.answer)}</li>" for step in lesson.steps)
    st.html(
        f'{SHEET}<div class="learn-sheet"><h2>{escape(lesson.title)}</h2><ol>{questions}</ol>'
        f'<div class="learn-answers"><h2>Answers</h2><ol>{answers}</ol></div></div>'
    )
    st.caption("Print this page with your browser; the answers are on a second sheet.")


def _ended(title: str) -> str:
    """The title as a sentence of its own."""
    return title if title.endswith("?") else f"{title}."


def _to_step(number: int) -> None:
    """Go to a step; a callback."""
    st.session_state.learn_step = number


def _to_lesson(name: str, step: int = 1) -> None:
    """Go to another lesson; a callback."""
    st.session_state.learn_lesson, st.session_state.learn_step = name, step


def _to_sheet(on: bool) -> None:
    """Show the questions alone, or the lesson again; a callback."""
    st.session_state.learn_sheet = on
