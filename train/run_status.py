"""How a run is doing, from its files alone."""

import fcntl
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from models.tasks.data_folder import data_folder
from train.owners import all_runs
from train.run_folder import Run

WAITING, STARTING, TRAINING = "waiting", "starting", "training"
FINISHED, PAUSED, STOPPED = "finished", "paused", "stopped"
DIVERGED, FAILED = "diverged", "failed"
ACTIVE = (WAITING, STARTING, TRAINING)
CAN_GO_ON = (PAUSED, STOPPED, FAILED)
PIECE = 1_000_000  # bytes


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


def status(run: Run) -> Status:
    """Return how a run is doing, from its files alone."""
    # First whether it lives, then what it wrote: the other way round, a worker that finishes
    # in between would look as if it had died in the middle.
    alive = is_alive(run)
    last = last_word(run)
    if not alive:
        return _died(run) if last.state in ACTIVE else last
    if last.state == WAITING:
        return Status(WAITING, ahead=ahead_of(run))
    return last  # A finished or stopped worker still lives while it exports the network.


def is_alive(run: Run) -> bool:
    """Whether a worker is at the run or waits for its turn; looking leaves nothing behind."""
    try:
        with (run.folder / "alive").open() as file:
            # Shared, or whoever else looks at this instant would be taken for the worker.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def ahead_of(run: Run, waiting_only: bool = False) -> int:
    """How many runs wait longer than this one, and, unless told otherwise, train."""
    ahead = 0
    since = waiting_since(run)
    for other in all_runs(run.folder.parent):
        if other.folder == run.folder or not is_alive(other):
            continue
        state = last_word(other).state
        if state == WAITING:
            ahead += (waiting_since(other), other.folder.name) < (since, run.folder.name)
        elif not waiting_only:
            ahead += 1
    return ahead


def waiting_since(run: Run) -> float:
    """When a waiting run got into the line: then it wrote its last event."""
    return (last_event(run) or {}).get("time", time.time())


class EventReader:
    """Reads the events of a run as they come, each once."""

    def __init__(self, run: Run) -> None:
        self._path, self._read = run.progress, 0

    def read_new(self) -> Iterator[dict]:
        """Yield the events that were written since the last call.

        They are read in pieces: the file of a long run has tens of megabytes, and its events take
        ten times as much.
        """
        while lines := self._next_lines():
            for line in lines:
                if (event := _parsed(line)) is not None:
                    yield event

    def _next_lines(self) -> list[bytes]:
        """The next lines that are whole, about ``PIECE`` bytes of them; none at the end."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.readlines(PIECE)
        except OSError:
            return []
        whole = [line for line in lines if line.endswith(b"\n")]
        self._read += sum(map(len, whole))
        return whole


def last_event(run: Run) -> dict | None:
    """The newest event that is whole, read from the end: the file can have megabytes."""
    try:
        with run.progress.open("rb") as file:
            file.seek(max(0, os.stat(run.progress).st_size - 8192))
            lines = file.read().splitlines()
    except OSError:
        return None
    return next((event for line in reversed(lines) if (event := _parsed(line))), None)


def last_word(run: Run) -> Status:
    """The state that the newest event tells of, alive or not."""
    event = last_event(run) or {}
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


def _died(run: Run) -> Status:
    """What can be known of a worker that is gone and did not say why in the run's events."""
    log = run.folder / "worker.log"
    try:
        lines = log.read_text(errors="replace").splitlines()
        written, room = log.stat().st_mtime, shutil.disk_usage(run.folder).free
    except OSError:
        lines, written, room = [], 0.0, sys.maxsize
    # What an earlier worker said last does not count for one that never came to speak.
    said = lines[-1][:300] if lines and written > waiting_since(run) - 0.1 else ""
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


def _parsed(line: bytes) -> dict | None:
    try:
        return json.loads(line)
    except ValueError:
        return None
