"""Controls that several pages have: each asks the visitor and returns a plain value.

Their keys begin with the ``prefix`` of the page, whose table of settings has filled them before.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from imaging.digit_fit import fit_drawing
from imaging.noise import NOISE_KINDS, NoiseKind
from imaging.pixels import to_image, to_pixels
from imaging.samples.strokes import FIRST, PEN, render
from models.catalogue import Card
from models.methods import method_names, title_in_lists
from models.tasks.denoise_digits import TASK
from pages.components import link, widgets
from pages.components.methods import unlike_each
from pages.components.settings import Setting, gave_way

HIGHEST_SEED = 9999
DIGITS = [*"0123456789"]
DRAWING = "drawing"
FINE = 0.01  # A step of the strength: small enough to be dragged smoothly.
RENDERED = 280  # Pixels to a side of a ready digit, before it is fitted.


def pick_digit(prefix: str) -> np.ndarray:
    """Ask for a ready digit or the visitor's drawing; return it as ``(28, 28, 1)``."""
    drawing = st.session_state[f"{prefix}drawing"]
    options = DIGITS if drawing is None else [DRAWING, *DIGITS]
    keep_valid(f"{prefix}digit", options)
    name = widgets.pills(
        "Digit",
        options,
        format_func=lambda name: "Your drawing" if name == DRAWING else name,
        key=f"{prefix}digit",
        wrap=True,
        help="A digit that you draw on the Draw page appears here.",
    )
    return drawing if name == DRAWING else ready_digit(name)


@lru_cache(maxsize=100)
def ready_digit(name: str, pen: float = PEN) -> np.ndarray:
    """Return one of our digits, "0" to "9", as ``(28, 28, 1)``; ``pen`` is a share of the side.

    It has 256 greys, as the browser gets it: finer ones would get other noise there.  It is drawn
    once for all visitors: do not write to it.
    """
    digit = to_image(to_pixels(fit_drawing(render(name, RENDERED, RENDERED * pen))))
    digit.flags.writeable = False
    return digit


@dataclass(frozen=True)
class Noisy:
    """A digit ``picture`` with noise, clipped to [0, 1], what it was made of, and its slider."""

    clean: np.ndarray
    picture: np.ndarray
    kind: NoiseKind
    strength: float
    seed: int
    slider: str

    @property
    def words(self) -> str:
        """Return the noise as the middle of a sentence."""
        return f"{self.kind.title} noise, strength {self.strength:g}"


def pick_noise(prefix: str) -> tuple[NoiseKind, float]:
    """Ask for a kind of noise and its strength."""
    kind_box, strength_box = st.columns([2, 3], gap="medium")
    with kind_box:
        name = widgets.by_title(
            widgets.selectbox,
            "Noise",
            widgets.titles_of(NOISE_KINDS),
            key=f"{prefix}noise",
            on_change=to_default_strength,
            args=(prefix,),
        )
    kind = NOISE_KINDS[name]
    with strength_box:
        strength = widgets.slider(
            f"Strength ({kind.unit})",
            kind.low,
            kind.high,
            step=FINE,
            # It can be moved while another noise is on its way, which has less.
            key=keep_within(f"{prefix}strength", kind.low, kind.high),
            help=kind.description,
        )
    return kind, strength


def pick_seed(prefix: str) -> int:
    """Ask for the number behind the noise."""
    seed = widgets.number_input(
        "Seed",
        0,
        HIGHEST_SEED,
        step=1,
        key=f"{prefix}seed",
        width=130,
        help="The same seed always gives the same noise.",
    )
    st.button(
        "New noise",
        help="Draws the noise again at the same strength.",
        on_click=to_new_seed,
        args=(prefix,),
        key=f"{prefix}new_noise",
    )
    return seed


def pick_method(cards: dict[str, Card], prefix: str) -> str:
    """Ask for a way to denoise; return the name of a model or of a classical filter."""
    names = method_names(TASK, cards)
    keep_valid(f"{prefix}model", names)  # Its run was deleted, or its card got lost.
    return widgets.selectbox(
        "Denoise with",
        names,
        format_func=unlike_each({name: title_in_lists(TASK, name, cards) for name in names}).get,
        key=f"{prefix}model",
    )


def pick_skips(
    titles: Mapping[str, str], off: Collection[str], key: str, on_change: Callable[[], None]
) -> list[str]:
    """Ask which skip connections are to be on; return their names.

    ``titles`` says of each, the finest first, at what size it is.  ``off`` are those that are off
    until ``on_change``, a callback, takes what the switches say, under ``{key}_{name}``.
    """
    on = []
    with st.container(horizontal=True, gap="medium"):
        for name, title in titles.items():
            switch = f"{key}_{name}"
            st.session_state[switch] = name not in off
            if st.toggle(
                title,
                key=switch,
                on_change=on_change,
                help=f"The maps of {title.split(',')[0]} that bypass the middle.",
            ):
                on.append(name)
    return on


def keep_valid(key: str, options: Sequence[object], default: object = None) -> object:
    """Return a setting; one that is no longer an option becomes the default, or the first."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if default is None else default
    return st.session_state[key]


def keep_within(key: str, low: float, high: float) -> str:
    """Keep a number of the session between two others; return its key."""
    said = st.session_state[key]
    if said is not None and not low <= said <= high:
        st.session_state[key] = min(max(said, low), high)
    return key


def keep_valid_for_now(
    key: str, options: Sequence[Any], nearest: Callable[[Any], Any] | None = None
) -> Any:
    """Return a setting as ``keep_valid`` does; what gave way comes back where it is an option.

    ``nearest`` finds the option for one that is none, by default the first.
    """
    wanted, instead = st.session_state.get(gave_way(key), (None, None))
    if wanted is None or st.session_state[key] != instead:
        wanted = st.session_state[key]  # The visitor's own choice.
    chosen = wanted
    if wanted not in options:
        chosen = options[0] if nearest is None else nearest(wanted)
    st.session_state[key] = chosen
    st.session_state[gave_way(key)] = (wanted, chosen) if chosen != wanted else (None, None)
    return chosen


def to_new_seed(prefix: str) -> None:
    """Draw another random seed; a callback."""
    st.session_state[f"{prefix}seed"] = random.randrange(1, HIGHEST_SEED + 1)


def to_default_strength(prefix: str) -> None:
    """Set the strength to the default of the chosen noise; a callback."""
    st.session_state[f"{prefix}strength"] = chosen_noise(prefix).default


def chosen_noise(prefix: str) -> NoiseKind:
    """Return the kind of noise that a page is set to.

    A browser can be made to send one that there is not: that is put right at the next run.
    """
    return NOISE_KINDS.get(st.session_state[f"{prefix}noise"], NOISE_KINDS["gaussian"])


def noise_settings(prefix: str, in_link: str, strength: object) -> list[Setting]:
    """Return the settings of noise, strength and seed; ``strength`` is the default of the second.

    ``in_link`` is the prefix that links use.
    """

    def parse_strength(text: str) -> float:
        kind = chosen_noise(prefix)  # Read from the link just before.
        return link.number("strength", kind.low, kind.high)(text)

    seed = link.number("seed", 0, HIGHEST_SEED, int)
    return [
        Setting(
            f"{prefix}noise",
            "gaussian",
            link.one_of("noise", NOISE_KINDS),
            name=f"{in_link}noise",
        ),
        Setting(f"{prefix}strength", strength, parse_strength, name=f"{in_link}strength"),
        Setting(f"{prefix}seed", 0, seed, name=f"{in_link}seed"),
    ]


def digit_settings(prefix: str) -> list[Setting]:
    """Return the settings of ``pick_digit``."""
    return [
        Setting(f"{prefix}digit", FIRST, link.one_of("digit", [DRAWING, *DIGITS])),
        Setting(
            f"{prefix}drawing",
            None,
            link.drawing,
            link.drawing_to_text,
            counts=lambda values: values[f"{prefix}digit"] == DRAWING,
        ),
    ]
