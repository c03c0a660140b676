"""The canvas to draw on: streamlit-drawable-canvas, with its tools where one can see them.

Left to itself, the canvas keeps undo and clear invisible *on top of* its upper right corner
until a mouse hovers over it.  A finger never hovers: strokes that begin there are lost, or
clear the drawing.  ``canvas.js`` pins the tools above the canvas.
"""

from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image
from streamlit_drawable_canvas import st_canvas

from imaging.samples.strokes import PEN
from pages.components.component import component

CANVAS_SIDE = 280  # CSS pixels: ten for each pixel of the digit
BRUSH = round(PEN * CANVAS_SIDE)  # As thick as the strokes of MNIST once it is fitted.
KEY = "drawing-pad"

# The pinned tools stand this far above the canvas, where nothing else should be.
STYLE = f"<style>.st-key-{KEY} {{padding-top: 2.1rem}}</style>"

_pin_tools = component(__file__)


def drawing_pad(
    start: dict | None,
    background: Image.Image | None,
    *,
    key: str,
    on_empty: Callable[[], None] | None = None,
) -> np.ndarray | None:
    """Draw the canvas; return its pixels ``(280, 280, 4)`` uint8, None while it is untouched.

    ``start`` is a Fabric.js drawing to begin with; ``background`` lies behind the strokes and
    is not part of the answer.  Another ``key`` is another, untouched canvas.  ``on_empty`` is
    called when the bin is pressed, which takes away what was drawn, but not ``start`` or what lies
    behind.
    """
    st.html(STYLE)
    with st.container(key=KEY, gap=None):
        canvas = st_canvas(
            stroke_width=BRUSH,
            stroke_color="#ffffff",
            background_color="#000000",
            background_image=background,
            initial_drawing=start,
            height=CANVAS_SIDE,
            width=CANVAS_SIDE,
            drawing_mode="freedraw",
            return_image_data=True,
            key=key,
        )
        _pin_tools(
            key=f"{KEY}-tools",
            data={"container": f".st-key-{KEY}"},
            on_emptied_change=on_empty or (lambda: None),
        )
    return canvas.image_data
