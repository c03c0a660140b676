"""What the sections of the Inside page share: digit, noise, network, and what is in the link.

A visitor who comes from the Draw page finds its digit, noise and model here.  What is changed
here changes nothing there.
"""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from imaging.noise import NOISE_KINDS, NoiseKind
from models.catalogue import Card, ModelError
from models.inspection.network import Inside
from models.inspection.window import convolution_layers, pooling_layers
from pages.components import controls, link
from pages.components.cached import get_cards, get_catalogue, get_inside
from pages.components.controls import DIGITS, DRAWING, HIGHEST_SEED
from pages.components.draw_settings import Here, fitting, here_now
from pages.components.inside import settings as inside_links

PREFIX = "inside_"

SCALES = {"unit": "Unit", "layer": "Layer", "global": "Global"}
WINDOWS_OF = {"convolution": convolution_layers, "pooling": pooling_layers}
SKIPS = ("skip_1", "skip_2", "skip_3")
BETWEEN = " "
NONE = "none"


def networks() -> dict[str, Card]:
    """Return the cards of this visitor's digit networks, those that read digits too."""
    return fitting(get_cards()[0])


def card_of(name: str) -> Card:
    """Return the card of the network that a section is about.

    Raises:
        ModelError: if it is not there.
    """
    try:
        return get_catalogue()[0][name]
    except KeyError:
        raise ModelError(f"The model {name} is not there.") from None


def usual_settings() -> dict[str, object]:
    """Return what the controls show to a visitor who has been nowhere else."""
    cards = networks()
    return {
        "inside": "layers",
        "inside_layer": "",
        "inside_scale": "layer",
        "window_kind": "convolution",
        "window_layer": "",
        "window_filter": 8,
        "window_row": 8,
        "window_column": 12,
        "skips_on": list(SKIPS),
        "inside_digit": DIGITS[3],
        "inside_drawing": None,
        "inside_noise": "gaussian",
        "inside_strength": NOISE_KINDS["gaussian"].default,
        "inside_seed": 0,
        "inside_model": next(iter(cards)),
        **inside_links.usual(),
    }


def open_link(sections: Mapping[str, str]) -> None:
    """Start with what the link says, and go along with what has changed on the Draw page."""
    here, again = here_now(get_cards()[0]), link.came_back()
    if again:
        st.session_state.pop("code_of", None)  # The sliders of the code begin with the link too.
    following = {} if again else _following(here)
    parsers = _parsers(sections)
    for problem in link.open_link(parsers, lambda: usual_settings() | following, again):
        st.warning(problem, icon=":material/link_off:")
    if st.session_state.inside_digit == DRAWING and st.session_state.inside_drawing is None:
        st.session_state.inside_digit = usual_settings()["inside_digit"]
    if here != st.session_state.setdefault("inside_here", here):
        st.session_state.update(_following(here))
        st.session_state.inside_here = here


def write_link() -> None:
    """Put what the controls show into the address of the page."""
    usual = usual_settings()
    settings = {name: st.session_state.get(name) for name in usual}
    settings |= dict.fromkeys(_usual_layers(settings))
    if settings["inside_digit"] != DRAWING:
        settings["inside_drawing"] = None
    if settings["inside_drawing"] is not None:
        settings["inside_drawing"] = link.drawing_to_text(settings["inside_drawing"])
    link.write_link(_as_text(settings), _as_text(usual))


def show_reset() -> None:
    """Draw the button that puts everything back."""
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        help="All settings of this page as on arrival.",
        on_click=_reset,
        key="inside_reset",
    )


def pick_section(sections: Mapping[str, str]) -> str:
    """Ask what to look at."""
    return st.pills(
        "Section",
        list(sections),
        format_func=sections.get,
        required=True,
        key="inside",
        persist_state="session",
        label_visibility="collapsed",
        wrap=True,
    )


def pick_digit() -> np.ndarray:
    """Ask for one of our digits or the visitor's drawing; return it as ``(28, 28, 1)``."""
    return controls.pick_digit(PREFIX)


def pick_noisy(clean: np.ndarray) -> tuple[np.ndarray, str]:
    """Ask for a noise; return the digit with it, clipped to [0, 1], and the noise in words."""
    noise_box, seed_box = st.columns([5, 3], gap="medium", vertical_alignment="bottom")
    with noise_box:
        kind, strength = controls.pick_noise(PREFIX)
    with seed_box, st.container(horizontal=True, vertical_alignment="bottom"):
        seed = controls.pick_seed(PREFIX)
    return corrupt(clean, kind, strength, seed), f"{kind.title} noise, strength {strength:g}"


def corrupt(clean: np.ndarray, kind: NoiseKind, strength: float, seed: int) -> np.ndarray:
    """Return the picture with noise, clipped to [0, 1]."""
    return np.clip(kind.corrupt(clean, strength, np.random.default_rng(seed)), 0, 1)


def pick_network(cards: Mapping[str, Card]) -> Card:
    """Ask for a network; return its card."""
    if st.session_state.inside_model not in cards:  # A filter, or a run that was deleted.
        st.session_state.inside_model = next(iter(cards))
    name = st.selectbox(
        "Network",
        list(cards),
        format_func=lambda name: cards[name].title,
        key="inside_model",
        persist_state="session",
    )
    return cards[name]


def usual_layer(network: Inside) -> str:
    """Return the first layer behind an activation; its maps still look like the digit."""
    return next(
        name
        for name, layer in network.layers.items()
        if layer.kind == "ReLU" or layer.activation != "linear"
    )


def _following(here: Here) -> dict[str, object]:
    """The settings that follow the Draw page; a filter there says nothing about networks."""
    model = here.model if here.model in networks() else next(iter(networks()))
    return {
        "inside_digit": here.digit,
        "inside_drawing": here.drawing,
        "inside_noise": here.noise,
        "inside_strength": here.strength,
        "inside_seed": here.seed,
        "inside_model": model,
    }


def _usual_layers(settings: Mapping[str, object]) -> list[str]:
    """Return the choices of a layer that are the usual ones of the chosen network."""
    try:
        network = get_inside(networks()[settings["inside_model"]])
    except (KeyError, ModelError):
        return []
    windows = WINDOWS_OF[settings["window_kind"]](network)
    usual = {"inside_layer": usual_layer(network), "window_layer": next(iter(windows), "")}
    return [key for key, name in usual.items() if settings[key] == name]


def _parsers(sections: Mapping[str, str]) -> dict[str, link.Parser]:
    return {
        "inside": link.one_of("section", sections),
        "inside_model": link.one_of("network", networks()),
        "inside_layer": _parse_layer,
        "inside_scale": link.one_of("scale", SCALES),
        "window_kind": link.one_of("kind of window", WINDOWS_OF),
        "window_layer": _parse_layer,
        "window_filter": link.number("filter", 1, 10_000, int),
        "window_row": link.number("row", 1, 28, int),
        "window_column": link.number("column", 1, 28, int),
        "skips_on": _parse_skips,
        "inside_noise": link.one_of("noise", NOISE_KINDS),
        "inside_strength": _parse_strength,
        "inside_seed": link.number("seed", 0, HIGHEST_SEED, int),
        "inside_digit": link.one_of("digit", [DRAWING, *DIGITS]),
        "inside_drawing": link.drawing,
        **inside_links.parsers(),
    }


def _parse_layer(text: str) -> str:
    try:
        network = get_inside(networks()[st.session_state.inside_model])  # Read just before.
    except ModelError:  # The section that opens it says so.
        return text
    return link.one_of("layer", network.layers)(text)


def _parse_strength(text: str) -> float:
    kind = NOISE_KINDS[st.session_state.inside_noise]  # Read from the link just before.
    return link.number("strength", kind.low, kind.high)(text)


def _parse_skips(text: str) -> list[str]:
    if text == NONE:
        return []
    parse = link.one_of("skip connection", list(SKIPS))
    return [parse(name) for name in text.split(BETWEEN)]


def _as_text(settings: Mapping[str, object]) -> dict[str, object]:
    """Write choices of several as a link carries them."""
    return {
        name: (BETWEEN.join(sorted(value)) or NONE) if isinstance(value, list) else value
        for name, value in settings.items()
    }


def _reset() -> None:
    section = st.session_state.inside
    st.session_state.update(usual_settings() | {"inside": section})
