"""Digits drawn by the program look as those of MNIST do."""

import numpy as np
import pytest

from imaging.digit_fit import centre_of_mass
from imaging.samples.synthetic_digits import draw_digit, draw_digits
from models.catalogue import find_card
from models.predictor import load_predictor


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return draw_digits(400)


def test_they_are_8_bit_pictures_with_labels(drawn):
    pictures, labels = drawn
    assert (pictures.shape, pictures.dtype) == ((400, 28, 28, 1), np.uint8)
    assert (labels.shape, labels.dtype) == ((400,), np.uint8)
    # 40 of each are expected; binomial, six standard deviations of 6.
    assert np.bincount(labels, minlength=10).min() > 4


def test_the_same_seed_draws_the_same_digits_and_more_begin_with_fewer(drawn):
    again, labels = draw_digits(30)
    assert np.array_equal(again, drawn[0][:30])
    assert np.array_equal(labels, drawn[1][:30])
    assert not np.array_equal(draw_digits(30, seed=1)[0], again)


def test_no_two_are_alike(drawn):
    assert len({picture.tobytes() for picture in drawn[0]}) == len(drawn[0])


def test_they_are_fitted_as_mnist_is(drawn):
    for picture in drawn[0][..., 0]:
        rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        # Moved by whole pixels, so half a pixel off at most; the rounding to 8 bits is nothing.
        assert centre_of_mass(picture.astype(float)) == pytest.approx((14, 14), abs=0.6)


def test_they_have_as_much_ink_as_those_of_mnist(drawn, mnist_test):
    ours, theirs = drawn[0].mean() / 255, mnist_test[0].mean()
    assert ours == pytest.approx(theirs, rel=0.15)


def test_a_reader_of_mnist_reads_them(drawn):
    pictures, labels = drawn
    answers = load_predictor(find_card("digit-reader")).predict_batch(
        pictures.astype(np.float32) / 255
    )
    # It never saw one of them; nine of ten are plainly what they are meant to be.
    assert np.mean(answers.argmax(axis=1) == labels) > 0.9


def test_what_has_no_strokes_is_refused(rng):
    with pytest.raises(ValueError, match="unknown drawing"):
        draw_digit("ten", rng)
