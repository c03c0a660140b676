import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage import data

from imaging import noise, residual
from imaging.residual import check_residual, residual_picture


def seeded(seed=1):
    return np.random.default_rng(seed)


def to_pixels(image):
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def blurred(image, width):
    return ndimage.gaussian_filter(image, width, axes=(0, 1), mode="nearest")


def under_noise(clean, sigma=25 / 255, width=0.0, seed=1):
    """The picture under Gaussian noise; with a width, under noise that was blurred by it."""
    pattern = seeded(seed).standard_normal(clean.shape)
    if width:
        pattern = blurred(pattern, width)
    return clean + sigma * (pattern / pattern.std()).astype(np.float32)


@pytest.fixture(scope="module")
def photo():
    """A photo with edges, texture and even places, that comes with scikit-image: (300, 451, 3)."""
    clean = data.chelsea() / np.float32(255)
    clean.flags.writeable = False
    return clean


# Verdicts


@pytest.mark.parametrize("sigma", [5, 15, 50])
def test_true_noise_is_white(photo, sigma):
    noisy = to_pixels(under_noise(photo, sigma / 255))
    check = check_residual(noisy, to_pixels(photo))
    assert check.verdict == residual.WHITE
    assert check.structure == 0
    # Four standard errors, and what the local mean of 121 pixels takes out: each of it shares
    # nearly all pixels with its neighbour's.
    assert abs(check.correlation) < 4 / photo[..., 0].size ** 0.5 + 1 / 121
    added = (noisy.astype(int) - to_pixels(photo)) / 255
    assert check.rms == pytest.approx(np.sqrt(np.mean(added**2)), rel=1e-5)


def test_a_part_of_true_noise_is_white(photo):
    pattern = under_noise(photo) - photo
    assert check_residual(photo + pattern, photo + pattern / 3).verdict == residual.WHITE


@pytest.mark.parametrize("grain", [0.05, 0.2])
def test_noise_that_depends_on_brightness_is_white(photo, grain):
    noisy = noise.poisson(photo, grain, seeded())
    check = check_residual(to_pixels(noisy), to_pixels(photo))
    assert check.verdict == residual.WHITE
    assert check.structure < 0.1


@pytest.mark.parametrize("width", [0.6, 1.0, 1.5])
def test_noise_that_spreads_over_its_neighbours_is_told_from_structure(photo, width):
    check = check_residual(to_pixels(under_noise(photo, width=width)), to_pixels(photo))
    assert check.verdict == residual.CORRELATED
    assert check.structure < 0.1
    # White noise under a filter has the correlation of the filter with itself.
    bell = ndimage.gaussian_filter1d(np.eye(31)[15], width)
    correlation = bell[1:] @ bell[:-1] / (bell @ bell)
    # The local mean takes the sum of all correlations, 1 / (bell @ bell) each way, out of 121
    # pixels' energy, and as much of what neighbours have in common.
    shift = (bell @ bell) ** -2 / 121
    assert check.correlation < correlation + 0.02
    assert check.correlation > (correlation - shift) / (1 - shift) - 0.02


@pytest.mark.parametrize("quality", [30, 70])
def test_what_jpeg_added_is_no_structure_that_was_removed(photo, quality):
    noisy = noise.jpeg(photo, 100 - quality, seeded())
    check = check_residual(to_pixels(noisy), to_pixels(photo))
    assert check.verdict in (residual.WHITE, residual.CORRELATED)
    assert check.structure < 0.3


@pytest.mark.parametrize("sigma", [0, 15, 50])
@pytest.mark.parametrize("width", [1, 1.5, 2.5])
def test_a_blur_removes_structure_and_its_width_is_read_whatever_the_noise(photo, width, sigma):
    noisy = to_pixels(under_noise(photo, sigma / 255))
    denoised = to_pixels(blurred(noisy / np.float32(255), width))
    check = check_residual(noisy, denoised)
    assert check.verdict == residual.STRUCTURED
    # As wide as it was, less where the photo itself is a little soft.
    assert 0.75 * width < check.structure < 1.1 * width


@pytest.mark.parametrize("sigma", [15, 50])
def test_a_picture_that_is_softened_without_a_trace_of_noise_left_is_found_out(photo, sigma):
    noisy = to_pixels(under_noise(photo, sigma / 255))
    assert check_residual(noisy, to_pixels(blurred(photo, 1.5))).verdict == residual.STRUCTURED


@pytest.mark.parametrize("darker", [0.4, 0.2, 0.1])
def test_clipped_noise_of_a_dark_or_light_picture_is_no_structure(photo, darker):
    for clean in (darker * photo, 1 - darker * photo):
        for sigma in (15, 50, 80):
            noisy = to_pixels(under_noise(clean, sigma / 255))
            check = check_residual(noisy, to_pixels(clean))
            assert check.verdict == residual.WHITE
            assert check.structure == 0


def test_structure_is_found_in_a_dark_picture_whose_noise_is_clipped(photo):
    dark = np.float32(0.6) * photo
    noisy = to_pixels(under_noise(dark, 50 / 255))
    assert check_residual(noisy, to_pixels(blurred(dark, 1.5))).verdict == residual.STRUCTURED
    assert check_residual(noisy, to_pixels(dark)).verdict == residual.WHITE


def test_a_blur_of_correlated_noise_removes_structure(photo):
    noisy = under_noise(photo, width=0.8)
    assert check_residual(noisy, blurred(noisy, 1.5)).verdict == residual.STRUCTURED


def test_a_sharpened_picture_has_lost_no_structure(photo):
    noisy = under_noise(photo)
    sharpened = photo + (photo - blurred(photo, 1))
    assert check_residual(noisy, sharpened).structure == 0


def test_a_picture_without_edges_has_no_structure_to_lose():
    flat = np.full((256, 256, 3), 0.5, np.float32)
    for seed in range(5):
        noisy = under_noise(flat, seed=seed)
        for width in (0.7, 1.5):
            assert check_residual(noisy, blurred(noisy, width)).structure == 0
        assert check_residual(noisy, flat).verdict == residual.WHITE


def test_rounding_removes_nothing(photo):
    check = check_residual(photo, to_pixels(photo) / np.float32(255))
    assert check.verdict == residual.NOTHING
    assert check_residual(to_pixels(photo), to_pixels(photo)).verdict == residual.NOTHING
    # The standard deviation of what is rounded to whole levels: 1 / sqrt(12) of one.
    grey = seeded().random((500, 500, 1), np.float32)
    rounded = check_residual(grey, to_pixels(grey) / np.float32(255))
    assert rounded.rms == pytest.approx(12**-0.5 / 255, rel=0.01)
    assert rounded.verdict == residual.NOTHING


def test_a_change_of_brightness_is_no_noise(photo):
    noisy = under_noise(photo, 5 / 255)
    check = check_residual(noisy, photo + np.float32(20 / 255))
    assert check.verdict == residual.SHIFTED
    # 20 ** 2 of the energy is shift and 5 ** 2 noise, of which the local mean has 1 in 121.
    assert check.shift == pytest.approx((400 + 25 / 121) / 425, abs=0.01)
    part = np.s_[:64, :64]  # Of so few pixels too, whose shift chance moves by 0.06 at most.
    assert check_residual(noisy[part], photo[part] + 20 / 255).verdict == residual.SHIFTED
    assert check_residual(photo, photo + np.float32(0.1)).verdict == residual.SHIFTED
    tinted = photo * np.float32([1, 1, 0.8])
    assert check_residual(under_noise(photo, 2 / 255), tinted).verdict == residual.SHIFTED


def test_real_camera_noise_is_correlated_and_no_structure(data_dir):
    pairs = sorted((data_dir / "polyu").glob("*_real.JPG"))[::10]
    if not pairs:
        pytest.skip(f"needs real camera noise: there is no {data_dir / 'polyu'}")
    for path in pairs:
        noisy = np.asarray(Image.open(path))
        mean = np.asarray(Image.open(path.with_name(path.name.replace("_real", "_mean"))))
        assert check_residual(noisy, mean).verdict == residual.CORRELATED, path.name
        softened = to_pixels(blurred(noisy / np.float32(255), 1.5))
        # Blinds and tiles repeat themselves.
        structure = (residual.STRUCTURED, residual.PATTERNED)
        assert check_residual(noisy, softened).verdict in structure, path.name


# What it does not depend on


def test_eight_bits_and_floats_tell_the_same(photo):
    noisy, denoised = to_pixels(under_noise(photo)), to_pixels(blurred(photo, 0.8))
    whole = check_residual(noisy, denoised)
    fractions = check_residual(noisy / np.float32(255), denoised / np.float32(255))
    assert whole.verdict == fractions.verdict
    for one, other in zip(
        dataclasses.astuple(whole)[:-1], dataclasses.astuple(fractions)[:-1], strict=True
    ):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_a_turned_picture_tells_the_same(photo):
    noisy, denoised = under_noise(photo, width=0.7), blurred(photo, 1.2)
    upright = check_residual(noisy, denoised)
    for turn in (np.flipud, np.fliplr, lambda image: np.swapaxes(image, 0, 1)):
        turned = check_residual(turn(noisy), turn(denoised))
        assert turned.verdict == upright.verdict
        assert turned.correlation == pytest.approx(upright.correlation, rel=1e-4)
        # Tiles fall elsewhere, but the slope is that of all of them.
        assert turned.structure == pytest.approx(upright.structure, rel=1e-3)


@pytest.mark.parametrize(
    ("shift", "name"),
    [((0, 1), "right"), ((1, 0), "down"), ((1, 1), "down right"), ((1, -1), "down left")],
)
def test_correlation_is_found_in_each_direction(shift, name):
    flat = np.full((256, 256, 1), 0.5, np.float32)
    pattern = 0.05 * seeded().standard_normal(flat.shape).astype(np.float32)
    # Each pixel shares half of its noise with one neighbour.
    both = pattern + np.roll(pattern, shift, axis=(0, 1))
    correlation = check_residual(flat + both, flat).correlation
    # A correlation of 1/2 over 65,536 pixels; the local mean takes 2 of 121 parts of all.
    assert correlation == pytest.approx((0.5 - 2 / 121) / (1 - 2 / 121), abs=4 / 256), name
    opposite = pattern - np.roll(pattern, shift, axis=(0, 1))
    assert check_residual(flat + opposite, flat).correlation == pytest.approx(-0.5, abs=4 / 256)


def test_a_grey_picture_is_judged_as_its_copy_in_three_channels(photo):
    grey = photo[..., :1]
    noisy, denoised = under_noise(grey), blurred(grey, 0.9)
    one = check_residual(noisy, denoised)
    three = check_residual(np.repeat(noisy, 3, axis=2), np.repeat(denoised, 3, axis=2))
    assert one.verdict == three.verdict
    assert one.structure == pytest.approx(three.structure, rel=1e-3)
    assert one.correlation == pytest.approx(three.correlation, rel=1e-3)


@pytest.mark.parametrize(
    ("height", "width", "verdict"),
    # Edges are looked for in squares of 8 pixels, of which 12 have to have one.
    [(3, 5, residual.UNKNOWN), (24, 24, residual.UNKNOWN), (24, 25, residual.WHITE)],
)
def test_of_a_tiny_picture_it_is_not_said_that_no_edges_were_removed(photo, height, width, verdict):
    clean = photo[:height, :width]
    assert check_residual(under_noise(clean), clean).verdict == verdict


def test_an_edge_is_looked_for_in_each_crop_alone(rng):
    crops = rng.random((2, 9, 7), np.float32)
    expected = [np.hypot(*(ndimage.sobel(crop, axis) for axis in (0, 1))) for crop in crops]
    np.testing.assert_allclose(residual._steepness(crops), expected, rtol=1e-4, atol=1e-6)


def test_of_a_large_picture_crops_are_looked_at(photo, monkeypatch):
    monkeypatch.setattr(residual, "_CROP", 150)
    tiled = np.tile(photo, (2, 1, 1))
    noisy = to_pixels(under_noise(tiled, width=0.8))
    looked_at = []
    brightness = residual._brightness

    def spy(pictures):
        looked_at.append(pictures.shape)
        return brightness(pictures)

    monkeypatch.setattr(residual, "_brightness", spy)
    check = check_residual(noisy, to_pixels(tiled))
    part = check_residual(noisy[:450, :450], to_pixels(tiled[:450, :450]))
    assert looked_at == [(9, 150, 150, 3)] * 2 + [(1, 450, 450, 3)] * 2
    # Crops keep what neighbours have in common, which resizing would not.
    assert check.correlation == pytest.approx(part.correlation, abs=0.02)
    assert check.verdict == part.verdict == residual.CORRELATED
    softened = to_pixels(blurred(noisy / np.float32(255), 1.5))
    assert check_residual(noisy, softened).verdict == residual.STRUCTURED


@pytest.mark.parametrize("place", [(0, 0), (0, -1), (-1, 0), (-1, -1), (200, 200)])
def test_the_corners_and_the_middle_of_a_large_picture_are_looked_at(monkeypatch, place):
    monkeypatch.setattr(residual, "_CROP", 50)
    flat = np.full((400, 400, 1), 0.5, np.float32)
    degraded = flat.copy()
    degraded[place] = 1
    assert check_residual(degraded, flat).rms > 0


@pytest.mark.parametrize("side", [16, 28, 64])
def test_chance_does_not_decide_on_small_pictures(photo, side):
    # 60 small pictures at 4 standard errors: less than 1 in 100 runs has a single false alarm.
    for seed in range(60):
        top, left = seeded(seed).integers(0, np.array(photo.shape[:2]) - side)
        clean = photo[top : top + side, left : left + side]
        assert check_residual(under_noise(clean, seed=seed), clean).verdict in (
            residual.WHITE,
            residual.UNKNOWN,
        )


# Any picture


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    whole=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_two_pictures_get_a_verdict(height, width, channels, whole, seed):
    pictures = seeded(seed).random((2, height, width, channels), np.float32)
    noisy, denoised = to_pixels(pictures) if whole else pictures
    before = noisy.copy(), denoised.copy()
    check = check_residual(noisy, denoised)
    assert check.verdict in residual.EXPLAIN
    assert -1.5 <= check.correlation <= 1.5
    assert 0 <= check.shift <= 1
    assert 0 <= check.structure < np.inf
    assert 0 <= check.rms <= 1
    np.testing.assert_array_equal(noisy, before[0])
    np.testing.assert_array_equal(denoised, before[1])


@pytest.mark.parametrize("size", [(10_000, 1), (1, 10_000), (2_100_000, 1), (2, 1_100_000)])
def test_a_long_and_narrow_picture_gets_a_verdict(size):
    noisy = seeded().integers(0, 256, (*size, 1), dtype=np.uint8)
    assert check_residual(noisy, np.full_like(noisy, 128)).verdict == residual.WHITE


@pytest.mark.parametrize("level", [0, 255])
def test_a_black_and_a_white_picture_get_a_verdict(level):
    flat = np.full((64, 64, 3), level, np.uint8)
    noisy = to_pixels(under_noise(flat / np.float32(255)))
    check = check_residual(noisy, flat)
    assert check.structure == 0
    # Half of the noise is clipped: a half-normal number has 2/pi of its mean square in its mean,
    # and as half of them are nought, half of that.
    assert check.shift == pytest.approx(1 / np.pi, abs=0.03)


@pytest.mark.parametrize(
    ("noisy", "denoised"),
    [((4, 4, 3), (4, 4, 1)), ((4, 4, 2), (4, 4, 2)), ((4, 4), (4, 4)), ((0, 4, 3), (0, 4, 3))],
)
def test_what_are_not_two_pictures_alike_is_refused(noisy, denoised):
    with pytest.raises(ValueError, match=r"the pictures must have .*, got"):
        check_residual(np.zeros(noisy), np.zeros(denoised))
    with pytest.raises(ValueError, match=r"the pictures must have .*, got"):
        residual_picture(np.zeros(noisy), np.zeros(denoised), 1)


@pytest.mark.parametrize("verdict", residual.EXPLAIN)
def test_what_a_visitor_reads_about_a_verdict_are_sentences(verdict):
    assert residual.EXPLAIN[verdict].endswith(".")
    assert residual.EXPLAIN[verdict][0].isupper()


# The picture of it


def test_mid_grey_is_where_nothing_was_removed(photo):
    picture = residual_picture(photo, photo, 8)
    assert picture.dtype == np.uint8
    assert picture.shape == photo.shape
    assert np.all(picture == 128)


def test_what_was_removed_is_shown_with_its_sign_and_gain():
    noisy = np.uint8([[[51]], [[0]], [[255]]])
    denoised = np.uint8([[[0]], [[51]], [[0]]])
    # 51 / 255 = 0.2, twice as strong; a whole range is clipped.
    picture = residual_picture(noisy, denoised, 2)
    np.testing.assert_allclose(picture.ravel() / 255, [0.9, 0.1, 1], atol=0.5 / 255 + 1e-6)
    assert np.array_equal(noisy.ravel(), [51, 0, 255])
    fractions = residual_picture(noisy / np.float32(255), denoised / np.float32(255), 2)
    np.testing.assert_allclose(fractions.astype(int), picture, atol=1)


def test_the_picture_of_a_large_one_is_made_in_little_memory():
    noisy = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    tracemalloc.start()
    try:
        residual_picture(noisy, noisy // 2, 8)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The picture and its half, and a few strips of 1.2 MB.
    assert most < 2 * noisy.nbytes + 12e6


@pytest.mark.parametrize("gain", [0, -1, float("nan"), float("inf")])
def test_a_gain_that_shows_nothing_is_refused(photo, gain):
    with pytest.raises(ValueError, match="gain must be positive, got"):
        residual_picture(photo, photo, gain)


# Regular patterns


def cloth(height, width, period, contrast=0.1):
    rows, columns = np.indices((height, width)) * (2 * np.pi / period)
    return (contrast * np.cos(rows) * np.cos(columns))[..., np.newaxis].astype(np.float32)


@pytest.mark.parametrize("period", [3, 4.3, 6.5, 12])
def test_cloth_that_was_smoothed_away_is_a_pattern(photo, period):
    worn = photo + cloth(*photo.shape[:2], period)
    check = check_residual(to_pixels(under_noise(worn, 5 / 255)), to_pixels(photo))
    assert check.verdict == residual.PATTERNED
    assert check.repetition > 0.6


@pytest.mark.parametrize("width", [0, 0.7, 1.5, 2.5, 4])
@pytest.mark.parametrize("size", [(64, 64), (300, 451)])
def test_grain_of_any_width_does_not_repeat_itself(photo, width, size):
    clean = photo[: size[0], : size[1]]
    check = check_residual(to_pixels(under_noise(clean, width=width)), to_pixels(clean))
    assert check.repetition < 0.8 * residual.LARGEST_REPETITION


@pytest.mark.parametrize("quality", [10, 40])
def test_what_a_jpeg_adds_does_not_repeat_itself(photo, quality):
    stored = noise.PHOTO_NOISE_KINDS["jpeg"].corrupt(photo, quality, seeded())
    check = check_residual(to_pixels(stored), to_pixels(photo))
    assert check.repetition < 0.8 * residual.LARGEST_REPETITION


def test_of_less_than_a_window_no_pattern_is_known(photo):
    piece = photo[:63, :200]
    assert check_residual(piece + cloth(63, 200, 4), piece).repetition == 0
