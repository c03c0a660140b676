"""A worker that has loaded Keras before anybody presses Train, so that the first batch comes soon.

    server                                        worker: python -m train wait
    keep_ready()  -- starts it ---------------->  loads Keras, says "ready", waits
    hand_over()   -- a command and its files -->  says "taken", and is a worker like any other

They talk through a socket, the worker's standard input.  A server has at most one such worker.  It
ends it when the Train page was not used for two minutes, and at once when memory is short; without
its server it ends by itself, unless it has got a run.
"""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from models.environment import READY_WORKER, number
from train.memory import free_megabytes, held_megabytes
from train.owners import all_runs
from train.run_folder import RUNS
from train.run_status import is_alive
from train.visitor_limits import DEFAULT_LIMITS, Limits

ROOT = Path(__file__).parent
UNUSED = 120  # seconds
SPARE = 80  # 10^6 bytes that stay free, or there is no such worker
LOADING, READY = "loading", "ready"
SAYS_READY, SAYS_TAKEN = b"r", b"t"
OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_END = "1000"


class ReadyWorker:
    """The worker, seen from the server."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "train", "wait"],
                cwd=ROOT.parent,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.used = time.monotonic()
        self._is_ready = False

    @property
    def lives(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether it has said that it has loaded Keras."""
        with suppress(OSError):  # It has said nothing yet.
            self._is_ready = self._is_ready or bool(self._line.recv(1, socket.MSG_DONTWAIT))
        return self._is_ready

    def send(self, command: Sequence[str], files: Sequence[IO]) -> bool:
        """Send it a command and the files that become its input, output and error output.

        Returns False where it is gone.
        """
        try:
            socket.send_fds(
                self._line, [json.dumps(command).encode()], [file.fileno() for file in files]
            )
        except OSError:
            return False
        return True

    def has_taken(self) -> bool:
        """Wait until it has taken what was sent; False where it has ended before."""
        said = b""
        with self._line, suppress(OSError):
            while not said.endswith(SAYS_TAKEN) and (more := self._line.recv(16)):
                said = more
        return said.endswith(SAYS_TAKEN)

    def end(self) -> None:
        """End the process and close the line to it."""
        self.process.kill()
        self.process.wait()
        self._line.close()


_lock = threading.Lock()
_worker: ReadyWorker | None = None


def keep_ready(limits: Limits = DEFAULT_LIMITS, runs: Path = RUNS) -> None:
    """Have a worker load Keras, or keep the one there is.

    There is none where memory is short or somebody trains: then others have to wait anyway.
    """
    global _worker
    with _lock:
        if _worker and _worker.lives:
            _worker.used = time.monotonic()
            return
        if _worker:
            _worker.end()
            _worker = None
        # A host may want none, having other things to do.
        unwanted = not number(READY_WORKER) or free_megabytes() < limits.megabytes + SPARE
        # The newest first: whoever trains is among them, and there may be thousands of others.
        if unwanted or any(is_alive(run) for run in reversed(all_runs(runs))):
            return
        with suppress(OSError):  # Then a training begins as it did without one.
            _worker = ReadyWorker()
            threading.Thread(target=_look_after, args=(_worker,), daemon=True).start()


def state() -> str:
    """Return ``READY`` or ``LOADING``, empty where there is no such worker."""
    with _lock:
        if _worker is None or not _worker.lives:
            return ""
        return READY if _worker.is_ready() else LOADING


def megabytes() -> float:
    """Return the memory that the worker holds, in 10^6 bytes; 0 where there is none."""
    with _lock:
        return held_megabytes(_worker.process.pid) if _worker and _worker.lives else 0.0


def hand_over(command: Sequence[str], files: Sequence[IO]) -> ReadyWorker | None:
    """Give the worker a command and its files, see ``ReadyWorker.send``; None where there is none.

    Whoever gets the worker has to look whether it ``has_taken`` them.
    """
    global _worker
    with _lock:
        worker, _worker = _worker, None
    if worker and not (worker.lives and worker.send(command, files)):
        worker.end()
        return None
    return worker


def _look_after(worker: ReadyWorker) -> None:
    """End a worker that nobody uses or that is in the way."""
    global _worker
    while True:
        time.sleep(0.5)
        short = free_megabytes() < SPARE
        with _lock:
            if _worker is not worker:
                return  # It has got a run.
            unused = time.monotonic() - worker.used > UNUSED
            if worker.lives and not (unused or short):
                continue
            _worker = None
        worker.end()
        return


def wait_for_command(load: Callable[[], object]) -> list[str] | None:
    """In the worker: ``load``, say so, and wait for a command; None where the server has gone.

    What was sent with it has then taken the place of standard input, output and error output.
    """
    line = socket.socket(fileno=os.dup(0))
    got = threading.Event()
    threading.Thread(target=_end_with_server, args=(line, got), daemon=True).start()
    score = _first_to_end()
    load()
    with suppress(OSError):
        line.sendall(SAYS_READY)
    if line.recv(1, socket.MSG_PEEK):
        got.set()  # Before it is taken out of the line: the server may go any time.
    sent, files, *_ = socket.recv_fds(line, 65_536, 3)
    if not sent:
        return None
    for own, given in enumerate(files):
        os.dup2(given, own)
        os.close(given)
    with suppress(OSError):
        OOM_SCORE.write_text(score)
    with suppress(OSError):  # A server that has gone since is missed by nobody.
        line.sendall(SAYS_TAKEN)
    return json.loads(sent)


def _first_to_end() -> str:
    """Ask the system to end this process before any other where memory is short."""
    try:
        before = OOM_SCORE.read_text()
        OOM_SCORE.write_text(FIRST_TO_END)
    except OSError:
        return "0"  # Not Linux.
    return before


def _end_with_server(line: socket.socket, got: threading.Event) -> None:
    """End the process when the other end of the line is closed, also while it loads Keras."""
    poll = select.poll()
    poll.register(line, select.POLLHUP)
    poll.poll()
    with suppress(OSError):
        if got.is_set() or line.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK):
            return  # There is a command, and the run survives the server.
    os._exit(0)
