"""Turn measurements into a Markdown table."""

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from models.host import cores
from train.evaluate.tables import processor

LIBRARIES = ("streamlit", "onnxruntime", "numpy")
AGAIN = "Some rows were measured again, each group in its own run, on:"


@dataclass(frozen=True)
class Budget:
    """What a measurement has to stay under; None promises nothing."""

    median: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class Row:
    """One measured quantity: every sample, in ``unit``."""

    what: str
    unit: str
    samples: Sequence[float]
    budget: Budget = Budget()

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return float(np.median(self.samples))

    @property
    def p95(self) -> float | None:
        """What 19 of 20 samples stay under; None where there are fewer than 20."""
        return float(np.percentile(self.samples, 95)) if len(self.samples) >= 20 else None

    @property
    def verdict(self) -> str:
        """Whether the budget was kept, in a word."""
        pairs = [(self.median, self.budget.median), (self.p95, self.budget.p95)]
        promised = [(got, limit) for got, limit in pairs if limit is not None]
        if not promised:
            return ""
        kept = all(got is not None and got < limit for got, limit in promised)
        return "kept" if kept else "**missed**"

    def cells(self) -> list[str]:
        """The row as text, in the order of `table`."""
        limits = [
            f"{name} < {limit:g}"
            for name, limit in (("median", self.budget.median), ("p95", self.budget.p95))
            if limit is not None
        ]
        if self.budget.p95 is None:
            limits = [text.removeprefix("median ") for text in limits]
        return [
            self.what,
            f"{number(self.median)} {self.unit}",
            "" if self.p95 is None else f"{number(self.p95)} {self.unit}",
            ", ".join(limits),
            self.verdict,
            str(len(self.samples)),
        ]


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{decimals}f}"


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    head = ["what", "median", "p95", "budget", "", "samples"]
    lines = [head, ["---", "---:", "---:", "---:", "---", "---:"], *(row.cells() for row in rows)]
    return "\n".join(map(_line, lines))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def renewed(text: str, rows: Iterable[Row], groups: Iterable[str], where: str) -> str:
    """Return a text with a table in which these rows are new, and say so below.

    Each group of measurements has one such line, that of its last time.  A row that was never
    measured before stands at the end.

    Raises:
        ValueError: if there is no table.
    """
    new = {row.what: _line(row.cells()) for row in rows}
    notes = {f"* `--only {group}`: ": where for group in groups}
    head, _, tail = text.rstrip().partition(f"\n\n{AGAIN}\n\n")
    lines = head.splitlines()
    for index, line in enumerate(lines):
        lines[index] = new.pop(line.removeprefix("| ").partition(" | ")[0], line)
    ends = [index for index, line in enumerate(lines, start=1) if line.startswith("|")]
    if not ends:
        raise ValueError("there is no table to renew, measure everything")
    lines[ends[-1] : ends[-1]] = new.values()
    kept = [line for line in tail.splitlines() if not line.startswith(tuple(notes))]
    said = [*kept, *(start + where for start, where in notes.items())]
    return "\n".join([*lines, "", AGAIN, "", *said])


def machine(chromium: str) -> str:
    """One sentence: where, when and with which versions the numbers were measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Measured by `make bench` on {datetime.date.today().isoformat()}: {processor()}, "
        f"{cores()} cores, load {os.getloadavg()[0]:.1f} when it began; "
        f"Python {platform.python_version()}, {versions}, Chromium {chromium}."
    )
