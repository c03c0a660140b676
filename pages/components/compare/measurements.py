"""The table of all measurements; ``python -m train evaluate`` writes it, screens read it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from imaging.filters import CLASSICAL
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS, NoiseKind
from imaging.specialists import SPECIALISTS
from models.catalogue import PRETRAINED, UNCLIPPED, Card
from models.digit_scores import FAIR
from models.tasks import TASKS
from models.tasks.denoise_photos.data import PHOTO_SETS
from models.tasks.digits import DIGIT_SETS

MEASUREMENTS = PRETRAINED.parent / "measurements.json"
NETWORK, FILTER, NOISY = "network", "filter", "none"
FAMILIES = {NETWORK: "Networks", FILTER: "Filters", NOISY: "Noisy input"}

IN_BATCHES = "networks took the pictures in batches, filters one by one"
ONE_BY_ONE = "all methods took the pictures one by one"

WORDS = ("method", "family", "data", "noise")
NUMBERS = ("strength", "pictures", "psnr", "ssim", "seconds_per_picture")


class MeasurementsError(Exception):
    """A table that cannot be used; its text is a sentence for the visitor."""


@dataclass(frozen=True)
class Pictures:
    """What was measured on; ``kinds`` are the noises in the ranges that matter there.

    ``timing`` says how the time for one picture was taken.
    """

    title: str
    noun: str
    kinds: Mapping[str, NoiseKind]
    timing: str = ONE_BY_ONE


@dataclass(frozen=True)
class Measure:
    """A number that says how good a result is, with its D3 and Python formats."""

    title: str
    axis: str
    pattern: str
    axis_pattern: str
    unit: str
    description: str

    def words(self, value: float) -> str:
        """Return a value as text, with its unit."""
        return f"{value:{self.pattern}}{self.unit}"


@dataclass(frozen=True)
class Measurements:
    """All rows, as a table, and when and on what they were measured."""

    date: str
    machine: dict[str, object]
    rows: pd.DataFrame

    def data_sets(self) -> list[str]:
        """Return the names of what was measured on, digits first."""
        found = list(self.rows["data"].unique())
        return sorted(found, key=lambda data: (rank(data, PICTURES), data))

    def on(self, data: str) -> pd.DataFrame:
        """Return the rows of one data set."""
        return self.rows[self.rows["data"] == data]


PICTURES = {
    "mnist": Pictures("Digits", "held-out digits", NOISE_KINDS, IN_BATCHES),
    "fashion-mnist": Pictures("Clothes", "held-out pictures of clothes", NOISE_KINDS, IN_BATCHES),
    "kodak24": Pictures("Photos", "photos of the Kodak set", PHOTO_NOISE_KINDS),
    "polyu": Pictures("Camera noise", "photos with a camera's own noise", PHOTO_NOISE_KINDS),
}

COMPARED = DIGIT_SETS | PHOTO_SETS  # What a network on this screen may have learned from.

MEASURES = {
    "psnr": Measure(
        "PSNR",
        "PSNR (dB)",
        ".1f",
        "~g",
        " dB",
        "Peak signal-to-noise ratio, the mean over all pictures: higher is better, and 3 dB more "
        "means half the squared error.",
    ),
    "ssim": Measure(
        "SSIM",
        "SSIM",
        ".3f",
        "~g",
        "",
        "Structural similarity to the original, the mean over all pictures: 1 means identical.",
    ),
    "read": Measure(
        "Digits still read",
        "digits read correctly",
        ".1%",
        ".0%",
        "",
        "The share of denoised digits that the digit reader reads correctly: sometimes the noise "
        "is gone and so is the digit.",
    ),
}


def read_measurements() -> Measurements:
    """Return the table of all measurements.

    Raises:
        MeasurementsError: if it is missing or damaged.
    """
    way_out = "`python -m train evaluate --filters` writes it again."
    try:
        return _read(MEASUREMENTS, MEASUREMENTS.stat().st_mtime_ns)
    except FileNotFoundError:
        raise MeasurementsError(
            f"The table of measurements, {MEASUREMENTS.name}, is missing. {way_out}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MeasurementsError(
            f"The table of measurements, {MEASUREMENTS.name}, cannot be read ({error}). {way_out}"
        ) from error


@lru_cache(maxsize=1)
def _read(path: Path, version: int) -> Measurements:
    """The table in this file, read again when the time of its last change is another."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Measurements(str(table["date"]), dict(table["machine"]), _checked(table["rows"]))


def pictures_of(data: str) -> Pictures:
    """Return what is known of a data set; of one nobody has described, its name."""
    return PICTURES.get(data, Pictures(data, "held-out pictures", PHOTO_NOISE_KINDS | NOISE_KINDS))


def measures_of(rows: pd.DataFrame) -> list[str]:
    """Return the names of the measures that these rows have."""
    return [name for name in MEASURES if rows[name].notna().any()]


def method_title(name: str, cards: Mapping[str, Card]) -> str:
    """Return what a measured method is called on screen."""
    if name in cards:
        return cards[name].title
    if name == "noisy":
        return "Noisy input"
    plain, filters = name.removesuffix(FAIR), CLASSICAL | SPECIALISTS
    if plain in filters:
        return filters[plain].title + (" (bias undone)" if name.endswith(FAIR) else "")
    return name.replace("-", " ")


def noise_kind(noise: str) -> str:
    """Return the name of the kind of a noise: "gaussian" of "gaussian, unclipped"."""
    return noise.removesuffix(UNCLIPPED)


def noise_title(noise: str, data: str) -> str:
    """Return what a noise is called on screen."""
    name, kinds = noise_kind(noise), pictures_of(data).kinds
    return kinds[name].title + noise.removeprefix(name) if name in kinds else noise.capitalize()


def shown_per_unit(noise: str, data: str) -> float:
    """Return by how much a screen multiplies the strength of a noise."""
    kinds = pictures_of(data).kinds
    return kinds[noise_kind(noise)].shown_per_unit if noise_kind(noise) in kinds else 1


def unmeasured(measurements: Measurements, cards: Mapping[str, Card]) -> list[str]:
    """Return the titles of the denoising models that have no measurement."""
    known = set(measurements.rows["method"])
    return [
        card.title
        for name, card in cards.items()
        if card.data in COMPARED and TASKS[card.task].degradations and name not in known
    ]


def rank(name: str, order) -> int:
    """Return the place of ``name`` in ``order``, the last place for what is not in it."""
    names = list(order)
    return names.index(name) if name in names else len(names)


def _checked(rows: list[dict]) -> pd.DataFrame:
    """Return the rows as a table; raise where a column is missing or of the wrong type."""
    table = pd.DataFrame.from_records(rows)
    if table.empty:
        raise ValueError("it has no rows")
    for name in (*WORDS, *NUMBERS):
        if name not in table:
            raise KeyError(f"no row has {name!r}")
    for name in WORDS:
        if not table[name].map(lambda value: isinstance(value, str)).all():
            raise ValueError(f"{name!r} must be text in every row")
    for name in NUMBERS:
        table[name] = pd.to_numeric(table[name])
        if not table[name].map(math.isfinite).all():
            raise ValueError(f"{name!r} must be a number in every row")
    table["read"] = pd.to_numeric(table["read"]) if "read" in table else math.nan
    return table
