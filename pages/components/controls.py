"""Controls that several pages have: each asks the visitor and returns a plain value.

Their keys begin with the ``prefix`` of the page; its ``open_link`` has filled them before.
"""

import random
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import streamlit as st

from imaging.digit_fit import fit_drawing
from imaging.noise import NOISE_KINDS, NoiseKind
from imaging.strokes import PEN, render
from models.catalogue import Card
from pages.components.methods import method_names, method_title

HIGHEST_SEED = 9999
DIGITS = [*"0123456789"]
DRAWING = "drawing"
FINE = 0.01  # A step of the strength: small enough to be dragged smoothly.
RENDERED = 280  # Pixels to a side of a ready digit, before it is fitted.


def pick_digit(prefix: str) -> np.ndarray:
    """Ask for a ready digit or the visitor's drawing; return it as ``(28, 28, 1)``."""
    drawing = st.session_state[f"{prefix}drawing"]
    options = DIGITS if drawing is None else [DRAWING, *DIGITS]
    settled(f"{prefix}digit", options)
    name = st.pills(
        "Digit",
        options,
        format_func=lambda name: "Your drawing" if name == DRAWING else name,
        required=True,
        key=f"{prefix}digit",
        persist_state="session",
        wrap=True,
        help="What you draw on the Draw page appears here.",
    )
    return drawing if name == DRAWING else ready_digit(name)


@lru_cache(maxsize=100)
def ready_digit(name: str, pen: float = PEN) -> np.ndarray:
    """Return one of our digits, "0" to "9", as ``(28, 28, 1)``; ``pen`` is a share of the side.

    It is drawn once for all visitors: do not write to it.
    """
    digit = fit_drawing(render(name, RENDERED, RENDERED * pen))
    digit.flags.writeable = False
    return digit


def pick_noise(prefix: str = "") -> tuple[NoiseKind, float]:
    """Ask for a kind of noise and its strength."""
    kind_box, strength_box = st.columns([2, 3], gap="medium")
    name = kind_box.selectbox(
        "Noise",
        list(NOISE_KINDS),
        format_func=lambda name: NOISE_KINDS[name].title,
        key=f"{prefix}noise",
        persist_state="session",
        on_change=to_usual_strength,
        args=(prefix,),
    )
    kind = NOISE_KINDS[name]
    strength = strength_box.slider(
        f"Strength ({kind.unit})",
        kind.low,
        kind.high,
        step=FINE,
        key=f"{prefix}strength",
        persist_state="session",
        help=kind.explain,
    )
    return kind, strength


def pick_seed(prefix: str = "") -> int:
    """Ask for the number behind the noise."""
    seed = st.number_input(
        "Seed",
        0,
        HIGHEST_SEED,
        step=1,
        key=f"{prefix}seed",
        persist_state="session",
        width=130,
        help="The number behind the noise: the same seed gives the same noise.",
    )
    st.button(
        "New noise",
        help="The same strength, drawn anew.",
        on_click=to_new_seed,
        args=(prefix,),
        key=f"{prefix}new_noise",
    )
    return seed


def pick_method(cards: dict[str, Card], prefix: str = "") -> str:
    """Ask for a way to denoise; return the name of a model or of a classical filter."""
    names = method_names(cards)
    settled(f"{prefix}model", names)  # Its run was deleted, or its card got lost.
    return st.selectbox(
        "Denoise with",
        names,
        format_func=lambda name: method_title(name, cards),
        key=f"{prefix}model",
        persist_state="session",
    )


def settled(key: str, options: Sequence[object], usual: object = None) -> object:
    """Put a setting that is no option any more to a usual one, the first; return it."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if usual is None else usual
    return st.session_state[key]


def to_new_seed(prefix: str) -> None:
    """Draw another seed by chance; a callback."""
    st.session_state[f"{prefix}seed"] = random.randrange(1, HIGHEST_SEED + 1)


def usual_strength(prefix: str = "") -> float:
    """Return the strength on arrival of the chosen noise."""
    return NOISE_KINDS[st.session_state.get(f"{prefix}noise", "gaussian")].default


def to_usual_strength(prefix: str = "") -> None:
    """Set the strength to the one on arrival; a callback."""
    st.session_state[f"{prefix}strength"] = usual_strength(prefix)
