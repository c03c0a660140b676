"""One control each: asks the visitor and returns a plain value.

What is chosen stands in the link (``bind``); a value from the link that no control can
take is replaced by the usual one, and ``show_link_problems`` says so.
"""

import random

import numpy as np
import streamlit as st
from PIL import Image
from streamlit_drawable_canvas import st_canvas

from imaging.digits import canvas_to_grey, fit_drawing
from imaging.noise import NOISE_KINDS, NoiseKind, noise_kind
from imaging.samples import SAMPLES
from imaging.strokes import STROKES, fabric_drawing, render
from models.catalogue import Card
from pages.components.gallery import enlarged
from pages.components.link import drawing_from_text, drawing_to_text, problems_in_link
from pages.components.methods import method_names, method_title

CANVAS = 280  # CSS pixels: ten for each pixel of the digit
BRUSH = 22
HIGHEST_SEED = 9999

SOURCES = {"digit": "A digit", "other": "Not a digit", "nothing": "Pure noise"}
BLANK = "blank"
STARTS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", BLANK)
FIRST_START = "3"
FIRST_NOISE = "gaussian"
FIRST_SAMPLE = next(iter(SAMPLES))


def show_link_problems(models: list[str]) -> None:
    """Say, once, what in the link this page was opened with could not be used."""
    if "link_problems" not in st.session_state:
        st.session_state.link_problems = problems_in_link(
            st.query_params.to_dict(),
            {
                "source": SOURCES,
                "start": STARTS,
                "sample": SAMPLES,
                "noise": NOISE_KINDS,
                "model": models,
            },
        )
    for problem in st.session_state.link_problems:
        st.warning(problem, icon=":material/link_off:")
    st.session_state.link_problems = []


def pick_source() -> str:
    """Ask where the picture comes from: "digit", "other" or "nothing"."""
    return st.segmented_control(
        "Picture",
        list(SOURCES),
        format_func=SOURCES.get,
        default="digit",
        required=True,
        key="source",
        bind="query-params",
        label_visibility="collapsed",
        width="stretch",
    )


def pick_drawing() -> np.ndarray | None:
    """Let the visitor draw; return the digit as ``(28, 28, 1)``, None while nothing is drawn."""
    shared = _shared_drawing()
    start = st.session_state.get("start", _start_in_link())
    strokes = None if shared is not None or start == BLANK else start
    canvas = st_canvas(
        stroke_width=BRUSH,
        stroke_color="#ffffff",
        background_color="#000000",
        background_image=None if shared is None else _as_background(shared),
        initial_drawing=None if strokes is None else fabric_drawing(strokes, CANVAS, BRUSH),
        height=CANVAS,
        width=CANVAS,
        drawing_mode="freedraw",
        return_image_data=True,
        key=f"canvas-{start}-{_round()}",
    )
    st.pills(
        "Start from",
        STARTS,
        default=FIRST_START,
        required=True,
        key="start",
        bind="query-params",
        on_change=_start_anew,
        help="Puts a digit on the canvas to draw on, or clears it.",
    )
    # Until somebody draws, the canvas sends nothing, and the server knows what is on it.
    if canvas.image_data is not None:
        drawn = canvas_to_grey(canvas.image_data)
        if shared is not None:
            drawn = np.maximum(drawn, enlarged(shared, CANVAS // 28))
    elif shared is not None:
        return shared
    elif strokes is not None:
        return _to_8_bit(fit_drawing(render(strokes, CANVAS, BRUSH)))
    else:
        return None
    try:
        digit = _to_8_bit(fit_drawing(drawn))
    except ValueError:
        st.query_params.pop("drawing", None)
        return None
    st.query_params["drawing"] = drawing_to_text(digit)
    return digit


def pick_sample() -> np.ndarray:
    """Ask for one of the pictures that are no digits; return it as ``(28, 28, 1)``."""
    name = st.pills(
        "Sample",
        list(SAMPLES),
        format_func=lambda name: SAMPLES[name].title,
        default=FIRST_SAMPLE,
        required=True,
        key="sample",
        bind="query-params",
    )
    st.caption(SAMPLES[name].explain)
    return _to_8_bit(SAMPLES[name].load())


def pick_noise() -> tuple[NoiseKind, float, int]:
    """Ask for a kind of noise, its strength and the seed of its pattern."""
    kind_box, strength_box, seed_box = st.columns([3, 4, 3], vertical_alignment="bottom")
    kind = noise_kind(
        kind_box.selectbox(
            "Noise",
            list(NOISE_KINDS),
            format_func=lambda name: NOISE_KINDS[name].title,
            key="noise",
            bind="query-params",
            on_change=_usual_strength,
        )
    )
    strength = strength_box.slider(
        f"Strength: {kind.unit}",
        kind.low,
        kind.high,
        kind.default,
        kind.step,
        key="strength",
        bind="query-params",
        help=kind.explain,
    )
    seed_field, seed_button = seed_box.columns([3, 2], vertical_alignment="bottom")
    seed = seed_field.number_input(
        "Seed",
        0,
        HIGHEST_SEED,
        0,
        key="seed",
        bind="query-params",
        help="The number behind the pattern: the same seed gives the same noise.",
    )
    seed_button.button(
        "New",
        icon=":material/casino:",
        help="New noise: the same strength, another pattern.",
        on_click=_new_seed,
        key="new_noise",
        width="stretch",
    )
    return kind, strength, seed


def pick_model(cards: dict[str, Card]) -> str:
    """Ask for a way to denoise; return the name of a model or of a classical filter."""
    return st.selectbox(
        "Denoise with",
        method_names(cards),
        format_func=lambda name: method_title(name, cards),
        key="model",
        bind="query-params",
    )


def reset() -> None:
    """Put all controls of the page back to where they were on arrival; a callback."""
    usual = {
        "source": "digit",
        "start": FIRST_START,
        "sample": FIRST_SAMPLE,
        "noise": FIRST_NOISE,
        "strength": NOISE_KINDS[FIRST_NOISE].default,
        "seed": 0,
    }
    for name, value in usual.items():
        st.session_state[name] = value
    st.session_state.pop("model", None)
    _start_anew()


def _shared_drawing() -> np.ndarray | None:
    """The drawing that came with the link, until the visitor starts anew."""
    if "shared_drawing" not in st.session_state:
        try:
            shared = drawing_from_text(st.query_params["drawing"])
        except (KeyError, ValueError):
            shared = None
            st.query_params.pop("drawing", None)
        st.session_state.shared_drawing = shared
    return st.session_state.shared_drawing


def _start_in_link() -> str:
    """The start that the pills below the canvas are about to take from the link."""
    start = st.query_params.get("start", FIRST_START)
    return start if start in STARTS else FIRST_START


def _start_anew() -> None:
    st.session_state.shared_drawing = None
    st.session_state.canvas_round = _round() + 1
    st.query_params.pop("drawing", None)


def _round() -> int:
    """Counts the canvases of this visitor: a new number is a new, untouched canvas."""
    return st.session_state.get("canvas_round", 0)


def _usual_strength() -> None:
    st.session_state.strength = NOISE_KINDS[st.session_state.noise].default


def _new_seed() -> None:
    st.session_state.seed = random.randrange(1, HIGHEST_SEED + 1)


def _as_background(digit: np.ndarray) -> Image.Image:
    pixels = np.rint(enlarged(digit, CANVAS // 28) * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0])


def _to_8_bit(picture: np.ndarray) -> np.ndarray:
    """Round to the 256 greys that a link can carry, so that a link changes nothing."""
    return (np.rint(picture * 255) / 255).astype(np.float32)
