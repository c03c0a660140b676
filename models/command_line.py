"""What the command lines share: a command is run, and a failure is a line and a status."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.catalogue import ModelError

# As shells have them: of a signal that ends a program, 128 and its number.
FAILED, INTERRUPTED, NOBODY_READS = 2, 130, 141


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    expected: tuple[type[Exception], ...] = (),
    at_interrupt: str = "interrupted",
) -> int:
    """Run the chosen command and return its exit status: 2 where it cannot be done, and why.

    It ends without a word where nobody reads on, as before ``| head``.
    ``expected`` are errors that say so beside ``ModelError``, ``ValueError`` and ``OSError``.
    """
    options = parser.parse_args(arguments)
    program = parser.prog.split()[-1]
    failures: tuple[type[Exception], ...] = (ModelError, ValueError, OSError, *expected)
    try:
        status = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # When it ends, Python writes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except failures as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{program}: {at_interrupt}", file=sys.stderr)
        return INTERRUPTED


def a_path(text: str) -> Path:
    """Read a path; an empty one, as of a variable that is not set, would be the working folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a file or a folder, got nothing")
    return Path(text)


def between(least: float, most: float = math.inf) -> Callable[[str], float]:
    """Return what reads a number between these."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected {_limits(least, most)}, got {text!r}")
        return number

    return read


def whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Return what reads a whole number between these."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            limits = _limits(least, most)
            raise argparse.ArgumentTypeError(f"expected a whole number, {limits}, got {text!r}")
        return number

    return read


def _limits(least: float, most: float) -> str:
    return f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
