"""The contract of all filters, classical ones and specialists."""

import numpy as np
import pytest

from imaging.filters import CLASSICAL
from imaging.specialists import SPECIALISTS, Specialist
from tests.imaging.degraded_photos import STRENGTHS, corrupt

FILTERS = [*CLASSICAL.values(), *SPECIALISTS.values()]

every_filter = pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: filter.name)


def test_no_two_filters_have_the_same_name():
    assert not SPECIALISTS.keys() & CLASSICAL.keys()


@every_filter
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 3), (2, 3, 3), (7, 5, 1), (28, 28, 1), (33, 64, 3)]
)
@pytest.mark.parametrize("sigma", [None, 0.01, 0.3, 1.0])
def test_any_picture_keeps_its_shape_type_and_range(filter, shape, sigma, rng):
    pictures = [rng.random(shape, np.float32)]
    if isinstance(filter, Specialist):
        degraded = corrupt(rng.random(shape, np.float32), filter.kind, STRENGTHS[filter.kind][2])
        pictures.append(degraded)
    for noisy in pictures:
        before = noisy.copy()
        denoised = filter.denoise(noisy, sigma)
        assert denoised.shape == shape
        assert denoised.dtype == np.float32
        assert denoised.min() >= 0
        assert denoised.max() <= 1
        np.testing.assert_array_equal(noisy, before)


@every_filter
def test_without_noise_nothing_is_changed(filter, rng):
    noisy = rng.random((9, 12, 3), np.float32)
    np.testing.assert_array_equal(filter.denoise(noisy, 0), noisy)


@every_filter
@pytest.mark.parametrize("sigma", [-0.1, float("nan")])
def test_a_negative_noise_level_is_refused(filter, sigma):
    with pytest.raises(ValueError, match=f"sigma must not be negative, got {sigma}"):
        filter.denoise(np.zeros((4, 4, 1), np.float32), sigma)


@every_filter
@pytest.mark.parametrize(
    "colour", [[0.0], [0.3], [1.0], [0.2, 0.5, 0.9], [0.2, 0.6, 1.0], [0, 0, 0], [1, 1, 1]]
)
@pytest.mark.parametrize("sigma", [None, 0.2])
def test_a_flat_picture_stays_flat(filter, colour, sigma):
    flat = np.broadcast_to(np.float32(colour), (30, 41, len(colour)))
    denoised = filter.denoise(flat, sigma)
    # Single precision, 2**-24, over the some hundred sums of a filter.
    np.testing.assert_allclose(denoised, np.broadcast_to(denoised[:1, :1], flat.shape), atol=2e-5)
    # A specialist that is told of noise may undo what clipping would have taken.
    if sigma is None or not isinstance(filter, Specialist):
        np.testing.assert_allclose(denoised, flat, atol=2e-5)
