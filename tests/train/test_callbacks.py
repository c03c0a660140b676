from types import SimpleNamespace

import numpy as np
import pytest

from train.callbacks import (
    Keep,
    Report,
    StopWhenAsked,
    TellEpoch,
    TrainingDiverged,
    TrainingStopped,
)
from train.config import TrainConfig
from train.data import TrainingBatches
from train.runs import Run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", TrainConfig("dense"))


@pytest.fixture
def batches():
    """Ten pictures in batches of 4, 4 and 2."""
    pictures = np.zeros((10, 2, 2, 1), np.uint8)
    return TrainingBatches(pictures, np.zeros(10, np.uint8), TrainConfig("dense", batch=4))


class Model:
    """What callbacks need of a model: weights, and a way to save them."""

    def __init__(self, *weights):
        self.weights = weights

    def get_weights(self):
        return [np.array(values) for values in self.weights]

    def save(self, path):
        path.write_text("saved")


def stopper_of(run, *weights, **options):
    stopper = StopWhenAsked(run, **options)
    stopper.set_model(Model(*weights))
    return stopper


class Events(list):
    def write(self, event, step, **values):
        self.append(values | {"event": event, "step": step})


def test_each_batch_is_reported_with_its_own_loss(batches):
    report = Report(events := Events(), batches)
    report.set_model(SimpleNamespace(optimizer=SimpleNamespace(iterations=np.int64(7))))
    losses, sizes = np.array([0.9, 0.5, 0.1]), np.array([4, 4, 2])
    report.on_epoch_begin(0)
    for batch in range(3):
        # Keras hands over the mean over all pictures of the epoch so far.
        seen = slice(batch + 1)
        report.on_train_batch_end(batch, {"loss": np.average(losses[seen], weights=sizes[seen])})
    assert [event["loss"] for event in events] == pytest.approx(losses)
    assert {event["step"] for event in events} == {7}


def test_a_resumed_epoch_reports_its_own_batches(batches):
    report = Report(events := Events(), batches)
    batches.first_batch = 1
    report.set_model(SimpleNamespace(optimizer=SimpleNamespace(iterations=np.int64(0))))
    report.on_epoch_begin(0)
    report.on_train_batch_end(0, {"loss": 0.5})
    report.on_train_batch_end(1, {"loss": (4 * 0.5 + 2 * 0.2) / 6})
    assert [event["loss"] for event in events] == pytest.approx([0.5, 0.2])


def test_the_batches_are_told_the_epoch_that_keras_counts(batches):
    TellEpoch(batches).on_epoch_begin(4)
    assert batches.epoch == 4


def test_nothing_stops_a_training_that_is_left_alone(run):
    stopper_of(run, minutes=1).on_train_batch_end(0, {"loss": 0.5})
    assert not run.checkpoint.exists()


def test_a_stop_file_stops_after_the_batch_and_keeps_the_weights(run):
    run.stop.touch()
    with pytest.raises(TrainingStopped, match="asked"):
        stopper_of(run, [1.0]).on_train_batch_end(0, {"loss": 0.5})
    assert run.checkpoint.exists()


def test_a_limit_in_minutes_stops_when_it_is_over(run):
    with pytest.raises(TrainingStopped, match="limit of 0 minutes"):
        stopper_of(run, minutes=0).on_train_batch_end(0, {"loss": 0.5})


def test_the_first_reason_to_stop_is_the_one_that_is_given(run):
    stopper = stopper_of(run)
    stopper.ask("interrupted")
    run.stop.touch()
    with pytest.raises(TrainingStopped, match=r"^interrupted$"):
        stopper.on_train_batch_end(0, {"loss": 0.5})


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_stops_and_the_weights_are_not_kept(run, loss):
    run.stop.touch()
    with pytest.raises(TrainingDiverged, match="loss is no number any more; try a smaller"):
        stopper_of(run, [1.0]).on_train_batch_end(0, {"loss": loss})
    assert not run.checkpoint.exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_never_replace_a_checkpoint(run, bad):
    run.checkpoint.write_text("good")
    keep = Keep(run)
    keep.set_model(Model([1.0, 2.0], [[bad, 1.0]]))
    with pytest.raises(TrainingDiverged, match="weights are no numbers any more"):
        keep.on_epoch_end(0)
    run.stop.touch()
    with pytest.raises(TrainingDiverged):
        stopper_of(run, [bad]).on_train_batch_end(0, {"loss": 0.5})
    assert run.checkpoint.read_text() == "good"
