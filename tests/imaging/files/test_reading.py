import io
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from imaging.files import jpeg, limits
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo, safe_name

SHOWN_AS = Image.Transpose


def colours(height=24, width=16, channels=3, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height=24, width=16):
    """A picture that JPEG keeps within a few levels."""
    down, across = np.mgrid[:height, :width]
    return np.stack([8 * down, 12 * across, 200 - 5 * down], -1).clip(0, 255).astype(np.uint8)


def file_of(image, kind="PNG", **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_file(width, height, bits, colour_type, rows=b"", before_data=b""):
    """A PNG of which Pillow cannot write the kind; each row begins with a filter byte of 0."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before_data
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def refusal(data, name="photo.png"):
    with pytest.raises(PhotoError) as caught:
        read_photo(data, name)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    # What is wrong, and a way out.
    assert text.count(". ") >= 1
    return text


# What is opened


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_deflate"}),
        ("BMP", {}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (24, 16), (31, 33)])
def test_a_lossless_file_is_opened_to_the_pixel(kind, options, size):
    pixels = colours(*size)
    opened = read_photo(file_of(pixels, kind, **options), "x")
    np.testing.assert_array_equal(opened.pixels, pixels)
    assert opened.pixels.dtype == np.uint8
    assert opened.alpha is None
    assert opened.notes == ()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_opened_as_pillow_decodes_it(progressive):
    file = file_of(smooth(), "JPEG", progressive=progressive)
    opened = read_photo(file, "x.jpg")
    np.testing.assert_array_equal(opened.pixels, np.asarray(Image.open(io.BytesIO(file))))
    assert opened.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_a_grey_file_has_one_channel(kind):
    grey = np.tile(np.arange(16, dtype=np.uint8) * 4, (16, 1))
    opened = read_photo(file_of(grey, kind), "x")
    assert opened.pixels.shape == (16, 16, 1)
    np.testing.assert_allclose(opened.pixels[..., 0].astype(int), grey, atol=2)


def test_grey_that_was_saved_as_colour_stays_colour():
    assert read_photo(file_of(np.full((4, 4, 3), 9, np.uint8)), "x").pixels.shape == (4, 4, 3)


def test_one_bit_is_black_or_white():
    bits = np.eye(9, dtype=bool)
    opened = read_photo(file_of(Image.fromarray(bits)), "x")
    np.testing.assert_array_equal(opened.pixels[..., 0], bits * 255)


def test_a_picture_ten_thousand_pixels_long_is_opened():
    for size in ((10_000, 1), (1, 10_000)):
        pixels = colours(*size)
        np.testing.assert_array_equal(read_photo(file_of(pixels), "x").pixels, pixels)


def test_the_file_tells_its_kind_whatever_its_name():
    pixels = colours()
    assert read_photo(file_of(pixels, "BMP"), "x.jpg").name == "x"


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_open_files_are_taken(wrap):
    pixels = colours()
    np.testing.assert_array_equal(read_photo(wrap(file_of(pixels)), "x").pixels, pixels)


def test_an_open_file_is_read_from_its_start_and_left_open():
    file = io.BytesIO(file_of(colours()))
    file.seek(0, io.SEEK_END)
    read_photo(file, "x")
    read_photo(file, "x")
    assert not file.closed


def test_a_stream_that_cannot_seek_is_taken():
    class Stream(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

    pixels = colours()
    np.testing.assert_array_equal(read_photo(Stream(file_of(pixels)), "x").pixels, pixels)


def test_a_path_is_taken(tmp_path):
    path = tmp_path / "holiday.png"
    path.write_bytes(file_of(colours()))
    opened = read_photo(path, path.name)
    assert opened.name == "holiday"
    np.testing.assert_array_equal(opened.pixels, colours())


def test_of_several_visitors_pictures_one_is_decoded_at_a_time(monkeypatch):
    pictures = [colours(seed=seed) for seed in range(6)]
    files = [file_of(picture) for picture in pictures]
    opened = [None] * len(files)
    decoding, most = [], []
    crop = Image.Image.crop

    def slow(image, *arguments):
        decoding.append(image)
        time.sleep(0.01)
        most.append(len(decoding))
        decoding.pop()
        return crop(image, *arguments)

    def visit(index):
        opened[index] = read_photo(files[index], "x").pixels

    monkeypatch.setattr(Image.Image, "crop", slow)
    visits = [threading.Thread(target=visit, args=(index,)) for index in range(len(files))]
    for each in visits:
        each.start()
    for each in visits:
        each.join()
    np.testing.assert_array_equal(opened, pictures)
    assert most == [1] * len(files)


# Upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_a_picture_is_turned_upright_as_pillow_turns_it(kind, options, orientation):
    file = file_of(smooth(), kind, exif=exif_of(orientation), **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    opened = read_photo(file, "x")
    np.testing.assert_array_equal(opened.pixels, np.asarray(expected))
    assert opened.notes == ()


def test_what_a_camera_turned_to_the_left_recorded_is_turned_right():
    # Orientation 6: the first row is the right side, the first column the top.
    pixels = colours(2, 3)
    opened = read_photo(file_of(pixels, exif=exif_of(6)), "x")
    np.testing.assert_array_equal(opened.pixels[:, -1], pixels[0])
    np.testing.assert_array_equal(opened.pixels[0, ::-1], pixels[:, 0])


def test_opacity_is_turned_with_the_picture():
    pixels = colours(5, 3, 4)
    opened = read_photo(file_of(pixels, exif=exif_of(8)), "x")
    np.testing.assert_array_equal(opened.pixels, np.rot90(pixels[..., :3]))
    np.testing.assert_array_equal(opened.alpha, np.rot90(pixels[..., 3]))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01x\0\0\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03\xff\xff\xff\xff\0\x06\0\0",
    ],
    ids=["no header", "nowhere", "99", "a letter", "endless"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_is_no_reason_to_refuse_a_picture(kind, exif):
    opened = read_photo(file_of(smooth(), kind, exif=exif), "x")
    plain = Image.open(io.BytesIO(file_of(smooth(), kind)))
    np.testing.assert_array_equal(opened.pixels, np.asarray(plain))


def test_exif_at_which_pillow_gives_up_is_no_reason_to_refuse_a_picture():
    # A resolution that is a letter instead of a fraction.
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.tagtype[0x011A] = 2
    directory[0x011A] = "1"
    directory[0x0128] = 2
    exif = io.BytesIO()
    directory.save(exif)
    file = file_of(smooth(), "JPEG", exif=b"Exif\0\0" + exif.getvalue())
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(file))
    plain = Image.open(io.BytesIO(file_of(smooth(), "JPEG")))
    np.testing.assert_array_equal(read_photo(file, "x").pixels, np.asarray(plain))


# Colour, depth and opacity


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_opacity_is_kept_apart(kind):
    pixels = colours(channels=4)
    opened = read_photo(file_of(pixels, kind, lossless=True, exact=True), "x")
    np.testing.assert_array_equal(opened.pixels, pixels[..., :3])
    np.testing.assert_array_equal(opened.alpha, pixels[..., 3])


def test_opacity_of_a_grey_picture_is_kept_apart():
    pixels = colours(channels=2)
    opened = read_photo(file_of(Image.fromarray(pixels, "LA")), "x")
    seen = pixels[..., 1] > 0
    np.testing.assert_array_equal(opened.pixels[seen], pixels[..., :1][seen])
    np.testing.assert_array_equal(opened.alpha, pixels[..., 1])


def test_opacity_that_lets_nothing_shine_through_is_dropped():
    pixels = np.dstack([colours(), np.full((24, 16), 255, np.uint8)])
    assert read_photo(file_of(pixels), "x").alpha is None


def palette_picture():
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4), "P")
    image.putpalette(colours(1, 256).tobytes())
    return image


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_a_palette_is_looked_up(kind):
    opened = read_photo(file_of(palette_picture(), kind), "x")
    np.testing.assert_array_equal(opened.pixels, colours(1, 256)[0, :12].reshape(3, 4, 3))


@pytest.mark.parametrize(
    ("transparency", "alpha"),
    [(2, [255, 255, 0, 255]), (bytes([0, 70, 255]), [0, 70, 255, 255])],
    ids=["one colour", "bytes"],
)
def test_a_palette_may_be_transparent(transparency, alpha):
    opened = read_photo(file_of(palette_picture(), transparency=transparency), "x")
    seen = opened.alpha > 0
    expected = colours(1, 256)[0, :12].reshape(3, 4, 3)
    np.testing.assert_array_equal(opened.pixels[seen], expected[seen])
    np.testing.assert_array_equal(opened.alpha[0], alpha)


def test_one_colour_may_be_transparent():
    pixels = colours(3, 3)
    opened = read_photo(file_of(pixels, transparency=tuple(pixels[1, 2].tolist())), "x")
    expected = np.full((3, 3), 255)
    expected[1, 2] = 0
    np.testing.assert_array_equal(opened.alpha, expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_rounded_to_eight(kind):
    # White is 65535 = 255 * 257.
    deep = np.array([[0, 128, 129, 257, 32768, 65406, 65407, 65535]], np.uint16)
    opened = read_photo(file_of(deep, kind), "x")
    np.testing.assert_array_equal(opened.pixels[..., 0], [[0, 0, 1, 1, 128, 254, 255, 255]])
    np.testing.assert_array_equal(opened.own[..., 0], deep)
    assert opened.notes == ()


def test_sixteen_bits_are_read_in_either_order_of_bytes():
    values = np.array([[0, 257, 65535]], ">u2")
    header = struct.pack(">2sHI", b"MM", 42, 8)
    entries = [(256, 3, 3), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1)]
    entries += [(273, 3, 122), (277, 3, 1), (278, 3, 1), (279, 3, 6)]
    directory = struct.pack(">H", len(entries))
    directory += b"".join(struct.pack(">HHIHH", tag, kind, 1, v, 0) for tag, kind, v in entries)
    file = header + directory + struct.pack(">I", 0)
    file += bytes(122 - len(file)) + values.tobytes()
    np.testing.assert_array_equal(read_photo(file, "x").pixels[..., 0], [[0, 1, 255]])


@pytest.mark.parametrize("colour_type", [2, 6], ids=["RGB", "RGBA"])
def test_sixteen_bits_of_colour_are_kept_and_rounded_to_eight_for_a_screen(colour_type):
    channels = {2: 3, 6: 4}[colour_type]
    deep = np.random.default_rng(1).integers(0, 65536, (1, 5, channels)).astype(">u2")
    opened = read_photo(png_file(5, 1, 16, colour_type, b"\0" + deep.tobytes()), "x")
    np.testing.assert_array_equal(opened.own, deep[..., :3])
    # White is 65535 = 255 * 257; no value lies half-way.
    np.testing.assert_array_equal(opened.pixels, np.rint(deep[..., :3] / 257))
    assert opened.notes == ()
    if channels == 4:
        np.testing.assert_array_equal(opened.alpha, np.rint(deep[..., 3] / 257))


@pytest.mark.parametrize(("colour_type", "colour"), [(0, (513,)), (2, (513, 0, 65535))])
def test_a_colour_of_sixteen_bits_may_be_transparent(colour_type, colour):
    transparent = chunk(b"tRNS", struct.pack(f">{len(colour)}H", *colour))
    # The second pixel differs in its lowest bit, the last of all to be lost.
    row = b"\0" + np.array([*colour, colour[0] - 1, *colour[1:]], ">u2").tobytes()
    opened = read_photo(png_file(2, 1, 16, colour_type, row, transparent), "x")
    np.testing.assert_array_equal(opened.alpha, [[0, 255]])


def test_a_transparent_colour_of_sixteen_bits_is_not_taken_for_one_of_eight():
    transparent = chunk(b"tRNS", struct.pack(">3H", 5, 0, 255))
    row = b"\0" + np.array([5 * 257, 0, 255 * 257], ">u2").tobytes()
    opened = read_photo(png_file(1, 1, 16, 2, row, transparent), "x")
    np.testing.assert_array_equal(opened.pixels, [[[5, 0, 255]]])
    assert opened.alpha is None


@pytest.mark.parametrize(("bits", "packed"), [(1, 0b01000000), (2, 0b00110000), (4, 0x0F)])
def test_a_grey_of_few_bits_may_be_transparent(bits, packed):
    # Two pixels, black and white; white is the transparent one.
    white = 2**bits - 1
    transparent = chunk(b"tRNS", struct.pack(">H", white))
    opened = read_photo(png_file(2, 1, bits, 0, bytes([0, packed]), transparent), "x")
    np.testing.assert_array_equal(opened.alpha, [[255, 0]])


def test_whole_numbers_beyond_sixteen_bits_are_scaled_by_their_range():
    values = np.array([[-1000, 0, 1000, 99_000]], np.int32)
    opened = read_photo(file_of(values, "TIFF"), "x")
    # Black is -1000 and white 99000: 2 / 100 of 255 is 5.1.
    np.testing.assert_array_equal(opened.pixels[..., 0], [[0, 3, 5, 255]])
    assert opened.notes == ("Its values from -1000 to 99000 were scaled to black and white.",)


def test_floats_from_0_to_1_are_taken_as_they_are():
    values = np.array([[0.2, 0.25, 0.5, 0.8]], np.float32)
    opened = read_photo(file_of(values, "TIFF"), "x")
    np.testing.assert_array_equal(opened.pixels[..., 0], [[51, 64, 128, 204]])
    assert opened.notes == ()


def test_other_floats_are_scaled_by_their_range():
    values = np.array([[-3, 1, 7]], np.float32)
    opened = read_photo(file_of(values, "TIFF"), "x")
    # (1 + 3) / (7 + 3) * 255 = 102.
    np.testing.assert_array_equal(opened.pixels[..., 0], [[0, 102, 255]])
    assert opened.notes == ("Its values from -3 to 7 were scaled to black and white.",)


def test_floats_as_large_as_can_be_are_scaled_too():
    largest = np.finfo(np.float32).max
    opened = read_photo(file_of(np.array([[-largest, 0, largest]], np.float32), "TIFF"), "x")
    np.testing.assert_array_equal(opened.pixels[..., 0], [[0, 128, 255]])


def test_a_float_picture_of_one_value_is_black_or_white_where_it_is_off_the_range():
    for value, level in ((7, 255), (-7, 0), (0.4, 102)):
        opened = read_photo(file_of(np.full((2, 2), value, np.float32), "TIFF"), "x")
        assert np.all(opened.pixels == level)


def test_floats_that_are_no_numbers_are_replaced_with_a_note():
    values = np.array([[np.nan, np.inf, -np.inf, 2, 4, 3]], np.float32)
    opened = read_photo(file_of(values, "TIFF"), "x")
    np.testing.assert_array_equal(opened.pixels[..., 0], [[0, 255, 0, 0, 255, 128]])
    assert opened.notes == (
        "3 of its values were not finite and were replaced.",
        "Its values from 2 to 4 were scaled to black and white.",
    )


def test_a_float_picture_without_a_number_is_refused():
    assert refusal(file_of(np.full((2, 2), np.nan, np.float32), "TIFF")) == limits.NO_NUMBERS


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_printing_colours_become_light(kind):
    # Ink takes light away: no ink is white, cyan takes red away.
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[8:, :, 0] = 255
    opened = read_photo(file_of(Image.fromarray(ink, "CMYK"), kind, quality=100), "x")
    np.testing.assert_allclose(opened.pixels[0, 0], [255, 255, 255], atol=3)
    np.testing.assert_allclose(opened.pixels[-1, 0], [0, 255, 255], atol=3)
    assert opened.notes == ("Its printing colours (CMYK) were converted to red, green and blue.",)


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_other_colours_are_converted(mode):
    # Greys: brightness, then two colour channels at their middle.
    image = Image.merge(mode, [Image.new("L", (4, 4), level) for level in (255, 128, 128)])
    opened = read_photo(file_of(image, "TIFF"), "x")
    # LAB holds its colour channels shifted by half their range, in which 128 is not quite 0.
    np.testing.assert_allclose(opened.pixels[0, 0], [255, 255, 255], atol=4)
    assert bool(opened.notes) == (mode == "LAB")


def icc_profile(red, green, blue, curve=(512,)):
    """A colour profile of three primaries in the XYZ of daylight D50.

    ``curve`` holds the light of equally spaced levels, of 65535, or a gamma times 256.
    """

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(f">I{len(curve)}H", len(curve), *curve)
    curve += bytes(-len(curve) % 4)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text + bytes(-len(text) % 4), b"wtpt": xyz((0.9642, 1, 0.8249))}
    tags |= {b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, 128 + 4 + 12 * len(tags) + len(content), len(value))
        content += value
    body = table + content
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + body


SRGB_RED, SRGB_GREEN, SRGB_BLUE = (
    (0.4360, 0.2225, 0.0139),
    (0.3851, 0.7169, 0.0971),
    (0.1431, 0.0606, 0.7139),
)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_colour_profile_is_applied(kind):
    # A profile whose red is what sRGB calls green, and the other way round.
    profile = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE)
    file = file_of(np.full((8, 8, 3), [255, 0, 0], np.uint8), kind, icc_profile=profile)
    np.testing.assert_allclose(read_photo(file, "x").pixels[3, 3], [0, 255, 0], atol=3)


def test_a_colour_profile_leaves_opacity_alone():
    profile = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE)
    file = file_of(np.full((2, 2, 4), [255, 0, 0, 70], np.uint8), icc_profile=profile)
    opened = read_photo(file, "x")
    np.testing.assert_allclose(opened.pixels[0, 0], [0, 255, 0], atol=2)
    assert np.all(opened.alpha == 70)


def srgb_in_steps(steps):
    """The profile of sRGB with a table for its curve, as cameras write it."""
    level = np.linspace(0, 1, steps)
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    curve = np.rint(light * 65535).astype(int).tolist()
    return icc_profile(SRGB_RED, SRGB_GREEN, SRGB_BLUE, curve)


@pytest.mark.parametrize(
    "profile",
    [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), srgb_in_steps(256)],
    ids=["exact", "rounded"],
)
def test_a_profile_of_srgb_changes_no_pixel(profile):
    pixels = colours(64, 64)
    opened = read_photo(file_of(pixels, icc_profile=profile), "x")
    np.testing.assert_array_equal(opened.pixels, pixels)


@pytest.mark.parametrize("profile", [b"garbage", b"\0" * 400, bytes(range(256))])
def test_a_broken_profile_is_ignored(profile):
    pixels = colours()
    opened = read_photo(file_of(pixels, icc_profile=profile), "x")
    np.testing.assert_array_equal(opened.pixels, pixels)


def test_a_profile_of_other_colours_than_the_picture_has_is_ignored():
    profile = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE)
    grey = colours(channels=1)[..., 0]
    np.testing.assert_array_equal(
        read_photo(file_of(grey, icc_profile=profile), "x").pixels[..., 0], grey
    )


# Several pictures in a file


@pytest.mark.parametrize(
    ("kind", "options"),
    [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})],
)
def test_the_first_of_several_pictures_is_opened_with_a_note(kind, options):
    first, second = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    file = file_of(first, kind, save_all=True, append_images=[second], **options)
    opened = read_photo(file, "x")
    assert np.all(opened.pixels == [255, 0, 0])
    (note,) = opened.notes
    assert note in (
        "This file holds several images; the first one was opened.",
        "This file holds 2 images; number 1 is shown.",
    )


def test_the_second_picture_in_a_phones_jpeg_is_not_mentioned():
    first, second = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    file = file_of(first, "MPO", save_all=True, append_images=[second])
    opened = read_photo(file, "x")
    np.testing.assert_allclose(opened.pixels[0, 0], [255, 0, 0], atol=3)
    assert opened.notes == ()


# Large pictures


@pytest.fixture
def opens_few_pixels(monkeypatch):
    monkeypatch.setattr(limits, "OPENED_PIXELS", 5_000)


@pytest.fixture
def decoded_sizes(monkeypatch):
    """The sizes that pictures have once they are decoded, filled in while they are opened."""
    sizes = []
    crop = Image.Image.crop

    def spy(image, *arguments):
        sizes.append(image.size)
        return crop(image, *arguments)

    monkeypatch.setattr(Image.Image, "crop", spy)
    return sizes


@pytest.mark.parametrize("strip", [1, 700, 10_000_000])
def test_a_large_picture_is_reduced_in_strips_as_it_would_be_as_a_whole(
    opens_few_pixels, monkeypatch, strip
):
    monkeypatch.setattr("imaging.pixels._STRIP_PIXELS", strip)
    pixels = colours(120, 97)
    opened = read_photo(file_of(pixels), "x")
    # The factor is sqrt(5000 / (120 * 97)) = 0.6554.
    assert opened.pixels.shape == (78, 63, 3)
    whole = Image.fromarray(pixels).resize((63, 78), Image.Resampling.LANCZOS)
    # Where a result lies half-way between two levels, the last bit of a weight decides.
    np.testing.assert_allclose(opened.pixels, np.asarray(whole).astype(int), atol=1)
    assert opened.notes == (
        "Reduced from 97 × 120 to 63 × 78 pixels: more than 0.005 megapixels take too much "
        "memory here.",
    )


def test_the_sizes_in_a_note_are_those_of_the_upright_picture(opens_few_pixels):
    for kind in ("JPEG", "PNG", "TIFF"):
        opened = read_photo(file_of(smooth(90, 60), kind, exif=exif_of(6)), "x")
        # The factor is sqrt(5000 / 5400) = 0.9623.
        assert opened.pixels.shape == (57, 86, 3)
        assert opened.notes[0].startswith("Reduced from 90 × 60 to 86 × 57 pixels")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_large_pictures_of_every_kind_are_reduced(opens_few_pixels, mode):
    # A flat picture stays flat, to the rounding of a level, whatever was done to it.
    values = {"1": 1, "I;16": 128 * 257, "F": 0.5, "CMYK": (127, 127, 127, 0), "P": 3}
    grey = values.get(mode, (128,) * len(Image.new(mode, (1, 1)).getbands()))
    image = Image.new(mode, (200, 100), grey)
    if mode == "P":
        image.putpalette([128] * 768)
    opened = read_photo(file_of(image, "TIFF"), "x")
    assert opened.pixels.shape[:2] == (50, 100)
    level = 255 if mode == "1" else 128
    np.testing.assert_allclose(opened.pixels, level, atol=1)
    if mode.endswith("A"):
        np.testing.assert_allclose(opened.alpha, 128, atol=1)


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (30_000, 2), (3, 9_999)])
def test_a_long_and_narrow_picture_is_reduced_to_what_may_be_opened(opens_few_pixels, size):
    opened = read_photo(file_of(Image.new("L", size, 7)), "x")
    height, width, _ = opened.pixels.shape
    assert 4_000 <= height * width <= 5_000
    assert np.all(opened.pixels == 7)


def test_a_jpeg_of_48_megapixels_is_never_decoded_in_full(decoded_sizes):
    opened = read_photo(file_of(Image.new("L", (8000, 6000), 90), "JPEG"), "x.jpg")
    assert opened.pixels.shape == (3000, 4000, 1)
    assert set(decoded_sizes) == {(4000, 3000)}
    assert opened.notes == (
        "Reduced from 8,000 × 6,000 to 4,000 × 3,000 pixels: more than 12 megapixels take too "
        "much memory here.",
    )


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((80, 62), (80, 62)),
        ((100, 100), (100, 100)),
        ((101, 100), (51, 50)),
        ((401, 40), (201, 20)),
    ],
)
def test_a_jpeg_is_decoded_in_full_up_to_twice_what_is_opened(
    opens_few_pixels, decoded_sizes, size, decoded
):
    opened = read_photo(file_of(Image.new("RGB", size), "JPEG"), "x.jpg")
    assert set(decoded_sizes) == {decoded}
    assert 2_500 <= opened.pixels.shape[0] * opened.pixels.shape[1] <= 5_000


@pytest.mark.parametrize(
    ("width", "height", "megapixels"),
    [(10_001, 10_000, "101"), (50_000, 50_000, "2,500"), (2**31 - 1, 1, "2,148")],
)
def test_a_picture_of_too_many_pixels_is_refused_from_its_header(width, height, megapixels):
    text = refusal(png_file(width, height, 8, 2))
    assert text == (
        f"This image has {megapixels} megapixels, and at most 100 can be opened here. "
        "Make it smaller and try again."
    )


def test_a_picture_that_takes_too_much_memory_is_refused_from_its_header():
    # The header of a lossless WebP of 6000 x 6000: a signature byte, then 14 bits each.
    bits = struct.pack("<I", 5999 | 5999 << 14)
    content = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + bits + bytes(5)
    text = refusal(b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content)
    assert text == (
        "This image has 36 megapixels, and at most 25 can be opened here from a file of its "
        "kind. Make it smaller, or save it as a plain JPEG, and try again."
    )


def test_a_progressive_jpeg_is_refused_where_its_coefficients_fill_the_memory(monkeypatch):
    full = smooth(64, 64)
    progressive = file_of(full, "JPEG", progressive=True, subsampling=0)
    # 4 bytes for each decoded pixel, 3 coefficients of 2 bytes that wait, and 8 for each row.
    monkeypatch.setattr(limits, "LARGEST_MEMORY", 64 * 64 * 10 + 64 * 8)
    read_photo(progressive, "x")
    monkeypatch.setattr(limits, "LARGEST_MEMORY", 64 * 64 * 10 + 64 * 8 - 1)
    refusal(progressive)
    read_photo(file_of(full, "JPEG", progressive=True, subsampling=2), "x")
    read_photo(file_of(full, "JPEG", subsampling=0), "x")


def test_a_jpeg_of_endless_scans_is_refused():
    file = file_of(smooth(), "JPEG", progressive=True)
    last_scan = file[file.rindex(b"\xff\xda") : -2]
    many = file[:-2] + 250 * last_scan + file[-2:]
    assert refusal(many) == limits.NO_PICTURE


def test_a_large_jpeg_may_have_fewer_scans_than_a_small_one(monkeypatch):
    file = file_of(smooth(200, 300), "JPEG", progressive=True)
    scans = file.count(b"\xff\xda")
    monkeypatch.setattr(limits, "MOST_VISITS", scans * 200 * 300)
    read_photo(file, "x")
    monkeypatch.setattr(limits, "MOST_VISITS", scans * 200 * 300 - 1)
    assert refusal(file) == limits.NO_PICTURE


def test_a_large_file_is_refused_unread(monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_FILE", 2_000_000)
    assert refusal(bytes(3_500_000)) == (
        "This file has 4 MB, and at most 2 can be opened here. Make the picture smaller, or save "
        "it as JPEG."
    )


def test_where_memory_runs_out_the_visitor_is_told(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "crop", fail)
    assert refusal(file_of(colours())) == limits.NO_MEMORY


# What is refused


def test_a_text_is_no_picture_whatever_its_name():
    assert refusal(b"Dear diary,\ntoday I drew a seven.\n", "diary.png") == limits.NO_PICTURE


def test_an_empty_file_is_refused():
    assert refusal(b"") == limits.EMPTY


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "no.png") == limits.UNREADABLE
    assert refusal(Path(tmp_path)) == limits.UNREADABLE


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "JPEG2000"])
def test_a_file_of_which_nearly_all_is_missing_is_refused(kind):
    file = file_of(Image.fromarray(colours(64, 64)), kind)
    assert refusal(file[:60]) == limits.CUT_OFF


def test_a_jpeg_2000_that_is_cut_off_is_shown_coarser():
    down, across = np.mgrid[:64, :64]
    pixels = np.uint8(np.stack([3 * down, 3 * across, 128 + 60 * np.sin(across / 3)], -1))
    file = file_of(pixels, "JPEG2000")
    opened = read_photo(file[: len(file) * 7 // 10], "x")
    assert len(opened.notes) == 1
    assert "cut off" in opened.notes[0]
    assert np.abs(opened.pixels.astype(int) - pixels).mean() < 16


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_of_a_picture_that_is_cut_off_what_is_there_is_shown_with_a_note(kind):
    file = file_of(Image.fromarray(colours(64, 64)), kind)
    whole = read_photo(file, "x")
    # A TIFF may have its directory at the end; Pillow writes it first.
    opened = read_photo(file[: len(file) * 3 // 4], "x")
    assert len(opened.notes) == 1
    assert "cut off" in opened.notes[0]
    part = np.s_[40:] if kind == "BMP" else np.s_[:14]  # A BMP begins with its last row.
    np.testing.assert_array_equal(opened.pixels[part], whole.pixels[part])


def test_a_progressive_jpeg_that_is_cut_off_is_shown_coarser():
    down, across = np.mgrid[:64, :64]
    pixels = np.uint8(np.stack([3 * down, 3 * across, 128 + 60 * np.sin(across / 3)], -1))
    file = file_of(pixels, "JPEG", progressive=True, quality=95)
    opened = read_photo(file[: len(file) * 7 // 10], "x")
    assert "cut off" in opened.notes[0]
    # Every part of it is there: no block is further off than a coarse copy is.
    assert np.abs(opened.pixels.astype(int) - pixels).mean(axis=(0, 1)).max() < 16


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF"])
def test_a_file_that_ends_before_its_pixels_is_refused(kind):
    file = file_of(Image.fromarray(colours(64, 64)), kind)
    marks = {
        "JPEG": b"\xff\xda",
        "PNG": b"IDAT",
        "GIF": b",\0\0\0\0",
        "BMP": file[54:],
    }
    end = file.index(marks[kind]) if kind in marks else 8
    assert refusal(file[:end]) in (limits.CUT_OFF, limits.NO_PICTURE)


@pytest.mark.parametrize("width", [0, 5])
def test_a_picture_without_pixels_is_refused(width):
    assert refusal(png_file(width, 0, 8, 2)) == limits.NO_PICTURE


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_phones_new_formats_are_named(brand):
    text = refusal(struct.pack(">I", 24) + b"ftyp" + brand + bytes(200), "IMG_1.HEIC")
    assert text == limits.PHONE_FORMAT


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "SGI", "DDS", "QOI"])
def test_no_other_decoder_sees_a_file(kind):
    text = refusal(file_of(Image.new("RGB", (32, 32), "red"), kind))
    assert text == limits.NO_PICTURE or "cannot be opened here" in text


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"<svg xmlns=''>", "SVG"),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"PK\x03\x04", "archive"),
        (b"FUJIFILMCCD-RAW", "raw file"),
    ],
)
def test_a_kind_that_is_not_opened_is_called_by_its_name(start, named):
    assert named in refusal(start + bytes(100))
    assert "damaged" not in refusal(start + bytes(100))


def test_text_in_a_png_that_unpacks_to_gigabytes_is_not_unpacked(monkeypatch):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", " " * 3_000_000, zip=True)
    pixels = colours()
    opened = read_photo(file_of(pixels, pnginfo=texts), "x")
    np.testing.assert_array_equal(opened.pixels, pixels)
    assert opened.notes == ()


@pytest.mark.parametrize(
    "error",
    [
        struct.error("x"),
        SyntaxError("x"),
        OverflowError("x"),
        KeyError("x"),
        TypeError("x"),
        IndexError("x"),
        zlib.error("x"),
        ZeroDivisionError("x"),
        AttributeError("x"),
        RecursionError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_decoder_raises_is_a_sentence_to_the_visitor(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Image.Image, "crop", fail)
    assert refusal(file_of(colours())) == limits.NO_PICTURE


# Names


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("holiday.jpg", "holiday"),
        ("IMG_1234.JPG", "IMG_1234"),
        ("Ile de Ré.v2.jpeg", "Ile-de-Ré-v2"),
        ("写真.png", "写真"),
        ("\N{LATIN SMALL LIGATURE FI}lm\N{FULLWIDTH LESS-THAN SIGN}b.png", "film-b"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat"),
        ("<img src=x onerror=alert(1)>.png", "img-src-x-onerror-alert-1"),
        ("</script>.png", "script"),
        ("a\x00b\r\nc\x1b[31m.png", "a-b-c-31m"),
        ("photo\u202egnp.exe", "photo-gnp-exe"),
        ("**bold** :red[x] $y$ `z` ~t~.png", "bold-red-x-y-z-t"),
        ("_slanted_ __bold__.png", "slanted-bold"),
        ("# title.png", "title"),
        ("www.example.com.png", "www-example-com"),
        ("\N{COMBINING ACUTE ACCENT}e.png", "e"),
        ("\udcff.png", "photo"),
        ("CON", "photo-CON"),
        ("lpt1.png", "photo-lpt1"),
        ("console.png", "console"),
        (".png", "photo"),
        (".", "photo"),
        ("..", "photo"),
        ("", "photo"),
        ("🙂.png", "photo"),
        ("a" * 300 + ".png", "a" * 60),
    ],
)
def test_a_name_keeps_what_is_safe(file_name, name):
    assert safe_name(file_name) == name
    assert read_photo(file_of(colours(1, 1)), file_name).name == name


# A few bytes that would keep everybody waiting, or that say what they do not hold


@pytest.mark.parametrize("filling", [b" ", b"\t\n", b"#\n", b" #\n"])
@pytest.mark.parametrize("kind", [b"P5", b"P6", b"Pf", b"PF"])
def test_a_header_of_spaces_alone_is_refused_at_once(kind, filling):
    began = time.process_time()
    assert refusal(kind + 2000 * filling + b"x") == limits.NO_PICTURE
    assert time.process_time() - began < 1


def run_lengths(width: int) -> bytes:
    """A BMP of one row, 8 bits a pixel, that says little of it."""
    said = bytes([1, 128, 0, 0, 0, 1])
    start = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(said), 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, width, 1, 1, 8, 1, len(said), 0, 0, 256, 0)
    return head + bytes(1024) + said


def test_a_bitmap_of_run_lengths_has_no_more_pixels_than_are_opened(monkeypatch):
    monkeypatch.setattr(limits, "OPENED_PIXELS", 1000)
    assert read_photo(run_lengths(1000), "x.bmp").pixels.shape[:2] == (1, 1000)
    assert "at most" in refusal(run_lengths(1001), "x.bmp")


def icon_of(*entries: tuple[int, int, bytes]) -> bytes:
    """An icon of images with these sides, bits a pixel and contents."""
    head, body = struct.pack("<HHH", 0, 1, len(entries)), b""
    first = len(head) + 16 * len(entries)
    for side, bits, content in entries:
        place = first + len(body)
        head += struct.pack("<BBBBHHII", side, side, 0, 0, 1, bits, len(content), place)
        body += content
    return head + body


def image_of_an_icon(colour: tuple[int, int, int], bits: int) -> bytes:
    """An image of 64x64 pixels as icons hold it: twice as high as it is, with a mask."""
    image = Image.new("RGB", (64, 64), colour)
    file = io.BytesIO()
    (image.quantize(4) if bits == 8 else image).save(file, "DIB")
    content = bytearray(file.getvalue())
    content[8:12] = struct.pack("<i", 128)
    return bytes(content) + bytes(64 * 8)


def test_of_an_icon_the_image_that_is_opened_is_the_one_that_was_looked_at():
    red, green = image_of_an_icon((255, 0, 0), 8), image_of_an_icon((0, 255, 0), 24)
    for entries in ([(64, 8, red), (64, 24, green)], [(64, 24, green), (64, 8, red)]):
        pixels = read_photo(icon_of(*entries), "x.ico").pixels
        assert pixels[32, 32].tolist() == [0, 255, 0]
    # Pillow alone would take the PNG, which has more pixels than its entry says.
    large = file_of(Image.new("L", (3000, 3000)), "PNG")
    photo = read_photo(icon_of((64, 1, large), (64, 24, green)), "x.ico")
    assert photo.pixels.shape == (64, 64, 3)


@pytest.mark.parametrize("behind", [b"\xff\xda" * 1000, b"ftypmp42" + 5000 * b"\xff\xda\0\x0c"])
def test_what_lies_behind_a_progressive_jpeg_are_no_scans_of_it(behind):
    file = file_of(smooth(), "JPEG", progressive=True)
    expected = read_photo(file, "x").pixels
    np.testing.assert_array_equal(read_photo(file + behind, "x").pixels, expected)


def test_a_small_image_in_the_metadata_of_a_progressive_jpeg_is_no_end_of_it():
    file = file_of(smooth(), "JPEG", progressive=True)
    small = file_of(smooth(), "JPEG")
    start = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    last_scan = file[file.rindex(b"\xff\xda") : -2]
    read_photo(start + file[2:], "x")
    assert refusal(start + file[2:-2] + 250 * last_scan + b"\xff\xd9") == limits.NO_PICTURE


def test_a_jpeg_of_endless_segments_is_not_followed_to_its_end():
    file = file_of(smooth(), "JPEG", progressive=True)
    comments = jpeg._MOST_SEGMENTS * b"\xff\xfe\0\2"
    scans = file.count(b"\xff\xda")
    assert jpeg.count_scans(file) == scans
    assert jpeg.count_scans(file[:2] + comments + file[2:] + b"\xff\xda") == scans + 1
    began = time.process_time()
    assert jpeg.count_scans(file[:2] + 2_000_000 * b"\xff" + b"\0" + file[2:]) == scans
    assert time.process_time() - began < 1


def test_a_webp_may_speak_of_webp():
    image = Image.fromarray(colours())
    plain, spoken = (
        file_of(image, "WEBP", lossless=True, xmp=xmp) for xmp in (b"<x/>", b"<x>VP8 and VP8L</x>")
    )
    expected = read_photo(plain, "x").pixels
    np.testing.assert_array_equal(read_photo(spoken, "x").pixels, expected)


@pytest.mark.parametrize(
    "places",
    [8 * [0], [31270, 32900, *3 * [33333, 33333]], [31270, 32900, *range(1000, 7000, 1000)]],
)
def test_what_cannot_be_the_colours_of_a_screen_is_passed_over(places):
    def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
        file = file_of(Image.fromarray(colours()), "PNG")
        return file[:33] + b"".join(chunk(*each) for each in chunks) + file[33:]

    gamma = b"gAMA", struct.pack(">I", 100_000)
    expected = read_photo(png_with(gamma), "x").pixels
    found = read_photo(png_with(gamma, (b"cHRM", struct.pack(">8I", *places))), "x").pixels
    np.testing.assert_array_equal(found, expected)


def test_a_jpeg_2000_of_very_many_tiles_is_refused_from_its_header():
    whole = file_of(Image.new("L", (600, 600)), "JPEG2000", tile_size=(8, 8), no_jp2=True)
    assert "at most" not in refusal(whole[:100])
    sizes = whole.index(b"\xff\x4f\xff\x51") + 24
    many = whole[:sizes] + struct.pack(">II", 1, 1) + whole[sizes + 8 :]
    assert "at most" in refusal(many)


def test_a_png_of_very_many_rows_is_refused_from_its_header():
    assert "at most" in refusal(png_file(1, 99_000_000, 8, 0))


def test_a_plain_picture_may_have_comments_but_not_any_number_of_them():
    plain = b"P2 # one\n2 1 #\n255\n%s10 # ten\n20\n"
    assert read_photo(plain % (500 * b"#\n"), "x.pgm").pixels.ravel().tolist() == [10, 20]
    assert refusal(plain % (300_000 * b"#\n")) == limits.NO_PICTURE


def test_a_jpeg_of_very_many_segments_before_its_image_is_refused():
    file = file_of(smooth(), "JPEG")
    for count, opens in ((300, True), (6000, False)):
        padded = file[:2] + count * b"\xff\xe5\0\2" + file[2:]
        if opens:
            read_photo(padded, "x")
        else:
            assert refusal(padded) == limits.NO_PICTURE


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_hidden_is_filled_in_a_tall_picture_as_in_a_wide_one(turned):
    pixels = colours(300, 37, 4)
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    given = pixels.swapaxes(0, 1) if turned else pixels
    wide = read_photo(file_of(np.ascontiguousarray(pixels.swapaxes(0, 1))), "x").pixels
    found = read_photo(file_of(np.ascontiguousarray(given)), "x").pixels
    np.testing.assert_array_equal(found if turned else found.swapaxes(0, 1), wide)
