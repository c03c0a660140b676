"""Learn: short lessons, a step at a time, each with one thing to try and a question."""

import streamlit as st

from pages.components.layout import page_footer, page_setup
from pages.components.learn import settings, show
from pages.components.learn.lesson import LESSONS, read_lesson
from pages.components.learn.progress import keep_progress

ALONE = st.query_params.get("only") == settings.ON

if ALONE and st.query_params.get("lesson", LESSONS[0]) in LESSONS:
    page_setup(read_lesson(st.query_params.get("lesson", LESSONS[0])).title, "")
else:
    page_setup(
        "Learn",
        "Eight short lessons, from the first autoencoder to a network of your own. Each step has "
        "one thing to try and one question.",
    )


@st.fragment
def body() -> None:
    """One step of one lesson, as a fragment: a click redraws it without the page around it."""
    settings.open_link()
    state = st.session_state
    st.html(show.STYLE)

    if state.learn_only:
        st.html(show.ALONE)
    if state.learn_sheet:
        show.show_sheet(read_lesson(state.learn_lesson))
    else:
        # First of all, because the list of lessons shows it.
        before = keep_progress(state.learn_lesson, state.learn_step)
        lesson = read_lesson(state.learn_lesson) if state.learn_only else show.pick_lesson()
        if not state.learn_only:
            show.show_way_back(before)
            st.header(lesson.title, anchor=False)
        if state.learn_step == 1:
            show.show_claim(lesson)
        show.show_step(lesson, state.learn_step, alone=state.learn_only)
        if not state.learn_only:
            show.show_for_teachers(lesson)
    settings.write_link()


body()
if not ALONE:
    page_footer(
        "How far you have come is kept in this browser and nowhere else. The address of this page "
        "leads back to this step."
    )
