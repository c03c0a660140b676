"""Noise kinds: every way in which this app degrades a picture.

All functions share one contract, stated here once.

* ``image`` is ``float32`` of shape ``(H, W, C)`` with values in [0, 1].  Leading axes are
  allowed, ``(N, H, W, C)`` for a batch, and then ``strength`` may be an array that
  broadcasts against it, ``(N, 1, 1, 1)``, for one strength per picture.
* The result is ``float32`` of the same shape.  It is **not** clipped: a caller that shows
  or stores the picture clips it to [0, 1], as a camera would.
* A strength of 0 returns the image unchanged; a larger strength never does less.
* Randomness comes from ``rng`` alone.  With the same seed a larger strength scales the
  *same* pattern: a slider makes the noise grow instead of drawing another one.
* Where a pixel is replaced rather than shifted (salt-and-pepper, masking, blocks), all its
  channels are replaced together, as a dead sensor site does.
* A negative strength, and one above 1 where the strength is a share, is a ``ValueError``.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.special import ndtr

from imaging.camera import low_light
from imaging.named import by_name
from imaging.pixels import as_picture, strips, to_image, to_pixels

Strength = float | np.ndarray


def gaussian(image: np.ndarray, sigma: Strength, rng: np.random.Generator) -> np.ndarray:
    """Add normally distributed noise, the model of electronic noise in a sensor.

    ``sigma`` is the standard deviation, in units of the full range (25/255 = 0.098).

    Source:
        The "noise factor" of the autoencoder tutorials; Gonzalez and Woods, Digital Image
        Processing, section 5.2.

    Example:
        The same seed gives the same pattern, twice as strong at twice the strength:

        >>> grey = np.full((28, 28, 1), 0.5, np.float32)
        >>> weak = gaussian(grey, 0.1, np.random.default_rng(7)) - grey
        >>> strong = gaussian(grey, 0.2, np.random.default_rng(7)) - grey
        >>> np.allclose(strong, 2 * weak, atol=1e-6)
        True
    """
    _require_not_negative("sigma", sigma)
    noisy = np.float32(sigma) * normal_numbers(image.shape, rng)
    noisy += image  # In place: to fill a large new array takes longer than to add.
    return noisy


def uniform(image: np.ndarray, half_width: Strength, rng: np.random.Generator) -> np.ndarray:
    """Add noise that is equally likely anywhere in an interval, the model of coarse rounding.

    ``half_width`` is half the interval: a value moves by at most that much.  The standard
    deviation is ``half_width / sqrt(3)``.

    Source:
        Widrow and Kollar, Quantization Noise, 2008, chapter 4.
    """
    _require_not_negative("half_width", half_width)
    return image + np.float32(half_width) * (2 * uniform_numbers(image.shape, rng) - 1)


def speckle(image: np.ndarray, sigma: Strength, rng: np.random.Generator) -> np.ndarray:
    """Multiply by normally distributed noise around 1: bright places suffer, black ones do not.

    ``sigma`` is the standard deviation of the factor.

    Source:
        The multiplicative model of radar and ultrasound pictures: J. S. Lee, IEEE TPAMI
        1980, doi:10.1109/TPAMI.1980.4766994.
    """
    _require_not_negative("sigma", sigma)
    return image + image * np.float32(sigma) * normal_numbers(image.shape, rng)


def poisson(image: np.ndarray, grain: Strength, rng: np.random.Generator) -> np.ndarray:
    """Replace each value by a photon count, the model of light in dim scenes.

    ``grain`` is the standard deviation of a white pixel, ``1 / sqrt(photons)`` with
    ``photons`` the number expected there: a grain of 0.1 is 100 photons, 1.0 is a single
    one.  The variance of a pixel of value ``v`` is ``v * grain ** 2``.

    Each count is the quantile that a fixed random number picks from the Poisson
    distribution, which keeps the pattern when the grain changes.

    Source:
        Foi et al., IEEE TIP 2008, doi:10.1109/TIP.2008.2001399.
    """
    _require_not_negative("grain", grain)
    # A grain below this is invisible in 16 bits, and its counts would overflow.
    photons = 1.0 / np.square(np.maximum(np.asarray(grain, np.float64), 1e-4))
    photons = np.broadcast_to(photons, image.shape)
    z = normal_numbers(image.shape, rng)
    noisy = np.empty(image.shape, np.float32)
    # Some rows, or pictures, at a time: a count takes ten times the memory of its pixel.
    for part in strips(len(image), z[:1].size):
        expected = np.clip(image[part], 0, None) * photons[part]
        noisy[part] = _poisson_quantile(expected, z[part]) / photons[part]
    return np.where(np.asarray(grain) > 0, noisy, image).astype(np.float32)


def salt_and_pepper(image: np.ndarray, share: Strength, rng: np.random.Generator) -> np.ndarray:
    """Turn a share of the pixels white or black, half each, the model of bit errors.

    ``share`` is the probability that a pixel is replaced.

    Source:
        Gonzalez and Woods, Digital Image Processing, section 5.2.
    """
    _require_share("share", share)
    draw = one_per_pixel(image.shape, rng)
    half = np.float32(share) / 2
    return np.where(draw < half, 1, np.where(draw > 1 - half, 0, image)).astype(np.float32)


def masking(image: np.ndarray, share: Strength, rng: np.random.Generator) -> np.ndarray:
    """Set a share of the pixels to black, the noise of the first denoising autoencoders.

    ``share`` is the probability that a pixel is dropped.

    Source:
        Vincent et al., ICML 2008, doi:10.1145/1390156.1390294.
    """
    _require_share("share", share)
    draw = one_per_pixel(image.shape, rng)
    return np.where(draw < np.float32(share), 0, image).astype(np.float32)


def block(image: np.ndarray, side: Strength, rng: np.random.Generator) -> np.ndarray:
    """Cover one square by mid-grey, so that what lies below must be guessed.

    ``side`` is the side of the square as a share of the picture's shorter side.  The
    square grows around one place and is moved inward where it would leave the picture.

    Source:
        The occlusions of Pathak et al., Context Encoders, CVPR 2016, and of cutout
        (DeVries and Taylor, arXiv:1708.04552).
    """
    _require_share("side", side)
    height, width = image.shape[-3:-1]
    lead = image.shape[:-3]
    row_centre, column_centre = one_place(image.shape, rng)
    side = np.broadcast_to(np.asarray(side, np.float64), (*lead, 1, 1, 1))
    pixels = np.rint(side * min(height, width))
    top = np.clip(np.floor(row_centre * height - pixels / 2), 0, height - pixels)
    left = np.clip(np.floor(column_centre * width - pixels / 2), 0, width - pixels)
    rows = np.arange(height).reshape(-1, 1, 1)
    columns = np.arange(width).reshape(1, -1, 1)
    covered = (rows >= top) & (rows < top + pixels) & (columns >= left) & (columns < left + pixels)
    return np.where(covered, 0.5, image).astype(np.float32)


def jpeg(image: np.ndarray, compression: Strength, rng: np.random.Generator) -> np.ndarray:
    """Store the picture as JPEG and open it again: blocks of 8x8 pixels lose their fine detail.

    ``compression`` is 100 less the JPEG quality: 80 is quality 20.  Colour is stored at half
    the resolution, as most programs do.  Nothing is random here, so ``rng`` is not used.

    Raises:
        ValueError: if it is above 99 or the picture has neither one channel nor three.

    Source:
        ITU-T T.81, 1992, as written by libjpeg through Pillow.
    """
    _require_not_negative("compression", compression)
    if np.any(np.asarray(compression) > 99):
        raise ValueError(f"compression must be at most 99, got {compression}")
    if image.ndim > 3:
        each = np.broadcast_to(compression, (len(image), 1, 1, 1))
        return np.stack(
            [jpeg(one, one_of.item(), rng) for one, one_of in zip(image, each, strict=True)]
        )
    if np.all(np.asarray(compression) == 0):
        return image.astype(np.float32)
    if image.shape[2] not in (1, 3):
        raise ValueError(f"JPEG takes 1 or 3 channels, got {image.shape[2]}")
    file = io.BytesIO()
    quality = round(100 - float(np.asarray(compression).item()))
    as_picture(to_pixels(image)).save(file, "JPEG", quality=quality)
    return to_image(np.asarray(Image.open(file))).reshape(image.shape)


def normal_numbers(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a normal number for each value of a picture."""
    return rng.standard_normal(shape, np.float32)


def uniform_numbers(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a number from 0 to 1 for each value of a picture."""
    return rng.random(shape, np.float32)


def one_per_pixel(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a number from 0 to 1 for each pixel, shared by its channels."""
    return rng.random((*shape[:-1], 1), np.float32)


def one_place(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a place in each picture, as shares of height and width: ``(2, ..., 1, 1, 1)``."""
    return rng.random((2, *shape[:-3], 1, 1, 1))


@dataclass(frozen=True)
class NoiseKind:
    """A noise function with what a slider, a form and a test need to know about it.

    ``low`` and ``high`` bound the slider, which moves by ``step`` and starts at ``default``.
    ``unit`` says what the strength counts, ``description`` what happens, in one plain sentence.
    A screen shows the strength times ``shown_per_unit``.  ``pattern`` draws the random numbers
    that ``corrupt`` draws for a picture of this shape, whatever the strength: the browser is sent
    them once for each seed and does the rest itself (static/live/noise.js).  None where it cannot.
    ``quantiles``: it also needs how likely a smaller number is than each of these.
    """

    name: str
    title: str
    corrupt: Callable[[np.ndarray, Strength, np.random.Generator], np.ndarray]
    unit: str
    high: float
    default: float
    description: str
    low: float = 0.0
    step: float = 0.05
    shown_per_unit: float = 1
    pattern: Callable[[tuple[int, ...], np.random.Generator], np.ndarray] | None = None
    quantiles: bool = False

    def require_in_range(self, strength: float) -> float:
        """Return ``strength``; raise ``ValueError`` where it is not on the slider."""
        if not self.low <= strength <= self.high:
            raise ValueError(
                f"{self.title} takes a strength from {self.low:g} to {self.high:g}, "
                f"got {strength:g}"
            )
        return strength

    def on_slider(self, strength: float) -> str:
        """Return a strength as the slider shows it, with three digits."""
        return f"{float(f'{strength * self.shown_per_unit:.3g}'):g}"


NOISE_KINDS: dict[str, NoiseKind] = by_name(
    [
        NoiseKind(
            name="gaussian",
            title="Gaussian",
            corrupt=gaussian,
            pattern=normal_numbers,
            unit="standard deviation",
            high=1.0,
            default=0.5,
            description="Every pixel is shifted by a random amount, as in a camera's electronics.",
        ),
        NoiseKind(
            name="salt-and-pepper",
            title="Salt and pepper",
            corrupt=salt_and_pepper,
            pattern=one_per_pixel,
            unit="share of pixels",
            high=0.8,
            default=0.3,
            description="Some pixels turn white or black, as after errors in transmission.",
        ),
        NoiseKind(
            name="poisson",
            title="Poisson (photons)",
            corrupt=poisson,
            pattern=normal_numbers,
            quantiles=True,
            unit="standard deviation of white",
            high=1.0,
            default=0.5,
            description="Each pixel counts photons: the fewer arrive, the grainier it gets.",
        ),
        NoiseKind(
            name="speckle",
            title="Speckle",
            corrupt=speckle,
            pattern=normal_numbers,
            unit="standard deviation of the factor",
            high=1.0,
            default=0.5,
            description="Every pixel is multiplied by a random factor, as in radar and ultrasound.",
        ),
        NoiseKind(
            name="uniform",
            title="Uniform",
            corrupt=uniform,
            pattern=uniform_numbers,
            unit="largest shift",
            high=1.5,
            default=0.8,
            description="Every pixel is shifted by at most a fixed amount, all equally likely.",
        ),
        NoiseKind(
            name="masking",
            title="Masking (dropped pixels)",
            corrupt=masking,
            pattern=one_per_pixel,
            unit="share of pixels",
            high=0.9,
            default=0.5,
            description="Some pixels are lost and read as black.",
        ),
        NoiseKind(
            name="block",
            title="Block",
            corrupt=block,
            pattern=one_place,
            unit="side of the square",
            high=0.8,
            default=0.4,
            description="A grey square hides a part of the picture.",
        ),
    ]
)


# For photos: what a camera, a scanner or a link does to them, in the ranges that matter there.
PHOTO_NOISE_KINDS: dict[str, NoiseKind] = by_name(
    [
        replace(
            NOISE_KINDS["gaussian"],
            unit="standard deviation, on the scale 0 to 255",
            high=75 / 255,
            default=25 / 255,
            step=1 / 255,
            shown_per_unit=255,
        ),
        replace(NOISE_KINDS["poisson"], high=0.5, default=0.2, step=0.01),
        replace(NOISE_KINDS["speckle"], high=0.6, default=0.25, step=0.01),
        replace(NOISE_KINDS["salt-and-pepper"], high=0.5, default=0.05, step=0.01),
        NoiseKind(
            name="jpeg",
            title="JPEG compression",
            corrupt=jpeg,
            unit="100 less the quality",
            high=95,
            default=80,
            step=1,
            description="The picture is squeezed into a small file: blocks and halos appear.",
        ),
        NoiseKind(
            name="camera",
            title="Camera, low light",
            corrupt=low_light,
            unit="ISO",
            high=256,
            default=64,
            step=1,
            shown_per_unit=100,
            description="A small sensor in dim light: grain, blotches of colour, then a JPEG file.",
        ),
    ]
)


def _poisson_quantile(expected: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Counts with mean ``expected`` at the normal quantiles ``z``.

    Exact, by summing the distribution, below 12 expected counts.  Above, a third-order
    Cornish-Fisher expansion, whose probabilities are off by less than 0.2 % there.
    """
    counts = np.zeros(expected.shape)
    many = expected >= 12
    counts[many] = _expanded_quantile(expected[many], z[many])
    # Where none is expected none comes, and that is most of a digit.
    few = (expected > 0) & ~many
    mean, uniform_draw = expected[few], ndtr(z[few].astype(np.float64))
    term = np.exp(-mean)
    cumulative, exact = term.copy(), np.zeros_like(mean)
    # P(count > 60) is below 1e-20 for a mean of 12.
    for count in range(1, 61):
        above = uniform_draw > cumulative
        if not above.any():
            break
        exact += above
        term *= mean / count
        cumulative += term
    counts[few] = exact
    return counts


def _expanded_quantile(expected: np.ndarray, z: np.ndarray) -> np.ndarray:
    root = np.sqrt(expected)
    counts = np.floor(expected + 0.5 + root * z + (z**2 - 1) / 6 + (z - z**3) / (72 * root))
    return np.maximum(counts, 0)


def _require_not_negative(name: str, value: Strength) -> None:
    if not np.all(np.asarray(value) >= 0):
        raise ValueError(f"{name} must not be negative, got {value}")


def _require_share(name: str, value: Strength) -> None:
    if not np.all((np.asarray(value) >= 0) & (np.asarray(value) <= 1)):
        raise ValueError(f"{name} must be from 0 to 1, got {value}")
