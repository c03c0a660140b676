"""Brings a run into view that was started or opened by a click: on a phone it is below the form."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.component import component

OPENED = "runs_opened"

_mount = component(__file__)

STYLE = "<style>.st-key-training-run {scroll-margin-top: 4.5rem}</style>"


def note_opened() -> None:
    """Have the browser bring the run into view; called by a callback."""
    st.session_state[OPENED] = st.session_state.get(OPENED, 0) + 1


def run_container() -> DeltaGenerator:
    """Return the part of the page that shows a run, which comes into view once one is opened."""
    st.html(STYLE)
    _mount(key="opened", data={"opened": st.session_state.get(OPENED, 0)})
    return st.container(key="training-run")
