"""What a visitor can take away: masks and pictures as PNG, a table of regions as CSV.

Instances and classes are whole numbers ``(H, W)``, masks ``(H, W, 1)``, pictures ``(H, W, C)``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from imaging.pixels import png, to_pixels
from imaging.segmentation import regions
from models.answers import classes_png, numbers_png
from pages.components.tasks.given import Given

COLUMNS = {
    "number": "number",
    "area": "area (pixels)",
    "row": "row",
    "column": "column",
    "diameter": "diameter (pixels)",
    "brightness": "mean brightness (0 to 255)",
}


def download_instances(given: Given, found: np.ndarray, grey: np.ndarray) -> None:
    """Offer the numbered things as a 16-bit PNG, and what is measured of each as a table."""
    table = pd.DataFrame([vars(each) for each in regions(found, grey)], columns=list(COLUMNS))
    table = table.rename(columns=COLUMNS).round(2)
    with st.container(horizontal=True):
        _button("Table of areas, CSV", table.to_csv(index=False).encode(), given, "csv", "text/csv")
        _button("Numbers, 16-bit PNG", numbers_png(found), given, "png", "image/png")
        mask = ((found > 0) * np.uint8(255))[..., np.newaxis]
        _button("Mask, PNG", png(mask), given, "mask.png", "image/png")
    if len(table):
        with st.expander("The table"):
            st.dataframe(table, hide_index=True)


def download_mask(given: Given, mask: np.ndarray) -> None:
    """Offer the mask as a PNG of 0 and 255."""
    _button("Mask, PNG", png((mask * np.uint8(255))[..., np.newaxis]), given, "png", "image/png")


def download_classes(given: Given, classes: np.ndarray, colours: Sequence[str]) -> None:
    """Offer the class numbers as a PNG that shows them in their colours."""
    _button("Classes, PNG", classes_png(classes, colours), given, "png", "image/png")


def download_picture(given: Given, picture: np.ndarray) -> None:
    """Offer a picture as PNG."""
    _button("Picture, PNG", png(to_pixels(picture)), given, "png", "image/png")


def _button(label: str, content: bytes, given: Given, ending: str, kind: str) -> None:
    name = f"{Path(given.title).stem}-{'' if '.' in ending else 'found.'}{ending}"
    st.download_button(label, content, name, kind, icon=":material/download:", on_click="ignore")
