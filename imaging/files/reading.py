"""Opening the image files that strangers bring: one reader for pages, ZIPs and command lines.

A file may be anything: rotated by a tag, in printing colours, 16 bits deep, cut off, hostile.
``read_photo`` returns 8-bit pixels for a screen, grey or red-green-blue, and where the file has
more than that, its own values too; or it raises a ``PhotoError`` whose text is for the visitor.
It is built for a host of 1 GB: what would take too much memory is refused from the file's
header, a large JPEG is decoded reduced, one file is decoded at a time, and images are converted
in strips of rows, so that a photo of 12 megapixels exists twice at most, once as decoded and
once as the result.
"""

import io
import math
import re
import struct
import threading
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from imaging.files import bmp, jpeg, limits, metadata
from imaging.files.jpeg2000 import put_white_back, tile_memory
from imaging.files.limits import PhotoError, millions, require_affordable, too_many_pixels
from imaging.files.png import SIGNATURE as PNG_START
from imaging.files.png import Png, read_chunks, sixteen_bits
from imaging.files.pnm import read_pnm
from imaging.files.profiles import cmyk_to_rgb, to_srgb
from imaging.files.stored import Stored
from imaging.files.value_range import find_range, full_range, in_whole_numbers
from imaging.pixels import strips, to_8_bits
from imaging.visible import on_paper

# The endings of all files that are opened; what a file is, its first bytes say.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib"),
    *(".gif", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".ico", ".tga"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
)

# No other plugin of Pillow sees a stranger's bytes.
_PLUGINS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "ICO": "IcoImagePlugin",
    "PPM": "PpmImagePlugin",
    "TGA": "TgaImagePlugin",
}
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WEBP"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\1\0", "ICO"),
    *((b"P%d" % kind, "PPM") for kind in range(1, 7)),
    (b"Pf", "PPM"),
    (b"PF", "PPM"),
)
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIU\0", b"IIRO", b"MMOR")
# Known by their first bytes, and not opened.
_OTHER_KINDS = (
    (b"8BPS", "A Photoshop file"),
    (b"gimp xcf", "A GIMP file"),
    (b"%PDF", "A PDF"),
    (b"%!PS", "A PostScript file"),
    (b"<svg", "An SVG drawing"),
    (b"<?xml", "An XML file, such as an SVG drawing,"),
    (b"\xff\x0a", "A JPEG XL file"),
    (b"\0\0\0\x0cJXL ", "A JPEG XL file"),
    (b"v/1\x01", "An OpenEXR file"),
    (b"#?RADIANCE", "A Radiance file"),
    (b"SIMPLE  =", "A FITS file"),
    (b"\x89HDF", "An HDF file"),
    (b"\x93NUMPY", "A NumPy file"),
    (b"qoif", "A QOI file"),
    (b"DDS ", "A DDS texture"),
)
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")
_VIDEO_BRANDS = (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"avc1", b"M4V ", b"3gp4", b"3gp5")
_AVIF_BRANDS = (b"avif", b"avis")

# By EXIF orientation: the image as it is stored, as a view of the one to be shown.
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
_GREY_MODES = ("1", "L", "LA", "La", *_SIXTEEN_BITS, "I", "F")
_BYTES_OF_MODE = {"1": 1, "L": 1, "P": 1} | dict.fromkeys(_SIXTEEN_BITS, 2)  # All others 4.
_CONVERTED = {
    "CMYK": "Its printing colours (CMYK) were converted to red, green and blue.",
    "LAB": "Its CIELAB colours were converted to red, green and blue.",
}

_LANCZOS_RADIUS = 3
_LEAST_THERE = 20  # One part in so many of a file that is cut off; less shows nothing.
_LOOKED_AT = 2**21  # Bytes of a JPEG: there small segments are many.
_MOST_COMMENTS = 1_000  # Of a plain PNM
_MOST_PARTS = 100  # Of a WebP before its image.
_ICON_HEAD = 22  # Bytes before the image of an icon with one.
_MOST_BOXES = 1000  # Of an HEIC or AVIF; they have a handful.
_CELLS_AT_ONCE = 4096
_CELL = 8  # Pixels that are hidden take the colour of what is seen around them, in such steps.

_SUFFIX = re.compile(
    rf"({'|'.join(re.escape(ending) for ending in sorted(ENDINGS, key=len, reverse=True))})$",
    re.IGNORECASE,
)
_LONGEST_NAME = 60  # At most 240 bytes; file systems take 255, and a suffix follows.
# Windows keeps these names for devices, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin|conout|com\d|lpt\d)", re.IGNORECASE)
_UNNAMED = "photo"

_DEEP = "Its 16 bits per channel were rounded to 8"
_CUT = "This file is cut off or damaged: what could be read of it is shown."
_DAMAGED = "Checksums in this file are wrong: parts of the image may be damaged."
_SEVERAL = "This file holds several images; the first one was opened."

# Pillow's decoders warn through a filter list that all threads share, and two large images at
# once would not fit into memory.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Photo:
    """An opened image.

    ``pixels`` is ``(H, W, 1)`` or ``(H, W, 3)`` uint8 in sRGB, ``alpha`` its opacity ``(H, W)``
    uint8, or None where nothing shines through; pixels that nobody sees have the colour of those
    around them.  ``own`` are the values of the file where these are finer, ``uint16``, or mean
    other colours: those of ``profile``.  ``name`` is safe as a file's stem and on a page.
    ``notes`` are plain sentences on what was changed to open it.  Of ``planes`` images in the
    file it is number ``plane``.  ``faint`` says that it is nearly black and can be stretched.
    ``reduced_from`` is the size ``(H, W)`` of the file's image where it is not that of ``pixels``.
    """

    pixels: np.ndarray
    name: str
    alpha: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    own: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    planes: int = 1
    plane: int = 0
    faint: bool = False
    reduced_from: tuple[int, int] | None = None

    @property
    def best(self) -> np.ndarray:
        """The values to work on: those of the file where they are finer, else ``pixels``."""
        return self.pixels if self.own is None else self.own

    @property
    def on_paper(self) -> np.ndarray:
        """The pixels in sRGB, what is transparent on paper; with 16 bits where these mean sRGB."""
        if self.alpha is not None:
            return on_paper(self.pixels, self.alpha)
        in_srgb = to_srgb(self.profile, self.pixels.shape[2]) is None
        return self.best if in_srgb else self.pixels

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(each.nbytes for each in (self.pixels, self.alpha, self.own) if each is not None)

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return values like those of ``best`` as uint8 in sRGB, for a screen."""
        values = to_8_bits(values)
        if self.own is None:
            return values
        convert = to_srgb(self.profile, values.shape[2])
        return values if convert is None else convert(values).reshape(values.shape)


def read_photo(
    data: bytes | Path | BinaryIO,
    file_name: str,
    opened_pixels: int | None = None,
    plane: int = 0,
    stretch: bool = False,
) -> Photo:
    """Open an image file: upright, the first frame, or number ``plane`` of a stack.

    Of more than ``opened_pixels``, or else ``OPENED_PIXELS``, a reduced one is returned, and a
    note says so.  What a file is, its first bytes say; only TGA is known by ``file_name``.  With
    ``stretch`` an image that is nearly black is stretched to its range.

    Raises:
        PhotoError: for a visitor to read, where this cannot be done.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(data, file_name, opened_pixels, plane, stretch)
        except PhotoError:
            raise
        except Image.DecompressionBombError as error:
            count = re.search(r"\d+", str(error))
            raise too_many_pixels(int(count[0]) if count else 2 * 10**8) from None
        except MemoryError:
            raise PhotoError(limits.NO_MEMORY) from None
        # Decoders meet a damaged file with whatever comes: struct.error, SyntaxError, KeyError,
        # OverflowError, zlib.error ...
        except Exception as error:
            ended = isinstance(error, EOFError) or "truncated" in str(error).lower()
            raise PhotoError(limits.CUT_OFF if ended else limits.NO_PICTURE) from error


def require_known(content: bytes, file_name: str) -> None:
    """Refuse a file that does not begin as images do, at once and unread.

    Raises:
        PhotoError: for a visitor to read.
    """
    if not _is_known(content[:32], file_name):
        raise PhotoError(_refusal(content[:32]))


def _refusal(start: bytes) -> str:
    """What to say of a file that is of no kind that is opened."""
    for first, what in _OTHER_KINDS:
        if start.startswith(first):
            return limits.OTHER_KIND.format(what)
    if start.startswith(_ARCHIVES):
        return limits.ARCHIVE
    return limits.RAW if start.startswith(b"FUJIFILMCCD-RAW") else limits.NO_PICTURE


def _is_known(start: bytes, file_name: str) -> bool:
    starts = (PNG_START, *_TIFF_STARTS, *(first for first, _ in _STARTS))
    is_tga = file_name.lower().endswith(".tga")
    return start.startswith(starts) or start[4:8] == b"ftyp" or is_tga


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


def _read(
    data: bytes | Path | BinaryIO,
    file_name: str,
    opened_pixels: int | None,
    plane: int,
    stretch: bool,
) -> Photo:
    if isinstance(data, Path):
        try:
            file = data.open("rb")
        except OSError:
            raise PhotoError(limits.UNREADABLE) from None
        with file:
            return _read(file, file_name, opened_pixels, plane, stretch)
    file = _seekable(data)
    size = file.seek(0, io.SEEK_END)
    if size == 0:
        raise PhotoError(limits.EMPTY)
    if size > limits.LARGEST_FILE:
        raise PhotoError(
            f"This file has {millions(size)} MB, and at most {millions(limits.LARGEST_FILE)} can "
            "be opened here. Make the picture smaller, or save it as JPEG."
        )
    wanted = opened_pixels or limits.OPENED_PIXELS
    deep = opened_pixels or limits.DEEP_PIXELS
    stored = _decode(file, file_name, wanted, plane, stretch)
    return _finish(stored, safe_name(file_name), wanted, deep)


def _seekable(data: bytes | BinaryIO) -> BinaryIO:
    if isinstance(data, bytes | bytearray | memoryview):
        return io.BytesIO(data)
    return data if data.seekable() else io.BytesIO(data.read(limits.LARGEST_FILE + 1))


def _decode(file: BinaryIO, file_name: str, wanted: int, plane: int, stretch: bool) -> Stored:
    """Find out what a file is, and decode it."""
    file.seek(0)
    start = file.read(32)
    if start.startswith(PNG_START):
        return _decode_png(read_chunks(file), stretch)
    if start.startswith(_TIFF_STARTS):
        return _decode_tiff(file, wanted, plane, stretch)
    if start[4:8] == b"ftyp" and start[8:12] in _VIDEO_BRANDS:
        raise PhotoError(limits.OTHER_KIND.format("A video"))
    if start[4:8] == b"ftyp":
        avif = any(start[at : at + 4] in _AVIF_BRANDS for at in range(8, 32, 4))
        decode = (lambda each: _decode_avif(each, wanted)) if avif else _decode_heif
        return _decode_filled(file, _whole_size(file), decode)
    if start.startswith((b"P5", b"P6", b"Pf", b"PF")):
        stored = read_pnm(file, stretch)
        if stored is not None:
            if stored.cut:
                _refuse_empty(stored)
                stored.notes.append(_CUT)
            return stored
    kind = next((kind for first, kind in _STARTS if start.startswith(first)), None)
    if kind is None and file_name.lower().endswith(".tga"):
        kind = "TGA"
    if kind is None:
        raise PhotoError(_refusal(start))
    if kind == "ICO":
        return _decode_icon(file, wanted, stretch)
    if kind == "BMP":
        return _decode_bmp(file, wanted)
    if kind == "WEBP":
        return _decode_webp(file, wanted)
    if kind == "JPEG2000" and start[4:8] == b"jP  ":
        return _decode_filled(
            file, _whole_size(file), lambda each: _decode_pillow(each, kind, wanted)
        )
    if kind == "PPM" and start[1:2] in b"123":
        # Pillow takes comments out of a plain file one by one, and copies it for each.
        file.seek(0)
        if file.read().count(b"#") > _MOST_COMMENTS:
            raise PhotoError(limits.NO_PICTURE)
    if kind == "JPEG":
        file.seek(0)
        if jpeg.has_many_segments(file.read(_LOOKED_AT)):  # Pillow keeps a list of all.
            raise PhotoError(limits.NO_PICTURE)
    return _decode_pillow(file, kind, wanted)


# PNG


def _decode_png(png: Png, stretch: bool) -> Stored:
    notes = [_SEVERAL] if png.animated else []
    if png.damaged:
        notes.append(_DAMAGED)
    if png.is_deep_colour:
        values, cut = sixteen_bits(png)
        key = png.key
        channels = png.channels
        colours = values[..., :channels]
        alpha = values[..., channels] if values.shape[-1] > channels else None
        if key is not None:
            alpha = np.where((colours == key).all(axis=-1), 0, 65535).astype(np.uint16)
        found = find_range(colours, full_range("u", 16), stretch=stretch)
    else:
        image = _opened(png.plain(), "PNG")
        cut = _load(image)
        if png.bits == 16:
            colours = np.array(image)[..., np.newaxis]
            alpha = None
            if png.key is not None:
                alpha = np.where(colours[..., 0] == png.key[0], 0, 65535).astype(np.uint16)
            channels, found = 1, find_range(colours, full_range("u", 16), stretch=stretch)
        else:
            stored = _of_image(image, notes)
            if png.key is not None:
                _hide_key(stored, png.key * 255 // (2**png.bits - 1))
    if png.bits == 16:

        def rows(first: int, last: int) -> np.ndarray:
            part = colours[first:last]
            if stretch and found.faint:
                part = in_whole_numbers(found.shares(part), deep=True)
            if alpha is None:
                return part
            return np.concatenate([part, alpha[first:last, :, np.newaxis]], axis=-1)

        stored = Stored(png.width, png.height, channels, rows, alpha is not None, deep=True)
        stored.faint = found.faint
        stored.notes = notes + found.notes
    if cut or png.cut:
        _refuse_empty(stored)
        stored.notes.append(_CUT)
    exif = metadata.open_exif(png.exif)
    stored.profile, stored.exif, stored.dpi = png.colours(), metadata.kept(exif), png.dpi
    stored.orientation = metadata.orientation_of(exif)
    return stored


def _hide_key(stored: Stored, key: np.ndarray) -> None:
    """Make one grey or colour transparent."""
    opaque = stored.rows

    def rows(first: int, last: int) -> np.ndarray:
        colours = opaque(first, last)
        seen = np.where((colours == key).all(axis=-1), 0, 255).astype(np.uint8)
        return np.concatenate([colours, seen[..., np.newaxis]], axis=-1)

    stored.rows, stored.has_alpha = rows, True


# TIFF


def _decode_tiff(file: BinaryIO, wanted: int, plane: int, stretch: bool) -> Stored:
    from imaging.files import tiff

    page, planes = tiff.find_page(file, plane)
    require_affordable(page.width * page.height, 0)
    stored = tiff.read_page(file, page, planes, plane, stretch)
    if stored is not None and stored.cut:
        _refuse_empty(stored)
        stored.notes.append(_CUT)
    if stored is None:
        stored = _decode_pillow(file, "TIFF", wanted, page.index)
        plane = min(max(plane, 0), planes - 1)
        stored.planes, stored.plane = planes, plane
        if planes > 1:
            stored.notes.insert(
                0, f"This file holds {planes:,} images; number {plane + 1:,} is shown."
            )
    exif = Image.Exif()
    try:
        file.seek(0)
        exif.load_from_fp(file)
        stored.exif = metadata.kept(exif)
        stored.dpi = stored.dpi or metadata.dpi_of(exif)
    except Exception:  # Metadata never cause an image to be refused.
        stored.exif = b""
    return stored


# HEIC and AVIF


def _decode_heif(file: BinaryIO) -> Stored:
    import pi_heif  # 4 MB that most visitors do without.

    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    pi_heif.options.DECODE_THREADS = 1
    file.seek(0)
    try:
        opened = pi_heif.open_heif(file, convert_hdr_to_8bit=False)
        picture = opened[opened.primary_index]
        width, height = picture.size
        # The planes of the decoder, those that it turned to colours, and its copy of them.
        require_affordable(width * height, width * height * (12 if "16" in picture.mode else 6))
        values = np.asarray(picture)
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError(limits.PHONE_FORMAT) from error
    values = values.reshape(*values.shape[:2], -1)
    width = min(width, values.shape[1])
    samples = values.shape[2]
    channels = 1 if samples < 3 else 3

    # The array does not own its memory, and lives no longer than the image it came from.
    def rows(first: int, last: int, owners: tuple = (opened, picture)) -> np.ndarray:
        return values[first:last, :width]

    stored = Stored(
        width,
        values.shape[0],
        channels,
        rows,
        has_alpha=samples in (2, 4),
        deep=values.dtype == np.uint16,
        profile=picture.info.get("icc_profile"),
        exif=metadata.kept(metadata.open_exif(picture.info.get("exif") or b"")),
    )
    if len(opened) > 1:
        stored.notes.append(_SEVERAL)
    return stored  # The decoder has turned it upright.


def _decode_avif(file: BinaryIO, wanted: int) -> Stored:
    try:
        return _decode_pillow(file, "AVIF", wanted)
    except (PhotoError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise PhotoError(limits.PHONE_FORMAT) from error


# All others


def _decode_icon(file: BinaryIO, wanted: int, stretch: bool) -> Stored:
    """Decode the largest image of an icon."""
    file.seek(4)
    count = min(int.from_bytes(file.read(2), "little"), 256)
    entries = [file.read(16) for _ in range(count)]
    entries = [struct.unpack("<BBBBHHII", entry) for entry in entries if len(entry) == 16]
    if not entries:
        raise PhotoError(limits.NO_PICTURE)
    best = max(entries, key=lambda entry: ((entry[0] or 256) * (entry[1] or 256), entry[5]))
    file.seek(best[7])
    content = file.read(min(best[6], limits.LARGEST_FILE))
    if content.startswith(PNG_START):
        return _decode_png(read_chunks(io.BytesIO(content)), stretch)
    if len(content) < 12:
        raise PhotoError(limits.CUT_OFF)
    across, down = struct.unpack_from("<ii", content, 4)
    _require_opened_whole(abs(across * down))
    # Alone in its icon: Pillow would choose among the others in its own way.
    head = struct.pack("<HHHBBBBHHII", 0, 1, 1, *best[:6], len(content), _ICON_HEAD)
    return _decode_pillow(io.BytesIO(head + content), "ICO", wanted)


def _decode_bmp(file: BinaryIO, wanted: int) -> Stored:
    try:
        opened = _opened(file, "BMP")
        # Pillow fills in what a few bytes say of a long row one pixel at a time, in Python.
        if any(tile.codec_name == "bmp_rle" for tile in opened.tile):
            _require_opened_whole(opened.width * opened.height)
        return _decode_pillow(file, "BMP", wanted)
    except OSError as problem:
        if "bitfields" not in str(problem):
            raise
    stored = bmp.read_masks(file)
    if stored.cut:
        _refuse_empty(stored)
        stored.notes.append(_CUT)
    return stored


def _decode_webp(file: BinaryIO, wanted: int) -> Stored:
    file.seek(4)
    whole = int.from_bytes(file.read(4), "little") + 8
    lossy = _lossy_part(file)
    if lossy is not None:
        # First comes how each block is made; what it is made of follows (RFC 6386, section 9.1).
        file.seek(lossy + 8)
        made = lossy + 18 + (int.from_bytes(file.read(3), "little") >> 5)
        if file.seek(0, io.SEEK_END) <= made:
            raise PhotoError(limits.CUT_OFF)
    return _decode_filled(file, whole, lambda each: _decode_pillow(each, "WEBP", wanted))


def _lossy_part(file: BinaryIO) -> int | None:
    """Where the first image of a WebP begins, if it is a lossy one (RFC 9649, section 2)."""
    at = 12
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head.startswith(b"VP8L"):
            break
        if head.startswith(b"VP8 "):
            return at
        size = int.from_bytes(head[4:], "little")
        # A frame of an animation begins with its place, and then has such parts itself.
        at += 8 + (16 if head.startswith(b"ANMF") else size + size % 2)
    return None


def _decode_filled(file: BinaryIO, whole: int, decode: Callable[[BinaryIO], Stored]) -> Stored:
    """Decode a file that should have ``whole`` bytes; what is missing are zeros.

    The decoders of WebP, AVIF, HEIC and JPEG 2000 give nothing of a file that ends too soon.  Of
    one that is filled up they give what came before, and a smear or a coarser image of the rest.
    """
    size = file.seek(0, io.SEEK_END)
    if whole <= size:
        return decode(file)
    if whole > min(limits.LARGEST_FILE, _LEAST_THERE * size):
        raise PhotoError(limits.CUT_OFF)
    file.seek(0)
    try:
        stored = decode(io.BytesIO(file.read().ljust(whole, b"\0")))
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception as problem:
        if isinstance(problem, PhotoError) and str(problem) != limits.PHONE_FORMAT:
            raise
        raise PhotoError(limits.CUT_OFF) from problem
    if _CUT not in stored.notes:
        _refuse_empty(stored)
        stored.notes.append(_CUT)
    return stored


def _whole_size(file: BinaryIO) -> int:
    """How many bytes a file of boxes should have (ISO/IEC 14496-12, section 4.2)."""
    size, at = file.seek(0, io.SEEK_END), 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        box = int.from_bytes(head[:4])
        if box == 1 and len(head) == 16:
            box = int.from_bytes(head[8:])
        if box < 8:
            break  # It goes on to the end, or is none.
        at += box
        if at >= size:
            return at
    return size


def _decode_pillow(file: BinaryIO, kind: str, wanted: int, frame: int = 0) -> Stored:
    image = _open(file, kind)
    if frame:
        image.seek(frame)
    if kind == "TIFF" and image.mode == "YCbCr":
        image = _opened_by_libtiff(file, frame)
    size_in_file = image.size
    _require_affordable(image, wanted)
    _require_few_scans(image, file, size_in_file)
    if kind == "JPEG2000":
        file.seek(0)
        count = image.width * image.height
        require_affordable(count, _decoding_memory(image, count) + tile_memory(file.read()))
    notes = []
    # A phone keeps a second image, for brighter screens, beside the photo: not worth a note.
    if getattr(image, "is_animated", False) and image.format not in ("MPO", "TIFF"):
        notes.append(_SEVERAL)
    rounded = any(";16" in str(tile.args) for tile in image.tile)
    extents = image.tile[0].extents if image.format == "GIF" and image.tile else None
    cut = _load(image)
    if cut and isinstance(image, JpegImageFile):
        image = _with_an_end(file, image)
    if kind == "JPEG2000":
        file.seek(0)
        rounded = put_white_back(image, file.read(), _decoded_stream)
    stored = _of_image(image, notes)
    if rounded and not stored.deep:
        stored.notes.append(f"{_DEEP}.")
    stored.whole = size_in_file
    if extents is not None and extents != (0, 0, *image.size):
        _show_only(stored, extents)
    if cut:
        _refuse_empty(stored)
        stored.notes.append(_CUT)
    exif = _exif_of(image)
    stored.orientation = metadata.orientation_of(exif)
    if kind != "TIFF":
        stored.exif = metadata.kept(exif)
    if image.mode not in ("CMYK", "LAB"):
        stored.profile = image.info.get("icc_profile") or None
    stored.dpi = _dpi_of(image)
    return stored


def _opened(file: BinaryIO, kind: str) -> Image.Image:
    """Read a header with the one plugin of Pillow that is for such files."""
    # Pillow would otherwise load all of its forty plugins to find this one.
    __import__(f"PIL.{_PLUGINS[kind]}")
    file.seek(0)
    return Image.open(file, formats=[kind])


def _decoded_stream(stream: bytes) -> Image.Image:
    image = _opened(io.BytesIO(stream), "JPEG2000")
    _load(image)
    return image


def _opened_by_libtiff(file: BinaryIO, frame: int) -> Image.Image:
    """Read the header of a TIFF whose colours may be those of several pixels together.

    Pillow's own decoder of what is not compressed knows neither these nor a smaller range.
    """
    from PIL import TiffImagePlugin

    TiffImagePlugin.READ_LIBTIFF = True
    try:
        image = _opened(file, "TIFF")
        image.seek(frame)
        return image
    finally:
        TiffImagePlugin.READ_LIBTIFF = False


def _open(file: BinaryIO, kind: str) -> Image.Image:
    """Read the header; of a JPEG without its metadata, where it is these that are broken."""
    try:
        return _opened(file, kind)
    except (Image.DecompressionBombError, MemoryError):
        raise
    except Exception:
        if kind != "JPEG":
            raise
        file.seek(0)
        content = file.read()
        if what := jpeg.rare_kind(content):
            raise PhotoError(limits.OTHER_KIND.format(what)) from None
        return _opened(io.BytesIO(jpeg.without_metadata(content)), kind)


def _require_opened_whole(count: int) -> None:
    """Refuse an image of more pixels than are opened, as one that takes too much memory."""
    require_affordable(count, count * limits.LARGEST_MEMORY // limits.OPENED_PIXELS)


def _require_affordable(image: Image.Image, wanted: int) -> None:
    """Refuse what would take too much memory; of a large JPEG, choose what is decoded."""
    count = image.width * image.height
    require_affordable(count, 0)
    if isinstance(image, JpegImageFile):
        # Decoding 2, 4 or 8 times fewer pixels in each direction costs less than all of them.
        # What has up to twice as many as are opened is decoded in full: half would be too few.
        fewer = 1
        while count > 2 * wanted * fewer**2:
            fewer *= 2
        image.draft(None, (max(1, image.width // fewer), max(1, image.height // fewer)))
    require_affordable(count, _decoding_memory(image, count))


def _decoding_memory(image: Image.Image, count: int) -> int:
    """The bytes that decoding takes at its peak, as measured; the file has ``count`` pixels."""
    # Pillow knows the place of each row.
    decoded = image.width * image.height * _BYTES_OF_MODE.get(image.mode, 4) + 8 * image.height
    if image.format == "WEBP":  # Two canvases, the frame that comes out of them, and its copy.
        return 16 * count
    if image.format == "JPEG2000":  # Each value as 4 bytes, twice, and the result.
        return decoded + 8 * len(image.getbands()) * count
    if image.format == "AVIF":
        return 3 * decoded
    if image.format in ("TIFF", "GIF"):  # The whole image may be one compressed strip.
        return 2 * decoded
    if isinstance(image, JpegImageFile) and image.info.get("progressive"):
        # All coefficients, of 2 bytes, wait for the last scan.
        sampling = [across * down for _, across, down, _ in image.layer]
        return decoded + 2 * count * sum(sampling) // max(sampling)
    return decoded


def _require_few_scans(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> None:
    """Refuse a progressive JPEG of too many scans for its ``size`` in the file."""
    if not image.info.get("progressive"):
        return
    file.seek(0)
    scans = jpeg.count_scans(file.read())
    if scans > limits.MOST_SCANS or scans * size[0] * size[1] > limits.MOST_VISITS:
        raise PhotoError(limits.NO_PICTURE)


def _load(image: Image.Image) -> bool:
    """Decode; return whether the file ended, or broke, before the image was complete."""
    try:
        image.load()
        return False
    except (OSError, SyntaxError, EOFError, struct.error):
        image.tile = []  # What was decoded stays.
        image.im  # noqa: B018  Raises where nothing was.
        return True


def _with_an_end(file: BinaryIO, cut: Image.Image) -> Image.Image:
    """Decode a JPEG again as if it ended where it was cut off, as browsers do."""
    file.seek(0)
    image = _opened(io.BytesIO(file.read() + jpeg.END), "JPEG")
    if cut.size != image.size:
        image.draft(None, cut.size)
    try:
        _load(image)
        return image if image.size == cut.size else cut
    except Exception:
        return cut


def _refuse_empty(stored: Stored) -> None:
    """Refuse what is cut off where nothing of the image was read: it has one value everywhere."""
    first = stored.rows(0, 1)[:1, :1]
    for rows in strips(stored.height, stored.width):
        if np.any(stored.rows(rows.start, rows.stop) != first):
            return
    raise PhotoError(limits.CUT_OFF)


def _of_image(image: Image.Image, notes: list[str]) -> Stored:
    """A decoded image of Pillow, whose values are taken from it a few rows at a time."""
    if image.mode in (*_SIXTEEN_BITS, "I", "F"):
        values = np.array(image)[..., np.newaxis]
        found = find_range(values, full_range("f" if image.mode == "F" else "u", 16))
        return Stored(
            *image.size,
            1,
            lambda first, last: in_whole_numbers(found.shares(values[first:last]), deep=True),
            deep=True,
            notes=notes + found.notes,
        )
    if image.mode in _CONVERTED:
        notes = [*notes, _CONVERTED[image.mode]]
    mode = "L" if image.mode in _GREY_MODES else "RGB"
    if image.has_transparency_data:
        mode += "A"
    convert = (
        cmyk_to_rgb(image.info.get("icc_profile"))
        if image.mode == "CMYK"
        else lambda part: part.convert(mode)
    )

    def rows(first: int, last: int) -> np.ndarray:
        part = np.asarray(convert(image.crop((0, first, image.width, last))))
        return part.reshape(*part.shape[:2], -1)

    channels = 1 if mode.startswith("L") else 3
    return Stored(*image.size, channels, rows, has_alpha=mode.endswith("A"), notes=notes)


def _show_only(stored: Stored, extents: tuple[int, int, int, int]) -> None:
    """Make transparent what the first image of an animation does not cover."""
    left, top, right, bottom = extents
    covered = stored.rows

    def rows(first: int, last: int) -> np.ndarray:
        part = covered(first, last)
        seen = np.zeros((*part.shape[:2], 1), np.uint8)
        inside = slice(max(0, top - first), max(0, bottom - first))
        seen[inside, left:right] = 255
        if stored_alpha:
            seen = np.minimum(seen, part[..., -1:])
        return np.concatenate([part[..., : stored.channels], seen], axis=-1)

    stored_alpha = stored.has_alpha
    stored.rows, stored.has_alpha = rows, True


def _exif_of(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def _dpi_of(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(1 < value < 100_000 for value in (across, down))
    return (across, down) if sensible else None


# From what was decoded to a photo


def _finish(stored: Stored, name: str, wanted: int, deep_pixels: int) -> Photo:
    """Turn upright, reduce, and bring to the colours of a screen, a strip of rows at a time."""
    size = _opened_size(stored.width, stored.height, wanted)
    shape = size if stored.orientation in _LYING else size[::-1]
    channels = stored.channels
    deep = stored.deep and size[0] * size[1] <= deep_pixels
    convert = to_srgb(stored.profile, channels)
    pixels = np.empty((*shape, channels), np.uint8)
    alpha = np.empty(shape, np.uint8) if stored.has_alpha else None
    own = None
    if deep or convert is not None:
        own = np.empty((*shape, channels), np.uint16 if deep else np.uint8)
    turned = _STORED_IN_SHOWN[stored.orientation]
    for rows in strips(size[1], size[0]):
        strip = _resized_rows(stored, rows, size)
        if not deep:
            strip = to_8_bits(strip)
        if alpha is not None:
            turned(alpha)[rows] = to_8_bits(strip[..., channels])
        values = strip[..., :channels]
        if own is not None:
            turned(own)[rows] = values
        values = to_8_bits(values)
        if convert is not None:
            values = convert(values).reshape(values.shape)
        turned(pixels)[rows] = values
    if alpha is not None and alpha.min(initial=255) == 255:
        alpha = None
    if alpha is not None:
        for each in (pixels, own):
            if each is not None:
                _fill_hidden(each, alpha)

    notes = list(stored.notes)
    if stored.deep and not deep:
        notes.append(
            f"{_DEEP}: more than {millions(deep_pixels)} megapixels of 16 take too much memory "
            "here."
        )
    whole = stored.whole or (stored.width, stored.height)
    reduced_from = None
    if size != whole:
        lying = stored.orientation in _LYING
        before, after = (one[::-1] if lying else one for one in (whole, size))
        notes.append(_reduced(before, after, wanted))
        reduced_from = before[1], before[0]
    return Photo(
        pixels,
        name,
        alpha,
        tuple(notes),
        own,
        stored.profile,
        stored.exif,
        stored.dpi if size == whole else None,
        stored.planes,
        stored.plane,
        stored.faint,
        reduced_from,
    )


def _reduced(before: tuple[int, int], after: tuple[int, int], wanted: int) -> str:
    """The note of an image that is opened at a smaller size, (width, height)."""
    sizes = " to ".join(f"{across:,} × {down:,}" for across, down in (before, after))
    return (
        f"Reduced from {sizes} pixels: more than {wanted / 1e6:g} megapixels take too much "
        "memory here."
    )


def _resized_rows(stored: Stored, rows: slice, size: tuple[int, int]) -> np.ndarray:
    """Some rows at another size, as if all of the image had been resized."""
    if size == (stored.width, stored.height):
        return stored.rows(rows.start, rows.stop)
    scale = stored.height / size[1]
    top, bottom = rows.start * scale, rows.stop * scale
    reach = _LANCZOS_RADIUS * scale + 1
    first = max(0, math.floor(top - reach))
    last = min(stored.height, math.ceil(bottom + reach))
    values = stored.rows(first, last)
    box = (0, top - first, stored.width, min(bottom - first, last - first))
    to = (size[0], rows.stop - rows.start)
    if values.dtype == np.uint8:
        # Pillow weighs colours by their opacity, as it has to be.
        picture = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        resized = np.asarray(picture.resize(to, Image.Resampling.LANCZOS, box=box))
        return resized.reshape(*resized.shape[:2], -1)
    weights = values[..., stored.channels :].astype(np.float32) / 65535
    layers = values.astype(np.float32)
    if stored.has_alpha:
        layers[..., : stored.channels] *= weights
    resized = np.stack(
        [
            np.asarray(Image.fromarray(layer).resize(to, Image.Resampling.LANCZOS, box=box))
            for layer in np.ascontiguousarray(layers.transpose(2, 0, 1))
        ],
        axis=-1,
    )
    if stored.has_alpha:
        seen = resized[..., stored.channels :] / 65535
        resized[..., : stored.channels] /= np.where(seen > 1e-4, seen, 1)
    return np.rint(np.clip(resized, 0, 65535)).astype(np.uint16)


def _opened_size(width: int, height: int, opened_pixels: int) -> tuple[int, int]:
    """The largest size of the same shape that has no more than ``opened_pixels``."""
    if width * height <= opened_pixels:
        return width, height
    factor = math.sqrt(opened_pixels / (width * height))
    # A side cannot be less than 1, and then only the other one can give way.
    return tuple(max(1, min(int(side * factor), opened_pixels)) for side in (width, height))


def _fill_hidden(pixels: np.ndarray, alpha: np.ndarray) -> None:
    """Give the pixels that nobody sees, in place, the colour of what is seen around them.

    Whatever was left there must not be denoised into the edges of what is seen.
    """
    height, width, channels = pixels.shape
    if height > width:  # It is done row by row of cells.
        _fill_hidden(pixels.swapaxes(0, 1), alpha.T)
        return
    seen = alpha > 0
    if seen.all():
        return
    if not seen.any():
        pixels[:] = 0
        return
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    sums = np.zeros((rows, columns, channels + 1), np.float64)
    places = [(row, first) for row in range(rows) for first in range(0, columns, _CELLS_AT_ONCE)]
    for row, first in places:
        part = _pixels_of(row, first)
        weights = seen[part].astype(np.float64)[..., np.newaxis]
        values = np.concatenate([pixels[part] * weights, weights], axis=-1).sum(axis=0)
        cells = np.add.reduceat(values, np.arange(0, len(values), _CELL), axis=0)
        sums[row, first : first + _CELLS_AT_ONCE] = cells
    colours = _of_coarser_cells(sums)
    for row, first in places:
        part = _pixels_of(row, first)
        hidden = ~seen[part]
        filled = np.repeat(colours[row, first : first + _CELLS_AT_ONCE], _CELL, axis=0)
        spread = np.broadcast_to(filled[: hidden.shape[1]], (*hidden.shape, channels))
        pixels[part][hidden] = np.rint(spread[hidden]).astype(pixels.dtype)


def _pixels_of(row: int, first: int) -> tuple[slice, slice]:
    """The pixels of some cells in a row of cells."""
    left = first * _CELL
    return np.s_[row * _CELL : (row + 1) * _CELL, left : left + _CELLS_AT_ONCE * _CELL]


def _of_coarser_cells(sums: np.ndarray) -> np.ndarray:
    """Divide sums by their weights; where there is no weight, take four cells together."""
    weights = sums[..., -1:]
    colours = sums[..., :-1] / np.where(weights > 0, weights, 1)
    if (weights > 0).all():
        return colours
    rows, columns = sums.shape[:2]
    even = np.pad(sums, ((0, rows % 2), (0, columns % 2), (0, 0)))
    four = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, -1).sum(axis=(1, 3))
    coarse = _of_coarser_cells(four).repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
    return np.where(weights > 0, colours, coarse)
