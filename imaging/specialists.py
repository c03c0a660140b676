"""Specialists: classical filters that each know one kind of noise, the fair rivals of a network.

They keep the contract of ``imaging.filters``, so that a comparison treats all alike.  Each is
made for one kind of ``imaging.noise.PHOTO_NOISE_KINDS`` on photos, clipped to [0, 1] and stored
in 8 bits, and promises nothing under another.  What they need to know beyond ``sigma`` they read
off the picture; without ``sigma`` they hardly do worse.

Tried and left out, as it did less on training photos: the filter of Lee (IEEE TPAMI 1980,
doi:10.1109/TPAMI.1980.4766994) for speckle, 1.5 to 4 dB behind; a median of the good pixels for
salt-and-pepper, 2 dB; non-local means and total variation in place of the wavelet, 1 to 2 dB;
JPEG itself at every shift (Nosratinia), 0.1 to 0.2 dB.

Pictures are ``(H, W, C)``, ``float32`` in [0, 1], as for the classical filters.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.fft import dct
from scipy.special import ndtri

from imaging import noise
from imaging.filters import Classical, _by_opponent_colours, estimate_sigma, wavelet
from imaging.impulses import without_impulses
from imaging.named import by_name
from imaging.noise_level import estimate_level
from imaging.pixels import as_image, strips

# Strengths and grey levels for which the effect of a noise is worked out, each from equally
# likely outcomes.
_STRENGTHS = np.geomspace(0.002, 2, 31)
_GREYS = np.linspace(0, 1, 129) ** 2
_OUTCOMES = 256
# The width in pixels of the blur that leaves the brightness without the noise, and how far it sees.
_SMOOTHED, _REACH = 2, 8

# Of the 64 ways to place blocks of 8x8 pixels, sixteen that are spread evenly.
_SHIFTS = [(row, (3 * row + 4 * half) % 8) for row in range(8) for half in range(2)]
# Every fifth pixel of a disk, for colours, which vary little and which JPEG stores coarsely.
_NEARBY = [
    (down, right)
    for down in range(-8, 9)
    for right in range(-8, 9)
    if 0 < down**2 + right**2 <= 65 and (down + 2 * right) % 5 == 0
]
# Details below this share of JPEG's step are left out.
_CUT = 0.3
# Blocks from which the quality of a JPEG is read.
_BLOCKS = 1000
_COSINES = dct(np.eye(8), axis=0, norm="ortho").astype(np.float32)
_FREQUENCY = np.add.outer(np.arange(8), np.arange(8))
# What rounding to 8 bits does to a detail, and the evidence, a logarithm, that is enough.
_ROUNDING, _CERTAIN = 0.4, 20
# Brightness and two colour differences, as JPEG stores them.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


@dataclass(frozen=True)
class Specialist(Classical):
    """A classical filter for the ``kind`` of noise of that name; ``find_sigma`` knows it too.

    ``law`` is that of a noise of one strength, whose level depends on the brightness.
    """

    kind: str
    find_sigma: Callable[[np.ndarray], float] = estimate_sigma
    law: "_Law | None" = None

    def denoise(self, noisy: np.ndarray, sigma: float | None = None) -> np.ndarray:
        """Return ``noisy`` with less of its noise, under the contract of ``Classical``."""
        if sigma is None:
            sigma = self.find_sigma(np.ascontiguousarray(noisy, np.float32))
        return super().denoise(noisy, sigma)

    def fitted_to(self, picture: np.ndarray) -> Classical:
        """Return the filter for tiles: dark ones have less noise than the level of the whole."""
        if self.law is None:
            return self
        levels = _levels(picture, self.law)
        return replace(self, smooth=partial(_smooth_evenly, law=self.law, levels=levels))


def switching(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Replace the pixels that are out of place, white or black, and leave all others alone.

    ``sigma`` is not used.

    Source:
        Sun and Neuvo, Pattern Recognition Letters 15, 1994, pages 341 to 347, who put a median
        in place of a wrong pixel.
    """
    return without_impulses(noisy)[0]


def anscombe(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Take the root of photon counts, whose noise is then even, smooth it and undo the root.

    Source:
        Anscombe, Biometrika 1948, doi:10.1093/biomet/35.3-4.246; the unbiased way back of
        Makitalo and Foi, IEEE TIP 2011, doi:10.1109/TIP.2010.2056693.
    """
    return _smooth_evenly(noisy, sigma, _POISSON)


def log_wavelet(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Take a logarithm, which makes of factors an even noise, smooth it and undo the logarithm.

    Near black, where noise factors hardly matter, the curve becomes a straight line.

    Source:
        Arsenault and April, JOSA 1976, doi:10.1364/JOSA.66.001160.
    """
    return _smooth_evenly(noisy, sigma, _SPECKLE)


def shifted_blocks(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Leave weak details out of blocks of 8x8 pixels, placed in sixteen ways; take the mean.

    A block of few details counts more.  What is weak follows from JPEG's steps, those of the
    quality that the picture was stored with; where none shows, of one that errs by ``sigma``.
    Colours, which JPEG stores more coarsely, take their shape from the brightness.

    Source:
        Nosratinia, J. VLSI Signal Processing 27, 2001, pages 69 to 79, who rounds details in
        place of leaving some out; weights as in Foi, Katkovnik and Egiazarian, IEEE TIP 2007,
        doi:10.1109/TIP.2007.891788; colours: Kopf et al., SIGGRAPH 2007,
        doi:10.1145/1276377.1276497.
    """
    quality: float | None = jpeg_quality(noisy)
    if quality is None:
        quality = float(np.interp(sigma, _errors_by_quality(noisy)[::-1], np.arange(100, 0, -1)))
    tables, finer = _step_tables(), min(int(quality), 99)
    share = quality - finer
    brightness_steps = (1 - share) * tables[finer - 1] + share * tables[finer]
    if noisy.shape[-1] != 3:
        return _without_weak_details(noisy[..., 0] * 255, brightness_steps)[..., np.newaxis] / 255
    brightness, *colours = _planes(noisy @ (255 * _TO_YCC.T))
    brightness = _without_weak_details(brightness, brightness_steps)
    colours = _mean_of_alike(brightness, *colours, width=np.mean(brightness_steps[:3, :3]) / 4.5)
    return np.stack([brightness, *colours], axis=-1) @ np.linalg.inv(255 * _TO_YCC.T)


def jpeg_quality(picture: np.ndarray) -> int | None:
    """Return the quality, 1 to 100, at which a picture was last stored as JPEG, None if unseen.

    It shows in the brightness: the details of blocks of 8x8 pixels are multiples of steps.  The
    blocks are looked for from the upper left corner on, and the steps are those of libjpeg.

    Source:
        Fan and de Queiroz, IEEE TIP 2003, doi:10.1109/TIP.2002.807361.
    """
    brightness = _brightness(picture)
    rows, columns = (side // 8 * 8 for side in brightness.shape)
    if rows == 0 or columns == 0:
        return None
    details = _details(brightness[:rows, :columns])
    clipped = np.any((picture <= 0) | (picture >= 1), axis=-1)[:rows, :columns]
    whole = ~clipped.reshape(rows // 8, 8, -1, 8).any(axis=(1, 3))
    details = _some_of(np.moveaxis(details, 1, 2)[whole])
    # Blocks that are even anyway say nothing, and their mean says little.
    block, row, column = np.nonzero((np.abs(details) >= 1) & (_FREQUENCY > 0))
    details = details[block, row, column]
    evidence = []
    for steps in _step_tables():
        step = steps[row, column]
        off = details - step * np.rint(details / step)
        bell = np.exp(-np.square(off / _ROUNDING) / 2) / (_ROUNDING * np.sqrt(2 * np.pi))
        # How much more likely than if all values between two multiples were.
        evidence.append(np.log(0.05 + 0.95 * step * bell).sum())
    return int(np.argmax(evidence)) + 1 if max(evidence) > _CERTAIN else None


@dataclass(frozen=True)
class _Law:
    """A noise that depends on brightness, and the curve after which it does not.

    ``curve(value, strength)`` rises, and behind it the noise has the standard deviation
    ``strength`` wherever it is not clipped.
    """

    corrupt: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    curve: Callable[[np.ndarray, float], np.ndarray]

    def outcomes(self, strength: float) -> np.ndarray:
        """Return what becomes of each of ``_GREYS``, clipped, ``(greys, outcomes)``."""
        clean = np.repeat(_GREYS[:, np.newaxis].astype(np.float32), _OUTCOMES, axis=1)
        return np.clip(self.corrupt(clean, strength, _EvenlySpread()), 0, 1)

    def evened(self, picture: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
        """Return the picture behind the curve, scaled to [0, 1], and the noise level it has."""
        black, white = self.curve(np.array([0, 1], np.float32), strength)
        even = (self.curve(picture, strength) - black) / (white - black)
        return even.astype(np.float32), float(strength / (white - black))


class _EvenlySpread:
    """Stands in for a random generator: normal numbers at equally likely quantiles, in order."""

    def standard_normal(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        quantiles = ndtri((np.arange(shape[-1]) + 0.5) / shape[-1])
        return np.broadcast_to(quantiles.astype(dtype), shape)


_POISSON = _Law(
    noise.poisson, lambda value, grain: 2 * np.sqrt(np.maximum(value, 0) + 3 / 8 * grain**2)
)
# Dark pixels are scattered by less than the logarithm makes of it, the more so the stronger the
# noise: the curve bends later.
_SPECKLE = _Law(noise.speckle, lambda value, sigma: np.arcsinh(value / (0.15 + 0.35 * sigma)))


def _smooth_evenly(
    noisy: np.ndarray, sigma: float, law: _Law, levels: np.ndarray | None = None
) -> np.ndarray:
    """Smooth behind the curve of ``law``, and undo the curve and what clipping did to the mean.

    ``levels`` are those of the picture that has the level ``sigma``, if ``noisy`` is a tile of it.
    """
    levels = _levels(noisy, law) if levels is None else levels
    strength = np.interp(sigma, levels, np.append(0, _STRENGTHS))
    even, level = law.evened(noisy, strength)
    means = law.evened(law.outcomes(strength), strength)[0].mean(axis=1, dtype=np.float64)
    # The smallest slope keeps the means rising where all outcomes are clipped.
    rising = np.maximum.accumulate(means) + 1e-9 * np.arange(len(means))
    # Plane by plane, which takes a third of the memory.
    smooth = _by_opponent_colours(
        even,
        lambda planes: np.dstack([wavelet(p[..., None], level) for p in _planes(planes)]),
    )
    return np.interp(smooth, rising, _GREYS)


def _find_sigma(noisy: np.ndarray, law: _Law) -> float:
    """The noise level of a picture under a law of unknown strength."""
    strength = 0.1
    for _ in range(2):
        even, level = law.evened(noisy, strength)
        found = estimate_level(even, partial(_variance_kept, law=law, strength=strength))
        strength *= found / level
        if strength == 0:
            return 0.0
    return float(np.interp(strength, np.append(0, _STRENGTHS), _levels(noisy, law)))


def _variance_kept(mean: np.ndarray, level: float, law: _Law, strength: float) -> np.ndarray:
    """What ``noise_level.variance_kept`` is, behind the curve that ``law`` has at ``strength``.

    In dark places the curve may leave less noise than elsewhere, which counts too.
    """
    _, level_at_strength = law.evened(_GREYS, strength)
    outcomes, _ = law.evened(law.outcomes(level / level_at_strength * strength), strength)
    rising = np.maximum.accumulate(outcomes.mean(axis=1))
    return np.interp(mean, rising, outcomes.var(axis=1) / level**2)


def _planes(picture: np.ndarray) -> np.ndarray:
    return np.moveaxis(picture, -1, 0)


def _levels(noisy: np.ndarray, law: _Law) -> np.ndarray:
    """The noise level that the picture would have at a strength of 0 and at ``_STRENGTHS``."""
    counts = np.zeros(256)
    for rows in strips(*noisy.shape[:2]):
        # A few rows more on either side, so that all are smoothed as in the whole picture.
        top = max(rows.start - _REACH, 0)
        near = as_image(noisy[top : rows.stop + _REACH])
        smooth = ndimage.gaussian_filter(near, _SMOOTHED, axes=(0, 1), mode="mirror")
        smooth = smooth[rows.start - top : rows.stop - top]
        counts += np.histogram(smooth, len(counts), (0, 1))[0]
    greys = (np.arange(len(counts)) + 0.5) / len(counts)
    errors = [
        np.average(np.interp(np.interp(greys, means, _GREYS), _GREYS, squares), weights=counts)
        for means, squares in zip(*_effects(law), strict=True)
    ]
    return np.append(0, np.maximum.accumulate(np.sqrt(errors)))


@cache
def _effects(law: _Law) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean squared error that a law makes of each grey, ``(strengths, greys)``."""
    outcomes = [law.outcomes(strength).astype(np.float64) for strength in _STRENGTHS]
    means = [np.maximum.accumulate(each.mean(axis=1)) for each in outcomes]
    squares = [np.square(each - _GREYS[:, np.newaxis]).mean(axis=1) for each in outcomes]
    return np.stack(means), np.stack(squares)


def _without_weak_details(plane: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The mean of ``plane`` (H, W) over all shifts, details below a share of ``steps`` left out."""
    height, width = plane.shape
    rows, columns = (-(-side // 8) * 8 + 8 for side in plane.shape)
    padded = np.pad(plane, ((8, rows - height), (8, columns - width)), mode="symmetric")
    total, weights = np.zeros((2, height, width), np.float32)
    least = (_CUT * steps[:, np.newaxis, :]).astype(np.float32)
    for down, right in _SHIFTS:
        details = _details(padded[down : down + rows, right : right + columns])
        kept = np.abs(details) > least
        kept[:, 0, :, 0] = True
        weight = 1 / kept.sum(axis=(1, 3), dtype=np.float32)
        details *= kept
        details *= weight[:, np.newaxis, :, np.newaxis]
        inside = slice(8 - down, 8 - down + height), slice(8 - right, 8 - right + width)
        total += _from_details(details)[inside]
        weights += np.repeat(np.repeat(weight, 8, axis=0), 8, axis=1)[inside]
    return total / weights


def _mean_of_alike(
    brightness: np.ndarray, first: np.ndarray, second: np.ndarray, width: float
) -> list[np.ndarray]:
    """The means of two colour planes over pixels nearby that differ little in all three planes.

    What differs by ``width`` in brightness, or twice as much in a colour, counts 0.6.
    """
    rows, columns = brightness.shape
    scaled = np.stack([brightness / width, first / (2 * width), second / (2 * width)])
    padded = np.pad(scaled, ((0, 0), (8, 8), (8, 8)), mode="symmetric")
    sums, weights = scaled[1:].copy(), np.ones_like(brightness)
    for down, right in _NEARBY:
        other = padded[:, 8 + down : 8 + down + rows, 8 + right : 8 + right + columns]
        weight = np.exp(np.square(other - scaled).sum(axis=0) / -2)
        sums += weight * other[1:]
        weights += weight
    return list(2 * width * sums / weights)


def _errors_by_quality(picture: np.ndarray) -> np.ndarray:
    """How far JPEG of quality 1 to 100 would change the picture, in blocks not its own."""
    brightness = np.pad(_brightness(picture), ((4, 11), (4, 11)), mode="symmetric")
    rows, columns = (side // 8 * 8 for side in brightness.shape)
    details = _details(brightness[:rows, :columns])
    details = _some_of(np.moveaxis(details, 1, 2).reshape(-1, 8, 8))
    errors = [np.std(details - steps * np.rint(details / steps)) for steps in _step_tables()]
    # Worked out for brightness; with colour it is a fifth more on photos.
    return 1.2 * np.maximum.accumulate(errors[::-1])[::-1] / 255


def _jpeg_sigma(noisy: np.ndarray) -> float:
    quality = jpeg_quality(noisy)
    return 0.0 if quality is None else float(_errors_by_quality(noisy)[quality - 1])


def _brightness(picture: np.ndarray) -> np.ndarray:
    """Brightness on the scale -128 to 127 on which JPEG works."""
    return (picture @ _TO_YCC[0] if picture.shape[-1] == 3 else picture[..., 0]) * 255 - 128


def _details(plane: np.ndarray) -> np.ndarray:
    """The cosine transform of each block of 8x8: ``(rows, 8, columns, 8)``."""
    by_rows = _COSINES @ plane.reshape(-1, 8, plane.shape[1])
    return (by_rows.reshape(-1, 8) @ _COSINES.T).reshape(*by_rows.shape[:2], -1, 8)


def _from_details(details: np.ndarray) -> np.ndarray:
    by_rows = (details.reshape(-1, 8) @ _COSINES).reshape(len(details), 8, -1)
    return (_COSINES.T @ by_rows).reshape(-1, by_rows.shape[-1])


def _some_of(blocks: np.ndarray) -> np.ndarray:
    """At most ``_BLOCKS`` of them, evenly spread."""
    return blocks[:: max(1, -(-len(blocks) // _BLOCKS))]


@cache
def _step_tables() -> np.ndarray:
    """The steps of libjpeg in brightness, for quality 1 to 100: ``(100, 8, 8)``."""
    tables = []
    for quality in range(1, 101):
        file = io.BytesIO()
        Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
        tables.append(Image.open(file).quantization[0])
    return np.array(tables, np.float32).reshape(100, 8, 8)


SPECIALISTS: dict[str, Specialist] = by_name(
    [
        Specialist(
            "switching",
            "Switching filter",
            "Finds white and black pixels that are out of place and fills these alone.",
            "Sun and Neuvo, 1994; Duchon, 1977",
            switching,
            kind="salt-and-pepper",
        ),
        Specialist(
            "anscombe",
            "Anscombe and wavelet",
            "Takes the root of the light, after which grain is even, and smooths that.",
            "Anscombe, 1948; Makitalo and Foi, 2011",
            anscombe,
            kind="poisson",
            find_sigma=partial(_find_sigma, law=_POISSON),
            law=_POISSON,
        ),
        Specialist(
            "log-wavelet",
            "Logarithm and wavelet",
            "Takes a logarithm, after which speckle is even, and smooths that.",
            "Arsenault and April, 1976",
            log_wavelet,
            kind="speckle",
            find_sigma=partial(_find_sigma, law=_SPECKLE),
            law=_SPECKLE,
        ),
        Specialist(
            "shifted-blocks",
            "Shifted blocks",
            "Leaves out weak detail, in blocks that lie across those of JPEG.",
            "Nosratinia, 2001; Foi, Katkovnik and Egiazarian, 2007",
            shifted_blocks,
            kind="jpeg",
            find_sigma=_jpeg_sigma,
        ),
    ]
)
