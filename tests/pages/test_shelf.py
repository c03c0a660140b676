import gc
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from pages.components import shelf
from pages.components.shelf import KEPT_UNUSED, LIMIT, Owner, Shelf


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test turns: ``clock.now``, in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(shelf, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def kept(shelf: Shelf, owner: Owner, names: str) -> str:
    """Return those of the one-letter names that are there; looking counts as use."""
    return "".join(name for name in names if shelf.get(owner, name) is not None)


# Keeping


def test_what_was_put_there_is_there_for_its_owner_alone():
    shelf, owner, other = Shelf(), Owner(), Owner()
    shelf.put(owner, "a", "mine", 4)
    shelf.put(other, "a", "theirs", 6)
    assert (shelf.get(owner, "a"), shelf.get(other, "a")) == ("mine", "theirs")
    assert shelf.get(owner, "b") is None
    assert shelf.size == 10


def test_a_new_value_takes_the_place_of_the_old_one():
    shelf, owner = Shelf(100), Owner()
    shelf.put(owner, "a", "old", 90)
    shelf.put(owner, "b", "other", 5)
    shelf.put(owner, "a", "new", 80)
    assert (shelf.get(owner, "a"), shelf.get(owner, "b")) == ("new", "other")
    assert shelf.size == 85


def test_what_is_there_is_not_made_again():
    shelf, owner, made = Shelf(), Owner(), []

    def make():
        made.append(1)
        return b"value"

    for _ in range(3):
        assert shelf.get_or_make(owner, "a", make, len) == b"value"
    assert (len(made), shelf.size) == (1, 5)


def test_what_cannot_be_made_leaves_nothing_behind():
    shelf, owner = Shelf(), Owner()

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shelf.get_or_make(owner, "a", fail, len)
    assert shelf.size == 0
    assert shelf.get_or_make(owner, "a", lambda: b"yes", len) == b"yes"


# The limit


def test_what_does_not_fit_any_more_is_put_away_the_longest_unused_first():
    shelf, owner = Shelf(100), Owner()
    for name in "abcd":
        shelf.put(owner, name, name, 25)
    assert kept(shelf, owner, "a") == "a"  # Used now, so that b is the longest unused.
    shelf.put(owner, "e", "e", 30)
    assert kept(shelf, owner, "abcde") == "ade"
    assert shelf.size == 25 + 25 + 30


def test_no_more_is_put_away_than_must_be():
    shelf, owner = Shelf(100), Owner()
    shelf.put(owner, "a", "a", 50)
    shelf.put(owner, "b", "b", 50)
    assert kept(shelf, owner, "ab") == "ab"
    shelf.put(owner, "c", "c", 1)
    assert kept(shelf, owner, "abc") == "bc"


def test_all_visitors_share_one_limit():
    shelf, owners = Shelf(100), [Owner() for _ in range(5)]
    for owner in owners:
        shelf.put(owner, "picture", "picture", 40)
        assert shelf.size <= 100
    assert [shelf.get(owner, "picture") for owner in owners] == [None] * 3 + ["picture"] * 2


def test_what_is_larger_than_the_limit_is_kept_alone_until_the_next_comes():
    shelf, owner = Shelf(100), Owner()
    shelf.put(owner, "a", "a", 10)
    shelf.put(owner, "b", "b", 500)
    assert kept(shelf, owner, "ab") == "b"
    shelf.put(owner, "c", "c", 10)
    assert kept(shelf, owner, "abc") == "c"


def test_the_limit_holds_a_noisy_and_a_denoised_picture_of_12_megapixels():
    assert LIMIT >= 3 * 12_000_000 * 3  # The original too.


# Forgetting


def test_what_belongs_to_a_visitor_is_forgotten_with_the_visitor():
    shelf, owner, other = Shelf(), Owner(), Owner()
    for name in "abc":
        shelf.put(owner, name, np.zeros(10), 10)
    shelf.put(other, "a", "stays", 5)
    del owner
    gc.collect()
    assert shelf.size == 5
    assert shelf.get(other, "a") == "stays"


def test_a_visitor_who_is_part_of_a_circle_is_forgotten_too():
    shelf = Shelf()
    session = {"owner": Owner()}
    session["itself"] = session
    shelf.put(session["owner"], "a", np.zeros(10), 80)
    del session
    gc.collect()
    assert shelf.size == 0


def test_a_visitor_at_the_same_place_in_memory_finds_nothing_of_the_one_before():
    shelf = Shelf()
    for _ in range(200):
        owner = Owner()
        assert shelf.get(owner, "a") is None
        shelf.put(owner, "a", "secret", 1)
        del owner


def test_a_visitor_who_leaves_while_the_shelf_is_in_use_is_forgotten_at_the_next_occasion():
    shelf, stays = Shelf(), Owner()
    shelf.put(stays, "a", "a", 1)
    for look in (
        lambda: shelf.size,
        lambda: shelf.get(stays, "a"),
        lambda: shelf.put(stays, "b", "b", 1),
    ):
        owner = Owner()
        picture = np.zeros(10)
        gone = weakref.ref(picture)
        shelf.put(owner, "a", picture, 50)
        # The garbage collector may run anywhere, here amid a method of the shelf.
        with shelf._lock:
            del owner, picture
            gc.collect()
        look()
        assert gone() is None
        assert shelf.size < 50


def test_what_nobody_used_for_long_is_put_away_when_something_comes(clock):
    shelf, owner, other = Shelf(), Owner(), Owner()
    for name in "ab":
        shelf.put(owner, name, name, 10)
    clock.now += KEPT_UNUSED - 1
    assert kept(shelf, owner, "a") == "a"
    clock.now += 2
    shelf.put(other, "c", "c", 10)
    assert kept(shelf, owner, "ab") == "a"
    assert shelf.size == 20


# Threads


def test_many_visitors_at_once_find_what_is_theirs_and_the_limit_holds():
    shelf, wrong = Shelf(1000), []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # Threads are interrupted wherever they can be.

    def visit(number):
        for round_ in range(60):
            owner = Owner()
            for name in range(4):
                shelf.put(owner, name, (number, round_, name), 40)
                found = shelf.get(owner, name)
                if found not in (None, (number, round_, name)) or shelf.size > 1000:
                    wrong.append(found)
            shelf.get_or_make(owner, "made", lambda: b"made", len)

    try:
        with ThreadPoolExecutor(8) as visitors:
            list(visitors.map(visit, range(8)))
    finally:
        sys.setswitchinterval(before)
    gc.collect()
    assert wrong == []
    assert shelf.size == 0


def test_the_garbage_collector_may_run_at_any_moment():
    """Visitors who leave are found in the middle of whatever the shelf is doing."""
    shelf, stays = Shelf(2000), Owner()
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            session = {"owner": Owner()}
            session["itself"] = session  # Only the collector finds it.
            shelf.put(session["owner"], number, [number], 10)
            shelf.put(stays, number % 7, [number], 10)
            assert shelf.size <= 2000
    finally:
        gc.set_threshold(*thresholds)
    del session
    gc.collect()
    assert shelf.size == 70
