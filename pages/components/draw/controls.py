"""The controls of the Draw page: each asks the visitor and returns a plain value.

Every control has the key of its setting in the link; ``open_link`` has filled it before.
"""

import numpy as np
import streamlit as st
from PIL import Image

from imaging.digit_fit import canvas_to_grey, fit_drawing
from imaging.noise import NOISE_KINDS, NoiseKind
from imaging.not_digits import SAMPLES
from imaging.strokes import fabric_drawing
from models.catalogue import Card
from pages.components import link
from pages.components.controls import (
    DIGITS,
    HIGHEST_SEED,
    ready_digit,
    settled,
    to_usual_strength,
    usual_strength,
)
from pages.components.draw.canvas import BRUSH, SIDE, drawing_pad
from pages.components.gallery import enlarged
from pages.components.methods import method_names

SOURCES = {"digit": "Digit", "other": "Not a digit", "nothing": "Pure noise"}
BLANK = "blank"
STARTS = [*DIGITS, BLANK]


def usual_settings(cards: dict[str, Card]) -> dict[str, object]:
    """Return what the controls show on arrival."""
    return {
        "source": "digit",
        "start": "3",
        "sample": next(iter(SAMPLES)),
        "noise": "gaussian",
        "strength": usual_strength(),
        "seed": 0,
        "model": next(iter(method_names(cards))),
        "drawing": None,
    }


def open_link(cards: dict[str, Card]) -> None:
    """Start with what the link says, and say what of it makes no sense."""
    parsers = {
        "source": link.one_of("picture", SOURCES),
        "start": link.one_of("start", STARTS),
        "sample": link.one_of("sample", SAMPLES),
        "noise": link.one_of("noise", NOISE_KINDS),
        "strength": _parse_strength,
        "seed": link.number("seed", 0, HIGHEST_SEED, int),
        "model": link.one_of("model", method_names(cards)),
        "drawing": link.drawing,
    }
    for problem in link.open_link(parsers, lambda: usual_settings(cards)):
        st.warning(problem, icon=":material/link_off:")
    st.session_state.setdefault("earlier_drawing", st.session_state.drawing)


def write_link(cards: dict[str, Card]) -> None:
    """Put what the controls show into the address of the page."""
    usual = usual_settings(cards)
    settings = {name: st.session_state.get(name) for name in usual}
    source = settings["source"]
    # A setting of a control that is not on the screen says nothing about the picture.
    if source != "digit" or settings["drawing"] is not None:
        settings["start"] = None
    if source != "other":
        settings["sample"] = None
    if source != "digit" or settings["drawing"] is None:
        settings["drawing"] = None
    else:
        settings["drawing"] = link.drawing_to_text(settings["drawing"])
    link.write_link(settings, usual)


def pick_source() -> str:
    """Ask where the picture comes from: "digit", "other" or "nothing"."""
    return st.segmented_control(
        "Picture",
        list(SOURCES),
        format_func=SOURCES.get,
        required=True,
        key="source",
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
    )


def pick_drawing() -> np.ndarray | None:
    """Let the visitor draw; return the digit as ``(28, 28, 1)``, None while nothing is drawn.

    A drawing that came with the link, or was made before another page was visited, lies behind
    the canvas, and strokes are added to it.
    """
    start = st.session_state.start
    canvas = f"canvas-{start}-{_round()}"
    if st.session_state.drawing is not None and canvas not in st.session_state:
        # A canvas forgets its strokes while another page is shown; the drawing is still known.
        st.session_state.earlier_drawing = st.session_state.drawing
    earlier = st.session_state.earlier_drawing
    strokes = None if earlier is not None or start == BLANK else start
    pixels = drawing_pad(
        None if strokes is None else fabric_drawing(strokes, SIDE, BRUSH),
        None if earlier is None else _as_background(earlier),
        key=canvas,
    )
    st.pills(
        "Start from",
        STARTS,
        required=True,
        key="start",
        on_change=_start_anew,
        wrap=True,
        persist_state="session",
        help="Puts a digit on the canvas to draw on, or clears it.",
    )
    # Until somebody draws, the canvas sends nothing, and the server knows what is on it.
    if pixels is None:
        if strokes is None:
            return earlier
        return _to_8_bit(ready_digit(strokes))
    drawn = canvas_to_grey(pixels)
    if earlier is not None:
        drawn = np.maximum(drawn, enlarged(earlier, SIDE // 28))
    try:
        st.session_state.drawing = _to_8_bit(fit_drawing(drawn))
    except ValueError:
        st.session_state.drawing = None
    return st.session_state.drawing


def pick_sample() -> np.ndarray:
    """Ask for one of the pictures that are no digits; return it as ``(28, 28, 1)``."""
    name = st.pills(
        "Sample",
        list(SAMPLES),
        format_func=lambda name: SAMPLES[name].title,
        required=True,
        key="sample",
        wrap=True,
        persist_state="session",
    )
    st.caption(SAMPLES[name].explain)
    return _to_8_bit(SAMPLES[name].load())


def chosen(cards: dict[str, Card]) -> tuple[NoiseKind, float, int, str]:
    """Return noise, strength, seed and method of the Draw page before their controls are drawn."""
    state = st.session_state
    settled("model", method_names(cards))
    return NOISE_KINDS[state.noise], state.strength, state.seed, state.model


def reset(cards: dict[str, Card]) -> None:
    """Put all controls of the page back to where they were on arrival; a callback."""
    for name, value in usual_settings(cards).items():
        st.session_state[name] = value
    to_usual_strength()
    _start_anew()


def _start_anew() -> None:
    """Put a new canvas in place of the one that was drawn on; a callback."""
    st.session_state.drawing = st.session_state.earlier_drawing = None
    st.session_state.canvas_round = _round() + 1


def _round() -> int:
    """Counts the canvases of this visitor: a new number is a new, untouched canvas."""
    return st.session_state.get("canvas_round", 0)


def _parse_strength(text: str) -> float:
    kind = NOISE_KINDS[st.session_state.noise]  # Read from the link just before.
    return link.number("strength", kind.low, kind.high)(text)


def _as_background(digit: np.ndarray) -> Image.Image:
    pixels = np.rint(enlarged(digit, SIDE // 28) * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0])


def _to_8_bit(picture: np.ndarray) -> np.ndarray:
    """Round to the 256 greys that a link can carry, so that a link changes nothing."""
    return (np.rint(picture * 255) / 255).astype(np.float32)
