"""Lab and colourfulness, against scikit-image and by hand."""

import numpy as np
import pytest
from skimage import color

from imaging import cielab


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).random((16, 20, 3), np.float32)


def test_lab_is_that_of_scikit_image(picture: np.ndarray):
    dark = picture * np.float32(0.02)  # Where the curves are straight lines.
    for image in (picture, dark):
        lab = color.rgb2lab(image.astype(np.float64))
        # scikit-image rounds the white to five digits, so that its greys are off by 0.005.
        assert np.abs(cielab.rgb_to_lab(image) - lab).max() < 0.01
        assert np.abs(cielab.lab_to_rgb(lab) - color.lab2rgb(lab)).max() < 5e-4


def test_there_and_back_is_the_same_picture(picture: np.ndarray):
    assert np.abs(cielab.lab_to_rgb(cielab.rgb_to_lab(picture)) - picture).max() < 1e-4


def test_black_and_white_have_no_colour():
    lab = cielab.rgb_to_lab(np.float32([[[0, 0, 0], [1, 1, 1]]]))
    assert lab == pytest.approx(np.array([[[0, 0, 0], [100, 0, 0]]]), abs=1e-3)


def test_impossible_colours_are_clipped():
    rgb = cielab.lab_to_rgb(np.array([[[50.0, 128, -128], [0.0, -90, 90], [100.0, 0, 128]]]))
    assert np.isfinite(rgb).all()
    assert rgb.min() >= 0
    assert rgb.max() <= 1


def test_grey_keeps_lightness_and_loses_colour(picture: np.ndarray):
    grey = cielab.in_grey(picture)
    assert np.ptp(grey, axis=2).max() < 1e-4
    assert np.abs(cielab.rgb_to_lab(grey)[..., 0] - cielab.rgb_to_lab(picture)[..., 0]).max() < 0.02
    assert np.abs(cielab.with_colours_of(grey, picture) - picture).max() < 1e-3


def test_colourfulness_by_hand():
    # Half red, half blue: rg is 255 and 0, yb 127.5 and -255.
    image = np.zeros((2, 2, 3), np.float32)
    image[0, :, 0] = image[1, :, 2] = 1
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75)
    assert cielab.colourfulness(image) == pytest.approx(expected)
    assert cielab.colourfulness(np.full((4, 4, 3), 0.4)) == pytest.approx(0, abs=1e-9)


def test_statistics_are_those_asked_for():
    # Little contrast and colour, so that nothing is clipped.
    image = 0.45 + 0.1 * np.random.default_rng(1).random((32, 32, 3), np.float32)
    mean, deviation = np.array([55, 3, -6]), np.array([4, 2, 3])
    answer = cielab.statistics(cielab.with_statistics(image, mean, deviation))
    assert answer[0] == pytest.approx(mean, abs=0.01)
    assert answer[1] == pytest.approx(deviation, abs=0.01)


def test_a_flat_picture_moves_to_the_mean():
    flat = np.full((8, 8, 3), 0.5, np.float32)
    answer = cielab.with_statistics(flat, np.array([60, 5, 10]), np.array([20, 10, 10]))
    assert cielab.rgb_to_lab(answer).mean(axis=(0, 1)) == pytest.approx([60, 5, 10], abs=0.05)
