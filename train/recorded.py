"""Reads what came of each recipe when it was run in full, as ``record_runs`` wrote it."""

import json
from pathlib import Path
from statistics import median

from train.recipes import RECIPES, TRAPS

RECORDS = Path(__file__).parent / "results"


def read_record(name: str, folder: Path = RECORDS) -> dict | None:
    """Return the record of a recipe, None where there is none that can be read."""
    try:
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_records(folder: Path = RECORDS) -> dict[str, dict]:
    """Return all records by the name of their recipe, in the order of the recipes."""
    records = {name: read_record(name, folder) for name in RECIPES | TRAPS}
    return {name: record for name, record in records.items() if record is not None}


def minutes_of(record: dict) -> float:
    """Return how long the epochs of a run take together, by their median.

    While one of them lasted, the machine may have had much else to do.
    """
    seconds = [epoch["seconds"] for epoch in record["epochs"]]
    return len(seconds) * median(seconds) / 60 if seconds else 0.0
