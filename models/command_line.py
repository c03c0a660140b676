"""What the command lines share: a command is run, and a failure is a line and a status."""

import argparse
import sys
from collections.abc import Sequence

from models.catalogue import ModelError

FAILED, INTERRUPTED = 2, 130


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    expected: tuple[type[Exception], ...] = (),
    at_interrupt: str = "interrupted",
) -> int:
    """Run the chosen command and return its exit status: 2 where it cannot be done, and why.

    ``expected`` are errors that say so beside ``ModelError``, ``ValueError`` and ``OSError``.
    """
    options = parser.parse_args(arguments)
    program = parser.prog.split()[-1]
    failures: tuple[type[Exception], ...] = (ModelError, ValueError, OSError, *expected)
    try:
        return options.command(options)
    except failures as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{program}: {at_interrupt}", file=sys.stderr)
        return INTERRUPTED
