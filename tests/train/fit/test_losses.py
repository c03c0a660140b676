"""The SSIM loss against the SSIM of another library, the others against their rules."""

import keras
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from train.fit.losses import FLOOR, mask_loss, pixel_classes_loss, psnr_loss, ssim_loss


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


def classes_and_weights(classes, weights):
    return np.stack([classes, weights], axis=-1).astype(np.float32)


def test_the_loss_of_classes_by_hand():
    # Two pixels; the first is called right with 0.8, the second with 0.5 and counts three times.
    shares = np.array([0.8, 0.2, 0.5, 0.5], np.float32).reshape(1, 1, 2, 2)
    target = classes_and_weights(np.array([[[0, 1]]]), np.array([[[1, 3]]]))
    entropy = -(np.log(0.8) + 3 * np.log(0.5)) / 4
    # Class 0: 2 x 0.8 / (1 + 1.3 + 1); class 1: 2 x 0.5 / (1 + 0.7 + 1).
    dice = (1.6 / 3.3 + 1 / 2.7) / 2
    assert loss(target, shares, pixel_classes_loss) == pytest.approx([entropy + 1 - dice], rel=1e-5)


def test_void_and_classes_that_are_not_there_do_not_count(rng):
    shares = rng.dirichlet(np.ones(4), (2, 8, 8)).astype(np.float32)
    classes = rng.integers(0, 3, (2, 8, 8))  # Class 3 does not occur.
    weights = np.ones((2, 8, 8))
    weights[:, :2], classes[:, :2] = 0, 11  # Void, whose number no class has.
    changed = shares.copy()
    changed[:, :2] = [0, 0, 0, 1]
    target = classes_and_weights(classes, weights)
    before, after = (loss(target, each, pixel_classes_loss) for each in (shares, changed))
    np.testing.assert_allclose(before, after, rtol=1e-6)


def test_the_loss_of_a_mask_by_hand():
    target = np.array([1, 0], np.float32).reshape(1, 1, 2, 1)
    share = np.array([0.6, 0.3], np.float32).reshape(1, 1, 2, 1)
    entropy = -(np.log(0.6) + np.log(0.7)) / 2
    dice = (2 * 0.6 + 1) / (1 + 0.9 + 1)
    assert loss(target, share, mask_loss) == pytest.approx([entropy + 1 - dice], rel=1e-5)


def test_a_perfect_answer_has_hardly_a_loss_and_a_wrong_one_much(rng):
    classes = rng.integers(0, 3, (2, 16, 16))
    shares = np.eye(3, dtype=np.float32)[classes]
    target = classes_and_weights(classes, np.ones(classes.shape))
    assert (loss(target, shares, pixel_classes_loss) < 0.02).all()
    assert (loss(target, np.roll(shares, 1, axis=3), pixel_classes_loss) > 5).all()
    mask = (classes > 0)[..., None].astype(np.float32)
    assert (loss(mask, mask, mask_loss) < 0.02).all()
    assert (loss(mask, 1 - mask, mask_loss) > 5).all()
