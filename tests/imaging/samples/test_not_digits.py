import numpy as np
import pytest

from imaging.samples.not_digits import SAMPLES, checkerboard, sample

every_sample = pytest.mark.parametrize("item", SAMPLES.values(), ids=lambda item: item.name)


@every_sample
def test_a_sample_is_a_picture_of_the_size_of_a_digit(item, load):
    picture = load(item)
    assert picture.shape == (28, 28, 1)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


@every_sample
def test_a_sample_shows_something(item, load):
    picture = load(item)
    assert np.ptp(picture) > 0.7
    assert picture.std() > 0.15


@every_sample
def test_a_sample_is_the_same_every_time(item, load):
    np.testing.assert_array_equal(load(item), load(item))


def test_samples_differ(load):
    pictures = np.stack([load(item) for item in SAMPLES.values()])
    assert len(np.unique(pictures, axis=0)) == len(SAMPLES)


@every_sample
def test_a_sample_is_further_from_all_digits_than_digits_are_from_each_other(
    item, mnist_test, load
):
    digits = mnist_test[0].reshape(len(mnist_test[0]), -1)

    def distance(picture, others):
        return np.sqrt(np.min(np.sum((others - picture.reshape(-1)) ** 2, axis=1)))

    between_digits = np.median([distance(digits[i], digits[2000:]) for i in range(0, 2000, 50)])
    assert distance(load(item), digits) > between_digits


def test_the_checkerboard_has_fields_of_four_pixels():
    board = checkerboard()[..., 0]
    assert board[:4, :4].max() == 0
    assert board[:4, 4:8].min() == 1
    assert board[4:8, 4:8].max() == 0


def test_a_sample_is_found_by_its_name():
    assert sample("boot") is SAMPLES["boot"]
    with pytest.raises(ValueError, match="unknown sample 'fish'; known: letter-a"):
        sample("fish")
