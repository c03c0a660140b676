"""Writing results: PNG, JPEG, WebP and TIFF, with what the file that was opened said of itself.

What was computed from 16 bits is written with 16, rounded once, where the format can hold them.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import TiffImagePlugin

from imaging.files import metadata
from imaging.files.reading import Photo
from imaging.pixels import as_picture, require_pixels, to_8_bits, white
from imaging.visible import on_ground

_PNG_LEVEL = 1  # Several times as fast as 6, for files a little larger.
BEST_QUALITY, DEFAULT_QUALITY = 100, 92


@dataclass(frozen=True)
class Format:
    """A kind of file to write: whether it keeps every value, 16 bits, opacity."""

    title: str
    ending: str
    mime: str
    lossless: bool = True
    deep: bool = False
    opacity: bool = True
    longest_side: int = 2**31 - 1


FORMATS = {
    "png": Format("PNG", ".png", "image/png", deep=True),
    "jpeg": Format("JPEG", ".jpg", "image/jpeg", False, opacity=False, longest_side=65_535),
    "webp": Format("WebP", ".webp", "image/webp", False, longest_side=16_383),
    "tiff": Format("TIFF", ".tif", "image/tiff", deep=True),
}
_BY_ENDING = {
    ".png": "png",
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "jpeg"),
    ".webp": "webp",
    **dict.fromkeys((".tif", ".tiff"), "tiff"),
}


def format_of(ending: str) -> str | None:
    """Return the name of the format that files with this ending have."""
    return _BY_ENDING.get(ending.lower())


def endings_of(kind: str | None = None) -> list[str]:
    """Return the endings that files of a format, or of any, can have, PNG's first."""
    return [ending for ending, named in _BY_ENDING.items() if kind in (None, named)]


def write_result(
    photo: Photo,
    pixels: np.ndarray,
    kind: str = "png",
    quality: int = DEFAULT_QUALITY,
    location: bool = True,
    own_values: bool = True,
) -> bytes:
    """Return a file of what was made of a photo, with its opacity and its metadata.

    ``pixels`` ``(H, W, C)`` are values like ``photo.best``, or with ``own_values`` false sRGB like
    ``photo.pixels``.  EXIF is set upright; the place where it was taken is kept if ``location``.
    """
    in_its_colours = own_values or photo.own is None
    exif = photo.exif if location else metadata.kept(metadata.open_exif(photo.exif), False)
    profile = photo.profile if in_its_colours else None
    return write(pixels, kind, photo.alpha, quality, profile, exif, photo.dpi)


def write(
    pixels: np.ndarray,
    kind: str = "png",
    alpha: np.ndarray | None = None,
    quality: int = DEFAULT_QUALITY,
    profile: bytes | None = None,
    exif: bytes = b"",
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Return a file of uint8 or uint16 pixels and their opacity, uint8 ``(H, W)``.

    ``quality``, 1 to 100, is for JPEG and WebP; a WebP of 100 is lossless.  A JPEG holds no
    opacity: what shines through becomes white.

    Raises:
        ValueError: if the format cannot hold that many pixels in a row.
    """
    require_pixels(pixels)
    form = FORMATS[kind]
    if max(pixels.shape[:2]) > form.longest_side:
        raise ValueError(
            f"{form.title} holds at most {form.longest_side:,} pixels in a row, got "
            f"{max(pixels.shape[:2]):,}; choose another format"
        )
    if kind == "tiff" or (kind == "png" and pixels.dtype == np.uint16):
        if alpha is not None:
            opacity = alpha.astype(pixels.dtype) * (white(pixels) // 255)
            pixels = np.dstack([pixels, opacity])
        make = _tiff if kind == "tiff" else _deep_png
        return make(np.ascontiguousarray(pixels), profile, exif, dpi)
    pixels = to_8_bits(pixels)
    if alpha is not None and not form.opacity:
        pixels, alpha = on_ground(pixels, alpha, 255), None
    options = {
        "png": {"compress_level": _PNG_LEVEL},
        "jpeg": {"quality": quality, "subsampling": 0 if quality >= 90 else 2, "optimize": True},
        "webp": {"quality": quality, "lossless": quality == BEST_QUALITY, "exact": True},
    }[kind]
    if profile:
        options["icc_profile"] = profile
    if exif:
        options["exif"] = exif
    if dpi and kind != "webp":
        options["dpi"] = dpi
    file = io.BytesIO()
    picture = as_picture(pixels, alpha)
    try:
        picture.save(file, form.title, **options)
    except OSError:
        if not options.pop("optimize", False):
            raise
        # Of noise in colour, Pillow's buffer for an optimized JPEG is too small.
        file = io.BytesIO()
        picture.save(file, form.title, **options)
    return file.getvalue()


def _deep_png(
    values: np.ndarray, profile: bytes | None, exif: bytes, dpi: tuple[float, float] | None
) -> bytes:
    """A PNG of uint16 ``(H, W, 1 to 4)``, which Pillow cannot write in colour."""
    height, width, samples = values.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    rows = values.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # Each byte less the one above it.
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if profile:
        chunks.append((b"iCCP", b"profile\0\0" + zlib.compress(profile)))
    if dpi:
        across, down = (round(value / 0.0254) for value in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if exif:
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered, _PNG_LEVEL)), (b"IEND", b"")]
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    for name, content in chunks:
        file.write(struct.pack(">I", len(content)) + name)
        file.write(content)
        file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(name))))
    return file.getvalue()


def _tiff(
    values: np.ndarray, profile: bytes | None, exif: bytes, dpi: tuple[float, float] | None
) -> bytes:
    """A TIFF of ``(H, W, 1 to 4)``: of Pillow's, those with EXIF are not compressed, nor deep."""
    height, width, samples = values.shape
    colours = 1 if samples < 3 else 3
    strip = zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), _PNG_LEVEL)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[256], tags[257], tags[258] = width, height, (8 * values.itemsize,) * samples
    tags[259], tags[262], tags[277], tags[278] = 8, 1 if colours == 1 else 2, samples, height
    tags[273], tags[279] = (0,), (len(strip),)
    tags[274], tags[284] = 1, 1
    if samples > colours:
        tags[338] = (2,)
    for tag, value in metadata.open_exif(exif).items():
        if tag not in tags:
            tags[tag] = metadata.as_written(value)
    for group in (0x8769, 0x8825):
        inner = metadata.open_exif(exif).get_ifd(group)
        if inner:
            tags.tagtype[group] = 4
            tags[group] = {tag: metadata.as_written(value) for tag, value in inner.items()}
    if profile:
        tags.tagtype[34675] = 7
        tags[34675] = profile
    if dpi:
        tags[282], tags[283], tags[296] = *dpi, 2
    file = io.BytesIO()
    tags.save(file)
    file.write(strip)
    return file.getvalue()
