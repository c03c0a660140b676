"""A server of the queue without screens: does what visitors press, at random, until it is killed.

python -m tests.faults.busy_server RUNS SEED STAND_IN TOKEN
"""

import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from train import jobs, owners
from train.config import TrainConfig, gaussian_only
from train.visitor_limits import Limits, Refused

CONFIG = TrainConfig("dense", {"hidden": 4}, noise=gaussian_only(0.5), batch=16, epochs=3)


def main(runs: Path, seed: int, stand_in: str, token: str) -> None:
    """Start, stop, pause, go on with, reset, rename, pin and delete runs."""
    jobs.sys = SimpleNamespace(executable=stand_in)
    rng = np.random.default_rng(seed)
    limits = Limits(waiting=5)
    print("ready", flush=True)
    while True:
        own = owners.runs_of(token, runs)
        run = own[rng.integers(len(own))] if own else None
        acts = [lambda: jobs.start(CONFIG, token, "a run", limits, runs)]
        if run is not None:
            acts += [
                lambda run=run: jobs.stop(run),
                lambda run=run: jobs.pause(run),
                lambda run=run: jobs.resume(run, limits),
                lambda run=run: jobs.reset(run, limits),
                lambda run=run: owners.rename(run, f"run {rng.integers(100)}"),
                lambda run=run: owners.change_owner(run, pinned=bool(rng.integers(2))),
                lambda run=run: jobs.delete(run),
            ]
        with suppress(Refused):
            acts[rng.integers(len(acts))]()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
