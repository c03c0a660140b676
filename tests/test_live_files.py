"""What lies in static/live belongs together: kernel and text, networks and catalogue, sizes."""

import gzip

import pytest

from models.catalogue import load_catalogue
from models.live import STATIC, pack_card, packed_name
from models.tasks.digits import DIGIT_SETS
from tests.wasm import KERNEL, build

CARDS = {card.name: card for card in load_catalogue().values() if card.data in DIGIT_SETS}
ENGINE = ("kernel.wasm", "network.js", "noise.js", "digits.js", "preview.js")


def test_the_kernel_is_built_from_its_text():
    assert KERNEL.with_suffix(".wasm").read_bytes() == build(), "run: python -m tests.wasm"


@pytest.mark.parametrize("name", CARDS)
def test_the_packed_network_is_that_of_the_catalogue(name):
    path = STATIC / packed_name(CARDS[name])
    assert path.is_file(), "run: python -m models pack"
    assert gzip.decompress(path.read_bytes()) == pack_card(CARDS[name])


def test_no_packed_network_is_left_over():
    assert {path.name for path in STATIC.glob("*.gz")} == set(map(packed_name, CARDS.values()))


def test_the_engine_takes_less_than_ten_kilobytes():
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in ENGINE}
    assert sum(sizes.values()) < 10_000, sizes


@pytest.mark.parametrize(
    ("name", "most"), [("unet", 900_000), ("conv-32-32", 110_000), ("digit-reader", 410_000)]
)
def test_a_network_is_small_enough_to_be_fetched_beside_the_page(name, most):
    assert (STATIC / packed_name(CARDS[name])).stat().st_size < most
