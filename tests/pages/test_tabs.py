"""What a tab of the browser finds again after a reload."""

import weakref

import pytest

from pages.components import tabs
from pages.components.tabs import Tab, Tabs


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The time in seconds, to be changed."""
    seconds = [0.0]
    monkeypatch.setattr(tabs.time, "monotonic", lambda: seconds[0])
    return seconds


def test_a_tab_is_found_by_its_word_and_by_no_other():
    known, mine = Tabs(), Tab()
    assert known.find("a", mine) is mine
    assert known.find("a", Tab()) is mine
    assert known.find("b", Tab()) is not mine


def test_a_tab_that_nobody_looks_at_is_forgotten(now):
    known, mine = Tabs(), Tab()
    known.find("a", mine)
    now[0] = tabs.KEPT_UNUSED - 1
    assert known.find("a", Tab()) is mine
    now[0] += tabs.KEPT_UNUSED + 1
    known.find("b", Tab())
    assert known.find("a", Tab()) is not mine


def test_a_tab_that_nobody_looks_at_is_forgotten_though_no_other_comes(now):
    known, mine = Tabs(), Tab()
    known.find("a", mine)
    gone = weakref.ref(mine)
    del mine
    now[0] = tabs.KEPT_UNUSED + 1
    known.forget_unused()
    assert gone() is None


def test_there_are_so_many_tabs_and_no_more(monkeypatch):
    monkeypatch.setattr(tabs, "MOST_TABS", 3)
    known, first = Tabs(), Tab()
    known.find("0", first)
    for word in "123":
        known.find(word, Tab())
    assert known.find("0", Tab()) is not first


def test_a_word_of_any_length_is_taken():
    known, mine = Tabs(), Tab()
    known.find("x" * 1_000_000, mine)
    assert all(len(word) <= tabs.LONGEST_WORD for word in known._tabs)


def test_a_tab_that_says_many_words_takes_no_places_of_others():
    known, mine, stranger = Tabs(), Tab(), Tab()
    known.find("a", mine)
    for number in range(tabs.MOST_TABS + 1):
        known.find(f"word {number}", stranger)
    assert known.find("a", Tab()) is mine
