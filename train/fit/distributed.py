"""Data-parallel training: several workers train one network, each on its share of every batch.

    batch (B, H, W, C) -> B / workers pictures to each -> gradients averaged -> the same step

The engine is ``keras.distribution.DataParallel`` on Keras's JAX backend, with one process a
worker, on one machine or on several.  All workers hold the same weights, draw the same batches and
see the same losses, so they save and end at the same steps; what only one of them can know, that
somebody asked to stop, they tell each other.  Worker 0 alone writes the run folder: the others
train in a copy of it that they throw away.
"""

import io
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from train.run_folder import Run

if TYPE_CHECKING:
    from train.fit.data import Batches

ASK_EVERY = 0.5  # seconds of training between two questions whether anybody wants to stop
COPIED = ("config.json", "progress.jsonl", "checkpoint.keras", "best.keras")
# How the libraries below say that the line to another worker is gone.
LOST = ("gloo", "nccl", "coordination service", "heartbeat", "deadline_exceeded")


class WorkerError(Exception):
    """Another worker ended without a word; the others cannot go on without it."""

    def __init__(self) -> None:
        super().__init__(
            "another worker was lost. What was saved after the last whole epoch is kept, and the "
            "same command goes on from there"
        )


class Team:
    """The workers of one training, seen from worker number ``index`` of ``count``.

    A lonely worker takes all of every batch and asks nobody.
    """

    def __init__(self, index: int = 0, count: int = 1) -> None:
        if not 0 <= index < count:
            raise ValueError(f"workers are numbered from 0 to {count - 1}, got {index}")
        self.index, self.count, self.devices = index, count, count

    @classmethod
    def join(cls, index: int, count: int, coordinator: str) -> "Team":
        """Meet the other workers at ``coordinator``, the "host:port" of worker 0.

        From then on networks are built on all devices of all workers.

        Raises:
            ValueError: if Keras does not run on JAX.
            WorkerError: if the others do not come within five minutes.
        """
        if keras.backend.backend() != "jax":
            raise ValueError(f"workers need Keras on JAX, got {keras.backend.backend()}")
        team = cls(index, count)
        if count > 1:
            with team.translate_lost_peer():
                keras.distribution.initialize(coordinator, count, index)
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )
        team.devices = keras.distribution.get_device_count()
        return team

    def require_even_shards(self, batches: "Batches") -> None:
        """Raise ``ValueError`` where the batches of an epoch cannot be shared evenly."""
        batch, last = batches.config.batch, batches.batches_an_epoch - 1
        smallest = batches.examples_up_to(last) - (batches.examples_up_to(last - 1) if last else 0)
        if batch % self.devices or smallest < self.devices:
            raise ValueError(
                f"each batch is shared evenly by {self.devices} workers or devices, got batches "
                f"of {batch} and a last one of {smallest}; take another number of workers"
            )

    def shard(self, data: object) -> object:
        """Return this worker's rows of the arrays ``(N, ...)``, which may be nested in tuples.

        Where they do not divide evenly, the fewer than ``devices`` last rows go to nobody.
        """
        if isinstance(data, tuple):
            return tuple(self.shard(each) for each in data)
        rows = len(data) // self.devices * (self.devices // self.count)
        return data[self.index * rows : (self.index + 1) * rows]

    def all_agree(self, stop: bool, interval: int) -> tuple[bool, int]:
        """Ask all workers at once: return whether any wants to stop, and worker 0's interval."""
        if self.count == 1:
            return stop, interval
        from jax.experimental import multihost_utils

        answers = multihost_utils.process_allgather(np.int32([stop, interval]))
        return bool(answers[:, 0].any()), int(answers[0, 1])

    def broadcast(self, content: bytes) -> bytes:
        """Return what worker 0 has; what the others give does not count."""
        if self.count == 1:
            return content
        from jax.experimental import multihost_utils

        send = multihost_utils.broadcast_one_to_all
        size = int(send(np.int32(len(content))))
        padded = np.zeros(size, np.uint8)
        if self.index == 0:
            padded[:] = np.frombuffer(content, np.uint8)
        return np.asarray(send(padded), np.uint8).tobytes()

    @contextmanager
    def translate_lost_peer(self) -> Iterator[None]:
        """Raise ``WorkerError`` in place of what the libraries below say of a broken line."""
        try:
            yield
        except Exception as error:  # They raise ValueError, RuntimeError, or a type of their own.
            if self.count > 1 and any(word in str(error).lower() for word in LOST):
                raise WorkerError from error
            raise

    @contextmanager
    def folder(self, run: Run) -> Iterator[Run]:
        """Yield the folder to train in: the run's own for worker 0, a copy for the others."""
        with self.translate_lost_peer():
            content = self.broadcast(_pack(run) if self.index == 0 else b"")
        if self.index == 0:
            yield run
            return
        copy = Path(tempfile.mkdtemp(prefix=f"worker-{self.index}-"))
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(copy, [name for name in COPIED if name in archive.namelist()])
            yield Run(copy)
        finally:
            shutil.rmtree(copy, ignore_errors=True)


class SharedBatches(keras.utils.PyDataset):
    """A worker's share of batches that are the same for all."""

    def __init__(self, batches: keras.utils.PyDataset, team: Team) -> None:
        super().__init__()
        self.batches, self.team = batches, team

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple:
        return self.team.shard(self.batches[index])


class StopTogether:
    """Turns one worker's wish to stop into a stop of all at the same batch.

    Asking takes as long as a small batch, so they ask only about every half second; how many
    batches that is, worker 0 measures and says.
    """

    def __init__(self, team: Team, clock: Callable[[], float] = time.monotonic) -> None:
        self.team, self.clock = team, clock
        self._left, self._interval, self._asked = 1, 1, None

    def __call__(self, stop: bool) -> bool:
        """Return, after each batch, whether all stop now; ``stop`` is what this worker wants."""
        if self.team.count == 1:
            return stop
        self._left -= 1
        if self._left > 0:
            return False
        now = self.clock()
        if self._asked is not None:
            a_batch = max((now - self._asked) / self._interval, 1e-4)
            self._interval = max(1, round(ASK_EVERY / a_batch))
        stop, self._interval = self.team.all_agree(stop, self._interval)
        self._asked, self._left = self.clock(), self._interval
        return stop


def on_every_device(data: object) -> object:
    """Return arrays, which may be nested in tuples, where a distributed network can see them."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return data
    if isinstance(data, tuple):
        return tuple(on_every_device(each) for each in data)
    layout = keras.distribution.TensorLayout([None] * data.ndim, distribution.device_mesh)
    return keras.distribution.distribute_tensor(data, layout)


def _pack(run: Run) -> bytes:
    """Return what a worker needs of the run folder, as a ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in COPIED:
            if (run.folder / name).exists():
                archive.write(run.folder / name, name)
    return packed.getvalue()
