from types import SimpleNamespace

import pytest

from imaging.named import by_name, found

TABLE = by_name(SimpleNamespace(name=name, sides=sides) for name, sides in (("b", 4), ("a", 3)))


def test_a_table_keeps_the_order_in_which_things_are_listed():
    assert list(TABLE) == ["b", "a"]
    assert TABLE["a"].sides == 3


@pytest.mark.parametrize("name", ["c", "", None, ["a"]])
def test_a_name_that_is_in_no_table_is_answered_with_those_that_are(name):
    assert found(TABLE, "a", "shape") is TABLE["a"]
    with pytest.raises(ValueError, match=r"unknown shape .*; known: b, a"):
        found(TABLE, name, "shape")
