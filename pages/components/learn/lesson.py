"""Lessons as data: one file each in ``lessons``, in TOML, and one line in ``LESSONS``.

A lesson has a title, what its tutorial says and what was measured here, and steps; a step has a
text, one demo, and a question with its answer.  Numbers are not typed into texts: they are
looked up (``numbers.py``).
"""

import dataclasses
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pages.components.learn.demos import DEMOS, Demo
from pages.components.learn.numbers import filled

FOLDER = Path(__file__).parent / "lessons"

LESSONS = (
    "code",
    "noise",
    "convolution",
    "pooling",
    "skips",
    "training",
    "doubt",
    "photos",
)


class LessonError(ValueError):
    """A lesson that cannot be read; its text says which file and which step."""


@dataclass(frozen=True)
class Step:
    """One thing to see: a text of two or three sentences, a demo, a question."""

    title: str
    text: str
    question: str
    answer: str
    demo: Demo


@dataclass(frozen=True)
class Lesson:
    """A short path; ``short`` is its name in a row of names."""

    name: str
    title: str
    short: str
    claim: str
    source: str
    measured: str
    steps: tuple[Step, ...]


@lru_cache(maxsize=len(LESSONS))
def read_lesson(name: str) -> Lesson:
    """Return one of our lessons, its numbers filled in."""
    return parse_lesson(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def parse_lesson(name: str, text: str) -> Lesson:
    """Read a lesson.

    Raises:
        LessonError: if something is missing, unknown or out of its range, with the place.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"{name}.toml: {error}") from error
    steps = []
    for number, step in enumerate(values.pop("steps", []), 1):
        place = f"{name}.toml, step {number}"
        demo = step.pop("demo", None)
        if not isinstance(demo, dict) or demo.get("kind") not in DEMOS:
            raise LessonError(f"{place}: demo needs a kind of {', '.join(DEMOS)}, got {demo!r}")
        made = _make(DEMOS[demo.pop("kind")], demo, f"{place}, demo")
        steps.append(_make(Step, _filled(step, place) | {"demo": made}, place))
    if len(steps) < 2:
        raise LessonError(f"{name}.toml: a lesson needs two steps or more, got {len(steps)}")
    values = _filled(values, f"{name}.toml") | {"name": name, "steps": tuple(steps)}
    return _make(Lesson, values, f"{name}.toml")


def _make(kind: type[Any], values: dict, place: str) -> Any:
    known = [field.name for field in dataclasses.fields(kind)]
    for given in values:
        if given not in known:
            raise LessonError(f"{place}: unknown {given!r}; known: {', '.join(known)}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise LessonError(f"{place}: {error}") from error


def _filled(values: dict, place: str) -> dict:
    for name, text in values.items():
        if not isinstance(text, str) or not text.strip():
            raise LessonError(f"{place}: {name} must be a text, got {text!r}")
    try:
        return {name: filled(" ".join(text.split())) for name, text in values.items()}
    except ValueError as error:
        raise LessonError(f"{place}: {error}") from error
