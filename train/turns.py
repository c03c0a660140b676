"""In the worker: the lock on its own run, and the turn to train.

Nobody is in charge of the queue.  Each worker waits for its turn by itself, before it loads
Keras, and holds two locks while it lives: one on its own run folder, which tells watchers
that it is alive, and, when its turn has come, one in the folder of all runs.  The system takes
both back when a process ends, however it ends, so nothing stays locked after a crash, and the
queue survives a restart of the server.  (``flock``: Linux and macOS.)
"""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from models.environment import RUNS_AT_ONCE, number
from train.memory import held_megabytes
from train.run_folder import ProgressWriter, Run
from train.run_status import STARTING, WAITING, ahead_of, last_word
from train.visitor_limits import DEFAULT_LIMITS, Refused, require_memory


@contextmanager
def worker_at(run: Run) -> Iterator[None]:
    """In the worker: hold the run, and wait for the turn to train.

    Raises:
        Refused: if another worker is at the run, it was stopped while it waited, or there is too
            little memory when its turn comes.
    """
    with _open_lock(run) as alive:
        lock(alive, run)
        if last_word(run).state != WAITING:  # Nobody has sent it; it was started by hand.
            get_in_line(run)
        progress = ProgressWriter(run.progress)
        with ExitStack() as files:
            turns = [files.enter_context(path.open("a")) for path in turn_files(run.folder.parent)]
            while not take(turns, run):
                if why := run.why_stop():
                    progress.write("stop", 0, reason=why)
                    progress.close()
                    raise Refused("stopped before its turn came")
                time.sleep(0.3)
            # It may have waited for long.
            require_memory(run.read_config(), DEFAULT_LIMITS, held_megabytes())
            progress.write("status", 0, status=STARTING)
            progress.close()
            yield


def take(turns: Sequence[IO], run: Run) -> bool:
    """Take a place to train, if there is one and this run is the next in line."""
    if ahead_of(run, waiting_only=True):
        return False
    for turn in turns:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def turn_files(runs: Path) -> list[Path]:
    """One file for each run that may train at the same time; who holds its lock may."""
    return [runs / f".turn-{number}" for number in range(number(RUNS_AT_ONCE))]


def get_in_line(run: Run) -> None:
    """Say in the run's events that it waits, from now on."""
    progress = ProgressWriter(run.progress)
    progress.write("status", 0, status=WAITING)
    progress.close()


def lock(alive: IO, run: Run, seconds: float = 1) -> None:
    """Lock a run for its worker.

    Whoever looks whether the run is alive holds the lock for an instant: that is waited for.

    Raises:
        Refused: if a worker is at it.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Refused(f"Another worker is at the run {run.folder.name}.") from None
            time.sleep(0.02)


def _open_lock(run: Run) -> IO:
    """Open what the worker locks: what it was handed as its input, or the run's file."""
    path = run.folder / "alive"
    with suppress(OSError):  # There may be no file yet, and no input.
        if os.path.samestat(os.fstat(0), path.stat()):
            return open(0, closefd=False)
    return path.open("a+")
