"""Kill servers in the middle of what their visitors do; say what is wrong or left afterwards."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from pages.components.picture_cache import clear_left_over
from tests.app_server import ROOT, AppServer
from tests.faults.busy_visitors import TOKEN, Errands, delete_all
from tests.faults.kills import Outcome, kill_all
from tests.faults.runs_folder import problems
from tests.train.worker_processes import kill, pretending_path
from train import owners, run_status
from train.run_folder import Run

LONGEST_VISIT = 60.0  # seconds
MOST_DONE = 8  # by all visitors of a server


def kill_visited_servers(
    folder: Path,
    kills: int,
    seed: int = 1,
    pretend: bool = False,
    after_kill: Callable[[Errands], None] = lambda errands: None,
) -> Outcome:
    """Kill a server whose visitors upload, have photos denoised, train and take files away.

    Half the times its workers die too, often while they export a network.  Where they ``pretend``
    to train, they export none, and nobody loads TensorFlow.
    """
    runs, temporary, home = (folder / name for name in ("runs", "tmp", "home"))
    for each in (runs, temporary, home):
        each.mkdir()
    path = pretending_path(folder) if pretend else str(ROOT)
    env = {"DENOISE_RUNS_DIR": runs, "TMPDIR": temporary, "HOME": home, "PYTHONPATH": path}
    errands = Errands("", runs, np.random.default_rng(seed))
    for number in range(kills):
        before = len(errands.wrong)
        with _serving(folder / f"server-{number}.log", env) as server:
            errands.url = server.url
            asyncio.run(_visited_until_killed(server, errands))
        if errands.rng.integers(2):
            kill_all(runs)
        errands.wrong += problems(runs, (TOKEN,))
        errands.wrong += _left_in(temporary, "own-*")
        errands.wrong[before:] = [f"kill {number}: {each}" for each in errands.wrong[before:]]
        after_kill(errands)
    with _serving(folder / "server-last.log", env) as server:
        deadline = time.monotonic() + 120
        while any(run_status.is_alive(run) for run in owners.all_runs(runs)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        asyncio.run(delete_all(server.url, runs))
        # It would do that a minute later.
        for path in temporary.iterdir():
            os.utime(path, (time.time() - 60,) * 2)
        with _temporary_folder(temporary):
            clear_left_over()
        errands.wrong += _left_in(temporary)
    errands.wrong += [f"{path.name} is left" for path in runs.iterdir() if path.is_dir()]
    errands.wrong += _left_in(temporary) + _left_processes(temporary)
    return Outcome(kills, errands.wrong, errands.done)


async def _visited_until_killed(server: AppServer, errands: Errands) -> None:
    acting = asyncio.create_task(errands.until_killed())
    # On a busy machine it takes long until anything has come to its end.
    deadline = time.monotonic() + LONGEST_VISIT
    enough = errands.done.total() + errands.rng.integers(MOST_DONE + 1)
    while errands.done.total() < enough and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(errands.rng.uniform(0, 4))
    if errands.rng.integers(2):
        await _kill_one_that_exports(errands)
    errands.killed = True
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.wait_for(acting, 180)
    said = server.tail(100_000)
    if "Traceback" in said:
        errands.wrong.append(f"the server's log ends with\n{server.tail(30)}")


async def _kill_one_that_exports(errands: Errands, patience: float = 20) -> None:
    """Kill a worker between the end of its training and that of its export, if one comes there."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for run in owners.runs_of(TOKEN, errands.runs):
            if _exports(run):
                await asyncio.sleep(errands.rng.uniform(0, 2))
                if _exports(run):
                    kill(run)
                    errands.done["workers killed while they exported"] += 1
                return
        await asyncio.sleep(0.05)


def _exports(run: Run) -> bool:
    return run_status.is_alive(run) and run_status.last_word(run).state == run_status.FINISHED


@contextmanager
def _serving(log: Path, env: dict[str, object]) -> Iterator[AppServer]:
    named = {name: str(value) for name, value in env.items()}
    server = AppServer(ROOT / "app.py", log, **named)
    try:
        server.wait_until_healthy()
        yield server
    finally:
        server.stop()


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _left_in(temporary: Path, allowed: str = "") -> list[str]:
    """What is left in the folder for temporary files, a sentence each."""
    return [
        f"{path.name} is left in the temporary folder"
        for path in temporary.iterdir()
        if not (allowed and path.match(allowed))
    ]


def _left_processes(temporary: Path, patience: float = 40) -> list[str]:
    """Processes of servers that are gone, which are not gone themselves after some seconds."""
    deadline = time.monotonic() + patience
    while (left := sorted(_processes_of(temporary))) and time.monotonic() < deadline:
        time.sleep(0.2)
    return [f"process {each} is left" for each in left]


def _processes_of(temporary: Path) -> Iterator[str]:
    """Processes that have this folder for temporary files, or read or write a file that was there.

    What opens strangers' networks does not get to know the folder.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (process / "environ").read_bytes().split(b"\0")
            files = [str((process / "fd" / number).readlink()) for number in "01"]
            told = f"TMPDIR={temporary}".encode() in environment
            if told or any(each.startswith(f"{temporary}/") for each in files):
                yield f"{process.name}: {(process / 'cmdline').read_text()[:200]!r}"
