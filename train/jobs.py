"""Starts, stops and clears away trainings: one process a run, which outlives the server.

Page and worker share only the files of the run folder (see ``train.run_folder``) and these:

    owner.json    whose run it is (see ``train.owners``)
    alive         locked by the worker while it lives (see ``train.turns``)
    ended         the exit status of the last worker, where the server was there to see it
    worker.log    what the worker printed
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from imaging.pixels import to_image
from models.tasks import find_task
from train import ready_worker
from train.config import TrainConfig, on_equal_terms
from train.owners import all_runs, change_owner, hashed, made, owner, shortened, write_owner
from train.run_folder import RUNS, Run, write_whole
from train.run_status import ahead_of, is_alive, last_event, status, without_paths
from train.turns import get_in_line, lock
from train.visitor_limits import DEFAULT_LIMITS, Limits, Refused, require_allowed, require_room

ROOT = Path(__file__).parent
# Folders of runs that were started from a page; others in the same place are somebody's own.
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
DELETED = ".deleted-"  # in front of the name of a folder while it is being deleted
TO_GET_AN_OWNER = 600  # seconds
MOST_FOR_A_FILE = 600  # seconds, for which a worker may be writing one
RACERS = (2, 3)

# One run at a time gets in line and asks who is ahead: of two that are half in line each would see
# the other, and neither would get the worker that is ready.
_sending = threading.Lock()


def start(
    config: TrainConfig,
    token: str,
    name: str,
    limits: Limits = DEFAULT_LIMITS,
    runs: Path = RUNS,
    drawing: np.ndarray | None = None,
    pictures: np.ndarray | None = None,
) -> Run:
    """Make a run that ``token`` controls and send a worker to it.

    ``drawing`` is a picture ``(28, 28, 1)`` in [0, 1] to watch becoming clean, where the run
    shows it; ``pictures`` are the visitor's own, ``uint8 (N, 28, 28, 1)``, where the data is "own".

    Raises:
        Refused: if the settings ask for too much or the host has no room for another run.
    """
    (run,) = _start([(name, config)], token, limits, runs, drawing, pictures)
    return run


def start_race(
    racers: Sequence[tuple[str, TrainConfig]],
    token: str,
    limits: Limits = DEFAULT_LIMITS,
    runs: Path = RUNS,
    drawing: np.ndarray | None = None,
    pictures: np.ndarray | None = None,
) -> list[Run]:
    """Start two or three named configs as one group, one after the other, on equal terms.

    All get the data, noise, seed, batches and epochs of the first one; ``drawing`` and
    ``pictures`` are as for ``start``.

    Raises:
        Refused: as ``start``, or if there are too few or too many.
    """
    if len(racers) not in RACERS:
        raise Refused(f"A race has two or three networks, not {len(racers)}.")
    first = racers[0][1]
    fair = [(name, on_equal_terms(config, first)) for name, config in racers]
    return _start(fair, token, limits, runs, drawing, pictures, group=secrets.token_hex(6))


def _start(
    named: Sequence[tuple[str, TrainConfig]],
    token: str,
    limits: Limits,
    runs: Path,
    drawing: np.ndarray | None,
    pictures: np.ndarray | None,
    group: str = "",
) -> list[Run]:
    for _, config in named:
        require_allowed(config, limits)
        if config.data_set.uploaded and pictures is None:
            raise Refused("Your pictures are no longer here: upload them again.")
    clear_old(limits, runs)
    require_room(limits, runs, [config for _, config in named], ready_worker.megabytes())
    started = []
    for name, config in named:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        run = Run.create(runs / f"{stamp}-{secrets.token_hex(3)}", config)
        owner = {"token": hashed(token), "name": shortened(name), "made": time.time()}
        if group:
            owner["group"] = group
        write_owner(run, owner)
        if drawing is not None and find_task(config.task).degrade:
            pixels = np.rint(drawing[..., 0] * 255).astype(np.uint8)
            write_whole(run.drawing, Image.fromarray(pixels).save)
        if config.data_set.uploaded:
            write_whole(run.own, lambda path: np.savez_compressed(path, pictures=pictures))
        _send_worker(run, limits)
        started.append(run)
    return started


def given_to(run: Run) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the drawing and the pictures that a run was started with, as ``start`` takes them.

    Raises:
        Refused: if they cannot be read.
    """
    drawing = pictures = None
    try:
        if run.drawing.exists():
            with Image.open(run.drawing, formats=["PNG"]) as file:
                drawing = to_image(np.asarray(file)[..., np.newaxis])
        if run.own.exists():
            with np.load(run.own) as arrays:
                pictures = arrays["pictures"]
    except Exception as problem:  # A damaged archive raises one of half a dozen types.
        raise Refused("The pictures of this run cannot be read.") from problem
    return drawing, pictures


def resume(run: Run, limits: Limits = DEFAULT_LIMITS) -> None:
    """Send a worker to a run that was stopped, to go on where it was.

    Raises:
        Refused: if a worker is at it already, its settings make no sense, or there is no room.
    """
    before = last_event(run)
    if status(run).active:
        raise Refused("This run is already training.")
    config = _allowed_config(run, limits)
    _wait_for_end(run)
    if last_event(run) != before:  # Another tab was faster, and what was waited for is its worker.
        raise Refused("This run is already training.")
    require_room(limits, run.folder.parent, [config], ready_worker.megabytes())
    run.stop.unlink(missing_ok=True)
    _send_worker(run, limits)


def stop(run: Run) -> None:
    """Ask the worker to stop after the current batch; what is trained is kept."""
    _ask_to_stop(run, "asked")


def pause(run: Run) -> None:
    """The same, by somebody who means to go on: the run is called paused."""
    _ask_to_stop(run, "paused")


def reset(run: Run, limits: Limits = DEFAULT_LIMITS) -> None:
    """Forget what a run has learned and train it again from the start, with its settings.

    Raises:
        Refused: if a worker is at it, its settings make no sense, or there is no room; then
            nothing is forgotten.
    """
    if status(run).active:
        raise Refused("Stop the run before it is reset.")
    config = _allowed_config(run, limits)
    _wait_for_end(run)
    # Whatever may be refused is asked before the first file is deleted.
    require_room(limits, run.folder.parent, [config], ready_worker.megabytes())
    keep = {"config.json", "owner.json", run.drawing.name, run.own.name, "alive"}
    for path in run.folder.iterdir():
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    change_owner(run, round=owner(run).get("round", 0) + 1)
    _send_worker(run, limits)


def delete(run: Run) -> None:
    """Delete a run that nobody is working at.

    Raises:
        Refused: if a worker is still at it.
    """
    if status(run).active:
        raise Refused("Stop the run before it is deleted.")
    _wait_for_end(run)
    _remove(run.folder)


def clear_old(limits: Limits = DEFAULT_LIMITS, runs: Path = RUNS) -> None:
    """Delete runs that are too old, and the oldest ones while all take too much room."""
    idle = [run for run in all_runs(runs) if not is_alive(run)]
    # The oldest first, pinned last.
    idle.sort(key=lambda run: (bool(owner(run).get("pinned")), made(run)))
    sizes = [_size(run.folder) for run in idle]
    total = sum(sizes)
    for run, size in zip(idle, sizes, strict=True):
        too_old = time.time() - made(run) > limits.days * 86_400
        if (too_old and not owner(run).get("pinned")) or total > limits.kept_megabytes * 1e6:
            _remove(run.folder)
            total -= size
    for folder in _left_over(runs):
        shutil.rmtree(folder, ignore_errors=True)
    for run in idle:
        _clear_unfinished(run, MOST_FOR_A_FILE)


def _allowed_config(run: Run, limits: Limits) -> TrainConfig:
    """The settings of a run that is to be trained; ``Refused`` where they make no sense."""
    try:
        config = run.read_config()
        require_allowed(config, limits)
    except ValueError as problem:
        raise Refused(
            f"The settings of this run cannot be read: {without_paths(str(problem), run)}"
        ) from problem
    return config


def _remove(folder: Path) -> None:
    """Delete a run's folder, which nobody finds under its name from the first instant.

    Whoever still means to write into it, to note the end of its worker, then finds no folder.
    """
    doomed = folder.with_name(f"{DELETED}{folder.name}")
    with suppress(FileNotFoundError):  # Somebody else was faster.
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)  # What is left is cleared the next time.


def _left_over(runs: Path) -> Iterator[Path]:
    """What a crash has left: runs that were being deleted, or that never got their owner."""
    if not runs.is_dir():
        return
    for folder in runs.iterdir():
        unowned = OURS.fullmatch(folder.name) and not (folder / "owner.json").exists()
        if folder.name.startswith(DELETED) or unowned:
            with suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > TO_GET_AN_OWNER:
                    yield folder


def _send_worker(run: Run, limits: Limits) -> None:
    """Send the worker that is ready, or start one; its process outlives the server."""
    (run.folder / "ended").unlink(missing_ok=True)
    # Locked here and handed over, so that it is alive from the first instant: on a busy host it
    # takes many seconds until it could lock anything itself.
    with (
        _sending,
        (run.folder / "alive").open("a+") as alive,
        (run.folder / "worker.log").open("ab") as log,
    ):
        lock(alive, run)
        _clear_unfinished(run)
        get_in_line(run)
        command = ["run", str(run.folder), "--queue", "--minutes", f"{limits.minutes:g}"]
        # Whoever has to wait does that before it loads Keras.
        ready = None if ahead_of(run) else ready_worker.hand_over(command, (alive, log, log))
        if ready is None:
            worker = _start_worker(command, alive, log)
            watch: tuple[Callable, tuple] = (_note_end, (worker, run))
        else:
            # Kept open until it has taken its own, so that the run is alive all the time.
            kept = os.dup(alive.fileno()), os.dup(log.fileno())
            watch = (_see_taken, (ready, command, kept, run))
    # Somebody has to take note of its end, or the system keeps its entry forever.
    threading.Thread(target=watch[0], args=watch[1], daemon=True).start()


def _clear_unfinished(run: Run, unused: float = 0) -> None:
    """Delete what a worker was writing when it was killed: half a network has megabytes."""
    with suppress(FileNotFoundError):  # Another server may delete the run meanwhile.
        for path in (*run.folder.rglob(".*-*.*"), *run.folder.glob("__autograph_generated_file*")):
            # A server may be writing a .json, for a name or a pin: that takes no time.
            age = max(unused, MOST_FOR_A_FILE if path.suffix == ".json" else 0)
            if not age or path.stat().st_mtime < time.time() - age:
                path.unlink()


def _start_worker(command: Sequence[str], alive: int | IO, log: int | IO) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "train", *command],
        cwd=ROOT.parent,
        stdin=alive,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _see_taken(
    ready: ready_worker.ReadyWorker, command: Sequence[str], kept: tuple[int, int], run: Run
) -> None:
    """Start another worker where the one that was ready ended before it had taken the run."""
    try:
        if ready.has_taken():
            worker = ready.process
        else:
            ready.end()
            worker = _start_worker(command, *kept)
    finally:
        for file in kept:
            os.close(file)
    _note_end(worker, run)


def _note_end(worker: subprocess.Popen, run: Run) -> None:
    """Wait for the worker's end and write its exit status down."""
    code = worker.wait()
    with suppress(OSError):  # The run may have been deleted, the disk may be full.
        (run.folder / "ended").write_text(str(code))


def _wait_for_end(run: Run, seconds: float = 10) -> None:
    """Wait until a worker that has stopped training has cleaned up after itself."""
    deadline = time.monotonic() + seconds
    while is_alive(run):
        if time.monotonic() > deadline:
            raise Refused("The worker is still saving this run. Try again in a moment.")
        time.sleep(0.05)


def _ask_to_stop(run: Run, why: str) -> None:
    # Whole at once: the worker looks after every batch, and must not read half a reason.
    write_whole(run.stop, lambda path: path.write_text(why))


def _size(folder: Path) -> int:
    """The bytes of a run's files; of what another server deletes meanwhile, none."""
    size = 0
    with suppress(FileNotFoundError):
        for path in folder.rglob("*"):
            size += path.stat().st_size if path.is_file() else 0
    return size
