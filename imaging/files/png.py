"""What is not image in a PNG: text, broken checksums, huge profiles; and its 16-bit colours.

Pillow refuses a whole file for a comment that is too long or a wrong checksum in one.  Here the
chunks that make the image are copied into a plain file, and the few others that say how to show
it are read with limits.
"""

import io
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from PIL import Image

from imaging.files.limits import (
    CUT_OFF,
    LARGEST_EXIF,
    LARGEST_PROFILE,
    MOST_CHUNKS,
    NO_PICTURE,
    PhotoError,
    require_affordable,
)
from imaging.files.profiles import profile_of_code, profile_of_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 4, 6
_WITH_ALPHA = (_GREY_ALPHA, _COLOUR_ALPHA)
# What is read of what is not image, and how long it may be.
_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP")
_READ = dict.fromkeys((b"PLTE", b"tRNS", b"pHYs", b"fcTL", *_COLOURS), 1024)
_READ |= {b"iCCP": LARGEST_PROFILE, b"eXIf": LARGEST_EXIF}
# Where they stand behind it, browsers do without.
_BEFORE_THE_IMAGE = (*_COLOURS, b"PLTE", b"tRNS")
_SAMPLES = {_GREY: 1, _COLOUR: 3, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}


@dataclass
class Png:
    """The chunks of a PNG that count."""

    width: int
    height: int
    bits: int
    colour_type: int
    interlaced: int
    small: dict[bytes, bytes] = field(default_factory=dict)
    profile: bytes | None = None
    exif: bytes = b""
    file: BinaryIO | None = None
    data: list[tuple[int, int]] = field(default_factory=list)  # Where it lies, and how long.
    animated: bool = False
    frame: bytes = b""  # Where the first frame of an animation lies.
    starts_moving: bool = False
    damaged: bool = False
    cut: bool = False

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour; a palette is colour."""
        return 1 if self.colour_type in (_GREY, _GREY_ALPHA) else 3

    @property
    def is_deep_colour(self) -> bool:
        """Whether Pillow would cut 16 bits down to 8."""
        return self.bits == 16 and self.colour_type != _GREY

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels per inch across and down."""
        if len(self.small.get(b"pHYs", b"")) != 9:
            return None
        across, down, unit = struct.unpack(">IIB", self.small[b"pHYs"])
        return (across * 0.0254, down * 0.0254) if unit == 1 and across and down else None

    @property
    def key(self) -> np.ndarray | None:
        """The transparent grey ``(1,)`` or colour ``(3,)``, in the values of the file."""
        size = {_GREY: 2, _COLOUR: 6}.get(self.colour_type)
        content = self.small.get(b"tRNS", b"")
        if size is None or len(content) < size:
            return None
        return np.frombuffer(content[:size], ">u2").astype(np.int64) & (2**self.bits - 1)

    def colours(self) -> bytes | None:
        """The colour profile, named or spelled out; None for sRGB, as browsers rank them."""
        named = self.small.get(b"cICP", b"")
        if len(named) == 4:
            profile = profile_of_code(named[0], named[1], self.channels)
            if profile is not None:
                return profile or None
        if self.profile:
            return self.profile
        if b"sRGB" in self.small:
            return None
        gamma, places = self.small.get(b"gAMA", b""), self.small.get(b"cHRM", b"")
        return profile_of_png(
            struct.unpack(">I", gamma)[0] / 1e5 or None if len(gamma) == 4 else None,
            tuple(v / 1e5 for v in struct.unpack(">8I", places)) if len(places) == 32 else None,
            self.channels,
        )

    def plain(self, as_colour_type: int | None = None, bits: int | None = None) -> BinaryIO:
        """The file with its image alone; claimed to be of another kind where asked."""
        header = struct.pack(
            ">IIBBBBB",
            self.width,
            self.height,
            bits or self.bits,
            self.colour_type if as_colour_type is None else as_colour_type,
            0,
            0,
            self.interlaced,
        )
        parts: list[bytes | tuple[int, int]] = [SIGNATURE, _chunk(b"IHDR", header)]
        if b"PLTE" in self.small:
            parts.append(_chunk(b"PLTE", self.small[b"PLTE"]))
        if b"tRNS" in self.small and self.colour_type == 3:
            parts.append(_chunk(b"tRNS", self.small[b"tRNS"]))
        for start, size in self.data:
            # Nobody looks at their checksums.
            parts += [struct.pack(">I4s", size, b"IDAT"), (start, size), bytes(4)]
        if not self.cut:
            parts.append(_chunk(b"IEND", b""))
        return io.BufferedReader(_Joined(self.file, parts), 2**16)


class _Joined(io.RawIOBase):
    """Reads some bytes, some stretches of another file, as one file."""

    def __init__(self, file: BinaryIO, parts: list[bytes | tuple[int, int]]) -> None:
        self._file, self._parts, self._at = file, parts, 0
        sizes = [len(part) if isinstance(part, bytes) else part[1] for part in parts]
        self._starts = [0, *accumulate(sizes)]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer) -> int:
        index = bisect_right(self._starts, self._at) - 1
        if index >= len(self._parts):
            return 0
        part, skipped = self._parts[index], self._at - self._starts[index]
        wanted = min(len(buffer), self._starts[index + 1] - self._at)
        if isinstance(part, bytes):
            content = part[skipped : skipped + wanted]
        else:
            self._file.seek(part[0] + skipped)
            content = self._file.read(wanted)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def read_chunks(file: BinaryIO) -> Png:
    """Read the chunks of a PNG; what is wrong with those that are not image is passed over.

    Raises:
        PhotoError: if there is no image in it, or more than is opened here.
    """
    file.seek(len(SIGNATURE))
    png, frame, frames = None, [], 0
    for _ in range(MOST_CHUNKS):
        start = file.read(8)
        if len(start) < 8:
            break
        size, name = struct.unpack(">I4s", start)
        if name == b"IEND":
            break
        if png is None:
            png = _header(file, name, size)
            png.file = file
        elif name in (b"IDAT", b"fdAT"):
            skipped = 4 if name == b"fdAT" else 0  # The number of the frame's part.
            place = file.tell() + skipped
            read, right = _checked(file, name, size)
            (png.data if name == b"IDAT" else frame if frames == 1 else []).append(
                (place, read - skipped)
            )
            png.damaged |= not right
            png.cut |= read < size
        elif size <= _READ.get(name, -1) and not (png.data and name in _BEFORE_THE_IMAGE):
            content = file.read(size)
            right = file.read(4) == struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
            if name == b"PLTE":
                png.damaged |= not right
            elif not right:
                continue  # Not the image, only how to show it.
            if name == b"fcTL":
                frames += 1
                if frames == 1:
                    png.frame = content
                    png.starts_moving = not png.data
            elif name == b"iCCP":
                png.profile = _unpacked_profile(content)
            elif name == b"eXIf":
                png.exif = b"Exif\0\0" + content
            else:
                png.small.setdefault(name, content)
        else:
            file.seek(size + 4, io.SEEK_CUR)
    if png is None or not png.data:
        raise PhotoError(CUT_OFF)
    png.animated = frames > 1
    if (
        frame
        and not png.starts_moving
        and png.frame[4:20] == struct.pack(">IIII", png.width, png.height, 0, 0)
    ):
        # What stands before the animation is for programs that do not know of animations.
        png.data = [part for part in frame if part[1] > 0]
    return png


def _header(file: BinaryIO, name: bytes, size: int) -> Png:
    content = file.read(13)
    if name != b"IHDR" or size != 13:
        raise PhotoError(NO_PICTURE)
    check = file.read(4)
    if len(check) < 4:
        raise PhotoError(CUT_OFF)
    width, height, bits, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", content)
    right = check == struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
    if bits == 16 and colour_type != _GREY:
        needed = 4 * _SAMPLES.get(colour_type, 4) + 4
    else:
        needed = 2 if bits == 16 else 4 if colour_type in (_COLOUR, *_WITH_ALPHA) else 1
    # The decoder knows the place of each row.
    require_affordable(width * height, width * height * needed + 8 * height)
    return Png(width, height, bits, colour_type, interlaced, damaged=not right)


def _checked(file: BinaryIO, name: bytes, size: int) -> tuple[int, bool]:
    """Read past a chunk; return how long it is, and whether its checksum is not wrong."""
    check, left = zlib.crc32(name), size
    while left and (part := file.read(min(left, 2**20))):
        check, left = zlib.crc32(part, check), left - len(part)
    said = file.read(4)
    # A chunk that is cut off ends the file: its checksum is missing, not wrong.
    return size - left, len(said) < 4 or said == struct.pack(">I", check)


def sixteen_bits(png: Png) -> tuple[np.ndarray, bool]:
    """Decode 16-bit grey with opacity, or colour, as ``uint16 (H, W, 2, 3 or 4)``.

    Also returns whether the file ended before the image was complete.

    Pillow keeps one byte of such values: it is asked for the high bytes, then for the low ones.
    """
    if png.colour_type == _GREY_ALPHA:
        # Its filters see four bytes a pixel, as in 8-bit colour with opacity.
        decoded, cut = _decoded(png.plain(_COLOUR_ALPHA, 8), None)
        return decoded.view(">u2").astype(np.uint16), cut
    mode = "RGB" if png.colour_type == _COLOUR else "RGBA"
    decoded, cut = _decoded(png.plain(), f"{mode};16B")
    values = decoded.astype(np.uint16)
    values <<= 8
    values |= _decoded(png.plain(), f"{mode};16L")[0]
    return values, cut


def _decoded(file: BinaryIO, raw_mode: str | None) -> tuple[np.ndarray, bool]:
    with Image.open(file, formats=["PNG"]) as image:
        if raw_mode is not None:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        cut = False
        try:
            image.load()
        except (OSError, SyntaxError):
            image.tile, cut = [], True  # What was decoded of it stays.
        return np.array(image), cut


def _unpacked_profile(content: bytes) -> bytes | None:
    name, _, packed = content.partition(b"\0")
    if len(name) > 79 or packed[:1] != b"\0":
        return None
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if unpacker.eof else None


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
