"""Patterns of two inks, of which a network for photos makes grey."""

import numpy as np
import pytest

from imaging import metrics
from imaging.pixels import to_image
from models.catalogue import find_card
from models.predictor import load_predictor
from models.tasks.denoise_photos.inks import in_windows, part, with_two_inks
from train.evaluate.drawings import drawing, inked, with_noise

SIDE = 96
PATTERNS = {name: inked(SIDE)[name] for name in ("dots", "hatching", "dithering")}
PATTERNS["checks"] = np.indices((SIDE, SIDE)).sum(axis=0) % 2 == 0


def levels(level: float) -> np.ndarray:
    return np.full((SIDE, SIDE, 1), level / 255, np.float32)


def test_a_window_is_parted_in_the_middle_of_its_range():
    window = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], np.float32)
    window[0, 0] = 0.2
    count, low, high, rest, variance, two = part(in_windows(window[..., np.newaxis]))
    assert (count.item(), high.item(), two.item()) == (9, 1, True)
    # Six times 0 and once 0.2: their mean is 0.2 / 7, and 14 numbers are free.
    assert low.item() == pytest.approx(0.2 / 7)
    assert np.square(rest).sum() == pytest.approx(0.04 * (1 - 1 / 7))
    assert variance.item() == pytest.approx(0.04 * (1 - 1 / 7) / 14, rel=1e-5)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize("channels", [1, 3])
def test_two_inks_are_told_apart_in_noise_and_the_noise_is_gone(pattern, channels):
    clean = drawing(pattern, channels, 0.8)  # 0.2 and 0.8, which noise of 10 seldom leaves.
    noisy = to_image(with_noise(clean, 10))
    inked = with_two_inks(noisy, np.full_like(noisy, 0.5), levels(10))
    # An ink is the mean of a fifth of 36 x 36 pixels or more: 10 / sqrt(259) is 0.6 of 255.
    assert np.sqrt(metrics.mse(clean, inked)) * 255 < 2


def test_the_higher_the_level_the_more_is_taken_and_of_stronger_noise_nothing():
    noisy = to_image(with_noise(drawing(PATTERNS["checks"], 1, 0.8), 10))
    removed = [
        float(np.square(with_two_inks(noisy, noisy, levels(level)) - noisy).mean())
        for level in (0, 3, 5, 6, 7, 9, 20)
    ]
    assert removed == sorted(removed)
    assert removed[:2] == [0, 0]
    assert np.sqrt(removed[-1]) * 255 == pytest.approx(10, rel=0.05)


def test_all_else_is_left_to_the_network():
    y, x = np.mgrid[:SIDE, :SIDE]
    slope = np.stack([x, y, x * y / SIDE], axis=2).astype(np.float32) / SIDE * 0.6 + 0.2
    steps = np.float32(0.4) + np.float32(0.02) * PATTERNS["checks"][..., np.newaxis]
    for clean in (slope, steps, np.full((SIDE, SIDE, 3), 0.5, np.float32)):
        denoised = np.zeros_like(clean)
        for noisy in (clean, to_image(with_noise(clean, 10))):
            np.testing.assert_array_equal(with_two_inks(noisy, denoised, levels(20)), denoised)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 90, 1), (4, 4, 1), (17, 35, 3), (90, 5, 1)])
def test_any_size_is_answered(shape, rng):
    tile = (rng.random(shape) > 0.5).astype(np.float32)
    answer = with_two_inks(tile, tile, np.ones((*shape[:2], 1), np.float32))
    assert (answer.shape, answer.dtype) == (shape, np.float32)
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("name", ["dots", "dithering", "hatching"])
@pytest.mark.parametrize("told", [True, False])
def test_fine_dots_with_noise_are_better_for_being_denoised(name, told):
    clean = drawing(PATTERNS[name])
    noisy = with_noise(clean, 20)
    answer = load_predictor(find_card("photo")).predict(noisy, 20 / 255 if told else None)
    before, after = (metrics.psnr(clean, to_image(each)) for each in (noisy, answer))
    assert after > before + 2
