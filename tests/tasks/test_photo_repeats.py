"""Regular patterns that were taken for noise are given back."""

import numpy as np
import pytest
from scipy import ndimage

from imaging import metrics
from imaging.camera import Camera, SavedAs, degrade
from imaging.pixels import to_pixels
from models.catalogue import find_card
from models.predictor import load_predictor
from models.tasks.denoise_photos.level import AsFound, read_level
from models.tasks.denoise_photos.repeats import with_patterns


def cloth(height, width, period, contrast=0.05):
    rows, columns = np.indices((height, width)) * (2 * np.pi / period)
    return (contrast * np.cos(rows) * np.cos(columns))[..., np.newaxis].astype(np.float32)


def grille(height, width):
    """Round holes in bright metal, 7 pixels apart."""
    rows, columns = (np.indices((height, width)) + 3) % 7 - 3
    holes = ndimage.gaussian_filter((np.hypot(rows, columns) < 2.2).astype(np.float32), 0.5)
    return np.repeat((0.75 - 0.5 * holes)[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("size", [(64, 64), (150, 200), (129, 64)])
@pytest.mark.parametrize("period", [3, 5.3, 12])
def test_cloth_comes_back_wholly(size, period):
    smooth = np.full((*size, 3), 0.5, np.float32)
    worn = smooth + cloth(*size, period)
    np.testing.assert_allclose(with_patterns(worn, smooth), worn, atol=1e-6)


@pytest.mark.parametrize("width", [0, 0.8, 2])
def test_noise_stays_removed(width, rng):
    noise = rng.standard_normal((256, 320, 3), np.float32)
    if width:
        noise = ndimage.gaussian_filter(noise, (width, width, 0))
    smooth = np.full(noise.shape, 0.5, np.float32)
    noisy = smooth + np.float32(0.1) * noise / noise.std()
    assert with_patterns(noisy, smooth) is smooth


def test_beside_cloth_noise_stays_removed(rng):
    smooth = np.full((192, 384, 3), 0.5, np.float32)
    noisy = smooth + np.float32(0.05) * rng.standard_normal(smooth.shape, np.float32)
    noisy[:, :192] = smooth[:, :192] + cloth(192, 192, 5)
    answer = with_patterns(noisy, smooth)
    np.testing.assert_allclose(answer[:, :150], noisy[:, :150], atol=1e-6)
    np.testing.assert_array_equal(answer[:, -150:], smooth[:, -150:])


def test_of_less_than_a_window_nothing_is_given_back():
    smooth = np.full((63, 200, 1), 0.5, np.float32)
    assert with_patterns(smooth + cloth(63, 200, 5), smooth) is smooth


def test_a_grille_in_a_jpeg_stays_unless_more_is_asked_for():
    predictor = load_predictor(find_card("photo"))
    clean = grille(192, 256)
    _, stored = degrade(clean, Camera(files=(SavedAs("JPEG", 90),)), np.random.default_rng(0))
    stored = to_pixels(stored)
    before = metrics.psnr(clean, stored / 255)
    assert metrics.psnr(clean, predictor.predict(stored) / 255) > before - 0.5
    found = read_level(predictor.network, stored)
    asked = predictor.predict(stored, AsFound(max(2 * found, 20 / 255), found))
    assert metrics.psnr(clean, asked / 255) < before - 5
