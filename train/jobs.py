"""Starts, watches and stops workers: one process a run, one run at a time unless set otherwise.

Nobody is in charge of the queue.  Each worker waits for its turn by itself, before it loads
Keras, and holds two locks while it lives: one on its own run folder, which tells watchers
that it is alive, and, when its turn has come, one in the folder of all runs.  The system takes
both back when a process ends, however it ends, so nothing stays locked after a crash, and the
queue survives a restart of the server.  (``flock``: Linux and macOS.)

Page and worker share only the files of the run folder (see ``train.run_folder``) and these:

    owner.json    hash of the token that controls the run, its name, when it was made, whether it
                  is pinned, the race it runs in, how often it was reset
    alive         locked by the worker while it lives
    ended         the exit status of the last worker, where the server was there to see it
    worker.log    what the worker printed
"""

import dataclasses
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from models.catalogue import ModelError, read_card
from models.tasks import TASKS
from models.tasks.data_folder import data_folder
from train.config import (
    TrainConfig,
    count_parameters,
    on_equal_terms,
)
from train.memory import free_megabytes, needed_megabytes
from train.run_folder import ProgressWriter, Run, write_whole

ROOT = Path(__file__).parent
# A host can put them elsewhere, on a larger disk for instance.
RUNS = Path(os.environ.get("DENOISE_RUNS_DIR") or ROOT / "runs")
RUNS_AT_ONCE = int(os.environ.get("DENOISE_RUNS_AT_ONCE") or 1)

WAITING, STARTING, TRAINING = "waiting", "starting", "training"
FINISHED, PAUSED, STOPPED = "finished", "paused", "stopped"
DIVERGED, FAILED = "diverged", "failed"
ACTIVE = (WAITING, STARTING, TRAINING)
CAN_GO_ON = (PAUSED, STOPPED, FAILED)
LONGEST_NAME = 60
# Folders of runs that were started from a page; others in the same place are somebody's own.
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
DELETED = ".deleted-"  # in front of the name of a folder while it is being deleted
TO_GET_AN_OWNER = 600  # seconds
RACERS = (2, 3)


@dataclass(frozen=True)
class Limits:
    """What one visitor may take of the host.

    ``waiting`` runs may stand in line, each trains at most ``epochs`` and ``minutes`` a network
    of at most ``parameters``; the worker of the smallest network needs ``megabytes`` of memory,
    larger ones more (see ``train.memory``), and leaves ``disk_megabytes`` free.  Runs are deleted
    after ``days``, and the oldest ones when all of them together exceed ``kept_megabytes``; those
    that are pinned last, and never by age.
    """

    waiting: int = 4
    epochs: int = 100
    minutes: float = 30
    parameters: int = 2_000_000
    megabytes: int = 520
    disk_megabytes: int = 100
    days: float = 7
    kept_megabytes: int = 500


class Refused(Exception):
    """A run that cannot be started now; the text is a sentence for the visitor."""


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    ``ahead`` counts the runs before it while it waits.  ``detail`` is a sentence on why it
    stopped or failed, else empty.
    """

    state: str
    ahead: int = 0
    detail: str = ""

    @property
    def active(self) -> bool:
        """Whether a worker is at it or waits for its turn."""
        return self.state in ACTIVE


def start(
    config: TrainConfig,
    token: str,
    name: str,
    limits: Limits = Limits(),
    runs: Path = RUNS,
    drawing: np.ndarray | None = None,
    pictures: np.ndarray | None = None,
) -> Run:
    """Make a run that ``token`` controls and send a worker to it.

    ``drawing`` is a picture ``(28, 28, 1)`` in [0, 1] to watch becoming clean; ``pictures`` are
    the visitor's own, ``uint8 (N, 28, 28, 1)``, where the data is "own".

    Raises:
        Refused: if the settings ask for too much or the host has no room for another run.
    """
    (run,) = _start([(name, config)], token, limits, runs, drawing, pictures)
    return run


def start_race(
    racers: Sequence[tuple[str, TrainConfig]],
    token: str,
    limits: Limits = Limits(),
    runs: Path = RUNS,
    drawing: np.ndarray | None = None,
    pictures: np.ndarray | None = None,
) -> list[Run]:
    """Start two or three named configs as one group, one after the other, on equal terms.

    All get the data, noise, seed, batches and epochs of the first one.

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
            raise Refused("Your images are no longer here: upload them again.")
    clear_old(limits, runs)
    _require_room(limits, runs, [config for _, config in named])
    started = []
    for name, config in named:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        run = Run.create(runs / f"{stamp}-{secrets.token_hex(3)}", config)
        owner = {"token": _hashed(token), "name": name[:LONGEST_NAME], "made": time.time()}
        if group:
            owner["group"] = group
        _write_owner(run, owner)
        if drawing is not None:
            pixels = np.rint(drawing[..., 0] * 255).astype(np.uint8)
            write_whole(run.drawing, Image.fromarray(pixels).save)
        if config.data_set.uploaded:
            write_whole(run.own, lambda path: np.savez_compressed(path, pictures=pictures))
        _send_worker(run, limits)
        started.append(run)
    return started


def resume(run: Run, limits: Limits = Limits()) -> None:
    """Send a worker to a run that was stopped, to go on where it was.

    Raises:
        Refused: if a worker is at it already, its settings make no sense, or there is no room.
    """
    before = _last_event(run)
    if status(run).active:
        raise Refused("This run is already training.")
    try:
        config = run.read_config()
        require_allowed(config, limits)
    except ValueError as problem:
        raise Refused(
            f"The settings of this run cannot be read: {without_paths(str(problem), run)}"
        ) from problem
    _wait_for_end(run)
    if _last_event(run) != before:  # Another tab was faster, and what was waited for is its worker.
        raise Refused("This run is already training.")
    _require_room(limits, run.folder.parent, [config])
    run.stop.unlink(missing_ok=True)
    _send_worker(run, limits)


def stop(run: Run) -> None:
    """Ask the worker to stop after the current batch; what is trained is kept."""
    _ask_to_stop(run, "asked")


def pause(run: Run) -> None:
    """The same, by somebody who means to go on: the run is called paused."""
    _ask_to_stop(run, "paused")


def reset(run: Run, limits: Limits = Limits()) -> None:
    """Forget what a run has learned and train it again from the start, with its settings.

    Raises:
        Refused: if a worker is at it, its settings make no sense, or there is no room.
    """
    if status(run).active:
        raise Refused("Stop the run before it is reset.")
    _wait_for_end(run)
    keep = {"config.json", "owner.json", run.drawing.name, run.own.name, "alive"}
    for path in run.folder.iterdir():
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    change_owner(run, round=owner(run).get("round", 0) + 1)
    resume(run, limits)


def delete(run: Run) -> None:
    """Delete a run that nobody is working at.

    Raises:
        Refused: if a worker is still at it.
    """
    if status(run).active:
        raise Refused("Stop the run before it is deleted.")
    _wait_for_end(run)
    _remove(run.folder)


def rename(run: Run, name: str) -> None:
    """Give a run, and its card if it has one, another name; an empty one changes nothing."""
    if name := " ".join(name.split())[:LONGEST_NAME]:
        change_owner(run, name=name)
        with suppress(ModelError):
            card = dataclasses.replace(read_card(run.folder), title=f"Yours: {name}")
            write_whole(run.folder / "card.json", lambda path: path.write_text(card.to_json()))


def change_owner(run: Run, **values: object) -> None:
    """Change what ``owner.json`` says."""
    _write_owner(run, owner(run) | values)


def find(run_id: str, runs: Path = RUNS) -> Run | None:
    """Return the run of this id, None if there is none."""
    if not run_id or Path(run_id).name != run_id or run_id.startswith("."):
        return None
    folder = runs / run_id
    return Run(folder) if (folder / "owner.json").is_file() else None


def owner(run: Run) -> dict:
    """Return what ``owner.json`` says; empty where it cannot be read."""
    try:
        said = json.loads((run.folder / "owner.json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def name_of(run: Run) -> str:
    """Return the name of a run, for people."""
    return str(owner(run).get("name") or run.folder.name)


def controls(token: str, run: Run) -> bool:
    """Whether this token may stop, continue and delete the run."""
    kept = str(owner(run).get("token", ""))  # A file edited by hand may hold anything.
    return secrets.compare_digest(kept.encode(), _hashed(token).encode())


def runs_of(token: str, runs: Path = RUNS) -> list[Run]:
    """Return the runs that a token controls: the pinned ones, then the newest first."""
    own = [run for run in reversed(_all_runs(runs)) if controls(token, run)]
    return sorted(own, key=lambda run: not owner(run).get("pinned", False))


def race_of(run: Run) -> list[Run]:
    """Return the runs of the race that this run belongs to, in order; empty for a lonely one."""
    group = owner(run).get("group")
    if not group:
        return []
    racers = [other for other in _all_runs(run.folder.parent) if owner(other).get("group") == group]
    return sorted(racers, key=lambda each: owner(each).get("made", 0))


def is_alive(run: Run) -> bool:
    """Whether a worker is at the run or waits for its turn."""
    try:
        with (run.folder / "alive").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def status(run: Run) -> Status:
    """Return how a run is doing, from its files alone."""
    # First whether it lives, then what it wrote: the other way round, a worker that finishes
    # in between would look as if it had died in the middle.
    alive = is_alive(run)
    last = _last_word(run)
    if not alive:
        return _died(run) if last.state in ACTIVE else last
    if last.state == WAITING:
        return Status(WAITING, ahead=_ahead_of(run))
    return last  # A finished or stopped worker still lives while it exports the network.


@contextmanager
def worker_at(run: Run) -> Iterator[None]:
    """In the worker: hold the run, and wait for the turn to train.

    Raises:
        Refused: if another worker is at the run, it was stopped while it waited, or there is too
            little memory when its turn comes.
    """
    with _open_lock(run) as alive:
        _lock(alive, run)
        if _last_word(run).state != WAITING:  # Nobody has sent it; it was started by hand.
            _get_in_line(run)
        progress = ProgressWriter(run.progress)
        with ExitStack() as files:
            turns = [files.enter_context(path.open("a")) for path in _turns(run.folder.parent)]
            while not _take(turns, run):
                if why := run.why_stop():
                    progress.write("stop", 0, reason=why)
                    progress.close()
                    raise Refused("stopped before its turn came")
                time.sleep(0.3)
            _require_memory(run.read_config(), Limits())  # It may have waited for long.
            progress.write("status", 0, status=STARTING)
            progress.close()
            yield


class EventReader:
    """Reads the events of a run as they come, each once."""

    def __init__(self, run: Run) -> None:
        self._path, self._read = run.progress, 0

    def read_new(self) -> list[dict]:
        """Return the events that were written since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return []
        whole, newline, _ = new.rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return [event for line in whole.splitlines() if (event := _parsed(line)) is not None]


def clear_old(limits: Limits = Limits(), runs: Path = RUNS) -> None:
    """Delete runs that are too old, and the oldest ones while all take too much room."""
    idle = [run for run in _all_runs(runs) if not is_alive(run)]
    idle.sort(key=lambda run: bool(owner(run).get("pinned")))  # The oldest first, pinned last.
    sizes = [_size(run.folder) for run in idle]
    total = sum(sizes)
    for run, size in zip(idle, sizes, strict=True):
        said = owner(run)
        too_old = time.time() - said.get("made", 0) > limits.days * 86_400
        if (too_old and not said.get("pinned")) or total > limits.kept_megabytes * 1e6:
            _remove(run.folder)
            total -= size
    for folder in _left_over(runs):
        shutil.rmtree(folder, ignore_errors=True)


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
    """Start the worker as a separate process, which outlives the server."""
    (run.folder / "ended").unlink(missing_ok=True)
    # Locked here and handed over, so that it is alive from the first instant: on a busy host it
    # takes many seconds until it could lock anything itself.
    with (run.folder / "alive").open("a+") as alive, (run.folder / "worker.log").open("ab") as log:
        _lock(alive, run)
        _get_in_line(run)
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "train", "run", str(run.folder)),
                *("--queue", "--minutes", f"{limits.minutes:g}"),
            ],
            cwd=ROOT.parent,
            stdin=alive,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Somebody has to take note of its end, or the system keeps its entry forever.
    threading.Thread(target=_note_end, args=(worker, run), daemon=True).start()


def _get_in_line(run: Run) -> None:
    progress = ProgressWriter(run.progress)
    progress.write("status", 0, status=WAITING)
    progress.close()


def _lock(alive: IO, run: Run, seconds: float = 1) -> None:
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


def require_allowed(config: TrainConfig, limits: Limits) -> None:
    """Raise ``Refused`` where the settings ask for more than one visitor may take."""
    if config.epochs > limits.epochs:
        raise Refused(f"At most {limits.epochs} epochs are possible here, not {config.epochs}.")
    if not TASKS[config.task].visitors_train:
        raise Refused("Only networks for 28 × 28 greyscale images can be trained here.")
    try:
        parameters = count_parameters(config.architecture, config.settings)
    except ValueError as problem:
        raise Refused(f"There is no such network: {problem}.") from problem
    if parameters > limits.parameters:
        raise Refused(
            f"This network would have {parameters:,} parameters; at most {limits.parameters:,} "
            "are possible here. Use fewer filters or levels."
        )


def _require_room(limits: Limits, runs: Path, configs: Sequence[TrainConfig]) -> None:
    waiting = sum(status(run).state == WAITING for run in _all_runs(runs))
    if waiting + len(configs) - 1 >= limits.waiting:
        raise Refused(
            f"The queue is full ({waiting} runs are waiting). Try again in a few minutes, or run "
            "the app on your own machine; it takes two commands."
        )
    for config in configs:
        _require_memory(config, limits)
    runs.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(runs).free / 1e6
    if free < limits.disk_megabytes:
        raise Refused(
            f"The disk of this host is nearly full: {free:.0f} MB are left, and a training needs "
            f"{limits.disk_megabytes}. Delete runs that you no longer need."
        )


def _require_memory(config: TrainConfig, limits: Limits) -> None:
    needed, free = needed_megabytes(config, limits.megabytes), free_megabytes()
    if free < needed:
        smaller = " take a smaller batch or network," if free >= limits.megabytes else ""
        raise Refused(
            f"This training needs about {round(needed, -1):.0f} MB of memory, and this host has "
            f"{free:.0f} MB left. Try again later,{smaller} or run the app on your own machine."
        )


def _turns(runs: Path) -> list[Path]:
    """One file for each run that may train at the same time; who holds its lock may."""
    return [runs / f".turn-{number}" for number in range(RUNS_AT_ONCE)]


def _take(turns: Sequence[IO], run: Run) -> bool:
    """Take a place to train, if there is one and this run is the next in line."""
    if _ahead_of(run, waiting_only=True):
        return False
    for turn in turns:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _ahead_of(run: Run, waiting_only: bool = False) -> int:
    """How many runs wait longer than this one, and, unless told otherwise, train."""
    ahead = 0
    since = _waiting_since(run)
    for other in _all_runs(run.folder.parent):
        if other.folder == run.folder or not is_alive(other):
            continue
        state = _last_word(other).state
        if state == WAITING:
            ahead += (_waiting_since(other), other.folder.name) < (since, run.folder.name)
        elif not waiting_only:
            ahead += 1
    return ahead


def _waiting_since(run: Run) -> float:
    """When a waiting run got into the line: then it wrote its last event."""
    return (_last_event(run) or {}).get("time", time.time())


def _last_word(run: Run) -> Status:
    """The state that the newest event tells of, alive or not."""
    event = _last_event(run)
    match event:
        case {"event": "status", "status": "waiting"}:
            return Status(WAITING)
        case {"event": "status", "status": "finished"}:
            return Status(FINISHED, detail=event.get("reason", ""))
        case {"event": "stop", "outcome": "diverged"}:
            return Status(DIVERGED, detail=event.get("reason", ""))
        case {"event": "stop", "reason": "paused"}:
            return Status(PAUSED)
        case {"event": "stop"}:
            return Status(STOPPED, detail=event.get("reason", ""))
        case {"event": "error"}:
            return Status(FAILED, detail=without_paths(event.get("message", ""), run))
        case {"event": "batch" | "epoch" | "probe"}:
            return Status(TRAINING)
    return Status(STARTING)


def _last_event(run: Run) -> dict | None:
    """The newest event that is whole, read from the end: the file can have megabytes."""
    try:
        with run.progress.open("rb") as file:
            file.seek(max(0, os.stat(run.progress).st_size - 8192))
            lines = file.read().splitlines()
    except OSError:
        return None
    return next((event for line in reversed(lines) if (event := _parsed(line))), None)


def _died(run: Run) -> Status:
    """What can be known of a worker that is gone and did not say why in the run's events."""
    log = run.folder / "worker.log"
    try:
        lines = log.read_text(errors="replace").splitlines()
        written, room = log.stat().st_mtime, shutil.disk_usage(run.folder).free
    except OSError:
        lines, written, room = [], 0.0, math.inf
    # What an earlier worker said last does not count for one that never came to speak.
    said = lines[-1][:300] if lines and written > _waiting_since(run) - 0.1 else ""
    kept = "What it had saved is kept: continue from there, or reset the run."
    if room < 5e6:
        return Status(FAILED, detail=f"The disk of this host is full. {kept}")
    if said.startswith("train: "):
        return Status(FAILED, detail=without_paths(said.removeprefix("train: "), run))
    if _exit_status(run) == -signal.SIGKILL:
        return Status(
            FAILED,
            detail="The system killed the worker, most often because the host was out of memory. "
            f"{kept}",
        )
    words = f" Last log line: {without_paths(said, run)}" if said else ""
    return Status(
        FAILED,
        detail="Training stopped unexpectedly, most likely because the server ran out of memory "
        f"or was restarted. {kept}{words}",
    )


def _exit_status(run: Run) -> int | None:
    try:
        return int((run.folder / "ended").read_text())
    except (OSError, ValueError):
        return None


def without_paths(message: str, run: Run) -> str:
    """Take out of a message what is not for visitors: the type of an error, and our folders."""
    message = re.sub(r"^\w+(Error|Exception): ", "", message)
    for folder in (run.folder, run.folder.parent, data_folder()):
        if folder is not None:
            message = message.replace(f"{folder}{os.sep}", "")
    return message


def _ask_to_stop(run: Run, why: str) -> None:
    # Whole at once: the worker looks after every batch, and must not read half a reason.
    write_whole(run.stop, lambda path: path.write_text(why))


def _write_owner(run: Run, owner: dict) -> None:
    write_whole(run.folder / "owner.json", lambda path: path.write_text(json.dumps(owner)))


def _all_runs(runs: Path) -> list[Run]:
    """All runs that were started from a page, the oldest first."""
    if not runs.is_dir():
        return []
    return [Run(path.parent) for path in sorted(runs.glob("*/owner.json"))]


def _parsed(line: bytes) -> dict | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _size(folder: Path) -> int:
    return sum(os.stat(path).st_size for path in folder.rglob("*") if path.is_file())
