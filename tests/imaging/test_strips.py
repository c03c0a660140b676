import tracemalloc

import numpy as np
import pytest

from imaging import metrics
from imaging import strips as large
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.pixels import to_image, to_pixels
from imaging.samples.photo_samples import PHOTO_SAMPLES
from imaging.strips import corrupt_pixels, measure_pixels, rms_pixels

RANDOM = [kind for kind in PHOTO_NOISE_KINDS.values() if kind.name != "jpeg"]
GAUSSIAN = PHOTO_NOISE_KINDS["gaussian"]
STRIP = 64  # rows

every_kind = pytest.mark.parametrize("kind", PHOTO_NOISE_KINDS.values(), ids=lambda kind: kind.name)
every_random_kind = pytest.mark.parametrize("kind", RANDOM, ids=lambda kind: kind.name)


@pytest.fixture
def strips(monkeypatch):
    """Have pictures of 200 pixels across worked on in strips of 64 rows."""
    for name in ("STRIP_PIXELS", "SSIM_PIXELS"):
        monkeypatch.setattr(large, name, STRIP * 200 + 199)


@pytest.fixture(scope="module")
def clean():
    """A photo ``(270, 200, 3)``: four strips and one of 14 rows."""
    return PHOTO_SAMPLES["cat"].load()[20:290, 150:350]


@pytest.fixture(scope="module")
def other(clean):
    return corrupt_pixels(GAUSSIAN, clean, 0.1, seed=3)


def whole(kind, clean, strength, seed):
    return to_pixels(kind.corrupt(to_image(clean), strength, np.random.default_rng(seed)))


# Noise


@every_kind
def test_a_picture_of_one_strip_has_the_noise_of_its_seed(kind, clean):
    noisy = corrupt_pixels(kind, clean, kind.default, seed=7)
    assert noisy.dtype == np.uint8
    np.testing.assert_array_equal(noisy, whole(kind, clean, kind.default, 7))


@every_kind
@pytest.mark.parametrize("size", [(1, 1, 1), (7, 5, 3), (270, 200, 1), (1, 30_000, 3)], ids=str)
def test_any_size_comes_back_in_its_shape_the_clean_picture_as_it_was(kind, size, strips, rng):
    clean = rng.integers(0, 256, size, dtype=np.uint8)
    before = clean.copy()
    noisy = corrupt_pixels(kind, clean, kind.default, seed=1)
    assert noisy.shape == size
    np.testing.assert_array_equal(clean, before)


@every_random_kind
def test_no_strip_repeats_the_noise_of_another(kind, strips):
    grey = np.full((5 * STRIP, 200, 1), 128, np.uint8)
    noisy = corrupt_pixels(kind, grey, kind.default, seed=1)
    assert len({strip.tobytes() for strip in np.split(noisy, 5)}) == 5
    # All equally strong: 4 of 12,800 pixels' standard errors, of noise with tails.
    spreads = [strip.std() for strip in np.split(noisy, 5)]
    assert np.ptp(spreads) < 0.1 * np.mean(spreads)


@every_random_kind
def test_the_same_seed_gives_the_same_noise_and_another_another(kind, clean, strips):
    first, again, another = (corrupt_pixels(kind, clean, kind.default, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    for strip in range(0, 270, STRIP):
        assert not np.array_equal(first[strip : strip + STRIP], another[strip : strip + STRIP])


def test_a_larger_strength_scales_the_same_noise(strips):
    grey = np.full((270, 200, 1), 128, np.uint8)
    weak, strong = (corrupt_pixels(GAUSSIAN, grey, level, 2).astype(int) for level in (0.05, 0.1))
    # Each is rounded by half a step at most; at 0.1 nothing of grey leaves 0 to 255 by chance
    # but 5 sigma.
    inside = (strong > 0) & (strong < 255)
    assert inside.mean() > 0.999
    assert np.abs(2 * (weak - 128) - (strong - 128))[inside].max() <= 1.5 + 1e-6


def test_noise_is_clipped_as_a_camera_does():
    white = np.full((50, 50, 3), 255, np.uint8)
    noisy = corrupt_pixels(GAUSSIAN, white, 0.2, 1)
    # Half of the noise would leave the range.
    assert np.mean(noisy == 255) == pytest.approx(0.5, abs=4 * 0.5 / 7500**0.5 + 0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_strips_do_not_cut_the_blocks_of_jpeg(clean, strips, channels):
    jpeg, clean = PHOTO_NOISE_KINDS["jpeg"], clean[..., :channels]
    noisy = corrupt_pixels(jpeg, clean, 80, 1)
    differs = np.flatnonzero((noisy != whole(jpeg, clean, 80, 1)).any(axis=(1, 2)))
    # Colour, which is stored at half the resolution, is smoothed over the two rows at an edge.
    edges = {row for edge in range(STRIP, 270, STRIP) for row in (edge - 1, edge)}
    assert set(differs) <= (edges if channels == 3 else set())


def test_memory_does_not_grow_with_the_picture(monkeypatch):
    """No more than a strip is ever a float."""
    seen = []
    for name in ("STRIP_PIXELS", "SSIM_PIXELS"):
        monkeypatch.setattr(large, name, 6400)
    for name in ("to_image", "_doubles"):
        real = getattr(large, name)
        monkeypatch.setattr(
            large, name, lambda pixels, real=real: seen.append(pixels.size) or real(pixels)
        )
    clean = np.zeros((500, 100, 3), np.uint8)
    corrupt_pixels(GAUSSIAN, clean, 0.1, 1)
    # SSIM looks 5 rows further on either side.
    measure_pixels(clean, clean + np.uint8(1))
    assert max(seen) <= 3 * (6400 + 100 * 2 * 5)


def test_the_error_takes_no_copy_of_the_picture():
    clean = np.zeros((1000, 1000, 3), np.uint8)
    rms_pixels(clean[:1], clean[:1])  # What is loaded once does not count.
    tracemalloc.start()
    rms_pixels(clean, clean)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < clean.nbytes


@every_random_kind
def test_noise_takes_the_memory_of_a_few_copies_of_a_strip(kind):
    clean = np.tile(PHOTO_SAMPLES["cat"].load()[:256, :256], (4, 4, 1))
    one = np.zeros((16, 16, 3), np.uint8)
    corrupt_pixels(kind, one, kind.default, 1)  # What is loaded once does not count.
    tracemalloc.start()
    corrupt_pixels(kind, clean, kind.default, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Copies in single precision: the picture, its random numbers, the noise, and some in between.
    assert peak < 6.5 * clean.size * 4


# Quality


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height", [STRIP, STRIP + 1, 2 * STRIP + 3, 269, 270])
def test_quality_is_that_of_the_whole_picture(clean, other, strips, height, channels):
    pair = clean[:height, :, :channels], other[:height, :, :channels]
    expected = metrics.measure(*(pixels / 255 for pixels in pair))
    measured = measure_pixels(*pair)
    # The same sums of double precision in another order.
    assert measured.psnr == pytest.approx(expected.psnr, rel=1e-9)
    assert measured.ssim == pytest.approx(expected.ssim, rel=1e-9)
    assert measured.mse == pytest.approx(expected.mse, rel=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 500), (500, 3), (10, 2000), (11, 2000)])
def test_the_quality_of_small_and_narrow_pictures_is_that_of_the_whole(size, strips, rng):
    pair = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(2)]
    expected = metrics.measure(*(pixels / 255 for pixels in pair))
    measured = measure_pixels(*pair)
    assert measured.psnr == pytest.approx(expected.psnr, rel=1e-9)
    assert measured.ssim == pytest.approx(expected.ssim, rel=1e-9, abs=1e-12)


def test_the_error_is_that_of_the_whole_picture(clean, other, strips):
    exact = np.sqrt(np.mean((clean.astype(float) - other) ** 2)) / 255
    assert rms_pixels(clean, other) == pytest.approx(exact, rel=1e-12)
    # The noise that was added: some of it was clipped, and rounding adds 1/12 of a step.
    assert rms_pixels(clean, other) == pytest.approx(0.1, rel=0.05)


def test_identical_pictures_have_no_error_and_infinite_psnr(clean, strips):
    quality = measure_pixels(clean, clean.copy())
    assert quality.mse == 0
    assert quality.psnr == float("inf")
    assert quality.ssim == pytest.approx(1)
