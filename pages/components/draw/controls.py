"""The controls of the Draw page: each asks the visitor and returns a plain value."""

import numpy as np
import streamlit as st
from PIL import Image

from imaging.digit_fit import SIDE, canvas_to_grey, fit_drawing
from imaging.noise import NOISE_KINDS, NoiseKind
from imaging.pixels import as_picture, to_image, to_pixels
from imaging.samples.not_digits import SAMPLES
from imaging.samples.strokes import fabric_drawing
from models.catalogue import Card
from models.methods import method_names
from models.tasks.denoise_digits import TASK
from pages.components import settings as page_settings
from pages.components import widgets
from pages.components.canvas import BRUSH, CANVAS_SIDE, drawing_pad
from pages.components.controls import keep_valid, ready_digit
from pages.components.draw.settings import BLANK, DRAWN, SOURCES, STARTS
from pages.components.gallery import enlarged
from pages.components.settings import Setting


def pick_picture() -> tuple[str, np.ndarray | None]:
    """Ask for a picture; return where it is from and ``(28, 28, 1)``, None while there is none."""
    source = pick_source()
    if source == "digit":
        return source, pick_drawing()
    if source == "other":
        return source, pick_sample()
    st.caption(
        "There is no digit here, only noise. Whatever appears in the result is invented, because "
        "the network expects a digit."
    )
    return source, np.zeros((SIDE, SIDE, 1), np.float32)


def pick_source() -> str:
    """Ask where the picture comes from: "digit", "other" or "nothing"."""
    return widgets.segments("Picture", SOURCES, "draw_source", width="stretch")


def pick_drawing() -> np.ndarray | None:
    """Let the visitor draw; return the digit as ``(28, 28, 1)``, None while nothing is drawn.

    A drawing that came with the link, or was made before another page was visited, lies behind
    the canvas, and strokes are added to it.
    """
    start = st.session_state.draw_start
    canvas = f"canvas-{start}-{_round()}"
    if st.session_state.draw_drawing is not None and canvas not in st.session_state:
        # A canvas forgets its strokes while another page is shown; the drawing is still known.
        st.session_state.draw_earlier_drawing = st.session_state.draw_drawing
    earlier = st.session_state.draw_earlier_drawing
    strokes = None if earlier is not None or start == BLANK else start
    pixels = drawing_pad(
        None if strokes is None else fabric_drawing(strokes, CANVAS_SIDE, BRUSH),
        None if earlier is None else _as_background(earlier),
        key=canvas,
        on_empty=None if earlier is None and strokes is None else _empty,
    )
    # Until somebody draws, the canvas sends nothing, and the server knows what is on it.
    if pixels is not None:
        drawn = canvas_to_grey(pixels)
        if earlier is not None:
            drawn = np.maximum(drawn, enlarged(earlier, CANVAS_SIDE // SIDE))
        try:
            st.session_state.draw_drawing = _to_8_bit(fit_drawing(drawn))
        except ValueError:
            st.session_state.draw_drawing = None
    _pick_start()
    if pixels is None:
        return earlier if strokes is None else _to_8_bit(ready_digit(strokes))
    return st.session_state.draw_drawing


def _pick_start() -> None:
    """Ask for a digit to start from; none of them is marked while something else is drawn."""
    drawn = st.session_state.draw_drawing is not None
    st.session_state.draw_chip = DRAWN if drawn else st.session_state.draw_start
    widgets.pills(
        "Start from",
        [*STARTS, DRAWN] if drawn else STARTS,
        key="draw_chip",
        on_change=_start_from,
        wrap=True,
        help="Puts a digit on the canvas for you to change, or clears it.",
    )


def pick_sample() -> np.ndarray:
    """Ask for one of the pictures that are not digits; return it as ``(28, 28, 1)``."""
    titles = widgets.titles_of(SAMPLES)
    name = widgets.by_title(widgets.pills, "Sample", titles, "draw_sample", wrap=True)
    st.caption(SAMPLES[name].description)
    return _to_8_bit(SAMPLES[name].load())


def chosen(cards: dict[str, Card]) -> tuple[NoiseKind, float, int, str]:
    """Return noise, strength, seed and method of the Draw page before their controls are drawn."""
    state = st.session_state
    keep_valid("draw_model", method_names(TASK, cards))
    kind = NOISE_KINDS[state.draw_noise]
    return kind, state.draw_strength, state.draw_seed, state.draw_model


def reset(table: list[Setting]) -> None:
    """Put all controls of the page back to where they were on arrival; a callback."""
    page_settings.reset(table)
    _start_anew()


def _start_from() -> None:
    """Put a canvas with the chosen digit in place of the one that was drawn on; a callback."""
    if st.session_state.draw_chip != DRAWN:
        st.session_state.draw_start = st.session_state.draw_chip
        _start_anew()


def _empty() -> None:
    """Put an empty canvas in place of the one whose bin was pressed; a callback."""
    st.session_state.draw_start = BLANK
    _start_anew()


def _start_anew() -> None:
    """Put a new canvas in place of the one that was drawn on; a callback."""
    st.session_state.draw_drawing = st.session_state.draw_earlier_drawing = None
    st.session_state.draw_canvas_round = _round() + 1


def _round() -> int:
    """Counts the canvases of this visitor: a new number is a new, untouched canvas."""
    return st.session_state.get("draw_canvas_round", 0)


def _as_background(digit: np.ndarray) -> Image.Image:
    return as_picture(enlarged(to_pixels(digit), CANVAS_SIDE // SIDE))


def _to_8_bit(picture: np.ndarray) -> np.ndarray:
    """Round to the 256 greys that a link can carry, so that a link changes nothing."""
    return to_image(to_pixels(picture))
