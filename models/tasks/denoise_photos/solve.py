"""How a photo of any size is denoised: colour or grey, any level of noise, lost pixels filled in.

The same call as that of the classical filters; without a level the noise is read from the picture,
how strong it is and where.
"""

from functools import partial

import numpy as np

from imaging.impulses import impulse_levels, map_of_levels, without_impulses
from imaging.pixels import to_image, to_pixels
from imaging.strips import rms_pixels
from models.tasks.contract import Network, Watch
from models.tasks.denoise_photos.bound import bounded
from models.tasks.denoise_photos.inks import with_two_inks
from models.tasks.denoise_photos.level import (
    NOTHING,
    ROUNDED,
    AsFound,
    beside_even,
    enlarged,
    evened,
    inside,
    is_read_in_places,
    read_level,
    read_map,
    spread,
)
from models.tasks.denoise_photos.repeats import with_patterns
from models.tiles import TILE_PIXELS, Work, in_tiles

# Lost pixels are filled in where they make this share of the level, and more than other noise
# does; other noise that has less than the second share is taken for the picture's own texture.
_MADE_BY_IMPULSES, _NOTHING_ELSE = 0.5, 0.35
# A network sees where a picture ends; in a narrow one both ends are near, so they are moved away.
NARROW, FARTHER = 128, 3  # pixels, times as far
STRONGEST = 0.5  # A network is told no higher level than this: it was trained up to there.


def solve(
    network: Network,
    noisy: np.ndarray,
    sigma: float | None = None,
    watch: Watch | None = None,
    tile_pixels: int = TILE_PIXELS,
) -> np.ndarray:
    """Denoise one picture, ``float32`` in [0, 1] or of 8 or 16 bits, ``(H, W, 1 or 3)``.

    The result has the type and shape of the picture and is clipped to [0, 1].  ``sigma`` is the
    standard deviation of the noise, in units of the full range, alike everywhere unless it is
    ``AsFound``; at 0, and where none is found, the picture comes back as it is.  Grey stays grey;
    where the noise is read from the picture, a border of one value stays too.  ``watch`` is told of
    progress, as in ``in_tiles``.

    Where much of the noise is white and black pixels out of place, as in salt-and-pepper, these are
    filled in and the network is told where; if they are all of it, no other pixel is changed.

    Raises:
        ValueError: if shape, type or sigma make no sense.
    """
    if noisy.ndim != 3 or noisy.shape[2] not in (1, 3) or 0 in noisy.shape:
        raise ValueError(f"expected a picture of shape (H, W, 1 or 3), got {noisy.shape}")
    if noisy.dtype == np.uint16:
        denoised = solve(network, to_image(noisy), sigma, watch, tile_pixels)
        return to_pixels(denoised, np.uint16)
    if sigma is not None and not sigma >= 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    if noisy.shape[2] == 3 and _is_grey(noisy):
        one = solve(network, noisy[..., :1], sigma, watch, tile_pixels)
        return np.repeat(one, 3, axis=2)
    work = _work(network, noisy, sigma)
    within = np.s_[:, :] if _is_even(network, noisy, sigma) else inside(noisy)
    margin = network.multiple * (FARTHER if min(noisy[within].shape[:2]) < NARROW else 1)
    denoised = in_tiles(noisy[within], work, watch, network.multiple, tile_pixels, margin)
    if denoised.shape == noisy.shape:
        return denoised
    bordered = noisy.copy()
    bordered[within] = denoised
    return bordered


def _work(network: Network, noisy: np.ndarray, sigma: float | None) -> Work:
    """Choose what is done with each tile of the picture."""
    if sigma == 0:
        return lambda tile: tile
    impulses, rest = impulse_levels(noisy)
    if impulses:
        level = impulses if sigma is None else sigma
        if impulses >= max(rest, _MADE_BY_IMPULSES * level):
            if sigma is None:
                return partial(_mend, network, level=min(rest, STRONGEST) * (rest >= NOTHING))
            return _mending(network, level, impulses, rest)
    if sigma is not None and _is_even(network, noisy, sigma):
        return _evenly(network, sigma)
    if isinstance(sigma, AsFound) and sigma.found is not None:
        found, even = sigma.found, sigma.even
    else:
        found = read_level(network, noisy)
        even = found.even
    wanted = found if sigma is None else sigma
    if wanted < ROUNDED:
        return lambda tile: tile
    if even or _is_even(network, noisy, sigma):
        return _evenly(network, wanted)
    work = partial(_as_found, network, found=found, wanted=wanted)
    # Who asks for more or less than was read is obeyed everywhere.
    return work if wanted != found else lambda tile: with_patterns(tile, work(tile))


def _evenly(network: Network, level: float) -> Work:
    even = np.float32(min(level, STRONGEST))
    return lambda tile: _remove(network, tile, np.full((*tile.shape[:2], 1), even))


def _is_even(network: Network, noisy: np.ndarray, sigma: float | None) -> bool:
    """Whether the network is told of one level for all places, not one for each."""
    told = sigma is not None and not isinstance(sigma, AsFound)
    return told or not is_read_in_places(network, noisy)


def _mending(network: Network, sigma: float, impulses: float, rest: float) -> Work:
    # Told of more than the lost pixels account for, it smooths the others by the difference.
    rest = max(min(rest, sigma), max(sigma**2 - impulses**2, 0) ** 0.5)
    rest = min(rest, STRONGEST) if rest > _NOTHING_ELSE * sigma else 0.0
    return partial(_mend, network, level=rest)


def _as_found(network: Network, tile: np.ndarray, found: float, wanted: float) -> np.ndarray:
    """Denoise with the levels that are read from the tile, made to fit the level ``wanted``."""
    cells = bounded(read_map(network, tile), tile)
    cells = evened(beside_even(cells, tile, found), found)
    cells = spread(cells, found, wanted)
    return _remove(network, tile, enlarged(np.minimum(cells, STRONGEST), *tile.shape[:2]))


def _remove(network: Network, tile: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return with_two_inks(tile, _run(network, tile, levels), levels)


def _mend(network: Network, tile: np.ndarray, level: float) -> np.ndarray:
    """Fill lost pixels in and denoise; where ``level`` is 0, leave the others alone."""
    filled, lost = without_impulses(tile)
    denoised = _run(network, filled, map_of_levels(lost, level))
    return denoised if level else np.where(lost[..., np.newaxis], denoised, tile)


def _run(network: Network, tile: np.ndarray, levels: np.ndarray) -> np.ndarray:
    height, width, channels = tile.shape
    missing = [(0, -side % network.multiple) for side in (height, width)]
    padded, levels = (np.pad(each, (*missing, (0, 0)), mode="reflect") for each in (tile, levels))
    if channels == 1:
        padded = np.repeat(padded, 3, axis=2)
    denoised = network(image=padded[None], level=levels[None])[0]
    denoised = denoised[:height, :width]
    return denoised if channels == 3 else denoised.mean(axis=2, keepdims=True)


def _is_grey(picture: np.ndarray) -> bool:
    first = picture[..., 0]
    return all(np.array_equal(first, picture[..., other]) for other in (1, 2))


def level_of(noise: str, strength: float, clean: np.ndarray, noisy: np.ndarray) -> float:
    """Return the level to tell of noise that was added, in units of the full range.

    Both are pixels ``(H, W, C)``.  Only Gaussian noise is alike everywhere.
    """
    return strength if noise == "gaussian" else AsFound(rms_pixels(clean, noisy))
