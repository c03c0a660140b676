"""Reads how strong the noise of a photo is, and where, with a small network.

White noise is read by ``imaging.noise_level`` too, without a network.  Noise that went through a
camera, was enlarged, or saved as a JPEG is alike in neighbouring pixels, where that sees nothing.
"""

import numpy as np
from scipy import ndimage

from imaging.impulses import impulse_levels
from imaging.noise_level import estimate_level, is_drawn, variance_kept
from imaging.pixels import as_image, to_image
from imaging.specks import speck_level
from models.tasks.contract import Network
from models.tasks.denoise_photos.bound import bounded
from models.tiles import spans

PART = "level"  # The file of the small network beside the large one's.
# Of a strip, the network sees little but mirror images, and reads next to nothing.
_NARROWEST = 4  # pixels
SMALLER = 16  # The sides of a picture over those of its map of levels.
SIDE = 1024  # of a tile, in pixels
MARGIN = 32  # Mirrored pixels around a picture: the network sees where it ends.
# A level below it is seen by nobody, and may be read in a clean picture.
NOTHING = 1.5 / 255
# Less noise than rounding to 8 bits makes is none; a network may still harm fine patterns there.
ROUNDED = 0.29 / 255
# Where both readings agree as well as this, the noise is white, and the other one is the surer.
_AGREE = 0.25
# Places whose levels are read within this factor of each other may well have the same.
_APART = 1.15
# Too little is read in a square of cells of this side around an even one.
_BESIDE = 5
# A cell is drawn where half of it is paper, of one value, and of the rest this share as far from it
# as ink; noise that was clipped lies nearer.  Where few neighbours are alike it is not looked at.
_INK, _MOSTLY_INK, _ALIKE = 48 / 255, 0.7, 0.4
# Fine detail that is this many times as strong as the noise's is the picture's.
_DRAWN_DETAIL = 2


class AsFound(float):
    """A level of noise that lies as it is read from the picture, here more, there less.

    ``found`` is the level that was read from it, None where that was not done: whoever denoises it
    then need not read it again.  Specks lie everywhere, and their level is ``even``.
    """

    found: float | None
    even: bool

    def __new__(cls, level: float, found: float | None = None, even: bool = False) -> "AsFound":
        """Return ``level``, in units of the full range."""
        self = super().__new__(cls, level)
        self.found, self.even = found, even
        return self


def in_place_of(known: float, level: float) -> float:
    """Return ``level``, alike everywhere or as it is found like the one that is ``known``."""
    return AsFound(level, known.found, known.even) if isinstance(known, AsFound) else level


def read_level(network: Network, noisy: np.ndarray) -> AsFound:
    """Return the root mean square of the noise, in units of the full range, as it is found.

    ``noisy`` is of 8 or 16 bits or ``float32``, ``(H, W, 1 or 3)``.  Areas of a single value, as a
    border is, do not count.  Of white noise it is the standard deviation before it was clipped.  A
    network without the small one beside it is told what ``imaging.noise_level`` reads, and so is
    any of a narrow strip.  In a drawing that has no lost pixels there is none.  Specks that are not
    quite white and black pixels make more than what else there is, or do not count.
    """
    if noisy.dtype == np.uint16:
        noisy = to_image(noisy)
    level, of_specks = _read(network, noisy), speck_level(noisy)
    if of_specks > level and not impulse_levels(noisy)[0]:
        return AsFound(of_specks, of_specks, even=True)
    return AsFound(level, level)


def is_read_in_places(network: Network, noisy: np.ndarray) -> bool:
    """Whether the level of noise is read at each place of ``(H, W, C)``, not one for all."""
    return PART in network.parts and min(noisy.shape[:2]) >= _NARROWEST


def _read(network: Network, noisy: np.ndarray) -> float:
    if is_drawn(noisy) and not impulse_levels(noisy)[0]:
        return 0.0
    noisy = noisy[inside(noisy)]
    white = estimate_level(noisy)
    if not is_read_in_places(network, noisy):
        return white
    squares, expected, count = 0.0, 0.0, 0
    height, width = noisy.shape[:2]
    for top, bottom in spans(height, SIDE, SMALLER):
        for left, right in spans(width, SIDE, SMALLER):
            tile = noisy[top:bottom, left:right]
            cells = bounded(read_map(network, tile), as_image(tile))
            uneven = _uneven(tile)
            cells = cells[uneven]
            squares, count = squares + float(np.square(cells).sum()), count + cells.size
            expected += float(_white_after_clipping(tile, white)[uneven].sum())
    read, expected = (float(np.sqrt(each / max(count, 1))) for each in (squares, expected))
    # What is read lies anywhere between the level before clipping and what is left after it.
    agrees = white > (1 - _AGREE) * read and expected < (1 + _AGREE) * read
    return white if agrees else read


def inside(picture: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of ``(H, W, C)`` within a border of lines of one value each.

    A network that sees noise beside a border reads and removes too little of it.  Of a picture
    that has nothing else, all are returned.
    """
    rows = _uneven_lines(picture)
    columns = _uneven_lines(picture[rows].swapaxes(0, 1))
    return rows, columns


def _uneven_lines(lines: np.ndarray) -> slice:
    places = range(len(lines))
    first, last = (
        next((place for place in order if np.any(lines[place] != lines[place][0])), None)
        for order in (places, reversed(places))
    )
    return slice(None) if first is None or last is None else slice(first, last + 1)


def read_map(network: Network, tile: np.ndarray) -> np.ndarray:
    """Return a map of levels ``(h, w)``, one for 16x16 pixels of ``(H, W, 1 or 3)``.

    These are of 8 bits or ``float32``.
    """
    missing = [(MARGIN, MARGIN + -side % SMALLER) for side in tile.shape[:2]]
    padded = as_image(np.pad(tile, (*missing, (0, 0)), mode="reflect"))
    if tile.shape[2] == 1:
        padded = np.repeat(padded, 3, axis=2)
    cells = network.parts[PART](image=padded[np.newaxis])[0, ..., 0]
    cells = ndimage.uniform_filter(np.maximum(cells, 0), 3, mode="nearest")
    edge = MARGIN // SMALLER
    return cells[edge:-edge, edge:-edge]


def _white_after_clipping(tile: np.ndarray, level: float) -> np.ndarray:
    """Return the variance ``(h, w)`` that white noise of ``level`` has in 16x16 pixels of a tile.

    It has less where some of it was clipped; in a picture that leaves [0, 1] none was.
    """
    # The rows first, which is all columns at once.
    means = _blocks(tile).mean(axis=1, dtype=np.float32).mean(axis=2)
    if tile.dtype == np.uint8:
        means /= 255
    elif tile.min() < 0 or tile.max() > 1:
        return np.full(means.shape[:2], level**2)
    kept = variance_kept(means, level) if level else 1
    return level**2 * np.broadcast_to(kept, means.shape).mean(axis=2)


def _blocks(tile: np.ndarray) -> np.ndarray:
    """A tile as ``(h, 16, w, 16, C)``, its last rows and columns repeated where needed."""
    padded = np.pad(tile, (*((0, -side % SMALLER) for side in tile.shape[:2]), (0, 0)), "edge")
    height, width, channels = padded.shape
    return padded.reshape(height // SMALLER, SMALLER, width // SMALLER, SMALLER, channels)


def _uneven(tile: np.ndarray) -> np.ndarray:
    """Whether a cell ``(h, w)`` of 16x16 pixels, and each next to it, may be noisy.

    The others are of a border, clipped or drawn: whatever noise the picture has, there is none in
    them, and less is read beside them.  Where no cell is far enough from these, all that may be.
    """
    uneven = _may_be_noisy(tile)
    far = ndimage.minimum_filter(uneven, 3, mode="nearest")
    return far if far.any() else uneven


def _may_be_noisy(tile: np.ndarray) -> np.ndarray:
    """Whether a cell ``(h, w)`` has two values or more, and is not drawn on even paper."""
    blocks = _blocks(tile)
    uneven = (blocks != blocks[:, :1, :, :1]).any(axis=(1, 3, 4))
    alike = (tile[:, 1:] == tile[:, :-1]).all(axis=2, keepdims=True)
    alike = np.pad(alike, ((0, 0), (0, 1), (0, 0)), "edge")
    still = uneven & (_blocks(alike).mean(axis=(1, 3, 4), dtype=np.float32) > _ALIKE)
    cells = np.moveaxis(blocks, 2, 1)[still].reshape(-1, SMALLER**2, tile.shape[2])
    if len(cells):
        paper = np.median(cells, axis=1, keepdims=True)
        from_paper = np.abs(cells - paper).max(axis=2)
        others, ink = from_paper > 0, from_paper >= _INK * (255 if tile.dtype == np.uint8 else 1)
        drawn = others.mean(axis=1) <= 0.5
        drawn &= ink.sum(axis=1) >= _MOSTLY_INK * others.sum(axis=1)
        uneven[still] = ~drawn
    return uneven


def beside_even(cells: np.ndarray, tile: np.ndarray, level: float) -> np.ndarray:
    """Return a map ``(h, w)`` with more beside even and drawn areas, where too little is read.

    How much of ``level`` there is follows from the fine detail there and far from these areas.
    Detail that is much stronger is of the picture, such as text on even paper.
    """
    uneven = _may_be_noisy(tile)
    far = ndimage.minimum_filter(uneven, _BESIDE, mode="nearest")
    near = uneven & ~far
    if not near.any() or not far.any():
        return cells
    detail = np.moveaxis(_blocks(np.abs(_fine(tile))), 2, 1)
    elsewhere = _typical(detail[far].reshape(1, -1))
    share = _typical(detail[near].reshape(np.count_nonzero(near), -1)) / np.maximum(elsewhere, 1e-9)
    lifted = cells.copy()
    there = level * np.where(share < _DRAWN_DETAIL, np.minimum(share, 1), 0)
    lifted[near] = np.maximum(cells[near], there)
    return lifted


def _fine(tile: np.ndarray) -> np.ndarray:
    """How each pixel ``(H, W, C)`` differs from a saddle through those around it."""
    bends = ndimage.convolve1d(tile, [1, -2, 1], axis=0, mode="reflect")
    return ndimage.convolve1d(bends, [1, -2, 1], axis=1, mode="reflect")


def _typical(detail: np.ndarray) -> np.ndarray:
    """The median ``(N,)`` of those among ``(N, D)`` that are not 0; 0 where all are."""
    places = np.sort(detail, axis=1)
    there = np.count_nonzero(detail, axis=1)
    middle = np.minimum(detail.shape[1] - there + there // 2, detail.shape[1] - 1)
    return np.take_along_axis(places, middle[:, np.newaxis], axis=1)[:, 0]


def evened(cells: np.ndarray, level: float) -> np.ndarray:
    """Return a map ``(h, w)`` that has ``level`` where what was read may be meant to be it.

    What was read as far above it or below comes nearer.  Of a picture of ``level`` 0, what was
    read anywhere is an error.
    """
    if level == 0:
        return np.zeros_like(cells)
    return np.minimum(np.maximum(cells / _APART, np.float32(level)), cells * _APART)


def spread(cells: np.ndarray, found: float, wanted: float) -> np.ndarray:
    """Return a map ``(h, w)`` whose level was ``found`` as one of the level ``wanted``.

    Where next to nothing was found, little is known of where the noise is, and the map is even.
    A higher level is a higher one everywhere.
    """
    scaled = (cells + NOTHING) * ((wanted + NOTHING) / (found + NOTHING)) - NOTHING
    return np.maximum(scaled, 0).astype(np.float32)


def enlarged(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map ``(h, w)`` with a value for each pixel ``(height, width, 1)``, bilinear."""
    for axis, length in enumerate((height, width)):
        last = cells.shape[axis] - 1
        place = np.clip((np.arange(length, dtype=np.float32) + 0.5) / SMALLER - 0.5, 0, last)
        before = place.astype(int)
        share = np.expand_dims(place - before, 1 - axis)
        after = np.minimum(before + 1, last)
        cells = np.take(cells, before, axis) * (1 - share) + np.take(cells, after, axis) * share
    return cells[..., np.newaxis].astype(np.float32)
