import numpy as np
import pytest

from imaging.samples.photo_samples import PHOTO_SAMPLES

every_sample = pytest.mark.parametrize("item", PHOTO_SAMPLES.values(), ids=lambda item: item.name)


@every_sample
def test_a_sample_is_an_8_bit_picture_of_a_size_that_is_worked_on_in_a_second(item, load):
    pixels = load(item)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] in (1, 3)
    assert 100_000 < pixels.shape[0] * pixels.shape[1] < 1_000_000


@every_sample
def test_what_a_visitor_reads_about_a_sample_are_sentences(item):
    assert item.description.endswith(".")
    assert item.title


def test_the_samples_show_what_the_page_must_cope_with(load):
    pictures = {name: load(item) for name, item in PHOTO_SAMPLES.items()}
    assert {name for name, pixels in pictures.items() if pixels.shape[2] == 1} == {"cameraman"}
    assert [name for name, item in PHOTO_SAMPLES.items() if item.noisy] == ["galaxies"]
    assert np.median(pictures["rocket"]) < 64  # A dark scene.


def test_a_sample_is_found_under_its_own_name():
    assert all(item.name == name for name, item in PHOTO_SAMPLES.items())
