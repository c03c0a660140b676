"""A training as code to take away: a Python file or a notebook that needs nothing of ours."""

import re
from functools import partial

import streamlit as st

from train.config import TrainConfig
from train.tutorial_code import fits_into_a_file, to_notebook, to_script


def show_code_downloads(config: TrainConfig, title: str, key: str, purpose: str = "") -> None:
    """Draw the two files of this training; nothing where it does not fit into one."""
    if not fits_into_a_file(config):
        return
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "training"
    for label, write, suffix in (
        ("Code (Python)", to_script, "py"),
        ("Code (notebook)", to_notebook, "ipynb"),
    ):
        st.download_button(
            label,
            partial(write, config, title, purpose),
            f"{name[:60]}.{suffix}",
            on_click="ignore",
            key=f"{key}-{suffix}",
            icon=":material/code:",
            help="The same training in one file: it needs Keras and nothing of this app.",
            width="stretch",
        )
