import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn, idctn

from imaging import metrics, specialists
from imaging.filters import CLASSICAL
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.pixels import to_pixels
from imaging.specialists import SPECIALISTS, jpeg_quality
from tests.imaging.degraded_photos import PHOTOS, STRENGTHS, clean_photo, corrupt

FILTERS = list(SPECIALISTS.values())
SWITCHING, ANSCOMBE, LOG_WAVELET, SHIFTED_BLOCKS = FILTERS

every_filter = pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: filter.name)
every_photo = pytest.mark.parametrize("photo", PHOTOS)
every_law = pytest.mark.parametrize("law", [specialists._POISSON, specialists._SPECKLE])


@every_filter
@every_photo
def test_a_clean_photo_is_hardly_changed(filter, photo):
    clean = clean_photo(photo)
    # An error of 1.4 of 255, a texture taken for noise.
    assert metrics.psnr(clean, filter.denoise(clean)) > 45


@every_filter
def test_grey_stays_grey(filter):
    noisy = corrupt(clean_photo("chelsea")[..., :1], filter.kind, STRENGTHS[filter.kind][1])
    denoised = filter.denoise(np.repeat(noisy, 3, axis=2))
    np.testing.assert_allclose(denoised, np.repeat(denoised[..., :1], 3, axis=2), atol=1e-5)


@every_filter
def test_a_grey_photo_gets_better(filter):
    clean = clean_photo("coffee")[..., 1:2]
    noisy = corrupt(clean, filter.kind, STRENGTHS[filter.kind][1])
    assert metrics.psnr(clean, filter.denoise(noisy)) > metrics.psnr(clean, noisy) + 0.4


@pytest.mark.parametrize(
    ("filter", "strength"),
    [(filter, strength) for filter in FILTERS for strength in STRENGTHS[filter.kind]],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_specialist_beats_every_other_filter_on_its_noise(filter, strength):
    qualities = {}
    for name in PHOTOS:
        clean = clean_photo(name)
        noisy = corrupt(clean, filter.kind, strength)
        sigma = metrics.rms(clean, noisy)
        for each in (filter, *CLASSICAL.values()):
            denoised = each.denoise(noisy, sigma)
            qualities.setdefault(each.name, []).append(metrics.psnr(clean, denoised))
    best = np.mean(qualities.pop(filter.name))
    assert best > max(np.mean(others) for others in qualities.values()) + 0.05


# How far off is usual; with JPEG, colours count as an average photo has them.
@pytest.mark.parametrize(
    ("filter", "off"), [(ANSCOMBE, 0.1), (LOG_WAVELET, 0.1), (SHIFTED_BLOCKS, 0.3)]
)
def test_the_noise_level_of_a_photo_is_found(filter, off):
    for photo, strength in zip(PHOTOS, STRENGTHS[filter.kind], strict=True):
        clean = clean_photo(photo)
        noisy = corrupt(clean, filter.kind, strength)
        sigma = metrics.rms(clean, noisy)
        assert filter.find_sigma(noisy) == pytest.approx(sigma, rel=off)
        # And then it makes little difference whether the filter is told.
        told, unaided = filter.denoise(noisy, sigma), filter.denoise(noisy)
        assert metrics.psnr(clean, unaided) == pytest.approx(metrics.psnr(clean, told), abs=0.3)


def test_each_specialist_names_the_noise_it_knows():
    kinds = {name: each.kind for name, each in SPECIALISTS.items()}
    assert set(kinds.values()) <= set(PHOTO_NOISE_KINDS) - {"gaussian"}
    assert [name for name, kind in kinds.items() if kind == "salt-and-pepper"] == ["switching"]
    assert {each.kind for each in FILTERS} == STRENGTHS.keys()


# Salt and pepper


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_pixels_that_are_not_wrong_keep_their_values(share):
    noisy = corrupt(clean_photo("astronaut"), "salt-and-pepper", share)
    good = ~np.all((noisy == 0) | (noisy == 1), axis=-1)
    np.testing.assert_array_equal(SWITCHING.denoise(noisy)[good], noisy[good])


def test_white_that_does_not_stand_out_is_left_alone():
    light = np.full((40, 40, 3), 0.97, np.float32)
    light[20, 20] = 1
    np.testing.assert_array_equal(SWITCHING.denoise(light, 0.1), light)


# Poisson and speckle


@every_law
@pytest.mark.parametrize("strength", [0.02, 0.1])
def test_behind_its_curve_a_noise_is_even(law, strength):
    outcomes, level = law.evened(law.outcomes(strength), strength)
    mid = (specialists._GREYS > 0.45) & (specialists._GREYS < 0.65)
    # The curve of speckle is a logarithm above its offset of 0.16 to 0.19: v / sqrt(v^2 + o^2).
    assert outcomes[mid].std(axis=1) == pytest.approx(level, rel=0.08)


@pytest.mark.parametrize("grain", [0.05, 0.1, 0.2])
def test_the_way_back_is_the_closed_form_of_makitalo_and_foi(grain):
    law = specialists._POISSON
    outcomes = law.corrupt(
        np.repeat(np.float32([[0.1], [0.3], [0.6]]), 4096, axis=1),
        grain,
        specialists._EvenlySpread(),
    )
    mean = law.curve(outcomes.astype(np.float64), grain).mean(axis=1) / grain
    root = (3 / 2) ** 0.5
    count = mean**2 / 4 + root / 4 / mean - 11 / 8 / mean**2 + 5 * root / 8 / mean**3 - 1 / 8
    # The error of the closed form in counts (IEEE TIP 2011, doi:10.1109/TIP.2011.2121085).
    np.testing.assert_allclose(count * grain**2, [0.1, 0.3, 0.6], atol=0.02 * grain**2 + 1e-4)


@pytest.mark.parametrize("filter", [ANSCOMBE, LOG_WAVELET], ids=lambda filter: filter.name)
@pytest.mark.parametrize("grey", [0.1, 0.4, 0.8])
def test_a_noisy_grey_comes_back_at_its_mean_though_white_was_clipped(filter, grey):
    clean = np.full((160, 160, 1), grey, np.float32)
    noisy = corrupt(clean, filter.kind, 0.4)
    denoised = filter.denoise(noisy, metrics.rms(clean, noisy))
    # A value has a standard deviation of at most 0.36; of 25,600, four times 0.002, and twice
    # that, as a clipped mean is stretched; and 0.01 for what the wavelet leaves.
    assert denoised.mean() == pytest.approx(grey, abs=0.03)


@every_law
@pytest.mark.parametrize("strength", [0.01, 0.1, 0.35])
def test_the_level_of_a_photo_follows_from_the_strength(law, strength):
    clean = clean_photo("chelsea")
    noisy = np.clip(law.corrupt(clean, strength, np.random.default_rng(1)), 0, 1)
    levels = specialists._levels(noisy, law)
    predicted = np.interp(strength, np.append(0, specialists._STRENGTHS), levels)
    assert predicted == pytest.approx(metrics.rms(clean, noisy), rel=0.03)


@pytest.mark.parametrize("filter", [ANSCOMBE, LOG_WAVELET], ids=lambda filter: filter.name)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_dark_tile_is_told_of_the_noise_of_the_whole_picture(filter, dtype):
    clean = np.tile(np.linspace(0.05, 0.95, 512, dtype=np.float32)[:, np.newaxis], (256, 1, 1))
    noisy = corrupt(clean, filter.kind, 0.2)
    sigma = metrics.rms(clean, noisy)
    picture = to_pixels(noisy) if dtype == np.uint8 else noisy
    whole = filter.denoise(noisy, sigma)
    dark = filter.fitted_to(picture).denoise(noisy[:, :256], sigma)
    # Away from the cut, beyond the 31 pixels that the wavelet sees; at the other end, a fifth of
    # what the coefficients there are weakened by lies at the cut too.
    np.testing.assert_allclose(dark[:, :200], whole[:, :200], atol=1e-4)
    # Alone, it is taken to have as much noise as the whole, and is smoothed by more.
    alone = filter.denoise(noisy[:, :256], sigma)
    assert np.abs(alone[:, :200] - whole[:, :200]).max() > 0.01


@every_law
@pytest.mark.parametrize("shape", [(300, 900, 3), (2000, 60, 1), (5, 7, 3), (1, 1, 1)])
def test_the_levels_of_a_picture_are_the_same_in_strips(law, shape, rng, monkeypatch):
    noisy = rng.random(shape, np.float32)
    levels = specialists._levels(noisy, law)
    monkeypatch.setattr(specialists, "strips", lambda height, width: [slice(0, height)])
    np.testing.assert_allclose(specialists._levels(noisy, law), levels, rtol=1e-6)


# JPEG


@pytest.mark.parametrize("quality", [5, 10, 25, 40, 50, 51, 75, 90, 95])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_quality_of_a_jpeg_is_found(quality, channels):
    noisy = corrupt(clean_photo("astronaut")[..., :channels], "jpeg", 100 - quality)
    assert jpeg_quality(noisy) == quality


def test_the_last_of_two_qualities_is_found():
    once = corrupt(clean_photo("coffee"), "jpeg", 30)
    assert jpeg_quality(corrupt(once, "jpeg", 60)) == 40


@every_photo
def test_what_was_no_jpeg_has_no_quality(photo):
    clean = clean_photo(photo)
    assert jpeg_quality(corrupt(clean, "gaussian", 0.1)) is None
    # Cut out elsewhere than at a block's corner, it does not show.
    assert jpeg_quality(corrupt(clean, "jpeg", 80)[3:, 5:]) is None


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 30, 3), (64, 64, 1), (64, 64, 3)])
def test_an_even_or_tiny_picture_has_no_quality(shape):
    assert jpeg_quality(np.full(shape, 0.4, np.float32)) is None


def test_a_jpeg_cut_elsewhere_gets_better_when_the_level_is_told():
    clean = clean_photo("astronaut")
    noisy = corrupt(clean, "jpeg", 80)
    clean, noisy = clean[3:, 5:], noisy[3:, 5:]
    denoised = SHIFTED_BLOCKS.denoise(noisy, metrics.rms(clean, noisy))
    assert metrics.psnr(clean, denoised) > metrics.psnr(clean, noisy) + 0.5


def test_without_blocks_a_little_more_noise_changes_the_result_a_little():
    noisy = corrupt(clean_photo("chelsea")[:56, :56], "gaussian", 0.1)
    for sigma in (0.02, 0.06, 0.15):
        low, high = (SHIFTED_BLOCKS.denoise(noisy, sigma * by) for by in (0.999, 1.001))
        # A detail of an eighth of the range may drop out of one block of sixteen.
        assert np.abs(low - high).max() < 0.02


def test_steps_are_those_of_the_standard():
    steps = specialists._step_tables()
    # ITU-T T.81, table K.1, is quality 50: its first row and column.
    assert steps[49, 0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert steps[49, :, 0].tolist() == [16, 12, 14, 14, 18, 24, 49, 72]
    # Twice as large at half the quality, by the rule of libjpeg.
    np.testing.assert_array_equal(steps[24], 2 * steps[49])
    assert np.all(steps[99] == 1)


def test_details_are_the_cosine_transform_of_each_block(rng):
    plane = rng.random((24, 32)).astype(np.float32)
    details = specialists._details(plane)
    expected = dctn(plane[8:16, 16:24], norm="ortho")
    np.testing.assert_allclose(details[1, :, 2, :], expected, atol=1e-5)
    np.testing.assert_allclose(specialists._from_details(details), plane, atol=1e-6)


def test_the_mean_of_blocks_is_that_of_one_block_after_the_other(rng):
    plane = (20 * rng.random((16, 24))).astype(np.float32)
    plane[:, 11:] += 100
    steps = np.add.outer(np.arange(8), np.arange(8)) * 4.0 + 10
    padded = np.pad(plane, 8, mode="symmetric")
    sums, weights = np.zeros((2, *padded.shape))
    for down, right in specialists._SHIFTS:
        for row in range(down, padded.shape[0] - 7, 8):
            for column in range(right, padded.shape[1] - 7, 8):
                block = slice(row, row + 8), slice(column, column + 8)
                details = dctn(padded[block], norm="ortho")
                kept = np.abs(details) > 0.3 * steps
                kept[0, 0] = True
                sums[block] += idctn(details * kept, norm="ortho") / kept.sum()
                weights[block] += 1 / kept.sum()
    expected = (sums / weights)[8:-8, 8:-8]
    np.testing.assert_allclose(specialists._without_weak_details(plane, steps), expected, atol=1e-3)


def test_colours_are_averaged_on_one_side_of_an_edge():
    brightness = np.zeros((32, 32), np.float32)
    brightness[:, 16:] = 100
    blurred = np.interp(np.arange(32), [13, 18], [0, 40]).astype(np.float32)
    colour = np.tile(blurred, (32, 1))
    first, second = specialists._mean_of_alike(brightness, colour, 2 * colour, width=10)
    # A blurred edge becomes steeper where the brightness has one.
    assert np.all(first[:, 15] < 0.8 * colour[:, 15])
    assert np.all(first[:, 16] > colour[:, 16])
    # Far from it nothing is mixed in: a jump of ten widths counts exp(-50).
    np.testing.assert_allclose(first[:, :5], 0, atol=1e-5)
    np.testing.assert_allclose(first[:, 27:], 40, atol=1e-4)
    assert np.all(second[:, 16] > first[:, 16])


def test_shifts_are_spread_evenly():
    shifts = np.array(specialists._SHIFTS)
    assert len(np.unique(shifts, axis=0)) == 16
    for axis in (0, 1):
        assert np.bincount(shifts[:, axis]).tolist() == [2] * 8


def test_real_photos_get_better(data_dir):
    files = sorted((data_dir / "photos" / "train").glob("*.jpg"))[20::500]
    if not files:
        pytest.skip(f"needs real photos: there are none in {data_dir / 'photos' / 'train'}")
    for path in files:
        with Image.open(path) as file:
            clean = np.asarray(file.convert("RGB"))[40:152, 40:168].astype(np.float32) / 255
        for filter in FILTERS:
            noisy = corrupt(clean, filter.kind, STRENGTHS[filter.kind][1])
            denoised = filter.denoise(noisy)
            assert metrics.psnr(clean, denoised) > metrics.psnr(clean, noisy) + 0.3
