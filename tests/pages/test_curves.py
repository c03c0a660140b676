"""The curves of a training say what its events said."""

import pytest

from pages.components.curves import History, thinned


def test_few_points_are_all_kept_and_many_are_thinned_between_first_and_last():
    assert thinned([1, 2, 3], most=3) == [1, 2, 3]
    many = thinned(range(50_000), most=600)
    assert len(many) == 600
    assert (many[0], many[-1]) == (0, 49_999)
    assert many == sorted(many)


def events(*batches: tuple[float, int, float]) -> list[dict]:
    return [
        {"event": "batch", "time": time, "step": step, "loss": loss} for time, step, loss in batches
    ]


def test_progress_counts_epochs_by_the_batches_that_the_worker_told():
    history = History()
    history.add([{"event": "status", "time": 0.0, "step": 0, "batches_an_epoch": 4}])
    history.add(events((1.0, 1, 0.5), (2.0, 6, 0.4)))
    assert history.progress == 1.5
    assert history.batches == [(0.25, 0.5), (1.5, 0.4)]


def test_a_pause_is_not_counted_as_training():
    history = History()
    history.add(events((10.0, 1, 0.5), (12.0, 2, 0.5)))
    history.add([{"event": "stop", "time": 12.5, "step": 2, "reason": "asked"}])
    history.add([{"event": "status", "time": 500.0, "step": 2, "status": "training"}])
    history.add(events((501.0, 3, 0.5), (504.0, 4, 0.5)))
    assert history.seconds == pytest.approx(2.0 + 3.0)


def test_a_loss_that_is_no_number_is_left_out_of_the_curve():
    history = History()
    history.add([{"event": "batch", "time": 0.0, "step": 1, "loss": None}])
    assert history.batches == []
