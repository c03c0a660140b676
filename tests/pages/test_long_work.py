"""What becomes of long work when its page is loaded again, and when its visitor leaves."""

import gc
import threading

import pytest
from streamlit.testing.v1 import AppTest

from models import picture_queue
from models.picture_queue import PictureQueue
from pages.components import cached
from pages.components.picture_cache import PictureCache
from pages.components.tabs import Tab, Tabs

LONG = 20  # seconds, after which a test has failed


@pytest.fixture(autouse=True)
def own_server(monkeypatch):
    """No test sees what another one has made."""
    monkeypatch.setattr(cached, "_pictures", PictureCache())
    monkeypatch.setattr(cached, "_queue", PictureQueue())
    monkeypatch.setattr(cached, "_tabs", Tabs())


@pytest.fixture
def gate():
    """Lets the work end; open after the test, so that no thread is left behind."""
    gate = threading.Event()
    yield gate
    gate.set()


def page(work, name):
    """A page in the tab that said "word", as Photo is one: its owner outlives the session."""
    import streamlit as st

    from pages.components.cached import get_tabs
    from pages.components.long_work import result_of
    from pages.components.tabs import Tab

    owner = get_tabs().find("word", Tab()).owner
    answer = result_of("job", owner, name, work, doing="Working", failed="It failed.")
    st.text(answer)


def load(work, name: str = "answer") -> AppTest:
    """Open the page in a new session of the same tab."""
    return AppTest.from_function(page, kwargs={"work": work, "name": name}).run()


def test_a_page_that_is_loaded_again_finds_its_work(gate):
    begun = []

    def work(watch):
        begun.append(True)
        assert gate.wait(LONG)
        return "done"

    visits = [load(work) for _ in range(4)]
    gate.set()
    assert visits[-1].session_state["job"][1].state in ("working", "done")
    visits[-1].session_state["job"][1].wait(LONG)
    assert visits[-1].run().text[0].value == "done"
    assert len(begun) == 1


def test_work_is_given_up_when_its_session_is_gone_though_its_tab_is_known(gate, monkeypatch):
    monkeypatch.setattr(picture_queue, "ABANDONED_AFTER_S", 0.05)

    def work(watch):
        assert gate.wait(LONG)
        watch(1, 2)

    visit = load(work)
    job = visit.session_state["job"][1]
    tab = cached.get_tabs().find("word", Tab())
    del visit
    gc.collect()
    threading.Event().wait(0.1)
    gate.set()
    job.wait(LONG)
    assert job.state == "cancelled"
    assert cached.get_tabs().find("word", Tab()) is tab


def test_work_goes_on_for_whoever_loaded_the_page_again(gate, monkeypatch):
    monkeypatch.setattr(picture_queue, "ABANDONED_AFTER_S", 0.05)

    def work(watch):
        assert gate.wait(LONG)
        watch(1, 2)
        return "done"

    before, visit = load(work), load(work)
    del before
    gc.collect()
    threading.Event().wait(0.1)
    gate.set()
    visit.session_state["job"][1].wait(LONG)
    assert visit.run().text[0].value == "done"


def test_work_that_was_given_up_begins_again_where_it_is_asked_for_again(gate):
    def work(watch):
        assert gate.wait(LONG)
        watch(1, 2)
        return "done"

    visit = load(work)
    visit.session_state["job"][1].cancel()
    again = load(work)
    gate.set()
    again.session_state["job"][1].wait(LONG)
    again.run()
    if "job" in again.session_state:  # It had found the work that was just ending.
        again.session_state["job"][1].wait(LONG)
        again.run()
    assert again.text[0].value == "done"


def test_what_is_done_while_nobody_looks_is_in_the_cache_and_its_limit_counts(monkeypatch, gate):
    cache = PictureCache(limit=100)
    monkeypatch.setattr(cached, "_pictures", cache)

    def work(watch):
        assert gate.wait(LONG)
        return 10 * "sixty."

    visit = load(work)
    job = visit.session_state["job"][1]
    gate.set()
    job.wait(LONG)
    assert cache.size == 60
    assert job.result is None
    other = Tab().owner
    cache.put(other, "of another visitor", "", 90)
    assert cache.size == 90
    visit.run()  # It is made again.
    if "job" in visit.session_state:
        visit.session_state["job"][1].wait(LONG)
        visit.run()
    assert visit.text[0].value == 10 * "sixty."


def test_what_was_given_up_at_its_last_step_is_not_kept(gate):
    def work(watch):
        assert gate.wait(LONG)
        return "done"

    job = load(work).session_state["job"][1]
    job.cancel()
    gate.set()
    job.wait(LONG)
    assert job.state == "cancelled"
    assert cached.get_picture_cache().size == 0
