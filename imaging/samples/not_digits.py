"""Samples: pictures that are not digits, to show what a model of digits has not learned.

All are ``(28, 28, 1)`` float32 in [0, 1], light on black like MNIST's digits.  They are drawn
here; the photo comes with scikit-image.  Nothing is downloaded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from skimage import data
from skimage.color import rgb2gray

from imaging.digit_fit import SIDE, fit_drawing
from imaging.named import by_name, found
from imaging.samples import strokes

# Silhouettes are painted this many times larger, so that their edges come out smooth.
_OVERSAMPLING = 10

# A silhouette is painted polygon by polygon, each with its grey: corners ``x,y`` in 28x28.
_SHIRT = (
    (0.75, "9,3 12,5 16,5 19,3 26,8 23,13 20,11 20,25 8,25 8,11 5,13 2,8"),
    (0.45, "9,3 11,3 12,5 16,5 17,3 19,3 17,7 11,7"),
    (0.60, "2,8 3,7.3 6,12.4 5,13"),
    (0.60, "26,8 25,7.3 22,12.4 23,13"),
    (0.60, "8,24 20,24 20,25 8,25"),
)
_BOOT = (
    (0.70, "9,3 18,3 18,14 24,17 26,19 26,22 9,22"),
    (0.95, "8,22 26.5,22 26.5,25 15,25 15,24 13,24 13,25 8,25"),
    (0.45, "9,3 18,3 18,5 9,5"),
    (0.50, "16,8 18,8 18,9 16,9"),
    (0.50, "16,11 18,11 18,12 16,12"),
)


@dataclass(frozen=True)
class Sample:
    """A picture by name; ``explain`` says in one plain sentence what it is."""

    name: str
    title: str
    description: str
    load: Callable[[], np.ndarray]


def letter(name: str) -> np.ndarray:
    """Return a drawing of ``imaging/samples/strokes.py``, fitted as if it were a digit."""
    return fit_drawing(strokes.render(name, 280, 280 * strokes.PEN))


def smiley() -> np.ndarray:
    """Return a face of a circle, two eyes and a mouth."""
    return fit_drawing(strokes.render("smiley", 280, 20))


def shirt() -> np.ndarray:
    """Return a short-sleeved shirt."""
    return _silhouette(_SHIRT)


def boot() -> np.ndarray:
    """Return a boot, seen from its side."""
    return _silhouette(_BOOT)


def face() -> np.ndarray:
    """Return a piece of a photo: the face of the astronaut Eileen Collins.

    Source:
        NASA, public domain; it is part of scikit-image's package.
    """
    grey = rgb2gray(data.astronaut()[14:210, 130:326])
    return grey.reshape(SIDE, 7, SIDE, 7).mean(axis=(1, 3)).astype(np.float32)[..., np.newaxis]


def checkerboard() -> np.ndarray:
    """Return seven by seven fields of four by four pixels."""
    row, column = np.indices((SIDE, SIDE)) // 4
    return ((row + column) % 2).astype(np.float32)[..., np.newaxis]


SAMPLES: dict[str, Sample] = by_name(
    [
        Sample(
            "letter-a", "Letter A", "A letter, written as a digit would be.", lambda: letter("A")
        ),
        Sample("letter-k", "Letter K", "A letter of straight lines.", lambda: letter("K")),
        Sample("letter-r", "Letter R", "A letter with a loop and a leg.", lambda: letter("R")),
        Sample("smiley", "Smiley", "A face that any child would recognise.", smiley),
        Sample("shirt", "Shirt", "A piece of clothing, an area instead of lines.", shirt),
        Sample("boot", "Boot", "A boot in several greys.", boot),
        Sample("photo", "Photo", "A piece of a photo: no black background at all.", face),
        Sample("checkerboard", "Checkerboard", "A regular pattern with sharp edges.", checkerboard),
    ]
)


def sample(name: str) -> Sample:
    """Return the sample called ``name``; raise ``ValueError`` that lists the known names."""
    return found(SAMPLES, name, "sample")


def _silhouette(polygons: tuple[tuple[float, str], ...]) -> np.ndarray:
    large = Image.new("F", (SIDE * _OVERSAMPLING, SIDE * _OVERSAMPLING))
    pen = ImageDraw.Draw(large)
    for grey, corners in polygons:
        pairs = (corner.split(",") for corner in corners.split())
        pen.polygon([tuple(_OVERSAMPLING * float(value) for value in pair) for pair in pairs], grey)
    small = large.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.clip(np.asarray(small), 0, 1)[..., np.newaxis]
