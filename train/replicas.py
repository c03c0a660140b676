"""Starts the workers of one data-parallel training on this machine and waits for them.

On several machines each is started by hand, see docs/several-machines.md.
"""

import importlib.util
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
# Seconds in which the others may end by themselves when one has failed, and when one has ended
# well: then they are on their way out too, which takes long where the machine is busy.
STOPPED_AFTER_S, LEAVING = 20, 60
MOST = 1024
ENDED_WELL = (0, 1)  # finished, or stopped so that it can go on


def require_place(worker: int | None, workers: int, coordinator: str | None) -> None:
    """Raise ``ValueError`` where it makes no sense who is to work where.

    Without ``worker`` all are started here; with it, one that meets the others.
    """
    if not 1 <= workers <= MOST:
        raise ValueError(f"workers must be from 1 to {MOST}, got {workers}")
    if worker is None:
        if coordinator:
            raise ValueError("--coordinator needs --worker, the number of the worker started here")
        return
    if not 0 <= worker < workers:
        raise ValueError(f"worker must be from 0 to {workers - 1}, got {worker}")
    host, _, port = (coordinator or "").rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"--worker needs --coordinator HOST:PORT, got {coordinator!r}")


def use_jax() -> None:
    """Choose Keras's JAX backend for this process and those it starts.

    Raises:
        ModuleNotFoundError: if JAX is not installed.
    """
    if importlib.util.find_spec("jax") is None:
        raise ModuleNotFoundError(
            "this needs JAX, which is not installed: pip install -r requirements-jax.txt"
        )
    os.environ["KERAS_BACKEND"] = "jax"


def free_address() -> str:
    """Return a "host:port" on this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def run_together(arguments: list[str], count: int) -> int:
    """Run ``python -m train ARGUMENTS`` in ``count`` workers; return the exit status of all.

    What worker 0 says is shown, of the others only why one failed.  When one fails, the others
    are ended too: they cannot go on without it.  Ctrl-C stops all of them at the same batch.
    What they leave in their folder for temporary files is removed, however they ended.
    """
    coordinator = free_address()
    with TemporaryDirectory() as folder:
        logs = [Path(folder) / f"worker-{index}.log" for index in range(count)]
        workers = [
            _start([*arguments, *_place(index, count, coordinator)], index, log, folder)
            for index, log in enumerate(logs)
        ]
        try:
            with _passing_on_signals(workers) as interrupted:
                failed = _wait(workers)
        finally:
            _end(workers)
        if failed is None:
            return workers[0].returncode
        if interrupted:
            print("train: interrupted", file=sys.stderr)
            return 130
        if failed > 0 or workers[0].returncode != 2:  # Else it has said why by itself.
            print(f"train: {_why(failed, workers[failed], logs[failed])}", file=sys.stderr)
        return 2


def _place(index: int, count: int, coordinator: str) -> list[str]:
    return ["--workers", str(count), "--worker", str(index), "--coordinator", coordinator]


def _start(arguments: list[str], index: int, log: Path, temporary: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "train", *arguments]
    environment = os.environ | {"TMPDIR": temporary}
    settings = {"cwd": ROOT, "env": environment, "start_new_session": True}
    if index == 0:
        return subprocess.Popen(command, **settings)
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, **settings)


@contextmanager
def _passing_on_signals(workers: list[subprocess.Popen]) -> Iterator[list[int]]:
    """Tell the workers too when this process is asked to end; yields which signals came."""
    came: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        came.append(number)
        for worker in workers:
            worker.terminate()

    before = {name: signal.signal(name, pass_on) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _wait(workers: list[subprocess.Popen]) -> int | None:
    """Wait until all have ended; return the number of the first that failed, if one did."""
    failed, deadline = None, math.inf
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
        if failed is None:
            failed = _first_that_failed(workers)
        if any(worker.returncode is not None for worker in workers):
            patience = LEAVING if failed is None else STOPPED_AFTER_S
            deadline = min(deadline, time.monotonic() + patience)
    # Who has not ended in time is ended by others.
    return _first_that_failed(workers, ENDED_WELL) if failed is None else failed


def _first_that_failed(
    workers: list[subprocess.Popen], well: tuple[int | None, ...] = (None, *ENDED_WELL)
) -> int | None:
    """Return the number of the worker that failed first, whose exit status is not ``well``.

    Of several that is the one that a signal ended: the others have lost it.
    """
    for _ in range(2):  # Whoever is seen to fail may have lost one that was asked for before it.
        codes = [worker.poll() for worker in workers]
    failed = [index for index, code in enumerate(codes) if code not in well]
    return min(failed, key=lambda index: (codes[index] or 0) >= 0, default=None)


def _end(workers: list[subprocess.Popen]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def _why(index: int, worker: subprocess.Popen, log: Path) -> str:
    """Return in a sentence why a worker failed."""
    code, said = worker.returncode, _last_words(log)
    if code == 2 and said:
        return f"worker {index}: {said}"
    how = signal.Signals(-code).name if code < 0 else f"status {code}"
    return (
        f"worker {index} ended with {how}, and the others cannot go on without it. What was saved "
        "after the last whole epoch is kept; the same command goes on from there."
    )


def _last_words(log: Path) -> str:
    """Return what a worker said last to people, if it did."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    ours = [line.removeprefix("train: ") for line in lines if line.startswith("train: ")]
    return ours[-1] if ours else ""
