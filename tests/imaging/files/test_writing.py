"""What is written, opened again by Pillow, tifffile and our own reader."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from imaging.files.metadata import has_location, kept, open_exif
from imaging.files.profiles import profile_of_png
from imaging.files.reading import Photo, read_photo
from imaging.files.writing import (
    BEST_QUALITY,
    DEFAULT_QUALITY,
    FORMATS,
    format_of,
    write,
    write_result,
)

GPS, EXIF = 0x8825, 0x8769
WIDE = profile_of_png(1 / 1.8, (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06), 3)


def values(dtype, channels, height=40, width=30):
    # Smooth, so that JPEG and WebP keep it.
    down, across = np.mgrid[:height, :width] / max(height, width)
    image = np.stack([down, across, (down + across) / 2], -1)[..., :channels]
    return np.rint(image * np.iinfo(dtype).max).astype(dtype)


def camera_exif():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Maker", "2026:11:26 10:00:00"
    exif.get_ifd(EXIF)[0x9003] = "2026:11:26 10:00:00"
    exif.get_ifd(EXIF)[0x927C] = b"private" * 100
    exif.get_ifd(EXIF)[0xA002] = 4000
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (48.0, 51.0, 29.5)
    return exif


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("opacity", [False, True])
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_lossless_file_holds_every_value(kind, dtype, channels, opacity):
    pixels = values(dtype, channels)
    alpha = np.linspace(1, 254, 1200).reshape(40, 30).astype(np.uint8) if opacity else None
    opened = read_photo(write(pixels, kind, alpha), "x")
    np.testing.assert_array_equal(opened.best, pixels)
    assert opened.best.dtype == dtype
    np.testing.assert_array_equal(opened.alpha, alpha)


def test_sixteen_bits_are_what_other_programs_read_too():
    pixels = values(np.uint16, 3)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(write(pixels, "tiff"))), pixels)
    # Pillow keeps the high byte.
    png = np.asarray(Image.open(io.BytesIO(write(pixels, "png"))))
    np.testing.assert_array_equal(png, pixels >> 8)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_sixteen_bits_are_rounded_for_what_holds_eight(kind):
    pixels = values(np.uint16, 3)
    opened = read_photo(write(pixels, kind, quality=95), "x")
    np.testing.assert_allclose(opened.pixels, pixels / 257, atol=8)


def test_a_webp_of_the_best_quality_is_lossless():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        read_photo(write(pixels, "webp", quality=100), "x").pixels, pixels
    )


def test_more_quality_makes_a_larger_file():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    for kind in ("jpeg", "webp"):
        sizes = [len(write(pixels, kind, quality=quality)) for quality in (30, 60, 95)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[2]


@pytest.mark.parametrize("sigma", [25, 60])
@pytest.mark.parametrize("quality", [30, DEFAULT_QUALITY, 94, BEST_QUALITY])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_can_be_written_as_a_jpeg(sigma, quality, channels):
    noise = np.random.default_rng(0).normal(128, sigma, (300, 300, channels))
    pixels = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
    file = write(pixels, "jpeg", None, quality, WIDE, kept(camera_exif()), (300.0, 300.0))
    opened = read_photo(file, "x")
    assert opened.pixels.shape == pixels.shape
    assert has_location(opened.exif)
    if quality == BEST_QUALITY:
        # Rounded once more on the way to brightness and colour, and back.
        np.testing.assert_allclose(opened.best.astype(int), pixels, atol=4)


def test_what_shines_through_is_white_in_a_jpeg():
    pixels, alpha = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    opened = read_photo(write(pixels, "jpeg", alpha, quality=100), "x")
    np.testing.assert_allclose(opened.pixels[:, :4], 255, atol=2)
    np.testing.assert_allclose(opened.pixels[:, 12:], 0, atol=2)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_date_place_resolution_and_profile_are_kept(kind, dtype):
    photo = Photo(
        values(np.uint8, 3),
        "x",
        own=values(dtype, 3),
        profile=WIDE,
        exif=kept(camera_exif()),
        dpi=(300.0, 300.0),
    )
    file = write_result(photo, photo.best, kind)
    image = Image.open(io.BytesIO(file))
    exif = image.getexif()
    assert exif[0x0112] == 1
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(EXIF)[0x9003] == "2026:11:26 10:00:00"
    assert float(exif.get_ifd(GPS)[2][2]) == 29.5
    assert 0x927C not in exif.get_ifd(EXIF)
    assert image.info["icc_profile"] == WIDE
    if kind != "webp":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    without = Image.open(io.BytesIO(write_result(photo, photo.best, kind, location=False)))
    assert not without.getexif().get_ifd(GPS)
    assert without.getexif()[0x010F] == "Maker"
    # Opened again, it is as it was.
    again = read_photo(file, "x")
    assert again.profile == WIDE
    assert has_location(again.exif)


def test_a_result_in_srgb_does_not_claim_the_profile_of_the_file():
    photo = Photo(values(np.uint8, 3), "x", own=values(np.uint16, 3), profile=WIDE)
    image = Image.open(io.BytesIO(write_result(photo, photo.pixels, "png", own_values=False)))
    assert "icc_profile" not in image.info


def test_a_photo_of_a_camera_keeps_what_it_says_when_it_is_read():
    file = io.BytesIO()
    Image.fromarray(values(np.uint8, 3)).save(
        file, "JPEG", exif=camera_exif(), icc_profile=WIDE, dpi=(240, 240)
    )
    photo = read_photo(file.getvalue(), "IMG_1.JPG")
    assert photo.pixels.shape == (30, 40, 3)
    exif = open_exif(photo.exif)
    assert exif[0x0112] == 1
    assert exif[0x0132] == "2026:11:26 10:00:00"
    assert has_location(photo.exif)
    assert photo.profile == WIDE
    assert photo.dpi == (240, 240)
    np.testing.assert_allclose(photo.own.astype(int), np.rot90(values(np.uint8, 3), -1), atol=10)
    # Shown in sRGB, the same values are other ones.
    np.testing.assert_array_equal(photo.shown(photo.own), photo.pixels)
    assert np.abs(photo.pixels.astype(int) - photo.own).max() > 10


@pytest.mark.parametrize(
    ("exif", "holds"),
    [(b"", False), (b"Exif\0\0garbage", False), (b"Exif\0\0II*\0\xff\xff\xff\xff", False)],
)
def test_exif_that_says_nothing_is_not_kept(exif, holds):
    assert bool(kept(open_exif(exif))) == holds


def test_exif_that_does_not_fit_is_left_out_tag_by_tag():
    exif = camera_exif()
    exif[0x013B] = "x" * 100_000
    written = kept(exif)
    assert len(written) < 65_000
    assert open_exif(written)[0x010F] == "Maker"
    assert 0x013B not in open_exif(written)


def test_exif_of_thousands_of_tags_is_looked_through_once(monkeypatch):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(EXIF).update({0xB000 + number: "x" for number in range(5_000)})
    written, tobytes = [], Image.Exif.tobytes

    def counting(self, offset=8):
        written.append(len(self.get_ifd(EXIF)))
        return tobytes(self, offset)

    monkeypatch.setattr(Image.Exif, "tobytes", counting)
    assert open_exif(kept(exif))[0x010F] == "Maker"
    # Each tag alone, and then what is kept of them.
    assert sum(written) <= 10_000


def test_a_side_that_a_format_cannot_hold_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="WebP holds at most 16,383 pixels in a row, got 20,000"):
        write(np.zeros((1, 20_000, 1), np.uint8), "webp")


@pytest.mark.parametrize(
    ("ending", "kind"),
    [(".PNG", "png"), (".jpe", "jpeg"), (".jpg", "jpeg"), (".tiff", "tiff"), (".txt", None)],
)
def test_an_ending_names_a_format(ending, kind):
    assert format_of(ending) == kind


@pytest.mark.parametrize("kind", FORMATS)
def test_letters_of_all_languages_are_kept(kind):
    text = "© Jürgen Müller 北京".encode()
    exif = Image.Exif()
    exif[0x8298] = text
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG", exif=exif)
    photo = read_photo(file.getvalue(), "x.jpg")
    written = Image.open(io.BytesIO(write_result(photo, photo.best, kind))).getexif()
    said = written[0x8298]
    assert (said if isinstance(said, bytes) else said.encode("latin-1")).rstrip(b"\0") == text
