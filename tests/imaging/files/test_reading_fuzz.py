"""Files that nobody meant to be opened: cut off, overwritten, made up."""

import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.files import limits
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo, safe_name
from imaging.pixels import png
from tests.imaging.files.test_formats import HEIC

# What a visitor must not meet: names of errors, of code and of this machine.
JARGON = re.compile(r"Error|Exception|Traceback|None|0x|<|>|/|\{|b'|PIL")

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F"]
KINDS = {
    "JPEG": ["1", "L", "RGB", "CMYK", "YCbCr"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["L", "LA", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
}
MAGIC = {
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "EXIF": b"\xff\xd8\xff\xe1\x01\0Exif\0\0MM\0*\0\0\0\x08",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "WEBP lossy": b"RIFF\x40\0\0\0WEBPVP8 ",
    "WEBP lossless": b"RIFF\x40\0\0\0WEBPVP8L",
    "WEBP extended": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0",
    "TIFF": b"II*\0\x08\0\0\0",
    "TIFF, big": b"MM\0*\0\0\0\x08",
    "BigTIFF": b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    "BMP": b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "GIF": b"GIF89a",
    "HEIC": b"\0\0\0\x18ftypheic",
    "AVIF": b"\0\0\0\x18ftypavif",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "codestream": b"\xff\x4f\xff\x51",
    "ICO": b"\0\0\1\0\1\0",
    "PGM": b"P5 9 7 65535 ",
    "PFM": b"PF 9 7 -1.0 ",
    "BigTIFF, big": b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10",
    "nothing": b"",
}

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True, scope="module")
def small_limits():
    """Limits that no made-up file must wait for; they are reached as often as the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "OPENED_PIXELS", 3_000)
        patch.setattr(limits, "DEEP_PIXELS", 2_000)
        patch.setattr(limits, "LARGEST_PIXELS", 1_000_000)
        patch.setattr(limits, "LARGEST_MEMORY", 8_000_000)
        yield


def picture(mode, height, width, seed):
    rng = np.random.default_rng(seed)
    match mode:
        case "I":
            values = rng.integers(-(2**31), 2**31, (height, width), np.int64).astype(np.int32)
            return Image.fromarray(values)
        case "I;16":
            return Image.fromarray(rng.integers(0, 2**16, (height, width), np.uint16))
        case "F":
            bits = rng.integers(0, 2**32, (height, width), np.uint32)
            return Image.fromarray(bits.view(np.float32))
        case "1":
            return Image.fromarray(rng.integers(0, 2, (height, width)).astype(bool))
    bands = len(Image.new(mode, (1, 1)).getbands())
    image = Image.frombytes(mode, (width, height), rng.bytes(height * width * bands))
    if mode in ("P", "PA"):
        image.putpalette(rng.bytes(768))
    return image


@st.composite
def pictures(draw):
    """A file of any kind, mode and size, with or without what a camera adds."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    mode = draw(st.sampled_from(KINDS[kind]))
    size = draw(st.tuples(st.integers(1, 80), st.integers(1, 80)))
    options = {}
    if kind != "GIF" and draw(st.booleans()):
        exif = Image.Exif()
        exif[0x0112] = draw(st.integers(1, 8))
        options["exif"] = exif
    if kind == "TIFF" and mode != "PA":
        options["compression"] = draw(st.sampled_from([None, "tiff_lzw", "packbits"]))
    if kind in ("JPEG", "PNG", "TIFF", "WEBP") and draw(st.booleans()):
        options["icc_profile"] = draw(st.binary(min_size=1, max_size=200))
    file = io.BytesIO()
    picture(mode, *size, draw(st.integers(0, 99))).save(file, kind, **options)
    return file.getvalue()


DEEP = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]


@st.composite
def deep_tiffs(draw):
    """A TIFF as science writes them: any type, in strips, tiles or planes, one or several."""
    channels = draw(st.sampled_from([1, 2, 3, 4, 5]))
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 60), st.integers(1, 60)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(0, 120, (*size, channels)).astype(draw(st.sampled_from(DEEP)))
    colour = channels in (3, 4) and draw(st.booleans())
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values if channels > 1 else values[..., 0],
        photometric="rgb" if colour else draw(st.sampled_from(["minisblack", "miniswhite"])),
        planarconfig="contig" if channels > 1 else None,
        compression=draw(st.sampled_from([None, "zlib"])),
        tile=draw(st.sampled_from([None, (16, 16), (32, 16)])),
        bigtiff=draw(st.booleans()),
        byteorder=draw(st.sampled_from("<>")),
    )
    return file.getvalue()


def rare_files():
    """One of each kind that is seldom brought."""
    colours = picture("RGB", 40, 30, 2)
    files = {"HEIC": HEIC}
    for kind in ("AVIF", "JPEG2000", "ICO", "TGA", "PPM"):
        file = io.BytesIO()
        colours.save(file, kind)
        files[kind] = file.getvalue()
    files["PGM"] = b"P5 30 40 4095\n" + np.random.default_rng(1).bytes(2 * 30 * 40)
    files["PFM"] = b"PF\n30 40\n-1.0\n" + np.zeros((40, 30, 3), "<f4").tobytes()
    return files


def open_or_refuse(data, name="upload"):
    """The photo, or None where it is refused with a sentence that a visitor can read."""
    try:
        opened = read_photo(data, name)
    except PhotoError as error:
        text = str(error)
        assert text.endswith(".")
        assert "\n" not in text
        assert not JARGON.search(text), text
        return None
    height, width, channels = opened.pixels.shape
    assert opened.pixels.dtype == np.uint8
    assert channels in (1, 3)
    assert 1 <= height * width <= 3_000
    assert opened.alpha is None or opened.alpha.shape == (height, width)
    assert opened.alpha is None or opened.alpha.dtype == np.uint8
    for note in opened.notes:
        assert note.endswith(".")
        assert not JARGON.search(note), note
    assert read_photo(png(opened.pixels, opened.alpha), name).pixels.shape == opened.pixels.shape
    return opened


@quick
@given(pictures())
def test_a_picture_of_any_kind_mode_and_size_is_opened(file):
    try:
        image = Image.open(io.BytesIO(file))
        all_gaps = image.mode == "F" and not np.isfinite(np.asarray(image)).any()
    except OSError:
        all_gaps = False
    assert (open_or_refuse(file) is None) == all_gaps


@quick
@given(deep_tiffs(), st.integers(-1, 9))
def test_a_tiff_of_any_type_and_layout_is_opened(file, plane):
    opened = read_photo(file, "scan.tif", plane=plane)
    assert 0 <= opened.plane < opened.planes <= 5


@quick
@given(pictures(), st.data())
def test_a_picture_may_be_cut_off_anywhere(file, data):
    open_or_refuse(file[: data.draw(st.integers(0, len(file) - 1))])


@quick
@given(pictures() | deep_tiffs() | st.sampled_from(sorted(rare_files().values())), st.data())
def test_any_bytes_of_a_picture_may_be_wrong(file, data):
    broken = bytearray(file)
    # The header decides most, so it is hit as often as all the rest.
    places = st.integers(0, min(200, len(file) - 1)) | st.integers(0, len(file) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        broken[place] = value
    open_or_refuse(bytes(broken), data.draw(st.sampled_from(["upload", "upload.tga"])))


@quick
@given(pictures() | deep_tiffs() | st.sampled_from(sorted(rare_files().values())), st.data())
def test_a_part_of_a_picture_may_be_missing_or_doubled(file, data):
    start, end = sorted(data.draw(st.lists(st.integers(0, len(file)), min_size=2, max_size=2)))
    open_or_refuse(file[:start] + file[end:])
    open_or_refuse(file[:end] + file[start:])


@quick
@given(st.sampled_from(sorted(MAGIC)), st.binary(max_size=300))
def test_anything_may_follow_the_first_bytes_of_a_picture(kind, rest):
    open_or_refuse(MAGIC[kind] + rest)


@quick
@given(
    st.integers(0, 2**32 - 1) | st.integers(0, 50),
    st.integers(0, 2**32 - 1) | st.integers(0, 50),
    st.sampled_from([1, 2, 4, 8, 16, 3]),
    st.sampled_from([0, 2, 3, 4, 6, 1]),
    st.sampled_from([0, 1, 2]),
    st.lists(st.tuples(st.sampled_from(["PLTE", "tRNS", "eXIf", "iCCP", "zTXt", "acTL", "fcTL",
                                        "gAMA", "IDAT", "pHYs"]), st.binary(max_size=60))),
    st.binary(max_size=2000),
)  # fmt: skip
def test_a_png_whose_checksums_are_right_may_claim_anything(
    width, height, bits, colour_type, interlaced, extras, rows
):
    def chunk(name, content):
        body = name.encode() + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    chunks = [("IHDR", header), *extras, ("IDAT", zlib.compress(rows)), ("IEND", b"")]
    open_or_refuse(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))


@quick
@given(st.binary(max_size=400), st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP"]))
def test_exif_may_be_anything(garbage, kind):
    file = io.BytesIO()
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + garbage
    picture("RGB", 9, 7, 1).save(file, kind, exif=exif) if kind != "TIFF" else picture(
        "RGB", 9, 7, 1
    ).save(file, kind)
    assert open_or_refuse(file.getvalue()) is not None


@quick
@given(st.text(max_size=400))
def test_any_name_becomes_a_safe_one(file_name):
    name = safe_name(file_name)
    assert 1 <= len(name) <= 60
    assert len(name.encode()) <= 240
    assert name.isprintable()
    assert not set(name) & set("/\\<>&\"'`*~#$:|[](){}!.,;@%^+= \t\n?")
    assert name[0] not in "-_"
    assert name[-1] not in "-_"
    assert safe_name(name) == name


CASES = (
    Path(os.environ.get("DENOISE_DATA_DIR") or "nowhere").expanduser().parent / "cases" / "files"
)


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the cases beside DENOISE_DATA_DIR")
@quick
@given(st.data())
def test_damaged_copies_of_the_cases_are_opened_or_refused(data):
    paths = sorted(path for path in CASES.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    broken = bytearray(path.read_bytes())
    places = st.integers(0, min(300, len(broken) - 1)) | st.integers(0, len(broken) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        broken[place] = value
    open_or_refuse(bytes(broken[: data.draw(st.integers(1, len(broken)))]), path.name)
