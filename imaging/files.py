"""Photos: opening the picture files that strangers upload, and writing pictures back.

A file may be anything: rotated by a tag, in printing colours, 16 bits deep, cut off, hostile.
``read_photo`` returns 8-bit pixels, grey or red-green-blue, or raises a ``PhotoError`` whose
text is for the visitor.  It is built for a host of 1 GB: what would take too much memory is
refused from the file's header, a large JPEG is decoded reduced, one file is decoded at a time,
and pictures are converted in strips of rows, so that a photo of 12 megapixels exists twice at
most, once as decoded and once as the result.
"""

import io
import math
import re
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401
from PIL.JpegImagePlugin import JpegImageFile

OPENED_PIXELS = 12_000_000  # Larger pictures are opened reduced.
LARGEST_PIXELS = 100_000_000  # Larger ones are refused before decoding.
LARGEST_FILE = 100_000_000  # In bytes.
# Bytes that decoding may take: with the result of it and the app itself, what the host has.
LARGEST_MEMORY = 400_000_000

# No other plugin of Pillow sees a stranger's bytes.  The last two are imported above, as Pillow
# would otherwise load all of its forty to find them.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")

NO_PICTURE = (
    "This file is no picture, or a damaged one. "
    "Try to open it in a picture program and save it again as PNG."
)
CUT_OFF = "This picture is cut off: its end is missing. Copy or download the file again."
EMPTY = "This file is empty. Choose another one."
UNREADABLE = "This file cannot be read. Choose another one."
PHONE_FORMAT = (
    "Pictures in the HEIC and AVIF formats cannot be opened here. "
    "Save it as JPEG or PNG and try again."
)
NO_NUMBERS = "This picture holds no numbers, only gaps. Save it again with values from 0 to 1."
NO_MEMORY = (
    "This picture takes more memory than there is at the moment. "
    "Make it smaller, or try again in a minute."
)

_ORIENTATION_TAG = 0x0112
# By EXIF orientation: the picture as it is stored, as a view of the one to be shown.
_STORED_IN_SHOWN: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda shown: shown,
    2: np.fliplr,
    3: lambda shown: np.rot90(shown, 2),
    4: np.flipud,
    5: lambda shown: np.swapaxes(shown, 0, 1),
    6: lambda shown: np.rot90(shown, 1),
    7: lambda shown: np.swapaxes(np.rot90(shown, 2), 0, 1),
    8: lambda shown: np.rot90(shown, -1),
}
_LYING = (5, 6, 7, 8)

# Pillow's names of how pixels are stored.
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_DEEP_MODES = (*_SIXTEEN_BITS, "I", "F")
_GREY_MODES = ("1", "L", "LA", "La", *_DEEP_MODES)
_BYTES_OF_MODE = {"1": 1, "L": 1, "P": 1} | dict.fromkeys(_SIXTEEN_BITS, 2)  # All others 4.
_WHITE_OF_16_BITS = 65535
_CONVERTED = {
    "CMYK": "Its printing colours (CMYK) were converted to red, green and blue.",
    "LAB": "Its CIELAB colours were converted to red, green and blue.",
}

_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = b"\xff\xda"
_MOST_SCANS = 200  # Encoders write about ten; thousands take hours to decode.

_STRIP_PIXELS = 100_000
_LANCZOS_RADIUS = 3
_PNG_LEVEL = 1  # Several times as fast as Pillow's 6, for files a little larger.

_SUFFIX = re.compile(r"\.(jpe?g|jpe|jfif|png|webp|tiff?|bmp|gif)$", re.IGNORECASE)
_LONGEST_NAME = 60  # At most 240 bytes; file systems take 255, and a suffix follows.
# Windows keeps these names for devices, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin|conout|com\d|lpt\d)", re.IGNORECASE)
_UNNAMED = "photo"

# Pillow's decoders warn through a filter list that all threads share, and two large pictures at
# once would not fit into memory.
_one_at_a_time = threading.Lock()


class PhotoError(ValueError):
    """A file that cannot be opened; the text says why, and what the visitor can do."""


@dataclass(frozen=True)
class Photo:
    """An opened picture.

    ``pixels`` is ``(H, W, 1)`` or ``(H, W, 3)`` uint8, ``alpha`` its opacity ``(H, W)`` uint8, or
    None where nothing shines through.  ``name`` is safe as a file's stem and on a page.
    ``notes`` are plain sentences on what was changed to open it.
    """

    pixels: np.ndarray
    name: str
    alpha: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_photo(
    data: bytes | Path | BinaryIO, file_name: str, opened_pixels: int | None = None
) -> Photo:
    """Open a picture file: upright, in sRGB, with 8 bits, the first frame if there are several.

    Of more than ``opened_pixels``, or else ``OPENED_PIXELS``, a reduced one is returned, and a
    note says so.  JPEG, PNG, WebP, TIFF, BMP and GIF are taken, whatever ``file_name`` ends
    with.

    Raises:
        PhotoError: for a visitor to read, where this cannot be done.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(data, safe_name(file_name), opened_pixels or OPENED_PIXELS)
        except PhotoError:
            raise
        except Image.DecompressionBombError as error:
            count = re.search(r"\d+", str(error))
            raise _too_many_pixels(int(count[0]) if count else 2 * LARGEST_PIXELS) from None
        except MemoryError:
            raise PhotoError(NO_MEMORY) from None
        # Pillow's plugins meet a damaged file with whatever comes: struct.error, SyntaxError,
        # KeyError, OverflowError, zlib.error ...
        except Exception as error:
            ended = isinstance(error, EOFError) or "truncated" in str(error).lower()
            raise PhotoError(CUT_OFF if ended else NO_PICTURE) from error


def safe_name(file_name: str) -> str:
    """Return the stem of a file's name, safe as another file's name and in Markdown and HTML.

    Letters and digits of all languages stay, and ``_`` between them; all else becomes ``-``.
    """
    stem = _SUFFIX.sub("", re.split(r"[/\\]", file_name)[-1])
    kept = "".join(
        character if character == "_" or unicodedata.category(character)[0] in "LMN" else "-"
        for character in unicodedata.normalize("NFKC", stem[: 4 * _LONGEST_NAME])
    )
    # A Markdown reader takes "_" at the edge of a word for a start of italics.
    kept = re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", "-", kept)
    kept = re.sub(r"-+", "-", kept)[:_LONGEST_NAME].strip("-_")
    while kept and unicodedata.category(kept[0])[0] == "M":
        kept = kept[1:].lstrip("-_")  # An accent would land on whatever stands before the name.
    return f"{_UNNAMED}-{kept}" if _DEVICE.fullmatch(kept) else kept or _UNNAMED


def to_image(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 pixels as float32 in [0, 1]."""
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def to_pixels(image: np.ndarray) -> np.ndarray:
    """Return values in [0, 1] as uint8, rounded; outside they are clipped, NaN becomes black."""
    pixels = np.empty(image.shape, np.uint8)
    for rows in _strips(*image.shape[:2]):
        scaled = np.clip(image[rows], 0, 1) * np.float32(255)
        pixels[rows] = np.rint(np.nan_to_num(scaled, copy=False))
    return pixels


def png(pixels: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    """Return a PNG file of uint8 ``(H, W, 1 or 3)`` pixels and their opacity ``(H, W)``."""
    _require_pixels(pixels)
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
    file = io.BytesIO()
    plain = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(plain).save(file, "PNG", compress_level=_PNG_LEVEL)
    return file.getvalue()


def blend(noisy: np.ndarray, denoised: np.ndarray, luminance: float, colour: float) -> np.ndarray:
    """Take over a share of the denoising, for brightness and for colour apart.

    Both pictures are uint8 ``(H, W, 1 or 3)``; a share of 0 keeps the noisy picture, 1 gives the
    denoised one.  Brightness is the mean of red, green and blue, the first axis of the opponent
    space in which the classical filters work too; colour is what differs from it.  A grey
    picture has no colour, and that share is ignored.

    Raises:
        ValueError: if a share is outside [0, 1], or the pictures are not alike.
    """
    _require_pixels(noisy)
    _require_pixels(denoised)
    if noisy.shape != denoised.shape:
        raise ValueError(
            f"the pictures must have one shape, got {noisy.shape} and {denoised.shape}"
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
    for rows in _strips(*noisy.shape[:2]):
        values = noisy[rows].astype(np.float32)
        values += (denoised[rows] - values) @ shares
        blended[rows] = np.clip(np.rint(values, out=values), 0, 255, out=values)
    return blended


def _require_pixels(pixels: np.ndarray) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(
            f"pixels must be uint8 (H, W, 1) or (H, W, 3), got {pixels.dtype} {pixels.shape}"
        )


def _strips(height: int, width: int) -> Iterator[slice]:
    """Rows from top to bottom, a handful of megabytes at a time."""
    step = max(1, _STRIP_PIXELS // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def _read(data: bytes | Path | BinaryIO, name: str, opened_pixels: int) -> Photo:
    if isinstance(data, Path):
        try:
            file = data.open("rb")
        except OSError:
            raise PhotoError(UNREADABLE) from None
        with file:
            return _read(file, name, opened_pixels)
    file = _seekable(data)
    size = file.seek(0, io.SEEK_END)
    if size == 0:
        raise PhotoError(EMPTY)
    if size > LARGEST_FILE:
        raise PhotoError(
            f"This file has {_millions(size)} MB, and at most {_millions(LARGEST_FILE)} can be "
            "opened here. Make the picture smaller, or save it as JPEG."
        )
    with _open(file) as image:
        size_in_file = image.size
        _require_affordable(image, opened_pixels)
        _require_few_scans(image, file)
        return _decode(image, size_in_file, name, opened_pixels)


def _seekable(data: bytes | BinaryIO) -> BinaryIO:
    if isinstance(data, bytes | bytearray | memoryview):
        return io.BytesIO(data)
    return data if data.seekable() else io.BytesIO(data.read(LARGEST_FILE + 1))


def _open(file: BinaryIO) -> Image.Image:
    """Read the header; of a JPEG without its metadata, where it is these that are broken."""
    try:
        return Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, MemoryError):
        raise
    except Exception as error:
        file.seek(0)
        start = file.read(12)
        if start[4:8] == b"ftyp":
            raise PhotoError(PHONE_FORMAT) from error
        if not start.startswith(_JPEG_START):
            raise
        file.seek(0)
        return Image.open(io.BytesIO(_without_metadata(file.read())), formats=FORMATS)


def _without_metadata(jpeg: bytes) -> bytes:
    """The file without the segments of EXIF, XMP, colour profile and further pictures."""
    kept, at = [_JPEG_START], len(_JPEG_START)
    while jpeg[at : at + 1] == b"\xff" and jpeg[at : at + 2] != _JPEG_SCAN and at < len(jpeg) - 4:
        following = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] not in (0xE1, 0xE2):
            kept.append(jpeg[at:following])
        at = following
    return b"".join([*kept, jpeg[at:]])


def _require_affordable(image: Image.Image, opened_pixels: int) -> None:
    """Refuse what would take too much memory; of a large JPEG, choose what is decoded."""
    count = image.width * image.height
    if count == 0:
        raise PhotoError(NO_PICTURE)
    if count > LARGEST_PIXELS:
        raise _too_many_pixels(count)
    if isinstance(image, JpegImageFile):
        # Decoding 2, 4 or 8 times fewer pixels in each direction costs less than all of them.
        # What has up to twice as many as are opened is decoded in full: half would be too few.
        fewer = 1
        while count > 2 * opened_pixels * fewer**2:
            fewer *= 2
        image.draft(None, (max(1, image.width // fewer), max(1, image.height // fewer)))
    needed = _decoding_memory(image, count)
    if needed > LARGEST_MEMORY:
        raise PhotoError(
            f"This picture has {_millions(count)} megapixels, and at most "
            f"{count * LARGEST_MEMORY // needed // 1_000_000} can be opened here from a file of "
            "its kind. Make it smaller, or save it as a plain JPEG, and try again."
        )


def _decoding_memory(image: Image.Image, count: int) -> int:
    """The bytes that decoding takes at its peak, as measured; the file has ``count`` pixels."""
    decoded = image.width * image.height * _BYTES_OF_MODE.get(image.mode, 4)
    if image.format == "WEBP":  # Two canvases, the frame that comes out of them, and its copy.
        return 16 * count
    if image.format in ("TIFF", "GIF"):  # The whole picture may be one compressed strip.
        return 2 * decoded
    if isinstance(image, JpegImageFile) and image.info.get("progressive"):
        # All coefficients, of 2 bytes, wait for the last scan.
        sampling = [across * down for _, across, down, _ in image.layer]
        return decoded + 2 * count * sum(sampling) // max(sampling)
    return decoded


def _require_few_scans(image: Image.Image, file: BinaryIO) -> None:
    """Refuse a progressive JPEG of thousands of scans, each of which visits every pixel."""
    if not image.info.get("progressive"):
        return
    file.seek(0)
    # Compressed data has a zero after each byte 0xff: what looks like a marker is one.
    scans = sum(part.count(_JPEG_SCAN) for part in iter(lambda: file.read(2**20), b""))
    if scans > _MOST_SCANS:
        raise PhotoError(NO_PICTURE)


def _too_many_pixels(count: int) -> PhotoError:
    return PhotoError(
        f"This picture has {_millions(count)} megapixels, and at most "
        f"{_millions(LARGEST_PIXELS)} can be opened here. Make it smaller and try again."
    )


def _millions(count: int) -> str:
    return f"{math.ceil(count / 1e6):,}"


def _decode(
    image: Image.Image, size_in_file: tuple[int, int], name: str, opened_pixels: int
) -> Photo:
    """Turn an opened file into a photo, a strip of rows at a time."""
    notes = []
    # A phone keeps a second picture, for brighter screens, beside the photo; that is no news.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        notes.append("This file holds several pictures; the first one was opened.")
    # "RGB;16B" is Pillow's name for 16 bits of which 8 are decoded.
    deep = any(";16" in str(tile.args) for tile in image.tile)
    image.load()
    if deep:
        notes.append("Its 16 bits per channel were rounded to 8.")
        image.info.pop("transparency", None)  # A colour, still of 16 bits.

    mode, convert, notes_on_colour = _conversion(image)
    size = _opened_size(*image.size, opened_pixels)
    orientation = _orientation(image)
    lying = orientation in _LYING
    rows_and_columns = size if lying else size[::-1]
    channels = 1 if mode.startswith("L") else 3
    pixels = np.empty((*rows_and_columns, channels), np.uint8)
    alpha = np.empty(rows_and_columns, np.uint8) if mode.endswith("A") else None
    stored = _STORED_IN_SHOWN[orientation]
    for rows in _strips(size[1], size[0]):
        strip = np.asarray(_resized_rows(image, rows, size, convert))
        strip = strip.reshape(*strip.shape[:2], -1)
        stored(pixels)[rows] = strip[..., :channels]
        if alpha is not None:
            stored(alpha)[rows] = strip[..., channels]
    if alpha is not None and alpha.min(initial=255) == 255:
        alpha = None

    notes += notes_on_colour
    if size != size_in_file:
        before, after = (
            f"{across:,} × {down:,}"
            for across, down in (one[::-1] if lying else one for one in (size_in_file, size))
        )
        notes.append(
            f"Reduced from {before} to {after} pixels: more than "
            f"{_millions(opened_pixels)} megapixels take too much memory here."
        )
    return Photo(pixels, name, alpha, tuple(notes))


def _resized_rows(
    image: Image.Image,
    rows: slice,
    size: tuple[int, int],
    convert: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """Some rows of the converted picture at another size, as if all of it had been resized."""
    if size == image.size:
        return convert(image.crop((0, rows.start, image.width, rows.stop)))
    scale = image.height / size[1]
    top, bottom = rows.start * scale, rows.stop * scale
    reach = _LANCZOS_RADIUS * scale + 1
    first, last = max(0, math.floor(top - reach)), min(image.height, math.ceil(bottom + reach))
    return convert(image.crop((0, first, image.width, last))).resize(
        (size[0], rows.stop - rows.start),
        Image.Resampling.LANCZOS,
        box=(0, top - first, image.width, min(bottom - first, last - first)),
    )


def _opened_size(width: int, height: int, opened_pixels: int) -> tuple[int, int]:
    """The largest size of the same shape that has no more than ``opened_pixels``."""
    if width * height <= opened_pixels:
        return width, height
    factor = math.sqrt(opened_pixels / (width * height))
    # A side cannot be less than 1, and then only the other one can give way.
    return tuple(max(1, min(int(side * factor), opened_pixels)) for side in (width, height))


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    # Metadata are no reason to refuse a picture, whatever is wrong with them.
    except Exception:
        return 1
    return orientation if orientation in _STORED_IN_SHOWN else 1


def _conversion(
    image: Image.Image,
) -> tuple[str, Callable[[Image.Image], Image.Image], list[str]]:
    """The mode to open a picture in, a function that brings rows of it there, and notes."""
    if image.mode in _DEEP_MODES:
        low, high, notes = _levels(image)
        return "L", lambda rows: _eight_bits(rows, low, high), notes
    notes = [_CONVERTED[image.mode]] if image.mode in _CONVERTED else []
    mode = "L" if image.mode in _GREY_MODES else "RGB"
    if image.has_transparency_data:
        mode += "A"
    profile = _to_srgb(image)
    if profile is None:
        return mode, lambda rows: rows.convert(mode), notes

    def convert(rows: Image.Image) -> Image.Image:
        colours = profile.apply(rows.convert(profile.input_mode))
        if mode == "RGBA":
            colours.putalpha(rows.convert("RGBA").getchannel("A"))
        return colours

    return mode, convert, notes


def _levels(image: Image.Image) -> tuple[float, float, list[str]]:
    """The values of black and white in a picture of one deep channel, and notes on them."""
    if image.mode.startswith("I;16"):
        return 0, _WHITE_OF_16_BITS, []
    lowest, highest, gaps = math.inf, -math.inf, 0
    for rows in _strips(image.height, image.width):
        values = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        finite = values[np.isfinite(values)]
        gaps += values.size - finite.size
        if finite.size:
            lowest, highest = min(lowest, finite.min()), max(highest, finite.max())
    if lowest > highest:
        raise PhotoError(NO_NUMBERS)
    notes = [f"{gaps:,} of its values were no finite numbers and were replaced."] if gaps else []
    white = 1 if image.mode == "F" else _WHITE_OF_16_BITS
    if (lowest >= 0 and highest <= white) or lowest == highest:
        return 0, white, notes
    notes.append(f"Its values from {lowest:g} to {highest:g} were scaled to black and white.")
    return float(lowest), float(highest), notes


def _eight_bits(rows: Image.Image, low: float, high: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(rows, np.float64), nan=low, posinf=high, neginf=low)
    share = (values - low) / (high - low)
    return Image.fromarray(np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8))


def _to_srgb(image: Image.Image):
    """A transform by the picture's colour profile; None without one, or if it is sRGB itself."""
    profile = image.info.get("icc_profile")
    mode = "CMYK" if image.mode == "CMYK" else "RGB"
    if not profile or image.mode in _GREY_MODES or image.mode == "LAB":
        return None
    # The library is optional, and a profile is a program of a stranger: without, colours are a
    # little off, but there is a picture.
    try:
        from PIL import ImageCms

        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB":
            steps = np.arange(0, 256, 51, dtype=np.uint8)
            colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
            moved = np.asarray(transform.apply(Image.fromarray(colours)))
            if np.abs(moved.astype(int) - colours).max() <= 1:
                return None
        return transform
    except Exception:
        return None
