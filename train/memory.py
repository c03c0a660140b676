"""How much memory a training will take, and how much the host has left.

It is known before anything is loaded.  Counted is what must stay in memory: the 470 MB of
libraries that a worker has mapped are read again from disk where memory is short.  What a layer
answers is kept until its gradient is known, so memory grows with the batch.  The numbers that all
layers answer for one picture are counted here; the factors were measured.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, repeat
from pathlib import Path

from models.tasks import TASKS
from train.config import TrainConfig, with_defaults

SIDE = 28
PICTURES = 60_000  # as many as any data set of ours has
VALIDATION_BATCH = 500  # pictures at once
VALIDATION_CROPS = 64  # as the tasks have it that learn from crops
PASSING = 0.5  # While it validates, only few maps are there at a time.
NOT_NEEDED = ("jax", "sklearn", "pandas")
CONVOLUTIONS = 80e6  # bytes: what the library for them keeps beside the maps
# The files of a control group, of version 2 and of version 1: the limit, what is used, and what
# this is made of, with the names of those parts that the system takes back when it needs them.
GROUPS = (
    ("memory.max", "memory.current", "memory.stat", ("inactive_file", "active_file")),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        ("total_inactive_file", "total_active_file"),
    ),
)


def needed_megabytes(config: TrainConfig, to_start: float) -> float:
    """Return what a training needs, in 10^6 bytes; ``to_start`` is what the smallest needs."""
    settings = with_defaults(config.architecture, config.settings)
    footprint = FOOTPRINTS[config.architecture]
    crops = TASKS[config.task].walk == "crops"
    values = _of_a_crop(config, settings) if crops else footprint.values(**settings)
    validated = VALIDATION_CROPS if crops else VALIDATION_BATCH
    pictures = max(footprint.kept * config.batch, PASSING * validated)
    noisy = 2 * SIDE**2 * PICTURES if config.noise and not config.fresh_noise else 0
    return to_start + (4 * values * pictures + noisy + footprint.library) / 1e6


def load_less(*more: str) -> None:
    """Have TensorFlow and Keras not load what they would load wherever it is installed.

    For a process that trains and does nothing else: no training needs these, and they take 105 MB.
    Nor does it need ``more``.
    """
    for name in (*NOT_NEEDED, *more):
        if name != os.environ.get("KERAS_BACKEND"):
            sys.modules.setdefault(name, None)  # Whoever imports it finds that it is not there.


def free_megabytes(root: Path = Path("/")) -> float:
    """Return how much memory the host still gives, in 10^6 bytes.

    The smaller of what the machine has available and what the control group allows; infinity
    where nothing is known.
    """
    free = [_free_in_group(root / "sys/fs/cgroup", *names) for names in GROUPS]
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        available = dict(line.split(":") for line in lines)["MemAvailable"]
        free.append(int(available.split()[0]) * 1024 / 1e6)
    except (OSError, ValueError, KeyError):
        pass  # Not Linux.
    return min(free)


def held_megabytes(process: int | str = "self") -> float:
    """Return what a process keeps in memory, without files that can be read again, in 10^6 bytes.

    0 where that is not known.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        held = dict(line.split(":", 1) for line in lines)["RssAnon"]
        return int(held.split()[0]) * 1024 / 1e6
    except (OSError, ValueError, KeyError):
        return 0.0  # It is gone, or this is not Linux.


def _free_in_group(
    folder: Path, limit: str, used: str, parts: str, given_back: tuple[str, ...]
) -> float:
    try:
        allowed = (folder / limit).read_text().strip()
        if allowed == "max":
            return float("inf")
        made_of = dict(line.split() for line in (folder / parts).read_text().splitlines())
        kept = int((folder / used).read_text()) - sum(int(made_of[name]) for name in given_back)
        return (int(allowed) - kept) / 1e6
    except (OSError, ValueError, KeyError):
        return float("inf")  # There is no such group; what else is known has to do.


def sides(levels: int) -> list[int]:
    """Return the sides of the maps at each level and below the last: 28, 14, 7, 4."""
    return list(accumulate(repeat(2, levels), lambda side, _: -(-side // 2), initial=SIDE))


def _of_a_crop(config: TrainConfig, settings: dict) -> int:
    """Return what the layers of a U-Net of another job answer for a crop: most at half size."""
    at_28 = _unet(settings["filters"], settings["dropout"], settings["skips"])
    side = config.crop // (2 if settings.get("half") else 1)
    answer = 3 * config.crop**2 * settings.get("outputs", 1)
    return round(at_28 * (side / SIDE) ** 2) + answer


def _dense(hidden: int) -> int:
    return 2 * SIDE**2 + hidden


def _convolutional(filters: list[int], code: int | None) -> int:
    side = sides(len(filters))
    inward = sum(f * (side[i] ** 2 + side[i + 1] ** 2) for i, f in enumerate(filters))
    return 2 * inward + SIDE**2 + (code or 0)


def _resize_convolution(filters: list[int], upsampling: str) -> int:
    side = sides(len(filters))
    inward = sum(f * (side[i] ** 2 + side[i + 1] ** 2) for i, f in enumerate(filters))
    # What is repeated comes from the level below, with its number of features.
    below = [*filters[1:], filters[-1]]
    repeated = sum(f * side[i] ** 2 for i, f in enumerate(below)) if upsampling == "resize" else 0
    return inward + repeated + sum(f * side[i] ** 2 for i, f in enumerate(filters)) + SIDE**2


def _unet(filters: list[int], dropout: float, skips: bool) -> int:
    *outer, bottom = filters
    side = sides(len(outer))
    double = 6  # convolution, normalisation and ReLU, twice
    total = double * bottom * side[-1] ** 2
    for level, count in enumerate(outer):
        joined = 2 if skips else 0
        total += count * side[level] ** 2 * (2 * double + 1 + joined)
        total += 2 * count * side[level + 1] ** 2  # pooled, and with dropout
    return total + SIDE**2


@dataclass(frozen=True)
class Footprint:
    """What an architecture keeps in memory while it is trained.

    ``values`` counts what all layers answer for one picture, by the settings; ``kept`` says how
    many times of that a picture of the batch takes; ``library`` is in bytes.
    """

    values: Callable[..., int]
    kept: float
    library: float = CONVOLUTIONS


# From the peaks of real trainings, TensorFlow 2.21, which tests/train/test_memory.py names.
FOOTPRINTS = {
    "dense": Footprint(_dense, 2.0, library=0),
    "convolutional": Footprint(_convolutional, 2.0),
    "resize-convolution": Footprint(_resize_convolution, 2.0),
    "unet": Footprint(_unet, 1.4),
}
