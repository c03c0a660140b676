"""A row of small pictures with numbers, for results that are compared at a glance.

Pictures are ``(H, W, C)``, ``float32`` in [0, 1].
"""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st

from imaging.pixels import as_picture, to_pixels
from imaging.pixels import png as pixels_png

# Part of every page (layout.page_setup): within the gallery it would be sent with each change.
STYLE = """
<style>
.lab-gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr));
  gap: 1.25rem .9rem; padding: 4px}
.lab-gallery > div {min-width: 0}
.lab-gallery img {width: 100%; aspect-ratio: 1; image-rendering: pixelated; display: block;
  border-radius: .35rem; outline: 1px solid rgb(128 128 128 / .35); outline-offset: -1px}
.lab-gallery.photos {grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr))}
.lab-gallery.photos img {aspect-ratio: auto; image-rendering: auto}
.lab-gallery .chosen img {outline: 3px solid currentColor; outline-offset: 1px}
.lab-gallery b {display: block; font-size: .875rem; line-height: 1.25; margin-top: .45rem}
.lab-gallery span {display: block; font-size: .8125rem; line-height: 1.4; opacity: .8;
  font-variant-numeric: tabular-nums}
</style>
"""


@dataclass(frozen=True)
class Thumbnail:
    """One picture ``(H, W, C)`` in [0, 1] with its title and the lines below it."""

    title: str
    picture: np.ndarray
    lines: tuple[str, ...]
    alt: str
    chosen: bool = False


def show_gallery(entries: Iterable[Thumbnail]) -> None:
    """Draw small pictures as a grid of squares that fills the width; the chosen one is framed.

    Their pixels are enlarged into squares too.
    """
    _show("lab-gallery", [(entry, data_url(webp(entry.picture), "webp")) for entry in entries])


def show_photos(entries: Iterable[Thumbnail]) -> None:
    """Draw photos as a grid that fills the width; each keeps its shape, and is not enlarged."""
    # Lossless WebP would take more than twice as long, for hardly fewer bytes where there is noise.
    _show("lab-gallery photos", [(entry, data_url(png(entry.picture), "png")) for entry in entries])


def enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    """Return the picture with each pixel repeated ``scale`` times in both directions."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def png(picture: np.ndarray, scale: int = 1) -> bytes:
    """Return the picture ``(H, W, C)`` in [0, 1] as PNG, each pixel ``scale`` pixels wide."""
    return pixels_png(enlarged(to_pixels(picture), scale))


def webp(picture: np.ndarray) -> bytes:
    """Return a small picture ``(H, W, C)`` in [0, 1] as WebP without loss, smaller than PNG."""
    file = io.BytesIO()
    as_picture(to_pixels(picture)).save(file, "WEBP", lossless=True, quality=50, method=2)
    return file.getvalue()


def data_url(file: bytes, kind: str) -> str:
    """Return a file, "png" or "webp", as the address of a picture."""
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def _show(kind: str, entries: Iterable[tuple[Thumbnail, str]]) -> None:
    items = "".join(_item(entry, address) for entry, address in entries)
    st.html(f'<div class="{kind}" role="list">{items}</div>')


def _item(entry: Thumbnail, address: str) -> str:
    lines = "".join(f"<span>{escape(line)}</span>" for line in entry.lines)
    return (
        f'<div role="listitem"{" class=chosen" if entry.chosen else ""}>'
        f'<img alt="{escape(entry.alt)}" src="{address}">'
        f"<b>{escape(entry.title)}</b>{lines}</div>"
    )
