"""The SSIM loss against the SSIM of another library, the PSNR loss against its rule."""

import keras
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from train.fit.losses import FLOOR, psnr_loss, ssim_loss


@pytest.fixture
def pair(rng):
    clean = rng.random((4, 28, 30, 1), np.float32)
    return clean, np.clip(clean + 0.2 * rng.standard_normal(clean.shape, np.float32), 0, 1)


def loss(clean, denoised, of=ssim_loss):
    return keras.ops.convert_to_numpy(of(clean, denoised))


def theirs(clean, denoised):
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return structural_similarity(clean, denoised, data_range=1, channel_axis=2, **settings)


def test_it_is_one_minus_the_ssim_of_scikit_image(pair):
    expected = [1 - theirs(*each) for each in zip(*pair, strict=True)]
    # float32 against float64, differences of squares near 1: some 1e-6.
    np.testing.assert_allclose(loss(*pair), expected, atol=1e-5)


def test_colour_is_the_mean_over_channels(rng):
    clean, denoised = rng.random((2, 2, 20, 20, 3), np.float32)
    each = [loss(clean[..., i : i + 1], denoised[..., i : i + 1]) for i in range(3)]
    np.testing.assert_allclose(loss(clean, denoised), np.mean(each, axis=0), atol=1e-6)


def test_the_same_picture_has_no_loss_and_its_negative_more_than_one(pair):
    clean, _ = pair
    np.testing.assert_allclose(loss(clean, clean), 0, atol=1e-5)
    assert (loss(clean, 1 - clean) > 1).all()


def test_a_flat_picture_is_no_division_by_zero():
    black = np.zeros((1, 28, 28, 1), np.float32)
    assert loss(black, black) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(loss(black, black + 1)).all()


def test_a_decibel_more_costs_the_same_at_any_level_of_noise(rng):
    clean, noise = rng.random((2, 3, 16, 16, 3), np.float32) - np.float32(0.5)
    noise *= np.float32([0.1, 0.3, 0.9]).reshape(-1, 1, 1, 1)
    before, after = (loss(clean, clean + more * noise, psnr_loss) for more in (1, 10 ** (1 / 20)))
    # The floor takes a tenth of it at the first level: 1e-4 of 9e-4.
    np.testing.assert_allclose(after - before, np.log(10) / 10, rtol=0.12)


def test_the_floor_keeps_the_psnr_loss_calm_where_nothing_is_wrong():
    picture = np.full((1, 8, 8, 1), 0.5, np.float32)
    assert loss(picture, picture, psnr_loss) == 0
    off = picture + np.float32(np.sqrt(FLOOR))
    assert loss(picture, off, psnr_loss) == pytest.approx(np.log(2), rel=1e-4)


@pytest.mark.parametrize("of", [psnr_loss, ssim_loss])
def test_a_model_compiled_with_it_can_be_saved_and_read_again(pair, tmp_path, of):
    image = keras.Input((28, 30, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(image))
    model.compile("sgd", of)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = float(np.mean(loss(pair[0], keras.ops.convert_to_numpy(again(pair[1])), of)))
    assert again.evaluate(pair[1], pair[0], verbose=0) == pytest.approx(expected, rel=1e-5)
