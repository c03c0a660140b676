"""What a link carries, and what becomes of a link that says nonsense."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.components import link


def as_8_bit(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255)


def test_a_drawing_comes_back_from_its_text_to_the_last_grey_value(rng):
    levels = rng.integers(0, 256, (28, 28, 1))
    text = link.drawing_to_text(levels.astype(np.float32) / 255)
    assert np.array_equal(as_8_bit(link.drawing_from_text(text)), levels)


def test_even_a_drawing_of_noise_fits_into_the_limit(rng):
    noise = rng.random((28, 28, 1)).astype(np.float32)
    assert len(link.drawing_to_text(noise)) <= link.LONGEST


def test_the_text_needs_no_quoting_in_a_link(rng):
    text = link.drawing_to_text(rng.random((28, 28, 1)).astype(np.float32))
    assert text.replace("-", "").replace("_", "").isalnum()


def packed(pixels: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(pixels, 9)).decode().rstrip("=")


def test_a_text_is_not_unpacked_further_than_a_drawing_goes():
    bomb = packed(bytes(1_000_000))
    assert len(bomb) <= link.LONGEST  # Its length alone does not give it away.
    with pytest.raises(ValueError, match="it does not end"):
        link.drawing_from_text(bomb)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "é" * 20,
        packed(b""),
        packed(bytes(783)),
        packed(bytes(785)),
        packed(bytes(10**8))[:1600],
        packed(bytes(784))[:-6],
        "A" * 100_000,
    ],
    ids=["empty", "short", "accents", "none", "few", "many", "bomb", "cut off", "endless"],
)
def test_a_text_that_is_no_drawing_is_refused(text):
    with pytest.raises(ValueError, match="drawing"):
        link.drawing_from_text(text)


@given(st.text(max_size=300))
def test_no_text_brings_the_parser_down(text):
    try:
        picture = link.drawing_from_text(text)
    except ValueError:
        return
    assert picture.shape == (28, 28, 1)


def test_a_choice_is_taken_as_it_is_or_refused_with_its_name():
    parse = link.one_of("noise", ["gaussian", "block"])
    assert parse("block") == "block"
    with pytest.raises(ValueError, match=r"the noise `static`, which does not exist"):
        parse("static")


@pytest.mark.parametrize("text", ["-1", "11", "nan", "inf", "ten", "", "1e999", "1.5"])
def test_a_number_outside_its_range_is_refused(text):
    with pytest.raises(ValueError, match="from 0 to 10"):
        link.number("seed", 0, 10, int)(text)


def test_a_quoted_value_cannot_break_out_of_its_quotes():
    assert link.quoted("a`b<i>\n" + "x" * 100) == "`ab<i>" + "x" * 33 + "`"
    assert link.quoted("``") == "(nothing)"
