"""Our training and ``model.fit`` on arrays in memory, an epoch of one and an epoch of the other.

`python -m tests.benchmarks.fit_in_turns CONFIG EPOCHS` trains with the settings of a
``config.json`` and prints, as JSON, seconds and CPU seconds of each epoch, ours and plain.  The
noise of the plain one is drawn once, beforehand.  All that an epoch does counts: validation on both
sides, on ours also what is written down, shown and saved.
"""

import dataclasses
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import keras
import numpy as np

from imaging.pixels import to_image
from models.architectures import build
from models.tasks.digits import degrade
from train.config import TrainConfig
from train.fit import loop
from train.fit.data import split
from train.fit.metrics import METRICS
from train.run_folder import Run


def now() -> tuple[float, float]:
    """Seconds on the wall, and CPU seconds of this process."""
    return time.perf_counter(), time.process_time()


class Turns:
    """One of two trains, the other waits."""

    def __init__(self) -> None:
        self._lock, self._whose = threading.Condition(), "plain"

    def wait_for(self, name: str) -> None:
        """Wait for the turn of this one."""
        with self._lock:
            self._lock.wait_for(lambda: self._whose in (name, None))

    def give(self, name: str | None) -> None:
        """Say whose turn it is; None where both may go on."""
        with self._lock:
            self._whose = name if self._whose else None
            self._lock.notify_all()


class Begin(keras.callbacks.Callback):
    """Waits for the turn to train an epoch; has to be the first of all."""

    def __init__(self, turns: Turns, name: str) -> None:
        super().__init__()
        self.turns, self.name, self.began = turns, name, (0.0, 0.0)

    def on_epoch_begin(self, epoch, logs=None):
        self.turns.wait_for(self.name)
        self.began = now()


class End(keras.callbacks.Callback):
    """Measures the epoch and gives the other one its turn; has to be the last of all."""

    def __init__(self, begin: Begin, other: str) -> None:
        super().__init__()
        self.begin, self.other, self.seconds = begin, other, []

    def on_epoch_end(self, epoch, logs=None):
        both = zip(self.begin.began, now(), strict=True)
        self.seconds.append([after - before for before, after in both])
        self.begin.turns.give(self.other)


def in_turns(turns: Turns, name: str, other: str) -> tuple[Begin, End]:
    """The two callbacks of one that trains."""
    begin = Begin(turns, name)
    return begin, End(begin, other)


def fit_plainly(config: TrainConfig, begin: Begin, end: End) -> None:
    """Train as a tutorial does."""
    batches, validation = split(config)
    clean = to_image(batches.examples.targets)
    noisy = degrade(clean, config.noise, np.random.default_rng(config.seed))
    target = clean if batches[0][1].ndim == 4 else batches.examples.labels
    model = build(config.architecture, **config.settings)
    model.compile(
        optimizer=loop.make_optimizer(config, config.epochs * batches.batches_an_epoch),
        loss=loop.LOSSES.get(config.loss, config.loss),
        metrics=[METRICS.get(name, name) for name in batches.task.watch],
        jit_compile=False,
    )
    model.fit(
        noisy,
        target,
        batch_size=config.batch,
        epochs=config.epochs,
        validation_data=validation,
        validation_batch_size=500,
        callbacks=[begin, end],
        verbose=0,
    )


def main(settings: str, epochs: str) -> None:
    """Train both and print the seconds of their epochs."""
    config = TrainConfig.from_json(Path(settings).read_text())
    config = dataclasses.replace(config, epochs=int(epochs))
    turns = Turns()
    ours, plain = in_turns(turns, "ours", "plain"), in_turns(turns, "plain", "ours")
    callbacks_of = loop._callbacks
    loop._callbacks = lambda *given: [ours[0], *callbacks_of(*given), ours[1]]
    other = threading.Thread(target=fit_plainly, args=(config, *plain), daemon=True)
    other.start()
    with tempfile.TemporaryDirectory() as folder:
        loop.train(Run.create(folder, config))
    turns.give(None)
    other.join()
    if len(ours[1].seconds) != len(plain[1].seconds):
        raise RuntimeError("one of the two did not come to its end")
    print(json.dumps({"ours": ours[1].seconds, "plain": plain[1].seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
