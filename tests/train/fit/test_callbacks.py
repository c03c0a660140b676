import json
from types import SimpleNamespace

import numpy as np
import pytest

from models.tasks.contract import Examples
from train.config import TrainConfig
from train.fit import callbacks
from train.fit.data import Batches
from train.run_folder import Run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", TrainConfig("dense"))


@pytest.fixture
def batches():
    """Ten pictures in batches of 4, 4 and 2."""
    pictures = np.zeros((10, 2, 2, 1), np.uint8)
    return Batches(Examples(pictures), TrainConfig("dense", batch=4))


class Model:
    """What callbacks need of a model: weights, and a way to save them."""

    def __init__(self, *weights):
        self.weights = weights

    def get_weights(self):
        return [np.array(values) for values in self.weights]

    def save(self, path):
        path.write_text("saved")


def stopper_of(run, *weights, **options):
    stopper = callbacks.StopOnRequest(run, **options)
    stopper.set_model(Model(*weights))
    return stopper


def model_at(step, rate=0.5):
    """What a report asks a model for."""
    return SimpleNamespace(
        optimizer=SimpleNamespace(iterations=np.int64(step), learning_rate=np.float32(rate))
    )


class Events(list):
    def write(self, event, step, **values):
        self.append(values | {"event": event, "step": step})


def test_each_batch_is_reported_with_its_own_loss(batches):
    report = callbacks.WriteProgress(events := Events(), batches)
    report.set_model(model_at(7))
    losses, sizes = np.array([0.9, 0.5, 0.1]), np.array([4, 4, 2])
    report.on_epoch_begin(0)
    for batch in range(3):
        # Keras hands over the mean over all pictures of the epoch so far.
        seen = slice(batch + 1)
        report.on_train_batch_end(batch, {"loss": np.average(losses[seen], weights=sizes[seen])})
    assert [event["loss"] for event in events] == pytest.approx(losses)
    assert [event["step"] for event in events] == [8, 9, 10]


def test_a_resumed_epoch_reports_its_own_batches(batches):
    report = callbacks.WriteProgress(events := Events(), batches)
    batches.first_batch = 1
    report.set_model(model_at(0))
    report.on_epoch_begin(0)
    report.on_train_batch_end(0, {"loss": 0.5})
    report.on_train_batch_end(1, {"loss": (4 * 0.5 + 2 * 0.2) / 6})
    assert [event["loss"] for event in events] == pytest.approx([0.5, 0.2])


def test_the_learning_rate_is_told_some_twenty_times_an_epoch():
    pictures = np.zeros((100, 2, 2, 1), np.uint8)
    batches = Batches(Examples(pictures), TrainConfig("dense", batch=2))
    report = callbacks.WriteProgress(events := Events(), batches)
    report.set_model(model_at(1, rate=0.25))
    report.on_epoch_begin(0)
    for batch in range(50):
        report.on_train_batch_end(batch, {"loss": 0.5})
    rates = [event["learning_rate"] for event in events if "learning_rate" in event]
    assert rates == [0.25] * 25


def test_the_batches_are_told_the_epoch_that_keras_counts(batches):
    callbacks.SetEpoch(batches).on_epoch_begin(4)
    assert batches.epoch == 4


def test_nothing_stops_a_training_that_is_left_alone(run):
    stopper_of(run, minutes=1).on_train_batch_end(0, {"loss": 0.5})
    assert not run.checkpoint.exists()


def test_a_stop_file_stops_after_the_batch_and_keeps_the_weights(run):
    run.stop.touch()
    with pytest.raises(callbacks.TrainingStopped, match="asked"):
        stopper_of(run, [1.0]).on_train_batch_end(0, {"loss": 0.5})
    assert run.checkpoint.exists()


def test_the_stop_file_may_say_why(run):
    run.stop.write_text("paused\n")
    with pytest.raises(callbacks.TrainingStopped, match=r"^paused$"):
        stopper_of(run, [1.0]).on_train_batch_end(0, {"loss": 0.5})


def test_a_limit_in_minutes_stops_when_it_is_over(run):
    with pytest.raises(callbacks.TrainingStopped, match="limit of 0 minutes"):
        stopper_of(run, minutes=0).on_train_batch_end(0, {"loss": 0.5})


def test_the_first_reason_to_stop_is_the_one_that_is_given(run):
    stopper = stopper_of(run)
    stopper.ask("interrupted")
    run.stop.touch()
    with pytest.raises(callbacks.TrainingStopped, match=r"^interrupted$"):
        stopper.on_train_batch_end(0, {"loss": 0.5})


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_stops_and_the_weights_are_not_kept(run, loss):
    run.stop.touch()
    with pytest.raises(callbacks.TrainingDiverged, match="loss became NaN; try a lower"):
        stopper_of(run, [1.0]).on_train_batch_end(0, {"loss": loss})
    assert not run.checkpoint.exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_never_replace_a_checkpoint(run, bad):
    run.checkpoint.write_text("good")
    keep = callbacks.SaveCheckpoint(run)
    keep.set_model(Model([1.0, 2.0], [[bad, 1.0]]))
    with pytest.raises(callbacks.TrainingDiverged, match="weights became NaN"):
        keep.on_epoch_end(0)
    run.stop.touch()
    with pytest.raises(callbacks.TrainingDiverged):
        stopper_of(run, [bad]).on_train_batch_end(0, {"loss": 0.5})
    assert run.checkpoint.read_text() == "good"


# Early stopping


def epochs_until_lost(run, losses, patience, first=0) -> int | None:
    """After which epoch a training with these validation losses ends, None if it does not."""
    stopper = callbacks.StopEarly(run, patience)
    model = Model([1.0])
    model.save = lambda path: path.write_text("whole")
    keeper = callbacks.KeepBest(stopper)
    keeper.set_model(model)
    epoch = first - 1
    try:
        stopper.on_train_begin()
        for epoch, loss in enumerate(losses[first:], start=first):
            keeper.on_epoch_end(epoch, {"val_loss": loss})
            stopper.on_epoch_end(epoch)
    except callbacks.EarlyStop:
        return epoch + 1
    return None


@pytest.mark.parametrize(
    ("losses", "patience", "end"),
    [
        ([5, 4, 3, 2, 1], 1, None),
        ([5, 4, 4, 3, 3], 2, None),  # As good as before is no progress, but patience lasts.
        ([5, 4, 4, 4, 3], 2, 4),
        ([1, 2, 3, 4, 5], 3, 4),
        ([1, np.nan], 1, 2),
        ([np.nan, 4, 3, 2], 2, None),
        ([np.nan, np.nan, 4], 2, 2),
    ],
)
def test_patience_is_lost_when_the_loss_has_not_fallen_for_so_many_epochs(
    run, losses, patience, end
):
    assert epochs_until_lost(run, losses, patience) == end


def test_lost_patience_says_how_long_it_lasted(run):
    stopper = callbacks.StopEarly(run, 1)
    stopper.hear(1, 1.0)
    stopper.on_epoch_end(0)
    stopper.hear(2, 1.0)
    with pytest.raises(
        callbacks.EarlyStop, match=r"the validation loss has not fallen for 1 epoch$"
    ):
        stopper.on_epoch_end(1)


def test_the_best_epoch_is_kept(run):
    stopper = callbacks.StopEarly(run, 5)
    for epoch, loss in enumerate([3, 1, 2, 1]):
        model = Model([float(epoch)])
        model.save = lambda path, epoch=epoch: path.write_text(f"epoch {epoch + 1}")
        keeper = callbacks.KeepBest(stopper)
        keeper.set_model(model)
        keeper.on_epoch_end(epoch, {"val_loss": loss})
    assert stopper.best_epoch == 2
    assert run.best.read_text() == "epoch 2"


def test_patience_goes_on_where_a_stopped_training_left_it(run):
    losses = [5, 4, 4.5, 4.25, 4.125, 3]
    with run.progress.open("w") as file:
        for epoch, loss in enumerate(losses[:3], start=1):
            event = {"event": "epoch", "time": 0, "step": epoch, "epoch": epoch, "val_loss": loss}
            file.write(json.dumps(event) + "\n")
    assert epochs_until_lost(run, losses, 3, first=3) == 5
    assert epochs_until_lost(run, losses, 1, first=3) == 3  # It was lost before.
