"""The energy at period 2, the spectra it comes from, and what is like itself a few pixels on."""

import numpy as np
import pytest
from scipy import ndimage

from imaging.spectrum import (
    WINDOW,
    energies,
    period_two_share,
    period_two_shares,
    repetition,
    spectra,
)


def one_map(values: np.ndarray) -> np.ndarray:
    """The values ``(H, W)`` as maps ``(H, W, 1)``."""
    return values[..., np.newaxis].astype(float)


def test_a_checkerboard_has_all_its_energy_at_period_two():
    row, column = np.indices((8, 8))
    assert period_two_share(one_map((row + column) % 2)) == pytest.approx(1)
    assert period_two_share(one_map(row % 2)) == pytest.approx(1)
    assert period_two_share(one_map(np.sin(2 * np.pi * row / 8))) == pytest.approx(0, abs=1e-12)
    assert period_two_share(np.zeros((8, 8, 1))) == 0
    # Two waves of equal variance, one of period 2.
    both = np.sqrt(2) * np.sin(2 * np.pi * row / 8) + (-1.0) ** column
    assert period_two_share(one_map(both)) == pytest.approx(0.5)


def test_white_noise_has_three_of_all_waves_at_period_two(rng):
    shares = period_two_shares(rng.standard_normal((16, 16, 400)))
    # Each wave has the same share of all but the mean; the standard error is below 0.0004.
    assert np.mean(shares) == pytest.approx(3 / 255, abs=0.0016)


def test_each_map_counts_by_its_variance():
    row, column = np.indices((8, 8))
    loud, quiet = 3.0 * (-1.0) ** column, np.sqrt(2) * np.sin(2 * np.pi * row / 8)
    maps = np.stack([loud, quiet, np.ones((8, 8))], axis=-1)
    np.testing.assert_allclose(period_two_shares(maps), [1, 0, 0], atol=1e-12)
    assert period_two_share(maps) == pytest.approx(9 / 10)


def test_an_odd_side_is_refused():
    with pytest.raises(ValueError, match="even"):
        period_two_share(np.zeros((7, 8, 1)))


def test_a_spectrum_keeps_the_energy_and_has_the_slowest_wave_in_the_middle(rng):
    values = one_map(rng.random((8, 8)))
    energy = spectra(values)
    assert energy.sum() == pytest.approx(np.square(values - values.mean()).sum())  # Parseval.
    assert energy[4, 4] == pytest.approx(0, abs=1e-20)


# What is like itself a few pixels on


@pytest.mark.parametrize("period", [3, 4.5, 8, 15])
@pytest.mark.parametrize("angle", [0, 0.6])
def test_waves_repeat_themselves_wholly(period, angle):
    rows, columns = np.indices((WINDOW, WINDOW))
    along = (columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / period)
    found = repetition(energies(np.cos(along).astype(np.float32)[np.newaxis, ..., np.newaxis]))
    assert found.shape == (1,)
    # Whole pixels meet a slanted wave nearly.
    assert found[0] > 0.7


@pytest.mark.parametrize("width", [0, 0.5, 1, 2])
def test_noise_does_not_whatever_neighbours_have_in_common(width, rng):
    noise = rng.standard_normal((40, WINDOW, WINDOW, 1), np.float32)
    noise = ndimage.gaussian_filter(noise, (0, width, width, 0)) if width else noise
    assert repetition(energies(noise)).max() < 0.38
    assert repetition(energies(noise).sum(axis=0, keepdims=True))[0] < 0.1


def test_a_pattern_in_noise_repeats_itself_by_its_share(rng):
    pattern = np.cos(np.indices((WINDOW, WINDOW))[0] * (2 * np.pi / 6)).astype(np.float32)
    pattern = (pattern / pattern.std())[..., np.newaxis]
    noise = rng.standard_normal((60, WINDOW, WINDOW, 3), np.float32)
    energy = energies(0.5**0.5 * (pattern + noise)).sum(axis=0, keepdims=True)
    assert repetition(energy)[0] == pytest.approx(0.5, abs=0.05)


def test_what_is_even_does_not_repeat_itself():
    assert repetition(energies(np.full((2, WINDOW, WINDOW, 1), 0.3, np.float32))).tolist() == [0, 0]
