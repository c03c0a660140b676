"""What networks and classical methods answer: asked for by the page, kept for its visitor."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import streamlit as st

from imaging.pixels import to_pixels
from models.methods import Method
from models.picture_queue import Watch
from models.tasks.contract import Task
from pages.components.cached import get_picture_cache
from pages.components.long_work import result_of
from pages.components.picture_cache import Owner

MOST_SHOWN = 5_000_000  # pixels: the answers of nine methods fit into the picture cache
ONE = "tasks-one"  # begins the name of an answer until it is kept with the others
FAILED = "This could not be worked on. Try something else, or something smaller."


def owner() -> Owner:
    """Return what stands for this visitor; it goes with the session."""
    return st.session_state.setdefault("tasks_owner", Owner())


def answers(
    task: Task, methods: list[Method], given: Hashable, input: np.ndarray, hint: Any
) -> dict[str, np.ndarray] | None:
    """Return each method's answer by its title; None while they are worked on.

    Pictures have 8 bits, as a screen shows them: those of all methods are kept at once.  Where a
    task can decide again from what a network answered, another ``hint`` costs no more work.
    """
    if task.target.kind == "image" and (refused := too_large(task, *input.shape[:2])):
        st.error(refused, icon=":material/open_in_full:")
        return None
    cache, group = get_picture_cache(), ("tasks", task.name, given)
    # One value of the cache: where others need room, the first answer is not put away for the last.
    kept: dict[Hashable, np.ndarray] = cache.get(owner(), group) or {}
    results: dict[str, np.ndarray] = {}
    used: dict[Hashable, np.ndarray] = {}
    for number, method in enumerate(methods, start=1):
        soft = task.soft if method.card is not None else None
        version = method.card.sha256 if method.card else ""
        name = (method.name, version, *(() if soft else (repr(hint),)))
        made = kept.get(name)
        if made is None:
            made = result_of(
                "tasks_job",
                owner(),
                (ONE, task.name, given, *name),
                _work(task, method, input, hint),
                doing=f"Working, method {number} of {len(methods)}",
                failed=FAILED,
            )
            if made is None:
                return None
            kept = kept | {name: made}
            cache.forget(owner(), ONE)
            cache.put(owner(), group, kept, sum(each.nbytes for each in kept.values()))
        used[name] = made
        answer = task.decide(_from_bytes(made), hint) if soft else made
        results[method.title] = _as_shown(task, answer)
    if used.keys() != kept.keys():  # Answers to another hint.
        cache.put(owner(), group, used, sum(each.nbytes for each in used.values()))
    return results


def too_large(task: Task, height: int, width: int) -> str:
    """Return why the answers to a picture of this size cannot be shown, empty where they can."""
    height, width = task.scale * height, task.scale * width
    if height * width <= MOST_SHOWN:
        return ""
    smaller = "Choose a smaller factor, or cut a part out." if task.scale > 2 else "Cut a part out."
    return (
        f"Enlarged by {task.scale} this picture would have {width} x {height} pixels; at most "
        f"{MOST_SHOWN // 1_000_000} million can be shown here, where several methods are compared. "
        f"{smaller} `python -m models run` enlarges more."
    )


def _as_shown(task: Task, answer: np.ndarray) -> np.ndarray:
    shown_as_it_is = task.target.kind != "image" or answer.dtype == np.uint8
    return answer if shown_as_it_is else to_pixels(answer)


def _work(task: Task, method: Method, input: np.ndarray, hint: Any) -> Callable[[Watch], Any]:
    if task.soft is None or method.network is None:
        return lambda watch: _as_shown(task, method.run(input, hint, watch))
    return lambda watch: _to_bytes(task.soft(method.network, input, watch))


def _to_bytes(shares: np.ndarray) -> np.ndarray:
    """Shares in steps of 1/255, a quarter of the memory."""
    return np.rint(shares * 255).astype(np.uint8)


def _from_bytes(shares: np.ndarray) -> np.ndarray:
    return shares.astype(np.float32) / 255
