"""What is read out of a watched training."""

import pytest

from tests.benchmarks.measure_training import MEASURED, curve_delays, rows_of, speed
from train.recipes import RECIPES

EVENTS = [
    {"event": "batch", "time": 9.0, "step": 1},
    {"event": "epoch", "time": 10.0, "epoch": 1},
    {"event": "epoch", "time": 20.0, "epoch": 2},
    {"event": "probe", "time": 21.0, "epoch": 2},
]


def test_a_delay_is_from_the_event_to_the_curve_that_tells_of_it():
    seen = {
        "Loss, before the end of the first epoch": 8.0,
        "Loss, after epoch 1: training 0.5, validation 0.4": 10.4,
        "PSNR, after epoch 2: training 15, validation 16": 20.1,
        "Loss, after epoch 2: training 0.4, validation 0.3": 20.7,
        "Loss, after epoch 3: training 0.4, validation 0.3": None,  # Not drawn yet.
    }
    assert curve_delays(EVENTS, seen) == pytest.approx([0.4, 0.7])


def test_a_search_that_finds_no_curve_says_so():
    with pytest.raises(RuntimeError, match="blind"):
        curve_delays(EVENTS, {"Learning rate, now 0.001": 10.0})


def test_an_epoch_is_held_against_the_plain_one_beside_it():
    # Seconds and CPU seconds; the first epochs compile, in the last two the machine was busy.
    seconds = {
        "ours": [[9, 9], [1.2, 2.0], [3.3, 2.2], [6.0, 2.1]],
        "plain": [[5, 5], [1.0, 2.0], [3.0, 2.0], [6.0, 2.0]],
    }
    *_, wall, cpu = rows_of(RECIPES["dense"], seconds)
    assert wall.samples == pytest.approx([120, 110, 100])
    assert cpu.samples == pytest.approx([100, 110, 105])
    assert (wall.budget.median, wall.verdict) == (110, "**missed**")
    assert (cpu.median, cpu.verdict) == (pytest.approx(105), "kept")
    *_, once = rows_of(RECIPES["dense-tutorial"], seconds)
    assert (once.budget.median, once.verdict) == (100, "**missed**")


def test_recipes_that_are_named_are_measured_alone(monkeypatch):
    monkeypatch.setattr("tests.benchmarks.measure_training.against_plain", lambda each: [each.name])
    assert speed(["dense", "unet"]) == ["dense", "unet"]


def test_every_recipe_that_visitors_choose_is_measured():
    assert {"dense", "dense-tutorial", "unet", "fashion"} <= set(MEASURED)
    assert "photo" not in MEASURED
