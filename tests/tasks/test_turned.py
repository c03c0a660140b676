"""A network asked of the picture turned and mirrored."""

import numpy as np
import pytest

from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import find_card
from models.predictor import load_predictor
from models.tasks.turned import WAYS, Turned, turned, turned_back

PICTURE = np.arange(1 * 3 * 5 * 2, dtype=np.float32).reshape(1, 3, 5, 2)


class Ramp:
    """Adds to each pixel its row, so that its answer depends on how the picture lies."""

    size, channels, multiple = 0, 2, 4

    def __init__(self) -> None:
        self.parts, self.asked = {"level": self}, []

    def __call__(self, image: np.ndarray, level: np.ndarray) -> np.ndarray:
        self.asked.append((image.shape, level.shape))
        rows = np.arange(image.shape[1], dtype=np.float32).reshape(1, -1, 1, 1)
        return image + level + rows


@pytest.mark.parametrize(("quarters", "mirrored"), WAYS)
def test_what_is_turned_is_turned_back(quarters, mirrored):
    there = turned(PICTURE, quarters, mirrored)
    assert there.shape == ((1, 3, 5, 2) if quarters % 2 == 0 else (1, 5, 3, 2))
    assert np.array_equal(turned_back(there, quarters, mirrored), PICTURE)


def test_the_four_ways_are_four_different_pictures():
    assert len({turned(PICTURE, *way).tobytes() for way in WAYS}) == len(WAYS) == 4


def test_the_answer_is_the_mean_of_the_answers_turned_back():
    network = Ramp()
    level = np.ones((1, 3, 5, 2), np.float32)
    answer = Turned(network)(image=PICTURE, level=level)
    # Each way up its row counts from the other end: (row + 2 - row + column + 4 - column) / 4.
    np.testing.assert_allclose(answer, PICTURE + 1 + 1.5, rtol=1e-6)
    assert len(network.asked) == 4
    assert answer.dtype == np.float32


def test_it_is_used_like_the_network_that_it_asks():
    network = Ramp()
    asked = Turned(network)
    assert (asked.size, asked.channels, asked.multiple) == (0, 2, 4)
    assert asked.parts is network.parts


def test_care_brings_a_noisy_photo_nearer_to_the_clean_one():
    clean = PHOTO_SAMPLES["coffee"].load()[80:208, 100:228].astype(np.float32) / 255
    noisy = clean + np.random.default_rng(1).normal(0, 25 / 255, clean.shape).astype(np.float32)
    predictor = load_predictor(find_card("photo"))
    plain, careful = (
        10 * np.log10(1 / np.mean((each.predict(noisy, 25 / 255) - clean) ** 2))
        for each in (predictor, predictor.careful())
    )
    assert 0.05 < careful - plain < 0.5


def test_digits_stand_upright_and_are_not_turned():
    with pytest.raises(ValueError, match="pictures of any size"):
        load_predictor(find_card("unet")).careful()
