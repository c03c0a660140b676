"""What a training does besides learning: report, keep, show, and stop when asked."""

import math
import time
from collections.abc import Callable

import keras
import numpy as np
from PIL import Image

from imaging.pixels import to_pixels
from models.tasks.contract import Tensors
from train.fit.data import Batches
from train.fit.distributed import on_every_device
from train.run_folder import ProgressWriter, Run, write_whole

RATES_PER_EPOCH = 20  # how often the learning rate is written down


class SetEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch it is: Keras counts a ``fit`` that goes on from 0 again."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


class WriteProgress(keras.callbacks.Callback):
    """Writes every batch and epoch to ``progress.jsonl``."""

    def __init__(self, progress: ProgressWriter, batches: Batches) -> None:
        super().__init__()
        self.progress, self.batches = progress, batches

    def on_epoch_begin(self, epoch, logs=None):
        self._rate_every = max(1, self.batches.batches_an_epoch // RATES_PER_EPOCH)
        self._started = time.monotonic()
        # Counted here: to ask the model after every batch takes time.
        self._step = step_of(self.model)
        self._pictures, self._sum = 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        # Keras reports the mean over the epoch's pictures so far; the difference is this batch's.
        before, self._pictures = self._pictures, self.batches.examples_up_to(batch)
        total = logs["loss"] * self._pictures
        loss, self._sum = (total - self._sum) / (self._pictures - before), total
        values = {"loss": round(loss, 6)}
        if batch % self._rate_every == 0:
            values["learning_rate"] = self._learning_rate()
        self._step += 1
        self.progress.write("batch", self._step, **values)

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        seconds = time.monotonic() - self._started
        self.progress.write(
            "epoch",
            step,
            epoch=epoch + 1,
            seconds=round(seconds, 2),
            images_per_second=round(self._pictures / seconds, 1),
            learning_rate=self._learning_rate(),
            **{name: round(float(value), 6) for name, value in logs.items()},
        )

    def _learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


class EpochFinished(Exception):
    """Leaves ``fit`` after an epoch that a stop had broken."""


class EndAfterEpoch(keras.callbacks.Callback):
    """Leaves ``fit`` after its epoch by a back door: the front door ends the whole training.

    At the end of ``fit`` Keras puts the averaged weights in place of the trained ones.
    """

    def on_epoch_end(self, epoch, logs=None):
        raise EpochFinished


class TrainingStopped(Exception):
    """Leaves ``fit`` between two batches."""


class TrainingDiverged(TrainingStopped):
    """Leaves ``fit`` when the loss or the weights become NaN."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; try a lower learning rate")


class EarlyStop(Exception):
    """Leaves ``fit`` when the validation loss has not fallen for too long."""


class StopEarly(keras.callbacks.Callback):
    """Ends the training when the validation loss has not fallen for ``patience`` epochs.

    Earlier epochs are read from the events of the run, so that a training that was stopped goes on
    as if it had not been.  ``KeepBest`` keeps the network of the best epoch.
    """

    def __init__(self, run: Run, patience: int) -> None:
        super().__init__()
        self.run, self.patience = run, patience
        self._losses = {
            event["epoch"]: event["val_loss"]
            for event in run.events()
            if event["event"] == "epoch" and event.get("val_loss") is not None
        }

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss so far, the first of several."""
        return min(self._losses, key=lambda epoch: (self._losses[epoch], epoch), default=0)

    def on_train_begin(self, logs=None):
        self._judge(max(self._losses, default=0))

    def hear(self, epoch: int, loss: float) -> None:
        """Take in the validation loss of an epoch."""
        # As it is written down, or a training that goes on might judge otherwise.
        loss = round(loss, 6)
        if math.isfinite(loss):
            self._losses[epoch] = loss

    def on_epoch_end(self, epoch, logs=None):
        self._judge(epoch + 1)

    def _judge(self, epoch: int) -> None:
        if epoch - self.best_epoch >= self.patience:
            raise EarlyStop(
                f"the validation loss has not fallen for {self.patience} "
                f"{'epoch' if self.patience == 1 else 'epochs'}"
            )


class KeepBest(keras.callbacks.Callback):
    """Keeps the network of the best epoch, before anything is written that tells of it."""

    def __init__(self, early: StopEarly) -> None:
        super().__init__()
        self.early = early

    def on_epoch_end(self, epoch, logs=None):
        self.early.hear(epoch + 1, float(logs["val_loss"]))
        if self.early.best_epoch == epoch + 1:
            write_whole(self.early.run.best, self.model.save)


class SaveCheckpoint(keras.callbacks.Callback):
    """Saves network and optimizer after each epoch."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        save_checkpoint(self.model, self.run)


class StopOnRequest(keras.callbacks.Callback):
    """Ends the training after the current batch: when asked, in time, or when it diverges.

    ``agree`` is told after each batch whether this worker wants to stop, and says whether all do.
    After the last of an epoch's ``batches`` it ends once the epoch was validated: whoever goes on
    begins with the next one.
    """

    def __init__(
        self,
        run: Run,
        minutes: float | None = None,
        agree: Callable[[bool], bool] = bool,
        batches: int | None = None,
    ) -> None:
        super().__init__()
        self.batches, self._agreed = batches, False
        self.run, self.reason, self.minutes, self.agree = run, None, minutes, agree
        self._deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def ask(self, reason: str) -> None:
        """Stop after the current batch."""
        self.reason = self.reason or reason

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise TrainingDiverged("the loss became NaN")
        if why := self.run.why_stop():
            self.ask(why)
        if time.monotonic() > self._deadline:
            self.ask(f"it reached the limit of {self.minutes:g} minutes; it can be continued")
        self._agreed = self.agree(bool(self.reason))
        if self._agreed and not (self.batches and step_of(self.model) % self.batches == 0):
            save_checkpoint(self.model, self.run)
            # Keras's own stop_training would first validate and count the epoch as whole.
            self._stop()

    def on_epoch_end(self, epoch, logs=None):
        if self._agreed:
            self._stop()

    def _stop(self) -> None:
        raise TrainingStopped(self.reason or "another worker was asked to")


class Probes(keras.callbacks.Callback):
    """After each epoch, saves what the network makes of a few fixed pictures."""

    def __init__(
        self,
        run: Run,
        progress: ProgressWriter,
        picture: Callable[[np.ndarray], np.ndarray],
        given: Tensors,
        target: np.ndarray,
    ) -> None:
        super().__init__()
        self.run, self.progress, self.picture, self.given = run, progress, picture, given
        shown = keras.tree.flatten(given)[0]
        self.rows = [picture(target), picture(shown)]
        (run.folder / "probes").mkdir(exist_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        answer = keras.ops.convert_to_numpy(self.model(on_every_device(self.given), training=False))
        sheet = to_pixels(_sheet([*self.rows, self.picture(answer)]))
        sheet = sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet
        path = self.run.folder / "probes" / f"epoch-{epoch + 1:04d}.png"
        write_whole(path, Image.fromarray(sheet).save)
        self.progress.write("probe", step_of(self.model), epoch=epoch + 1, file=path.name)


def _sheet(rows: list[np.ndarray]) -> np.ndarray:
    """Put rows of pictures ``(N, H, W, C)`` below each other, smaller ones enlarged."""
    height, channels = max(row.shape[1] for row in rows), max(row.shape[3] for row in rows)
    lines = []
    for row in rows:
        times = height // row.shape[1]
        row = row.repeat(times, axis=1).repeat(times, axis=2)
        row = row.repeat(channels // row.shape[3], axis=3)
        lines.append(np.concatenate(list(row), axis=1))
    return np.concatenate(lines, axis=0)


def step_of(model: keras.Model) -> int:
    """How many batches the model has been trained on."""
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def save_checkpoint(model: keras.Model, run: Run) -> None:
    """Save network, optimizer and step so that the run can go on from here.

    Raises:
        TrainingDiverged: if a weight is NaN; the checkpoint then stays as it is.
    """
    # TensorFlow's fused ReLU turns NaN to 0: the loss may look well when the weights are not.
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise TrainingDiverged("the weights became NaN")
    write_whole(run.checkpoint, model.save)
