import json

import numpy as np
import pytest

from models.methods import Method
from models.tasks.contract import (
    Baseline,
    DataSet,
    Examples,
    Metric,
    Signal,
    Task,
    by_name,
)
from train.evaluate.measure_task import evaluate_task, measure_method, write_rows, write_table

TARGETS = [np.full((2, 2), 3), np.full((4, 4), 1)]
INPUTS = [np.full((2, 2), 1.0), np.full((4, 4), 2.0)]


def off(target, answer):
    return float(np.abs(target - answer).mean())


def counts(target, answer):
    return np.array([np.sum(target == answer), target.size])


METRICS = (
    Metric("off", "Off by", "steps", off, "How far off it is.", better=-1),
    Metric(
        "right",
        "Right",
        "",
        lambda target, answer: float(np.mean(target == answer)),
        "The share that is right.",
        counts=counts,
        total=lambda summed: summed[0] / summed[1],
    ),
)


def task(**changes) -> Task:
    """A task in which the number that goes in should come out one larger or smaller."""
    data = DataSet("pairs", "Pairs", lambda folder, split: Examples(TARGETS, INPUTS))
    signal = Signal("classes", labels=("a", "b", "c", "d"))
    baselines = [
        Baseline("same", "Same", "", lambda given, hint=None, watch=None: given),
        Baseline("one", "One", "", lambda given, hint=None, watch=None: np.ones_like(given)),
    ]
    values = {
        "name": "count",
        "title": "Count",
        "description": "Counts.",
        "input": signal,
        "target": signal,
        "words": ("Target", "Input", "Answer"),
        "metrics": METRICS,
        "losses": ("mse",),
        "watch": (),
        "data": by_name([data]),
        "batch": None,
        "validation": None,
        "solve": None,
        "baselines": by_name(baselines),
    }
    return Task(**values | changes)


def test_a_score_is_the_mean_over_examples_or_comes_from_counts_that_are_added_up():
    ones = Method("one", "One", "classical", "", lambda given: np.ones_like(given))
    scores, seconds = measure_method(task(), ones, Examples(TARGETS, INPUTS))
    # Off by 2 in the small example and by 0 in the large one; 16 of 20 numbers are right.
    assert scores == {"off": 1.0, "right": 0.8}
    assert 0 <= seconds < 1


def test_every_baseline_is_measured_on_the_pairs_of_the_first_data_set():
    said = []
    rows = evaluate_task(task(), say=said.append)
    assert [row["method"] for row in rows] == ["same", "one"]
    assert [row["scores"]["off"] for row in rows] == [1.5, 1.0]
    assert all((row["data"], row["split"], row["examples"]) == ("pairs", "test", 2) for row in rows)
    assert len(said) == 2


def test_what_cannot_be_measured_is_said():
    with pytest.raises(ValueError, match="count has the data sets pairs, got 'others'"):
        evaluate_task(task(), "others")
    alone = DataSet("alone", "Alone", lambda folder, split: Examples(TARGETS))
    with pytest.raises(ValueError, match="count has no pairs"):
        evaluate_task(task(data=by_name([alone])))


def test_rows_replace_those_of_the_same_task_and_data_and_the_table_has_the_best_last(tmp_path):
    path, page = tmp_path / "rows.json", tmp_path / "jobs.md"
    rows = evaluate_task(task(), say=lambda line: None)
    write_rows([rows[0] | {"task": "another"}], path)
    write_rows([rows[0] | {"method": "gone"}], path)
    write_rows(rows, path)
    kept = json.loads(path.read_text())["rows"]
    assert [(row["task"], row["method"]) for row in kept] == [
        ("another", "same"),
        ("count", "same"),
        ("count", "one"),
    ]
    page.write_text("before\n<!-- count -->\nold\n<!-- /count -->\nafter\n")
    write_table(task(), page, path)
    text = page.read_text()
    assert "| method | data | split | examples | Off by (steps) | Right | seconds |" in text
    assert text.index("`same`") < text.index("`one`")
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
