"""Kill workers and servers at random moments; count what was done and what is wrong afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tests.faults.runs_folder import problems
from tests.train.worker_processes import program, workers_of
from train import jobs, owners, run_status
from train.config import TrainConfig, gaussian_only
from train.run_folder import Run
from train.visitor_limits import Limits

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a visitor's token"
CONFIG = TrainConfig("dense", {"hidden": 4}, noise=gaussian_only(0.5), batch=16, epochs=20)


@dataclass(frozen=True)
class Outcome:
    """How often something was killed, all that was wrong after it, what was done meanwhile."""

    kills: int
    wrong: list[str]
    done: Counter[str] = field(default_factory=Counter)


def processes_at(folder: Path) -> Iterator[int]:
    """The processes whose command names something in this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (process / "cmdline").read_text():
                yield int(process.name)
        except OSError:
            continue


def kill_all(folder: Path) -> None:
    """Kill every process that works in this folder, until all locks are free.

    A worker that was ready before somebody pressed Train names no run in its command, and is found
    once it has taken what a killed server has sent it.
    """
    deadline = time.monotonic() + 60
    while True:
        runs = [Run(path.parent) for path in folder.glob("*/alive")]
        for number in {*processes_at(folder), *(each for run in runs for each in workers_of(run))}:
            if number != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        if not any(run_status.is_alive(run) for run in runs):
            return
        assert time.monotonic() < deadline, "a killed worker still holds its lock"
        time.sleep(0.1)


@contextmanager
def pretending(folder: Path) -> Iterator[str]:
    """Workers that this process starts only pretend to train."""
    worker, real = program(folder), jobs.sys
    jobs.sys = SimpleNamespace(executable=worker)
    try:
        yield worker
    finally:
        jobs.sys = real


def kill_workers(folder: Path, kills: int, seed: int = 1) -> Outcome:
    """Kill the worker of a run again and again, between its start and its end, and go on."""
    rng, wrong = np.random.default_rng(seed), []
    runs = folder / "runs"
    runs.mkdir()
    limits = Limits()
    with pretending(folder):
        run = jobs.start(CONFIG, TOKEN, "a run", limits, runs)
        for number in range(kills):
            time.sleep(rng.uniform(0, 1.2))
            kill_all(runs)
            wrong += [f"kill {number}: {what}" for what in problems(runs, (TOKEN,))]
            if run_status.status(run).state == run_status.FINISHED:
                jobs.reset(run, limits)
            else:
                jobs.resume(run, limits)
        deadline = time.monotonic() + 60
        while run_status.status(run).state != run_status.FINISHED:
            if time.monotonic() > deadline:
                wrong.append(f"after all kills the run ended as {run_status.status(run)}")
                break
            time.sleep(0.05)
        kill_all(runs)
    return Outcome(kills, wrong)


def kill_servers(folder: Path, kills: int, seed: int = 1) -> Outcome:
    """Kill a server that starts, stops, resets and deletes runs; its workers live on or not."""
    rng, wrong = np.random.default_rng(seed), []
    runs = folder / "runs"
    runs.mkdir()
    worker = program(folder)
    for number in range(kills):
        command = [sys.executable, "-m", "tests.faults.busy_server"]
        server = subprocess.Popen(
            [*command, str(runs), str(seed + number), worker, TOKEN],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        server.stdout.readline()
        time.sleep(rng.uniform(0, 2))
        server.kill()
        server.wait()
        server.stdout.close()
        if rng.integers(2):
            kill_all(runs)
        wrong += [f"kill {number}: {what}" for what in problems(runs, (TOKEN,))]
    kill_all(runs)
    # Whoever comes next can do everything with what was left.
    jobs.clear_old(Limits(), runs)
    with pretending(folder):
        for run in owners.runs_of(TOKEN, runs):
            jobs.delete(run)
    left = [path.name for path in runs.iterdir() if (path / "owner.json").exists()]
    return Outcome(kills, [*wrong, *(f"{name} cannot be deleted" for name in left)])
