"""TIFFs of every kind, written by tifffile and byte by byte, and what is made of them."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from imaging.files import limits, tiff
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo

GREY = np.ascontiguousarray(data.camera()[60:180, 200:380])
COLOUR = np.ascontiguousarray(data.astronaut()[60:180, 160:340])
DEEP = GREY.astype(np.uint16) * 257


def tif(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def opened(file, **options):
    return read_photo(file, "scan.tif", **options)


def assert_grey(photo, expected=GREY, most=0):
    assert photo.pixels.shape == (*expected.shape, 1)
    assert np.abs(photo.pixels[..., 0].astype(int) - expected).max() <= most


def raw_tif(rows, width, height, tags, extra=b""):
    """A little-endian TIFF of one strip; ``tags`` are (number, type, values)."""
    table = {256: (4, (width,)), 257: (4, (height,)), 259: (3, (1,)), 262: (3, (1,))}
    table |= {277: (3, (1,)), 278: (4, (height,)), 279: (4, (len(rows),))}
    table |= {number: (kind, values) for number, kind, values in tags}
    codes = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 11: "f", 12: "d"}
    table[273] = (4, (0,))
    size = 8 + 2 + 12 * len(table) + 4
    after, entries = b"", []
    for number, (kind, values) in sorted(table.items()):
        packed = struct.pack(f"<{len(values)}{codes[kind]}", *values)
        if number == 273:
            entries.append((number, kind, packed))
            continue
        if len(packed) > 4:
            packed, after = (
                struct.pack("<I", size + len(after)),
                after + packed + bytes(-len(packed) % 2),
            )
        entries.append((number, kind, packed))
    start = size + len(after)
    file = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for number, kind, packed in entries:
        if number == 273:
            packed = struct.pack("<I", start)
        file += struct.pack("<HHI", number, kind, len(table[number][1])) + packed.ljust(4, b"\0")
    return file + bytes(4) + after + rows + extra


def packed_bits(values, bits):
    """Rows of whole numbers as bits, the highest first; a row begins at a byte."""
    single = (values[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


# Depths


@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14, 24])
def test_any_number_of_bits_is_read_over_its_whole_range(bits):
    values = np.rint(GREY / 255 * (2**bits - 1)).astype(np.int64)
    photo = opened(raw_tif(packed_bits(values, bits), 180, 120, [(258, 3, (bits,))]))
    expected = np.rint(values * 255 / (2**bits - 1))
    assert_grey(photo, expected)
    assert (photo.own is None) == (bits <= 8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_white_may_be_zero(bits):
    values = np.rint(GREY / 255 * (2**bits - 1)).astype(np.int64)
    if bits in (8, 16):
        rows = (2**bits - 1 - values).astype(f"<u{bits // 8}").tobytes()
    else:
        rows = packed_bits(2**bits - 1 - values, bits)
    photo = opened(raw_tif(rows, 180, 120, [(258, 3, (bits,)), (262, 3, (0,))]))
    assert_grey(photo, np.rint(values * 255 / (2**bits - 1)))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("inverted", [False, True])
def test_floats_of_every_size_are_read(dtype, inverted):
    values = (GREY / 255).astype(dtype)
    photo = opened(
        tif(1 - values if inverted else values, photometric="miniswhite" if inverted else None)
    )
    # The 11 bits of a half are a little less than a level and a half apart at white.
    assert_grey(photo, GREY, most=1 if dtype == "f2" else 0)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u2"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_of_every_depth_is_read_in_pixels_and_in_planes(dtype, planar):
    values = COLOUR.astype(np.uint16) * 257 if dtype == "u2" else (COLOUR / 255).astype(dtype)
    values = values.transpose(2, 0, 1) if planar == "separate" else values
    photo = opened(tif(values, photometric="rgb", planarconfig=planar))
    np.testing.assert_allclose(photo.pixels, COLOUR.astype(int), atol=dtype == "f2")
    assert photo.own.dtype == np.uint16


def test_eight_bits_in_planes_are_read():
    photo = opened(tif(COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"))
    np.testing.assert_array_equal(photo.pixels, COLOUR)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (GREY.astype(np.uint32) * 16843009, None),
        (GREY.astype(np.uint32) * 257, None),
        (GREY.astype(np.uint32), "white is 255"),
        (GREY.astype(np.int32) * 257, None),
        ((GREY.astype(int) - 128).astype(np.int8), "signed"),
        ((GREY.astype(int) * 257 - 32768).astype(np.int16), "signed"),
        (GREY.astype(np.float32), "white is 255"),
        (GREY.astype(np.float64) * 257, "white is 65535"),
    ],
    ids=["u4 full", "u4 16 bits", "u4 8 bits", "i4", "i1", "i2", "f4 to 255", "f8 to 65535"],
)
def test_whole_numbers_and_floats_of_other_ranges_are_read(values, note):
    photo = opened(tif(values))
    assert_grey(photo)
    assert bool(photo.notes) == (note is not None)
    assert note is None or note in photo.notes[0]


def test_a_float_that_goes_a_little_beyond_white_is_clipped_and_not_stretched():
    values = (GREY / 255).astype(np.float32)
    values[0, :40] = 1.02
    values[1, :40] = -0.01
    photo = opened(tif(values))
    expected = GREY.copy()
    expected[0, :40], expected[1, :40] = 255, 0
    assert_grey(photo, expected)
    assert "clipped" in photo.notes[0]


# Ranges


@pytest.mark.parametrize(("lowest", "highest"), [(280, 281), (340, 341)])
def test_a_range_that_the_file_names_is_black_and_white(lowest, highest):
    values = np.rint(GREY / 255 * 4095).astype(np.uint16)
    tags = [(lowest, "H", 1, 0, True), (highest, "H", 1, 4095, True)]
    photo = opened(tif(values, extratags=tags))
    assert_grey(photo)
    assert photo.notes == ("Black is 0 and white 4095, as the file says.",)


def test_a_named_range_that_cannot_be_is_ignored():
    photo = opened(tif(DEEP, extratags=[(281, "H", 1, 255, True)]))
    assert_grey(photo)
    assert photo.notes == ()


def test_the_range_that_imagej_shows_is_black_and_white():
    values = GREY.astype(np.uint16) * 4 + 1000
    photo = opened(tif(values, imagej=True, metadata={"min": 1000.0, "max": 2020.0}))
    assert_grey(photo)


def test_a_picture_that_uses_a_small_part_of_its_range_says_so_and_can_be_stretched():
    values = GREY.astype(np.uint16) * 8  # At most 2040 of 65535, a thirty-second.
    photo = opened(tif(values))
    assert photo.faint
    assert "very dark" in photo.notes[0]
    assert photo.pixels.max() <= 8
    stretched = opened(tif(values), stretch=True)
    low, high = int(GREY.min()), int(GREY.max())
    assert_grey(stretched, np.rint((GREY.astype(float) - low) * 255 / (high - low)), most=1)
    assert stretched.faint
    assert "stretched" in stretched.notes[0]
    assert not opened(tif(DEEP)).faint
    assert_grey(opened(tif(DEEP), stretch=True))


def test_what_stands_for_no_data_is_transparent_and_has_no_part_in_the_range():
    values = np.full((40, 60), 0.5, np.float32)
    values[:10] = -9999
    values[20:] = 0.25
    photo = opened(tif(values, extratags=[(42113, "s", 0, "-9999", True)]))
    np.testing.assert_array_equal(photo.alpha[:10], 0)
    np.testing.assert_array_equal(photo.alpha[10:], 255)
    np.testing.assert_array_equal(photo.pixels[10:20], 128)
    np.testing.assert_array_equal(photo.pixels[20:], 64)
    assert photo.notes == ()


# Storage


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("values", [DEEP, COLOUR.astype(np.uint16) * 257], ids=["grey", "colour"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_deflate_is_unpacked_in_strips_and_tiles(values, predictor, tile, order):
    photo = opened(
        tif(
            values,
            compression="zlib",
            predictor=predictor == 2,
            tile=tile,
            rowsperstrip=None if tile else 7,
            byteorder=order,
        )
    )
    np.testing.assert_array_equal(photo.own.reshape(values.shape), values)


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"]
)
def test_codecs_of_libtiff_are_unpacked_for_sixteen_bits(compression):
    # Pillow writes them with its libtiff; nothing of the reader is used.
    file = io.BytesIO()
    try:
        Image.fromarray(DEEP).save(file, "TIFF", compression=compression)
    except (OSError, RuntimeError, KeyError):
        pytest.skip(f"this Pillow cannot write {compression}")
    np.testing.assert_array_equal(opened(file.getvalue()).own[..., 0], DEEP)


def float_predictor(values):
    """Differences of bytes of the same weight, as in Adobe's Technical Note 3."""
    rows = values.astype(">f4").view(np.uint8).reshape(len(values), -1, 4)
    lanes = rows.transpose(0, 2, 1).reshape(len(values), -1).astype(int)
    lanes[:, 1:] -= lanes[:, :-1].copy()
    return lanes.astype(np.uint8).tobytes()


def test_the_predictor_of_floats_is_undone():
    values = (GREY / 255).astype(np.float32)
    rows = zlib.compress(float_predictor(values))
    tags = [(258, 3, (32,)), (259, 3, (8,)), (317, 3, (3,)), (339, 3, (3,))]
    assert_grey(opened(raw_tif(rows, 180, 120, tags)))


def test_the_resolution_is_known():
    assert opened(tif(DEEP, resolution=(300, 300), resolutionunit="INCH")).dpi == (300, 300)
    dpi = opened(tif(DEEP, resolution=(100, 50), resolutionunit="CENTIMETER")).dpi
    assert dpi == pytest.approx((254, 127))
    assert opened(tif(DEEP)).dpi is None


def test_bits_in_reverse_order_are_turned_round():
    values = np.rint(GREY / 255 * 4095).astype(np.int64)
    rows = bytes(int(f"{byte:08b}"[::-1], 2) for byte in packed_bits(values, 12))
    assert_grey(opened(raw_tif(rows, 180, 120, [(258, 3, (12,)), (266, 3, (2,))])))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_bigtiff_is_read(order):
    assert_grey(opened(tif(DEEP, bigtiff=True, byteorder=order)))
    assert_grey(opened(tif(GREY, bigtiff=True, byteorder=order)))


def test_a_palette_of_sixteen_bits_is_looked_up():
    table = np.random.default_rng(0).integers(0, 256, (3, 65536)).astype(np.uint16) * 257
    photo = opened(tif(DEEP, photometric="palette", colormap=table))
    np.testing.assert_array_equal(photo.pixels, (table[:, DEEP] // 257).transpose(1, 2, 0))


def test_the_range_that_imagej_names_is_of_one_channel_and_not_of_colours():
    named = {"min": 50.0, "max": 100.0}
    photo = opened(tif(COLOUR, imagej=True, metadata=named))
    np.testing.assert_array_equal(photo.pixels, COLOUR)
    grey = opened(tif(COLOUR[..., 0], imagej=True, metadata=named))
    expected = np.clip((COLOUR[..., 0] - 50.0) / 50, 0, 1) * 255
    assert_grey(grey, np.rint(expected), most=1)


def test_of_several_images_with_several_channels_each_the_first_channel_is_shown():
    file = io.BytesIO()
    pages = [np.dstack([DEEP, DEEP[::-1]]), np.dstack([DEEP[:, ::-1], DEEP])]
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", planarconfig="contig", metadata=None)
    second = opened(file.getvalue(), plane=1)
    np.testing.assert_array_equal(second.own[..., 0], DEEP[:, ::-1])
    assert second.notes[:2] == (
        "This file holds 2 images; number 2 is shown.",
        "Of its 2 channels the first is shown.",
    )


def test_a_palette_that_is_cut_off_or_one_of_several_says_so():
    table = np.random.default_rng(0).integers(0, 256, (3, 65536)).astype(np.uint16) * 257
    both = io.BytesIO()
    with tifffile.TiffWriter(both) as file:
        for values in (DEEP, DEEP[::-1]):
            file.write(values, photometric="palette", colormap=table, metadata=None)
    second = opened(both.getvalue(), plane=1)
    np.testing.assert_array_equal(second.pixels, (table[:, DEEP[::-1]] // 257).transpose(1, 2, 0))
    assert (second.planes, second.plane) == (2, 1)
    assert second.notes[0] == "This file holds 2 images; number 2 is shown."
    # Written as one strip, whose last rows are missing.
    rows = DEEP.astype("<u2").tobytes()
    tags = [(258, 3, (16,)), (262, 3, (3,)), (320, 3, table.ravel().tolist())]
    whole = raw_tif(rows, 180, 120, tags)
    cut = opened(whole[: whole.rindex(rows) + len(rows) // 2])
    assert "cut off or damaged" in cut.notes[0]


@pytest.mark.parametrize(("kind", "premultiplied"), [("unassalpha", False), ("assocalpha", True)])
def test_opacity_of_sixteen_bits_is_kept_apart(kind, premultiplied):
    alpha = np.full(GREY.shape, 65535, np.uint16)
    alpha[:, 60:120], alpha[:, 120:] = 32768, 0
    colours = COLOUR.astype(np.float64) * 257
    if premultiplied:
        colours *= alpha[..., np.newaxis] / 65535
    values = np.dstack([np.rint(colours).astype(np.uint16), alpha])
    photo = opened(tif(values, photometric="rgb", extrasamples=[kind]))
    np.testing.assert_array_equal(photo.alpha, np.rint(alpha / 257))
    np.testing.assert_allclose(photo.pixels[:, :120], COLOUR[:, :120].astype(int), atol=1)


@pytest.mark.parametrize(("bits", "values"), [(4, GREY // 16), (8, GREY)])
def test_a_palette_that_was_filled_with_eight_bits_is_looked_up_as_such(bits, values):
    table = np.random.default_rng(0).integers(0, 256, (3, 2**bits))
    rows = packed_bits(values, bits)
    tags = [(258, 3, (bits,)), (262, 3, (3,)), (320, 3, table.ravel().tolist())]
    photo = opened(raw_tif(rows, 180, 120, tags))
    np.testing.assert_array_equal(photo.pixels, table[:, values].transpose(1, 2, 0))


def test_printing_colours_with_opacity_are_read():
    alpha = np.tile(np.arange(180, dtype=np.uint8), (120, 1))
    inks = np.dstack([255 - COLOUR, np.zeros_like(GREY), alpha])
    for values in (inks, inks.astype(np.uint16) * 257):
        photo = opened(tif(values, photometric="separated", extrasamples=["unassalpha"]))
        np.testing.assert_array_equal(photo.alpha, alpha)
        seen = alpha > 0
        np.testing.assert_allclose(photo.pixels[seen], COLOUR[seen].astype(int), atol=1)


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (4, 1)])
def test_colours_that_several_pixels_share_are_read_without_compression(across, down):
    # TIFF 6.0, section 21: the brightness of all pixels of a block, then their two colours.
    blocks = np.asarray(Image.fromarray(COLOUR).convert("YCbCr"))
    blocks = blocks.reshape(120 // down, down, 180 // across, across, 3)
    shared = np.rint(blocks[..., 1:].mean(axis=(1, 3))).astype(np.uint8)
    light = blocks[..., 0].transpose(0, 2, 1, 3).reshape(*shared.shape[:2], -1)
    rows = np.concatenate([light, shared], axis=-1).tobytes()
    tags = [(258, 3, (8, 8, 8)), (262, 3, (6,)), (277, 3, (3,)), (530, 3, (across, down))]
    photo = opened(raw_tif(rows, 180, 120, tags))
    spread = np.repeat(np.repeat(shared, down, axis=0), across, axis=1)
    expected = Image.fromarray(
        np.dstack([np.asarray(Image.fromarray(COLOUR).convert("YCbCr"))[..., 0], spread]), "YCbCr"
    )
    np.testing.assert_allclose(
        photo.pixels, np.asarray(expected.convert("RGB")).astype(int), atol=3
    )
    assert photo.notes == ()


def without(file, tag):
    """The TIFF with a tag of this number renamed to one that means nothing."""
    at = file.index(struct.pack("<H", tag) + b"\3\0\1\0\0\0")
    return file[:at] + struct.pack("<H", 65000) + file[at + 2 :]


def test_a_file_that_does_not_say_what_its_samples_mean_is_not_a_negative():
    assert_grey(opened(without(tif(GREY), 262)))
    assert_grey(opened(without(tif(DEEP), 262)))
    photo = opened(without(tif(COLOUR, photometric="rgb"), 262))
    np.testing.assert_array_equal(photo.pixels, COLOUR)


@pytest.mark.parametrize("bits", [8, 16])
def test_samples_of_no_named_kind_are_whole_numbers(bits):
    rows = (GREY if bits == 8 else DEEP).tobytes()
    assert_grey(opened(raw_tif(rows, 180, 120, [(258, 3, (bits,)), (339, 3, (4,))])))


# Several images in a file


@pytest.mark.parametrize("flagged", [False, True])
def test_a_thumbnail_that_comes_first_is_not_the_picture(flagged):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOUR[::4, ::4], photometric="rgb", subfiletype=1 if flagged else 0)
        writer.write(COLOUR, photometric="rgb")
    photo = opened(file.getvalue())
    np.testing.assert_array_equal(photo.pixels, COLOUR)
    assert photo.planes == 1


def test_smaller_copies_behind_the_picture_are_not_counted():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(DEEP)
        writer.write(DEEP[::2, ::2], subfiletype=1)
    assert opened(file.getvalue()).planes == 1


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"compression": "zlib"}])
def test_of_a_stack_any_image_can_be_chosen(options):
    stack = np.stack([DEEP, DEEP.T[:120, :120].repeat(2, axis=1)[:, :180], DEEP[::-1]])
    file = tif(stack, photometric="minisblack", **options)
    for number, plane in enumerate(stack):
        photo = opened(file, plane=number)
        assert (photo.planes, photo.plane) == (3, number)
        np.testing.assert_array_equal(photo.own[..., 0], plane)
        assert f"holds 3 images; number {number + 1} is shown" in photo.notes[0]
    assert opened(file, plane=99).plane == 2


def test_a_stack_behind_a_single_directory_is_found():
    stack = np.stack([DEEP, DEEP[::-1]])
    text = b"ImageJ=1.53t\nimages=2\nslices=2\n\0"
    tags = [(258, 3, (16,)), (270, 2, tuple(text))]
    file = raw_tif(stack[0].tobytes(), 180, 120, tags, extra=stack[1].tobytes())
    photo = opened(file, plane=1)
    assert photo.planes == 2
    np.testing.assert_array_equal(photo.own[..., 0], DEEP[::-1])


def test_three_channels_of_each_pixel_are_colours_though_the_file_does_not_say_so():
    values = (COLOUR / 255).astype(np.float32)
    photo = opened(tif(values, photometric="minisblack", planarconfig="contig"))
    np.testing.assert_array_equal(photo.pixels, COLOUR)
    assert "red, green and blue" in photo.notes[0]


def test_channels_of_a_microscope_are_images_to_choose_from():
    channels = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP[::-1, ::-1], DEEP // 2])
    file = tif(channels, photometric="minisblack", planarconfig="separate")
    photo = opened(file, plane=2)
    assert photo.planes == 5
    np.testing.assert_array_equal(photo.own[..., 0], DEEP[:, ::-1])


# What is refused, and why


def refusal(file):
    with pytest.raises(PhotoError) as caught:
        opened(file)
    return str(caught.value)


def test_a_kind_that_cannot_be_opened_is_named_with_a_way_out():
    tags = [(258, 3, (24,)), (339, 3, (3,))]
    text = refusal(raw_tif(bytes(3 * 4 * 4), 4, 4, tags))
    assert "24 bits" in text
    assert "8 or 16 bits" in text
    text = refusal(raw_tif(DEEP.tobytes(), 180, 120, [(258, 3, (16,)), (262, 3, (32844,))]))
    assert "8 or 16 bits" in text


@pytest.mark.parametrize("compression", [33003, 34887, 34892])
def test_a_compression_that_nobody_here_knows_is_named(compression):
    for bits in (8, 16):
        tags = [(258, 3, (bits,)), (259, 3, (compression,))]
        assert "compression" in refusal(raw_tif(bytes(200), 180, 120, tags))


@pytest.mark.parametrize("compression", [5, 8, 32773, 34925, 50000])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_file_of_whose_pixels_nothing_can_be_unpacked_is_refused(compression, bits):
    tags = [(258, 3, (bits,)), (259, 3, (compression,))]
    refusal(raw_tif(b"\x81" * 20, 180, 120, tags))


def test_a_raw_file_of_a_camera_is_called_so():
    file = tif(DEEP, extratags=[(50706, "B", 4, b"\1\4\0\0", True)])
    assert refusal(file) == limits.RAW
    assert refusal(tif(DEEP, photometric="cfa")) == limits.RAW
    # A thumbnail that points to directories outside of the chain, as Nikon and Sony write them.
    tags = [(254, 4, (1,)), (258, 3, (8,)), (330, 4, (8,))]
    file = raw_tif(GREY.tobytes(), 180, 120, tags)
    assert refusal(file) == limits.RAW


@pytest.mark.parametrize(("width", "height"), [(2**31, 2**31), (30_000, 30_000), (9_000, 9_000)])
def test_a_size_that_does_not_fit_is_refused_before_anything_is_read(width, height):
    file = raw_tif(b"", width, height, [(258, 3, (64,)), (339, 3, (3,))])
    assert "megapixels" in refusal(file)


def test_directories_that_go_round_in_a_circle_are_left():
    file = bytearray(raw_tif(DEEP.tobytes(), 180, 120, [(258, 3, (16,))]))
    end = 8 + 2 + 12 * struct.unpack_from("<H", file, 8)[0]
    struct.pack_into("<I", file, end, 8)
    assert_grey(opened(bytes(file)))


def test_a_directory_of_endless_tags_is_refused():
    assert refusal(b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(70_000)) == limits.NO_PICTURE
    tags = [(700, 1, (0,))]
    file = bytearray(raw_tif(DEEP.tobytes(), 180, 120, [(258, 3, (16,)), *tags]))
    at = file.index(struct.pack("<HH", 700, 1))
    struct.pack_into("<I", file, at + 4, 2**31)
    assert refusal(bytes(file)) == limits.NO_PICTURE


def test_the_tags_of_all_directories_are_counted_together(monkeypatch):
    # Directories may overlap: ten thousand of a thousand tags each fit into 100 kB.
    file = tif(np.stack([DEEP, DEEP, DEEP]), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(io.BytesIO(file)) as written:
        count = sum(len(page.tags) for page in written.pages)
    monkeypatch.setattr(tiff, "MOST_TAGS_OF_ALL", count)
    assert opened(file).planes == 3
    monkeypatch.setattr(tiff, "MOST_TAGS_OF_ALL", count - 1)
    assert refusal(file) == limits.NO_PICTURE


def test_a_million_strips_are_refused():
    file = tif(np.zeros((70_000, 2), np.uint16), rowsperstrip=1)
    assert refusal(file) == limits.NO_PICTURE


def test_deflate_that_unpacks_to_more_than_the_picture_is_cut_off():
    rows = zlib.compress(bytes(50_000_000))
    tags = [(258, 3, (16,)), (259, 3, (8,))]
    photo = opened(raw_tif(rows, 180, 120, tags))
    assert not photo.pixels.any()


def lzw_strips(rows=4):
    file = io.BytesIO()
    Image.fromarray(DEEP).save(file, "TIFF", compression="tiff_lzw", tiffinfo={278: rows})
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as written:
        places = list(
            zip(written.pages[0].dataoffsets, written.pages[0].databytecounts, strict=True)
        )
    assert len(places) == 120 // rows
    return file.getvalue(), places


def test_strips_are_unpacked_together_and_the_last_may_be_shorter():
    file, _ = lzw_strips()
    np.testing.assert_array_equal(opened(file).own[..., 0], DEEP)
    short = io.BytesIO()
    Image.fromarray(DEEP[:118]).save(short, "TIFF", compression="tiff_lzw", tiffinfo={278: 4})
    np.testing.assert_array_equal(opened(short.getvalue()).own[..., 0], DEEP[:118])


def test_of_a_file_with_one_damaged_strip_the_others_are_shown_with_a_note():
    file, places = lzw_strips()
    offset, size = places[10]
    broken = file[:offset] + b"\xff" * size + file[offset + size :]
    photo = opened(broken)
    np.testing.assert_array_equal(photo.own[:40, :, 0], DEEP[:40])
    np.testing.assert_array_equal(photo.own[44:, :, 0], DEEP[44:])
    assert "cut off or damaged" in photo.notes[0]


def test_of_a_file_of_damaged_strips_only_some_are_tried(monkeypatch):
    tried = 0
    unpack = tiff._by_libtiff

    def counted(*given):
        nonlocal tried
        tried += 1
        return unpack(*given)

    monkeypatch.setattr(tiff, "_by_libtiff", counted)
    monkeypatch.setattr(tiff, "_MOST_DAMAGED", 50)
    file, places = lzw_strips(rows=1)
    for offset, size in places[10:]:
        file = file[:offset] + b"\xff" * size + file[offset + size :]
    photo = opened(file)
    np.testing.assert_array_equal(photo.own[:10, :, 0], DEEP[:10])
    assert "cut off" in photo.notes[0]
    assert tried == 1 + 10 + 50  # Together, then each by itself.


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tile_much_larger_than_the_picture_is_refused_from_its_header(dtype):
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((16, 16), dtype), tile=(16, 16))
    content = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        places = [tiff.pages[0].tags[tag].valueoffset for tag in (322, 323)]
    for place in places:
        content[place : place + 4] = struct.pack("<I", 40_000)
    with pytest.raises(PhotoError, match="at most"):
        read_photo(bytes(content), "x.tif")
