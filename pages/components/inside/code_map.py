"""The map of codes as a chart: marks, pictures decoded from codes, and the way of one digit."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from models.studies.codes import CodeMap
from pages.components.inside.settings import MAPS
from pages.components.layout import show_chart
from pages.components.thumbnails import spread_over_cells

THUMBNAIL = 26  # pixels on the screen
NARROW, FEW_CELLS = 600, 9  # Less wide than this, fewer thumbnails fit side by side.
TRAIL = "#ef6c00"  # A contrast of 3 to the light and of 6 to the dark background.


def draw_map(
    code_map: CodeMap, thumbnails: Mapping[int, str], method: str, trail: pd.DataFrame, noise: str
) -> None:
    """Draw the map "pca" or "tsne" of all codes, and on it the way of a digit as noise rises.

    ``thumbnails`` are the URLs of pictures by the index of their code.  ``trail`` has ``x``,
    ``y`` and ``strength``; its last row is where the digit is with ``noise``.
    """
    points = pd.DataFrame(code_map.places(method), columns=["x", "y"])
    points["digit"] = code_map.labels.astype(str)
    base = alt.Chart(points).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(zero=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False)),
    )
    colour = alt.Color("digit:N", scale=alt.Scale(scheme="category10"), legend=None)
    dots = base.mark_circle(size=16, opacity=0.7).encode(color=colour, tooltip=["digit:N"])
    shown = points.loc[list(thumbnails)].assign(url=list(thumbnails.values()), few=False)
    few = spread_over_cells(shown[["x", "y"]].to_numpy(), FEW_CELLS)
    shown.loc[shown.index[few], "few"] = True
    pictures = alt.Chart(shown).mark_image(width=THUMBNAIL, height=THUMBNAIL)
    pictures = pictures.transform_filter(f"datum.few || width > {NARROW}")
    pictures = pictures.encode(x="x:Q", y="y:Q", url="url:N", tooltip=["digit:N"])
    layers = [dots, pictures, *_trail(trail)]
    show_chart(
        alt.layer(*layers).properties(height=620),
        key="code-map",
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
