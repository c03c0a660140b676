"""What a visitor can take away: pictures and sound, a table of regions.

Instances and classes are whole numbers ``(H, W)``, masks ``(H, W, 1)``, pictures ``(H, W, C)``,
sounds ``(N,)``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from imaging.audio import wav
from imaging.files.writing import write
from imaging.pixels import png
from imaging.segmentation import regions
from imaging.visible import off_ground
from models.answers import classes_png, numbers_png
from pages.components.tasks.given import Given

EDGE = 3  # pixels of what was given, as far as Lanczos reaches
COLUMNS = {
    "number": "number",
    "area": "area (pixels)",
    "row": "row",
    "column": "column",
    "diameter": "diameter (pixels)",
    "brightness": "mean brightness (0 to 255)",
}


def pick_answer(answers: Mapping[str, np.ndarray]) -> str:
    """Ask whose answer is to be taken away; return its title."""
    if len(answers) == 1:
        return next(iter(answers))
    return st.selectbox("Download the answer of", list(answers), key="tasks_take", width=320)


def measure(found: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Return a row for each numbered thing, ``float64 (N, 6)``, in the order of ``COLUMNS``."""
    rows = [[getattr(each, name) for name in COLUMNS] for each in regions(found, grey)]
    return np.array(rows, float).reshape(-1, len(COLUMNS))


def download_instances(given: Given, found: np.ndarray, measured: np.ndarray) -> None:
    """Offer the numbered things as a 16-bit PNG, and what is ``measured`` of them as a table."""
    whole = {COLUMNS[name]: int for name in ("number", "area")}
    table = pd.DataFrame(measured, columns=[*COLUMNS.values()]).round(2).astype(whole)
    with st.container(horizontal=True):
        _button(
            "Table of areas, CSV",
            lambda: table.to_csv(index=False).encode(),
            given,
            "found.csv",
            "text/csv",
        )
        _button("Numbers, 16-bit PNG", lambda: numbers_png(found), given, "found.png")
        _button("Mask, PNG", lambda: _mask_png(found[..., np.newaxis] > 0), given, "mask.png")
    if len(table):
        with st.expander("The table"):
            st.dataframe(table, hide_index=True)


def download_mask(given: Given, mask: np.ndarray) -> None:
    """Offer the mask, True and False, as a PNG of 255 and 0."""
    _button("Mask, PNG", lambda: _mask_png(mask), given, "found.png")


def download_classes(given: Given, classes: np.ndarray, colours: Sequence[str]) -> None:
    """Offer the class numbers as a PNG that shows them in their colours."""
    _button("Classes, PNG", lambda: classes_png(classes, colours), given, "found.png")


def download_picture(given: Given, picture: np.ndarray) -> None:
    """Offer a picture of 8 bits as PNG, with the date and camera of the one that was given.

    It is as transparent as that.
    """
    _button("Picture, PNG", lambda: _picture_png(given, picture), given, "found.png")
    if given.alpha is not None:
        st.caption("The file is as transparent as yours.")


def download_sound(given: Given, samples: np.ndarray, rate: int) -> None:
    """Offer a sound as WAV."""
    _button("Recording, WAV", lambda: wav(samples, rate), given, "cleaned.wav", "audio/wav")


def _button(
    label: str, make: Callable[[], bytes], given: Given, end: str, mime: str = "image/png"
) -> None:
    """Draw a button; its file is made when it is clicked."""
    st.download_button(
        label,
        make,
        f"{Path(given.title).stem}-{end}",
        mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"tasks-download-{end}",
    )


def _picture_png(given: Given, picture: np.ndarray) -> bytes:
    if given.alpha is None:
        return write(picture, exif=given.exif)
    size = picture.shape[1], picture.shape[0]
    alpha = np.asarray(Image.fromarray(given.alpha).resize(size, Image.Resampling.LANCZOS))
    reach = EDGE * picture.shape[0] // given.alpha.shape[0]
    return write(off_ground(picture, alpha, given.paper, reach), alpha=alpha, exif=given.exif)


def _mask_png(mask: np.ndarray) -> bytes:
    return png(mask * np.uint8(255))
