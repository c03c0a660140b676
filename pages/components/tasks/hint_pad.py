"""Asks for hints of colour: a click on the picture says what colour is there.

A hint is a dot ``[row, column, number of the colour]``, its place in shares of the picture's sides.
"""

import io
from collections.abc import Sequence

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
STEPS = 1000  # places along each side where a dot can be, few enough for a link
# Named so that they can be chosen without seeing them. Links have their numbers: add at the end.
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

Dots = dict[str, list[list[float]]]  # of each picture by its name

_mount = component(__file__)


def dots_key(task_name: str) -> str:
    """Return where the session keeps the dots of all pictures of a task."""
    return f"tasks_hints_{task_name}_dots"


def pick_hints(given: Given, task_name: str) -> list[tuple[float, float, float, float]]:
    """Ask for hints on the picture ``(H, W, C)``; return ``(row, column, a, b)`` in its pixels.

    Each picture keeps its own, for when it is shown again.
    """
    image, name = given.input, given.name
    shown = get_picture_cache().get_or_make(owner(), ("grey", name), lambda: _shown(image), len)
    dots: Dots = st.session_state.setdefault(dots_key(task_name), {})
    st.caption("Choose a colour and click on the picture where it belongs.")
    said = _mount(
        key=f"tasks_hints_{task_name}",
        data={
            "name": _as_sent(name),
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


def forget_hints() -> None:
    """Let the pad begin again, and what it still says of the hints before count no more."""
    st.session_state.tasks_hints_round = st.session_state.get("tasks_hints_round", 0) + 1


def keep_dots(dots: Dots, said: object) -> None:
    """Keep what a browser said of one of the pictures that it was shown.

    That may still be the picture before: two quick hints on it and a click on another sample come
    as one message.
    """
    for name in dots:
        if _names(said, _as_sent(name)):
            dots[name] = read_dots(said, _as_sent(name))


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
            dots.append([_rounded(row), _rounded(column), int(colour)])
    return dots


def dots_to_text(dots: Sequence[Sequence[float]]) -> str:
    """Return dots as text for a link: "250.500.3_120.80.0"."""
    places = [[*(round(at * STEPS) for at in dot[:2]), dot[2]] for dot in dots]
    return "_".join(".".join(f"{each:.0f}" for each in place) for place in places)


def dots_from_text(text: str) -> list[list[float]]:
    """Return the dots that ``dots_to_text`` wrote.

    Raises:
        ValueError: for the visitor to read, if the text is not such a list.
    """
    parts = [part.split(".") for part in text.split("_")] if text else []
    if all(len(part) == 3 and all(_is_small(each) for each in part) for part in parts):
        given = [[int(row) / STEPS, int(column) / STEPS, int(c)] for row, column, c in parts]
        if len(dots := read_dots({"name": "", "dots": given}, "")) == len(given):
            return dots
    raise ValueError(
        "The hints of colour in the link are damaged, so there are none. Perhaps the link was cut "
        "off when it was copied."
    )


def palette_ab() -> list[tuple[float, float]]:
    """Return a and b of each colour of the palette."""
    rgb = table_of(list(PALETTE.values())) / 255
    return [tuple(float(each) for each in ab) for ab in rgb_to_lab(rgb)[:, 1:]]


def _is_small(text: str) -> bool:
    """Whether this is a whole number that a dot may have; Python refuses to read very long ones."""
    return text.isdecimal() and len(text) <= len(str(STEPS))


def _rounded(share: float) -> float:
    return min(round(share * STEPS), STEPS - 1) / STEPS


def _as_sent(name: str) -> str:
    """The name of a picture for its pad: another one each time that its hints were forgotten."""
    return f"{name} {st.session_state.get('tasks_hints_round', 0)}"


def _names(given: object, name: str) -> bool:
    return hasattr(given, "get") and given.get("name") == name


def _shown(image: np.ndarray) -> str:
    """Return the picture in grey, small, as the address of a picture."""
    picture = Image.fromarray(to_pixels(as_rgb(image)))
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    picture.convert("L").save(file, "WEBP", quality=85)
    return data_url(file.getvalue(), "webp")
