"""What networks and classical methods answer: asked for by the page, kept for its visitor."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import streamlit as st

from models.methods import Method
from models.picture_queue import Watch
from models.tasks.contract import Task
from pages.components.long_work import result_of
from pages.components.picture_cache import Owner

FAILED = "This could not be worked on. Try something else, or something smaller."


def owner() -> Owner:
    """Return what stands for this visitor; it goes with the session."""
    return st.session_state.setdefault("tasks_owner", Owner())


def answers(
    task: Task, methods: list[Method], given: Hashable, input: np.ndarray, hint: Any
) -> dict[str, np.ndarray] | None:
    """Return each method's answer by its title; None while they are worked on.

    Where a task can decide again from what a network answered, another ``hint`` costs no more work.
    """
    results: dict[str, np.ndarray] = {}
    for number, method in enumerate(methods, start=1):
        soft = task.soft if method.card is not None else None
        asked = () if soft else (repr(hint),)
        version = method.card.sha256 if method.card else ""
        name = ("tasks", task.name, method.name, version, given, *asked)
        made = result_of(
            "tasks_job",
            owner(),
            name,
            _work(task, method, input, hint),
            doing=f"Working, method {number} of {len(methods)}",
            failed=FAILED,
        )
        if made is None:
            return None
        results[method.title] = task.decide(_from_bytes(made), hint) if soft else made
    return results


def _work(task: Task, method: Method, input: np.ndarray, hint: Any) -> Callable[[Watch], Any]:
    if task.soft is None or method.network is None:
        return lambda watch: method.run(input, hint, watch)
    return lambda watch: _to_bytes(task.soft(method.network, input, watch))


def _to_bytes(shares: np.ndarray) -> np.ndarray:
    """Shares in steps of 1/255, a quarter of the memory."""
    return np.rint(shares * 255).astype(np.uint8)


def _from_bytes(shares: np.ndarray) -> np.ndarray:
    return shares.astype(np.float32) / 255
