"""What networks and classical methods answer: asked for by the page, kept for its visitor."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from imaging.pixels import to_pixels
from models.host import a_turn
from models.methods import Method
from models.picture_queue import Watch
from models.tasks import TASKS
from models.tasks.contract import Task
from pages.components.cached import get_picture_cache
from pages.components.long_work import result_of, size_of
from pages.components.picture_cache import Owner

MOST_SHOWN = 5_000_000  # pixels: the answers of nine methods fit into the picture cache
MOST_MADE = 40_000_000  # bytes of what is kept that was made of these answers
JOB = "tasks_job"  # the slot of what is worked on
ONE = "tasks-one"  # begins the name of an answer until it is kept with the others
FAILED = "This could not be processed. Try another file, or a smaller one."


def owner() -> Owner:
    """Return what stands for this visitor; it goes with the session."""
    return st.session_state.setdefault("tasks_owner", Owner())


@dataclass(frozen=True)
class Answers:
    """Each method's answer by its title, and what is made of these.

    ``names`` tell each answer from all others to the input called ``given``.
    """

    task: Task
    given: Hashable
    by_title: Mapping[str, np.ndarray]
    names: Mapping[str, Hashable]

    def each(self, what: str, make: Callable[[np.ndarray], Any]) -> dict[str, Any]:
        """Return what ``make`` makes of each answer, in its turn; the second time it is known."""
        return self._once(what, self.names, make)

    def one(self, title: str, what: str, make: Callable[[np.ndarray], Any]) -> Any:
        """Return what ``make`` makes of one answer, as above."""
        return self._once(what, {title: self.names[title]}, make)[title]

    def of_input(self, what: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` makes of the input, as above."""
        return _each_once(what, self.task, self.given, {what: what}, lambda _: make())[what]

    def _once(
        self, what: str, names: Mapping[str, Hashable], make: Callable[[np.ndarray], Any]
    ) -> dict[str, Any]:
        return _each_once(
            what, self.task, self.given, names, lambda title: make(self.by_title[title])
        )


def answers(
    task: Task,
    methods: list[Method],
    given: Hashable,
    input: np.ndarray,
    hint: Any,
    find: Callable[[], np.ndarray] | None = None,
) -> Answers | None:
    """Return each method's answer; None while they are worked on.

    Work that waits for its turn does not hold the ``input`` where there is what will ``find`` it.

    Pictures have 8 bits, as a screen shows them: those of all methods are kept at once.  Where a
    task can decide again from what a network answered, another ``hint`` costs no more work.
    """
    cache, group = get_picture_cache(), _group(task, given)
    # One value of the cache: where others need room, the first answer is not put away for the last.
    kept: dict[Hashable, np.ndarray] = cache.get(owner(), group) or {}
    results: dict[str, np.ndarray] = {}
    used: dict[Hashable, np.ndarray] = {}
    names: dict[str, Hashable] = {}
    undecided: dict[str, np.ndarray] = {}
    for number, method in enumerate(methods, start=1):
        soft = task.soft if method.card is not None else None
        version = method.card.sha256 if method.card else ""
        asks = method.takes_hint and not soft
        name = (method.name, version, *((repr(hint),) if asks else ()))
        made = kept.get(name)
        if made is None:
            made = result_of(
                JOB,
                owner(),
                (ONE, task.name, given, *name),
                _work(task, method, find or (lambda: input), hint),
                doing=f"Working, method {number} of {len(methods)}",
                failed=FAILED,
            )
            if made is None:
                return None
            kept = kept | {name: made}
            cache.forget(owner(), ONE)
            cache.put(owner(), group, kept, size_of(list(kept.values())))
        used[name] = results[method.title] = made
        names[method.title] = name
        if soft:
            undecided[method.title] = made
            names[method.title] = (*name, repr(hint))
    if used.keys() != kept.keys():  # Answers to another hint.
        cache.put(owner(), group, used, size_of(list(used.values())))
    decided = _each_once(
        "decided",
        task,
        given,
        {title: names[title] for title in undecided},
        lambda title: _as_kept(task, task.decide(_from_bytes(undecided[title]), hint)),
    )
    results = {title: _as_answer(task, kept) for title, kept in (results | decided).items()}
    return Answers(task, given, results, names)


def _each_once(
    what: str,
    task: Task,
    given: Hashable,
    names: Mapping[str, Hashable],
    make: Callable[[str], Any],
) -> dict[str, Any]:
    """Return by title what ``make`` makes for each, in its turn; the second time it is known.

    ``names`` tell what is made for a title from all else that was.
    """
    cache, place = get_picture_cache(), (what, task.name, given)
    kept: dict[Hashable, Any] = cache.get(owner(), place) or {}
    if not kept.keys() >= set(names.values()):
        with a_turn():
            kept = {
                name: kept[name] if name in kept else make(title) for title, name in names.items()
            }
        # Used last, the input and the answers to it are not put away for what is made of them.
        for used in (given, _group(task, given)):
            cache.get(owner(), used)
        size = size_of(list(kept.values()))
        if size <= MOST_MADE:
            cache.put(owner(), place, kept, size)
    return {title: kept[name] for title, name in names.items()}


def _group(task: Task, given: Hashable) -> Hashable:
    """The name of all answers to an input in the cache."""
    return "tasks", task.name, given


def too_large(
    task: Task, shape: tuple[int, ...], reduced_from: tuple[int, int] | None = None
) -> str:
    """Return why the answers to an input of this shape cannot be shown, empty where they can.

    ``reduced_from`` is the size ``(H, W)`` of the picture that the visitor knows.
    """
    pixels = math.prod(shape[:2])
    if task.target.kind != "image" or task.scale**2 * pixels <= MOST_SHOWN:
        return ""
    smaller = "Choose a smaller factor, or cut a part out."
    if not any(scale**2 * pixels <= MOST_SHOWN for scale in _smaller_factors(task)):
        smaller = "Cut a part out."
    height, width = (task.scale * side for side in (reduced_from or shape)[:2])
    return (
        f"Enlarged by {task.scale} this picture would have {width} x {height} pixels; at most "
        f"{MOST_SHOWN // 1_000_000} million can be shown here, where several methods are compared. "
        f"{smaller} `python -m models run` enlarges more."
    )


def _smaller_factors(task: Task) -> list[int]:
    """The factors of the same job that are below this one."""
    return [
        other.scale
        for other in TASKS.values()
        if other.family == task.family and other.scale < task.scale
    ]


def _as_kept(task: Task, answer: np.ndarray) -> np.ndarray:
    """A picture with 8 bits, a mask with one, whole numbers in as few bytes as hold them."""
    if task.target.kind == "mask":
        return answer > 0.5
    if task.target.kind == "image":
        return answer if answer.dtype == np.uint8 else to_pixels(answer)
    if answer.dtype.kind in "iu":
        return answer.astype(np.min_scalar_type(int(answer.max(initial=0))))
    return answer


def _as_answer(task: Task, kept: np.ndarray) -> np.ndarray:
    """Whole numbers that one can subtract from."""
    return kept.astype(np.int32) if task.target.kind in ("instances", "classes") else kept


def _work(
    task: Task, method: Method, find: Callable[[], np.ndarray], hint: Any
) -> Callable[[Watch], Any]:
    if task.soft is None or method.network is None:
        return lambda watch: _as_kept(task, method.run(find(), hint, watch))
    return lambda watch: _to_bytes(task.soft(method.network, find(), watch))


def _to_bytes(shares: np.ndarray) -> np.ndarray:
    """Shares in steps of 1/255, a quarter of the memory."""
    return np.rint(shares * 255).astype(np.uint8)


def _from_bytes(shares: np.ndarray) -> np.ndarray:
    return shares.astype(np.float32) / 255
