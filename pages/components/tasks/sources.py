"""Where the input of a task comes from: a sample, or a file of the visitor's own."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from imaging import visible
from imaging.files import metadata
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo
from models.tasks.contract import InputError, Task
from pages.components import widgets
from pages.components.cached import get_picture_cache
from pages.components.picture_cache import GAVE_WAY
from pages.components.tasks.audio import pick_sound
from pages.components.tasks.given import Given, pick_sample
from pages.components.tasks.own_file import OwnFile, pick_file

# A larger picture is worked on at this size; those of most microscopes have 2048 x 2048.
MOST_PIXELS = 4_200_000
SOURCES = {"sample": "Sample", "upload": "Upload"}


def pick_picture(task: Task) -> Given | None:
    """Ask for a picture; return None while there is none."""
    source = widgets.segments("Picture", SOURCES, "tasks_source")
    return pick_sample(task) if source == "sample" else _pick_file()


def _pick_file() -> Given | None:
    help = "It stays in the server's memory while you look at it, and nobody else can see it."
    file = pick_file(partial(st.file_uploader, "Your picture", help=help), "tasks_file")
    if file is None:
        return None
    try:
        return _found(file)
    except PhotoError as problem:
        st.error(str(problem), icon=":material/broken_image:")
        return None


def _found(file: OwnFile) -> Given:
    """Return the picture, opened again where it had to give way.

    Raises:
        PhotoError: for the visitor to read.
    """
    return get_picture_cache().get_or_make(
        file.owner, f"file {file.digest}", lambda: _opened(file), lambda given: given.nbytes
    )


def _find(file: OwnFile) -> np.ndarray:
    try:
        return _found(file).input
    except PhotoError as problem:
        raise InputError(str(problem)) from problem


def _opened(file: OwnFile) -> Given:
    """Open a picture, made smaller where it has more than ``MOST_PIXELS``.

    Raises:
        PhotoError: for the visitor to read.
    """
    content = file.content()
    if content is None:
        raise PhotoError(GAVE_WAY)
    photo = read_photo(content, file.name, MOST_PIXELS)
    # Nobody is asked whether a result may say where the picture was taken: it does not.
    exif = metadata.kept(metadata.open_exif(photo.exif), location=False)
    notes, paper = list(photo.notes), 255
    if photo.alpha is not None:
        paper = visible.paper(photo.pixels, photo.alpha)
        notes.append(f"Where it is transparent, it is {'white' if paper else 'black'} here.")
    return Given(
        f"file {file.digest}",
        file.name,
        photo.on_paper,
        note=" ".join(notes),
        exif=exif,
        find=partial(_find, file),
        alpha=photo.alpha,
        paper=paper,
        reduced_from=photo.reduced_from,
    )


# By the kind of a task's input.
PICK: dict[str, Callable[[Task], Given | None]] = {"image": pick_picture, "audio": pick_sound}
