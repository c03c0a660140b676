import io

import numpy as np
import pytest
from PIL import Image
from skimage.restoration import inpaint_biharmonic

from imaging import metrics
from imaging.impulses import (
    FILLED_LEVEL,
    bridge,
    impulse_levels,
    map_of_levels,
    without_impulses,
    wrong_pixels,
)
from tests.imaging.degraded_photos import clean_photo, corrupt


def ramp(height=200, width=200):
    """A slope from dark to light grey, without black and white."""
    slope = np.add.outer(np.linspace(0.2, 0.5, height), np.linspace(0, 0.3, width))
    return slope[..., np.newaxis].astype(np.float32)


@pytest.mark.parametrize("share", [0.005, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_wrong_pixels_are_found_and_no_others(share, channels):
    clean = np.repeat(ramp(), channels, axis=2)
    noisy = corrupt(clean, "salt-and-pepper", share)
    wrong = np.any((noisy == 0) | (noisy == 1), axis=-1)
    np.testing.assert_array_equal(wrong_pixels(noisy), wrong)


def test_pixels_of_one_kind_alone_are_found_too(rng):
    wrong = rng.random((200, 200)) < 0.4
    noisy = np.where(wrong[..., None], 0, ramp())
    np.testing.assert_array_equal(wrong_pixels(noisy), wrong)


def test_black_and_white_areas_are_not_wrong():
    clean = ramp()
    clean[20:60, 30:90], clean[100:105, 10:15], clean[150:] = 1, 0, 0
    assert not wrong_pixels(clean).any()
    np.testing.assert_array_equal(without_impulses(clean)[0], clean)


def test_a_black_pixel_in_a_white_area_is_wrong():
    noisy = ramp()
    noisy[20:60, 30:90] = 1
    clean = noisy.copy()
    noisy[40, 50] = 0
    assert np.argwhere(wrong_pixels(noisy)).tolist() == [[40, 50]]
    np.testing.assert_allclose(without_impulses(noisy)[0], clean, atol=1e-6)


def test_a_pixel_with_one_colour_at_its_end_is_not_wrong():
    picture = np.repeat(ramp(), 3, axis=2)
    picture[50, 50] = 1, 0.4, 0.4
    assert not wrong_pixels(picture).any()


def test_nothing_bends_where_lost_pixels_lie_on_a_slope(rng):
    slope = ramp(60, 60)
    lost = np.zeros((60, 60), bool)
    lost[6:-6, 6:-6] = rng.random((48, 48)) < 0.3
    bridged = bridge(np.where(lost[..., None], 0, slope), lost)
    # Five steps leave half a step of 8 bits.
    np.testing.assert_allclose(bridged, slope, atol=0.002)


def test_a_bridge_is_what_scikit_image_finds(rng):
    clean = clean_photo()[:48, :48]
    lost = rng.random(clean.shape[:2]) < 0.15
    picture = np.where(lost[..., None], 0, clean)
    expected = inpaint_biharmonic(picture, lost, channel_axis=-1)
    # Theirs treats the border of the picture in another way.
    inside = (slice(4, -4), slice(4, -4))
    assert metrics.rms(expected[inside], bridge(picture, lost)[inside]) < 0.003


def test_a_bridge_spans_a_hole_of_many_pixels():
    slope = ramp(60, 60)
    lost = np.zeros((60, 60), bool)
    lost[20:35, 20:35] = True
    bridged = bridge(np.where(lost[..., None], 1, slope), lost)
    assert np.abs(bridged - slope).max() < 0.1


@pytest.mark.parametrize("lost", [True, False])
def test_with_all_or_nothing_lost_a_picture_stays(lost):
    np.testing.assert_array_equal(bridge(ramp(9, 8), np.full((9, 8), lost)), ramp(9, 8))


def test_one_pixel_that_is_known_fills_all_others():
    lost = np.ones((64, 64), bool)
    lost[30, 20] = False
    bridged = bridge(np.full((64, 64, 1), 0.25, np.float32), lost)
    np.testing.assert_allclose(bridged, 0.25, atol=1e-4)


# Levels


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_the_level_of_lost_pixels_is_the_error_they_make(share, dtype):
    clean = clean_photo()
    noisy = corrupt(clean, "salt-and-pepper", share)
    impulses, rest = impulse_levels(noisy if dtype == np.float32 else np.uint8(noisy * 255 + 0.5))
    assert impulses == pytest.approx(metrics.rms(clean, noisy), rel=0.1)
    assert rest < 0.2 * impulses


def test_the_level_of_other_noise_is_told_apart():
    clean = clean_photo()
    noisy = corrupt(corrupt(clean, "gaussian", 0.08), "salt-and-pepper", 0.05)
    impulses, rest = impulse_levels(noisy)
    assert impulses == pytest.approx(0.12, rel=0.2)
    assert rest == pytest.approx(0.08, rel=0.2)


@pytest.mark.parametrize(("kind", "strength"), [("gaussian", 0.3), ("poisson", 0.5)])
def test_lost_pixels_are_a_small_part_of_other_strong_noise(kind, strength):
    clean = clean_photo()
    noisy = corrupt(clean, kind, strength)
    assert impulse_levels(noisy)[0] < 0.4 * metrics.rms(clean, noisy)


def ordered_dither(grey: np.ndarray) -> np.ndarray:
    """Black and white dots by the matrix of Bayer, 1973."""
    small = np.array([[0, 2], [3, 1]])
    matrix = (4 * np.tile(small, (2, 2)) + np.kron(small, np.ones((2, 2))) + 0.5) / 16
    return grey > np.tile(matrix, (grey.shape[0] // 4, grey.shape[1] // 4))


def halftone(grey: np.ndarray, period: float = 4.2) -> np.ndarray:
    """Soft dots on a screen at 45 degrees, as in a print."""
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]] * np.pi * 2**0.5 / period
    return np.clip((grey - (np.cos(x + y) + np.cos(x - y)) / 4 - 0.5) * 6 + 0.5, 0, 1)


@pytest.mark.parametrize("dots", [ordered_dither, halftone])
def test_dots_that_were_set_are_not_lost_pixels(dots):
    printed = dots(ramp(256, 256)[..., 0] + 0.1)[..., np.newaxis].astype(np.float32)
    assert impulse_levels(printed) == (0, 0)


def diffused(photo: np.ndarray) -> np.ndarray:
    """Each channel by itself in two values, the error handed on to its neighbours."""
    planes = Image.fromarray(photo).split()
    return np.stack([np.asarray(each.convert("1")) * np.uint8(255) for each in planes], axis=2)


def printed(photo: np.ndarray) -> np.ndarray:
    """Three inks, each on a screen of its own."""
    inks = [halftone(photo[..., n] / 255, 3.2 + n / 3) > 0.5 for n in range(3)]
    return np.stack(inks, axis=2) * np.uint8(255)


@pytest.mark.parametrize("dots", [diffused, printed])
def test_dots_of_full_colours_are_not_lost_pixels(dots):
    photo = np.uint8(clean_photo() * 255)
    assert impulse_levels(dots(photo)) == (0, 0)


def test_among_full_colours_lost_pixels_are_found(rng):
    flag = np.zeros((96, 96, 3), np.uint8)
    flag[:, :32, 0], flag[:, 32:64, :2], flag[:, 64:, 2] = 255, 255, 255
    noisy = corrupt(flag / np.float32(255), "salt-and-pepper", 0.2)
    assert impulse_levels(noisy)[0] == pytest.approx(
        metrics.rms(flag / np.float32(255), noisy), rel=0.1
    )


@pytest.mark.parametrize("quality", [50, 85])
def test_thin_lines_in_a_jpeg_are_not_lost_pixels(quality, rng):
    """Of staves with notes, some pixels of a line are black and some of the paper white."""
    page = np.full((192, 192), 255, np.uint8)
    for top in range(20, 170, 45):
        page[top : top + 25 : 5] = 0
        for left in range(12, 180, 23):
            head = top + rng.integers(0, 20)
            page[head - 2 : head + 3, left - 3 : left + 4] = page[head - 16 : head, left + 3] = 0
    file = io.BytesIO()
    Image.fromarray(page).save(file, "JPEG", quality=quality)
    saved = np.asarray(Image.open(file))[..., np.newaxis]
    assert wrong_pixels(saved / np.float32(255)).mean() > 0.01
    assert impulse_levels(saved) == (0, 0)


def test_stars_are_not_lost_pixels(rng):
    sky = np.full((150, 150, 3), 0.1, np.float32)
    drawn = rng.random((150, 150))
    sky[drawn < 0.01] = 1
    assert impulse_levels(sky) == (0, 0)
    sky[drawn > 0.998] = 0  # Nor with a dead pixel for every five stars.
    assert impulse_levels(sky) == (0, 0)


@pytest.mark.parametrize("sigma", [10, 20, 50])
@pytest.mark.parametrize("module", [2, 4])
def test_noisy_ink_and_paper_are_not_lost_pixels(sigma, module, rng):
    code = np.kron(rng.integers(0, 2, (160 // module,) * 2), np.ones((module, module)))
    noisy = code[..., np.newaxis] + sigma / 255 * rng.standard_normal((160, 160, 1))
    assert impulse_levels(np.clip(noisy, 0, 1).astype(np.float32)) == (0, 0)


def test_lost_pixels_are_found_in_a_dark_photo_where_black_ones_are_like_the_others(rng):
    dark = (0.05 + 0.1 * ramp() + 0.05 * rng.random((200, 200, 1))).astype(np.float32)
    noisy = corrupt(dark, "salt-and-pepper", 0.05)
    assert impulse_levels(noisy)[0] > 0.5 * metrics.rms(dark, noisy)


def test_on_a_white_page_few_white_pixels_can_be_out_of_place():
    page = np.ones((200, 200, 3), np.float32)
    page[80:120, 20:180] = 0.3
    impulses, _ = impulse_levels(corrupt(page, "salt-and-pepper", 0.05))
    assert impulses > 0.1


def test_of_a_large_picture_windows_are_enough():
    clean = np.tile(clean_photo(), (10, 10, 1))
    noisy = corrupt(clean, "salt-and-pepper", 0.1)
    assert impulse_levels(noisy)[0] == pytest.approx(metrics.rms(clean, noisy), rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (3, 2, 3), (2, 5000, 1)])
def test_levels_of_any_picture_are_numbers(shape, rng):
    noisy = np.rint(rng.random(shape, np.float32))
    assert np.isfinite(impulse_levels(noisy)).all()


def test_the_map_of_levels_says_where_least_is_known():
    lost = np.array([[False, True]])
    np.testing.assert_allclose(map_of_levels(lost, 0.0)[..., 0], [[0, FILLED_LEVEL]])
    np.testing.assert_allclose(
        map_of_levels(lost, 0.1)[..., 0], [[0.1, np.hypot(0.1, FILLED_LEVEL)]]
    )
    assert map_of_levels(lost, 0.1).dtype == np.float32
