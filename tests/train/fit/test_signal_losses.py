"""The losses of colour, sound and paint, by hand."""

import numpy as np
import pytest

from imaging import audio
from train.fit import losses


def test_colour_loss_by_hand():
    target, answer = np.zeros((2, 2, 4, 4, 2), np.float32)
    target[1, :2], target[1, 2:] = 0.2, -0.2
    # Nothing is wrong with the first; the second misses 0.2 everywhere, and all of the spread.
    loss = np.asarray(losses.colour_loss(target, answer))
    spread = np.sqrt(0.2**2 + 1e-6) - np.sqrt(1e-6)
    assert loss == pytest.approx([0, 0.2 + losses.SPREAD * spread], abs=1e-5)


def test_grey_brown_loses_against_bolder_colours_of_the_same_error():
    rng = np.random.default_rng(0)
    target = rng.choice([-0.3, 0.3], (1, 16, 16, 2)).astype(np.float32)
    bold = -target * (rng.random(target.shape) < 0.5) + target * (rng.random(target.shape) < 0.5)
    brown = np.zeros_like(target)
    error = [np.abs(each - target).mean() for each in (bold, brown)]
    loss = [float(losses.colour_loss(target, each)[0]) for each in (bold, brown)]
    assert loss[0] - error[0] < loss[1] - error[1]


def spectrum_target(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    clean, noisy = (audio.spectrum(each)[:128, :64] for each in (clean, noisy))
    size = np.abs(noisy)
    turned = clean * noisy.conj() / np.maximum(size, 1e-9)
    target = np.stack([size, turned.real, np.abs(turned.imag)], axis=-1)
    return target[None].astype(np.float32)


def test_the_best_mask_loses_least():
    rng = np.random.default_rng(0)
    clean = np.sin(np.arange(8000) * 0.3) * (np.arange(8000) % 2000 < 900)
    noisy = clean + 0.3 * rng.standard_normal(8000)
    target = spectrum_target(clean, noisy)
    best = np.clip(target[..., 1:2] / np.maximum(target[..., :1], 1e-9), 0, 1)
    loss = [
        float(losses.masked_spectrum_loss(target, mask)[0])
        for mask in (best, np.ones_like(best), np.zeros_like(best), np.roll(best, 9, axis=2))
    ]
    assert loss[0] == min(loss)
    assert loss[0] < loss[1] - 1  # The noisy speech itself is a neper worse.


def test_nothing_in_and_nothing_out_is_a_finite_loss():
    silent = np.zeros((1, 128, 32, 3), np.float32)
    assert np.isfinite(np.asarray(losses.masked_spectrum_loss(silent, silent[..., :1]))).all()


def test_a_painting_is_nearest_to_itself():
    rng = np.random.default_rng(0)
    rough = rng.random((1, 96, 96, 3), np.float32)
    smooth = np.full((1, 96, 96, 3), 0.5, np.float32)
    smooth[:, 30:60] = 0.3
    as_photo = float(losses.paint_loss(np.concatenate([smooth, rough], axis=3), smooth)[0])
    as_itself = float(losses.paint_loss(np.concatenate([smooth, smooth], axis=3), smooth)[0])
    assert as_itself < 0.05  # Only the edge counts, as roughness.
    assert as_photo > as_itself + 1


def test_style_does_not_ask_where_things_are():
    rng = np.random.default_rng(0)
    texture = rng.random((1, 12, 12, 3), np.float32).repeat(8, axis=1).repeat(8, axis=2)
    moved = np.roll(texture, (24, 40), axis=(1, 2))
    other = rng.random((1, 96, 96, 3), np.float32)
    distances = []
    for painting in (moved, other):
        grams = zip(losses._grams(texture), losses._grams(painting), strict=True)
        distances.append(sum(float(np.abs(np.asarray(a) - np.asarray(b)).mean()) for a, b in grams))
    assert distances[0] < distances[1] / 3


def test_the_style_is_that_of_all_paintings_of_a_batch():
    rng = np.random.default_rng(0)
    photos = rng.random((2, 96, 96, 3), np.float32)
    one, other = rng.random((2, 96, 96, 3), np.float32) * np.float32([0.3, 1])[:, None, None, None]
    given = [
        np.concatenate([photos, np.stack(each)], axis=3) for each in ((one, other), (other, one))
    ]
    np.testing.assert_allclose(*(losses.paint_loss(each, photos) for each in given), rtol=1e-4)


def test_slanted_strokes_are_as_rough_as_upright_ones(monkeypatch):
    monkeypatch.setattr(losses, "STYLE", 0)
    y, x = np.mgrid[:96, :96].astype(np.float32) / 4
    turned = [np.cos(angle) * x + np.sin(angle) * y for angle in (0, np.pi / 4, np.pi / 2)]
    waves = [np.sin(each)[None, ..., None].repeat(3, axis=3) / 4 + 0.5 for each in turned]
    rough = [float(losses.paint_loss(np.concatenate([w, w], axis=3), w)[0]) for w in waves]
    assert max(rough) < 1.02 * min(rough)  # The sum of down and across has 1.41 times as much.
