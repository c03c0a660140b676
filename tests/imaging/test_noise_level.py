import tracemalloc

import numpy as np
import pytest
from PIL import Image
from skimage import data

from imaging import noise_level
from imaging.filters import estimate_sigma
from imaging.noise_level import band_levels, estimate_level, variance_kept

PHOTOS = {
    "astronaut": data.astronaut()[:200, 130:380],
    "chelsea": data.chelsea()[40:240, :250],
    "coffee": data.coffee()[80:280, 150:400],
}

every_photo = pytest.mark.parametrize("clean", PHOTOS.values(), ids=PHOTOS)


def stored(picture):
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def with_noise(clean, sigma, seed=2):
    drawn = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
    return clean.astype(np.float32) / 255 + np.float32(sigma) * drawn


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (1, 1, 3), (1, 2, 3), (2, 2, 1), (7, 5, 1), (7, 5, 3), (8, 9, 3), (10000, 1, 3)],
)
def test_any_picture_has_a_level(shape, rng):
    found = estimate_level(rng.random(shape, np.float32))
    assert isinstance(found, float)
    # Numbers spread evenly over [0, 1] have a standard deviation of 0.29, but clipping, which
    # they did not suffer, is taken into account.
    assert 0 <= found < 1


def test_a_single_pixel_has_level_0():
    assert estimate_level(np.full((1, 1, 3), 0.4, np.float32)) == 0


def test_a_line_of_pixels_is_enough(rng):
    line = 0.5 + 0.1 * rng.standard_normal((10000, 1, 1), np.float32)
    # Three of the eight details of 1,500 patches that overlap, as if half as many: four times
    # the relative standard error 1 / sqrt(2 * 3 * 750).
    assert estimate_level(line) == pytest.approx(0.1, rel=0.06)


def test_the_level_of_a_large_picture_is_found_in_little_memory(rng):
    noisy = rng.integers(1, 255, (1000, 1000, 3), np.uint8)
    estimate_level(noisy[:16])  # What is loaded once does not count.
    tracemalloc.start()
    try:
        estimate_level(noisy)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Of the 30,000 patches: 192 bytes, and 28 details in two colours in single precision, twice.
    assert most < 30_000 * (192 + 2 * 28 * 4 * 2) + 8e6


@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (64, 48, 1), (64, 48, 3)])
def test_a_constant_picture_has_level_0(value, shape):
    assert estimate_level(np.full(shape, value, np.uint8)) == 0
    assert estimate_level(np.full(shape, value / 255, np.float32)) == 0


@pytest.mark.parametrize("slope", [0.001, 0.003])
def test_a_slope_has_level_0(slope):
    picture = slope * np.add.outer(np.arange(100), np.arange(90)).astype(np.float32)[..., None]
    assert estimate_level(picture) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_level_of_an_even_picture_is_found(sigma, channels, rng):
    noisy = 0.5 + sigma * rng.standard_normal((160, 160, channels), np.float32)
    # Of the 25,600 pixels at least 15 % count, with a third of their details.
    assert estimate_level(np.clip(noisy, 0, 1)) == pytest.approx(sigma, rel=4 / (2 * 1280) ** 0.5)


@pytest.mark.parametrize("grey", [0, 0.03, 0.9, 1])
def test_clipping_does_not_lower_the_level(grey, rng):
    noisy = grey + 0.1 * rng.standard_normal((160, 160, 3), np.float32)
    assert estimate_level(stored(noisy)) == pytest.approx(0.1, rel=0.08)


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_clipped_areas_do_not_lower_the_level(area, rng):
    clean = np.full((160, 160, 3), 0.5, np.float32)
    clean[:, :120] = area
    noisy = np.clip(clean + 0.1 * rng.standard_normal(clean.shape, np.float32), 0, 1)
    noisy[:80, :120] = area  # some of it never had noise
    assert estimate_level(noisy) == pytest.approx(0.1, rel=0.08)
    noisy[:, :130] = area  # and then most of the picture
    assert estimate_level(noisy) == pytest.approx(0.1, rel=0.08)


@every_photo
@pytest.mark.parametrize("sigma", [5 / 255, 15 / 255, 50 / 255, 75 / 255])
def test_a_photo_misleads_less_than_with_the_wavelet(clean, sigma):
    noisy = stored(with_noise(clean, sigma))
    error = abs(estimate_level(noisy) / sigma - 1)
    other = abs(estimate_sigma(noisy / np.float32(255)) / sigma - 1)
    # What the noise itself leaves open, two percent, may be luck.
    assert error < max(0.6 * other, 0.02)
    assert error < 0.1


@every_photo
def test_a_clean_photo_has_hardly_any_level(clean):
    assert estimate_level(clean) < 3 / 255


@every_photo
def test_a_grey_photo_has_its_level_too(clean):
    noisy = stored(with_noise(clean[..., 1:2], 25 / 255))
    assert estimate_level(noisy) == pytest.approx(25 / 255, rel=0.1)
    # Stored in three channels, it is the same picture.
    assert estimate_level(np.repeat(noisy, 3, axis=2)) == pytest.approx(estimate_level(noisy))


def test_8_bits_and_fractions_mean_the_same():
    noisy = stored(with_noise(PHOTOS["coffee"], 0.1))
    assert estimate_level(noisy) == pytest.approx(estimate_level(noisy / np.float32(255)), rel=1e-4)


def test_more_noise_is_a_higher_level():
    found = [
        estimate_level(stored(with_noise(PHOTOS["chelsea"], sigma)))
        for sigma in np.linspace(0, 0.3, 4)
    ]
    assert np.all(np.diff(found) > 0)


def test_the_input_is_left_alone(rng):
    noisy = rng.random((40, 40, 3), np.float32)
    before = noisy.copy()
    assert estimate_level(noisy) == estimate_level(noisy)
    np.testing.assert_array_equal(noisy, before)


@pytest.mark.parametrize("shape", [(3000, 4000, 3), (40000, 300, 1), (12_000_000, 1, 1)])
def test_of_a_large_picture_some_patches_are_looked_at_all_over(shape):
    down = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, shape[1], dtype=np.float32)[:, None]
    for slope in (down, across)[: 1 + (shape[1] > 1)]:
        patches = np.concatenate(noise_level._sample(np.broadcast_to(slope, shape)))
        assert 0.5 * noise_level._PATCHES < len(patches) <= noise_level._PATCHES
        means = patches[:, 0].mean(axis=(1, 2))
        assert np.quantile(means, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(
            [0, 0.25, 0.5, 0.75, 1], abs=0.02
        )


@pytest.mark.parametrize(("height", "width"), [(450, 1000), (299, 1001)])
def test_patches_begin_in_every_column_and_everywhere_in_the_blocks_of_a_jpeg(height, width):
    shape = height + 7, width + 7, 1
    numbered = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 2**20
    patches = np.concatenate(noise_level._sample(numbered))
    # Every 15th place of the first would be in each fifth column, every tenth of the second
    # in half of the places of a block.
    rows, columns = np.divmod(patches[:, 0, 0, 0] * 2**20, shape[1])
    assert len(np.unique(columns)) == width
    assert len(np.unique(rows % 8 * 8 + columns % 8)) == 64


def test_clipping_at_the_mean_keeps_the_variance_of_half_a_bell():
    # The positive half of a normal variable has mean 1 / sqrt(2 pi), mean square 1 / 2.
    kept = variance_kept(np.array([0.05 / np.sqrt(2 * np.pi)]), 0.05)
    assert kept == pytest.approx(1 / 2 - 1 / (2 * np.pi), rel=1e-6)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3, 0.8])
def test_clipping_keeps_what_a_simulation_keeps(sigma, rng):
    before = np.array([0, 0.04, 0.2, 0.5, 0.7, 1])
    clipped = np.clip(before + sigma * rng.standard_normal((100_000, 6)), 0, 1)
    # The relative standard error of a variance is at most some sqrt(10 / n) for these shapes.
    np.testing.assert_allclose(
        variance_kept(clipped.mean(axis=0), sigma), clipped.var(axis=0) / sigma**2, rtol=0.03
    )


def test_eigenvalues_that_scatter_by_chance_are_all_counted(rng):
    details = 0.1 * rng.standard_normal((300, 21)).astype(np.float32)
    assert noise_level._noise_variance(details) == pytest.approx(np.mean(details**2), rel=1e-4)


def test_directions_that_the_picture_fills_are_left_out(rng):
    details = 0.1 * rng.standard_normal((5000, 21)).astype(np.float32)
    details[:, 4] += rng.standard_normal(5000)
    details[:, 9] -= 0.5 * rng.standard_normal(5000)
    # 19 of 21 are noise: 1 / sqrt(2 * 19 * 5000), and four.
    assert np.sqrt(noise_level._noise_variance(details)) == pytest.approx(0.1, rel=0.01)


def test_real_photos_are_read_within_a_few_percent(data_dir):
    files = sorted((data_dir / "photos" / "train").glob("*.jpg"))[::300]
    if not files:
        pytest.skip(f"needs real photos: there are none in {data_dir / 'photos' / 'train'}")
    errors = []
    for path in files:
        with Image.open(path) as file:
            clean = np.asarray(file.convert("RGB"))
        errors += [
            estimate_level(stored(with_noise(clean, sigma / 255))) / (sigma / 255) - 1
            for sigma in (15, 25, 75)
        ]
    assert abs(np.median(errors)) < 0.02
    assert np.mean(np.abs(errors) < 0.1) > 0.85


@pytest.mark.parametrize("level", [3, 6, 12])
@pytest.mark.parametrize("sigma", [0, 15 / 255])
@every_photo
def test_bands_are_told_by_how_much_rows_differ_and_columns(clean, sigma, level):
    offsets = np.random.default_rng(1).normal(0, level / 255, (len(clean), 1, 1))
    banded = stored(with_noise(clean, sigma) + offsets)
    # The standard error of a robust deviation of 200 rows is 8 %; clipped areas have none.
    rows, columns = (255 * found for found in band_levels(banded))
    assert rows == pytest.approx(level, rel=0.25)
    assert columns == 0
    assert band_levels(banded.swapaxes(0, 1)) == (0, pytest.approx(rows / 255))


@pytest.mark.parametrize("sigma", [0, 15 / 255])
@every_photo
def test_a_photo_has_no_bands(clean, sigma):
    assert band_levels(stored(with_noise(clean, sigma))) == (0, 0)


def test_lines_of_text_and_a_table_are_no_bands(rng):
    page = np.full((200, 200, 1), 1, np.float32)
    for top in range(8, 190, 12):
        page[top : top + 7][rng.random((7, 200)) < 0.4] = 0
    table = np.full((200, 200, 1), 1, np.float32)
    table[::14], table[:, ::30] = 0.6, 0.6
    for drawn in (page, table):
        assert band_levels(drawn) == (0, 0)
        assert band_levels(stored(with_noise(stored(drawn), 10 / 255))) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 300, 3), (300, 63, 1)])
def test_a_small_picture_has_no_bands(shape, rng):
    assert band_levels(rng.random(shape, np.float32)) == (0, 0)
