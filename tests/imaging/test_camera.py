"""What a camera makes of a picture and of noise, against formulas."""

import numpy as np
import pytest

from imaging.camera import (
    FULL_WELL,
    READ_NOISE,
    Camera,
    SavedAs,
    degrade,
    demosaic,
    draw_camera,
    film_grain,
    low_light,
    mosaic,
    resized,
    saved,
    sensor,
    to_display,
    to_linear,
)

GREY = np.full((128, 128, 3), 0.5, np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_bayer_sensor_sees_one_colour_in_each_pixel():
    picture = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
    seen = mosaic(picture)
    assert seen[0, 0] == picture[0, 0, 0]
    assert seen[0, 1] == picture[0, 1, 1]
    assert seen[1, 0] == picture[1, 0, 1]
    assert seen[1, 1] == picture[1, 1, 2]


@pytest.mark.parametrize("method", ["bilinear", "malvar"])
def test_demosaicking_gives_back_an_even_colour_and_what_the_sensor_saw(method, rng):
    even = np.broadcast_to(np.float32([0.2, 0.5, 0.7]), (16, 16, 3))
    np.testing.assert_allclose(demosaic(mosaic(even), method), even, atol=1e-6)
    picture = rng.random((16, 16, 3), np.float32)
    np.testing.assert_allclose(
        mosaic(demosaic(mosaic(picture), method)), mosaic(picture), atol=1e-6
    )


@pytest.mark.parametrize("method", ["bilinear", "malvar"])
def test_demosaicking_gives_back_a_slope_of_grey(method):
    slope = np.repeat(np.linspace(0, 1, 32, dtype=np.float32)[None, :, None], 32, 0).repeat(3, 2)
    found = demosaic(mosaic(slope), method)[4:-4, 4:-4]
    np.testing.assert_allclose(found, slope[4:-4, 4:-4], atol=1e-6)


def test_an_unknown_way_of_demosaicking_is_refused():
    with pytest.raises(ValueError, match="bilinear or malvar, got 'best'"):
        demosaic(GREY[..., 0], "best")


def test_bilinear_demosaicking_leaves_the_variance_that_its_weights_say(rng):
    noise = demosaic(rng.standard_normal((512, 512)).astype(np.float32), "bilinear")
    # Sums of squared weights at the four sites: 1, 1/2, 1/2, 1/4 of red and blue; 1, 1/4 of green.
    variances = noise.var(axis=(0, 1))
    np.testing.assert_allclose(variances, [9 / 16, 5 / 8, 9 / 16], rtol=0.03)


def test_light_and_display_values_are_inverse_and_meet_the_standard():
    values = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(to_display(to_linear(values)), values, atol=1e-5)
    # IEC 61966-2-1: mid-grey 0.5 is 21.4 % of the light.
    assert to_linear(np.float32(0.5)) == pytest.approx(0.2140, abs=1e-4)


def test_the_noise_of_a_sensor_has_the_variance_of_the_formula(rng):
    camera = Camera(shot=0.002, read=0.01)
    light = to_linear(np.float32(0.5))
    noisy = sensor(np.full((256, 256, 3), 0.5, np.float32), camera, rng)
    # Delta method: the derivative of the display curve at this light times the noise there.
    slope = (to_display(light + 1e-3) - to_display(light - 1e-3)) / 2e-3
    expected = slope * np.sqrt(0.002 * light + 0.01**2)
    assert np.std(noisy - 0.5) == pytest.approx(expected, rel=0.03)


def test_white_balance_makes_red_and_blue_noisier(rng):
    noisy = sensor(GREY, Camera(read=0.005, balance=(2.0, 1.5)), rng)
    red, green, blue = (noisy - GREY).std(axis=(0, 1))
    # Standard error of a ratio of deviations of 16,384 values: 0.8 %; allow four.
    assert red / green == pytest.approx(2.0, rel=0.035)
    assert blue / green == pytest.approx(1.5, rel=0.035)


def test_noise_in_display_values_is_added_as_it_is(rng):
    noisy = sensor(GREY, Camera(read=0.1, linear=False), rng)
    again = np.random.default_rng(0).standard_normal(GREY.shape, np.float32)
    np.testing.assert_allclose(noisy, GREY + np.float32(0.1) * again, atol=1e-6)


def test_a_camera_that_does_nothing_gives_the_picture_back(rng):
    picture = rng.random((20, 30, 3), np.float32)
    truth, noisy = degrade(picture, Camera(), rng)
    np.testing.assert_array_equal(truth, picture)
    np.testing.assert_allclose(noisy, picture, atol=1e-5)


def test_the_truth_goes_through_all_but_noise_and_files(rng):
    picture = rng.random((32, 32, 3), np.float32)
    camera = Camera(read=0.1, linear=False, scale=2.0, files=(SavedAs("JPEG", 80),))
    truth, noisy = degrade(picture, camera, rng)
    assert truth.shape == noisy.shape == (64, 64, 3)
    np.testing.assert_allclose(truth, np.clip(resized(picture, 2.0), 0, 1))
    assert np.abs(noisy - truth).mean() > 0.02


def test_noise_that_was_enlarged_is_alike_in_neighbouring_pixels(rng):
    flat = np.full((64, 64, 3), 0.5, np.float32)
    truth, noisy = degrade(flat, Camera(read=0.05, linear=False, scale=2.0), rng)
    noise = noisy - truth
    beside = np.mean(noise[:, 1:] * noise[:, :-1]) / np.mean(noise**2)
    assert beside > 0.5


def test_a_denoiser_that_keeps_nothing_leaves_smooth_noise_and_the_edges(rng):
    picture = np.zeros((64, 64, 3), np.float32) + 0.2
    picture[:, 32:] = 0.8
    truth, noisy = degrade(picture, Camera(read=0.03, linear=False, smoothed=1.5), rng)
    np.testing.assert_array_equal(truth, picture)
    # A Gaussian blur of width s leaves 1 / (4 pi s^2) of the variance of white noise.
    assert np.std(noisy - truth) == pytest.approx(0.03 / (2 * np.sqrt(np.pi) * 1.5), rel=0.15)


@pytest.mark.parametrize("file", [SavedAs("JPEG", 95), SavedAs("WEBP", 95)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_of_high_quality_gives_a_smooth_picture_back(file, channels):
    slope = np.linspace(0.1, 0.9, 64, dtype=np.float32)
    picture = np.broadcast_to(slope[:, None, None], (64, 64, channels))
    back = saved(picture, file)
    assert back.shape == picture.shape
    assert np.abs(back - picture).max() < 0.03


def test_chroma_subsampling_takes_detail_of_colour_alone(rng):
    colour = rng.random((64, 64, 3), np.float32)
    full, half = (
        np.abs(saved(colour, SavedAs("JPEG", 95, way)) - colour).mean()
        for way in ("4:4:4", "4:2:0")
    )
    assert half > 2 * full


def test_a_lossless_format_is_refused():
    with pytest.raises(ValueError, match="JPEG or a WEBP, got 'PNG'"):
        saved(GREY, SavedAs("PNG", 90))


def test_dim_light_follows_iso_and_keeps_its_pattern():
    weak, strong = (low_light(GREY, iso, np.random.default_rng(3)) - GREY for iso in (32, 128))
    assert np.std(strong) > 1.5 * np.std(weak)
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.8


def test_dim_light_is_about_as_strong_as_its_electrons_say():
    """Before demosaicking and smoothing green has this noise; both take from it, but not most."""
    iso, light = 64, float(to_linear(np.float32(0.5)))
    shot = iso / FULL_WELL
    slope = 1 / 2.4 * 1.055 * light ** (1 / 2.4 - 1)
    at_the_sensor = slope * np.sqrt(shot * light + (READ_NOISE * shot) ** 2)
    found = np.std((low_light(GREY, iso, np.random.default_rng(0)) - GREY)[..., 1])
    assert 0.4 * at_the_sensor < found < 1.6 * at_the_sensor


def test_dim_light_refuses_what_makes_no_sense(rng):
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        low_light(GREY, -1, rng)
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        low_light(GREY[..., :2], 1, rng)


@pytest.mark.parametrize("size", [0.0, 0.8, 1.2])
@pytest.mark.parametrize("alike", [0.0, 0.4, 1.0])
def test_grain_is_as_strong_and_as_much_alike_in_all_colours_as_told(size, alike, rng):
    camera = Camera(grain=0.1, grain_size=size, grain_alike=alike)
    grain = film_grain(np.full((256, 256, 3), 0.5, np.float32), camera, rng)
    assert grain.std() == pytest.approx(0.1, rel=0.03)
    red, green, _ = np.moveaxis(grain, 2, 0)
    assert np.corrcoef(red.ravel(), green.ravel())[0, 1] == pytest.approx(alike, abs=0.02)
    beside = np.corrcoef(red[:, 1:].ravel(), red[:, :-1].ravel())[0, 1]
    # The correlation of a Gaussian blur of this width, which twice its variance tells.
    assert beside == pytest.approx(np.exp(-1 / (4 * size**2)) if size else 0, abs=0.03)


def test_black_and_white_have_a_tenth_of_the_variance_of_grain(rng):
    steps = np.repeat(np.float32([0, 0.5, 1]), 20_000).reshape(3, -1, 1)
    dark, grey, bright = film_grain(steps, Camera(grain=0.1), rng).var(axis=1).ravel()
    assert dark / grey == pytest.approx(0.1, rel=0.1)
    assert bright / grey == pytest.approx(0.1, rel=0.1)


def test_a_scan_gives_a_grey_film_a_tint_and_its_truth_too(rng):
    camera = Camera(grain=0.05, tint=(1.0, 0.9, 0.6))
    truth, noisy = degrade(GREY[..., :1], camera, rng)
    np.testing.assert_allclose(truth[0, 0], [0.5, 0.45, 0.3], rtol=1e-6)
    np.testing.assert_allclose(noisy[..., 2], noisy[..., 0] * 0.6, rtol=1e-5)


def test_drawn_cameras_differ_and_all_work(rng):
    picture = np.random.default_rng(1).random((48, 48, 3), np.float32)
    cameras = [draw_camera(rng) for _ in range(60)]
    assert len(set(cameras)) == 60
    for camera in cameras:
        for clean in (picture, picture[..., :1]):
            truth, noisy = degrade(clean, camera, rng)
            assert truth.shape == noisy.shape
            assert truth.shape[2] == (3 if camera.tint != Camera.tint else clean.shape[2])
            assert np.isfinite(noisy).all()
            assert noisy.min() >= 0
            assert noisy.max() <= 1


def test_some_drawn_cameras_only_save_the_picture(rng):
    cameras = [draw_camera(rng) for _ in range(200)]
    without_noise = [each for each in cameras if not each.shot and not each.read and not each.grain]
    # A fifth, give or take four standard deviations.
    assert 40 - 23 < len(without_noise) < 40 + 23
