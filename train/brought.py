"""Networks that visitors bring as ONNX files: opened first where they can do no harm.

``check(content) -> what is known of it, and the file that the app runs``

The file is data, but a hostile one can crash whatever reads it, or starve it.  So another process
reads it, ``train.export.brought``, within limits; what comes back is a new file that this process
has written.  One file is opened at a time.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from train.brought_limits import LARGEST_FILE, MEMORY, SECONDS, Refused
from train.memory import free_megabytes

ROOT = Path(__file__).resolve().parents[1]

# What the process takes, by the peaks of real ones: 70 MB for a small file, 215 MB for 9.7 MB.
LIBRARIES, COPIES = 70_000_000, 15
PATIENCE = 60.0  # seconds on the wall, on a server that has much else to do
WAIT = 30.0  # seconds for those before

LARGEST = LARGEST_FILE // 1_000_000
ONLY_ONNX = "Only ONNX files can be opened here. Below is how to export one."
KERAS, PYTORCH = (
    f"A {kind} file can carry code, which a server must not run for strangers. Export the network "
    "as ONNX, as it says below; that is pure data."
    for kind in ("Keras", "PyTorch")
)
FAILED = (
    "It made the process that opened it fail, so it is not used. It may need too much memory, or "
    "be damaged."
)
# How other files begin, and what is said of them.
OTHERS = {
    b"PK\x03\x04": KERAS,
    b"\x89HDF": KERAS,
    b"\x80\x02": PYTORCH,
}
ZIPPED = (".pt", ".pth", ".bin", ".ckpt")

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Brought:
    """A network as the app runs it: the file, and what is known of it.

    ``layers`` counts those behind the picture, ``milliseconds`` are those for one picture here,
    ``lowest`` and ``highest`` its values before they were clipped to [0, 1].
    """

    content: bytes
    parameters: int
    macs: int
    layers: int
    channels_first: bool
    milliseconds: float
    lowest: float
    highest: float


def check(content: bytes, name: str = "") -> Brought:
    """Open a file that a visitor called ``name``, in another process.

    Raises:
        Refused: with a sentence that says why it cannot be taken.
    """
    require_likely(content, name)
    if not _one_at_a_time.acquire(timeout=WAIT):
        raise Refused("The networks of others are being opened. Try again in a moment.")
    try:
        _require_memory(len(content))
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
            given.write(content)
            given.seek(0)
            status = _run(given, answer)
            answer.seek(0)
            return _read(answer, status)
    finally:
        _one_at_a_time.release()


def require_likely(content: bytes, name: str = "") -> None:
    """Raise ``Refused`` for what is too large, empty, or begins like another kind of file."""
    if not content:
        raise Refused("This file is empty.")
    if len(content) > LARGEST_FILE:
        raise Refused(f"This file has more than {LARGEST} MB, the most that can be opened.")
    for begins, sentence in OTHERS.items():
        if content.startswith(begins):
            raise Refused(PYTORCH if name.lower().endswith(ZIPPED) else sentence)
    if name and not name.lower().endswith(".onnx"):
        raise Refused(ONLY_ONNX)


def _require_memory(size: int) -> None:
    """Raise ``Refused`` where there is too little for the process that opens an honest file."""
    if free_megabytes() * 1e6 < LIBRARIES + COPIES * size:
        raise Refused(
            "The server is short of memory just now, perhaps because somebody trains a network. "
            "Try again later."
        )


def _run(given: IO[bytes], answer: IO[bytes]) -> int | None:
    """Return the exit status of the process, None where it took too long."""
    process = subprocess.Popen(
        [sys.executable, "-m", "train.export.brought", str(MEMORY), str(SECONDS)],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1"},
        stdin=given,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def _read(answer: IO[bytes], status: int | None) -> Brought:
    if status is None or status in (-24, -9):  # SIGXCPU, then SIGKILL
        raise Refused("Opening it took too long, so it was stopped.")
    if status != 0:
        raise Refused(FAILED)
    try:
        about = json.loads(answer.readline())
        if "refused" not in about:
            return Brought(answer.read(), **about)
    except (ValueError, TypeError):
        raise Refused(FAILED) from None
    raise Refused(about["refused"])
