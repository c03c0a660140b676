"""Says what the browser needs to follow a slider itself, between two answers of the server.

Pictures are ``(H, W, C)``, ``float32`` in [0, 1].
"""

import base64
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from scipy.special import ndtr

from imaging.noise import NoiseKind
from imaging.pixels import to_pixels
from models.catalogue import PRETRAINED, Card
from models.inspection.network import OpenedNetwork
from models.live import HALF_ABOVE, STATIC, packed_name, step_names
from pages.components.cached import get_packed
from pages.components.component import is_blocked, loader, note_blocked
from pages.components.controls import Noisy
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
    parts = _pattern(kind, seed, shape)
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


def follow_layer(
    noisy: Noisy,
    card: Card,
    network: OpenedNetwork,
    layer: str,
    scale: str,
    looked_at: Sequence[str],
    shown: Sequence[int],
    gallery: str,
) -> None:
    """Let the browser draw a layer's maps itself while the strength of the noise is dragged.

    ``looked_at`` are the layers besides that the ``scale`` depends on, ``shown`` the numbers of the
    maps in the order in which they stand in the ``gallery``, a CSS selector.
    """
    if not {layer, *looked_at} <= step_names(network):
        return
    height, width, _ = network.layers[layer].shape
    about = {
        "how": "layers",
        "layer": layer,
        "scale": scale,
        "stored": list(looked_at),
        "shown": list(shown),
        "places": {
            str(channel): f"{gallery} > :nth-child({place})"
            for place, channel in enumerate(shown, start=1)
        },
        # As ``beside`` of pages/components/inside/layers.py puts them.
        "width": 2 * width + max(1, height // 14),
        "height": height,
        "tolerance": 1 if card.parameters <= HALF_ABOVE else 3,
    }
    _follow_noise("layer_live", about, noisy, card)


def follow_skips(
    noisy: Noisy, card: Card, switches: Mapping[str, tuple[str, bool]], gallery: str
) -> None:
    """Let the browser run a U-Net while the strength of the noise or a switch is moved.

    ``switches`` are keys and values of the switches of the skip connections; ``gallery`` is the CSS
    selector of five pictures: original, noisy, as trained, with the settings, what is left.
    """
    titles = ("Noisy", "As trained", "With your settings", "Residual")
    about = {
        "how": "skips",
        "sliders": {name: _slider(key, float(on)) for name, (key, on) in switches.items()},
        "places": {
            title: f"{gallery} > :nth-child({place})" for place, title in enumerate(titles, start=2)
        },
        "width": card.size,
        "height": card.size,
    }
    _follow_noise("skips_live", about, noisy, card)


def _follow_noise(key: str, about: dict, noisy: Noisy, card: Card) -> None:
    """Mount what follows the sliders; nothing where the browser lacks the network or the noise."""
    network = _address(card)
    if network is None or noisy.kind.pattern is None:
        return
    clean = to_pixels(noisy.clean)
    parts = {"original": clean, **_pattern(noisy.kind, noisy.seed, clean.shape)}
    strength = {"strength": _slider(noisy.slider, noisy.strength)}
    data = about | {
        "sliders": strength | about.get("sliders", {}),
        "kind": noisy.kind.name,
        "network": network,
        "parts": [
            {
                "name": name,
                "type": values.dtype.name,
                "content": base64.b64encode(values.tobytes()).decode(),
            }
            for name, values in parts.items()
        ],
    }
    _mount(key, data)


def _pattern(kind: NoiseKind, seed: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return the random numbers behind a noise, as the browser needs them."""
    assert kind.pattern is not None
    numbers = kind.pattern(shape, np.random.default_rng(seed))
    parts = {"numbers": numbers}
    if kind.quantiles:
        parts["quantiles"] = ndtr(numbers.astype(np.float64))
    return parts


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
        "width": card.size,
        "height": card.size,
        "network": network,
        "start": code,
        "reader": reader and _address(reader),
        "parts": [],
    }
    _mount(f"{code}_live", data)


def _mount(key: str, data: dict) -> None:
    if not is_blocked():  # Or there is no preview, and nobody to ask again.
        _follow(key=key, data=data, on_blocked_change=note_blocked)


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
