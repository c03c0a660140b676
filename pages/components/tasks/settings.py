"""The settings of the page of more jobs."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from models.tasks.contract import Task
from pages.components import link
from pages.components import settings as page_settings
from pages.components.controls import HIGHEST_SEED
from pages.components.settings import Setting
from pages.components.tasks.audio import NO_NOISE, SOUND_SOURCES
from pages.components.tasks.given import sample_key
from pages.components.tasks.hint_pad import (
    Dots,
    dots_from_text,
    dots_key,
    dots_to_text,
    forget_hints,
)
from pages.components.tasks.job import shown_tasks
from pages.components.tasks.skips import MOST
from pages.components.tasks.sources import SOURCES


def settings() -> list[Setting]:
    """Return the settings of the page."""
    tasks = shown_tasks()
    first = next(iter(tasks))
    sounds = [task for task in tasks.values() if task.input.kind == "audio"]
    noises = [NO_NOISE, *(name for task in sounds for name in task.degradations)]
    return [
        Setting("task", first, link.one_of("job", tasks)),
        Setting("tasks_source", "sample", link.one_of("source", SOURCES), name="source"),
        *(setting for name, task in tasks.items() for setting in _of_task(name, task)),
        Setting("tasks_sound", "sample", link.one_of("source", SOUND_SOURCES), name="sound"),
        Setting("tasks_noise", NO_NOISE, link.one_of("noise", noises), name="noise"),
        Setting("tasks_loudness", 50, link.number("loudness", 0, 150, int), name="loudness"),
        Setting("tasks_noise_seed", 0, link.number("seed", 0, HIGHEST_SEED, int), name="seed"),
        Setting("tasks_strength", 40, link.number("colour", 0, 100, int), name="colour"),
        Setting("tasks_contour", True, link.truth("contour"), name="contour"),
    ]


def reset(table: list[Setting]) -> None:
    """Put all controls back to where they were on arrival, and stay with the job; a callback."""
    page_settings.reset([setting for setting in table if setting.key != "task"])
    forget_hints()


def _of_task(name: str, task: Task) -> list[Setting]:
    """The settings that a task has for itself, which count while it is shown."""
    sample = Setting(
        f"tasks_sample_{name}",
        next(iter(task.samples)),
        link.one_of("sample", task.samples),
        counts=_shows(name, "tasks_sound" if task.input.kind == "audio" else "tasks_source"),
        name=f"{name}-sample",
    )
    hints = []
    if hint := task.hint:
        low, default, high = (
            value * hint.shown_per_unit for value in (hint.low, hint.default, hint.high)
        )
        hints.append(
            Setting(
                f"tasks_hint_{name}",
                default,
                link.number(hint.title.lower(), low, high),
                counts=_shows(name),
                text=lambda value: f"{value:g}",
                name=f"{name}-{hint.name}",
            )
        )
    if "hints" in task.inputs:
        hints.append(_dots(name, sample.key))
    touches = [
        Setting(
            f"tasks_touch_{name}_{touch}",
            False,
            link.truth(touch),
            counts=_shows(name),
            name=f"{name}-{touch}",
        )
        for touch in task.touches
    ]
    cut = Setting(
        f"tasks_cut_{name}",
        [],
        _parse_skips,
        " ".join,
        counts=_shows(name),
        name=f"{name}-without",
    )
    return [sample, *hints, *touches, cut]


def _dots(name: str, sample: str) -> Setting:
    """The hints that were clicked on all pictures; a link has those of the sample shown."""

    def shown() -> str:
        return sample_key(name, st.session_state[sample])

    def text(dots: Dots) -> str:
        return dots_to_text(dots.get(shown(), ()))

    return Setting(
        dots_key(name),
        dict,
        lambda given: {shown(): dots_from_text(given)},
        text,
        counts=_shows(name, "tasks_source"),
        name=f"{name}-hints",
    )


def _shows(name: str, source: str = "") -> Callable[[Mapping[str, Any]], bool]:
    """Whether a task is shown; with the key of a ``source``, whether it is shown a sample."""

    def counts(values: Mapping[str, Any]) -> bool:
        return values["task"] == name and (not source or values[source] == "sample")

    return counts


_skips = [f"skip_{number}" for number in range(1, MOST + 1)]
_parse_skips = link.several(link.one_of("skip connection", _skips), " ")
