"""Says what the browser needs to follow a slider itself, between two answers of the server.

Pictures are ``(H, W, C)``, ``float32`` in [0, 1].
"""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from scipy.special import ndtr

from imaging.noise import NoiseKind
from models.catalogue import PRETRAINED, Card
from models.live import STATIC, packed_name
from pages.components.cached import get_packed
from pages.components.component import loader
from pages.components.viewer import Preview

_follow = st.components.v2.component(
    "denoise_lab_follow", html="<span hidden></span>", js=loader("live/follow.js")
)


def preview_noise(
    slider: str,
    kind: NoiseKind,
    strength: float,
    seed: int,
    shape: tuple[int, ...],
    card: Card | None,
    reader: Card | None,
) -> Preview | None:
    """Return what previews noise and answer while the slider with this key moves.

    None where the browser cannot: a classical filter, or a network or noise that it does not know.
    ``shape`` is that of the picture; ``reader`` is the digit reader, None if there is none.
    """
    if card is None or kind.pattern is None:
        return None
    numbers = kind.pattern(shape, np.random.default_rng(seed))
    parts = {"numbers": numbers}
    if kind.quantiles:
        parts["quantiles"] = ndtr(numbers.astype(np.float64))
    network = _address(card)
    if network is None:
        packed = get_packed(card)
        if packed is None:
            return None
        parts["network"] = packed
    about = {
        "how": "digits",
        "sliders": {"strength": _slider(slider, strength)},
        "kind": kind.name,
        "network": network or packed_name(card),
        "reader": reader and _address(reader),
    }
    return Preview(about, parts)


def preview_blend(
    denoised: np.ndarray, brightness: float, colour: float, gain: float | None
) -> Preview:
    """Return what blends a photo while its two sliders of strength move.

    ``denoised`` are the pixels, uint8, of the photo at full strength.  ``gain`` is that of the
    picture called Removed, None where there is none.
    """
    sliders = {"brightness": _slider("photo_brightness", 100 * brightness)}
    if denoised.shape[2] == 3:
        sliders["colour"] = _slider("photo_colour", 100 * colour)
    return Preview({"how": "photos", "sliders": sliders, "gain": gain}, {"denoised": denoised})


def follow_code(
    sliders: Mapping[str, float], place: str, card: Card, code: str, reader: Card | None
) -> None:
    """Let the browser decode the numbers on these sliders, by key, while one is dragged.

    ``place`` is the CSS selector of the gallery's item that shows the answer, ``code`` the layer
    that the numbers are put in place of.  It shows nothing itself.
    """
    network = _address(card)
    if network is None:
        return
    data = {
        "how": "code",
        "sliders": {key: _slider(key, value) for key, value in sliders.items()},
        "places": {"Decoded": place},
        "title": "Decoded",
        "side": card.size,
        "network": network,
        "start": code,
        "reader": reader and _address(reader),
        "parts": [],
    }
    _follow(key=f"{code}_live", data=data, on_blocked_change=lambda: None)


def _slider(key: str, value: float) -> dict:
    """Return where a slider is found on the page, and what it said to the server."""
    return {"around": f".st-key-{key}", "value": round(value, 6)}


def _address(card: Card) -> str | None:
    """Return the name of the file of a network of the catalogue, None for a visitor's own.

    What a visitor trained is theirs alone: it is sent to them, never put where others could load
    it.
    """
    name = packed_name(card)
    ours = card.folder.parent == PRETRAINED and (STATIC / name).is_file()
    return name if ours else None
