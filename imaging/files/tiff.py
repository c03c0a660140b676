"""TIFF: the files of scanners, microscopes and maps.

``find_page`` walks through the directories of a file with limits, and chooses the image in it.
``read_page`` decodes what Pillow cannot, or not rightly: any number of bits, integers and floats,
colour by planes, ranges and gaps that the file names.  tifffile reads the tags; segments are
unpacked here, with the codecs of zlib and of Pillow's libtiff.
"""

import io
import logging
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from PIL import Image

from imaging.files.limits import (
    CUT_OFF,
    LARGEST_TAG,
    LARGEST_TAGS,
    MOST_PAGES,
    MOST_TAGS,
    MOST_TAGS_OF_ALL,
    NO_PICTURE,
    RAW,
    PhotoError,
    require_affordable,
)
from imaging.files.profiles import cmyk_to_rgb
from imaging.files.stored import Stored
from imaging.files.value_range import Range, find_range, full_range, in_whole_numbers
from imaging.pixels import strips, to_8_bits

_MOST_SEGMENTS = 2**16
_MOST_DAMAGED = 100  # Segments: libtiff writes a line into the log for each.
_BATCH = 2**22  # Bytes that are unpacked at a time; each time costs as much as many segments.
_TAG_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # By the type of a tag.
_SHORT, _LONG, _LONG8 = 3, 4, 16
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _DNG = 254, 255, 256, 257, 262, 50706
_SUBFILES = 330
_REDUCED, _MASK = 1, 4  # Bits of NewSubfileType.

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_OF_A_SENSOR = (32803, 34892)
_PLAIN, _LZW, _PACKBITS, _ZSTD, _LZMA = 1, 5, 32773, 50000, 34925
_DEFLATE = (8, 32946)
_OF_LIBTIFF = (_LZW, _PACKBITS, _ZSTD, _LZMA)
_LOSSLESS = (_PLAIN, *_DEFLATE, *_OF_LIBTIFF)
_OF_PILLOW = (2, 3, 4, 6, 7, 32771)  # Fax and JPEG
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_PREMULTIPLIED, _OPACITY = 1, 2

_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """One image of a file: its place in the chain of directories.

    ``has_others`` says that it points to more directories, outside of the chain.
    """

    index: int
    width: int
    height: int
    subfile: int
    photometric: int
    has_others: bool = False

    @property
    def is_image(self) -> bool:
        """Whether it is neither a smaller copy nor a mask."""
        return self.width > 0 and self.height > 0 and not self.subfile & (_REDUCED | _MASK)


def find_page(file: BinaryIO, plane: int) -> tuple[Page, int]:
    """Return the image number ``plane`` of a file, and how many there are.

    Thumbnails and masks are not counted.

    Raises:
        PhotoError: if the file is not a TIFF, a camera's raw file, or has too many tags.
    """
    pages = _pages(file)
    if not pages:
        raise PhotoError(CUT_OFF)
    images = [page for page in pages if page.is_image] or [
        page for page in pages if page.width and page.height
    ]
    if not images:
        raise PhotoError(NO_PICTURE)
    if not images[0].is_image and images[0].has_others:
        raise PhotoError(RAW)  # Its thumbnail comes first, and what counts lies deeper.
    if len(images) > 1 and _is_thumbnail(images[0], images[1]):
        del images[0]
    page = images[min(max(plane, 0), len(images) - 1)]
    if page.photometric in _OF_A_SENSOR:
        raise PhotoError(RAW)
    return page, len(images)


def _is_thumbnail(first: Page, second: Page) -> bool:
    scale = second.width / first.width
    return scale >= 2 and abs(first.height * scale / second.height - 1) < 0.05


def _pages(file: BinaryIO) -> list[Page]:
    """All directories of the main chain; nothing is read but what the limits allow."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    header = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or len(header) < 8:
        raise PhotoError(NO_PICTURE)
    if header[8:10] == b"CR":
        raise PhotoError(RAW)
    version = struct.unpack(order + "H", header[2:4])[0]
    if version not in (42, 43):
        raise PhotoError(RAW if header[:4] in (b"IIU\0", b"IIRO", b"MMOR") else NO_PICTURE)
    big = version == 43
    count_form, entry_form, offset_form = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    entry_size = struct.calcsize(order + entry_form)
    at = struct.unpack_from(order + offset_form, header.ljust(16, b"\0"), 8 if big else 4)[0]
    pages, seen, total, tags_of_all = [], set(), 0, 0
    while at and at not in seen and at < size and len(pages) < MOST_PAGES:
        seen.add(at)
        file.seek(at)
        start = file.read(8 if big else 2)
        if len(start) < (8 if big else 2):
            break
        count = struct.unpack(order + count_form, start)[0]
        tags_of_all += count
        if count > MOST_TAGS or tags_of_all > MOST_TAGS_OF_ALL:
            raise PhotoError(NO_PICTURE)
        table = file.read(count * entry_size)
        tags = {}
        for entry in range(len(table) // entry_size):
            tag, kind, many, value = struct.unpack_from(
                order + entry_form, table, entry * entry_size
            )
            needed = many * _TAG_BYTES[kind] if kind < len(_TAG_BYTES) else 0
            total += needed
            if needed > LARGEST_TAG or total > LARGEST_TAGS:
                raise PhotoError(NO_PICTURE)
            form = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}.get(kind)
            if form and many and struct.calcsize(form) <= len(value):
                tags[tag] = struct.unpack_from(order + form, value)[0]
            elif tag in (_DNG, _SUBFILES):
                tags[tag] = 1
        if _DNG in tags:
            raise PhotoError(RAW)
        subfile = tags.get(_SUBFILE, _REDUCED if tags.get(_OLD_SUBFILE) == 2 else 0)
        photometric = tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
        size_of_it = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
        pages.append(Page(len(pages), *size_of_it, subfile, photometric, _SUBFILES in tags))
        following = file.read(8 if big else 4)
        if len(following) < (8 if big else 4):
            break
        at = struct.unpack(order + offset_form, following)[0]
    return pages


def read_page(file: BinaryIO, page: Page, planes: int, plane: int, stretch: bool) -> Stored | None:
    """Decode an image; None where Pillow is the one to do it.

    Pillow is good at 8 bits and less in black-and-white, colour, printing colours and palettes,
    and at JPEG inside.

    Raises:
        PhotoError: if it is of a kind that cannot be decoded, damaged or too large.
    """
    import tifffile  # 2 MB that most visitors do without.

    # A stranger's file can have it write thousands of lines into the server's log.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    file.seek(0)
    with tifffile.TiffFile(file, _multifile=False) as tiff:
        return _read(file, tiff.pages[page.index], planes, plane, stretch)


def _read(file: BinaryIO, page, planes: int, plane: int, stretch: bool) -> Stored | None:
    if page.is_tiled:
        # A tile is as large as it says, wherever the image ends.
        values = page.tilewidth * page.tilelength * int(page.samplesperpixel)
        whole = math.ceil(page.bitspersample / 8)
        require_affordable(page.imagewidth * page.imagelength, 2 * values * whole)
    if not _is_of_ours(page):
        _require_of_pillow(page)
        return None
    dtype = _dtype(page)
    pixels = page.imagewidth * page.imagelength
    bytes_of_all = pixels * int(page.samplesperpixel) * dtype.itemsize
    require_affordable(pixels, 2 * bytes_of_all)
    shift = 0
    if planes == 1 and (stacked := _imagej_stack(page, dtype)) > 1:
        planes = stacked
        shift = _within(plane, planes) * bytes_of_all
    values, cut = _decoded(file, page, dtype, shift)
    if _is_palette(page):
        stored = _of_palette(values[..., 0], page)
    elif _is_more_than_cmyk(page):
        stored = _of_cmyk(values, page)
    else:
        stored = _of_channels(values, page, plane if planes == 1 else None, stretch)
    if planes > 1:
        stored.planes, stored.plane = planes, _within(plane, planes)
    if stored.planes > 1:
        stored.notes.insert(
            0, f"This file holds {stored.planes:,} images; number {stored.plane + 1:,} is shown."
        )
    stored.cut = cut
    return stored


def _within(plane: int, planes: int) -> int:
    return min(max(plane, 0), planes - 1)


def _is_of_ours(page) -> bool:
    """Whether it is decoded here, because Pillow cannot, or not rightly."""
    photometric = _photometric(page)
    plain = (
        page.bitspersample in (1, 8)
        and page.sampleformat in (None, _UNSIGNED)
        and _PHOTOMETRIC in page.tags
        and _named_range(page) is None
        and _gap(page) is None
        and int(page.planarconfig) == 1
        and int(page.samplesperpixel) in ((3, 4) if photometric == _RGB else (1,))
        and not page.parent.is_bigtiff
    )
    return int(page.compression) in _LOSSLESS and (
        _is_palette(page)
        or _is_more_than_cmyk(page)
        or (photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) and not plain)
    )


def _is_palette(page) -> bool:
    """Whether it has one that Pillow cannot read."""
    # Pillow looks up 8 bits in a table of 16-bit colours, which some programs fill with 8.
    bits, colours = page.bitspersample, page.colormap
    narrow = colours is not None and colours.max() < 256
    return _photometric(page) == _PALETTE and (bits == 16 or (bits <= 8 and narrow))


def _is_more_than_cmyk(page) -> bool:
    samples, bits = int(page.samplesperpixel), page.bitspersample
    return _photometric(page) == _CMYK and samples > 4 and bits in (8, 16)


def _of_channels(values: np.ndarray, page, chosen: int | None, stretch: bool) -> Stored:
    """Grey or colours of any range; of channels that are images by themselves, one is chosen."""
    samples, photometric, bits = values.shape[2], _photometric(page), page.bitspersample
    extra = dict(enumerate(map(int, page.extrasamples), samples - len(page.extrasamples)))
    opacity = next((i for i, each in extra.items() if each in (_PREMULTIPLIED, _OPACITY)), None)
    without_opacity = samples - (opacity is not None)
    channels = 3 if photometric == _RGB and samples >= 3 else 1
    notes: list[str] = []
    planes, plane = 1, 0
    if channels == 1 and without_opacity == 3 and int(page.planarconfig) == 1:
        # Programs that write arrays do not always say that these are colours.
        channels = 3
        notes.append("Its three channels are shown as red, green and blue.")
    elif channels == 1 and without_opacity > 1:
        # Channels of a microscope, each a separate image.
        opacity = None
        if chosen is None:
            notes.append(f"Of its {samples} channels the first is shown.")
        else:
            planes, plane = samples, _within(chosen, samples)
    colours = values[..., plane : plane + channels]
    alpha = None if opacity is None else values[..., opacity]
    premultiplied = extra.get(opacity) == _PREMULTIPLIED

    gap = _gap(page)
    hidden = None if gap is None else _equal(colours, gap)
    full = full_range(values.dtype.kind, bits)
    of_one_channel = channels == 3 and _is_imagej(page)
    named = None if of_one_channel else _named_range(page)
    found = find_range(colours, full, hidden, named, _is_imagej(page), stretch)
    to_shares = Range(found.low, found.high, inverted=photometric == _WHITE_IS_ZERO)

    def rows(first: int, last: int) -> np.ndarray:
        share = to_shares.shares(colours[first:last])
        shown = None
        if alpha is not None:
            shown = np.clip(np.nan_to_num(alpha[first:last] / np.float64(full[1])), 0, 1)
            if premultiplied:
                share /= np.where(shown > 0, shown, 1)[..., np.newaxis]
        if hidden is not None:
            shown = np.where(hidden[first:last], 0.0, 1.0 if shown is None else shown)
        if shown is not None:
            share = np.concatenate([share, shown[..., np.newaxis]], axis=-1)
        return in_whole_numbers(share, bits > 8)

    return Stored(
        page.imagewidth,
        page.imagelength,
        channels,
        rows,
        has_alpha=alpha is not None or hidden is not None,
        deep=bits > 8,
        planes=planes,
        plane=plane,
        faint=found.faint,
        notes=[*notes, *found.notes],
        **_common(page),
    )


def _common(page) -> dict:
    """The colour profile and the orientation of a page."""
    profile = page.tags.get(34675)
    orientation = page.tags.get(274)
    value = orientation.value if orientation else 1
    return {
        "profile": bytes(profile.value) if profile and profile.value else None,
        "orientation": value if isinstance(value, int) and 1 <= value <= 8 else 1,
    }


def _of_palette(indices: np.ndarray, page) -> Stored:
    table = np.asarray(page.colormap).astype(int)  # (3, colours)
    if table.shape != (3, 2**page.bitspersample):
        raise _unknown("a palette of another size")
    if table.max() >= 256:
        table = (table + 128) // 257
    table = table.astype(np.uint8)

    def rows(first: int, last: int) -> np.ndarray:
        return table[:, indices[first:last]].transpose(1, 2, 0)

    return Stored(page.imagewidth, page.imagelength, 3, rows, **_common(page))


def _of_cmyk(values: np.ndarray, page) -> Stored:
    """Printing colours with more channels, of which opacity alone is a part of the image."""
    extra = [int(each) for each in page.extrasamples]
    opacity = next((4 + i for i, each in enumerate(extra) if each in (_PREMULTIPLIED, _OPACITY)), 0)
    common = _common(page)
    convert = cmyk_to_rgb(common.pop("profile"))

    def rows(first: int, last: int) -> np.ndarray:
        part = to_8_bits(values[first:last])
        inks = Image.frombytes("CMYK", part.shape[1::-1], part[..., :4].tobytes())
        colours = np.asarray(convert(inks))
        return np.dstack([colours, part[..., opacity]]) if opacity else colours

    notes = ["Its printing colours (CMYK) were converted to red, green and blue."]
    return Stored(
        page.imagewidth,
        page.imagelength,
        3,
        rows,
        has_alpha=bool(opacity),
        notes=notes,
        **common,
    )


def _sample_format(page) -> int:
    """What the samples are; what nobody says are whole numbers, as TIFF 6.0 (page 80) asks."""
    kind = int(page.sampleformat or _UNSIGNED)
    return _UNSIGNED if kind == _UNDEFINED else kind


def _photometric(page) -> int:
    """What the samples mean; where the file does not say it, as libtiff has it."""
    if _PHOTOMETRIC in page.tags:
        return int(page.photometric)
    return _RGB if int(page.samplesperpixel) >= 3 else _BLACK_IS_ZERO


def _require_of_pillow(page) -> None:
    """Refuse what Pillow would open wrongly, or refuse without saying why."""
    bits, photometric = page.bitspersample, _photometric(page)
    if photometric in _OF_A_SENSOR or int(page.compression) in (34713, 65000, 32767):
        raise PhotoError(RAW)
    if int(page.compression) not in (*_LOSSLESS, *_OF_PILLOW):
        raise _unknown(f"compression {int(page.compression)}")
    known = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB)
    if photometric not in known:
        raise _unknown(f"colours of kind {photometric}")
    if len(page.dataoffsets) > _MOST_SEGMENTS:
        raise PhotoError(NO_PICTURE)
    if bits > 8 and photometric != _CMYK:
        raise _unknown(f"{bits} bits with this compression or kind of colour")


def _unknown(what: str) -> PhotoError:
    return PhotoError(
        f"A TIFF of this kind cannot be opened here: {what}. "
        "Save it with 8 or 16 bits per channel, in grey or RGB, and try again."
    )


def _dtype(page) -> np.dtype:
    """The type of its samples once they are unpacked.

    Raises:
        PhotoError: if nobody writes such samples.
    """
    bits, kind = page.bitspersample, _sample_format(page)
    if page.imagedepth > 1:
        raise _unknown("an image with depth")
    if bits not in range(1, 33) and bits != 64:
        raise _unknown(f"{bits} bits per sample")
    if (kind == _FLOAT and bits not in (16, 32, 64)) or kind not in (_UNSIGNED, _SIGNED, _FLOAT):
        raise _unknown(f"{bits} bits per sample of sample format {kind}")
    if kind == _SIGNED and bits not in (8, 16, 32, 64):
        raise _unknown(f"signed samples of {bits} bits")
    size = next(size for size in (8, 16, 32, 64) if bits <= size)
    return np.dtype(f"{ {_UNSIGNED: 'u', _SIGNED: 'i', _FLOAT: 'f'}[kind] }{size // 8}")


def _decoded(file: BinaryIO, page, dtype: np.dtype, shift: int) -> tuple[np.ndarray, bool]:
    """Return the samples ``(H, W, S)``, and whether some were missing."""
    height, width, samples = page.imagelength, page.imagewidth, int(page.samplesperpixel)
    bits, tiled = page.bitspersample, bool(page.is_tiled)
    by_plane = int(page.planarconfig) == 2 and samples > 1
    across, down = (
        (page.tilewidth, page.tilelength) if tiled else (width, min(page.rowsperstrip, height))
    )
    if across < 1 or down < 1:
        raise PhotoError(NO_PICTURE)
    columns, lines = math.ceil(width / across), math.ceil(height / down)
    together = 1 if by_plane else samples
    planes = samples if by_plane else 1
    offsets, sizes = page.dataoffsets, page.databytecounts
    count = columns * lines * planes
    if count > _MOST_SEGMENTS or across * down * together * dtype.itemsize > 2**31:
        raise PhotoError(NO_PICTURE)
    # All of a tile is unpacked, wherever the image ends.
    unpacked = across * down * together * dtype.itemsize
    require_affordable(width * height, unpacked * count if tiled else unpacked)
    values = np.zeros((height, width, samples), dtype)
    cut = len(offsets) < count
    row_bytes = math.ceil(across * together * bits / 8)
    tops = [number % (columns * lines) // columns * down for number in range(count)]
    heights = [down if tiled else min(down, height - top) for top in tops]
    places = [(offset + shift, size) for offset, size in zip(offsets, sizes, strict=False)]
    segments = _segments(file, page, places[:count], heights, row_bytes)
    for number, (raw, top, rows) in enumerate(zip(segments, tops, heights, strict=False)):
        plane, left = number // (columns * lines), number % columns * across
        cut |= len(raw) < rows * row_bytes
        raw = np.frombuffer(raw[: rows * row_bytes].ljust(rows * row_bytes, b"\0"), np.uint8)
        segment = _samples(raw.reshape(rows, row_bytes), page, dtype, bits, across, together)
        bottom, right = min(top + rows, height), min(left + across, width)
        part = segment[: bottom - top, : right - left]
        if by_plane:
            values[top:bottom, left:right, plane] = part[..., 0]
        else:
            values[top:bottom, left:right] = part
    return values, cut


def _segments(
    file: BinaryIO, page, places: list[tuple[int, int]], heights: list[int], row_bytes: int
) -> Iterator[bytes]:
    """Unpack strips or tiles, as many at a time as fit; damaged ones are shorter."""
    compression = int(page.compression)

    def read(number: int) -> bytes:
        offset, size = places[number]
        file.seek(offset)
        packed = file.read(min(size, 2 * heights[number] * row_bytes + 4096))
        return packed.translate(_REVERSED_BITS) if int(page.fillorder) == 2 else packed

    if compression not in _OF_LIBTIFF:
        for number in range(len(places)):
            single = read(number)
            yield (
                single if compression == _PLAIN else _inflated(single, heights[number] * row_bytes)
            )
        return
    at_once = max(1, _BATCH // max(1, heights[0] * row_bytes)) if heights else 1
    first = damaged = 0
    while first < len(places):
        last = first + 1
        while last < min(len(places), first + at_once) and heights[last] == heights[first]:
            last += 1
        packed, rows = [read(number) for number in range(first, last)], heights[first]
        unpacked = _by_libtiff(packed, compression, rows, row_bytes)
        if unpacked is not None:
            yield from unpacked
        else:
            # One of them is damaged: the others are to be seen.
            for segment in packed:
                alone = None
                if damaged < _MOST_DAMAGED:
                    alone = _by_libtiff([segment], compression, rows, row_bytes)
                    damaged += alone is None
                yield alone[0] if alone else b""
        first = last


def _inflated(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, size)
    except zlib.error:
        return b""


def _by_libtiff(
    packed: list[bytes], compression: int, rows: int, row_bytes: int
) -> list[bytes] | None:
    """Unpack segments as if they were strips of one image of 8-bit grey, as libtiff does.

    None where one of them is damaged.
    """
    entries = [
        (_WIDTH, [row_bytes]),
        (_HEIGHT, [rows * len(packed)]),
        (258, [8]),
        (259, [compression]),
        (_PHOTOMETRIC, [_BLACK_IS_ZERO]),
        (273, [0] * len(packed)),
        (277, [1]),
        (278, [rows]),
        (279, [len(each) for each in packed]),
    ]
    after = 8 + 2 + 12 * len(entries) + 4
    lists = 4 * 2 * len(packed) * (len(packed) > 1)
    starts = accumulate((len(each) for each in packed[:-1]), initial=after + lists)
    entries[5] = 273, list(starts)
    table, arrays = b"", b""
    for tag, values in entries:
        content = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            content, arrays = struct.pack("<I", after + len(arrays)), arrays + content
        table += struct.pack("<HHI", tag, _LONG, len(values)) + content
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + arrays
    with Image.open(io.BytesIO(head + b"".join(packed)), formats=["TIFF"]) as image:
        try:
            image.load()
        except (OSError, SyntaxError):
            return None
        content = image.tobytes()
    size = rows * row_bytes
    return [content[number * size : (number + 1) * size] for number in range(len(packed))]


def _samples(
    raw: np.ndarray, page, dtype: np.dtype, bits: int, across: int, together: int
) -> np.ndarray:
    """Turn rows of bytes into samples ``(rows, across, together)``."""
    rows = len(raw)
    predictor = int(page.predictor)
    if predictor == 3 and dtype.kind == "f":
        # Bytes of the same weight lie together, each less the one before.
        lanes = np.cumsum(raw.reshape(rows, -1, together), axis=1, dtype=np.uint8)
        lanes = lanes.reshape(rows, dtype.itemsize, across * together).swapaxes(1, 2)
        samples = np.ascontiguousarray(lanes).view(dtype.newbyteorder(">"))
        return samples.reshape(rows, across, together).astype(dtype)
    if bits in (8, 16, 32, 64):
        order = page.parent.byteorder
        samples = raw.view(dtype.newbyteorder(order)).reshape(rows, across, together)
        samples = samples.astype(dtype)
    else:
        samples = _of_odd_bits(raw, dtype, bits, across * together)
        samples = samples.reshape(rows, across, together)
    if predictor == 2:
        whole = np.dtype(f"u{dtype.itemsize}")
        samples = np.cumsum(samples.view(whole), axis=1, dtype=whole)
        if bits not in (8, 16, 32, 64):
            samples &= whole.type(2**bits - 1)
        samples = samples.view(dtype)
    return samples


def _of_odd_bits(raw: np.ndarray, dtype: np.dtype, bits: int, across: int) -> np.ndarray:
    """Unpack samples of any number of bits, the highest first; rows begin at a byte."""
    samples = np.empty((len(raw), across), dtype)
    size = 8 * dtype.itemsize
    for part in strips(len(raw), 8 * across):
        single = np.unpackbits(raw[part], axis=1)[:, : across * bits].reshape(-1, bits)
        padded = np.zeros((len(single), size), np.uint8)
        padded[:, size - bits :] = single
        whole = np.packbits(padded, axis=1).view(dtype.newbyteorder(">"))
        samples[part] = whole.reshape(-1, across)
    return samples


def _named_range(page) -> tuple[float, float] | None:
    """What the file calls black and white, where that is less than all of the range."""
    if _is_imagej(page):
        lines = _lines(page)
        low, high = _number(lines.get("min")), _number(lines.get("max"))
    else:
        low, high = (
            next((n for tag in tags if (n := _number(_tag(page, tag))) is not None), None)
            for tags in ((340, 280), (341, 281))
        )
        low = low or 0.0
    if low is None or high is None or high <= low or not isinstance(page.bitspersample, int):
        return None
    if _sample_format(page) != _FLOAT:
        kind = "i" if _sample_format(page) == _SIGNED else "u"
        full = full_range(kind, page.bitspersample)
        if low <= full[0] and high >= full[1]:
            return None
    return low, high


def _is_imagej(page) -> bool:
    return str(page.description or "").startswith("ImageJ=")


def _lines(page) -> dict[str, str]:
    """The settings that ImageJ writes, a line each."""
    text = str(page.description or "")[:5000]
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _tag(page, code: int):
    tag = page.tags.get(code)
    value = None if tag is None else tag.value
    return value[0] if isinstance(value, tuple) and value else value


def _gap(page) -> float | None:
    """The value that stands for "no data" in maps (GDAL_NODATA)."""
    return _number(_tag(page, 42113), nan=True)


def _number(value, nan: bool = False) -> float | None:
    try:
        number = float(str(value).strip("\0 "))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) or nan else None


def _equal(colours: np.ndarray, gap: float) -> np.ndarray | None:
    """Where all channels hold the value; None if it is nowhere."""
    equal = (
        np.isnan(colours)
        if math.isnan(gap)
        else colours
        == np.float64(gap).astype(colours.dtype if colours.dtype.kind == "f" else np.float64)
    )
    equal = equal.all(axis=-1)
    return equal if equal.any() else None


def _imagej_stack(page, dtype: np.dtype) -> int:
    """How many images follow one another behind a single directory, as ImageJ writes them."""
    if not _is_imagej(page) or int(page.compression) != _PLAIN:
        return 1
    images = int(_number(_lines(page).get("images")) or 1)
    offsets, sizes = page.dataoffsets, page.databytecounts
    one = page.imagewidth * page.imagelength * int(page.samplesperpixel) * dtype.itemsize
    together = all(
        offset + size == following
        for offset, size, following in zip(offsets, sizes, offsets[1:], strict=False)
    )
    there = page.parent.filehandle.size - (offsets[0] if offsets else 0)
    return max(1, min(images, there // max(1, one), MOST_PAGES)) if together else 1
