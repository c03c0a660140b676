"""The training itself: seed, data, model, compile, fit, save."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from imaging.pixels import to_image
from models.architectures import build
from models.catalogue import find_card
from models.tasks import find_task
from models.tasks.contract import Tensors
from train.config import TrainConfig, gaussian_only
from train.export.compact import read_kernels, set_kernels
from train.fit.callbacks import (
    EarlyStop,
    EndAfterEpoch,
    EpochFinished,
    KeepBest,
    Probes,
    SaveCheckpoint,
    SetEpoch,
    StopEarly,
    StopOnRequest,
    TrainingDiverged,
    TrainingStopped,
    WriteProgress,
    step_of,
)
from train.fit.data import WATCH, Batches, split
from train.fit.distributed import StopTogether, Team
from train.fit.epochs import Material, fit
from train.fit.losses import LOSSES, TARGET_CHANNELS
from train.fit.metrics import METRICS
from train.memory import VALIDATION_BATCH
from train.run_folder import ProgressWriter, Run, write_whole

PROBES = 10
CROPS_AT_ONCE = 16  # while it validates
PURE_NOISE = gaussian_only(0.5)  # Where the training noise leaves a black picture black.
LONGEST_MESSAGE = 1000  # of an error; the newest event is looked for in the last 8 kB of a file
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def train(
    run: Run,
    show_progress: bool = False,
    minutes: float | None = None,
    team: Team | None = None,
) -> str:
    """Train the run to its end, or until it is stopped; go on where it was stopped before.

    A ``stop`` file that is there already stops it after its first batch: whoever starts the
    training removes an old one.  After ``minutes`` the training stops by itself.  The workers of
    a ``team`` train together, each with its own folder.

    Returns "finished"; "stopped" when somebody asked for it, the weights being kept as they
    are; or "diverged" when the loss became NaN, the last epoch's being kept.

    Raises:
        ValueError: if the settings or the checkpoint make no sense.
        OSError: if the data cannot be had, or the folder cannot be written.
    """
    config = run.read_config()
    step = max((event["step"] for event in run.events()), default=0)
    progress = ProgressWriter(run.progress)
    try:
        progress.write("status", step, status="loading", backend=keras.backend.backend())
        return _train(run, config, progress, show_progress, minutes, team or Team())
    except Exception as error:
        with suppress(OSError):  # On a full disk there may be no room for this line either.
            progress.write("error", step, message=_in_words(error))
        raise
    finally:
        with suppress(OSError):
            progress.close()


def _train(
    run: Run,
    config: TrainConfig,
    progress: ProgressWriter,
    show_progress: bool,
    minutes: float | None,
    team: Team,
) -> str:
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    batches, validation = split(config, own=run.own)
    model = resume_or_build(run, config, batches.batches_an_epoch)
    require_fit(model, batches)
    team.require_even_shards(batches)
    seed_random_layers(model, config.seed)
    epoch, batches.first_batch = divmod(step_of(model), batches.batches_an_epoch)

    stopper = StopOnRequest(run, minutes, StopTogether(team), batches.batches_an_epoch)
    early = StopEarly(run, config.patience) if config.patience else None
    # Last are those that end it, so that what the others keep is kept.
    callbacks = [
        *([KeepBest(early)] if early else []),
        *_callbacks(run, config, progress, batches, validation),
        *([early] if early else []),
        stopper,
    ]
    progress.write(
        "status",
        step_of(model),
        status="training",
        epochs=config.epochs,
        batches_an_epoch=batches.batches_an_epoch,
    )
    at_once = CROPS_AT_ONCE if batches.task.walk == "crops" else VALIDATION_BATCH
    material = Material(batches, validation, at_once)
    reason = ""
    try:
        with _stop_on_interrupt(stopper), team.translate_lost_peer():
            _fit_to_the_end(model, material, epoch, config.epochs, callbacks, show_progress, team)
    except EarlyStop as end:
        reason = f"{end}; "
    except TrainingStopped as stop:
        outcome = "diverged" if isinstance(stop, TrainingDiverged) else "stopped"
        progress.write("stop", step_of(model), reason=str(stop), outcome=outcome)
        return outcome

    if early and early.best_epoch:
        reason += f"the weights of epoch {early.best_epoch}, the best, are kept"
        model.set_weights(_load(run.best).get_weights())
    if config.average and epoch >= config.epochs:
        # No fit ran, at whose end Keras puts the averaged weights in place.
        model.optimizer.finalize_variable_values(model.trainable_variables)
    write_whole(run.model, model.save)
    progress.write("status", step_of(model), status="finished", reason=reason)
    return "finished"


def _fit_to_the_end(
    model: keras.Model,
    material: Material,
    epoch: int,
    epochs: int,
    callbacks: list[keras.callbacks.Callback],
    show_progress: bool,
    team: Team,
) -> None:
    """Train from ``epoch``, which a stop may have broken, to the last."""
    # A bar on a terminal, a line an epoch in a log.
    verbosity = 0 if not show_progress else 1 if sys.stdout.isatty() else 2
    for first, last in _stretches(epoch, material.batches, epochs):
        broken = [EndAfterEpoch()] if last < epochs else []
        with suppress(EpochFinished):
            fit(model, material, first, last, callbacks + broken, verbosity, team)
        material.batches.first_batch = 0


def _callbacks(
    run: Run,
    config: TrainConfig,
    progress: ProgressWriter,
    batches: Batches,
    validation: tuple[Tensors, np.ndarray],
) -> list[keras.callbacks.Callback]:
    """Return what writes down and keeps how the training goes."""
    callbacks = [SetEpoch(batches), WriteProgress(progress, batches), SaveCheckpoint(run)]
    if picture := batches.task.picture:
        callbacks.append(Probes(run, progress, picture, *probe_pictures(run, config, *validation)))
    if config.average:
        callbacks.append(keras.callbacks.SwapEMAWeights())  # Validate what will be kept.
    return callbacks


def probe_pictures(
    run: Run, config: TrainConfig, given: Tensors, target: np.ndarray
) -> tuple[Tensors, np.ndarray]:
    """Return the first validation examples, ``(tensors, target)``, to watch.

    With digits come first the visitor's own one, if any, and last nothing but noise.
    """
    target = target[:PROBES]
    given = keras.tree.map_structure(lambda part: part[:PROBES], given)
    degrade = find_task(config.task).degrade
    if degrade is None:
        return given, target
    rng = np.random.default_rng((config.seed, WATCH))
    if run.drawing.exists():
        with Image.open(run.drawing) as file:
            drawn = np.asarray(file.convert("L").resize(target.shape[1:3]))
        drawn = to_image(drawn)[None, ..., None]
        given = np.concatenate([degrade(drawn, config.noise, rng), given])
        target = np.concatenate([drawn, target])
    nothing = np.zeros_like(target[:1])
    noise = degrade(nothing, config.noise, rng)
    if not noise.any():
        noise = degrade(nothing, PURE_NOISE, rng)
    return np.concatenate([given, noise]), np.concatenate([target, nothing])


def resume_or_build(run: Run, config: TrainConfig, batches_an_epoch: int) -> keras.Model:
    """Load the run's checkpoint, or build and compile its network where there is none."""
    if run.checkpoint.exists():
        model = _load(run.checkpoint, compile=True)
        model.jit_compile = use_xla()  # Another backend may have saved it.
        return model
    model = build(config.architecture, **config.settings)
    if config.start:
        start_from(model, config.start)
    model.compile(
        optimizer=make_optimizer(config, config.epochs * batches_an_epoch),
        loss=LOSSES.get(config.loss, config.loss),
        metrics=[METRICS.get(name, name) for name in find_task(config.task).watch],
        jit_compile=use_xla(),
    )
    return model


def use_xla() -> bool:
    """JAX is slow without XLA; TensorFlow's small convolutions on a CPU are three times as fast."""
    return keras.backend.backend() == "jax"


def _load(path: Path, compile: bool = False) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=compile)
    except Exception as error:  # Keras, HDF5 and ZIP each raise types of their own.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read; remove it to start over: {reason}") from error


def start_from(model: keras.Model, name: str) -> None:
    """Give the model the weights of the shipped model called ``name``.

    Raises:
        ValueError: if there is none, it is built otherwise, or more is needed than its file holds.
    """
    try:
        card = find_card(name)
        keras_file = card.folder / "model.keras"
        if keras_file.is_file():
            trained = keras.saving.load_model(keras_file, compile=False)
            model.set_weights(trained.get_weights())
        else:
            set_kernels(model, read_kernels(card.weights))
    except Exception as error:  # Keras, HDF5 and ZIP each raise types of their own.
        raise ValueError(f"cannot start from {name}: {error}") from error


def require_fit(model: keras.Model, batches: Batches) -> None:
    """Raise ``ValueError`` where the network does not take or answer what the task makes.

    One batch is made for that, and its shapes are compared with the network's.
    """
    given, target = batches[0]
    given = keras.tree.flatten(given)
    names, wanted = [each.name for each in model.inputs], batches.task.inputs
    if len(names) != len(wanted):
        raise ValueError(
            f"the task {batches.task.name} gives a network {' and '.join(wanted)}; "
            f"{model.name} takes {' and '.join(names)}"
        )
    for tensor, each in zip(given, model.inputs, strict=True):
        if not _fits(each.shape, tensor.shape):
            raise ValueError(f"the network takes {each.shape[1:]}, the data is {tensor.shape[1:]}")
    try:
        answer = tuple(model.compute_output_shape([tensor.shape for tensor in given]))
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"the network cannot work on pieces of {given[0].shape[1:]}: {reason}"
        ) from error
    # A number stands for a class, where the network gives each class a probability; a second one
    # says how much its pixel counts.
    own = TARGET_CHANNELS.get(batches.config.loss)
    shapes = [(*answer[:-1], own)] if own else [answer, answer[:-1], (*answer[:-1], 2)]
    if target.shape not in shapes:
        raise ValueError(
            f"the target has the shape {target.shape[1:]}, but the network answers {answer[1:]}"
        )


def _fits(shape: tuple, given: tuple[int, ...]) -> bool:
    return len(shape) == len(given) and all(
        side in (None, wanted) for side, wanted in zip(shape[1:], given[1:], strict=True)
    )


def seed_random_layers(model: keras.Model, seed: int) -> None:
    """Give dropout the state that it has at this step of an unbroken run; files do not keep it."""
    for index, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            own = np.random.default_rng((seed, index)).integers(2**31)
            generator.state.assign([own, step_of(model)])


def make_optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer; a cosine schedule rises for 3 % of the steps and then falls to zero."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = float(config.learning_rate)
    if config.schedule == "cosine":
        warm_up = max(1, steps * 3 // 100)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=config.learning_rate / 10,
            warmup_target=config.learning_rate,
            warmup_steps=warm_up,
            decay_steps=max(1, steps - warm_up),
        )
    settings: dict = {"learning_rate": rate}
    if config.clip:
        settings["global_clipnorm"] = config.clip
    if config.average:
        settings |= {"use_ema": True, "ema_momentum": config.average}
    return keras.optimizers.get({"class_name": config.optimizer, "config": settings})


def _stretches(epoch: int, batches: Batches, epochs: int) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) epochs of each ``fit``: a broken epoch is finished on its own."""
    if batches.first_batch and epoch < epochs:
        yield epoch, epoch + 1
        epoch += 1
    if epoch < epochs:
        yield epoch, epochs


@contextmanager
def _stop_on_interrupt(stopper: StopOnRequest) -> Iterator[None]:
    """Turn Ctrl-C and a polite kill into a stop after the current batch."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, lambda *_: stopper.ask("interrupted")) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return (
            "OSError: the disk is full; what was saved before stays as it is, and the run can go "
            "on once there is room"
        )
    return f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
