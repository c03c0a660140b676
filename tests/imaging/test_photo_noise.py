"""The noise of photos in the ranges of photos, and JPEG; the contract is in ``test_noise``."""

import io

import numpy as np
import pytest
from PIL import Image

from imaging import noise
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from imaging.samples.photo_samples import PHOTO_SAMPLES

KINDS = list(PHOTO_NOISE_KINDS.values())
RANDOM = [kind for kind in KINDS if kind.name != "jpeg"]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
every_random_kind = pytest.mark.parametrize("kind", RANDOM, ids=lambda kind: kind.name)


def seeded(seed=1):
    return np.random.default_rng(seed)


def ramp(shape):
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def error(kind, clean, strength):
    return np.mean((kind.corrupt(clean, strength, seeded()) - clean) ** 2)


@pytest.fixture(scope="module")
def photo():
    """A photo with fine detail, ``(192, 192, 3)``."""
    return PHOTO_SAMPLES["cat"].load()[60:252, 150:342].astype(np.float32) / 255


# The ranges of photos


@every_kind
def test_the_same_seed_gives_the_same_photo(kind, photo):
    first = kind.corrupt(photo, kind.default, seeded(5))
    np.testing.assert_array_equal(first, kind.corrupt(photo, kind.default, seeded(5)))


@every_random_kind
def test_another_seed_gives_another_photo(kind, photo):
    first = kind.corrupt(photo, kind.default, seeded(5))
    assert not np.array_equal(first, kind.corrupt(photo, kind.default, seeded(6)))


@every_kind
def test_a_larger_strength_never_does_less(kind, photo):
    errors = [error(kind, photo, strength) for strength in np.linspace(0, kind.high, 12)]
    assert np.all(np.diff(errors) >= 0)
    assert errors[-1] > 0


@every_kind
def test_each_photo_of_a_batch_may_have_its_own_strength(kind, photo):
    strengths = np.array([0, kind.high / 2, kind.high])
    noisy = kind.corrupt(np.stack([photo] * 3), strengths.reshape(3, 1, 1, 1), seeded())
    np.testing.assert_array_equal(noisy[0], photo)
    for degraded, strength in zip(noisy[1:], strengths[1:], strict=True):
        # Mean squares over 110,592 values, of which the replaced ones come in threes.
        expected = error(kind, photo, strength)
        assert np.mean((degraded - photo) ** 2) == pytest.approx(expected, rel=0.06)


def test_what_digits_have_too_is_the_same_noise():
    for name in set(PHOTO_NOISE_KINDS) & set(NOISE_KINDS):
        photos, digits = PHOTO_NOISE_KINDS[name], NOISE_KINDS[name]
        assert photos.corrupt is digits.corrupt
        assert photos.high <= digits.high
    assert set(PHOTO_NOISE_KINDS) - set(NOISE_KINDS) == {"camera", "jpeg"}


def test_gaussian_noise_is_shown_on_the_scale_that_papers_use():
    kind = PHOTO_NOISE_KINDS["gaussian"]
    assert kind.default * kind.shown_per_unit == pytest.approx(25)
    assert kind.high * kind.shown_per_unit == pytest.approx(75)
    assert kind.step * kind.shown_per_unit == pytest.approx(1)


# JPEG


@pytest.mark.parametrize(
    ("compression", "step"),
    [
        # The mean of a block of 8x8 is kept in steps of q / 8, where q is the first number of
        # the table of luminance: 16 at quality 50, 16 * 5000 / quality / 100 below it, and
        # 16 * (200 - 2 * quality) / 100 above.
        (50, 16 / 8),
        (80, 40 / 8),
        (90, 80 / 8),
        (25, 8 / 8),
    ],
)
def test_a_flat_grey_moves_to_the_nearest_step_of_the_quality(compression, step):
    for value in range(0, 256, 3):
        grey = np.full((16, 24, 1), value / 255, np.float32)
        expected = np.clip(128 + step * np.rint((value - 128) / step), 0, 255)
        # At even steps a value may lie in the middle of two.
        tie = abs((value - 128) / step % 1 - 0.5) < 1e-9
        squeezed = noise.jpeg(grey, compression, seeded()) * 255
        assert np.ptp(squeezed) == 0
        assert squeezed[0, 0, 0] == pytest.approx(expected, abs=step if tie else 1e-4)


def test_each_block_of_8_by_8_is_squeezed_by_itself(rng):
    clean = rng.random((32, 32, 1), np.float32)
    changed = clean.copy()
    changed[8:16, 16:24] = rng.random((8, 8, 1), np.float32)
    first, second = (noise.jpeg(each, 60, seeded()) for each in (clean, changed))
    differs = (first != second)[..., 0]
    assert differs[8:16, 16:24].any()
    differs[8:16, 16:24] = False
    assert not differs.any()


def test_colour_has_half_the_resolution_and_brightness_all_of_it():
    # Columns take turns: as bright as each other, but of opposite colour; or the reverse.
    turns = np.arange(64)[None, :] % 2 * np.ones((64, 1), int)
    flat = np.full((64, 64), 128)

    def squeezed(*planes):
        pixels = np.stack(planes, axis=-1).astype(np.uint8)
        clean = np.asarray(Image.fromarray(pixels, "YCbCr").convert("RGB"), np.float32) / 255
        noisy = np.rint(noise.jpeg(clean, 5, seeded()) * 255).astype(np.uint8)
        return np.asarray(Image.fromarray(noisy).convert("YCbCr"), int)

    colours = squeezed(flat, 108 + 40 * turns, flat)[..., 1]
    # What is left are roundings, of RGB and of the coefficients.
    assert np.ptp(colours) <= 6
    assert abs(colours.mean() - 128) < 2
    brightness = squeezed(108 + 40 * turns, flat, flat)[..., 0]
    assert np.median(brightness[:, 1::2] - brightness[:, ::2]) == pytest.approx(40, abs=4)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_what_a_picture_program_stores_at_100_less_the_compression(photo, channels):
    clean = photo[..., :channels]
    pixels = np.rint(clean * 255).astype(np.uint8).squeeze()
    for compression in (1, 50, 80, 95, 99):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=100 - compression)
        expected = np.asarray(Image.open(file), np.float32).reshape(clean.shape) / 255
        np.testing.assert_allclose(noise.jpeg(clean, compression, seeded()), expected, atol=1e-6)


def test_what_leaves_0_to_1_is_stored_as_black_or_white():
    clean = np.repeat(np.float32([-0.5, 1.5]), 32).reshape(1, 64, 1) * np.ones((8, 1, 1))
    squeezed = noise.jpeg(clean.astype(np.float32), 1, seeded())
    np.testing.assert_allclose(squeezed, np.clip(clean, 0, 1), atol=2 / 255)


def test_nothing_about_it_is_random(photo):
    first, second = (noise.jpeg(photo, 80, seeded(seed)) for seed in (1, 2))
    np.testing.assert_array_equal(first, second)


def test_the_photos_of_a_batch_are_squeezed_as_each_by_itself(photo):
    batch = np.stack([photo[:64, :64], photo[64:128, :64]])
    one_by_one = np.stack([noise.jpeg(each, 70, seeded()) for each in batch])
    np.testing.assert_array_equal(noise.jpeg(batch, 70, seeded()), one_by_one)


@pytest.mark.parametrize("compression", [99.5, 100, np.array([[[[5]]], [[[120]]]])])
def test_a_quality_below_one_is_refused(photo, compression):
    with pytest.raises(ValueError, match="compression must be at most 99, got"):
        noise.jpeg(np.stack([photo] * 2), compression, seeded())


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_neither_grey_nor_colour_is_refused(channels):
    with pytest.raises(ValueError, match=f"1 or 3 channels, got {channels}"):
        noise.jpeg(np.zeros((8, 8, channels), np.float32), 50, seeded())
