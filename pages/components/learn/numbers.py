"""The measured numbers that lessons quote: ``{psnr conv-32-32}`` in a text becomes 20.02 dB.

They are read from what ``python -m train evaluate``, ``results`` and ``lab`` wrote.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache

from models.catalogue import PRETRAINED, ModelError, find_card
from models.studies.storage import read_measured
from models.tasks.digits import REPORTED
from pages.components.explain import duration
from train.recipes import recipe
from train.recorded import minutes_of, read_record

FORMATS = {
    "psnr": "{:.2f} dB",
    "read": "{:.1%}",
    "accuracy": "{:.2%}",
    "lost": "{:.0%}",
    "ssim": "{:.3f}",
}
MISSING = "(not measured)"
CONDITION = (REPORTED, "gaussian", 0.5)  # Where lessons speak of digits.


def filled(text: str) -> str:
    """Return the text with the number of each ``{name what ...}`` in its place.

    Raises:
        ValueError: if there is no such name.
    """
    return re.sub(r"\{([^{}]*)\}", lambda found: _number(found[1].split()), text)


def measured(what: str, method: str) -> float:
    """Return a measured number of a method, or of a recipe that was run in full.

    Raises:
        KeyError: if it was not measured.
    """
    if name := recipe_of(method):
        return _record(name)["test"][what]
    return _rows()[(*CONDITION, method)][what]


def recipe_of(method: str) -> str:
    """Return the name of the recipe where a method is written "recipe NAME", else nothing."""
    kind, _, name = method.partition(" ")
    return name if kind == "recipe" else ""


def written(what: str, value: float) -> str:
    """Return a number as text with its unit."""
    return FORMATS[what].format(value)


@lru_cache(maxsize=1)
def _rows() -> dict[tuple, dict]:
    """What was measured, by data, noise, strength and method."""
    text = (PRETRAINED.parent / "measurements.json").read_text(encoding="utf-8")
    return {
        (row["data"], row["noise"], round(row["strength"], 3), row["method"]): row
        for row in json.loads(text)["rows"]
    }


@lru_cache(maxsize=4)
def _lab(part: str) -> dict:
    return read_measured(part)


def _record(name: str) -> dict:
    record = read_record(name)
    if record is None:
        raise KeyError(name)
    return record


def _of_digits(what: str) -> Callable[[str], str]:
    return lambda method: written(what, measured(what, method))


def _recipe(name: str, what: str) -> str:
    return written(what, _record(name)["test"][what])


def _time(name: str) -> str:
    return duration(60 * minutes_of(_record(name)))


def _epochs(name: str) -> str:
    return str(recipe(name).config.epochs)


def _parameters(name: str) -> str:
    return f"{find_card(name).parameters:,}"


def _kept(method: str, width: str, what: str) -> str:
    rows = _lab("autoencoders")["rows"]
    (row,) = [row for row in rows if (row["method"], row["width"]) == (method, int(width))]
    return written(what, row[what])


def _order(network: str, order: str, what: str) -> str:
    rows = _lab("order")["rows"]
    (row,) = [row for row in rows if (row["network"], row["order"]) == (network, order)]
    return written(what, row[what])


def _area(detector: str, kind: str) -> str:
    return f"{_lab('anomaly')['area'][detector][kind]:.2f}"


def _photos(method: str, level: str) -> str:
    return written(
        "psnr", _rows()["kodak24", "gaussian", round(int(level) / 255, 3), method]["psnr"]
    )


NUMBERS: dict[str, Callable[..., str]] = {
    "psnr": _of_digits("psnr"),
    "read": _of_digits("read"),
    "recipe": _recipe,
    "time": _time,
    "epochs": _epochs,
    "parameters": _parameters,
    "kept": _kept,
    "order": _order,
    "area": _area,
    "photos": _photos,
}


def _number(words: list[str]) -> str:
    name, *arguments = words or [""]
    if name not in NUMBERS:
        raise ValueError(f"unknown number {name!r}; known: {', '.join(NUMBERS)}")
    try:
        return NUMBERS[name](*arguments)
    except (KeyError, ValueError, TypeError, OSError, ModelError):
        return MISSING  # A sentence without its number is better than no lesson.
