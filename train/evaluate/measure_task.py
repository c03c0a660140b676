"""Measures what a task's networks and baselines answer to its held-out pairs, whatever the task.

    python -m train evaluate --task segment-cells

All methods see the same inputs, and the same hints where the data set has some.  The numbers go to
``models/task_measurements.json``, from there to the tables of ``docs/jobs.md``, and to the cards:
those of the split that a task's first data set is measured on, of no other.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imaging.pixels import to_image
from models.catalogue import Card, Score, load_catalogue
from models.methods import Method, find_method, method_names
from models.tasks.contract import Examples, Metric, Task
from models.tasks.data_folder import data_folder
from train.evaluate.cards import write_card
from train.evaluate.tables import ROOT, markdown, write_between, write_rows

MEASUREMENTS = ROOT / "models" / "task_measurements.json"
PAGE = ROOT / "docs" / "jobs.md"


def evaluate_task(
    task: Task,
    data: str = "",
    split: str = "",
    baselines: bool = True,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Measure a task's networks and baselines on a data set, its first by default; return rows.

    The split is by default the one that the set is measured on.  Cards are written where neither
    is another.

    Raises:
        OSError: if the data cannot be had.
        ValueError: if the task has no such data set, or its inputs are made from its targets.
    """
    first = next(iter(task.data))
    data = data or first
    if data not in task.data:
        raise ValueError(f"{task.name} has the data sets {', '.join(task.data)}, got {data!r}")
    for_cards = (first, task.data[first].measured_on)
    split = split or task.data[data].measured_on
    examples = task.data[data].load(data_folder(), split)
    if examples.inputs is None and task.seen is not None:  # One picture, and what is seen of it.
        targets = [to_image(target) for target in examples.targets]
        examples = dataclasses.replace(
            examples, targets=targets, inputs=[task.seen(each) for each in targets]
        )
    if examples.inputs is None:
        raise ValueError(f"{task.name} has no pairs: measure it with --set")
    cards = load_catalogue()
    rows = []
    for name in method_names(task, cards):
        if name not in cards and not baselines:
            continue
        method = find_method(task, name, cards)
        scores, seconds = measure_method(task, method, examples, examples.hints)
        rows.append(
            {
                "task": task.name,
                "method": name,
                "family": method.family,
                "data": data,
                "split": split,
                "examples": len(examples),
                "scores": scores,
                "seconds": float(f"{seconds:.3g}"),
            }
        )
        say(f"{name}: " + ", ".join(f"{each} {value:g}" for each, value in scores.items()))
        if method.card and (data, split) == for_cards:
            write_card(with_scores(method.card, scores, len(examples)))
    return rows


def measure_method(
    task: Task, method: Method, examples: Examples, hints: Sequence[Any] | None = None
) -> tuple[dict[str, float], float]:
    """Return a method's score by the name of each metric, and its median seconds for an example.

    ``hints`` are what it is told with each example, nothing by default.
    """
    told = [()] * len(examples) if hints is None else [(hint,) for hint in hints]
    pairs, seconds = [], []
    for given, target, hint in zip(examples.inputs, examples.targets, told, strict=True):
        start = time.perf_counter()
        answer = method.run(given, *hint)
        seconds.append(time.perf_counter() - start)
        pairs.append([_value(metric, target, answer) for metric in task.metrics])
    columns = zip(*pairs, strict=True)
    scores = {
        metric.name: round(_together(metric, column), metric.decimals + 1)
        for metric, column in zip(task.metrics, columns, strict=True)
    }
    return scores, float(np.median(seconds))


def _value(metric: Metric, target: np.ndarray, answer: np.ndarray) -> float | np.ndarray:
    return (metric.counts or metric.score)(target, answer)


def _together(metric: Metric, values: Sequence[float | np.ndarray]) -> float:
    if metric.total:
        return float(metric.total(np.sum(values, axis=0)))
    return float(np.mean(values))


def with_scores(card: Card, scores: dict[str, float], examples: int) -> Card:
    """Return the card with this score in place of an older one without a degradation."""
    kept = [score for score in card.scores if score.degradation]
    return dataclasses.replace(card, scores=(Score("", 0.0, examples, {}, scores), *kept))


def write_measurements(rows: list[dict], path: Path = MEASUREMENTS) -> None:
    """Put the rows into the table, in place of older ones of the same task, data and split."""
    write_rows(path, rows, ("task", "data", "split"))


def write_table(task: Task, page: Path = PAGE, path: Path = MEASUREMENTS) -> None:
    """Write the task's table into the page, between the markers of its name.

    Raises:
        ValueError: if the page does not have each marker once.
    """
    rows = [row for row in json.loads(path.read_text())["rows"] if row["task"] == task.name]
    first = task.metrics[0]
    rows.sort(key=lambda row: (row["split"], row["data"], first.better * row["scores"][first.name]))
    head = ["method", "data", "split", "examples", *_titles(task), "seconds"]
    lines = [
        [
            f"`{row['method']}`",
            row["data"],
            row["split"],
            f"{row['examples']:,}",
            *(f"{row['scores'][each.name]:.{each.decimals}f}" for each in task.metrics),
            f"{row['seconds']:g}",
        ]
        for row in rows
    ]
    write_between(task.name, markdown(head, lines), page)


def _titles(task: Task) -> list[str]:
    return [f"{each.title} ({each.unit})" if each.unit else each.title for each in task.metrics]
