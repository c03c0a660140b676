"""Lightness and colour apart from each other, and how colourful a picture is.

Pictures are sRGB ``(H, W, 3)`` in [0, 1]; those of whole photos may have 8 or 16 bits instead, or
one channel, and are worked on a strip at a time: Lab takes several times their memory.  Lab is CIE
L*a*b* under daylight (D65): L from 0 (black) to 100 (white), a from green to red, b from blue to
yellow, both within about 110 of 0.
"""

import numpy as np

from imaging.pixels import as_rgb, strips

# IEC 61966-2-1: what the three primaries add up to; the rows are X, Y, Z.
_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_WHITE = _TO_XYZ.sum(axis=1)
LEAST_DEVIATION = 0.5  # Below it there is only rounding to stretch.
_KNEE, _SLOPE, _OFFSET = 0.008856, 7.787, 16 / 116


def rgb_to_lab(image: np.ndarray) -> np.ndarray:
    """Return Lab, ``float32 (..., 3)``, of sRGB in [0, 1]."""
    image = np.asarray(image, np.float64)
    curved = ((np.maximum(image, 0.04045) + 0.055) / 1.055) ** 2.4
    linear = np.where(image > 0.04045, curved, image / 12.92)
    relative = linear @ _TO_XYZ.T / _WHITE
    f = np.where(
        relative > _KNEE, np.cbrt(np.maximum(relative, _KNEE)), _SLOPE * relative + _OFFSET
    )
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """Return sRGB, ``float32 (..., 3)``; colours that no screen can show are clipped to [0, 1]."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, np.maximum(y - b / 200, 0)], axis=-1)
    relative = np.where(f > np.cbrt(_KNEE), f**3, (f - _OFFSET) / _SLOPE)
    linear = (relative * _WHITE) @ _FROM_XYZ.T
    rgb = np.where(
        linear > 0.0031308,
        1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055,
        12.92 * linear,
    )
    return np.clip(rgb, 0, 1).astype(np.float32)


def in_grey(image: np.ndarray) -> np.ndarray:
    """Return the picture with its lightness and no colour, still ``(H, W, 3)``."""
    return with_colour(image, np.zeros((*image.shape[:2], 2), np.float32))


def as_grey(image: np.ndarray) -> np.ndarray:
    """Return one channel of ``in_grey``, which are all alike, ``float32 (H, W, 1)``."""
    grey = np.empty((*image.shape[:2], 1), np.float32)
    for rows in strips(*image.shape[:2]):
        grey[rows] = in_grey(image[rows])[..., :1]
    return grey


def with_colour(image: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Return the lightness of ``image`` in the colours ``ab (H, W, 2)``."""
    joined = np.empty((*image.shape[:2], 3), np.float32)
    for rows in strips(*image.shape[:2]):
        lab = rgb_to_lab(as_rgb(image[rows]))
        lab[..., 1:] = ab[rows]
        joined[rows] = lab_to_rgb(lab)
    return joined


def with_colours_of(
    image: np.ndarray, other: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Return the lightness of ``image`` in the colours of ``other``, of the same size.

    It is written to ``out`` where that is given, which may be either of the two.
    """
    joined = np.empty((*image.shape[:2], 3), np.float32) if out is None else out
    for rows in strips(*image.shape[:2]):
        ab = rgb_to_lab(as_rgb(other[rows]))[..., 1:]
        joined[rows] = with_colour(image[rows], ab)
    return joined


def colourfulness(image: np.ndarray) -> float:
    """Return how colourful people find the picture: 0 for grey, about 40 for an ordinary photo.

    Source:
        Hasler and Suesstrunk, SPIE 5007, 2003, doi:10.1117/12.477378, on values from 0 to 255.
    """
    red, green, blue = np.moveaxis(np.asarray(image, np.float64) * 255, -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def statistics(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of L, a and b."""
    return _statistics(_lab_of(image))


def with_statistics(image: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the picture with another's mean and deviation of L, a and b.

    A channel that hardly varies, such as the colours of a grey picture, only moves to the mean.

    Source:
        Reinhard et al., IEEE CG&A 2001, doi:10.1109/38.946629; they use another colour space.
    """
    lab = _lab_of(image)
    own_mean, own_deviation = _statistics(lab)
    factor = deviation / np.maximum(own_deviation, LEAST_DEVIATION)
    for rows in strips(*lab.shape[:2]):
        lab[rows] = lab_to_rgb((lab[rows] - own_mean) * factor + mean)  # In place: it is large.
    return lab


def _lab_of(image: np.ndarray) -> np.ndarray:
    lab = np.empty((*image.shape[:2], 3), np.float32)
    for rows in strips(*image.shape[:2]):
        lab[rows] = rgb_to_lab(as_rgb(image[rows]))
    return lab


def _statistics(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, ``float64``."""
    pixels = lab.shape[0] * lab.shape[1]
    every = list(strips(*lab.shape[:2]))
    mean = sum(lab[rows].sum((0, 1), np.float64) for rows in every) / pixels
    variance = sum(np.square(lab[rows] - mean).sum((0, 1)) for rows in every) / pixels
    return mean, np.sqrt(variance)
