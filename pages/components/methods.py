"""Methods as the screens use them: networks out of the cache, and all at once on one picture.

Inputs and answers are those of the task: images ``(H, W, C)``, ``float32`` in [0, 1].
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from models.catalogue import Card, ModelError
from models.methods import Method, find_method, method_names
from models.tasks.contract import Task
from pages.components.cached import get_cards, get_predictor


def usable_cards() -> dict[str, Card]:
    """Return this visitor's cards, and say on the page which models are broken."""
    cards, problems = get_cards()
    for problem in problems:
        st.warning(f"{problem} It is left out.", icon=":material/heart_broken:")
    return cards


@dataclass(frozen=True)
class Result:
    """What one method made of the input, and how long it took, in milliseconds.

    It is run twice and the faster run counts: the first one of a network also sets it up, and
    either may have had to wait for other visitors.
    """

    method: Method
    answer: np.ndarray
    milliseconds: float


def load_methods(
    task: Task, cards: Mapping[str, Card], condition: tuple[str, float] | None = None
) -> tuple[list[Method], list[str]]:
    """Return the usable methods of a task, networks first, and a sentence for each broken one.

    Each has a title of its own: networks that visitors have trained may have one name.
    """
    methods: dict[str, Method] = {}
    problems = []
    for name in method_names(task, cards):
        try:
            method = find_method(task, name, cards, get_predictor, condition)
        except ModelError as problem:
            problems.append(f"{problem} It is left out.")
            continue
        title = unlike(method.title, methods)
        methods[title] = replace(method, title=title)
    return list(methods.values()), problems


def unlike(name: str, taken: Collection[str]) -> str:
    """Return the name, with a number where it is taken."""
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name} ({count})"
    return unique


def unlike_each(names: Mapping[str, str]) -> dict[str, str]:
    """Return the same, by the same keys, with a number behind each that is taken before.

    Of two options that a list shows alike, Streamlit takes the last for both.
    """
    given: dict[str, str] = {}
    for key, name in names.items():
        given[key] = unlike(name, given.values())
    return given


def run_all(
    task: Task,
    cards: Mapping[str, Card],
    condition: tuple[str, float],
    input: np.ndarray,
    hint: float,
) -> list[Result]:
    """Run every method on one input; one whose weights are broken is left out."""
    results = []
    for method in load_methods(task, cards, condition)[0]:
        start = time.perf_counter()
        answer = method.run(input, hint)
        results.append(Result(method, answer, 1000 * (time.perf_counter() - start)))
    return results
