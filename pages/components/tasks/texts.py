"""What the page says about each job: what changed against the denoiser, and where it fails."""

import numpy as np
import pandas as pd
import streamlit as st

from models.tasks.contract import Metric, Task

ROWS = ("Goes in", "Should come out", "Last layer", "Loss", "Metric")
DENOISER = ("a noisy picture", "the clean one", "sigmoid, or the noise itself", "squared error, "
            "cross-entropy or decibels", "PSNR, SSIM")  # fmt: skip


def show_text(task: Task) -> None:
    """Say what changed against the denoiser, and what to expect."""
    text = task.explanation
    if text is None:
        return
    st.header("What changed against the denoiser", anchor=False)
    st.markdown(text.description)
    st.table(pd.DataFrame({"The denoiser": DENOISER, task.title: text.rows}, index=list(ROWS)))


def show_older_methods(task: Task) -> None:
    """Say behind a button what the methods without learning do."""
    if not task.baselines:
        return
    with st.popover("About the older methods", icon=":material/badge:"):
        for baseline in task.baselines.values():
            st.markdown(f"**{baseline.title}:** {baseline.description}")


def limits_of(task: Task) -> str:
    """Return what a visitor should not expect, a sentence or two; empty where none is written."""
    return task.explanation.limits if task.explanation else ""


def score_text(metric: Metric, target: np.ndarray, answer: np.ndarray) -> str:
    """Return how good an answer is, one of the shape of its target, with the metric's unit."""
    return f"{metric.score(target, answer):.{metric.decimals}f} {metric.unit}".strip()
