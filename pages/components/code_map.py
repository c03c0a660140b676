"""The map of codes as a chart: marks, pictures decoded from codes, and the way of one digit."""

import base64

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from models.inside import Inside
from models.lab import CodeMap
from pages.components.gallery import png
from pages.components.inside_links import MAPS

CELLS = 16  # to a side of the map, one thumbnail in each at most
THUMBNAIL = 26  # pixels on the screen
TRAIL = "#ef6c00"  # A contrast of 3 to the light and of 6 to the dark background.


def make_thumbnails(network: Inside, code_map: CodeMap, method: str) -> pd.DataFrame:
    """Return pictures decoded from codes as data URLs, as many as fit on the map beside another."""
    places = code_map.places(method)
    chosen = spread_over_cells(places, CELLS)
    table = pd.DataFrame(places[chosen], columns=["x", "y"])
    table["digit"] = code_map.labels[chosen].astype(str)
    table["url"] = [_as_url(picture) for picture in network.decode(code_map.codes[chosen])]
    return table


def spread_over_cells(places: np.ndarray, cells: int) -> np.ndarray:
    """Return the indices of points ``(N, 2)``, one for each cell of a grid that has any.

    It is the one nearest to the middle of its cell, so that pictures there overlap little.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - low) / (high - low) * cells
    cell = np.minimum(scaled.astype(int), cells - 1)
    off_centre = np.square(scaled - cell - 0.5).sum(axis=1)
    order = np.lexsort((off_centre, cell[:, 1], cell[:, 0]))
    _, first = np.unique(cell[order], axis=0, return_index=True)
    return order[first]


def draw_map(
    code_map: CodeMap, thumbnails: pd.DataFrame, method: str, trail: pd.DataFrame, noise: str
) -> None:
    """Draw the map "pca" or "tsne" of all codes, and on it the way of a digit as noise rises.

    ``trail`` has ``x``, ``y`` and ``strength``; its last row is where the digit is with ``noise``.
    """
    points = pd.DataFrame(code_map.places(method), columns=["x", "y"])
    points["digit"] = code_map.labels.astype(str)
    base = alt.Chart(points).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(zero=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False)),
    )
    colour = alt.Color("digit:N", scale=alt.Scale(scheme="category10"), legend=None)
    dots = base.mark_circle(size=16, opacity=0.7).encode(color=colour, tooltip=["digit:N"])
    pictures = alt.Chart(thumbnails).mark_image(width=THUMBNAIL, height=THUMBNAIL)
    pictures = pictures.encode(x="x:Q", y="y:Q", url="url:N", tooltip=["digit:N"])
    layers = [dots, pictures, *_trail(trail)]
    st.altair_chart(
        alt.layer(*layers).properties(height=620),
        key="code-map",
        width="stretch",
        alt=f"A {MAPS[method]} map of the codes of 2,000 test digits, and on it the way of this "
        f"digit as noise rises; the ring is where it is with {noise}.",
    )


def _trail(trail: pd.DataFrame) -> list[alt.Chart]:
    """The way of the digit as noise rises, and a ring where it is now: the last row."""
    way, here = alt.Chart(trail[:-1]), alt.Chart(trail[-1:])
    tooltip = alt.Tooltip("strength:Q", format=".3~g")
    return [
        way.mark_line(color=TRAIL, strokeWidth=2).encode(x="x:Q", y="y:Q", order="strength:Q"),
        way.mark_circle(color=TRAIL, size=50, opacity=1).encode(x="x:Q", y="y:Q", tooltip=tooltip),
        here.mark_point(color=TRAIL, size=420, strokeWidth=3).encode(x="x:Q", y="y:Q"),
    ]


def _as_url(picture: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
