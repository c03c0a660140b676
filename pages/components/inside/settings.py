"""The settings of the Inside page, whose digit, noise and network follow the Draw page."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from imaging.digit_fit import SIDE
from imaging.noise import NOISE_KINDS
from models.catalogue import ModelError
from models.inspection.network import OpenedNetwork
from models.studies.autoencoders import WIDTHS
from pages.components import link, widgets
from pages.components import settings as page_settings
from pages.components.cached import first_for_all, get_cards, get_inside
from pages.components.controls import DIGITS, digit_settings, noise_settings
from pages.components.draw_settings import DrawSettings, open_link_and_follow
from pages.components.inside.shared import (
    MOST,
    PREFIX,
    SCALES,
    SKIPS,
    WINDOWS_OF,
    default_layer,
    networks,
)
from pages.components.settings import Setting

# What there is to see, in this order.
SECTIONS = {
    "layers": "Layers",
    "window": "One window",
    "skips": "Skip connections",
    "checkerboard": "Checkerboard",
    "code": "The code",
    "pca": "PCA",
    "order": "Order of pixels",
    "anomaly": "Anomaly",
}
NUMBERS = 10  # of the code
HIGHEST = 100  # No digit's code has a number as large.
BETWEEN = "_"
NONE = "none"
MAPS = {"tsne": "t-SNE", "pca": "PCA"}
PICTURES = {
    "digit": "This digit",
    "letter-a": "A",
    "letter-k": "K",
    "letter-r": "R",
    "smiley": "Smiley",
    "shirt": "Shirt",
    "boot": "Boot",
    "cat": "Cat",
    "noise": "Noise",
}
KINDS = {"letters": "Letters", "clothes": "Clothes", "noise": "Noise", "drawn": "Drawn digits"}
DETECTORS = {
    **{f"dense-{width}": f"Autoencoder, {width} hidden units" for width in WIDTHS},
    "conv-reconstruct": "Convolutional autoencoder",
    "brightness": "Brightness alone, no network",
}
FALSE_ALARMS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def settings() -> list[Setting]:
    """Return the settings of the page."""
    cards = networks()
    strength = NOISE_KINDS["gaussian"].default
    return [
        Setting("inside", "layers", link.one_of("section", SECTIONS)),
        Setting("inside_model", first_for_all(list(cards)), link.one_of("network", cards)),
        Setting("inside_layer", "", _parse_layer, counts=_layer_counts),
        Setting("inside_scale", "layer", link.one_of("scale", SCALES)),
        Setting("inside_all", False, link.truth("all maps")),
        Setting("window_kind", "convolution", link.one_of("kind of window", WINDOWS_OF)),
        Setting("window_layer", "", _parse_layer, counts=_window_counts),
        Setting("window_filter", 8, link.number("filter", 1, 10_000, int)),
        Setting("window_row", 8, link.number("row", 1, SIDE, int)),
        Setting("window_column", 12, link.number("column", 1, SIDE, int)),
        Setting("window_source", MOST, _parse_source, _source_to_text),
        Setting("window_noisy", False, link.truth("noise")),
        Setting("skips_on", list(SKIPS), _parse_skips, _skips_to_text),
        *noise_settings(PREFIX, PREFIX, strength),
        *digit_settings(PREFIX),
        Setting("code_values", None, _parse_code),
        Setting("code_goal", "4", link.one_of("digit to walk to", DIGITS)),
        Setting("code_map", "tsne", link.one_of("map", MAPS)),
        Setting("pca_width", 8, link.one_of_numbers("number of components", WIDTHS)),
        Setting("anomaly_picture", "cat", link.one_of("picture", PICTURES)),
        Setting("anomaly_detector", "dense-16", link.one_of("detector", DETECTORS)),
        Setting("anomaly_kind", "letters", link.one_of("kind of picture", KINDS)),
        Setting(
            "anomaly_allowed",
            0.05,
            link.one_of_numbers("share of false alarms", FALSE_ALARMS),
        ),
    ]


def open_link() -> None:
    """Start with what the link says, and go along with what has changed on the Draw page."""
    if link.is_history_navigation():
        _begin_anew()
    open_link_and_follow(settings(), PREFIX, get_cards()[0], _follow)


def write_link() -> None:
    """Put what the controls show into the address of the page; every section does it last."""
    page_settings.write_link(settings())


def show_reset() -> None:
    """Draw the button that puts everything back."""
    widgets.reset_button(_reset, help="Resets all settings of this page.", key="inside_reset")


def code_to_text(code: Sequence[float]) -> str:
    """Return a code as the link carries it, to tenths."""
    return BETWEEN.join(f"{value:.1f}" for value in code)


def code_from_text(text: str) -> list[float]:
    """Return the code that ``code_to_text`` wrote; raise ``ValueError`` where it is none."""
    code = [float(value) for value in text.split(BETWEEN)]
    if len(code) != NUMBERS or not all(abs(value) < HIGHEST for value in code):
        raise ValueError(f"a code is {NUMBERS} numbers below {HIGHEST}, got {text!r}")
    return code


def _parse_code(text: str) -> str:
    try:
        return code_to_text(code_from_text(text))
    except ValueError as error:
        raise ValueError(
            f"The link asks for the code {link.quoted(text)}, but a code is {NUMBERS} numbers. "
            "The digit's own is shown instead."
        ) from error


def _parse_layer(text: str) -> str:
    try:
        network = get_inside(networks()[st.session_state.inside_model])  # Read just before.
    except ModelError:  # The section that opens it says so.
        return text
    return link.one_of("layer", network.layers)(text)


def _parse_source(text: str) -> str | int:
    return MOST if text == MOST else link.number("map that comes in", 1, 10_000, int)(text) - 1


def _source_to_text(source: str | int) -> str:
    return MOST if isinstance(source, str) else str(source + 1)


def _parse_skips(text: str) -> list[str]:
    return [] if text == NONE else _parse_some_skips(text)


_parse_some_skips = link.several(link.one_of("skip connection", SKIPS), " ")


def _skips_to_text(names: list[str]) -> str:
    return " ".join(sorted(names)) or NONE


def _layer_counts(values: Mapping[str, Any]) -> bool:
    network = _network(values)
    return network is None or values["inside_layer"] != default_layer(network)


def _window_counts(values: Mapping[str, Any]) -> bool:
    network = _network(values)
    if network is None:
        return True
    return values["window_layer"] != next(iter(WINDOWS_OF[values["window_kind"]](network)), "")


def _network(values: Mapping[str, Any]) -> OpenedNetwork | None:
    """The chosen network, None where it cannot be opened."""
    try:
        return get_inside(networks()[values["inside_model"]])
    except (KeyError, ModelError):
        return None


def _follow(there: DrawSettings) -> dict[str, Any]:
    """The settings that follow the Draw page; a filter there says nothing about networks."""
    cards = networks()
    return {
        "inside_digit": there.digit,
        "inside_drawing": there.drawing,
        "inside_noise": there.noise,
        "inside_strength": there.strength,
        "inside_seed": there.seed,
        "inside_model": there.model if there.model in cards else next(iter(cards)),
    }


def _begin_anew() -> None:
    """Forget of what digit the code is, and of what size the map with the window: as in a link."""
    for key in ("code_of", "window_row_of", "window_column_of"):
        st.session_state.pop(key, None)


def _reset() -> None:
    section = st.session_state.inside
    _begin_anew()
    page_settings.reset(settings())
    st.session_state.inside = section
