"""What networks and classical methods answer: asked for by the page, kept for its visitor."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from models.catalogue import Card, ModelError
from models.methods import Method, method_names
from models.picture_queue import Job, QueueFull, Watch
from models.tasks.contract import Task
from pages.components.cached import get_picture_cache, get_picture_queue, get_predictor
from pages.components.methods import load_method
from pages.components.picture_cache import Owner

SOON = 0.8  # seconds that a page waits before it shows progress
REFRESH = 0.5
SLOT = "tasks_job"


def owner() -> Owner:
    """Return what stands for this visitor; it goes with the session."""
    return st.session_state.setdefault("tasks_owner", Owner())


def methods_of(task: Task, cards: Mapping[str, Card]) -> tuple[list[Method], list[str]]:
    """Return the usable methods of a task, networks first, and a sentence for each broken one."""
    methods, problems = [], []
    for name in method_names(task, cards):
        try:
            methods.append(load_method(task, name, cards))
        except ModelError as problem:
            problems.append(f"{problem} It is left out.")
    return methods, problems


def answers(
    task: Task, methods: list[Method], given: Hashable, input: np.ndarray, hint: Any
) -> dict[str, np.ndarray] | None:
    """Return each method's answer by its title; None while they are worked on.

    Where a task can decide again from what a network answered, another ``hint`` costs no more work.
    """
    results: dict[str, np.ndarray] = {}
    for number, method in enumerate(methods):
        soft = task.soft if method.card is not None else None
        asked = () if soft else (repr(hint),)
        version = method.card.sha256 if method.card else ""
        name = ("tasks", task.name, method.name, version, given, *asked)
        made = _ask_for(name, _work(task, method, input, hint), f"{number + 1} of {len(methods)}")
        if made is None:
            return None
        results[method.title] = task.decide(_from_bytes(made), hint) if soft else made
    return results


def _work(task: Task, method: Method, input: np.ndarray, hint: Any) -> Callable[[Watch], Any]:
    card = method.card
    if task.soft is None or card is None:
        return lambda watch: method.run(input, hint, watch)
    network = get_predictor(card).network
    return lambda watch: _to_bytes(task.soft(network, input, watch))


def _to_bytes(shares: np.ndarray) -> np.ndarray:
    """Shares in steps of 1/255, a quarter of the memory."""
    return np.rint(shares * 255).astype(np.uint8)


def _from_bytes(shares: np.ndarray) -> np.ndarray:
    return shares.astype(np.float32) / 255


def _ask_for(name: Hashable, work: Callable[[Watch], Any], which: str) -> Any | None:
    """Return what ``work`` makes; None, and progress on the page, while it is not there yet."""
    kept = get_picture_cache().get(owner(), name)
    if kept is not None:
        return kept
    asked, job = st.session_state.get(SLOT, (None, None))
    if asked != name:
        give_up()
        try:
            job = get_picture_queue().submit(work)
        except QueueFull as problem:
            st.warning(str(problem), icon=":material/hourglass:")
            st.button("Try again", key="tasks_again")
            return None
        st.session_state[SLOT] = name, job
    if job.pending:
        job.wait(SOON)
    if job.pending:
        _show_progress(job, which)
        return None
    if job.state == "done":
        del st.session_state[SLOT]
        get_picture_cache().put(owner(), name, job.result, job.result.nbytes)
        return job.result
    if job.state == "failed":
        st.error(
            "This picture could not be worked on. Try another or a smaller one.",
            icon=":material/error:",
        )
    else:
        st.info("Cancelled.", icon=":material/cancel:")
    st.button("Start again", key="tasks_restart", on_click=give_up)
    return None


def give_up() -> None:
    """Cancel and forget the work that goes on, if there is any; a callback."""
    _, job = st.session_state.pop(SLOT, (None, None))
    if job is not None:
        job.cancel()


def _show_progress(job: Job, which: str) -> None:
    @st.fragment(run_every=REFRESH)
    def progress() -> None:
        if not job.pending:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            if job.state == "waiting":
                text = f"Waiting: other pictures are being worked on, {job.place} before it."
            else:
                text = f"Working, method {which} …"
            st.progress(job.progress, text)
            st.button("Cancel", key="tasks_cancel", on_click=job.cancel)

    progress()
