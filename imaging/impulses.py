"""Pixels that were lost: turned white or black, as by salt-and-pepper noise.

They are found by being out of place, and filled from those around them.  What is left of the
error after that is small, and where it is is known, which a network for photos can be told.
"""

import numpy as np
from scipy import ndimage
from scipy.special import bdtrc

from imaging.noise_level import estimate_level
from imaging.pixels import as_image

# How seldom a wrong pixel may be taken for a part of a white or black area.
_MISSED = 1e-6
# A white or black pixel that differs less from its surroundings stays as it is.
_STANDS_OUT = 0.05
# Steps of the method of conjugate gradients; after five, nothing changes.
_BRIDGING_STEPS = 5
# The square of Laplace's operator: nothing on a slope, much where the picture bends.
_BENDING = np.array(
    [[0, 0, 1, 0, 0], [0, 2, -8, 2, 0], [1, -8, 20, -8, 1], [0, 2, -8, 2, 0], [0, 0, 1, 0, 0]],
    np.float32,
)[..., np.newaxis]

# What a pixel that was filled in is off by, on a photo half of whose pixels were lost.
FILLED_LEVEL = 0.1
# A picture is taken to have lost pixels if it has this share of white and of black ones, and of
# neither much more than of the other, outside of its own white and black areas.  Stars and
# glints are white alone.
_LEAST_SHARE, _MOST_UNEVEN = 0.001, 3
# Black ink with noise is black in some pixels and nearly so in others, within this; so is paper.
# Where most white and most black pixels out of place have such neighbours, none was lost.
_NEARLY = 0.25
# Lost pixels lie at random.  Dots that a printer or a program set keep apart: at one of the steps
# up to this far there are fewer pairs of them, by this many standard deviations.  Those of thin
# lines, in a JPEG black only here and there, are next to each other: there are as many more pairs,
# and this many times as many.  Or most pixels are dots and nearly all black or white, in squares
# that fill a part of the picture; or nearly all are full colours, and this share are dots of others
# than black and white.
_STEP, _FEWER, _IN_LINES = 4, 15, 4
_LOCAL, _NOTHING_ELSE, _DOTS = 17, 0.95, 0.05
# In a large picture, windows are looked at.
WINDOW, _WINDOWS = 128, 3


def without_impulses(noisy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``noisy`` (H, W, C) with its lost pixels filled in, and where these are ``(H, W)``.

    Source:
        Sun and Neuvo, Pattern Recognition Letters 15, 1994, pages 341 to 347, who put a median
        in place of a wrong pixel.
    """
    return _without_wrong(noisy, wrong_pixels(noisy))


def _without_wrong(noisy: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill in the ``wrong`` pixels that stand out; return where these are too."""
    bridged = bridge(noisy, wrong)
    lost = wrong & (np.abs(bridged - noisy).max(axis=-1) > _STANDS_OUT)
    return np.where(lost[..., np.newaxis], bridged, noisy), lost


def map_of_levels(lost: np.ndarray, level: float) -> np.ndarray:
    """Return the noise to expect at each pixel ``(H, W, 1)``: ``level``, and more where filled."""
    return np.where(lost, np.hypot(level, FILLED_LEVEL), level).astype(np.float32)[..., np.newaxis]


def impulse_levels(noisy: np.ndarray) -> tuple[float, float]:
    """Return the levels of the error that lost pixels make in ``(H, W, C)``, and of other noise.

    ``noisy`` is ``uint8`` or floating point; a level is a root mean square in units of the full
    range.  Both are 0 where few pixels are out of place, where those are mostly white or mostly
    black, where they are a part of noisy ink and paper, and where they do not lie at random or are
    not alone, as the dots of a print and of dithering.  Strong noise of another kind, once clipped,
    has such pixels too, but they are a small part of it.
    """
    windows = [as_image(window) for window in spread_windows(noisy, _WINDOWS)]
    wrong = np.stack([wrong_pixels(window) for window in windows])
    values = np.stack(windows)
    black, white = np.all(values <= 0, axis=-1), np.all(values >= 1, axis=-1)
    least, most = sorted(_share_out_of_place(extreme, wrong) for extreme in (black, white))
    if least < _LEAST_SHARE or most > _MOST_UNEVEN * least:
        return 0.0, 0.0
    nearly = np.all(values <= _NEARLY, axis=-1), np.all(values >= 1 - _NEARLY, axis=-1)
    if all(
        np.mean(_has_beside(near & ~extreme)[extreme & wrong]) > 0.5
        for extreme, near in zip((black, white), nearly, strict=True)
    ):
        return 0.0, 0.0
    if _are_set(wrong, black, white) or _are_inks(values):
        return 0.0, 0.0
    filled = [_without_wrong(*each)[0] for each in zip(windows, wrong, strict=True)]
    squares = [np.square(new - old).mean() for new, old in zip(filled, windows, strict=True)]
    rest = np.median([estimate_level(window) for window in filled])
    return float(np.sqrt(np.mean(squares))), float(rest)


def _share_out_of_place(extreme: np.ndarray, wrong: np.ndarray) -> float:
    """The share of wrong pixels of one kind, where the picture is not of that kind itself."""
    out_of_place = int(np.count_nonzero(extreme & wrong))
    return out_of_place / max(int(np.count_nonzero(~extreme)) + out_of_place, 1)


def _are_set(wrong: np.ndarray, black: np.ndarray, white: np.ndarray) -> bool:
    """Whether wrong pixels ``(N, H, W)`` are anything but lost at random.

    They are where they keep apart, where those of one kind lie in lines, and where there is hardly
    any pixel but black and white ones.
    """
    if np.mean((_local(wrong) > 0.5) & (_local(black | white) > _NOTHING_ELSE)) > _DOTS:
        return True
    steps = [
        (down, across)
        for down in range(_STEP + 1)
        for across in range(-_STEP, _STEP + 1)
        if (down, across) > (0, 0)
    ]
    if min(excess for excess, _ in pairs_at(wrong, steps)) < -_FEWER:
        return True
    return any(
        excess > _FEWER and times > _IN_LINES
        for kind in (black, white)
        for excess, times in pairs_at(wrong & kind, [(0, 1), (1, 0)])
    )


def _are_inks(values: np.ndarray) -> bool:
    """Whether ``(N, H, W, C)`` are dots of full colours, such as a print's or those of dithering.

    Pixels that are lost turn black or white; here those of other full colours are out of place too.
    """
    full = [values <= 0, values >= 1]
    if np.mean(np.all(full[0] | full[1], axis=-1)) <= _NOTHING_ELSE:
        return False
    dots = 0.0
    for colour in np.ndindex(*(2,) * values.shape[-1]):
        if 0 < sum(colour) < len(colour):
            planes = [full[value][..., channel] for channel, value in enumerate(colour)]
            dots += float(np.mean([_out_of_place(each) for each in np.all(planes, axis=0)]))
    return dots > _DOTS


def _local(marked: np.ndarray) -> np.ndarray:
    """The share around each pixel of ``(N, H, W)`` that is marked."""
    values = marked.astype(np.float32)
    return ndimage.uniform_filter(values, (1, _LOCAL, _LOCAL), mode="mirror")


def pairs_at(marked: np.ndarray, steps: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return how many more pairs of marked pixels there are at each step than at random.

    ``marked`` is ``(N, H, W)``, a step down and across.  In standard deviations, and as how many
    times as many as there would be if each lay at random among those around it.
    """
    share, found = _local(marked), list[tuple[float, float]]()
    for down, across in steps:
        here = np.s_[:, : -down or None, max(0, -across) : min(0, -across) or None]
        there = np.s_[:, down:, max(0, across) : min(0, across) or None]
        expected = float((share[here] * share[there]).sum())
        pairs = np.count_nonzero(marked[here] & marked[there])
        found.append(((pairs - expected) / (expected + 1) ** 0.5, pairs / max(expected, 1)))
    return found


def _has_beside(marked: np.ndarray) -> np.ndarray:
    """Whether a pixel of ``(N, H, W)`` or one of the eight around it is marked."""
    return ndimage.maximum_filter(marked, (1, 3, 3))


def wrong_pixels(noisy: np.ndarray) -> np.ndarray:
    """Return where ``(H, W)`` a pixel is white or black in all channels, and few around it are.

    How many there may be at random follows from their share among pixels without a neighbour of
    the kind, in which a white or black area has no say.
    """
    black, white = np.all(noisy <= 0, axis=-1), np.all(noisy >= 1, axis=-1)
    return _out_of_place(black) | _out_of_place(white)


def _out_of_place(kind: np.ndarray) -> np.ndarray:
    """Return where ``(H, W)`` a pixel is of a kind of which few around it are."""
    lonely = _others_within(kind, 3) == 0
    share = np.mean(kind[lonely]) if lonely.any() else 0
    return kind & (_others_within(kind, 5) <= _most_by_chance(5 * 5 - 1, share))


def bridge(picture: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return ``picture`` with the ``lost`` pixels ``(H, W)`` filled in with the least bending.

    Source:
        The thin plates of Duchon, 1977, doi:10.1007/BFb0086566, on the grid of pixels.
    """
    if not lost.any() or lost.all():
        return picture
    lost = lost[..., np.newaxis]
    filled = _rough_fill(picture, lost)
    residual = -_bending(filled) * lost
    direction, power = residual, np.square(residual).sum(axis=(0, 1))
    for _ in range(_BRIDGING_STEPS):
        change = _bending(direction) * lost
        step = power / np.maximum((direction * change).sum(axis=(0, 1)), 1e-20)
        filled = filled + step * direction
        residual = residual - step * change
        before, power = power, np.square(residual).sum(axis=(0, 1))
        direction = residual + power / np.maximum(before, 1e-20) * direction
    return filled


def spread_windows(picture: np.ndarray, across: int) -> list[np.ndarray]:
    """Return the whole of a small picture, or ``across`` times as many squares of a large one.

    They have ``WINDOW`` pixels a side and are spread evenly.
    """
    height, width = picture.shape[:2]
    if height * width <= (WINDOW * across) ** 2:
        return [picture]
    tops, lefts = (
        np.linspace(0, max(side - WINDOW, 0), across).astype(int) for side in (height, width)
    )
    return [picture[y : y + WINDOW, x : x + WINDOW] for y in tops for x in lefts]


def _others_within(marked: np.ndarray, width: int) -> np.ndarray:
    """How many of the other pixels in a square window are marked."""
    share = ndimage.uniform_filter(marked.astype(np.float32), width, mode="mirror")
    return np.rint(share * width**2) - marked


def _most_by_chance(others: int, share: float) -> int:
    """How many of ``others`` are marked at the most, if ``share`` of all are, at random."""
    chances = bdtrc(np.arange(others + 1), others, share)  # of more than 0, 1, 2, ... of them
    return int(np.argmax(chances <= _MISSED))


def _rough_fill(picture: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Fill lost pixels with a mean of the nearest known ones."""
    known = (~lost).astype(np.float32)
    filled, width = picture * known, 0.5
    left = lost
    # In ever wider surroundings, the share of what is known comes to that of the whole picture.
    enough = min(1e-3, float(known.mean()) / 2)
    while left.any():
        weight = ndimage.gaussian_filter(known, width, axes=(0, 1), mode="mirror")
        mean = ndimage.gaussian_filter(picture * known, width, axes=(0, 1), mode="mirror")
        near = left & (weight > enough)
        filled = np.where(near, mean / np.maximum(weight, enough), filled)
        left = left & ~near
        width *= 2
    return filled


def _bending(picture: np.ndarray) -> np.ndarray:
    return ndimage.correlate(picture, _BENDING, mode="mirror")
