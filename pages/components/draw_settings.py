"""Where a visitor is on the Draw page: what Compare and Inside follow."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from imaging.noise import NOISE_KINDS
from imaging.strokes import FIRST
from models.catalogue import Card
from pages.components.controls import DIGITS, DRAWING
from pages.components.methods import method_names

SIDE = 28


@dataclass(frozen=True)
class Here:
    """Where the visitor is on the Draw page: its noise and strength, its model and digit."""

    noise: str
    strength: float
    seed: int
    model: str
    digit: str
    drawing: np.ndarray | None

    def __eq__(self, other: object) -> bool:
        """Compare the drawing by its pixels."""
        return isinstance(other, Here) and self._key() == other._key()

    __hash__ = None

    def _key(self) -> tuple:
        pixels = None if self.drawing is None else self.drawing.tobytes()
        return self.noise, self.strength, self.seed, self.model, self.digit, pixels


def here_now(cards: Mapping[str, Card]) -> Here:
    """Return where the visitor is on the Draw page, or would be on arriving there."""
    state, there = st.session_state, arrival(cards)
    drawing, start = state.get("drawing"), state.get("start")
    digit = start if start in DIGITS else there.digit
    return Here(
        state.get("noise", there.noise),
        state.get("strength", there.strength),
        state.get("seed", there.seed),
        state.get("model", there.model),
        digit if drawing is None else DRAWING,
        drawing,
    )


def fitting(cards: Mapping[str, Card]) -> dict[str, Card]:
    """Return the cards of the models for grey pictures of 28 by 28 pixels."""
    return {name: card for name, card in cards.items() if (card.size, card.channels) == (SIDE, 1)}


def arrival(cards: Mapping[str, Card]) -> Here:
    """Return where the Draw page begins."""
    noise = NOISE_KINDS["gaussian"]
    return Here(noise.name, noise.default, 0, method_names(dict(cards))[0], FIRST, None)
