import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import poisson

from imaging import noise
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS

KINDS = list(NOISE_KINDS.values())
ADDING = [noise.gaussian, noise.uniform, noise.speckle]
REPLACING = [noise.salt_and_pepper, noise.masking, noise.block]
BY_SHARE = REPLACING

# 65,536 pixels of a grey that no kind of noise puts in place of another value.
GREY = np.full((256, 256, 1), 0.3, np.float32)
PIXELS = GREY.size

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
every_kind_of_both = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=f"{pictures}-{kind.name}")
        for pictures, kinds in (("digits", NOISE_KINDS), ("photos", PHOTO_NOISE_KINDS))
        for kind in kinds.values()
    ],
)


def seeded(seed=1):
    return np.random.default_rng(seed)


def ramp(shape):
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


class EvenlySpread:
    """Stands in for a generator: normal numbers at equally likely quantiles, in order."""

    def standard_normal(self, shape, dtype):
        count = int(np.prod(shape))
        return ndtri((np.arange(count) + 0.5) / count).reshape(shape).astype(dtype)


@every_kind_of_both
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (28, 28, 1), (4, 7, 5, 3)])
def test_a_noisy_picture_has_the_shape_and_type_of_the_clean_one(kind, shape):
    noisy = kind.corrupt(ramp(shape), kind.default, seeded())
    assert noisy.shape == shape
    assert noisy.dtype == np.float32


@every_kind
def test_the_same_seed_gives_the_same_picture(kind):
    clean = ramp((28, 28, 3))
    first = kind.corrupt(clean, kind.default, seeded(5))
    np.testing.assert_array_equal(first, kind.corrupt(clean, kind.default, seeded(5)))


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("gaussian", "70a21d077bb07a23"),
        ("salt-and-pepper", "3902e1f19a18f6dd"),
        ("poisson", "bd5e97888e56c313"),
        ("speckle", "40c982c8f7df258a"),
        ("uniform", "17b7387c0469049b"),
        ("masking", "22d2bb2d96831631"),
        ("block", "a5989c055b9bc675"),
    ],
)
def test_a_link_from_before_still_opens_the_same_picture(name, digest):
    """Taken from the outputs of the first version: a seed in a link is a promise."""
    kind, clean = NOISE_KINDS[name], ramp((28, 28, 3))
    one = kind.corrupt(clean, kind.default, seeded(7))
    strengths = np.reshape([kind.low, kind.default, kind.high], (3, 1, 1, 1))
    many = kind.corrupt(np.stack([clean] * 3), strengths, seeded(8))
    assert hashlib.sha256(one.tobytes() + many.tobytes()).hexdigest().startswith(digest)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.pattern], ids=lambda kind: kind.name
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (2, 7, 5, 3)])
def test_the_pattern_is_all_that_a_kind_draws(kind, shape):
    by_kind, by_pattern = seeded(3), seeded(3)
    kind.corrupt(ramp(shape), kind.default, by_kind)
    assert kind.pattern(shape, by_pattern).size
    assert by_kind.bit_generator.state == by_pattern.bit_generator.state


@every_kind
def test_another_seed_gives_another_picture(kind):
    first = kind.corrupt(GREY, kind.default, seeded(5))
    assert not np.array_equal(first, kind.corrupt(GREY, kind.default, seeded(6)))


@every_kind_of_both
def test_a_strength_of_zero_changes_nothing(kind):
    clean = ramp((9, 8, 3))
    for strength in (0, 0.0, np.zeros((1, 1, 1))):
        np.testing.assert_array_equal(kind.corrupt(clean, strength, seeded()), clean)


@every_kind_of_both
def test_the_clean_picture_is_left_alone(kind):
    clean = ramp((9, 8, 3))
    before = clean.copy()
    kind.corrupt(clean, kind.high, seeded())
    np.testing.assert_array_equal(clean, before)


@every_kind
def test_a_larger_strength_never_does_less(kind):
    strengths = np.linspace(0, kind.high, 12)
    errors = [np.mean((kind.corrupt(GREY, s, seeded()) - GREY) ** 2) for s in strengths]
    assert np.all(np.diff(errors) >= 0)
    assert errors[-1] > 0


@pytest.mark.parametrize("corrupt", ADDING)
def test_added_noise_grows_in_proportion_to_its_strength(corrupt):
    clean = ramp((64, 64, 3))
    weak = (corrupt(clean, 0.125, seeded()) - clean) / 0.125
    strong = (corrupt(clean, 0.75, seeded()) - clean) / 0.75
    # Sums below 8 in single precision are off by 2**-22 at most, here divided by 0.125.
    np.testing.assert_allclose(weak, strong, atol=2**-22 / 0.125 * 2)


@pytest.mark.parametrize("corrupt", REPLACING)
def test_what_is_replaced_stays_replaced_at_a_larger_strength(corrupt):
    for weak_strength, strong_strength in [(0.1, 0.2), (0.31, 0.34), (0.5, 0.8)]:
        for seed in range(20):
            clean = GREY[:29, :23]
            weak = corrupt(clean, weak_strength, seeded(seed))
            strong = corrupt(clean, strong_strength, seeded(seed))
            replaced = weak != clean
            np.testing.assert_array_equal(strong[replaced], weak[replaced])


@pytest.mark.parametrize(("weak", "strong"), [(0.05, 0.1), (0.15, 0.2), (0.3, 0.9)])
def test_photon_counts_keep_their_order_when_there_are_fewer_photons(weak, strong):
    many = noise.poisson(GREY, weak, seeded()).ravel()
    few = noise.poisson(GREY, strong, seeded()).ravel()
    by_many_then_few = np.lexsort((few, many))
    assert np.all(np.diff(few[by_many_then_few]) >= 0)


def test_photon_noise_keeps_its_pattern_when_there_are_fewer_photons():
    many, few = (noise.poisson(GREY, grain, seeded()) - GREY for grain in (0.05, 0.1))
    # Both follow one normal number; rounding 30 photons adds 1/12 to their variance of 30,
    # their skewness 1/18: a correlation of 1 / sqrt(1 + (1/12 + 1/18) / 30) = 0.998.
    assert np.corrcoef(many.ravel(), few.ravel())[0, 1] > 0.99


def test_gaussian_noise_has_the_requested_spread():
    added = noise.gaussian(GREY, 0.1, seeded()) - GREY
    # Standard errors: of a standard deviation sigma / sqrt(2 n), of a mean sigma / sqrt(n).
    assert np.std(added) == pytest.approx(0.1, abs=4 * 0.1 / (2 * PIXELS) ** 0.5)
    assert np.mean(added) == pytest.approx(0, abs=4 * 0.1 / PIXELS**0.5)


def test_uniform_noise_stays_in_its_interval_and_fills_it():
    added = noise.uniform(GREY, 0.6, seeded()) - GREY
    assert np.abs(added).max() <= 0.6 + 1e-6
    # The variance of the square of a uniform number is (1/5 - 1/9) half_width ** 4.
    tolerance = 4 * ((1 / 5 - 1 / 9) / PIXELS) ** 0.5 * 0.36
    assert np.mean(added**2) == pytest.approx(0.36 / 3, abs=tolerance)


def test_speckle_grows_with_brightness_and_spares_black():
    dark, bright = (
        np.std(noise.speckle(np.full_like(GREY, value), 0.4, seeded())) for value in (0.25, 1.0)
    )
    assert bright == pytest.approx(0.4, abs=4 * 0.4 / (2 * PIXELS) ** 0.5)
    assert dark == pytest.approx(bright / 4, rel=1e-4)
    assert not noise.speckle(np.zeros_like(GREY), 0.4, seeded()).any()


@pytest.mark.parametrize("grain", [0.05, 0.15, 0.4, 1.0])
def test_photon_noise_keeps_the_mean_and_has_the_variance_of_a_count(grain):
    noisy = noise.poisson(GREY, grain, seeded())
    variance = 0.3 * grain**2
    # The fourth central moment of a Poisson number of mean m is m + 3 m**2.
    kurtosis = 3 + grain**2 / 0.3
    assert np.mean(noisy) == pytest.approx(0.3, abs=4 * (variance / PIXELS) ** 0.5)
    spread = 4 * variance * ((kurtosis - 1) / PIXELS) ** 0.5
    # The expansion used above 12 photons is allowed another half percent.
    assert np.var(noisy) == pytest.approx(variance, abs=spread + 0.005 * variance)


@pytest.mark.parametrize("photons", [0.02, 0.7, 3.0, 11.9])
def test_few_photons_are_counted_exactly(photons):
    white = np.ones((100, 100, 1), np.float32)
    grain = photons**-0.5
    counts = noise.poisson(white, grain, EvenlySpread()) * photons
    draw = (np.arange(white.size) + 0.5) / white.size
    expected = poisson.ppf(draw, photons)
    # A normal number in single precision misses the edge of a count in a pixel or two.
    assert np.mean(np.rint(counts).ravel() != expected) <= 3 / white.size
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-5 * photons + 1e-5)


@pytest.mark.parametrize("photons", [12.1, 20.0, 100.0, 5000.0])
def test_many_photons_follow_the_poisson_distribution(photons):
    white = np.ones((200, 200, 1), np.float32)
    counts = np.rint(noise.poisson(white, photons**-0.5, EvenlySpread()).ravel() * photons)
    seen = np.unique(counts)
    share_up_to = np.searchsorted(np.sort(counts), seen, side="right") / white.size
    # 0.1 %: without its third-order term the expansion would be off by 0.12 % at 12 photons.
    np.testing.assert_allclose(share_up_to, poisson.cdf(seen, photons), atol=0.001)


def test_salt_and_pepper_come_in_equal_parts():
    noisy = noise.salt_and_pepper(GREY, 0.3, seeded())
    error = 4 * (0.15 * 0.85 / PIXELS) ** 0.5
    assert np.mean(noisy == 1) == pytest.approx(0.15, abs=error)
    assert np.mean(noisy == 0) == pytest.approx(0.15, abs=error)
    np.testing.assert_array_equal(np.unique(noisy), np.float32([0, 0.3, 1]))


def test_masking_drops_the_requested_share():
    noisy = noise.masking(GREY, 0.6, seeded())
    assert np.mean(noisy == 0) == pytest.approx(0.6, abs=4 * (0.6 * 0.4 / PIXELS) ** 0.5)
    np.testing.assert_array_equal(np.unique(noisy), np.float32([0, 0.3]))


@pytest.mark.parametrize("side", [0.1, 0.25, 0.5, 0.8, 1.0])
def test_a_block_is_a_grey_square_inside_the_picture(side):
    for seed in range(10):
        noisy = noise.block(GREY[:40, :70], side, seeded(seed))[..., 0]
        rows, columns = np.nonzero(noisy == 0.5)
        assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == side * 40
        assert rows.size == (side * 40) ** 2


def test_a_block_may_lie_anywhere():
    covered = sum(noise.block(GREY[:20, :20], 0.5, seeded(seed)) == 0.5 for seed in range(200))
    # A corner is covered when the centre is drawn within 5 of 20 pixels of it, both ways: 1 in 16.
    assert covered.min() > 0


@pytest.mark.parametrize("corrupt", [noise.gaussian, noise.uniform, noise.speckle, noise.poisson])
def test_noise_is_not_clipped(corrupt):
    assert corrupt(np.ones_like(GREY), 0.5, seeded()).max() > 1


def test_added_noise_may_be_below_black():
    assert noise.gaussian(np.zeros_like(GREY), 0.5, seeded()).min() < 0


@pytest.mark.parametrize("corrupt", REPLACING)
def test_all_channels_of_a_pixel_are_replaced_together(corrupt):
    clean = np.broadcast_to(np.float32([0.2, 0.4, 0.7]), (40, 40, 3))
    noisy = corrupt(clean, 0.4, seeded())
    replaced = np.any(noisy != clean, axis=-1)
    assert replaced.any()
    assert np.all(noisy[replaced] == noisy[replaced][:, :1])


@pytest.mark.parametrize("corrupt", ADDING)
def test_added_noise_differs_between_channels(corrupt):
    noisy = corrupt(np.full((40, 40, 3), 0.5, np.float32), 0.4, seeded())
    assert not np.array_equal(noisy[..., 0], noisy[..., 1])


@every_kind
def test_each_picture_of_a_batch_may_have_its_own_strength(kind):
    strengths = np.array([0, kind.high / 2, kind.high])
    batch = np.stack([GREY] * 3)
    noisy = kind.corrupt(batch, strengths.reshape(3, 1, 1, 1), seeded())
    assert noisy.shape == batch.shape
    assert noisy.dtype == np.float32
    np.testing.assert_array_equal(noisy[0], GREY)
    for picture, strength in zip(noisy[1:], strengths[1:], strict=True):
        single = kind.corrupt(GREY, strength, seeded(2))
        # Mean squares over 65,536 pixels: none of the kinds has a relative standard error above
        # sqrt(6 / n) = 1 %; four of the difference of two.
        power = np.mean((single - GREY) ** 2)
        assert np.mean((picture - GREY) ** 2) == pytest.approx(power, rel=4 * 2**0.5 * 0.01)


@every_kind
def test_the_pictures_of_a_batch_get_different_noise(kind):
    noisy = kind.corrupt(np.stack([GREY] * 3), kind.default, seeded())
    assert not np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[1], noisy[2])


@every_kind_of_both
@pytest.mark.parametrize("strength", [-0.1, float("nan"), np.array([0.1, -0.1])])
def test_a_negative_strength_is_refused(kind, strength):
    with pytest.raises(ValueError, match=r"must (not be negative|be from 0 to 1), got"):
        kind.corrupt(GREY, strength, seeded())


@pytest.mark.parametrize("corrupt", BY_SHARE)
def test_a_share_above_one_is_refused(corrupt):
    with pytest.raises(ValueError, match=r"must be from 0 to 1, got 1\.1"):
        corrupt(GREY, 1.1, seeded())


@every_kind_of_both
def test_a_slider_starts_inside_its_range_at_a_whole_step(kind):
    assert kind.low == 0
    assert kind.low < kind.default < kind.high
    for place in (kind.default, kind.high):
        assert place / kind.step == pytest.approx(round(place / kind.step))


@every_kind_of_both
def test_a_strength_off_the_slider_is_refused_with_the_range(kind):
    assert kind.require_in_range(kind.high) == kind.high
    for strength in (-0.01, kind.high + 0.01, float("nan")):
        with pytest.raises(ValueError, match=f"from 0 to {kind.high:g}, got {strength:g}"):
            kind.require_in_range(strength)


@settings(deadline=None, max_examples=160)
@given(
    kind=st.sampled_from([*KINDS, *PHOTO_NOISE_KINDS.values()]),
    share=st.floats(0, 1),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_takes_any_strength_on_the_slider(kind, share, height, width, channels, seed):
    clean = ramp((height, width, channels))
    noisy = kind.corrupt(clean, share * kind.high, seeded(seed))
    assert noisy.shape == clean.shape
    assert np.isfinite(noisy).all()
