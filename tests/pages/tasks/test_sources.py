"""What the page of more jobs makes of a file: the colours, opacity and depth that the file has."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging.files.writing import write
from pages.components.tasks import downloads
from pages.components.tasks.given import Given
from pages.components.tasks.sources import _opened
from tests.imaging.files.test_reading import SRGB_BLUE, SRGB_GREEN, SRGB_RED, icc_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(image: Image.Image, kind: str = "PNG", **options: object) -> Given:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return opened_file(file.getvalue())


def opened_file(content: bytes) -> Given:
    return _opened(SimpleNamespace(name="mine", digest="0", content=lambda: content))


def test_colours_of_a_profile_are_shown_and_worked_on_as_a_screen_shows_them():
    # Its red is what sRGB calls green, and the other way round.
    swapped = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE)
    given = opened(Image.new("RGB", (8, 8), (255, 0, 0)), icc_profile=swapped)
    np.testing.assert_allclose(given.input[0, 0], [0, 255, 0], atol=2)


@pytest.mark.parametrize("profile", [None, SRGB], ids=["none", "sRGB"])
def test_sixteen_bits_are_kept_where_the_colours_are_those_of_a_screen(profile):
    values = np.arange(192, dtype=np.uint16).reshape(8, 8, 3) * 333
    given = opened_file(write(values, profile=profile))
    assert given.input.dtype == np.uint16
    np.testing.assert_array_equal(given.input, values)


def test_black_ink_on_transparent_is_ink_on_white_paper():
    drawing = np.zeros((8, 8, 4), np.uint8)
    drawing[2:4, :, 3] = 255
    given = opened(Image.fromarray(drawing))
    assert (given.input[2:4] == 0).all()
    assert (given.input[4:] == 255).all()


@pytest.mark.parametrize(("ink", "paper"), [(30, "white"), (220, "black")])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_result_is_as_transparent_as_what_was_given(monkeypatch, ink, paper, scale):
    drawing = np.full((8, 60, 4), ink, np.uint8)
    drawing[..., 3] = np.repeat([0, 128, 255], 20)
    given = opened(Image.fromarray(drawing))
    assert f"Where it is transparent, it is {paper} here." in given.note
    answer = np.broadcast_to(given.input, (8, 60, 3)).repeat(scale, 0).repeat(scale, 1)
    made = downloaded(monkeypatch, given, answer)
    assert made.shape == (8 * scale, 60 * scale, 4)
    # Far from the steps, where Lanczos changes nothing.
    assert made[4 * scale, [0, 30 * scale, -1], 3] == pytest.approx([0, 128, 255])
    # Half a grey that the paper rounds off is a whole one where half is seen.
    assert made[:, [30 * scale, -1], :3] == pytest.approx(ink, abs=1)


def test_what_was_changed_to_open_a_file_is_said():
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    half = file.getvalue()[: len(file.getvalue()) // 2]
    assert "cut off or damaged" in opened_file(half).note


def test_a_large_16_bit_picture_is_made_smaller_with_all_its_bits(monkeypatch):
    monkeypatch.setattr("pages.components.tasks.sources.MOST_PIXELS", 2000)
    # A camera of 12 bits in a file of 16: with 8 bits there would be nothing but 0 to 15.
    values = np.full((60, 80), 4001, np.uint16)
    given = opened(Image.fromarray(values), "TIFF")
    assert given.input.shape == (38, 51, 1)
    np.testing.assert_allclose(given.input, 4001, atol=1)


def test_a_picture_of_a_microscope_is_taken_as_it_is():
    values = np.random.default_rng(0).integers(0, 4096, (2048, 2048), np.uint16)
    given = opened(Image.fromarray(values), "TIFF")
    np.testing.assert_array_equal(given.input[..., 0], values)
    assert "Reduced" not in given.note


def downloaded(monkeypatch, given: Given, picture: np.ndarray) -> np.ndarray:
    made = []
    monkeypatch.setattr(downloads, "_button", lambda label, make, *rest: made.append(make()))
    downloads.download_picture(given, picture)
    return np.asarray(Image.open(io.BytesIO(made[0]))).astype(int)


def test_a_result_keeps_the_date_and_not_the_place(monkeypatch):
    exif = Image.Exif()
    exif[0x0132] = "2026:05:01 12:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    given = opened(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    made = []
    monkeypatch.setattr(downloads, "_button", lambda label, make, *rest: made.append(make()))
    downloads.download_picture(given, np.zeros((16, 16, 3), np.uint8))
    kept = Image.open(io.BytesIO(made[0])).getexif()
    assert kept[0x0132] == "2026:05:01 12:00:00"
    assert not kept.get_ifd(0x8825)
