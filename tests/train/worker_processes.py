"""What tests of workers do with processes: put another program in their place, wait, kill."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from train import jobs, run_status
from train.run_folder import Run


def program(folder: Path, before: str = "") -> str:
    """A program that takes the place of Python where workers are started."""
    path = folder / "stand-in"
    worker = Path(__file__).with_name("stand_in_worker.py")
    path.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(jobs.ROOT.parent))}\n{before}\n"
        f'exec {shlex.quote(sys.executable)} {shlex.quote(str(worker))} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def pretending_path(folder: Path) -> str:
    """A search path for Python with which workers that a server starts only pretend to train.

    Python reads a file there first: a worker becomes the stand-in, in the same process with the
    same files.
    """
    (folder / "sitecustomize.py").write_text(
        f"""
import os, sys
if sys.orig_argv[1:3] == ["-m", "train"]:
    os.environ["PYTHONPATH"] = {str(jobs.ROOT.parent)!r}
    os.environ["STAND_IN_SECONDS"] = "0.03"  # No run of 100 epochs ends while servers answer.
    worker = {str(Path(__file__).with_name("stand_in_worker.py"))!r}
    os.execv(sys.executable, [sys.executable, worker, *sys.orig_argv[1:]])
"""
    )
    return os.pathsep.join([str(folder), str(jobs.ROOT.parent)])


def workers_of(run: Run) -> list[int]:
    """The processes whose input is the file that the worker of this run locks."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "fd" / "0").readlink() == run.folder / "alive":
                found.append(int(process.name))
    return found


def kill(run: Run) -> None:
    """Kill the worker of a run as the system does when memory is short."""
    for worker in workers_of(run):
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not run_status.is_alive(run), 10)


def wait_for(holds: Callable[[], bool], seconds: float = 120) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "took too long"
        time.sleep(0.05)
    return time.monotonic() - began


def state(run: Run) -> str:
    """How a run is doing, in a word."""
    return run_status.status(run).state
