import numpy as np
import pytest
from scipy import ndimage

from imaging.repetition import WINDOW, energies, repetition


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
