import pytest

from imaging.filters import CLASSICAL
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from imaging.samples.not_digits import SAMPLES
from imaging.specialists import SPECIALISTS

NOISES = [*NOISE_KINDS.values(), *PHOTO_NOISE_KINDS.values()]
FILTERS = [*CLASSICAL.values(), *SPECIALISTS.values()]


def name_of(each: object) -> str:
    return each.name


@pytest.mark.parametrize("each", [*NOISES, *FILTERS, *SAMPLES.values()], ids=name_of)
def test_what_a_visitor_reads_is_a_title_and_one_sentence(each):
    assert each.title
    assert each.description.endswith(".")
    assert each.description.count(".") == 1


@pytest.mark.parametrize("kind", NOISES, ids=name_of)
def test_a_noise_says_what_its_strength_counts(kind):
    assert kind.unit


@pytest.mark.parametrize("filter", FILTERS, ids=name_of)
def test_a_filter_names_its_source(filter):
    assert filter.source
