"""Run folders without a worker, and settings of runs that are small or long."""

import json
import time
from pathlib import Path

from train import owners
from train.config import TrainConfig, gaussian_only
from train.run_folder import Run

MINE, YOURS = "my token", "your token"
CONFIG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=16, epochs=1
)
LONG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=1, epochs=100
)


def finished(runs: Path, name: str, token: str = MINE, made: float | None = None) -> Run:
    """Return a run folder whose last event says that the run has finished."""
    run = Run.create(runs / name, CONFIG)
    owner = {"token": owners.hashed(token), "name": name, "made": made or time.time()}
    (run.folder / "owner.json").write_text(json.dumps(owner))
    run.progress.write_text('{"event": "status", "time": 1, "step": 0, "status": "finished"}\n')
    return run
