"""What the Draw page is set to: Compare and Inside begin with it, and go along when it changes.

What is changed there changes nothing on the Draw page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from imaging.digit_fit import SIDE
from imaging.noise import NOISE_KINDS
from imaging.samples.strokes import FIRST
from models.catalogue import Card
from models.methods import method_names
from models.tasks.denoise_digits import TASK
from pages.components import link
from pages.components.cached import first_for_all
from pages.components.controls import DIGITS, DRAWING
from pages.components.settings import Setting, open_link, show_problems


@dataclass(frozen=True)
class DrawSettings:
    """Noise, strength and seed of the Draw page, its model and its digit."""

    noise: str
    strength: float
    seed: int
    model: str
    digit: str
    drawing: np.ndarray | None

    def __eq__(self, other: object) -> bool:
        """Compare the drawing by its pixels."""
        return isinstance(other, DrawSettings) and self._key() == other._key()

    __hash__ = None

    def _key(self) -> tuple:
        pixels = None if self.drawing is None else self.drawing.tobytes()
        return self.noise, self.strength, self.seed, self.model, self.digit, pixels


def draw_settings(cards: Mapping[str, Card]) -> DrawSettings:
    """Return what the Draw page is set to, or would be on arrival."""
    state, default = st.session_state, on_arrival(cards)
    drawing, start = state.get("draw_drawing"), state.get("draw_start")
    digit = start if start in DIGITS else default.digit
    return DrawSettings(
        state.get("draw_noise", default.noise),
        state.get("draw_strength", default.strength),
        state.get("draw_seed", default.seed),
        state.get("draw_model", default.model),
        digit if drawing is None else DRAWING,
        drawing,
    )


def open_link_and_follow(
    settings: Sequence[Setting],
    prefix: str,
    cards: Mapping[str, Card],
    follow: Callable[[DrawSettings], Mapping[str, Any]],
) -> None:
    """Start a page with what its link says, else with what ``follow`` takes from the Draw page.

    Says what of the link makes no sense.  What has changed on the Draw page since is taken over.
    """
    state, there, again = st.session_state, draw_settings(cards), link.is_history_navigation()
    show_problems(open_link(settings, {} if again else follow(there), again))
    if state[f"{prefix}digit"] == DRAWING and state[f"{prefix}drawing"] is None:
        state[f"{prefix}digit"] = FIRST
    if there != state.setdefault(f"{prefix}followed", there):
        state.update(follow(there))
        state[f"{prefix}followed"] = there


def fitting(cards: Mapping[str, Card]) -> dict[str, Card]:
    """Return the cards of the models for grey pictures of 28 by 28 pixels."""
    return {name: card for name, card in cards.items() if (card.size, card.channels) == (SIDE, 1)}


def on_arrival(cards: Mapping[str, Card]) -> DrawSettings:
    """Return where the Draw page begins."""
    noise = NOISE_KINDS["gaussian"]
    return DrawSettings(
        noise.name, noise.default, 0, first_for_all(method_names(TASK, cards)), FIRST, None
    )
