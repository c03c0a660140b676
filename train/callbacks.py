"""What a training does besides learning: report, keep, show, and stop when asked."""

import math
import time

import keras
import numpy as np
from PIL import Image

from train.runs import ProgressWriter, Run, write_whole


class Report(keras.callbacks.Callback):
    """Writes every batch and epoch to ``progress.jsonl``."""

    def __init__(self, progress: ProgressWriter, batches_an_epoch: int, batch_size: int) -> None:
        super().__init__()
        self.progress, self.batches_an_epoch = progress, batches_an_epoch
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch, logs=None):
        self._started, self._first_step = time.monotonic(), step_of(self.model)
        self._sum = 0.0

    def on_train_batch_end(self, batch, logs=None):
        # Keras reports the mean since the epoch began; the batch's own loss is the difference.
        total = logs["loss"] * (batch + 1)
        loss, self._sum = total - self._sum, total
        self.progress.write("batch", step_of(self.model), loss=round(loss, 6))

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        seconds = time.monotonic() - self._started
        self.progress.write(
            "epoch",
            step,
            epoch=epoch + 1,
            seconds=round(seconds, 2),
            images_per_second=round((step - self._first_step) * self.batch_size / seconds, 1),
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            **{name: round(float(value), 6) for name, value in logs.items()},
        )


class Keep(keras.callbacks.Callback):
    """Saves network and optimizer after each epoch, and touches the heartbeat."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run, self._beat = run, 0.0

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if now - self._beat > 1:
            self.run.heartbeat.touch()
            self._beat = now

    def on_epoch_end(self, epoch, logs=None):
        save_checkpoint(self.model, self.run)


class StopWhenAsked(keras.callbacks.Callback):
    """Ends the training after the current batch when asked to, or when the loss is no number.

    ``reason`` then says why, and stays None otherwise.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run, self.reason = run, None

    def ask(self, reason: str) -> None:
        """Stop after the current batch."""
        self.reason = self.reason or reason

    def on_train_batch_end(self, batch, logs=None):
        if self.run.stop.exists():
            self.ask("asked")
        if not math.isfinite(logs["loss"]):
            self.ask("the loss is no number any more; try a smaller learning rate")
        if self.reason:
            # fit() looks at this between batches, so the epoch ends here, in its middle.
            raise TrainingStopped(self.reason)


class TrainingStopped(Exception):  # noqa: N818 - a request, not an error
    """Leaves ``fit`` between two batches."""


class Probes(keras.callbacks.Callback):
    """After each epoch, saves what the network makes of a few fixed pictures."""

    def __init__(
        self, run: Run, progress: ProgressWriter, noisy: np.ndarray, clean: np.ndarray
    ) -> None:
        super().__init__()
        self.run, self.progress, self.noisy, self.clean = run, progress, noisy, clean
        (run.folder / "probes").mkdir(exist_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        denoised = keras.ops.convert_to_numpy(self.model(self.noisy, training=False))
        rows = [np.concatenate(list(row), axis=1) for row in (self.clean, self.noisy, denoised)]
        sheet = np.rint(np.concatenate(rows, axis=0)[..., 0] * 255).astype(np.uint8)
        path = self.run.folder / "probes" / f"epoch-{epoch + 1:04d}.png"
        write_whole(path, Image.fromarray(sheet).save)
        self.progress.write("probe", step_of(self.model), epoch=epoch + 1, file=path.name)


def step_of(model: keras.Model) -> int:
    """How many batches the model has been trained on."""
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def save_checkpoint(model: keras.Model, run: Run) -> None:
    """Save network, optimizer and step so that the run can go on from here."""
    write_whole(run.checkpoint, model.save)
