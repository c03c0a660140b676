"""What a visitor can take away of a photo, in a format to choose, in its own size.

Photos are ``(H, W, C)``, 8-bit, or as fine as their file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from imaging.files.metadata import has_location
from imaging.files.reading import Photo
from imaging.files.writing import BEST_QUALITY, DEFAULT_QUALITY, FORMATS, write_result
from pages.components import widgets
from pages.components.controls import keep_valid
from pages.components.photo.source import Picture


@dataclass(frozen=True)
class FileForm:
    """How results are written: the format, its quality, and whether the place is kept."""

    kind: str
    quality: int = DEFAULT_QUALITY
    location: bool = True

    @property
    def title(self) -> str:
        """What the format is called."""
        return FORMATS[self.kind].title

    @property
    def ending(self) -> str:
        """How the files' names end."""
        return FORMATS[self.kind].ending

    @property
    def mime(self) -> str:
        """What a browser calls the format."""
        return FORMATS[self.kind].mime

    def write(self, photo: Photo, pixels: np.ndarray, own_values: bool = True) -> bytes:
        """Return a file of what was made of the photo."""
        return write_result(photo, pixels, self.kind, self.quality, self.location, own_values)


DEFAULT_FORM = FileForm("png")


def pick_form(photo: Photo, own_values: bool = True) -> FileForm:
    """Ask in what format results are to be taken away.

    They are values of the photo's own, or without ``own_values`` sRGB of 8 bits.
    """
    kind = keep_valid("photo_format", list(FORMATS), DEFAULT_FORM.kind)
    with st.popover(f"Format: {FORMATS[kind].title}"):
        titles = widgets.titles_of(FORMATS)
        kind = widgets.by_title(widgets.selectbox, "Format of downloads", titles, "photo_format")
        quality = DEFAULT_QUALITY
        if not FORMATS[kind].lossless:
            quality = widgets.slider(
                "Quality",
                10,
                BEST_QUALITY,
                DEFAULT_QUALITY,
                key="photo_quality",
                help="A WebP of 100 is lossless." if kind == "webp" else None,
            )
        location = st.checkbox(
            "Keep where it was taken" + ("" if has_location(photo.exif) else ", if a file says so"),
            True,
            key="photo_location",
            persist_state="session",
            help="Cameras store the place in the file. Unless this is ticked, no download "
            "contains it.",
        )
        st.caption(_what_is_kept(photo, kind, own_values))
    return FileForm(kind, quality, location)


def show_downloads(
    picture: Picture, pixels: Mapping[str, Callable[[], np.ndarray]], form: FileForm
) -> None:
    """Draw the download buttons; a file is made when its button is clicked.

    ``pixels`` make what is to be taken away, by its name, "denoised" and others.  What a button is
    told is there as long as the page: it holds no pixels itself.
    """
    photo, open_photo = picture.photo, picture.open
    longest = FORMATS[form.kind].longest_side
    if max(photo.pixels.shape[:2]) > longest:
        st.caption(f"{form.title} holds at most {longest:,} pixels in a row.")
        return
    own_values = "original" not in pixels

    def button(title: str, label: str, **look: Any) -> None:
        make = pixels[title]
        st.download_button(
            f"{label} ({form.title})",
            lambda: form.write(open_photo(), make(), own_values),
            f"{photo.name}-{title}{form.ending}",
            form.mime,
            on_click="ignore",
            key=f"photo-download-{title}",
            **look,
        )

    button("denoised", "Denoised", icon=":material/download:", type="primary")
    with st.popover("More downloads"):
        for title in pixels:
            if title != "denoised":
                button(title, title.capitalize(), width="stretch")


def _what_is_kept(photo: Photo, kind: str, own_values: bool) -> str:
    """What a result has of the file it is made of."""
    sentences = []
    if photo.best.dtype == np.uint16:
        if not own_values:
            sentences.append("With noise added, it keeps 8 of this picture's 16 bits.")
        elif FORMATS[kind].deep:
            sentences.append("Its 16 bits are kept.")
        else:
            sentences.append("It holds 8 bits; PNG and TIFF keep all 16 of this picture.")
    if photo.alpha is not None and not FORMATS[kind].opacity:
        sentences.append("Transparent areas become white, because a JPEG holds no transparency.")
    kept = [
        word
        for word, there in (
            ("date and camera", photo.exif),
            ("resolution", photo.dpi and kind != "webp"),
            ("colour profile", photo.profile and (own_values or photo.own is None)),
        )
        if there
    ]
    if kept:
        sentences.append(f"Kept from the file: {', '.join(kept)}.")
    return " ".join(sentences) or "The result has the size of the picture."
