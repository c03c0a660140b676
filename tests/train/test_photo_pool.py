import numpy as np
import pytest

from tests.train.made_photos import made_photo
from train.photo_pool import CLEAN, KINDS, LOST, NOISY, PLACE_ALONE, clean_crop, degraded_crop

SIDE = 48


@pytest.fixture
def crops(rng):
    """The crops of each kind, with their levels elsewhere."""
    picture = made_photo(rng)
    crops = {name: [] for name in KINDS}
    for _ in range(150):
        planes, kind, level = degraded_crop(picture, SIDE, rng)
        assert (planes.shape, planes.dtype) == ((SIDE, SIDE, 7), np.uint8)
        crops[KINDS[kind]].append((planes, level))
    return crops


def test_crops_are_of_all_kinds_and_cameras_the_most(crops):
    count = {name: len(each) for name, each in crops.items()}
    assert min(count.values()) > 0
    assert max(count, key=count.get) == "camera"


def test_pixels_that_were_lost_are_marked_where_they_are_told(crops):
    for name, each in crops.items():
        marked = [(planes[..., LOST] > 0).any() for planes, _ in each]
        assert any(marked) == (name == "salt-and-pepper")
        levels = [level for _, level in each]
        assert all(level == PLACE_ALONE for level in levels) or name == "salt-and-pepper"


def test_most_crops_have_noise_and_none_is_another_picture(crops):
    every = [planes for each in crops.values() for planes, _ in each]
    apart = [np.abs(each[..., CLEAN] - each[..., NOISY].astype(int)).mean() for each in every]
    assert np.mean(np.array(apart) > 0.5) > 0.8
    assert np.median(apart) < 40


@pytest.mark.parametrize("side", [16, 96])
def test_clean_crops_are_grey_or_in_colour_and_in_range(side, rng):
    picture = made_photo(rng)
    crops = [clean_crop(picture, side, rng) for _ in range(40)]
    assert {crop.shape for crop in crops} == {(side, side, 1), (side, side, 3)}
    assert all(crop.min() >= 0 and crop.max() <= 1 for crop in crops)
