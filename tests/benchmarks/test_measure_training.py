"""What is read out of a watched training."""

import pytest

from tests.benchmarks.measure_training import curve_delays

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
