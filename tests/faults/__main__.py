"""Break the app for long: ``python -m tests.faults [--kills 100] [--messages 20000]``."""

import argparse
import tempfile
import time
from pathlib import Path

from tests.faults.fuzz import Fuzzed, fuzz
from tests.faults.kills import kill_servers, kill_workers
from tests.faults.visited_servers import kill_visited_servers


def main() -> int:
    """Do all of it and print a line each; the exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of workers; half as many servers")
    parser.add_argument("--messages", type=int, default=20_000, help="of the fuzzing visitor")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    wrong = []
    for what, act, count in (
        ("workers killed", kill_workers, options.kills),
        ("servers killed", kill_servers, options.kills // 2),
        ("servers killed that had visitors", kill_visited_servers, options.kills // 2),
    ):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            outcome = act(Path(folder), count, options.seed)
            seconds = time.monotonic() - began
            print(
                f"{outcome.kills} {what} in {seconds:.0f} s, {len(outcome.wrong)} wrong", flush=True
            )
            print(*(f"  {count} {what}" for what, count in outcome.done.items()), sep="\n")
            wrong += outcome.wrong
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), options.messages, options.seed, after_round=say)
        wrong += found.wrong
    print("\n".join(wrong))
    return int(bool(wrong))


def say(found: Fuzzed) -> None:
    """Print what the fuzzing has found so far."""
    print(
        f"{found.messages} messages, {len(found.wrong)} wrong, {found.megabytes[-1]:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
