"""The epochs of a training: ``model.fit``, or on TensorFlow a loop that does the same faster.

    batches --made ahead by NumPy, in a thread--> (tensors, target) --compiled step--> losses

``fit`` would hand each batch that Python makes through a pipeline, which costs a small network on a
CPU a quarter of its time.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from models.tasks.contract import Tensors
from train.fit.data import Batches
from train.fit.distributed import SharedBatches, Team

AHEAD = 3  # batches that are made or wait while one is trained on


@dataclass(frozen=True)
class Material:
    """What a network learns from and what it is validated with, ``validation_batch`` at a time."""

    batches: Batches
    validation: tuple[Tensors, np.ndarray]
    validation_batch: int


def fit(
    model: keras.Model,
    material: Material,
    first: int,
    last: int,
    callbacks: list[keras.callbacks.Callback],
    verbosity: int,
    team: Team,
) -> None:
    """Train the epochs from ``first`` up to ``last``, as ``model.fit`` does."""
    if keras.backend.backend() == "tensorflow":
        told = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=verbosity != 0,
            model=model,
            verbose=verbosity,
            epochs=last,
            steps=len(material.batches),
        )
        return _fit_batches(model, material, range(first, last), told)
    model.fit(
        SharedBatches(material.batches, team),
        validation_data=team.shard(material.validation),
        validation_batch_size=material.validation_batch,
        initial_epoch=first,
        epochs=last,
        shuffle=False,  # They are shuffled, in an order that can be resumed.
        callbacks=callbacks,
        verbose=verbosity,
    )


def _fit_batches(
    model: keras.Model, material: Material, epochs: range, told: keras.callbacks.CallbackList
) -> None:
    model.make_train_function()
    told.on_train_begin()
    logs: dict = {}
    for epoch in epochs:
        model.reset_metrics()
        told.on_epoch_begin(epoch)
        for index, batch in enumerate(made_ahead(material.batches)):
            told.on_train_batch_begin(index)
            told.on_train_batch_end(index, model.train_function(iter((batch,))))
        logs = dict(model.get_metrics_result())
        validated = model.evaluate(
            *material.validation,
            batch_size=material.validation_batch,
            callbacks=told,
            return_dict=True,
        )
        logs |= {f"val_{name}": value for name, value in validated.items()}
        told.on_epoch_end(epoch, logs)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    told.on_train_end(logs)


def made_ahead(batches: Batches) -> Iterator[tuple]:
    """Yield the batches of an epoch as tensors, while a thread makes the next ones."""

    def make(index: int) -> tuple:
        return keras.tree.map_structure(keras.ops.convert_to_tensor, batches[index])

    maker = ThreadPoolExecutor(1)
    try:
        made = deque(maker.submit(make, index) for index in range(min(AHEAD, len(batches))))
        for index in range(AHEAD, len(batches) + AHEAD):
            batch = made.popleft().result()
            if index < len(batches):
                made.append(maker.submit(make, index))
            yield batch
    finally:
        # Nobody may change the epoch of the batches while one is still made.
        maker.shutdown(cancel_futures=True)
