"""Salt-and-pepper noise that is no longer white and black is found, and nothing else is."""

import io

import numpy as np
import pytest
from PIL import Image

from imaging import metrics
from imaging.pixels import to_image
from imaging.samples.photo_samples import PHOTO_SAMPLES
from imaging.specks import speck_level
from models.catalogue import find_card
from models.predictor import load_predictor

COFFEE = PHOTO_SAMPLES["coffee"].load()[:320, :320]
CAT = PHOTO_SAMPLES["cat"].load()[:, :400]


def with_specks(clean, share, black=0, white=255):
    drawn = np.random.default_rng(0).random(clean.shape[:2])
    noisy = clean.copy()
    noisy[drawn < share / 2], noisy[drawn > 1 - share / 2] = black, white
    return noisy


def saved(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(picture, side, by=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(picture).resize((side, side), by))


SPECKS = {
    "1 %, JPEG 90": (CAT, saved(with_specks(CAT, 0.01), 90)),
    "2 %, JPEG 95": (COFFEE, saved(with_specks(COFFEE, 0.02), 95)),
    "5 %, JPEG 75": (COFFEE, saved(with_specks(COFFEE, 0.05), 75)),
    "10 %, JPEG 85": (COFFEE, saved(with_specks(COFFEE, 0.1), 85)),
    "20 %, JPEG 75": (COFFEE, saved(with_specks(COFFEE, 0.2), 75)),
    "4 %, not quite black and white": (COFFEE, with_specks(COFFEE, 0.04, 6, 249)),
    "5 %, made smaller": (resized(COFFEE, 288), resized(with_specks(COFFEE, 0.05), 288)),
}
every_kind = pytest.mark.parametrize(("clean", "noisy"), SPECKS.values(), ids=SPECKS)


@every_kind
def test_the_level_of_specks_is_about_that_of_the_error(clean, noisy):
    error = metrics.rms(to_image(clean), to_image(noisy))
    assert speck_level(noisy) == pytest.approx(error, rel=0.35)


@every_kind
@pytest.mark.parametrize("channels", [1, 3])
def test_specks_are_taken_out_though_nobody_tells_of_them(clean, noisy, channels):
    if channels == 1:
        clean, noisy = (
            np.asarray(Image.fromarray(p).convert("L"))[..., None] for p in (clean, noisy)
        )
    denoised = load_predictor(find_card("photo")).predict(noisy)
    before, after = (metrics.psnr(to_image(clean), to_image(each)) for each in (noisy, denoised))
    # Read as other noise is, they gained less than 0.5 dB, but for the strongest.
    assert after > before + 7


def test_each_type_of_pixel_has_the_same_level():
    level = speck_level(SPECKS["10 %, JPEG 85"][1])
    noisy = SPECKS["10 %, JPEG 85"][1]
    assert speck_level(to_image(noisy)) == pytest.approx(level, rel=1e-3)
    assert speck_level(noisy.astype(np.uint16) * 257) == pytest.approx(level, rel=1e-3)


@pytest.mark.parametrize("name", PHOTO_SAMPLES)
@pytest.mark.parametrize("quality", [60, 90, None])
def test_a_clean_photo_has_none(name, quality):
    photo = PHOTO_SAMPLES[name].load()
    again = photo if quality is None else np.atleast_3d(saved(photo.squeeze(), quality))
    assert speck_level(again) == 0


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_other_noise_has_fewer_than_it_is_strong(sigma):
    drawn = np.random.default_rng(0).standard_normal(COFFEE.shape)
    noisy = saved(np.clip(COFFEE + sigma * drawn, 0, 255).astype(np.uint8), 90)
    assert speck_level(noisy) * 255 < 0.8 * sigma


def test_stars_and_glints_which_are_bright_alone_are_none():
    photo = COFFEE.copy()
    photo[np.random.default_rng(0).random(photo.shape[:2]) < 0.03] = 255
    assert speck_level(photo) == 0


# Thresholds of ordered dithering by Bayer, 1973.
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16


@pytest.mark.parametrize("side", [250, 270, 290])
@pytest.mark.parametrize("way", ["ordered", "diffused"])
def test_dots_of_dithering_that_was_made_smaller_are_none(way, side):
    grey = Image.fromarray(COFFEE).convert("L")
    dots = 255 * (np.asarray(grey) > np.tile(BAYER, (80, 80))).astype(np.uint8)
    if way == "diffused":
        dots = 255 * np.asarray(grey.convert("1")).astype(np.uint8)
    assert speck_level(resized(dots, side)[..., np.newaxis]) == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 1), (31, 31, 3), (64, 64, 1), (5000, 3, 3)])
def test_of_a_small_picture_nothing_is_said(shape, rng):
    assert speck_level(rng.integers(0, 256, shape, dtype=np.uint8)) == 0
