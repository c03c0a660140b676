import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.transform import rescale

from imaging.digit_fit import canvas_to_grey, centre_of_mass, fit_drawing

MIDDLE = 14
# A pixel changes by 1/254 of itself where the brightest stroke was 254 and not 255, and ink too
# faint to be measured, below 0.04, may be lost at the edge of the digit.
LARGEST_CHANGE = 0.04


def box(fitted):
    rows, columns = np.nonzero(fitted[..., 0] > 0.04)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def on_canvas(drawing, side, top, left):
    canvas = np.zeros((side, side, 1), np.float32)
    canvas[top : top + drawing.shape[0], left : left + drawing.shape[1]] = drawing
    return canvas


@pytest.fixture(scope="module")
def real(mnist_test):
    return mnist_test[0][::10]


def test_fitting_a_real_digit_again_hardly_changes_it(real):
    changes = np.array([np.abs(fit_drawing(digit) - digit).max() for digit in real])
    # In MNIST itself one digit in 5,000 is not 20 pixels high or wide, and would be enlarged.
    assert np.mean(changes > LARGEST_CHANGE) <= 0.002
    assert np.mean(changes) < 2 / 255


@pytest.mark.parametrize(
    ("scale", "side", "top", "left"), [(10, 500, 37, 123), (7, 500, 0, 0), (3, 200, 9, 90)]
)
def test_a_real_digit_drawn_large_anywhere_comes_back(real, scale, side, top, left):
    changes = []
    for digit in real[::5]:
        large = digit.repeat(scale, axis=0).repeat(scale, axis=1)
        fitted = fit_drawing(on_canvas(large, side, top, left))
        changes.append(np.abs(fitted - digit).max())
    # Whole multiples are averaged back exactly, but for the rare digit that is not 20 pixels long.
    assert np.mean(np.array(changes) > LARGEST_CHANGE) <= 0.01


def test_a_real_digit_drawn_at_an_odd_scale_comes_back_in_place(real):
    for digit in real[::20]:
        large = np.clip(rescale(digit, 6.4, channel_axis=-1), 0, 1)
        fitted = fit_drawing(on_canvas(large, 280, 50, 77))
        # The soft edges of an enlarged digit count as ink: half a pixel on either side.
        assert box(fitted) == pytest.approx(box(digit), abs=1)
        assert centre_of_mass(fitted[..., 0]) == pytest.approx((MIDDLE, MIDDLE), abs=0.5 + 1e-6)


def test_a_fitted_digit_has_its_centre_of_mass_in_the_middle(real):
    for digit in real[:300]:
        fitted = fit_drawing(np.rot90(digit.repeat(7, axis=0).repeat(7, axis=1)))
        assert centre_of_mass(fitted[..., 0]) == pytest.approx((MIDDLE, MIDDLE), abs=0.5 + 1e-6)


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(100, 50, (20, 10)), (30, 120, (5, 20)), (200, 200, (20, 20))]
)
def test_a_drawing_fills_twenty_pixels_and_keeps_its_proportions(height, width, expected):
    drawing = on_canvas(np.ones((height, width, 1)), 280, 3, 60)
    assert box(fit_drawing(drawing)) == expected


def test_grey_levels_come_from_the_areas_covered():
    # Five columns to each pixel: all white on the left, one of five on the right.
    stripes = np.zeros((100, 100, 1), np.float32)
    stripes[:, 4::5] = 1
    stripes[:, :50] = 1
    fitted = fit_drawing(stripes)[..., 0]
    inside = fitted[fitted > 0].reshape(20, 20)
    np.testing.assert_allclose(inside[:, :10], 1, atol=1e-6)
    np.testing.assert_allclose(inside[:, 10:], 0.2, atol=1e-6)


@pytest.mark.parametrize("level", [0.2, 0.9, 1.0])
def test_the_brightest_stroke_becomes_white(level):
    drawing = on_canvas(np.full((120, 8, 1), level), 280, 40, 100)
    assert fit_drawing(drawing).max() == pytest.approx(1)


def test_a_thin_line_is_not_lost():
    drawing = on_canvas(np.ones((200, 1, 1)), 280, 40, 100)
    fitted = fit_drawing(drawing)
    assert box(fitted) == (20, 1)
    assert fitted.max() == 1


def test_one_pixel_becomes_a_dot_in_the_middle():
    fitted = fit_drawing(on_canvas(np.ones((1, 1, 1)), 28, 3, 20))
    assert box(fitted) == (4, 4)
    # Of an even number of pixels the centre lies between two, here at 13.5 or 14.5.
    assert centre_of_mass(fitted[..., 0]) == pytest.approx((MIDDLE, MIDDLE), abs=0.5)


def test_a_dot_of_the_pen_does_not_become_a_disc():
    fitted = fit_drawing(on_canvas(np.ones((24, 24, 1)), 280, 100, 200))
    # Four times 28 / 280 of 24 pixels.
    assert box(fitted) == (10, 10)


def test_a_white_canvas_becomes_a_white_square():
    fitted = fit_drawing(np.ones((280, 280, 1), np.float32))
    assert box(fitted) == (20, 20)
    assert fitted.sum() == 400


def test_nothing_is_cut_off_where_the_ink_is_all_at_one_end():
    drawing = np.zeros((200, 200, 1), np.float32)
    drawing[180:] = 1
    drawing[:, 100:102] = 1
    assert box(fit_drawing(drawing)) == (20, 20)


@pytest.mark.parametrize("drawing", [np.zeros((280, 280, 1)), np.zeros((0, 0, 1))])
def test_an_empty_canvas_is_refused_with_a_way_out(drawing):
    with pytest.raises(ValueError, match=r"The canvas is empty: draw a digit first\."):
        fit_drawing(drawing)


def test_colours_are_averaged():
    grey = on_canvas(np.ones((60, 30, 1)), 100, 10, 10)
    np.testing.assert_array_equal(fit_drawing(grey * np.float32([1, 0.5, 0])), fit_drawing(grey))


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])),
        elements=st.sampled_from([0, 0.01, 0.5, 1]),
    ).filter(np.any)
)
def test_any_drawing_becomes_a_digit(drawing):
    fitted = fit_drawing(drawing)
    assert fitted.shape == (28, 28, 1)
    assert fitted.dtype == np.float32
    assert fitted.min() == 0
    assert fitted.max() == 1
    assert max(box(fitted)) <= 20


def test_a_transparent_canvas_is_black_and_a_white_stroke_white():
    rgba = np.uint8([[[0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 0]]])
    np.testing.assert_allclose(canvas_to_grey(rgba)[..., 0], [[0, 1, 0]], atol=1e-6)


def test_half_transparent_and_coloured_strokes_are_grey():
    rgba = np.uint8([[[255, 255, 255, 51], [255, 0, 0, 255], [0, 255, 0, 255]]])
    grey = canvas_to_grey(rgba)
    assert grey.shape == (1, 3, 1)
    assert grey.dtype == np.float32
    # The weights of ITU-R BT.601.
    np.testing.assert_allclose(grey[..., 0], [[0.2, 0.299, 0.587]], atol=1e-6)


def test_centre_of_mass_is_the_mean_place_of_ink():
    ink = np.zeros((5, 7))
    ink[1, 2], ink[3, 6] = 1, 3
    assert centre_of_mass(ink) == (2.5, 5.0)
