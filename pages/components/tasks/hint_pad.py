"""Asks for hints of colour: a click on the picture says what colour is there."""

import io

import numpy as np
import streamlit as st
from PIL import Image

from imaging.cielab import rgb_to_lab
from imaging.pixels import to_pixels
from models.tasks.colour_photos import MOST_HINTS, as_rgb
from pages.components.cached import get_picture_cache
from pages.components.component import component
from pages.components.gallery import data_url
from pages.components.tasks.given import Given
from pages.components.tasks.regions import table_of
from pages.components.tasks.work import owner

SHOWN_SIDE = 640  # pixels of the picture that is sent to be clicked on
# Named so that they can be chosen without seeing them.
PALETTE = {
    "Skin": "#e0ac8b",
    "Red": "#c0392b",
    "Orange": "#e67e22",
    "Yellow": "#e8c93a",
    "Leaf green": "#5d8a3a",
    "Sea green": "#3f9b84",
    "Sky blue": "#6ca6d9",
    "Deep blue": "#2f4fa0",
    "Violet": "#7d4fa3",
    "Pink": "#d98ab0",
    "Brown": "#7a5230",
    "Grey": "#808080",
}

_mount = component(__file__)


def pick_hints(given: Given, key: str) -> list[tuple[float, float, float, float]]:
    """Ask for hints on the picture ``(H, W, C)``; return ``(row, column, a, b)`` in its pixels.

    Each picture keeps its own, for when it is shown again.
    """
    image, name = given.input, given.name
    shown = get_picture_cache().get_or_make(owner(), ("grey", name), lambda: _shown(image), len)
    dots: dict[str, list[list[float]]] = st.session_state.setdefault(f"{key}_dots", {})
    said = _mount(
        key=key,
        data={
            "name": name,
            "picture": shown,
            "palette": [{"title": title, "shown": shown} for title, shown in PALETTE.items()],
            "dots": dots.get(name, []),
            "most": MOST_HINTS,
        },
        on_dots_change=lambda: None,
    )
    dots.setdefault(name, [])
    keep_dots(dots, said.dots)
    height, width = image.shape[:2]
    colours = palette_ab()
    return [(row * height, column * width, *colours[colour]) for row, column, colour in dots[name]]


def keep_dots(dots: dict[str, list[list[float]]], said: object) -> None:
    """Keep what a browser said of one of the pictures that it was shown.

    That may still be the picture before: two quick hints on it and a click on another sample come
    as one message.
    """
    for name in dots:
        if _names(said, name):
            dots[name] = read_dots(said, name)


def read_dots(given: object, name: str) -> list[list[float]]:
    """Return the dots of this picture that a browser sent, none where they make no sense."""
    if not _names(given, name) or not isinstance(given.get("dots"), list):
        return []
    dots = []
    for dot in given["dots"][:MOST_HINTS]:
        try:
            row, column, colour = (float(each) for each in dot)
        except (TypeError, ValueError):
            continue
        if 0 <= row < 1 and 0 <= column < 1 and colour in range(len(PALETTE)):
            dots.append([row, column, int(colour)])
    return dots


def palette_ab() -> list[tuple[float, float]]:
    """Return a and b of each colour of the palette."""
    rgb = table_of(list(PALETTE.values())) / 255
    return [tuple(float(each) for each in ab) for ab in rgb_to_lab(rgb)[:, 1:]]


def _names(given: object, name: str) -> bool:
    return hasattr(given, "get") and given.get("name") == name


def _shown(image: np.ndarray) -> str:
    """Return the picture in grey, small, as the address of a picture."""
    picture = Image.fromarray(to_pixels(as_rgb(image)))
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    picture.convert("L").save(file, "WEBP", quality=85)
    return data_url(file.getvalue(), "webp")
