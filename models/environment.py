"""What a host sets in the environment, checked where it is read."""

import os
from pathlib import Path

RUNS_AT_ONCE, READY_WORKER = "DENOISE_RUNS_AT_ONCE", "DENOISE_READY_WORKER"
# Name, least, most, and what holds where nothing is set.
NUMBERS = {RUNS_AT_ONCE: (1, 100, 1), READY_WORKER: (0, 1, 1)}


def number(name: str) -> int:
    """Return the whole number that is set.

    Raises:
        ValueError: if it is not a whole number, or out of range.
    """
    least, most, default = NUMBERS[name]
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    # What is too long for a number of Python's is out of range too.
    if text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"{name} must be a whole number from {least} to {most}, got {text!r}")


def problems() -> list[str]:
    """Return a sentence for each number that makes no sense."""
    found = []
    for name in NUMBERS:
        try:
            number(name)
        except ValueError as error:
            found.append(str(error))
    return found


def folder(name: str) -> Path | None:
    """Return the folder that is set, absolute; None where none is.

    It is written back: a process that is started from another folder has to find the same one.
    """
    named = os.environ.get(name)
    if not named:
        return None
    found = Path(os.path.abspath(os.path.expanduser(named)))
    os.environ[name] = str(found)
    return found
