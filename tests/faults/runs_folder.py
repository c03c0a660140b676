"""What must hold for a folder of runs after anything was killed at any moment."""

import json
from pathlib import Path

from train import jobs, owners, run_status
from train.run_folder import Run

STATES = (
    *run_status.ACTIVE,
    run_status.FINISHED,
    run_status.PAUSED,
    run_status.STOPPED,
    run_status.DIVERGED,
    run_status.FAILED,
)


def problems(runs: Path, tokens: tuple[str, ...]) -> list[str]:
    """What is wrong with the folder, a sentence each.

    No run may be lost, half-written, without an owner or unlistable; what is being deleted has a
    name of its own and is in no list, and no run says that it is active which no worker is at.
    """
    found = []
    listed = {run.folder for token in tokens for run in owners.runs_of(token, runs)}
    for folder in runs.iterdir():
        if not folder.is_dir():
            continue
        if folder.name.startswith(jobs.DELETED):
            if folder in listed:
                found.append(f"{folder.name} is still in its owner's list")
            continue
        run = Run(folder)
        if not (folder / "owner.json").exists():
            # Killed before the run was the visitor's, perhaps while owner.json was being written:
            # it is cleared after minutes.  Whatever is more than that has lost its owner.
            begun = {"config.json", *(path.name for path in folder.glob(".*-*.json"))}
            if any(path.name not in begun for path in folder.iterdir()):
                found.append(f"{folder.name} has no owner")
            continue
        if folder not in listed:
            found.append(f"{folder.name} is not in its owner's list")
        found += [f"{folder.name}: {what}" for what in _half_written(run)]
        status = run_status.status(run)
        if status.state not in STATES:
            found.append(f"{folder.name} is {status.state}")
        if status.active and not run_status.is_alive(run):
            found.append(f"{folder.name} says {status.state}, and nobody is at it")
        if status.state == run_status.FAILED and not status.detail.endswith("."):
            found.append(f"{folder.name} failed without a sentence: {status.detail!r}")
    return found


def _half_written(run: Run) -> list[str]:
    found = []
    for name in ("owner.json", "config.json", "card.json"):
        path = run.folder / name
        if path.exists():
            try:
                json.loads(path.read_text())
            except ValueError:
                found.append(f"{name} is half-written")
    return found
