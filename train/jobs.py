"""Starts, watches and stops workers: one process a run, one run at a time.

Nobody is in charge of the queue.  Each worker waits for its turn by itself, before it loads
Keras, and holds two locks while it lives: one on its own run folder, which tells watchers
that it is alive, and, when its turn has come, one on the folder of all runs.  The system takes
both back when a process ends, however it ends, so nothing stays locked after a crash, and the
queue survives a restart of the server.  (``flock``: Linux and macOS.)

Page and worker share only the files of the run folder (see ``train.runs``) and these:

    owner.json    hash of the token that controls the run, its name, when it was made
    alive         locked by the worker while it lives
    worker.log    what the worker printed
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from train.config import TrainConfig
from train.runs import ProgressWriter, Run, write_whole

ROOT = Path(__file__).parent
# A host can put them elsewhere, on a larger disk for instance.
RUNS = Path(os.environ.get("DENOISE_RUNS_DIR") or ROOT / "runs")

WAITING, STARTING, TRAINING = "waiting", "starting", "training"
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
ACTIVE = (WAITING, STARTING, TRAINING)


@dataclass(frozen=True)
class Limits:
    """What one visitor may take of the host.

    ``waiting`` runs may stand in line, each trains at most ``epochs`` and ``minutes``; the
    worker needs ``megabytes`` of memory (measured: TensorFlow takes 560 to start, 700 at its
    peak, and a small network 150 more).  Runs are deleted after ``days``, and the oldest ones
    when all of them together exceed ``kept_megabytes``.
    """

    waiting: int = 4
    epochs: int = 100
    minutes: float = 30
    megabytes: int = 900
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
) -> Run:
    """Make a run that ``token`` controls and send a worker to it.

    ``drawing`` is a picture ``(28, 28, 1)`` in [0, 1] to watch becoming clean.

    Raises:
        Refused: if the line is full or the host has too little memory left.
    """
    if config.epochs > limits.epochs:
        raise Refused(f"At most {limits.epochs} epochs are possible here, not {config.epochs}.")
    clear_old(limits, runs)
    _require_room(limits, runs)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    run = Run.create(runs / f"{stamp}-{secrets.token_hex(3)}", config)
    owner = {"token": _hashed(token), "name": name, "made": time.time()}
    write_whole(run.folder / "owner.json", lambda path: path.write_text(json.dumps(owner)))
    if drawing is not None:
        pixels = np.rint(drawing[..., 0] * 255).astype(np.uint8)
        write_whole(run.drawing, Image.fromarray(pixels).save)
    _send_worker(run, limits)
    return run


def resume(run: Run, limits: Limits = Limits()) -> None:
    """Send a worker to a run that was stopped, to go on where it was.

    Raises:
        Refused: if a worker is at it already, the line is full, or memory is short.
    """
    if status(run).active:
        raise Refused("This run is being trained already.")
    _wait_for_end(run)
    _require_room(limits, run.folder.parent)
    run.stop.unlink(missing_ok=True)
    _send_worker(run, limits)


def stop(run: Run) -> None:
    """Ask the worker to stop after the current batch; what is trained is kept."""
    run.stop.touch()


def delete(run: Run) -> None:
    """Delete a run that nobody is working at.

    Raises:
        Refused: if a worker is still at it.
    """
    if status(run).active:
        raise Refused("Stop the run before it is deleted.")
    _wait_for_end(run)
    shutil.rmtree(run.folder, ignore_errors=True)


def find(run_id: str, runs: Path = RUNS) -> Run | None:
    """Return the run of this id, None if there is none."""
    if not run_id or Path(run_id).name != run_id or run_id.startswith("."):
        return None
    folder = runs / run_id
    return Run(folder) if (folder / "owner.json").is_file() else None


def owner(run: Run) -> dict:
    """Return what ``owner.json`` says; empty where it cannot be read."""
    try:
        return json.loads((run.folder / "owner.json").read_text())
    except (OSError, ValueError):
        return {}


def controls(token: str, run: Run) -> bool:
    """Whether this token may stop, continue and delete the run."""
    return secrets.compare_digest(owner(run).get("token", ""), _hashed(token))


def runs_of(token: str, runs: Path = RUNS) -> list[Run]:
    """Return the runs that a token controls, the newest first."""
    return [run for run in reversed(_all_runs(runs)) if controls(token, run)]


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
        return last if last.state in (FINISHED, STOPPED, FAILED) else _died(run)
    if last.state == WAITING:
        return Status(WAITING, ahead=_ahead_of(run))
    return last  # A finished or stopped worker still lives while it exports the network.


@contextmanager
def worker_at(run: Run) -> Iterator[None]:
    """In the worker: hold the run, and wait for the turn to train.

    Raises:
        Refused: if another worker is at the run, or it was stopped while it waited.
    """
    with (run.folder / "alive").open("a") as alive:
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another worker is at {run.folder}") from None
        progress = ProgressWriter(run.progress)
        progress.write("status", 0, status=WAITING)
        with (run.folder.parent / ".turn").open("a") as turn:
            while not _take(turn, run):
                if run.stop.exists():
                    progress.write("stop", 0, reason="asked")
                    progress.close()
                    raise Refused("stopped before its turn came")
                time.sleep(0.3)
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
    sizes = {run.folder: _size(run.folder) for run in _all_runs(runs) if not is_alive(run)}
    total = sum(sizes.values())
    for folder, size in sizes.items():  # The oldest first.
        made = owner(Run(folder)).get("made", 0)
        if time.time() - made > limits.days * 86_400 or total > limits.kept_megabytes * 1e6:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def free_megabytes() -> float:
    """Return how much memory the host still gives, in 10^6 bytes.

    The smaller of what the machine has available and what the control group allows.
    """
    free = []
    try:
        meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free.append(int(meminfo["MemAvailable"].split()[0]) * 1024 / 1e6)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max":
            free.append((int(limit) - used) / 1e6)
    except (OSError, ValueError, KeyError):
        pass  # Not Linux, or no control group: what is known has to do.
    return min(free, default=float("inf"))


def _send_worker(run: Run, limits: Limits) -> None:
    """Start the worker as a process of its own, which outlives the server."""
    with (run.folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "train", "run", str(run.folder)),
                *("--queue", "--minutes", f"{limits.minutes:g}"),
            ],
            cwd=ROOT.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Somebody has to take note of its end, or the system keeps its entry for ever.
    threading.Thread(target=worker.wait, daemon=True).start()
    # Until the worker has its lock, it looks dead.
    deadline = time.monotonic() + 5
    while not is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.02)


def _wait_for_end(run: Run, seconds: float = 10) -> None:
    """Wait until a worker that has stopped training has cleaned up after itself."""
    deadline = time.monotonic() + seconds
    while is_alive(run):
        if time.monotonic() > deadline:
            raise Refused("The worker is still saving this run. Try again in a moment.")
        time.sleep(0.05)


def _require_room(limits: Limits, runs: Path) -> None:
    waiting = sum(status(run).state == WAITING for run in _all_runs(runs))
    if waiting >= limits.waiting:
        raise Refused(
            f"{waiting} runs are waiting already, and no more fit in. Try again in some minutes, "
            "or run the app on your own machine: it is two commands."
        )
    free = free_megabytes()
    if free < limits.megabytes:
        raise Refused(
            f"A training needs about {limits.megabytes} MB of memory, and this host has "
            f"{free:.0f} MB left. Try again later, or run the app on your own machine."
        )


def _take(turn, run: Run) -> bool:
    """Take the one place to train if this run is the next in line."""
    if _ahead_of(run, waiting_only=True):
        return False
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
        case {"event": "status", "status": "waiting" | "finished" as state}:
            return Status(state)
        case {"event": "stop"}:
            return Status(STOPPED, detail=event.get("reason", ""))
        case {"event": "error"}:
            return Status(FAILED, detail=event.get("message", ""))
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
    log = run.folder / "worker.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    said = f" Its last words: {lines[-1][:300]}" if lines else ""
    return Status(
        FAILED,
        detail="The worker ended without a word. Most often the host was out of memory, or was "
        f"restarted.{said}",
    )


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
