"""The rarer kinds of files: phones', browsers', icons, Netpbm's; and what a PNG says beside it."""

import base64
import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from imaging.files import limits
from imaging.files.limits import PhotoError
from imaging.files.reading import ENDINGS, read_photo

ROOT = Path(__file__).resolve().parents[3]
GREY = np.ascontiguousarray(data.camera()[60:180, 200:380])
COLOUR = np.ascontiguousarray(data.astronaut()[60:180, 160:340])

# x and y of white, red, green and blue, times 100,000.
SRGB_PLACES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)

# 48 x 32 pixels, orientation 6 (its first row is the right side): red over green on the left,
# blue on the right, before it is turned.  Made with pillow-heif.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    "AAAAAAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAGYAAgAAAAACUgABAAAAAAAAAFQAAAA4aWlu"
    "ZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAB"
    "B2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkA"
    "AAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAIAAAAAH////w"
    "AAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAa"
    "aXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAMJtZGF0AAAAYigBrwngIzV5f/s7//+YHyHlheY3fP9PG7xev/4nDr7W"
    "0V6pL9YXK/5ajtjb/dqvw2zsT9mMF/OB8f6gm75bNo90KpNmStL5E5vBG0cVel+h35XNv+xHldB6Lp+cs6SbrNuA"
    "AAAABkV4aWYAAE1NACoAAAAIAAMBDwACAAAABgAAADIBEgADAAAAAQAGAACIJQAEAAAAAQAAADgAAAAATWFrZXIA"
    "AAEAAQACAAAAAk4AAAAAAAAA"
)


# 8 x 8 pixels in three channels of 12 bits: the numbers 0 to 4095 in equal steps, row by row,
# then with its rows the other way round, then column by column.  Made with imagecodecs.
DEEP_JPEG_2000 = {
    "reversible": base64.b64decode(
        "/0//UQAvAAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAADCwEBCwEBCwEB/1IADAAAAAEBAAQEAAH/"
        "XAAEQGD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAAD/AAH/k8/lUD53Tuzg"
        "bqOV1pSzfyAoc9Lvq5kEdbQLynezWbAEgM8QiXfD8AEtLCuDE9wJE6s4jd7f3Cm/Cx//aQsvj8PmriVP7wRqnSkY"
        "WAsXbbF7IiKGz7IiJ9/hiBEdtm8KBDLsUC5rb/JaaWR0fmY3Emv0qnm3Rcwqy2JJwUJSirrTPNqdl15QQbNafYpa"
        "f4774o/YgrUzGq1LiqbUsuWIoNkhw49GecoBTl5rLChzrDpwFsNjI+YicROInETf3+DIENxCPkMHqOozhQf79XdN"
        "AAAAFPzb326xg7zm3et7ixJznSgRQABUAQAAlIGcOMBhIS//2Q=="
    ),
    "irreversible": base64.b64decode(
        "/0//UQAvAAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAADCwEBCwEBCwEB/1IADAAAAAEBAAQEAAD/"
        "XAAFQmAA/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS40/5AACgAAAAABFQAB/5PH7KIndYE4"
        "CSk5YQSw5hVoEUA1mFcarJkxSA/nb9ENIhAi/KdntsPlBK208EBdCmlHrlxGT+AZygaHPVWCFQmAgHs1Sp8aEI7g"
        "xuqFWYA2jTHG/nLP5VwQ/l4GIBDYiS/VgEIokY96R1vWohWJmGmG8xwHwU+bMoax4oQthfFCz8M7PofEbVKn2kE+"
        "IIofxGL4VnaTFX/0Z5TeviDK8xHbrk6HEEFVxAak6lNWdH3P5VgQ3EI+QwemzO0MBHI3mNlOtOILxcOtxZSSPiH/"
        "J+raUjWAFR+b+NOYaBAAE7l5sVkK/B3imWrLlWzr03XFC15DpsvzgThGsavV6vV6vI+YicKX6icRf//Z"
    ),
}


def file_of(image, kind, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def chunk(name, content, right=True):
    body = name + content
    check = zlib.crc32(body) ^ (not right)
    return struct.pack(">I", len(content)) + body + struct.pack(">I", check)


def with_chunks(png, *chunks):
    """The PNG with these chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def png_of(values, bits, colour_type, *chunks):
    """A PNG of whole numbers ``(H, W, channels)`` of 8 or 16 bits, unfiltered."""
    rows = values.astype(f">u{bits // 8}")
    rows = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


# What is not image in a PNG


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(40_000_000))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 40_000_000)),
        chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000),
        chunk(b"tEXt", b"Comment\0x", right=False),
        chunk(b"gAMA", struct.pack(">I", 100_000), right=False),
        chunk(b"tIME", b"?", right=False),
        chunk(b"iCCP", b"none\0\0" + zlib.compress(b"no profile")),
        chunk(b"iCCP", b"none\0\0no deflate"),
        chunk(b"pHYs", b"\0"),
        chunk(b"eXIf", b"nothing"),
        chunk(b"sBIT", b"\0" * 40),
        chunk(b"acTL", struct.pack(">II", 2**31, 0)),
        b"".join(chunk(b"tEXt", b"a\0b") for _ in range(5_000)),
    ],
    ids=range(13),
)
def test_what_is_beside_the_image_in_a_png_is_no_reason_to_refuse_it(extra):
    opened = read_photo(with_chunks(file_of(COLOUR, "PNG"), extra), "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)
    assert opened.notes == ()


def test_a_wrong_checksum_of_the_pixels_is_said():
    file = bytearray(file_of(COLOUR, "PNG"))
    file[-13] ^= 1  # The last byte of the checksum before IEND's twelve.
    opened = read_photo(bytes(file), "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)
    assert "Checksums" in opened.notes[0]


def test_a_png_of_too_many_chunks_is_cut_off():
    file = with_chunks(file_of(COLOUR, "PNG"), chunk(b"tEXt", b"") * (limits.MOST_CHUNKS + 1))
    with pytest.raises(PhotoError):
        read_photo(file, "x.png")


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_sixteen_bits_of_a_png_are_read_to_the_last(colour_type, interlaced):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    # Nothing is quite transparent: what nobody sees would take another colour.
    values = np.random.default_rng(3).integers(257, 65536, (8, 8, channels), dtype=np.uint16)
    file = png_of(values, 16, colour_type)
    if interlaced:
        # Adam7: each pass as a small image of its own.
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
        passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        rows = b"".join(
            b"\0" + row.astype(">u2").tobytes()
            for top, left, down, across in passes
            for row in values[top::down, left::across]
        )
        header = struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 1)
        file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        file += chunk(b"IEND", b"")
    opened = read_photo(file, "x.png")
    colours = 1 if channels < 3 else 3
    np.testing.assert_array_equal(opened.own, values[..., :colours])
    if channels in (2, 4):
        np.testing.assert_array_equal(opened.alpha, np.rint(values[..., -1] / 257))


def to_srgb(linear):
    """IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("values", [GREY[..., np.newaxis], COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 0.7])
def test_the_gamma_of_a_png_is_undone(values, gamma):
    kind = 0 if values.shape[2] == 1 else 2
    file = png_of(values, 8, kind, chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5))))
    # PNG, 12.2: the stored value is light to the power of gamma.
    expected = to_srgb((values / 255) ** (1 / gamma)) * 255
    opened = read_photo(file, "x.png")
    # The profile in between holds gamma in steps of 1/256, and the library rounds.
    np.testing.assert_allclose(opened.pixels, expected, atol=2.5)
    np.testing.assert_array_equal(opened.own, values)


@pytest.mark.parametrize(
    "extra",
    [
        (chunk(b"gAMA", struct.pack(">I", 45455)),),
        (chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"sRGB", b"\0")),
        (chunk(b"gAMA", struct.pack(">I", 0)),),
        (
            chunk(b"gAMA", struct.pack(">I", 45455)),
            chunk(
                b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
            ),
        ),
        (chunk(b"cHRM", bytes(32)),),
    ],
    ids=["usual gamma", "sRGB wins", "no gamma", "sRGB's colours", "no colours"],
)
def test_a_png_in_srgb_stays_as_it_is(extra):
    opened = read_photo(png_of(COLOUR, 8, 2, *extra), "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)


def test_the_primaries_of_a_png_are_those_of_its_colours():
    # Red and green change their names: so do the channels.
    white, red, green, blue = SRGB_PLACES[:2], SRGB_PLACES[2:4], SRGB_PLACES[4:6], SRGB_PLACES[6:]
    places = struct.pack(">8I", *white, *green, *red, *blue)
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    opened = read_photo(png_of(COLOUR, 8, 2, gamma, chunk(b"cHRM", places)), "x.png")
    expected = to_srgb((COLOUR[..., [1, 0, 2]] / 255) ** 2.2) * 255
    np.testing.assert_allclose(opened.pixels, expected, atol=2.5)
    # Alone, browsers do not look at them.
    opened = read_photo(png_of(COLOUR, 8, 2, chunk(b"cHRM", places)), "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)


def test_colours_that_a_png_names_by_their_codes_come_before_all_else():
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    srgb, display_p3 = (chunk(b"cICP", bytes([code, 13, 0, 1])) for code in (1, 12))
    opened = read_photo(png_of(COLOUR, 8, 2, linear, srgb), "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)
    # From Display P3 to sRGB (CSS Color 4, section 18).
    matrix = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    share = COLOUR / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    expected = to_srgb(np.clip(light @ np.array(matrix).T, 0, 1)) * 255
    opened = read_photo(png_of(COLOUR, 8, 2, linear, display_p3), "x.png")
    assert np.abs(opened.pixels - expected).mean() < 1
    assert np.abs(COLOUR - expected).mean() > 2


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"gAMA", struct.pack(">I", 100_000)),
        chunk(b"cICP", bytes([12, 13, 0, 1])),
        chunk(b"tRNS", struct.pack(">3H", *COLOUR[0, 0].tolist())),
    ],
    ids=["gAMA", "cICP", "tRNS"],
)
def test_what_should_stand_before_the_image_of_a_png_is_ignored_behind_it(extra):
    file = png_of(COLOUR, 8, 2)
    opened = read_photo(file[:-12] + extra + file[-12:], "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)
    assert opened.alpha is None


def test_a_large_profile_is_applied():
    from tests.imaging.files.test_reading import SRGB_BLUE, SRGB_GREEN, SRGB_RED, icc_profile

    profile = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE, (563,))
    # Four bytes say how long a profile is; behind its tags there may be anything.
    filler = np.random.default_rng(0).bytes(1_500_000 - len(profile))
    profile = struct.pack(">I", 1_500_000) + profile[4:] + filler
    file = png_of(COLOUR, 8, 2, chunk(b"iCCP", b"large\0\0" + zlib.compress(profile)))
    opened = read_photo(file, "x.png")
    # 563 of 256 is the power of 2.2.
    expected = to_srgb((COLOUR[..., [1, 0, 2]] / 255) ** 2.2) * 255
    np.testing.assert_allclose(opened.pixels, expected, atol=3)
    assert opened.profile == profile


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_grey_profile_is_applied_to_grey(kind):
    from imaging.files.profiles import profile_of_png

    profile = profile_of_png(1.0, None, 1)
    file = file_of(GREY, kind, icc_profile=profile)
    opened = read_photo(file, "x")
    stored = np.asarray(Image.open(io.BytesIO(file)))
    np.testing.assert_allclose(opened.pixels[..., 0], to_srgb(stored / 255) * 255, atol=2.5)
    assert opened.pixels.shape == (*GREY.shape, 1)
    np.testing.assert_array_equal(opened.own[..., 0], stored)


def test_of_an_animated_png_the_first_frame_is_opened():
    first, second = Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1])
    file = file_of(first, "PNG", save_all=True, append_images=[second])
    opened = read_photo(file, "x.png")
    np.testing.assert_array_equal(opened.pixels, COLOUR)
    assert "several images" in opened.notes[0]
    # With an image for programs that know of no animations before the first frame.
    file = file_of(Image.new("RGB", (180, 120)), "PNG", save_all=True, default_image=True,
                   append_images=[first, second])  # fmt: skip
    np.testing.assert_array_equal(read_photo(file, "x.png").pixels, COLOUR)


# Phones and browsers


def test_a_photo_of_an_iphone_is_opened_upright():
    opened = read_photo(HEIC, "IMG_0001.HEIC")
    assert opened.name == "IMG_0001"
    assert opened.pixels.shape == (48, 32, 3)
    # The left half of the stored picture is now the upper half, its lower part on the left.
    for place, colour in (
        ((6, 26), (200, 40, 40)),
        ((6, 6), (40, 160, 60)),
        ((40, 16), (50, 70, 190)),
    ):
        np.testing.assert_allclose(opened.pixels[place], colour, atol=12)
    assert opened.notes == ()


@pytest.mark.parametrize("end", [100, 400, 495])
def test_a_heic_that_is_cut_off_before_its_pixels_is_refused_with_a_sentence(end):
    with pytest.raises(PhotoError) as caught:
        read_photo(HEIC[:end], "IMG_0001.HEIC")
    assert str(caught.value) == limits.CUT_OFF


def test_of_a_heic_that_is_cut_off_is_shown_what_is_there():
    opened = read_photo(HEIC[:600], "IMG_0001.HEIC")  # Behind its pixels.
    np.testing.assert_array_equal(opened.pixels, read_photo(HEIC, "x.heic").pixels)
    assert "cut off" in opened.notes[0]


def test_a_heic_that_is_no_picture_says_so():
    file = bytearray(HEIC)
    file[40:400] = bytes(360)
    with pytest.raises(PhotoError) as caught:
        read_photo(bytes(file), "IMG_0001.HEIC")
    assert str(caught.value) == limits.PHONE_FORMAT


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WEBP", {"quality": 90}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 90}),
    ],
    ids=["lossy", "lossless", "avif"],
)
def test_of_a_file_of_the_web_that_is_cut_off_is_shown_what_is_there(kind, options):
    file = file_of(np.kron(COLOUR, np.ones((2, 2, 1), np.uint8)), kind, **options)
    whole = read_photo(file, "x").pixels.astype(int)
    opened = read_photo(file[: len(file) * 7 // 10], "x")
    assert np.abs(opened.pixels - whole)[:80].mean() < 1
    assert np.abs(opened.pixels - whole)[-40:].mean() > 10
    assert "cut off" in opened.notes[0]
    with pytest.raises(PhotoError) as caught:
        read_photo(file[:40], "x")
    assert str(caught.value) == limits.CUT_OFF


@pytest.mark.parametrize("claimed", [2**32 - 2, 90_000_000])
def test_a_file_that_says_it_is_far_longer_is_not_filled_up(claimed):
    file = file_of(COLOUR, "WEBP")
    file = file[:4] + struct.pack("<I", claimed) + file[8:]
    tracemalloc.start()
    with pytest.raises(PhotoError) as caught:
        read_photo(file, "x.webp")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert str(caught.value) == limits.CUT_OFF


def test_an_avif_is_opened():
    opened = read_photo(file_of(COLOUR, "AVIF", quality=95), "x.avif")
    assert np.abs(opened.pixels.astype(int) - COLOUR).mean() < 3


@pytest.mark.parametrize("boxed", [True, False])
def test_a_jpeg_2000_is_opened(boxed):
    file = file_of(COLOUR, "JPEG2000", irreversible=False, no_jp2=not boxed)
    np.testing.assert_array_equal(read_photo(file, "x.jp2").pixels, COLOUR)


@pytest.mark.parametrize("kind", DEEP_JPEG_2000)
def test_white_stays_white_in_a_jpeg_2000_of_more_than_eight_bits(kind):
    opened = read_photo(DEEP_JPEG_2000[kind], "x.j2k")
    ramp = np.linspace(0, 255, 64).reshape(8, 8)
    expected = np.dstack([ramp, ramp[::-1], ramp.T])
    np.testing.assert_allclose(opened.pixels, expected, atol=1.5)
    assert "rounded to 8" in opened.notes[0]


def test_a_jpeg_2000_of_more_than_eight_bits_whose_white_cannot_be_told_is_refused():
    stream = DEEP_JPEG_2000["irreversible"]
    # The same steps once more, for the first channel alone.
    at = stream.index(b"\xff\x5c")
    size = int.from_bytes(stream[at + 2 : at + 4])
    steps = stream[at + 4 : at + 2 + size]
    own = b"\xff\x5d" + struct.pack(">HB", size + 1, 0) + steps
    file = stream[: at + 2 + size] + own + stream[at + 2 + size :]
    with pytest.raises(PhotoError, match="PNG or TIFF"):
        read_photo(file, "x.j2k")


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    ],
    ids=["4 bits", "swapped", "10 bits"],
)
def test_a_bmp_with_its_colours_at_any_place_is_opened(bits, masks, upright):
    opacity = np.where(GREY > 100, 255, 17)
    layers = [*COLOUR.transpose(2, 0, 1), opacity]
    values = np.zeros(GREY.shape, np.int64)
    for layer, mask in zip(layers, masks, strict=True):
        lowest = (mask & -mask).bit_length() - 1
        if mask:
            values |= np.rint(layer / 255 * (mask >> lowest)).astype(np.int64) << lowest
    rows = values.astype(f"<u{bits // 8}")[:: -1 if upright else 1].tobytes()
    header = struct.pack("<IiiHHII16x", 108, 180, 120 if upright else -120, 1, bits, 3, len(rows))
    header += struct.pack("<4I", *masks) + bytes(52)
    file = b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122) + header + rows
    opened = read_photo(file, "x.bmp")
    most = 255 / (2 * 15) if bits == 16 else 0.5
    np.testing.assert_allclose(opened.pixels, COLOUR.astype(int), atol=most + 0.5)
    if masks[3]:
        np.testing.assert_array_equal(opened.alpha, opacity)
    else:
        assert opened.alpha is None
    assert "cut off" in read_photo(file[:-5000], "x.bmp").notes[0]


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (file_of(COLOUR, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "12 bits"),
        (b"\xff\xd8\xff\xf7\0\x0b\x08\0\x10\0\x10\1\1\x11\0" + bytes(99), "JPEG-LS"),
    ],
    ids=["12 bits", "JPEG-LS"],
)
def test_a_rare_jpeg_is_called_what_it_is(file, what):
    with pytest.raises(PhotoError, match=what):
        read_photo(file, "x.jpg")


def test_a_gif_whose_first_frame_is_smaller_is_transparent_around_it():
    file = bytearray(file_of(Image.fromarray(COLOUR[:40, :60]).quantize(16), "GIF"))
    struct.pack_into("<HH", file, 6, 180, 120)
    place = file.index(b",\0\0\0\0")
    struct.pack_into("<HH", file, place + 1, 30, 20)
    opened = read_photo(bytes(file), "x.gif")
    expected = np.zeros((120, 180), np.uint8)
    expected[20:60, 30:90] = 255
    np.testing.assert_array_equal(opened.alpha, expected)


# Icons, Netpbm and Truevision


@pytest.mark.parametrize("stored_as", ["png", "bmp"])
def test_the_largest_image_of_an_icon_is_opened(stored_as):
    picture = Image.fromarray(COLOUR[:64, :64]).convert("RGBA")
    file = file_of(picture, "ICO", sizes=[(16, 16), (64, 64)], bitmap_format=stored_as)
    np.testing.assert_array_equal(read_photo(file, "x.ico").pixels, COLOUR[:64, :64])


def test_an_icon_that_hides_a_huge_image_is_refused():
    inner = png_of(np.zeros((1, 1, 3), np.uint8), 8, 2)
    inner = inner[:16] + struct.pack(">II", 60_000, 60_000) + inner[24:]
    file = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner
    with pytest.raises(PhotoError, match="megapixels"):
        read_photo(file, "x.ico")


@pytest.mark.parametrize("most", [255, 1000, 4095, 65535])
@pytest.mark.parametrize("values", [GREY[..., np.newaxis], COLOUR], ids=["grey", "colour"])
def test_netpbm_is_opened_over_its_whole_range(values, most):
    numbers = np.rint(values / 255 * most).astype(">u2" if most > 255 else "u1")
    kind = b"P6" if values.shape[2] == 3 else b"P5"
    file = kind + b"\n# made up\n180 120\n%d\n" % most + numbers.tobytes()
    opened = read_photo(file, "x.pnm")
    np.testing.assert_array_equal(opened.pixels, np.rint(numbers.astype(int) * 255 / most))
    assert (opened.own is None) == (most == 255)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("values", [GREY[..., np.newaxis], COLOUR], ids=["grey", "colour"])
def test_pfm_is_opened_from_its_last_row(values, order):
    kind = b"PF" if values.shape[2] == 3 else b"Pf"
    rows = (values[::-1] / 255).astype(order + "f4").tobytes()
    file = kind + b"\n180 120\n%s\n" % (b"-1.0" if order == "<" else b"1.0") + rows
    np.testing.assert_array_equal(read_photo(file, "x.pfm").pixels, values)


def test_a_netpbm_of_huge_numbers_is_refused_unread():
    for header in (
        b"PF 99999 99999 1.0 ",
        b"P6 999999999 999999999 65535 ",
        b"P5 50000 50000 255 ",
    ):
        with pytest.raises(PhotoError):
            read_photo(header + bytes(100), "x.ppm")


def test_truevision_is_known_by_its_ending_alone():
    file = file_of(COLOUR, "TGA")
    np.testing.assert_array_equal(read_photo(file, "x.TGA").pixels, COLOUR)
    with pytest.raises(PhotoError):
        read_photo(file, "x.png")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_is_no_part_of_a_name(ending):
    assert read_photo(file_of(COLOUR, "PNG"), f"cat{ending}").name == "cat"


# Transparency


def test_what_nobody_sees_takes_the_colour_of_what_is_seen_around_it():
    pixels = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    pixels[:, 90:, 3] = 0
    pixels[:, 90:, :3] = np.random.default_rng(0).integers(0, 256, (120, 90, 3))
    opened = read_photo(file_of(pixels, "PNG"), "x.png")
    np.testing.assert_array_equal(opened.pixels[:, :90], COLOUR[:, :90])
    hidden = opened.pixels[:, 96:].astype(int)
    # Nothing of the junk is left: its neighbours differ by 85 in the mean.
    assert np.abs(np.diff(hidden, axis=1)).mean() < 3


def test_a_picture_of_which_nothing_is_seen_is_black():
    opened = read_photo(file_of(np.dstack([COLOUR, 0 * GREY]), "PNG"), "x.png")
    assert not opened.pixels.any()
    assert not opened.alpha.any()


COST = """
import sys
import numpy, PIL.Image
from imaging.files.reading import read_photo
def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * 4096
read_photo(PNG, "x.png")
assert not {"tifffile", "pi_heif"} & set(sys.modules)
before = resident()
read_photo(HEIC, "x.heic")
read_photo(TIFF, "x.tif")
assert {"tifffile", "pi_heif"} <= set(sys.modules)
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to ask for memory")
def test_the_readers_of_rare_files_are_loaded_when_they_are_needed_and_cost_little():
    tiff = io.BytesIO()
    tifffile.imwrite(tiff, GREY[:20, :20].astype(np.uint16) * 257)
    small = {"PNG": file_of(GREY[:20, :20], "PNG"), "HEIC": HEIC, "TIFF": tiff.getvalue()}
    program = "".join(f"{name} = {content!r}\n" for name, content in small.items()) + COST
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 15_000_000
