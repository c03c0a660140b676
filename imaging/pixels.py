"""Pixels of 8 or 16 bits: to floats and back, as PNG, blended.

Pixels are ``uint8`` or ``uint16``, ``(H, W, 1)`` or ``(H, W, 3)``; an image is ``float32`` in
[0, 1] of the same shape.  Nothing else in the project converts between the two.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

_STRIP_PIXELS = 100_000
_PNG_LEVEL = 1  # Several times as fast as Pillow's 6, for files a little larger.


def to_image(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as float32 in [0, 1]."""
    return np.divide(pixels, np.float32(white(pixels)), dtype=np.float32)


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Return pixels or an image, grey or in colour, as an image ``(H, W, 3)``."""
    image = as_image(picture)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def as_image(picture: np.ndarray) -> np.ndarray:
    """Return pixels as float32 in [0, 1], and an image as it is."""
    return to_image(picture) if picture.dtype.kind == "u" else picture


def to_pixels(image: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Return values in [0, 1] rounded to ``dtype``; outside they are clipped, NaN becomes black."""
    highest = np.float32(np.iinfo(dtype).max)
    pixels = np.empty(image.shape, dtype)
    for rows in strips(*image.shape[:2]):
        scaled = np.clip(image[rows], 0, 1) * highest
        pixels[rows] = np.rint(np.nan_to_num(scaled, copy=False))
    return pixels


def white(pixels: np.ndarray) -> int:
    """Return the largest value of the pixels' type."""
    return int(np.iinfo(pixels.dtype).max)


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels rounded to uint8; those of 8 bits come back as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    rounded = np.empty(pixels.shape, np.uint8)
    for rows in strips(*pixels.shape[:2]):
        # 65535 is 257 times 255.
        rounded[rows] = (pixels[rows].astype(np.uint32) + 128) // 257
    return rounded


def png(pixels: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    """Return a PNG file of uint8 pixels and their opacity ``(H, W)``."""
    require_pixels(pixels)
    if pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8, got {pixels.dtype}")
    file = io.BytesIO()
    as_picture(pixels, alpha).save(file, "PNG", compress_level=_PNG_LEVEL)
    return file.getvalue()


def as_picture(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Image.Image:
    """Return uint8 pixels, with their opacity if there is one, as an image of Pillow."""
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def blend(noisy: np.ndarray, denoised: np.ndarray, luminance: float, colour: float) -> np.ndarray:
    """Take over a share of the denoising, for brightness and for colour apart.

    Both are pixels of one type; a share of 0 keeps the noisy image, 1 gives the denoised one.
    Brightness is the mean of red, green and blue, the first axis of the opponent space in which
    the classical filters work too; colour is what differs from it.  A grey image has no colour,
    and that share is ignored.

    Raises:
        ValueError: if a share is outside [0, 1], or the images are not alike.
    """
    require_pixels(noisy)
    require_pixels(denoised)
    if (noisy.shape, noisy.dtype) != (denoised.shape, denoised.dtype):
        raise ValueError(
            f"the pictures must have one shape, got {noisy.shape} and {denoised.shape}, and one "
            f"type, got {noisy.dtype} and {denoised.dtype}"
        )
    for name, share in (("luminance", luminance), ("colour", colour)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {share}")
    channels = noisy.shape[2]
    if luminance == 1 and (colour == 1 or channels == 1):
        return denoised
    # Of a change of colour: its share, and what its mean over the channels gets beyond that.
    shares = colour * np.eye(channels) + (luminance - colour) / channels
    shares = shares.astype(np.float32)
    blended = np.empty_like(noisy)
    for rows in strips(*noisy.shape[:2]):
        values = noisy[rows].astype(np.float32)
        values += (denoised[rows] - values) @ shares
        blended[rows] = np.clip(np.rint(values, out=values), 0, white(noisy), out=values)
    return blended


def require_pixels(pixels: np.ndarray) -> None:
    """Raise ``ValueError`` if these are not pixels of 8 or 16 bits, grey or in colour."""
    if (
        pixels.dtype not in (np.uint8, np.uint16)
        or pixels.ndim != 3
        or pixels.shape[2] not in (1, 3)
    ):
        raise ValueError(
            "pixels must be uint8 or uint16, (H, W, 1) or (H, W, 3), "
            f"got {pixels.dtype} {pixels.shape}"
        )


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield rows from top to bottom, a handful of megabytes at a time."""
    step = max(1, _STRIP_PIXELS // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
