"""The loop on TensorFlow does what ``model.fit`` does."""

import dataclasses

import keras
import numpy as np
import pytest

from models.architectures import build
from tests.train.conftest import TRAINING
from train.config import TrainConfig, gaussian_only
from train.fit import epochs
from train.fit.callbacks import SetEpoch
from train.fit.data import split
from train.fit.distributed import SharedBatches, Team

pytestmark = pytest.mark.usefixtures("strokes")

CONFIG = TrainConfig(
    "dense",
    {"hidden": 8},
    noise=gaussian_only(0.5),
    batch=TRAINING // 4 - 1,  # Four whole batches and a small one.
    epochs=2,
    average=0.9,
)


class Note(keras.callbacks.Callback):
    """Notes what is called, and the names of what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("begin",))

    def on_train_end(self, logs=None):
        self.calls.append(("end",))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("batch", batch, *sorted(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch", epoch, *sorted(logs)))
        self.last = dict(logs)


def trained(config: TrainConfig, ours: bool) -> tuple[keras.Model, Note]:
    keras.utils.set_random_seed(3)
    batches, validation = split(config)
    model = build(config.architecture, **config.settings)
    adam = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=config.average)
    model.compile(adam, "binary_crossentropy", metrics=["mae"])
    note = Note()
    callbacks = [SetEpoch(batches), note]
    if ours:
        material = epochs.Material(batches, validation, 500)
        epochs.fit(model, material, 0, config.epochs, callbacks, 0, Team())
    else:
        model.fit(
            SharedBatches(batches, Team()),
            validation_data=validation,
            validation_batch_size=500,
            epochs=config.epochs,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
    return model, note


def test_it_calls_tells_and_learns_what_fit_does():
    one, our_note = trained(CONFIG, ours=True)
    other, note = trained(CONFIG, ours=False)
    assert our_note.calls == note.calls
    assert our_note.last == pytest.approx(note.last, rel=1e-4)
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_step_is_compiled_once(monkeypatch):
    compiled = []
    step = keras.Model.train_step
    monkeypatch.setattr(
        keras.Model, "train_step", lambda *given: compiled.append(1) or step(*given)
    )
    trained(dataclasses.replace(CONFIG, batch=TRAINING // 4, epochs=1), ours=True)
    assert len(compiled) == 1


@pytest.mark.parametrize("batch", [1, 3, 4, 5, 8, 9, 1000])
def test_batches_that_are_made_ahead_are_all_there_in_their_order(batch):
    config = dataclasses.replace(CONFIG, batch=TRAINING if batch == 1000 else TRAINING // batch)
    batches, _ = split(config)
    made = list(epochs.made_ahead(batches))
    assert len(made) == len(batches)
    for index, (noisy, clean) in enumerate(made):
        np.testing.assert_array_equal(noisy, batches[index][0])
        np.testing.assert_array_equal(clean, batches[index][1])


def test_no_batch_at_all_is_nothing_to_wait_for():
    batches, _ = split(CONFIG)
    batches.first_batch = batches.batches_an_epoch
    assert list(epochs.made_ahead(batches)) == []
