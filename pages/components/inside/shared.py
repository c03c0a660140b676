"""What the sections of the Inside page share: digit, noise and network.

Digits are ``(28, 28, 1)``, ``float32`` in [0, 1].
"""

from collections.abc import Mapping

import altair as alt
import numpy as np
import streamlit as st

from imaging.noise import NoiseKind
from models.catalogue import Card
from models.inspection.network import OpenedNetwork
from models.inspection.window import convolution_layers, pooling_layers
from pages.components import controls, widgets
from pages.components.cached import get_cards
from pages.components.controls import Noisy, keep_valid_for_now
from pages.components.draw_settings import fitting
from pages.components.methods import unlike_each

PREFIX = "inside_"

SCALES = {"unit": "Unit", "layer": "Layer", "global": "Global"}
WINDOWS_OF = {"convolution": convolution_layers, "pooling": pooling_layers}
SKIPS = ("skip_1", "skip_2", "skip_3")
PSNR_AND_READ = (  # Of charts of what was measured.
    alt.Tooltip("psnr:Q", title="PSNR (dB)", format=".2f"),
    alt.Tooltip("read:Q", title="digits read", format=".1%"),
)
MOST = "most"  # Of the maps that come into a window: the one that matters most there.


def networks() -> dict[str, Card]:
    """Return the cards of this visitor's digit networks, those that read digits too."""
    return fitting(get_cards()[0])


def pick_section(sections: Mapping[str, str]) -> str:
    """Ask what to look at."""
    return widgets.chips("Section", sections, "inside")


def pick_digit() -> np.ndarray:
    """Ask for one of our digits or the visitor's drawing; return it as ``(28, 28, 1)``."""
    return controls.pick_digit(PREFIX)


def pick_noisy(clean: np.ndarray) -> Noisy:
    """Ask for a noise; return the digit with it."""
    noise_box, seed_box = st.columns([5, 3], gap="medium", vertical_alignment="bottom")
    with noise_box:
        kind, strength = controls.pick_noise(PREFIX)
    with seed_box, st.container(horizontal=True, vertical_alignment="bottom"):
        seed = controls.pick_seed(PREFIX)
    noisy = corrupt(clean, kind, strength, seed)
    return Noisy(clean, noisy, kind, strength, seed, f"{PREFIX}strength")


def corrupt(clean: np.ndarray, kind: NoiseKind, strength: float, seed: int) -> np.ndarray:
    """Return the picture with noise, clipped to [0, 1]."""
    return np.clip(kind.corrupt(clean, strength, np.random.default_rng(seed)), 0, 1)


def pick_network(cards: Mapping[str, Card]) -> Card:
    """Ask for a network; return its card."""
    # Not a filter, a run that was deleted, or one that the section has nothing to show of.
    keep_valid_for_now("inside_model", list(cards))
    titles = unlike_each({name: card.title_in_lists for name, card in cards.items()})
    name = widgets.by_title(widgets.selectbox, "Network", titles, "inside_model")
    return cards[name]


def default_layer(network: OpenedNetwork) -> str:
    """Return the first layer behind an activation; its maps still look like the digit.

    A network that has none begins with its answer.
    """
    activated = (
        name
        for name, layer in network.layers.items()
        if layer.kind == "ReLU" or layer.activation != "linear"
    )
    return next(activated, next(reversed(network.layers)))
