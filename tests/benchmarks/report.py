"""Turn measurements into a Markdown table, and put it where the README keeps it."""

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
LIBRARIES = ("streamlit", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Budget:
    """What a measurement has to stay under; None is no promise."""

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
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine(chromium: str) -> str:
    """One sentence: where, when and with which versions the numbers were measured."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    cpu = names[0] if names else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Measured by `make bench` on {datetime.date.today().isoformat()}: {cpu}, {cores} cores, "
        f"load {os.getloadavg()[0]:.1f} when it began; Python {platform.python_version()}, "
        f"{versions}, Chromium {chromium}."
    )


def write(text: str, readme: Path) -> None:
    """Replace what stands between the benchmark markers of the README.

    Raises:
        ValueError: if it does not have each marker once.
    """
    before = readme.read_text(encoding="utf-8")
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        raise ValueError(f"{readme.name} must have {BEGIN} and {END} once each")
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    readme.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
