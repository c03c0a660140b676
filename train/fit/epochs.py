"""The epochs of a training: ``model.fit``, or on TensorFlow a loop that does the same faster.

    batches --made ahead by NumPy, in a thread--> (tensors, target) --compiled step--> losses

``fit`` would hand each batch that Python makes through a pipeline, which costs a small network on a
CPU a quarter of its time, and ``evaluate`` would build another pipeline at the end of every epoch.
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

# How many batches are made at once, and how many such groups while one is trained on, by how an
# epoch walks: to pass a batch of digits from thread to thread takes longer than to make it; crops
# are large, and some take longer to make than others.
AT_ONCE = {"whole": 4, "crops": 1}
AHEAD = {"whole": 1, "crops": 3}


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
    _make_variables(model, material.batches)
    told.on_train_begin()
    logs: dict = {}
    for epoch in epochs:
        model.reset_metrics()
        told.on_epoch_begin(epoch)
        for index, batch in enumerate(made_ahead(material.batches)):
            told.on_train_batch_begin(index)
            told.on_train_batch_end(index, model.train_function(iter((batch,))))
        logs = dict(model.get_metrics_result())
        validated = _validate(model, material, told)
        logs |= {f"val_{name}": value for name, value in validated.items()}
        told.on_epoch_end(epoch, logs)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    told.on_train_end(logs)


def _make_variables(model: keras.Model, batches: Batches) -> None:
    """Make the variables of optimizer and metrics before the first step.

    TensorFlow compiles a step twice that makes variables, which delays the first batch.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    given, target = _tensors(batches[0], slice(1))
    shapes = [tensor.shape for tensor in keras.tree.flatten(given)]
    answer = keras.ops.zeros(model.compute_output_shape(shapes))
    model.compute_metrics(given, target, answer)  # Each epoch begins with a reset.


def _validate(model: keras.Model, material: Material, told: keras.callbacks.CallbackList) -> dict:
    """Return the metrics of the validation examples, as ``model.evaluate`` does."""
    model.make_test_function()
    model.reset_metrics()
    told.on_test_begin()
    for first in range(0, len(material.validation[1]), material.validation_batch):
        part = slice(first, first + material.validation_batch)
        model.test_function(iter((_tensors(material.validation, part),)))
    logs = dict(model.get_metrics_result())
    told.on_test_end(logs)
    return logs


def made_ahead(batches: Batches) -> Iterator[tuple]:
    """Yield the batches of an epoch as tensors, while a thread makes the next ones."""
    at_once, ahead = AT_ONCE[batches.task.walk], AHEAD[batches.task.walk]

    def make(first: int) -> list[tuple]:
        last = min(first + at_once, len(batches))
        return [_tensors(batches[index]) for index in range(first, last)]

    maker = ThreadPoolExecutor(1)
    try:
        made = deque(maker.submit(make, group * at_once) for group in range(ahead))
        for first in range(0, len(batches), at_once):
            ready = made.popleft().result()
            made.append(maker.submit(make, first + ahead * at_once))
            yield from ready
    finally:
        # Nobody may change the epoch of the batches while one is still made.
        maker.shutdown(cancel_futures=True)


def _tensors(arrays: tuple, part: slice = slice(None)) -> tuple:
    return keras.tree.map_structure(lambda each: keras.ops.convert_to_tensor(each[part]), arrays)
