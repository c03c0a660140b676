"""The settings of the Photo page."""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from imaging.noise import PHOTO_NOISE_KINDS, NoiseKind
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import Card
from models.methods import method_names
from models.tasks.denoise_photos import TASK
from pages.components import link
from pages.components import settings as page_settings
from pages.components.controls import HIGHEST_SEED
from pages.components.photo.source import SOURCES
from pages.components.settings import Setting

HIGHEST_LEVEL = 75.0
TASKS = {"noisy": "It is already noisy", "add": "Add noise to it"}


def settings(cards: dict[str, Card]) -> list[Setting]:
    """Return the settings of the page."""
    methods = method_names(TASK, cards)
    return [
        Setting("photo_source", "sample", link.one_of("source", SOURCES)),
        Setting(
            "photo_sample",
            "cat",
            link.one_of("sample", PHOTO_SAMPLES),
            counts=lambda values: values["photo_source"] == "sample",  # No upload is in a link.
        ),
        Setting(
            "photo_shown",
            None,
            _parse_shown,
            counts=lambda values: values["photo_source"] != "sample",
        ),
        Setting("photo_task", "add", link.one_of("task", TASKS)),
        Setting(
            "photo_noise", "gaussian", link.one_of("noise", PHOTO_NOISE_KINDS), counts=_adds_noise
        ),
        Setting("photo_strength", default_strength, _parse_strength, counts=_adds_noise),
        Setting("photo_seed", 0, link.number("seed", 0, HIGHEST_SEED, int), counts=_adds_noise),
        Setting("photo_method", methods[0], link.one_of("method", methods)),
        Setting(
            "photo_careful",
            False,
            link.truth("careful"),
            counts=lambda values: values["photo_method"] in cards,
        ),
        Setting("photo_own_level", False, link.truth("own level")),
        Setting(
            "photo_level",
            25.0,
            link.number("noise level", 0, HIGHEST_LEVEL),
            counts=lambda values: values["photo_own_level"],
        ),
        Setting("photo_brightness", 100, link.number("denoising of brightness", 0, 100, int)),
        Setting("photo_colour", 100, link.number("denoising of colour", 0, 100, int)),
    ]


def open_link(table: list[Setting]) -> None:
    """Start with what the link says, and say what of it makes no sense."""
    problems = page_settings.open_link(table, again=link.is_history_navigation())
    page_settings.show_until_answered("photo", problems)


def _adds_noise(values: Mapping[str, Any]) -> bool:
    return values["photo_task"] == "add"


def default_strength() -> float:
    """Return the default strength of the chosen noise, as the page shows it."""
    kind = _chosen_noise()
    return float(round(kind.default * kind.shown_per_unit, 6))


def _chosen_noise() -> NoiseKind:
    # A browser can be made to send one that there is not: that is put right at the next run.
    return PHOTO_NOISE_KINDS.get(st.session_state.photo_noise, PHOTO_NOISE_KINDS["gaussian"])


def _parse_strength(text: str) -> float:
    kind = _chosen_noise()  # Read from the link just before.
    return link.number("strength", kind.low, kind.high * kind.shown_per_unit)(text)


def _parse_shown(text: str) -> str | None:
    """Which of one's own pictures is shown: for Back, and without a meaning to others."""
    return text if re.fullmatch("[0-9a-f]{16}", text) else None
