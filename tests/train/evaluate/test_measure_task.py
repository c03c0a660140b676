import json

import numpy as np
import pytest

from imaging.named import by_name
from models.catalogue import Score, load_catalogue
from models.methods import Method
from models.tasks import TASKS
from models.tasks.contract import Baseline, DataSet, Examples, Metric, Signal, Task
from tests.models.networks import ship, times
from train.evaluate import measure_task
from train.evaluate.measure_task import (
    MEASUREMENTS,
    evaluate_task,
    measure_method,
    with_scores,
    write_measurements,
    write_table,
)

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


def test_a_method_is_told_a_hint_with_each_example_where_there_are_some():
    as_told = Method("told", "Told", "classical", "", lambda given, hint: np.full_like(given, hint))
    scores, _ = measure_method(task(), as_told, Examples(TARGETS, INPUTS), hints=[3, 1])
    assert scores == {"off": 0.0, "right": 1.0}


def test_the_hints_of_a_data_set_are_told_to_all_alike():
    hinted = Examples(TARGETS, INPUTS, hints=[3, 1])
    told = Baseline("told", "Told", "", lambda given, hint, watch=None: np.full_like(given, hint))
    data = by_name([DataSet("hinted", "Hinted", lambda folder, split: hinted)])
    (row,) = evaluate_task(task(data=data, baselines=by_name([told])), say=str)
    assert row["scores"] == {"off": 0.0, "right": 1.0}


def test_every_baseline_is_measured_on_the_pairs_of_the_first_data_set():
    said = []
    rows = evaluate_task(task(), say=said.append)
    assert [row["method"] for row in rows] == ["same", "one"]
    assert [row["scores"]["off"] for row in rows] == [1.5, 1.0]
    assert all((row["data"], row["split"], row["examples"]) == ("pairs", "test", 2) for row in rows)
    assert len(said) == 2


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A network that doubles what it is given, and the cards that are written of it."""
    card = ship(tmp_path, "double", times(np.float32(2)))
    double = Method("double", "Double", "network", "", lambda given: 2 * given, card)
    monkeypatch.setattr(measure_task, "method_names", lambda task, cards: ["double"])
    monkeypatch.setattr(measure_task, "find_method", lambda task, name, cards: double)
    written = []
    monkeypatch.setattr(measure_task, "write_card", written.append)
    return written


def sets(measured_on: str = "test"):
    pairs = DataSet(
        "pairs", "Pairs", lambda folder, split: Examples(TARGETS, INPUTS), measured_on=measured_on
    )
    return by_name([pairs, DataSet("others", "Others", pairs.load)])


def test_the_numbers_of_the_test_are_put_on_the_card_and_those_of_another_split_are_not(cards):
    (row,) = evaluate_task(task(data=sets()), say=str)
    assert row["split"] == "test"
    assert [card.score_at("", 0).answer for card in cards] == [row["scores"]]
    for split in ("validation", "train"):
        (row,) = evaluate_task(task(data=sets()), split=split, say=str)
        assert row["split"] == split
    assert len(cards) == 1


def test_where_a_set_has_no_test_the_numbers_of_its_validation_are_put_on_the_card(cards):
    (row,) = evaluate_task(task(data=sets("validation")), say=str)
    assert row["split"] == "validation"
    assert [card.score_at("", 0).answer for card in cards] == [row["scores"]]
    evaluate_task(task(data=sets("validation")), split="test", say=str)
    assert len(cards) == 1


def test_the_numbers_of_another_data_set_are_not_put_on_the_card(cards):
    (row,) = evaluate_task(task(data=sets()), "others", say=str)
    assert (row["data"], row["split"]) == ("others", "test")
    assert cards == []


def test_new_numbers_take_the_place_of_those_without_a_degradation_alone(tmp_path):
    scores = [Score("", 0.0, 5, {}, {"off": 2.0}), Score("hiss", 0.5, 5, {}, {"off": 3.0})]
    card = ship(tmp_path, "one", times(np.float32(1)), scores=tuple(scores))
    after = with_scores(card, {"off": 1.0}, 7)
    assert after.scores == (Score("", 0.0, 7, {}, {"off": 1.0}), scores[1])


def test_what_cannot_be_measured_is_said():
    with pytest.raises(ValueError, match="count has the data sets pairs, got 'others'"):
        evaluate_task(task(), "others")
    alone = DataSet("alone", "Alone", lambda folder, split: Examples(TARGETS))
    with pytest.raises(ValueError, match="count has no pairs"):
        evaluate_task(task(data=by_name([alone])))


def test_of_pictures_that_are_seen_in_part_what_is_seen_goes_in():
    bright = DataSet("bright", "Bright", lambda folder, split: Examples([np.uint8([[0, 51]])]))
    same, one = evaluate_task(
        task(data=by_name([bright]), seen=lambda picture: picture / 2), say=str
    )
    assert same["scores"]["off"] == pytest.approx(0.05)
    assert one["scores"]["off"] == pytest.approx(0.9)


def test_rows_replace_those_of_the_same_task_and_data_and_the_table_has_the_best_last(tmp_path):
    path, page = tmp_path / "rows.json", tmp_path / "jobs.md"
    rows = evaluate_task(task(), say=lambda line: None)
    write_measurements([rows[0] | {"task": "another"}], path)
    write_measurements([rows[0] | {"method": "gone"}], path)
    write_measurements(rows, path)
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


def test_every_card_has_the_numbers_of_the_table_on_the_split_that_its_set_is_measured_on():
    shipped, rows = load_catalogue(), json.loads(MEASUREMENTS.read_text())["rows"]
    assert {row["task"] for row in rows} <= set(TASKS)
    for row in rows:
        data = TASKS[row["task"]].data
        assert row["split"] == data[row["data"]].measured_on
        if row["method"] in shipped and row["data"] == next(iter(data)):
            assert shipped[row["method"]].score_at("", 0).answer == row["scores"]
