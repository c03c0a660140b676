"""Where the input of a task comes from: a sample, or a file of the visitor's own."""

from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image

from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo
from imaging.pixels import as_picture, to_8_bits
from models.tasks.contract import Task
from pages.components import widgets
from pages.components.cached import get_picture_cache
from pages.components.tasks.audio import pick_sound
from pages.components.tasks.given import Given, pick_sample
from pages.components.tasks.work import owner

TYPES = ["jpg", "jpeg", "jfif", "png", "webp", "tif", "tiff", "bmp", "gif"]
MOST_PIXELS = 4_000_000  # A larger picture is worked on at this size.
SOURCES = {"sample": "Sample", "upload": "Upload"}


def pick_picture(task: Task) -> Given | None:
    """Ask for a picture; return None while there is none."""
    source = widgets.segments("Picture", SOURCES, "tasks_source")
    return pick_sample(task) if source == "sample" else _pick_file()


def _pick_file() -> Given | None:
    file = st.file_uploader(
        "Your picture",
        TYPES,
        key="tasks_file",
        help="It stays in the memory of the server while you look at it, and nobody else sees it.",
    )
    if file is None:
        return None
    name = f"file {file.file_id}"
    try:
        pixels, note = get_picture_cache().get_or_make(
            owner(),
            name,
            lambda: _fitted(read_photo(file.getvalue(), file.name).best),
            lambda made: made[0].nbytes,
        )
    except PhotoError as problem:
        st.error(str(problem), icon=":material/broken_image:")
        return None
    return Given(name, file.name, pixels, note=note)


def _fitted(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a picture of at most ``MOST_PIXELS``, and a sentence where it was larger."""
    height, width = pixels.shape[:2]
    if height * width <= MOST_PIXELS:
        return pixels, ""
    factor = (MOST_PIXELS / (height * width)) ** 0.5
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    smaller = as_picture(to_8_bits(pixels)).resize(size, Image.Resampling.BOX)
    return np.asarray(smaller).reshape(size[1], size[0], -1), (
        f"It has {width} x {height} pixels and is worked on at {size[0]} x {size[1]}."
    )


# By the kind of a task's input.
PICK: dict[str, Callable[[Task], Given | None]] = {"image": pick_picture, "audio": pick_sound}
