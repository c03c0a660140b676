"""The curves of a training say what its events said."""

import numpy as np
import pytest

from pages.components.training import curves
from pages.components.training.curves import History, decimated, smoothed


def points(values) -> np.ndarray:
    return np.column_stack([np.arange(len(values)), values]).astype(float)


def test_few_points_are_all_kept():
    few = points([1, 2, 3])
    assert decimated(few, most=3) is few


def test_many_are_thinned_between_first_and_last_in_order():
    many = decimated(points(np.sin(np.arange(50_000))), most=1000)
    assert len(many) <= 1000
    assert (many[0, 0], many[-1, 0]) == (0, 49_999)
    assert (np.diff(many[:, 0]) > 0).all()


@pytest.mark.parametrize("peak", [0, 1, 777, 25_000, 49_998, 49_999])
@pytest.mark.parametrize("height", [-100, 100])
def test_no_single_peak_is_lost(rng, peak, height):
    values = rng.random(50_000)
    values[peak] = height
    assert height in decimated(points(values))[:, 1]


def test_smoothing_is_debiased():
    # (0.5 * 4, 0.25 * 4 + 0.5 * 2) / (0.5, 0.75), by hand.
    assert smoothed(points([4, 2]), 0.5)[:, 1] == pytest.approx([4, 2 / 0.75])
    flat = smoothed(points([3] * 1000), 0.99)
    np.testing.assert_allclose(flat[:, 1], 3)
    assert np.array_equal(flat[:, 0], np.arange(1000))


def test_no_smoothing_changes_nothing(rng):
    raw = points(rng.random(100))
    np.testing.assert_allclose(smoothed(raw, 0.0), raw)


def test_smoothing_of_nothing_is_nothing():
    assert smoothed(np.empty((0, 2)), 0.9).shape == (0, 2)


def events(*batches: tuple[float, int, float]) -> list[dict]:
    return [
        {"event": "batch", "time": time, "step": step, "loss": loss} for time, step, loss in batches
    ]


def test_progress_counts_epochs_by_the_batches_that_the_worker_told():
    history = History()
    history.add([{"event": "status", "time": 0.0, "step": 0, "batches_an_epoch": 4}])
    history.add(events((1.0, 1, 0.5), (2.0, 6, 0.4)))
    assert history.progress == 1.5
    assert history.batches().tolist() == [[0.25, 0.5], [1.5, 0.4]]


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
    assert len(history.batches()) == 0


def test_what_a_killed_worker_did_in_vain_is_drawn_once():
    history = History()
    epoch = {"event": "epoch", "time": 0.0, "step": 2, "epoch": 1, "val_loss": 0.5}
    history.add(events((1.0, 1, 0.9), (2.0, 2, 0.8)))
    history.add([epoch])
    history.add(events((3.0, 3, 0.7)))
    history.add([{"event": "status", "time": 9.0, "step": 1, "status": "training"}])
    history.add(events((10.0, 2, 0.6)))
    history.add([epoch | {"val_loss": 0.4}])
    assert history.batches().tolist() == [[1, 0.9], [2, 0.6]]
    assert history.of_epochs("val_loss").tolist() == [[1, 0.4]]


def test_the_learning_rate_is_drawn_where_it_was_told():
    history = History(batches_an_epoch=2)
    history.add([{"event": "batch", "time": 0, "step": 1, "loss": 1.0, "learning_rate": 0.1}])
    history.add(events((1.0, 2, 0.9)))
    assert history.rates == [(0.5, 0.1)]
    # Killed, it goes on from before: what was told meanwhile comes again.
    told = [(3, 0.08), (4, 0.06), (3, 0.07), (4, 0.05)]
    batch = {"event": "batch", "time": 2, "loss": 1.0}
    history.add([batch | {"step": step, "learning_rate": rate} for step, rate in told])
    assert history.rates == [(0.5, 0.1), (1.5, 0.07), (2.0, 0.05)]


def spec_of(monkeypatch, history: History) -> dict:
    """The chart of the loss, as it goes to the browser."""
    charts = []
    monkeypatch.setattr(curves, "show_chart", lambda chart, *_, **__: charts.append(chart))
    curves.show_loss(history, curves.View())
    return charts[0].to_dict()["layer"][0]["encoding"]


def test_below_one_epoch_no_whole_ones_are_written(monkeypatch):
    history = History(batches_an_epoch=4)
    history.add(events((1.0, 1, 0.5), (2.0, 2, 0.4)))
    axis = spec_of(monkeypatch, history)["x"]["axis"]
    assert axis["format"] == "~g"
    assert "tickMinStep" not in axis
    history.add(events((3.0, 4, 0.4), (4.0, 7, 0.4)))
    assert spec_of(monkeypatch, history)["x"]["axis"]["format"] == "d"


def test_fifty_thousand_batches_are_taken_in_and_drawn_in_a_moment(rng):
    history = History(batches_an_epoch=500)
    losses = rng.random(50_000)
    history.add(events(*((0.01 * step, step, loss) for step, loss in enumerate(losses, start=1))))
    drawn = decimated(smoothed(history.batches(), 0.9))
    assert len(drawn) <= 1000
    assert len(history.batches()) == 50_000
