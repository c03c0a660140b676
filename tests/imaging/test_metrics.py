import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from imaging import metrics

CONSTANT_1 = 0.01**2  # of Wang et al., for a range of 1


def pair(rng, shape):
    clean = rng.random(shape, np.float32)
    return clean, np.clip(clean + 0.2 * rng.standard_normal(shape, np.float32), 0, 1)


def test_error_is_the_mean_of_squared_differences():
    clean = np.zeros((2, 2, 1), np.float32)
    other = np.float32([[[0.5], [0]], [[0], [1]]])
    assert metrics.mse(clean, other) == (0.25 + 1) / 4
    assert metrics.rms(clean, other) == pytest.approx((1.25 / 4) ** 0.5)


def test_an_error_of_a_tenth_everywhere_is_twenty_decibels():
    clean = np.full((5, 4, 3), 0.5)
    assert metrics.psnr(clean, clean + 0.1) == pytest.approx(20)
    assert metrics.rms(clean, clean + 0.1) == pytest.approx(0.1)


def test_identical_pictures_have_perfect_quality(rng):
    clean = rng.random((28, 28, 1), np.float32)
    assert metrics.measure(clean, clean) == metrics.Quality(psnr=np.inf, ssim=1.0, mse=0.0)
    assert metrics.batch_psnr(clean[np.newaxis], clean[np.newaxis]).tolist() == [np.inf]
    assert metrics.batch_ssim(clean[np.newaxis], clean[np.newaxis]) == pytest.approx(1)


def test_similarity_of_two_flat_pictures_is_that_of_their_brightness():
    clean, other = np.full((20, 20, 1), 0.2), np.full((20, 20, 1), 0.6)
    expected = (2 * 0.2 * 0.6 + CONSTANT_1) / (0.2**2 + 0.6**2 + CONSTANT_1)
    assert metrics.ssim(clean, other) == pytest.approx(expected)
    assert metrics.batch_ssim(clean[None], other[None]) == pytest.approx([expected])


def test_a_picture_against_its_negative_is_less_similar_than_nothing(rng):
    clean = rng.random((30, 30, 1))
    assert metrics.ssim(clean, 1 - clean) < -0.5


@pytest.mark.parametrize("shape", [(28, 28, 1), (40, 25, 3), (11, 11, 1), (10, 30, 1), (4, 3, 3)])
def test_quality_is_that_of_scikit_image(rng, shape):
    clean, other = pair(rng, shape)
    measured = metrics.measure(clean, other)
    double = clean.astype(np.float64), other.astype(np.float64)
    assert measured.psnr == pytest.approx(peak_signal_noise_ratio(*double, data_range=1))
    assert measured.ssim == pytest.approx(
        structural_similarity(
            *double,
            win_size=min(11, (min(shape[:2]) - 1) // 2 * 2 + 1),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        ),
        rel=1e-9,
    )


@pytest.mark.parametrize(
    "shape", [(150, 28, 28, 1), (3, 40, 25, 3), (2, 11, 11, 1), (2, 10, 30, 1), (2, 1, 1, 3)]
)
def test_a_batch_is_measured_as_its_pictures_are(rng, shape):
    clean, other = pair(rng, shape)
    one_by_one = [metrics.measure(a, b) for a, b in zip(clean, other, strict=True)]
    np.testing.assert_allclose(
        metrics.batch_psnr(clean, other), [quality.psnr for quality in one_by_one], rtol=1e-12
    )
    np.testing.assert_allclose(
        metrics.batch_ssim(clean, other), [quality.ssim for quality in one_by_one], atol=1e-6
    )


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (7, 5, 1), (10, 200, 3)])
def test_a_picture_smaller_than_the_window_still_has_a_similarity(rng, shape):
    clean, other = pair(rng, shape)
    assert metrics.ssim(clean, clean) == pytest.approx(1)
    assert -1 <= metrics.ssim(clean, other) < 1


def test_similarity_of_single_pixels_is_that_of_their_brightness():
    clean, other = np.full((1, 1, 1), 0.25), np.full((1, 1, 1), 0.5)
    expected = (2 * 0.25 * 0.5 + CONSTANT_1) / (0.25**2 + 0.5**2 + CONSTANT_1)
    assert metrics.ssim(clean, other) == pytest.approx(expected)


def test_an_empty_batch_has_no_qualities():
    empty = np.empty((0, 28, 28, 1), np.float32)
    assert metrics.batch_psnr(empty, empty).shape == (0,)
    assert metrics.batch_ssim(empty, empty).shape == (0,)


@pytest.mark.parametrize(
    "measure",
    [metrics.mse, metrics.psnr, metrics.ssim, metrics.batch_psnr, metrics.batch_ssim],
)
def test_pictures_of_different_shape_are_refused(measure):
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3, 3, 1\) and \(1, 3, 3, 1\)"):
        measure(np.zeros((2, 3, 3, 1)), np.zeros((1, 3, 3, 1)))


def test_the_noisy_test_digits_have_the_published_quality(mnist_test, rng):
    """Noise factor 0.5, clipped: 9.38 dB and 0.413, measured before this code was written."""
    clean = mnist_test[0]
    noisy = np.clip(clean + 0.5 * rng.standard_normal(clean.shape, np.float32), 0, 1)
    # Another draw of the noise moves the mean over 10,000 digits by 0.003 dB; the rest is rounding.
    assert metrics.batch_psnr(clean, noisy).mean() == pytest.approx(9.38, abs=0.01)
    assert metrics.batch_ssim(clean, noisy).mean() == pytest.approx(0.413, abs=0.001)
