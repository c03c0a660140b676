"""The level of a photo's noise, and what the shipped photo network makes of hard cases."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from imaging import metrics
from imaging.camera import Camera, degrade, low_light
from imaging.noise_level import is_drawn
from imaging.pixels import to_pixels
from models.catalogue import find_card
from models.predictor import load_predictor
from models.tasks.denoise_photos.level import (
    NOTHING,
    PART,
    AsFound,
    beside_even,
    enlarged,
    evened,
    in_place_of,
    inside,
    read_level,
    spread,
)
from tests.imaging.degraded_photos import clean_photo


@pytest.fixture(scope="module")
def predictor():
    return load_predictor(find_card("photo"))


@pytest.fixture(scope="module")
def photo():
    """A smooth picture with some edges, made here: 192x192."""
    y, x = np.mgrid[0:192, 0:192] / 192
    waves = 0.5 + 0.3 * np.sin(9 * x + 4 * y) * np.cos(7 * y)
    picture = np.stack([waves, waves[::-1], waves.T], axis=2)
    picture[60:120, 60:120] = 0.8, 0.3, 0.2
    return picture.astype(np.float32)


def page_of_text() -> np.ndarray:
    """Black bars on white, 1 to 5 pixels wide, with even paper around: uint8 (160, 160, 3)."""
    page = np.full((160, 160, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for row in range(12, 148, 14):
        for column in range(12, 148, 9):
            page[row : row + 8, column : column + rng.integers(1, 6)] = 0
    return page


def test_a_map_of_another_level_keeps_its_shape_and_more_is_more_everywhere():
    cells = np.float32([[0.02, 0.06], [0.04, 0.04]])
    found = float(np.sqrt(np.square(cells).mean()))
    np.testing.assert_allclose(spread(cells, found, found), cells, atol=1e-7)
    maps = [spread(cells, found, wanted) for wanted in (0.01, 0.02, 0.05, 0.1, 0.2)]
    assert all(np.all(low <= high) for low, high in pairwise(maps))
    # Where nothing was found the map is even, and of the level that is wanted.
    np.testing.assert_allclose(spread(np.zeros((2, 2), np.float32), 0, 0.1), 0.1, atol=1e-6)


def test_levels_that_are_read_nearly_alike_are_taken_to_be_the_same():
    cells = np.float32([[0.05, 0.09], [0.11, 0.23]])
    # Between 0.1 / 1.15 and 0.1 x 1.15 it is 0.1; the others are 0.05 x 1.15 and 0.23 / 1.15.
    np.testing.assert_allclose(evened(cells, 0.1), [[0.0575, 0.1], [0.1, 0.2]], rtol=1e-6)
    np.testing.assert_array_equal(evened(cells, 0), 0)


def test_a_map_is_enlarged_by_straight_lines_between_the_middles_of_its_cells():
    large = enlarged(np.float32([[0, 1], [0, 1]]), 32, 32)
    assert large.shape == (32, 32, 1)
    np.testing.assert_allclose(large[5, 8:24, 0], (np.arange(8, 24) - 7.5) / 16, atol=1e-6)
    assert large[0, 0, 0] == 0
    assert large[0, 31, 0] == 1


def test_a_drawing_is_told_from_a_photo_from_noise_and_from_what_a_file_did(photo):
    page = page_of_text()
    assert is_drawn(page)
    assert not is_drawn(photo)
    noisy = page / 255 + 0.02 * np.random.default_rng(0).standard_normal(page.shape)
    assert not is_drawn(np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8))
    assert not is_drawn(np.zeros((2, 200, 3), np.uint8))


def dithered(side: int = 128) -> np.ndarray:
    """A slope in black and white dots, which are anywhere: uint8 (side, side, 1)."""
    slope = np.linspace(0.1, 0.9, side)
    return np.uint8(255 * (np.random.default_rng(0).random((side, side, 1)) < slope[:, None]))


def test_a_fine_pattern_of_few_colours_is_drawn_and_comes_back_as_it_is(predictor):
    squares = np.random.default_rng(0).integers(0, 4, (64, 64)).repeat(2, axis=0).repeat(2, axis=1)
    coloured = np.uint8([[0, 0, 0], [250, 40, 90], [30, 200, 60], [240, 230, 220]])[squares]
    checks = np.uint8(np.indices((64, 64)).sum(axis=0) % 2 * 80 + 90)[..., np.newaxis]
    for pattern in (dithered(), coloured, checks, np.uint16(257) * checks):
        assert is_drawn(pattern)
        np.testing.assert_array_equal(predictor.predict(pattern), pattern)


@pytest.mark.parametrize("sigma", [1, 10, 50])
def test_a_fine_pattern_with_noise_is_not_drawn(sigma):
    noise = np.random.default_rng(1).standard_normal((128, 128, 1))
    assert not is_drawn(to_pixels(dithered() / 255 + sigma / 255 * noise))


def test_few_photons_are_not_drawn(photo):
    photons = np.random.default_rng(1).poisson(4 * photo[..., :1])
    assert len(np.unique(photons.clip(0, 4))) == 5
    assert not is_drawn(to_pixels(photons / 4))


def noisy_with_border(photo, sigma, border, dtype=np.uint8) -> np.ndarray:
    """Noise of ``sigma`` of 255 on the photo, black from the left so far, white from the right."""
    drawn = np.random.default_rng(1).standard_normal(photo.shape, np.float32)
    pixels = to_pixels(photo + np.float32(sigma / 255) * drawn, dtype)
    pixels[:, :border] = 0
    pixels[:, photo.shape[1] - border :] = np.iinfo(dtype).max
    return pixels


@pytest.mark.parametrize("sigma", [10, 25, 40])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strong_noise_beside_a_border_is_no_drawing(photo, sigma, channels, dtype):
    assert not is_drawn(noisy_with_border(photo[..., :channels], sigma, 24, dtype))


def test_an_overexposed_photo_is_no_drawing_in_grey_either(photo):
    noise = np.random.default_rng(1).standard_normal((192, 192, 1), np.float32)
    noisy = to_pixels(2.2 * photo[..., :1] + np.float32(25 / 255) * noise)
    assert np.mean(noisy == 255) > 0.3
    assert not is_drawn(noisy)


def test_a_contrast_is_as_small_in_16_bits_as_in_8(photo):
    coarse = photo[:64, :64].repeat(3, axis=0).repeat(3, axis=1)
    coarse[:, :48] = 1
    for dtype in (np.uint8, np.uint16):
        assert not is_drawn(to_pixels(coarse, dtype))
        assert is_drawn(to_pixels(page_of_text() / 255, dtype))


@pytest.mark.parametrize("sigma", [10, 25, 50])
@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (3, np.uint16)])
@pytest.mark.parametrize("border", [16, 36, 64])
def test_a_border_does_not_lower_the_level(predictor, photo, sigma, channels, dtype, border):
    noisy = noisy_with_border(photo[..., :channels], sigma, border, dtype)
    # In grey there is a third of the pixels to read it from.
    assert read_level(predictor.network, noisy) * 255 == pytest.approx(sigma, rel=0.07)


@pytest.mark.parametrize("sigma", [None, AsFound(25 / 255)])
def test_a_border_stays_and_the_photo_in_it_is_denoised_as_well_as_without(predictor, photo, sigma):
    noisy = noisy_with_border(photo, 25, 36)
    bordered, alone = predictor.predict(noisy, sigma), predictor.predict(noisy[:, 36:-36], sigma)
    np.testing.assert_array_equal(bordered[:, 36:-36], alone)
    np.testing.assert_array_equal(bordered[:, :36], 0)
    np.testing.assert_array_equal(bordered[:, -36:], 255)
    assert not np.array_equal(alone, noisy[:, 36:-36])


def test_a_clipped_corner_does_not_lower_the_level(predictor, photo):
    """No line is of one value, so nothing is taken for a border."""
    noisy = noisy_with_border(photo, 25, 0)
    noisy[:112, :112] = 255
    assert read_level(predictor.network, noisy) * 255 == pytest.approx(25, rel=0.07)


def test_beside_even_paper_noise_is_read_as_elsewhere_and_text_is_not_taken_for_it():
    rng = np.random.default_rng(0)
    grain = 0.5 + np.float32(25 / 255) * rng.standard_normal((160, 160, 3), np.float32)
    tile = np.concatenate([np.float32(page_of_text() / 255), grain], axis=1)
    tile[:, 160:192] = 1
    lifted = beside_even(np.zeros((10, 20), np.float32), tile, 0.1)
    np.testing.assert_array_equal(lifted[:, :12], 0)
    # The first two columns of cells beside the paper; a median of 768 pixels is off by 5 %.
    np.testing.assert_allclose(lifted[:, 12:14], 0.1, rtol=0.2)
    np.testing.assert_array_equal(lifted[:, 14:], 0)


def test_noise_beside_a_clipped_area_is_removed_as_elsewhere(predictor):
    y, x = np.mgrid[0:192, 0:192]
    sky = np.float32(np.stack([0.3 + x / 500, 0.4 + x / 500, 0.7 - y / 900], axis=2))
    noise = np.random.default_rng(0).standard_normal(sky.shape, np.float32)
    noisy = to_pixels(sky + np.float32(25 / 255) * noise)
    noisy[:70, :70] = 255
    errors = np.square(predictor.predict(noisy) / 255 - sky).mean(axis=2)
    beside = (np.maximum(x, y) >= 72) & (np.maximum(x, y) < 100)
    elsewhere = np.maximum(x, y) >= 120
    # Less is known there, as half of the surroundings is lost.
    assert np.sqrt(errors[beside].mean()) < 2 * np.sqrt(errors[elsewhere].mean())


def test_a_noisy_photo_among_text_is_read_and_denoised_to_its_edge(predictor, photo):
    page = np.tile(page_of_text(), (2, 2, 1))
    rng = np.random.default_rng(0)
    noisy = to_pixels(photo + np.float32(20 / 255) * rng.standard_normal(photo.shape, np.float32))
    place = np.s_[72:264, 56:248]
    page[place] = noisy
    assert read_level(predictor.network, page) * 255 == pytest.approx(20, rel=0.2)
    off = predictor.predict(page)[place] / 255 - photo
    middle = np.sqrt(np.square(off[48:-48, 48:-48]).mean())
    assert np.sqrt(np.square(off[8:24]).mean()) < 2 * middle


@pytest.mark.parametrize("sigma", [25, 50])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_noise_of_an_overexposed_photo_is_read_as_it_was_before_clipping(
    predictor, photo, sigma, channels
):
    noise = np.random.default_rng(1).standard_normal((192, 192, channels), np.float32)
    clean = np.clip(2.2 * photo[..., :channels], 0, 1)
    noisy = to_pixels(clean + np.float32(sigma / 255) * noise)
    assert np.mean(noisy == 255) > 0.2
    assert read_level(predictor.network, noisy) * 255 == pytest.approx(sigma, rel=0.1)


# 75 is more than there can be: it is lowered, and then close enough.
@pytest.mark.parametrize(("read", "used"), [(25, 25), (35, 50), (50, 50), (62, 50), (75, 50)])
def test_noise_is_white_where_the_network_reads_it_as_before_or_after_clipping(photo, read, used):
    noise = np.random.default_rng(1).standard_normal((192, 192, 1), np.float32)
    noisy = to_pixels(np.clip(2.2 * photo[..., :1], 0, 1) + np.float32(50 / 255) * noise)
    # Of 50 about 40 are left; a quarter less or more is close enough.
    cells = np.full((1, 16, 16, 1), read / 255, np.float32)
    network = SimpleNamespace(parts={PART: lambda image: cells})
    assert read_level(network, noisy) * 255 == pytest.approx(used, rel=0.1)


@pytest.mark.parametrize("shape", [(9, 7, 3), (1, 20, 3), (20, 1, 1)])
def test_a_picture_of_one_value_is_all_inside(shape):
    even = np.full(shape, 7, np.uint8)
    assert even[inside(even)].shape == shape


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_white_noise_is_read(predictor, photo, sigma):
    rng = np.random.default_rng(sigma)
    noisy = photo + np.float32(sigma / 255) * rng.standard_normal(photo.shape, np.float32)
    noisy = np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
    assert read_level(predictor.network, noisy) * 255 == pytest.approx(sigma, rel=0.05)


def test_noise_that_was_enlarged_is_read_too(predictor, photo):
    camera = Camera(read=20 / 255, linear=False, scale=2.0)
    truth, noisy = degrade(photo, camera, np.random.default_rng(0))
    level = float(np.sqrt(np.square(noisy - truth).mean()))
    assert read_level(predictor.network, noisy.astype(np.float32)) == pytest.approx(
        level, rel=1 / 3
    )


def test_noise_in_doubled_pixels_is_read_too(predictor, photo):
    noisy = photo + np.float32(20 / 255) * np.random.default_rng(0).standard_normal(photo.shape)
    doubled = to_pixels(noisy.astype(np.float32)).repeat(4, axis=0).repeat(4, axis=1)
    assert read_level(predictor.network, doubled) > 10 / 255


def test_a_clean_page_has_no_noise_and_comes_back_as_it_is(predictor):
    page = page_of_text()
    assert read_level(predictor.network, page) < NOTHING
    np.testing.assert_array_equal(predictor.predict(page), page)


def test_a_clean_page_that_is_said_to_have_a_little_noise_stays_legible(predictor):
    page = page_of_text()
    answer = predictor.predict(page, AsFound(5 / 255))
    assert metrics.psnr(page / 255, answer / 255) > 35


def test_the_level_that_is_read_is_the_one_that_is_used(predictor, photo):
    noisy = to_pixels(low_light(photo, 64, np.random.default_rng(0)))
    level = read_level(predictor.network, noisy)
    np.testing.assert_array_equal(predictor.predict(noisy), predictor.predict(noisy, level))


def test_a_level_that_was_read_is_not_read_again(predictor, photo, monkeypatch):
    noisy = to_pixels(low_light(photo, 64, np.random.default_rng(0)))
    read, asked = predictor.network.parts[PART], []
    monkeypatch.setitem(
        predictor.network.parts, PART, lambda image: asked.append(image) or read(image=image)
    )
    level = read_level(predictor.network, noisy)
    other = in_place_of(level, 0.1)
    again = predictor.predict(noisy, AsFound(0.1))
    asked.clear()
    # Once each, for where the noise is.
    np.testing.assert_array_equal(predictor.predict(noisy, other), again)
    predictor.predict(noisy, level)
    assert len(asked) == 2
    assert not isinstance(in_place_of(0.2, 0.1), AsFound)


def test_a_higher_level_removes_more(predictor, photo):
    noisy = low_light(photo, 64, np.random.default_rng(0))
    removed = [
        float(np.square(predictor.predict(noisy, AsFound(level / 255)) - noisy).mean())
        for level in (2, 5, 10, 20, 40)
    ]
    assert removed == sorted(removed)


def test_beside_a_few_lost_pixels_none_is_changed(predictor, photo):
    grain = np.random.default_rng(1).standard_normal(photo.shape, np.float32)
    noisy = to_pixels(photo + np.float32(0.6 / 255) * grain)  # Less than a photo's own texture.
    lost = np.random.default_rng(0).random(noisy.shape[:2])
    noisy[lost < 0.01], noisy[lost > 0.99] = 0, 255
    answer = predictor.predict(noisy)
    left = (lost >= 0.01) & (lost <= 0.99)
    np.testing.assert_array_equal(answer[left], noisy[left])
    assert metrics.psnr(photo, answer / 255) > 45


def test_a_strip_is_not_worse_than_it_was(predictor):
    clean = np.tile(np.linspace(0.2, 0.8, 200, dtype=np.float32)[None, :, None], (1, 1, 3))
    noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    noisy = np.clip(clean + np.float32(25 / 255) * noise, 0, 1)
    assert metrics.psnr(clean, predictor.predict(noisy)) > metrics.psnr(clean, noisy) + 1


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_of_a_strip_as_much_is_removed_as_is_read(predictor, rows, rng):
    clean = clean_photo()[40 : 40 + rows]
    noisy = np.clip(clean + 0.1 * rng.standard_normal(clean.shape), 0, 1).astype(np.float32)
    assert read_level(predictor.network, noisy) == pytest.approx(0.1, rel=0.2)
    denoised, told = predictor.predict(noisy), predictor.predict(noisy, 0.1)
    assert metrics.psnr(clean, denoised) > metrics.psnr(clean, told) - 0.3


def test_stars_stay(predictor):
    rng = np.random.default_rng(4)
    sky = np.zeros((128, 128, 3), np.float32)
    places = rng.integers(4, 124, (40, 2))
    sky[places[:, 0], places[:, 1]] = rng.uniform(0.5, 1, (40, 1))
    noisy = np.clip(sky + np.float32(10 / 255) * rng.standard_normal(sky.shape, np.float32), 0, 1)
    denoised = predictor.predict(noisy)
    assert metrics.psnr(sky, denoised) > 38
    before, after = (each[places[:, 0], places[:, 1]].mean() for each in (sky, denoised))
    assert after > 0.9 * before


@pytest.fixture(scope="module")
def cases(data_dir):
    folder = data_dir.parent / "cases" / "photo"
    if not folder.is_dir():
        pytest.skip("the hard cases are not beside DENOISE_DATA_DIR")

    def load(name):
        with Image.open(folder / name) as file:
            return np.asarray(file.convert("RGB"), np.float32) / 255

    return load


@pytest.mark.parametrize(
    ("input", "truth", "least"),
    [
        ("stars-noise10-input.png", "stars-truth.png", 40),
        ("text-clean-input.png", "text-clean-input.png", 40),
        ("text-noise25-input.png", "text-clean-input.png", 27.5),
    ],
)
def test_a_hard_case_comes_out_as_well_as_it_should(predictor, cases, input, truth, least):
    assert metrics.psnr(cases(truth), predictor.predict(cases(input))) >= least
