import gc
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from imaging.samples.photo_samples import PHOTO_SAMPLES
from pages.components import picture_cache
from pages.components.picture_cache import KEPT_UNUSED, LIMIT, Owner, PictureCache


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test turns: ``clock.now``, in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(picture_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def kept(cache: PictureCache, owner: Owner, names: str) -> str:
    """Return those of the one-letter names that are there; looking counts as use."""
    return "".join(name for name in names if cache.get(owner, name) is not None)


# Keeping


def test_what_was_put_there_is_there_for_its_owner_alone():
    cache, owner, other = PictureCache(), Owner(), Owner()
    cache.put(owner, "a", "mine", 4)
    cache.put(other, "a", "theirs", 6)
    assert (cache.get(owner, "a"), cache.get(other, "a")) == ("mine", "theirs")
    assert cache.get(owner, "b") is None
    assert cache.size == 10


def test_a_new_value_takes_the_place_of_the_old_one():
    cache, owner = PictureCache(100), Owner()
    cache.put(owner, "a", "old", 90)
    cache.put(owner, "b", "other", 5)
    cache.put(owner, "a", "new", 80)
    assert (cache.get(owner, "a"), cache.get(owner, "b")) == ("new", "other")
    assert cache.size == 85


def test_what_is_there_is_not_made_again():
    cache, owner, made = PictureCache(), Owner(), []

    def make():
        made.append(1)
        return b"value"

    for _ in range(3):
        assert cache.get_or_make(owner, "a", make, len) == b"value"
    assert (len(made), cache.size) == (1, 5)


def test_what_cannot_be_made_leaves_nothing_behind():
    cache, owner = PictureCache(), Owner()

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get_or_make(owner, "a", fail, len)
    assert cache.size == 0
    assert cache.get_or_make(owner, "a", lambda: b"yes", len) == b"yes"


# The limit


def test_what_is_soon_made_again_is_kept_for_one_who_is_alone_and_gives_way_to_others():
    cache, owner, other = PictureCache(100, comfort=40), Owner(), Owner()
    cache.put(owner, "a", "photo", 30, soon_made=True)
    cache.put(owner, "b", "noisy", 30, soon_made=True)
    cache.put(owner, "c", "denoised", 30)
    assert kept(cache, owner, "abc") == "abc"
    cache.put(other, "d", "photo", 8, soon_made=True)
    assert kept(cache, owner, "abc") == "c"
    assert kept(cache, other, "d") == "d"


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_kept_in_fewer_bytes_where_there_are_others_and_come_back_as_they_were(
    channels,
):
    cache, owner, other = PictureCache(), Owner(), Owner()
    picture = PHOTO_SAMPLES["cat"].load()[..., :channels]
    photo = 12_000_000 * 3  # The bytes of one of 12 megapixels.
    cache.put(owner, "a", picture, photo)
    cache.put(owner, "b", picture, picture.nbytes)  # What is one's own does not count.
    assert cache.get(owner, "b") is picture
    cache.put(other, "c", picture, picture.nbytes, soon_made=True)
    assert cache.get(other, "c") is picture
    assert cache.size == photo + 2 * picture.nbytes
    cache.put(other, "d", picture, picture.nbytes)
    assert cache.size < photo + 2.9 * picture.nbytes
    np.testing.assert_array_equal(cache.get(other, "d"), picture)
    for odd in (picture.astype(np.uint16), picture[..., 0], np.zeros((2, 17_000, 1), np.uint8)):
        cache.put(other, "e", odd, odd.nbytes)
        assert cache.get(other, "e") is odd


def test_what_does_not_fit_any_more_is_put_away_the_longest_unused_first():
    cache, owner = PictureCache(100), Owner()
    for name in "abcd":
        cache.put(owner, name, name, 25)
    assert kept(cache, owner, "a") == "a"  # Used now, so that b is the longest unused.
    cache.put(owner, "e", "e", 30)
    assert kept(cache, owner, "abcde") == "ade"
    assert cache.size == 25 + 25 + 30


@pytest.mark.parametrize(
    ("sizes", "two", "three"),
    [((50, 50, 1), "ab", "bc"), ((10, 500, 10), "b", "c")],
    ids=["no more than must be", "what is larger than the limit stays alone"],
)
def test_the_oldest_are_put_away_when_the_next_does_not_fit(sizes, two, three):
    cache, owner = PictureCache(100), Owner()
    cache.put(owner, "a", "a", sizes[0])
    cache.put(owner, "b", "b", sizes[1])
    assert kept(cache, owner, "ab") == two
    cache.put(owner, "c", "c", sizes[2])
    assert kept(cache, owner, "abc") == three


def test_all_visitors_share_one_limit():
    cache, owners = PictureCache(100), [Owner() for _ in range(5)]
    for owner in owners:
        cache.put(owner, "picture", "picture", 40)
        assert cache.size <= 100
    assert [cache.get(owner, "picture") for owner in owners] == [None] * 3 + ["picture"] * 2


def test_where_many_come_each_keeps_the_few_values_that_were_used_last():
    cache, alone = PictureCache(1000, comfort=100), Owner()
    for name in "abcdefgh":
        cache.put(alone, name, name, 10)
    assert kept(cache, alone, "abcdefgh") == "abcdefgh"  # As long as there is room for all.
    others = [Owner() for _ in range(3)]
    for other in others:
        for name in "abcdefgh":
            cache.put(other, name, name, 10)
    # Six each are 240: more than the comfort, and less than the limit.
    assert kept(cache, alone, "abcdefgh") == "cdefgh"
    assert [kept(cache, other, "abcdefgh") for other in others] == ["cdefgh"] * 3
    assert cache.size == 240


def test_what_is_soon_made_again_gives_way_to_what_is_not_however_new_it_is():
    cache, owner = PictureCache(100), Owner()
    cache.put(owner, "d", "denoised", 40)
    cache.put(owner, "e", "denoised", 40)
    cache.put(owner, "o", "opened", 15, soon_made=True)
    cache.put(owner, "p", "opened", 15, soon_made=True)
    assert kept(cache, owner, "deop") == "dep"
    cache.put(owner, "f", "denoised", 18)
    assert kept(cache, owner, "defp") == "def"
    cache.put(owner, "g", "denoised", 60)  # Of the others the longest unused.
    assert kept(cache, owner, "defg") == "fg"


def test_the_limit_holds_a_noisy_and_a_denoised_picture_of_12_megapixels():
    assert LIMIT >= 3 * 12_000_000 * 3  # The original too.


# Forgetting


def test_what_belongs_to_a_visitor_is_forgotten_with_the_visitor():
    cache, owner, other = PictureCache(), Owner(), Owner()
    for name in "abc":
        cache.put(owner, name, np.zeros(10), 10)
    cache.put(other, "a", "stays", 5)
    del owner
    gc.collect()
    assert cache.size == 5
    assert cache.get(other, "a") == "stays"


def test_a_visitor_who_is_part_of_a_circle_is_forgotten_too():
    cache = PictureCache()
    session = {"owner": Owner()}
    session["itself"] = session
    cache.put(session["owner"], "a", np.zeros(10), 80)
    del session
    gc.collect()
    assert cache.size == 0


def test_a_visitor_at_the_same_place_in_memory_finds_nothing_of_the_one_before():
    cache = PictureCache()
    for _ in range(200):
        owner = Owner()
        assert cache.get(owner, "a") is None
        cache.put(owner, "a", "secret", 1)
        del owner


def test_a_visitor_who_leaves_while_the_shelf_is_in_use_is_forgotten_at_the_next_occasion():
    cache, stays = PictureCache(), Owner()
    cache.put(stays, "a", "a", 1)
    for look in (
        lambda: cache.size,
        lambda: cache.get(stays, "a"),
        lambda: cache.put(stays, "b", "b", 1),
    ):
        owner = Owner()
        picture = np.zeros(10)
        gone = weakref.ref(picture)
        cache.put(owner, "a", picture, 50)
        # The garbage collector may run anywhere, here amid a method of the shelf.
        with cache._lock:
            del owner, picture
            gc.collect()
        look()
        assert gone() is None
        assert cache.size < 50


def test_what_nobody_used_for_long_is_put_away_when_something_comes(clock):
    cache, owner, other = PictureCache(), Owner(), Owner()
    for name in "ab":
        cache.put(owner, name, name, 10)
    clock.now += KEPT_UNUSED - 1
    assert kept(cache, owner, "a") == "a"
    clock.now += 2
    cache.put(other, "c", "c", 10)
    assert kept(cache, owner, "ab") == "a"
    assert cache.size == 20


# Threads


def test_many_visitors_at_once_find_what_is_theirs_and_the_limit_holds():
    cache, wrong = PictureCache(1000), []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # Threads are interrupted wherever they can be.

    def visit(number):
        for round_ in range(60):
            owner = Owner()
            for name in range(4):
                cache.put(owner, name, (number, round_, name), 40)
                found = cache.get(owner, name)
                if found not in (None, (number, round_, name)) or cache.size > 1000:
                    wrong.append(found)
            cache.get_or_make(owner, "made", lambda: b"made", len)

    try:
        with ThreadPoolExecutor(8) as visitors:
            list(visitors.map(visit, range(8)))
    finally:
        sys.setswitchinterval(before)
    gc.collect()
    assert wrong == []
    assert cache.size == 0


def test_the_garbage_collector_may_run_at_any_moment():
    """Visitors who leave are found in the middle of whatever the shelf is doing."""
    cache, stays = PictureCache(2000), Owner()
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            session = {"owner": Owner()}
            session["itself"] = session  # Only the collector finds it.
            cache.put(session["owner"], number, [number], 10)
            cache.put(stays, number % 7, [number], 10)
            assert cache.size <= 2000
    finally:
        gc.set_threshold(*thresholds)
    del session
    gc.collect()
    assert cache.size == 70
