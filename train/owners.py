"""Who a run belongs to and what it is called, and which runs there are.

``owner.json`` holds the hash of the token that controls the run, its name, when it was made,
whether it is pinned, the race it runs in, how often it was reset.
"""

import dataclasses
import hashlib
import json
import secrets
from contextlib import suppress
from pathlib import Path

from models.catalogue import ModelError, read_card
from train.run_folder import RUNS, Run, write_whole

LONGEST_NAME = 60


def owner(run: Run) -> dict:
    """Return what ``owner.json`` says; empty where it cannot be read."""
    try:
        said = json.loads((run.folder / "owner.json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def change_owner(run: Run, **values: object) -> None:
    """Change what ``owner.json`` says."""
    write_owner(run, owner(run) | values)


def rename(run: Run, name: str) -> None:
    """Give a run, and its card if it has one, another name; an empty one changes nothing."""
    if name := shortened(" ".join(name.split())):
        change_owner(run, name=name)
        with suppress(ModelError):
            card = dataclasses.replace(read_card(run.folder), title=f"Yours: {name}")
            write_whole(run.folder / "card.json", lambda path: path.write_text(card.to_json()))


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name of at most ``longest`` characters.

    Of a longer one what follows its last commas is left off, or else its last words: a number that
    was cut would be another number.
    """
    if len(name) <= longest:
        return name
    kept, comma, _ = name[: longest - 1].rpartition(", ")
    if len(kept) < longest // 2:
        kept, comma = name[: longest - 1].rpartition(" ")[0] or name[: longest - 1], ""
    return f"{kept}{comma}…"


def name_of(run: Run) -> str:
    """Return the name of a run, for people."""
    return str(owner(run).get("name") or run.folder.name)


def controls(token: str, run: Run) -> bool:
    """Whether this token may stop, continue and delete the run."""
    kept = str(owner(run).get("token", ""))  # A file edited by hand may hold anything.
    return secrets.compare_digest(kept.encode(), hashed(token).encode())


def find(run_id: str, runs: Path = RUNS) -> Run | None:
    """Return the run of this id, None if there is none."""
    if not run_id or Path(run_id).name != run_id or run_id.startswith("."):
        return None
    folder = runs / run_id
    return Run(folder) if (folder / "owner.json").is_file() else None


def runs_of(token: str, runs: Path = RUNS) -> list[Run]:
    """Return the runs that a token controls: the pinned ones, then the newest first."""
    own = [run for run in all_runs(runs) if controls(token, run)]
    return sorted(own, key=lambda run: (not owner(run).get("pinned"), -made(run)))


def race_of(run: Run) -> list[Run]:
    """Return the runs of the race that this run belongs to, in order; empty for a lonely one."""
    group = owner(run).get("group")
    if not group:
        return []
    racers = [other for other in all_runs(run.folder.parent) if owner(other).get("group") == group]
    return sorted(racers, key=made)


def all_runs(runs: Path) -> list[Run]:
    """All runs that were started from a page and are not being deleted, by folder.

    Their names begin with the time, but of a clock that is put back once a year.
    """
    if not runs.is_dir():
        return []
    folders = [path.parent for path in sorted(runs.glob("*/owner.json"))]
    return [Run(folder) for folder in folders if not folder.name.startswith(".")]


def made(run: Run) -> float:
    """When a run was made, by its owner or else by its folder; 0 where it is gone."""
    said = owner(run).get("made")
    if isinstance(said, int | float):
        return said
    try:
        return run.folder.stat().st_mtime
    except OSError:
        return 0.0


def write_owner(run: Run, owner: dict) -> None:
    """Write ``owner.json``."""
    write_whole(run.folder / "owner.json", lambda path: path.write_text(json.dumps(owner)))


def hashed(token: str) -> str:
    """Return the token as it is kept, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
