"""What a visitor takes away is what was on the screen."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from imaging import metrics
from pages.components.draw.downloads import numbers, strip
from pages.components.gallery import png
from pages.components.methods import Method, Result


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_every_level_and_every_pixel_as_often_as_asked(rng, channels):
    levels = rng.integers(0, 256, (5, 7, channels), np.uint8)
    shown = opened(png(levels / np.float32(255), scale=3)).reshape(15, 21, channels)
    assert np.array_equal(shown, levels.repeat(3, 0).repeat(3, 1))


def test_the_strip_shows_the_pictures_in_order_with_a_gap(rng):
    one, other = (rng.integers(0, 256, (28, 28, 1), np.uint8) / np.float32(255) for _ in range(2))
    sheet = opened(strip({"Original": one, "Noisy": other}))[::8, ::8] / 255
    assert np.allclose(sheet[:, :28], one[..., 0])
    assert np.all(sheet[:, 28] == 1)
    assert np.allclose(sheet[:, 29:], other[..., 0])


def test_the_numbers_are_those_of_the_metrics_and_empty_without_a_clean_picture(rng):
    clean, denoised = (rng.random((28, 28, 1), np.float32) for _ in range(2))
    method = Method("median", "Median", "classical", "", lambda noisy, sigma: noisy)
    results = [Result(method, denoised, 1.25)]
    (row,) = csv.DictReader(io.StringIO(numbers(results, clean)))
    assert float(row["psnr_db"]) == metrics.psnr(clean, denoised)
    assert float(row["ssim"]) == metrics.ssim(clean, denoised)
    assert float(row["mse"]) == metrics.mse(clean, denoised)
    assert row["milliseconds"] == "1.25"
    (row,) = csv.DictReader(io.StringIO(numbers(results, None)))
    assert row["psnr_db"] == ""
