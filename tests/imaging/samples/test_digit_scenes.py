"""Scenes of digits: where they are, what they are, and what their colours say."""

import numpy as np
import pytest

from imaging.cielab import rgb_to_lab
from imaging.samples.digit_scenes import INK, NOTHING, classes_of, in_colours, on_photo, scatter
from imaging.samples.synthetic_digits import draw_digits

SIZE = (96, 128)


@pytest.fixture(scope="module")
def digits():
    return draw_digits(30)


def scene(digits, seed: int = 0):
    rng = np.random.default_rng(seed)
    return scatter(*digits, SIZE, rng), rng


def test_digits_do_not_touch_and_those_without_room_are_left_out(digits):
    placed, _ = scene(digits)
    assert 3 < len(placed) < 30
    ink = np.zeros(SIZE, int)
    for each in placed:
        ink[each.place] += each.ink[..., 0] > 0
    assert ink.max() == 1


def test_the_class_of_a_pixel_is_the_digit_that_covers_it(digits):
    placed, _ = scene(digits)
    classes = classes_of(placed, SIZE)
    for each in placed:
        inked = each.ink[..., 0] > INK
        assert (classes[each.place][inked] == each.digit).all()
    assert np.count_nonzero(classes != NOTHING) == sum(
        np.count_nonzero(each.ink > INK) for each in placed
    )


def test_the_same_seed_makes_the_same_scene_and_another_another(digits):
    (one, rng), (same, rng_of_same), (other, rng_of_other) = (
        scene(digits, seed) for seed in (3, 3, 4)
    )
    grey = np.full((*SIZE, 3), 128, np.uint8)
    first = on_photo(one, grey, rng)
    assert np.array_equal(first, on_photo(same, grey, rng_of_same))
    assert not np.array_equal(first, on_photo(other, grey, rng_of_other))


@pytest.mark.parametrize("behind", [0, 90, 160, 255])
def test_ink_stands_out_from_whatever_is_behind_it(digits, behind: int):
    placed, rng = scene(digits)
    picture = on_photo(placed, np.full((*SIZE, 3), behind, np.uint8), rng) / 255
    for each in placed:
        inked = picture[each.place][each.ink[..., 0] > 0.99]
        # Its grey is 0.35 or more away; the tint moves the mean of three channels by 0.15 at most.
        assert abs(inked.mean() - behind / 255) > 0.19
    assert (picture[classes_of(placed, SIZE) == NOTHING] == behind / 255).mean() > 0.8


def test_the_hue_says_which_digit_it_is_and_the_lightness_does_not(digits):
    placed, rng = scene(digits)
    lab = rgb_to_lab(in_colours(placed, SIZE, rng) / 255)
    for each in placed:
        inked = lab[each.place][each.ink[..., 0] > 0.99]
        if not len(inked):
            continue
        light, a, b = inked.mean(axis=0)
        hue = np.rad2deg(np.arctan2(b, a)) % 360
        # Where a screen cannot show a colour, it is a little off; hues are 36 degrees apart.
        assert abs((hue - 36 * each.digit + 180) % 360 - 180) < 12
        assert 50 < light < 85
