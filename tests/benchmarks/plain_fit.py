"""What our training is measured against: ``model.fit`` on arrays in memory, and nothing else.

`python -m tests.benchmarks.plain_fit CONFIG EPOCHS` trains with the settings of a ``config.json``,
on noise that is drawn once, and prints the pictures a second of each epoch as JSON.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np

from imaging.pixels import to_image
from models.architectures import build
from models.tasks.digits import degrade
from train.config import TrainConfig
from train.fit.data import split
from train.fit.loop import make_optimizer
from train.fit.metrics import psnr


class Speed(keras.callbacks.Callback):
    """Times the epochs, each with its validation, as ``train.fit.callbacks.Report`` does."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.pictures, self.measured = pictures, []

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.measured.append(round(self.pictures / (time.monotonic() - self._began), 1))


def main(settings: str, epochs: str) -> None:
    """Train and print the speed."""
    config = TrainConfig.from_json(Path(settings).read_text())
    keras.utils.set_random_seed(config.seed)
    batches, validation = split(config)
    clean = to_image(batches.examples.targets)
    noisy = degrade(clean, config.noise, np.random.default_rng(config.seed))
    model = build(config.architecture, **config.settings)
    steps = int(epochs) * batches.batches_an_epoch
    model.compile(
        optimizer=make_optimizer(config, steps),
        loss=config.loss,
        metrics=["mse", psnr],
        jit_compile=False,
    )
    speed = Speed(len(clean))
    model.fit(
        noisy,
        clean,
        batch_size=config.batch,
        epochs=int(epochs),
        validation_data=validation,
        validation_batch_size=500,
        callbacks=[speed],
        verbose=0,
    )
    print(json.dumps(speed.measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
