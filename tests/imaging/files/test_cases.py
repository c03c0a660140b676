"""Files that were once opened wrongly, as they came; each is made anew in the other tests."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo

# File, what it shows, and how far the mean difference may be.
CASES = (
    ("white_is_zero_16bit.tif", "expected_grey.png", 1),
    ("grey_12bit_packed.tif", "expected_grey.png", 1),
    ("grey_float64.tif", "expected_grey.png", 1),
    ("colour_float32.tif", "expected_colour.png", 1),
    ("float_slight_overshoot.tif", "expected_grey.png", 2),
    ("thumbnail_first.tif", "expected_colour.png", 1),
    ("large_compressed_text.png", "expected_colour.png", 0),
    ("digits/float32.tif", "digits/reference.png", 1),
    ("digits/int32.tif", "digits/reference.png", 1),
    ("picture.avif", "expected_colour.png", 10),
    ("progressive_cut_at_70_percent.jpg", "expected_colour.png", 12),
    ("folder_for_the_command_line/a.jfif", "expected_colour.png", 10),
    ("folder_for_the_command_line/b.jpe", "expected_colour.png", 10),
    ("folder_for_the_command_line/c.gif", "expected_colour.png", 6),
    ("folder_for_the_command_line/d.png", "expected_colour.png", 0),
)


@pytest.fixture
def case():
    """``case(name)`` is the path of a case; DENOISE_DATA_DIR names the folder beside theirs."""

    def find(name: str) -> Path:
        folder = os.environ.get("DENOISE_DATA_DIR")
        path = Path(folder or ".").expanduser().parent / "cases" / "files" / name
        if not folder or not path.is_file():
            pytest.skip(f"needs the cases beside DENOISE_DATA_DIR: there is no {path}")
        return path

    return find


@pytest.mark.parametrize(("name", "expected", "most"), CASES, ids=[each[0] for each in CASES])
def test_a_case_is_opened_rightly(case, name, expected, most):
    opened = read_photo(case(name), name)
    shown = np.asarray(Image.open(case(expected))).astype(int)
    if opened.pixels.shape[2] == 1:
        shown = shown[..., np.newaxis]
    if name == "colour_float32.tif":
        shown = shown[::2, ::2]
    assert opened.pixels.shape == shown.shape
    assert np.abs(opened.pixels - shown).mean() <= most


def test_the_transparent_columns_of_a_deep_png_are_transparent(case):
    opened = read_photo(case("colour16_trns.png"), "x.png")
    np.testing.assert_array_equal(opened.alpha[:, :40], 0)
    np.testing.assert_array_equal(opened.alpha[:, 40:], 255)
    shown = np.asarray(Image.open(case("expected_colour.png"))).astype(int)
    assert np.abs(opened.pixels - shown)[:, 40:].mean() <= 1


def test_a_file_that_is_cut_off_says_so(case):
    opened = read_photo(case("progressive_cut_at_70_percent.jpg"), "x.jpg")
    assert "cut off" in opened.notes[0]


def test_a_heic_that_holds_nothing_is_refused_with_a_way_out(case):
    with pytest.raises(PhotoError, match="JPEG or PNG"):
        read_photo(case("from_iphone.heic"), "from_iphone.heic")


def test_two_files_of_one_name_are_two_pictures(case):
    one, other = (
        read_photo(case(f"same_name/{folder}/IMG_0001.jpg"), "IMG_0001.jpg") for folder in "ab"
    )
    assert one.pixels.shape != other.pixels.shape or np.any(one.pixels != other.pixels)


@pytest.mark.parametrize("name", ["black_ink_on_transparent", "cutout_with_junk_under_alpha"])
def test_transparency_is_kept(case, name):
    opened = read_photo(case(f"{name}.png"), "x.png")
    alpha = np.asarray(Image.open(case(f"{name}.png")))[..., 3]
    np.testing.assert_array_equal(opened.alpha, alpha)
