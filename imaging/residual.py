"""What was removed: an honest look at a denoiser's work where no clean picture is known.

The residual, noisy less denoised, should look like noise.  Four questions are put to it.

* Is it more than noise everywhere?  The mean of noise is zero.
* Are neighbouring pixels alike?  The noise of a sensor is not; what a camera has developed and
  stored as JPEG is.
* Does it hold the edges of the picture?  A blur weakens every edge in proportion, so that the
  residual repeats the detail that is left in the denoised picture.  Noise does not know where
  the edges are, however strong it is, and whether or not it depends on brightness or on its
  neighbours.
* Does it repeat itself?  Cloth and grilles do, a few pixels on; noise does not.

What cannot be seen: other texture that was removed without a trace looks like noise to this check.

Pictures are uint8 or float in [0, 1], ``(H, W, 1 or 3)``, of any size.

Source:
    The residual as "method noise": Buades, Coll and Morel, Multiscale Modeling and Simulation
    2005, doi:10.1137/040616024.  Its whiteness as a measure of quality without a reference:
    Almeida and Figueiredo, Parameter Estimation for Blind and Non-Blind Deblurring Using
    Residual Whiteness Measures, IEEE TIP 2013.  The measure of structure is ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from imaging.pixels import strips, to_pixels
from imaging.spectrum import WINDOW, energies, repetition

NOTHING = "nothing removed"
WHITE = "white"
CORRELATED = "correlated"
STRUCTURED = "structured"
PATTERNED = "patterned"
SHIFTED = "shifted"
UNKNOWN = "unknown"

EXPLAIN = {
    NOTHING: "Hardly anything was removed.",
    WHITE: "What was removed looks like pure noise: it contains no edges, and neighbouring pixels "
    "are uncorrelated.",
    CORRELATED: "What was removed looks like noise, but neighbouring pixels are correlated, as in "
    "noise from cameras and JPEG. It contains no edges.",
    STRUCTURED: "Structure was removed with the noise: edges were softened.",
    PATTERNED: "A regular pattern was removed, such as that of cloth or a grille. If it belongs to "
    "the picture, set a lower level.",
    SHIFTED: "More than noise was removed: whole areas became brighter, darker or another colour.",
    UNKNOWN: "The picture is too small to tell whether only noise was removed.",
}

# The limits were set on 12 photos of BSDS500 and ImageNet under Gaussian (15 to 50 of 255),
# Poisson, blurred and JPEG noise, and on the 100 pairs of PolyU, real camera noise.  On 60 other
# photos no such noise was taken for structure, and no Gaussian blur by 1 pixel was missed.

# Root mean square; rounding to 8 bits alone makes 0.29 / 255.
SMALLEST_RMS = 0.5 / 255
# White noise reads 0.02 at most, and 0.1 what our classical filters take of it, but the median
# with 0.24.  Camera noise reads 0.31 to 0.74 in 99 pairs of 100.
LARGEST_CORRELATION = 0.2
# In pixels.  Noise of all kinds reads 0 when it is removed perfectly, JPEG's 0.25 at most; a
# camera picture less the mean of many shots 0.64 at most, as the mean is a little blurred.  A
# Gaussian blur of 0.5 pixels reads 0.41 to 0.6, one of 1 pixel 0.84 to 1.19 with noise or
# without, and from 0.69 in camera pictures, which have few fine edges.
LARGEST_STRUCTURE = 0.65
# A share.  Noise of all kinds reads 0.15 at most, 0.27 in dark photos, where it is clipped; a
# camera picture less the mean of many shots, taken in changing light, 0.66 at most.
LARGEST_SHIFT = 0.7
# What is alike a few pixels on, and less so half-way: noise of all kinds reads 0.13 at most, that
# of film and of what was enlarged included; cloth, twill and grilles that were taken for noise
# read 0.3 to 0.99, a photo of a screen 0.24.
LARGEST_REPETITION = 0.28

# Chance alone must not decide: a pattern counts beyond this many standard errors.
_SIGNIFICANT = 4

# Beyond three by three crops of this side a picture is not looked at.
_CROP = 480
_LOCAL = 11  # Side of the window whose mean is taken out of the residual.
_ROUNDING = 1e-9  # Below this share of the energy is what float32 rounds.
_LAGS = ((0, 1), (1, 0), (1, 1), (1, -1))
_WINDOWS = 64  # in which a repetition is looked for
_EDGE_SHARE, _FLAT_SHARE = 0.2, 0.5
_TILE = 8
_FEWEST_TILES = 12  # Fewer say too little of how much they differ.


@dataclass(frozen=True)
class ResidualCheck:
    """What the residual tells.

    ``shift`` is the share of its energy that whole areas have in common, from 0 to 1, and
    ``correlation`` the strongest one between neighbouring pixels, from -1 to 1, without that.
    ``repetition`` is how much more alike pixels are that are a few apart than those half-way, from
    0 to 1, ``structure`` the width in pixels of the Gaussian blur that would soften edges as much,
    0 where chance may explain it.  ``rms`` is the size of the residual, in units of the full
    range.  ``verdict`` is a key of ``EXPLAIN``.
    """

    shift: float
    correlation: float
    repetition: float
    structure: float
    rms: float
    verdict: str


def check_residual(noisy: np.ndarray, denoised: np.ndarray) -> ResidualCheck:
    """Tell what a denoiser has removed, from its input and its output alone.

    Of a picture beyond 2 megapixels nine crops are looked at, not a reduced picture, since that
    would change what neighbours have in common.

    Raises:
        ValueError: if the pictures are not alike.
    """
    _require_alike(noisy, denoised)
    noisy, denoised = _crops(noisy), _crops(denoised)
    rms, shift, correlation = _energy(noisy, denoised)
    structure = _blur_width(_brightness(noisy), _brightness(denoised))
    repetition = _repetition(noisy, denoised)
    chance = _SIGNIFICANT / np.sqrt(noisy[..., 0].size)
    if rms < SMALLEST_RMS:
        verdict = NOTHING
    elif _count_tiles(noisy) < _FEWEST_TILES:
        verdict = UNKNOWN
    elif repetition > LARGEST_REPETITION:
        verdict = PATTERNED
    elif structure > LARGEST_STRUCTURE:
        verdict = STRUCTURED
    elif shift > LARGEST_SHIFT + chance:
        verdict = SHIFTED
    elif abs(correlation) > LARGEST_CORRELATION + chance:
        verdict = CORRELATED
    else:
        verdict = WHITE
    return ResidualCheck(shift, correlation, repetition, structure, rms, verdict)


def residual_picture(noisy: np.ndarray, denoised: np.ndarray, gain: float) -> np.ndarray:
    """Return what was removed, ``gain`` times as strong, around mid-grey, as ``uint8``.

    Mid-grey: nothing was removed; lighter: the noisy picture was brighter there.

    Raises:
        ValueError: if ``gain`` is not positive, or the pictures are not alike.
    """
    _require_alike(noisy, denoised)
    if not 0 < gain < np.inf:
        raise ValueError(f"gain must be positive, got {gain}")
    picture = np.empty(noisy.shape, np.uint8)
    for rows in strips(*noisy.shape[:2]):
        removed = _unit(noisy[rows])
        removed -= _unit(denoised[rows])
        picture[rows] = to_pixels(removed * np.float32(gain) + np.float32(0.5))
    return picture


def _count_tiles(pictures: np.ndarray) -> int:
    count, height, width = pictures.shape[:3]
    return count * -(-height // _TILE) * -(-width // _TILE)


def _require_alike(noisy: np.ndarray, denoised: np.ndarray) -> None:
    if noisy.shape != denoised.shape or noisy.ndim != 3 or noisy.shape[2] not in (1, 3):
        raise ValueError(
            "the pictures must have one shape (H, W, 1 or 3), "
            f"got {noisy.shape} and {denoised.shape}"
        )
    if 0 in noisy.shape:
        raise ValueError(f"the pictures must have pixels, got {noisy.shape}")


def _unit(picture: np.ndarray) -> np.ndarray:
    """A float32 copy in [0, 1]."""
    if picture.dtype == np.uint8:
        return picture / np.float32(255)
    return picture.astype(np.float32)


def _crops(picture: np.ndarray) -> np.ndarray:
    """The picture as ``(1, H, W, C)``, or crops of a large one as ``(9, h, w, C)``."""
    height, width = picture.shape[:2]
    if height * width <= (3 * _CROP) ** 2:
        return picture[np.newaxis]
    high, wide = min(height, _CROP), min(width, _CROP)
    return np.stack(
        [
            picture[top : top + high, left : left + wide]
            for top in np.linspace(0, height - high, 3, dtype=int)
            for left in np.linspace(0, width - wide, 3, dtype=int)
        ]
    )


def _energy(noisy: np.ndarray, denoised: np.ndarray) -> tuple[float, float, float]:
    """The residual's root mean square, its shift, and its correlation between neighbours."""
    total, products = 0.0, np.zeros(1 + len(_LAGS))
    # Memory that is new costs more than the arithmetic: it is taken once.
    residual, common = np.empty((2, *noisy.shape[:-1]), np.float32)
    for channel in range(noisy.shape[-1]):
        np.subtract(_unit(noisy[..., channel]), _unit(denoised[..., channel]), out=residual)
        total += _sum_of_products(residual, residual)
        # Without what whole areas share: near black, clipped noise has a mean.
        residual -= ndimage.uniform_filter(residual, _LOCAL, output=common, axes=(1, 2))
        products += _lagged_products(residual)
    local, neighbours = products[0], products[1:]
    rms = float(np.sqrt(total / noisy.size))
    if local <= _ROUNDING * total:
        return rms, float(total > 0), 0.0
    correlations = neighbours / local
    return (
        rms,
        float(max(0, 1 - local / total)),
        float(correlations[np.argmax(np.abs(correlations))]),
    )


def _lagged_products(residual: np.ndarray) -> np.ndarray:
    """Sums of the products of pixels with themselves and with their neighbours at each lag."""
    width = residual.shape[2]
    sums = [_sum_of_products(residual, residual)]
    for down, across in _LAGS:
        here = residual[:, : residual.shape[1] - down, max(0, -across) : width - max(0, across)]
        there = residual[:, down:, max(0, across) : width + min(0, across)]
        sums.append(_sum_of_products(here, there))
    return np.array(sums)


def _sum_of_products(here: np.ndarray, there: np.ndarray) -> float:
    """The sum over ``(N, H, W)``: in float32 over a row, which is exact enough, then in float64."""
    return float(np.einsum("nhw,nhw->nh", here, there).sum(dtype=np.float64))


def _brightness(pictures: np.ndarray) -> np.ndarray:
    """The mean of the channels, float32 in [0, 1]."""
    channels = pictures.shape[-1]
    mean = pictures[..., 0].astype(np.float32)
    for channel in range(1, channels):
        mean += pictures[..., channel]
    mean /= np.float32(channels * (255 if pictures.dtype == np.uint8 else 1))
    return mean


def _repetition(noisy: np.ndarray, denoised: np.ndarray) -> float:
    """How much the residual ``(N, H, W, C)`` repeats itself; 0 for less than a window."""
    count, height, width = noisy.shape[:3]
    places = [
        np.s_[crop, top : top + WINDOW, left : left + WINDOW]
        for crop in range(count)
        for top in range(0, height - WINDOW + 1, WINDOW)
        for left in range(0, width - WINDOW + 1, WINDOW)
    ]
    if not places:
        return 0.0
    spread = places[:: -(-len(places) // _WINDOWS)]
    windows = np.stack([_unit(noisy[place]) - _unit(denoised[place]) for place in spread])
    return float(repetition(energies(windows).sum(axis=0, keepdims=True))[0])


def _blur_width(noisy: np.ndarray, denoised: np.ndarray) -> float:
    """The width of the blur that would have removed as much from the edges, in pixels.

    Where the denoised picture has edges, the residual is regressed on its detail, a difference of
    Gaussians.  What flat places show in that regression is noise that is in both; it is taken off.
    The slope of a Gaussian blur turns out to be the square of its width: of 0.5, 0.7, 1 and 1.5
    pixels it is 0.26, 0.55, 1.02 and 1.99 in the median photo, whatever the noise.
    """
    residual, smooth, detail = np.empty((3, *noisy.shape), np.float32)
    np.subtract(noisy, denoised, out=residual)
    _gaussian(denoised, 2, smooth)
    _gaussian(denoised, 1, detail)
    detail -= smooth
    steepness = _steepness(smooth)
    # Near black and white noise was clipped, which weakens the contrast of the noisy picture.
    margin = min(1.5 * (_sum_of_products(residual, residual) / residual.size) ** 0.5, 0.25)
    inside = (smooth > margin) & (smooth < 1 - margin)
    if np.mean(inside) < 0.05:
        inside = np.ones_like(inside)
    flat_below, edge_above = np.quantile(steepness[inside], (_FLAT_SHARE, 1 - _EDGE_SHARE))
    flat, edge = inside & (steepness <= flat_below), inside & (steepness > edge_above)
    residual -= np.mean(residual, where=inside)
    both = np.multiply(residual, detail, out=residual)
    own = np.square(detail, out=detail)
    for product in (both, own):
        product -= np.mean(product, where=flat)
        product *= edge
    both, own = _tile_sums(both), _tile_sums(own)
    if np.sum(own) <= 0 or np.count_nonzero(own) < _FEWEST_TILES:
        return 0.0
    slope = np.sum(both) / np.sum(own)
    # Of a ratio of sums over tiles that hardly know of each other.
    error = np.sqrt(np.sum(np.square(both - slope * own))) / np.sum(own)
    return float(np.sqrt(slope)) if slope > _SIGNIFICANT * error else 0.0


def _gaussian(pictures: np.ndarray, width: float, blurred: np.ndarray) -> None:
    """Write pictures ``(N, H, W)``, blurred, into ``blurred``."""
    ndimage.gaussian_filter(
        pictures, width, output=blurred, axes=(1, 2), mode="nearest", truncate=3
    )


def _steepness(pictures: np.ndarray) -> np.ndarray:
    """The length of the gradient of ``(N, H, W)`` by Sobel's operator; an edge is mirrored."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    down = padded[:, 2:] - padded[:, :-2]
    across = padded[..., 2:] - padded[..., :-2]
    middle_down, middle_across = down[..., 1:-1], across[:, 1:-1]
    down = down[..., :-2] + middle_down + middle_down + down[..., 2:]
    across = across[:, :-2] + middle_across + middle_across + across[:, 2:]
    return np.hypot(down, across, out=down)


def _tile_sums(pictures: np.ndarray) -> np.ndarray:
    rows, columns = (range(0, side, _TILE) for side in pictures.shape[1:])
    by_rows = np.add.reduceat(pictures, rows, axis=1, dtype=np.float64)
    return np.add.reduceat(by_rows, columns, axis=2)
