import json

import numpy as np
import pytest
from skimage import data
from skimage.restoration import denoise_tv_chambolle

from imaging import filters as classical
from imaging import metrics
from imaging.filters import CLASSICAL, _few_jumps, with_digit_curve
from imaging.noise import NOISE_KINDS

FILTERS = list(CLASSICAL.values())

every_filter = pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: filter.name)


def corrupt(clean, kind, strength, seed=3):
    noisy = NOISE_KINDS[kind].corrupt(clean, strength, np.random.default_rng(seed))
    return np.clip(noisy, 0, 1)


def mean_psnr(clean, others):
    return np.mean([metrics.psnr(a, b) for a, b in zip(clean, others, strict=True)])


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[60:220, 120:320].astype(np.float32) / 255


@every_filter
def test_without_a_noise_level_it_is_estimated(filter, photo):
    noisy = corrupt(photo, "gaussian", 0.1)
    told = filter.denoise(noisy, classical.estimate_sigma(noisy))
    np.testing.assert_array_equal(filter.denoise(noisy), told)


@every_filter
@pytest.mark.parametrize("sigma", [0.02, 0.06, 0.119, 0.125, 0.13, 0.25, 0.37, 0.5])
def test_a_little_more_noise_changes_the_result_a_little(filter, photo, sigma):
    noisy = corrupt(photo[:56, :56], "gaussian", 0.2)
    low, high = filter.denoise(noisy, sigma * 0.999), filter.denoise(noisy, sigma * 1.001)
    # No outcome runs through its whole range over less than a fifth of the noise level.
    assert np.abs(low - high).max() < 0.002 * 5


@every_filter
@pytest.mark.parametrize("strength", [15 / 255, 25 / 255, 50 / 255])
def test_a_noisy_photo_gets_better(filter, photo, strength):
    noisy = corrupt(photo, "gaussian", strength)
    gain = metrics.psnr(photo, filter.denoise(noisy, metrics.rms(photo, noisy)))
    assert gain > metrics.psnr(photo, noisy) + 1.5


@every_filter
def test_a_photo_with_an_unknown_noise_level_gets_better(filter, photo):
    noisy = corrupt(photo, "gaussian", 25 / 255)
    assert metrics.psnr(photo, filter.denoise(noisy)) > metrics.psnr(photo, noisy) + 1.5


@every_filter
def test_a_filter_treats_the_three_colours_alike(filter, photo):
    noisy = corrupt(photo, "gaussian", 0.1)
    turned = filter.denoise(noisy[..., ::-1], 0.1)[..., ::-1]
    np.testing.assert_allclose(turned, filter.denoise(noisy, 0.1), atol=2e-3)


@every_filter
@pytest.mark.parametrize("strength", [0.2, 0.5])
def test_noisy_digits_get_better(filter, mnist_test, strength):
    clean = mnist_test[0][::400]
    noisy = corrupt(clean, "gaussian", strength)
    denoised = [filter.denoise(b, metrics.rms(a, b)) for a, b in zip(clean, noisy, strict=True)]
    assert mean_psnr(clean, denoised) > mean_psnr(clean, noisy) + 1


# What SYSTEMS.md measured for other settings of the same filters, at noise factor 0.5, clipped.
PUBLISHED = {
    "median": 14.20,
    "gaussian": 12.41,
    "non-local-means": 13.12,
    "total-variation": 12.43,
    "wavelet": 12.03,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_filter_does_as_well_as_published_at_half_noise(name, mnist_test):
    filter = CLASSICAL[name]
    clean = mnist_test[0][::20]
    noisy = corrupt(clean, "gaussian", 0.5)
    denoised = [filter.denoise(b, metrics.rms(a, b)) for a, b in zip(clean, noisy, strict=True)]
    gain = mean_psnr(clean, denoised) - mean_psnr(clean, noisy)
    # The gain over the noisy 9.38 dB differs between digits by 0.5 dB: 0.02 dB over 500.
    assert gain > PUBLISHED[name] - 9.38 - 4 * 0.02


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (5, 1), (40, 31)])
@pytest.mark.parametrize("weight", [0.001, 0.1, 0.6])
def test_few_jumps_are_found_as_by_scikit_image(shape, weight, rng):
    ramp = np.linspace(0, 1, shape[1], dtype=np.float32)
    noisy = rng.normal(ramp, 0.2, shape).astype(np.float32)
    smooth = _few_jumps(noisy, weight)
    np.testing.assert_allclose(smooth, denoise_tv_chambolle(noisy, weight), atol=1e-6)
    assert smooth.dtype == np.float32


def test_the_wavelet_transform_can_be_undone(rng):
    image = rng.random((16, 24, 3))
    for step in (1, 2, 4):
        for axis in (0, 1):
            low, high = classical._haar(image, step, axis)
            np.testing.assert_allclose(classical._unhaar(low, high, step, axis), image, atol=1e-12)
            # Each pixel is counted twice, in a frame that keeps the sum of squares.
            assert np.sum(low**2) + np.sum(high**2) == pytest.approx(2 * np.sum(image**2))


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_noise_level_of_a_flat_picture_is_found(sigma, channels, rng):
    noisy = 0.5 + sigma * rng.standard_normal((128, 128, channels), np.float32)
    # The median magnitude of n normal numbers has a relative standard error of 1.17 / sqrt(n);
    # neighbouring details are related, so that a quarter of the 16,384 counts.
    assert classical.estimate_sigma(noisy) == pytest.approx(sigma, rel=4 * 1.17 / 64)


def test_the_noise_level_of_a_slope_is_zero():
    slope = np.add.outer(np.linspace(0, 0.5, 40), np.linspace(0, 0.5, 30))[..., None]
    assert classical.estimate_sigma(slope) == pytest.approx(0, abs=1e-6)


def test_the_noise_level_of_a_photo_is_found(photo):
    noisy = photo + 0.1 * np.random.default_rng(1).standard_normal(photo.shape, np.float32)
    # Fine detail of the photo counts as noise; a few percent are usual.
    assert classical.estimate_sigma(noisy) == pytest.approx(0.1, rel=0.1)


def test_black_that_never_had_noise_does_not_lower_the_noise_level(rng):
    noisy = np.zeros((128, 128, 1), np.float32)
    noisy[:, 80:] = 0.5 + 0.1 * rng.standard_normal((128, 48, 1), np.float32)
    assert classical.estimate_sigma(noisy) == pytest.approx(0.1, rel=0.15)


@every_filter
def test_a_curve_gives_back_what_clipping_took(filter, mnist_test):
    clean = mnist_test[0][::100]
    noisy = corrupt(clean, "gaussian", 0.5)
    fair = with_digit_curve(filter, "gaussian", 0.5)
    before, after = (
        [each.denoise(b, metrics.rms(a, b)) for a, b in zip(clean, noisy, strict=True)]
        for each in (filter, fair)
    )
    assert mean_psnr(clean, after) > mean_psnr(clean, before) + 1


@pytest.mark.parametrize("kind", NOISE_KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("share", [0.08, 0.35, 0.77, 1.0])
def test_a_curve_helps_under_every_noise_also_between_the_fitted_strengths(kind, share, mnist_test):
    clean = mnist_test[0][::250]
    strength = share * kind.high
    noisy = corrupt(clean, kind.name, strength)
    levels = [metrics.rms(a, b) for a, b in zip(clean, noisy, strict=True)]
    for filter in (CLASSICAL["gaussian"], CLASSICAL["wavelet"], CLASSICAL["median"]):
        fair = with_digit_curve(filter, kind.name, strength)
        before, after = (
            [each.denoise(b, level) for b, level in zip(noisy, levels, strict=True)]
            for each in (filter, fair)
        )
        assert mean_psnr(clean, after) > mean_psnr(clean, before) - 0.1


@every_filter
def test_a_filter_with_a_curve_keeps_the_contract(filter, rng):
    fair = with_digit_curve(filter, "gaussian", 0.37)
    noisy = rng.random((28, 28, 1), np.float32)
    for sigma in (None, 0.1, 0.5):
        denoised = fair.denoise(noisy, sigma)
        assert denoised.shape == noisy.shape
        assert denoised.dtype == np.float32
        assert denoised.min() >= 0
        assert denoised.max() <= 1
    np.testing.assert_array_equal(fair.denoise(noisy, 0), noisy)
    assert (fair.name, fair.title) == (filter.name, filter.title)


def test_where_no_curve_was_fitted_the_filter_stays_as_it_is():
    assert with_digit_curve(CLASSICAL["median"], "fog", 0.5) is CLASSICAL["median"]
    assert with_digit_curve(CLASSICAL["median"], "gaussian", 0) is CLASSICAL["median"]


def test_without_the_file_of_curves_filters_stay_as_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(classical, "CURVES", tmp_path / "missing.json")
    classical.digit_curves.cache_clear()
    try:
        assert with_digit_curve(CLASSICAL["median"], "gaussian", 0.5) is CLASSICAL["median"]
    finally:
        classical.digit_curves.cache_clear()


def test_a_curve_between_two_strengths_is_their_mean(rng):
    fitted = classical.digit_curves()["gaussian"]["gaussian"]
    low, high = fitted.strengths[4], fitted.strengths[5]
    middle = with_digit_curve(CLASSICAL["gaussian"], "gaussian", (low + high) / 2)
    noisy = rng.random((28, 28, 1), np.float32)
    smooth = CLASSICAL["gaussian"].denoise(noisy, 0.3 * np.mean(fitted.boosts[4:6]))
    expected = classical.apply_curve(smooth, np.mean(fitted.curves[4:6], axis=0))
    np.testing.assert_allclose(middle.denoise(noisy, 0.3), expected, atol=1e-6)


def test_a_curve_is_read_off_between_its_knots():
    curve = np.array([0.0, 0.2, 1.0])
    image = np.float32([0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(classical.apply_curve(image, curve), [0, 0.1, 0.2, 0.6, 1])


def test_every_noise_and_filter_has_rising_curves_over_the_whole_slider():
    fitted = json.loads(classical.CURVES.read_text())
    assert list(fitted) == list(NOISE_KINDS)
    for kind, filters in fitted.items():
        assert list(filters) == list(CLASSICAL)
        for entry in filters.values():
            curves = np.array(entry["curves"])
            assert entry["strengths"][-1] == NOISE_KINDS[kind].high
            assert np.all(np.diff(entry["strengths"]) > 0)
            assert len(entry["strengths"]) == len(entry["boosts"]) == len(curves)
            assert np.all(np.diff(curves, axis=1) >= 0)
            assert curves.min() >= 0
            assert curves.max() <= 1
