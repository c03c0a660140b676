"""Strokes: digits and more, drawn by pen, for a canvas that must not be empty on arrival.

A drawing is one or more strokes, a stroke a row of points ``x,y``, x to the right and y down, in a
square of 100 by 100.  A smooth curve runs through the points of a stroke; a point given twice is a
corner, and a stroke that ends where it began is closed.
"""

from itertools import pairwise

import numpy as np

# A pen this wide, as a share of the canvas, gives digits as much ink as MNIST's have.
PEN = 0.1

STROKES: dict[str, tuple[str, ...]] = {
    "0": ("58,18 39,25 28,50 33,75 49,83 66,73 73,48 70,27 58,18",),
    "1": ("57,17 51,50 46,83",),
    "2": ("31,34 37,22 52,17 65,24 66,39 55,56 41,71 29,81 29,81 50,79 73,80",),
    "3": ("32,25 44,18 59,18 67,28 61,41 46,48 46,48 62,51 70,64 62,78 46,83 30,77",),
    "4": ("38,19 33,36 30,52 30,52 50,53 71,50", "65,20 61,50 56,83"),
    "5": ("70,19 56,20 41,21 41,21 38,34 35,46 35,46 48,42 62,46 68,59 63,74 49,82 30,79",),
    "6": ("62,17 47,31 36,50 34,68 43,81 57,81 66,70 62,57 50,55 39,63 35,72",),
    "7": ("29,23 48,23 71,20 71,20 61,44 52,64 46,83",),
    "8": ("66,27 54,18 40,23 40,36 52,48 62,60 61,75 48,83 36,76 38,61 52,48 64,38 66,27",),
    "9": ("67,28 55,19 40,25 35,39 43,49 56,45 67,28 67,28 64,50 58,83",),
    "A": ("31,83 42,50 52,17 52,17 61,50 69,83", "37,61 52,59 64,60"),
    "K": ("35,18 34,50 32,83", "68,19 52,37 35,53 35,53 53,66 69,83"),
    "R": ("35,83 36,50 37,18 37,18 56,19 65,31 57,45 38,49 38,49 55,63 69,83",),
    "S": ("67,27 55,18 40,22 36,35 48,47 62,57 65,71 52,82 33,76",),
    "smiley": (
        "50,15 75,25 85,50 75,75 50,85 25,75 15,50 25,25 50,15",
        "38,36 38,44",
        "62,36 62,44",
        "32,58 40,67 50,70 60,67 68,58",
    ),
}

# What the canvas shows before a visitor draws.
FIRST = "3"


def outline(name: str, size: float) -> list[np.ndarray]:
    """Return the strokes of a drawing on a canvas of ``size`` pixels, as chains of Bezier curves.

    A chain is ``(1 + 3 n, 2)``: the first point, then two handles and a point for each curve.

    Raises:
        ValueError: if no drawing has this name.

    Source:
        Catmull and Rom, A class of local interpolating splines, 1974.
    """
    if name not in STROKES:
        raise ValueError(f"unknown drawing {name!r}; known: {', '.join(STROKES)}")
    return [_chain(_parse(stroke) * size / 100) for stroke in STROKES[name]]


def fabric_drawing(name: str, size: float, width: float) -> dict:
    """Return a drawing as the ``initial_drawing`` of a canvas: white, ``width`` pixels wide.

    Source:
        The JSON form of Fabric.js 7, which ``streamlit_drawable_canvas`` 0.13 reads.
    """
    return {
        "version": "7.4.0",
        "objects": [
            {
                "type": "Path",
                "path": _commands(chain.round(2)),
                "stroke": "#ffffff",
                "strokeWidth": width,
                "fill": None,
                "strokeLineCap": "round",
                "strokeLineJoin": "round",
            }
            for chain in outline(name, size)
        ],
    }


def render(name: str, size: int, width: float) -> np.ndarray:
    """Paint a drawing white on black with a round pen, ``(size, size, 1)`` float32, edges smooth.

    A pixel is as bright as its centre lies within the stroke, half a pixel to either side: what
    the canvas shows for ``fabric_drawing``, up to the canvas's own smoothing of edges.
    """
    distance = np.full((size, size), np.inf)
    for chain in outline(name, size):
        points = _points(chain, steps=8)
        for start, end in pairwise(points):
            _lower_to_distance(distance, start, end, reach=width / 2 + 1)
    return np.clip(width / 2 + 0.5 - distance, 0, 1).astype(np.float32)[..., np.newaxis]


def _parse(stroke: str) -> np.ndarray:
    return np.array([point.split(",") for point in stroke.split()], float)


def _chain(points: np.ndarray) -> np.ndarray:
    """The curves through the points; a tangent is parallel to the line between its neighbours."""
    closed = np.array_equal(points[0], points[-1])
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    padded = np.vstack([before, points, after])
    handle = (padded[2:] - padded[:-2]) / 6
    corner = np.all(points[1:] == points[:-1], axis=1)
    chain = [points[0]]
    for i in np.flatnonzero(~corner):
        # At a corner the neighbour across it is the corner itself: the line starts straight.
        chain += [points[i] + handle[i], points[i + 1] - handle[i + 1], points[i + 1]]
    return np.array(chain)


def _commands(chain: np.ndarray) -> list[list]:
    curves = chain[1:].reshape(-1, 6).tolist()
    return [["M", *chain[0].tolist()], *(["C", *curve] for curve in curves)]


def _points(chain: np.ndarray, steps: int) -> np.ndarray:
    """Points along the curves, ``steps`` to each."""
    t = np.linspace(0, 1, steps + 1)[1:, np.newaxis]
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    starts = range(0, len(chain) - 1, 3)
    return np.vstack([chain[:1], *(weights @ chain[start : start + 4] for start in starts)])


def _lower_to_distance(
    distance: np.ndarray, start: np.ndarray, end: np.ndarray, reach: float
) -> None:
    """Lower ``distance`` to that from the segment, for pixel centres within its ``reach``."""
    low = np.floor(np.minimum(start, end) - reach).astype(int).clip(0)
    high = np.ceil(np.maximum(start, end) + reach).astype(int).clip(0)
    part = distance[low[1] : high[1], low[0] : high[0]]
    y, x = np.mgrid[low[1] : low[1] + part.shape[0], low[0] : low[0] + part.shape[1]] + 0.5
    along = end - start
    square = max(float(along @ along), 1e-12)
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / square, 0, 1)
    away = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    np.minimum(part, away, out=part)
