import io

import numpy as np
import pytest
from PIL import Image

from imaging.files.reading import read_photo
from imaging.pixels import as_image, as_rgb, blend, png, to_image, to_pixels


def colours(height=24, width=16, channels=3, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


# Writing


@pytest.mark.parametrize(("dtype", "side"), [(np.uint8, 16), (np.uint16, 256)])
def test_every_level_survives_as_a_float_and_back(dtype, side):
    pixels = np.arange(side**2, dtype=dtype).reshape(side, side, 1)
    image = to_image(pixels)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    np.testing.assert_array_equal(to_pixels(image, dtype), pixels)


def test_pixels_are_rounded_clipped_and_never_undefined():
    image = np.float32([-0.3, 1.7, np.nan, np.inf, -np.inf, 0.5, 1.4 / 255, 1.6 / 255])
    pixels = to_pixels(image.reshape(2, 4, 1))
    # 127.5 lies half-way and goes to the even level.
    np.testing.assert_array_equal(pixels.ravel(), [0, 255, 0, 255, 0, 128, 1, 2])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("see_through", [False, True])
def test_a_written_png_holds_the_pixels(channels, see_through):
    pixels = colours(channels=channels)
    alpha = colours(channels=1, seed=2)[..., 0] if see_through else None
    file = png(pixels, alpha)
    image = Image.open(io.BytesIO(file))
    assert image.format == "PNG"
    assert len(image.getbands()) == channels + see_through
    opened = read_photo(file, "x")
    np.testing.assert_array_equal(opened.pixels, pixels)
    np.testing.assert_array_equal(opened.alpha, alpha)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8)]
)
def test_what_are_no_pixels_is_not_written(pixels):
    with pytest.raises(ValueError, match="pixels must be uint8"):
        png(pixels)


# Blending


@pytest.mark.parametrize("channels", [1, 3])
def test_all_of_the_denoising_is_the_denoised_picture_and_none_the_noisy_one(channels):
    noisy, denoised = colours(60, 50, channels), colours(60, 50, channels, seed=2)
    np.testing.assert_array_equal(blend(noisy, denoised, 1, 1), denoised)
    np.testing.assert_array_equal(blend(noisy, denoised, 0, 0), noisy)
    np.testing.assert_array_equal(noisy, colours(60, 50, channels))


def test_brightness_alone_moves_all_channels_by_the_mean_change():
    noisy, denoised = np.uint8([[[100, 100, 100]]]), np.uint8([[[110, 130, 60]]])
    # The changes are 10, 30 and -40: their mean is 0, all of it is colour.
    np.testing.assert_array_equal(blend(noisy, denoised, 1, 0), noisy)
    np.testing.assert_array_equal(blend(noisy, denoised, 0, 1), denoised)
    denoised = np.uint8([[[110, 130, 70]]])
    # 10, 30, -30: a mean of 3.33.
    np.testing.assert_array_equal(blend(noisy, denoised, 1, 0), [[[103, 103, 103]]])
    np.testing.assert_array_equal(blend(noisy, denoised, 0, 1), [[[107, 127, 67]]])


def test_a_share_lies_between():
    noisy, denoised = np.uint8([[[100, 50, 0]]]), np.uint8([[[200, 60, 0]]])
    np.testing.assert_array_equal(blend(noisy, denoised, 0.5, 0.5), [[[150, 55, 0]]])
    # The changes are 100, 10, 0 with a mean of 36.67; a quarter of it is 9.17, and of what
    # differs from it, 63.33, -26.67 and -36.67, three quarters are 47.5, -20 and -27.5.
    np.testing.assert_array_equal(blend(noisy, denoised, 0.25, 0.75), [[[157, 39, 0]]])


def test_a_blend_stays_within_the_levels():
    noisy, denoised = (
        np.uint8([[[0, 0, 0], [255, 255, 255]]]),
        np.uint8([[[0, 0, 90], [255, 255, 0]]]),
    )
    # Colour alone: -30, -30, 60 and 85, 85, -170.
    np.testing.assert_array_equal(blend(noisy, denoised, 0, 1), [[[0, 0, 60], [255, 255, 85]]])


def test_a_grey_picture_takes_the_share_of_brightness():
    noisy, denoised = np.full((2, 2, 1), 100, np.uint8), np.full((2, 2, 1), 200, np.uint8)
    assert np.all(blend(noisy, denoised, 0.3, 0.9) == 130)


@pytest.mark.parametrize("size", [(700, 800), (1, 300_000), (300_000, 1), (1, 1)])
def test_the_strips_of_a_large_picture_cover_it(size):
    noisy, denoised = colours(*size), colours(*size, seed=2)
    difference = blend(noisy, denoised, 0.5, 0.5).astype(float) - (noisy / 2 + denoised / 2)
    assert np.abs(difference).max() <= 0.5


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"luminance must be from 0 to 1, got"):
        blend(colours(), colours(), share, 1)
    with pytest.raises(ValueError, match=r"colour must be from 0 to 1, got"):
        blend(colours(), colours(), 1, share)


def test_pictures_of_different_shape_are_not_blended():
    with pytest.raises(ValueError, match=r"one shape, got \(24, 16, 3\) and \(24, 16, 1\)"):
        blend(colours(), colours(channels=1), 1, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_picture_becomes_an_image_in_three_channels(dtype):
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    for channels in (1, 3):
        picture = np.full((4, 5, channels), white, dtype)
        picture[0] = 0
        image = as_rgb(picture)
        assert image.dtype == np.float32
        assert image.shape == (4, 5, 3)
        np.testing.assert_array_equal(image[:, 0, 0], [0, 1, 1, 1])


def test_an_image_is_not_changed_by_being_asked_for_one():
    image = np.full((2, 2, 1), 1.5, np.float32)  # Noisy ones may leave [0, 1].
    assert as_image(image) is image
