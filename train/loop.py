"""The training itself: seed, data, model, compile, fit, save."""

import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from models.architectures import build
from train.callbacks import (
    Keep,
    Probes,
    Report,
    StopWhenAsked,
    TrainingStopped,
    save_checkpoint,
    step_of,
)
from train.config import TrainConfig
from train.data import TrainingBatches, split_and_spoil
from train.runs import ProgressWriter, Run, write_whole

PROBES = 10


def train(run: Run, show_progress: bool = False) -> str:
    """Train the run to its end, or until it is stopped; go on where it was stopped before.

    Returns "finished", or "stopped" when somebody asked for it or the loss became NaN.  The
    weights are kept in either case.

    Raises:
        ValueError: if the settings or the checkpoint make no sense.
        OSError: if the data cannot be had or the folder cannot be written.
    """
    config = run.read_config()
    run.stop.unlink(missing_ok=True)
    progress = ProgressWriter(run.progress)
    try:
        return _train(run, config, progress, show_progress)
    except Exception as error:
        progress.write("error", 0, message=f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()


def _train(run: Run, config: TrainConfig, progress: ProgressWriter, show_progress: bool) -> str:
    keras.utils.set_random_seed(config.seed)
    progress.write("status", 0, status="loading", backend=keras.backend.backend())

    batches, validation = split_and_spoil(config)
    model = resume_or_build(run, config, batches.batches_an_epoch)
    epoch, batches.first_batch = divmod(step_of(model), batches.batches_an_epoch)
    batches.epoch = epoch

    stopper = StopWhenAsked(run)
    callbacks = [Report(progress, batches.batches_an_epoch, config.batch), Keep(run)]
    if config.target == "clean":
        probes = validation[0][:PROBES], validation[1][:PROBES]
        callbacks.append(Probes(run, progress, *probes))
    callbacks.append(stopper)  # Last, so that what the others keep is kept.

    # A bar on a terminal, a line an epoch in a log.
    verbosity = 0 if not show_progress else 1 if sys.stdout.isatty() else 2
    progress.write("status", step_of(model), status="training", epochs=config.epochs)
    try:
        with _stop_on_interrupt(stopper):
            for first, last in _stretches(epoch, batches, config.epochs):
                model.fit(
                    batches,
                    validation_data=validation,
                    validation_batch_size=500,
                    initial_epoch=first,
                    epochs=last,
                    callbacks=callbacks,
                    verbose=verbosity,
                )
                batches.first_batch = 0
    except TrainingStopped as stop:
        save_checkpoint(model, run)
        progress.write("stop", step_of(model), reason=str(stop))
        return "stopped"

    write_whole(run.model, model.save)
    progress.write("status", step_of(model), status="finished")
    return "finished"


def resume_or_build(run: Run, config: TrainConfig, batches_an_epoch: int) -> keras.Model:
    """Load the run's checkpoint, or build and compile its network where there is none."""
    if run.checkpoint.exists():
        try:
            return keras.saving.load_model(run.checkpoint)
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"checkpoint {run.checkpoint} cannot be read: {error}") from error
    model = build(config.architecture, **config.settings)
    model.compile(
        optimizer=make_optimizer(config, config.epochs * batches_an_epoch),
        loss=config.loss,
        metrics=["accuracy"] if config.target == "label" else ["mse", psnr],
        # XLA on a CPU makes these small convolutions three times slower.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def make_optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer; a cosine schedule rises for 3 % of the steps and then falls to zero."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = config.learning_rate
    if config.schedule == "cosine":
        warm_up = max(1, steps * 3 // 100)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=config.learning_rate / 10,
            warmup_target=config.learning_rate,
            warmup_steps=warm_up,
            decay_steps=max(1, steps - warm_up),
        )
    return keras.optimizers.get({"class_name": config.optimizer, "config": {"learning_rate": rate}})


@keras.saving.register_keras_serializable(package="denoise_lab")
def psnr(clean, denoised):
    """Peak signal-to-noise ratio of each picture in dB, for values in [0, 1]."""
    error = keras.ops.mean(keras.ops.square(clean - denoised), axis=(1, 2, 3))
    return -10.0 * keras.ops.log10(keras.ops.maximum(error, 1e-10))


def _stretches(epoch: int, batches: TrainingBatches, epochs: int) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) epochs of each ``fit``: a broken epoch is finished on its own."""
    if batches.first_batch and epoch < epochs:
        yield epoch, epoch + 1
        epoch += 1
    if epoch < epochs:
        yield epoch, epochs


@contextmanager
def _stop_on_interrupt(stopper: StopWhenAsked) -> Iterator[None]:
    """Turn Ctrl-C and a polite kill into a stop after the current batch."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, lambda *_: stopper.ask("interrupted")) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
