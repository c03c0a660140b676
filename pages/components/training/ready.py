"""The line that says that a training would begin at once."""

import streamlit as st

from train import ready_worker

LOOK_EVERY = 2  # seconds, where there is a worker to look at


def show_ready() -> None:
    """Have a worker load Keras for whoever is here, and say when it is ready."""
    ready_worker.keep_ready()
    st.fragment(_show, run_every=LOOK_EVERY if ready_worker.state() else None)()


def _show() -> None:
    if ready_worker.state() == ready_worker.READY:
        st.caption(":material/bolt: Ready: training starts within seconds after you press Train.")
