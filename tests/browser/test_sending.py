"""What is sent crosses with what the visitor does, and the page stays whole."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.app_server import ROOT
from tests.browser.test_draw import drag, wait_until_painted
from tests.chromium import wait_until_idle

# Python reads this first. The first half of a page goes up to its first box to choose from, which
# stands after the canvas; the rest waits a second and a half.
BUSY = """
import asyncio, sys
if "streamlit" in sys.orig_argv:
    from streamlit import runtime
    from streamlit.runtime.app_session import AppSession

    flush = AppSession.flush_browser_queue

    def is_choice(message):
        return (
            message.WhichOneof("type") == "delta"
            and message.delta.new_element.WhichOneof("type") == "selectbox"
        )

    def flush_half(session):
        loop = asyncio.get_running_loop()
        if loop.time() < getattr(session, "busy_until", 0):
            return []
        messages = flush(session)
        half = next((n for n, each in enumerate(messages) if is_choice(each)), len(messages))
        session._browser_queue._queue = messages[half + 1 :]
        if messages[half + 1 :]:
            session.busy_until = loop.time() + 1.5
            loop.call_later(1.51, runtime.get_instance()._enqueued_some_message)
        return messages[: half + 1]

    AppSession.flush_browser_queue = flush_half
"""


@pytest.fixture(scope="module")
def busy_url(serve, tmp_path_factory) -> str:
    folder: Path = tmp_path_factory.mktemp("busy")
    (folder / "sitecustomize.py").write_text(BUSY)
    return serve("app.py", PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]))


def test_a_drawing_that_answers_before_the_page_is_sent_leaves_it_whole(busy_url, open_page):
    page = open_page(f"{busy_url}/?noise=block&start=5")
    wait_until_painted(page)
    drag(page, (0.2, 0.2), (0.8, 0.2))
    page.get_by_role("link", name="Train a network").click()
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible()
    page.get_by_role("link", name="Draw a digit").click()
    wait_until_painted(page)
    expect(page.get_by_text("Your drawing is deleted when you leave")).to_be_visible()


class SlowLine:
    """What a server sends to a page, which can be held back."""

    def __init__(self, page: Page):
        self._held: list[str | bytes] | None = None
        page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, page_side: WebSocketRoute) -> None:
        self._page_side = page_side
        page_side.connect_to_server().on_message(self._receive)

    def _receive(self, message: str | bytes) -> None:
        if self._held is None:
            self._page_side.send(message)
        else:
            self._held.append(message)

    def hold(self) -> None:
        self._held = []

    def release(self) -> None:
        for message in self._held:
            self._page_side.send(message)
        self._held = None


def test_what_a_browser_forgets_while_a_click_is_under_way_is_sent_again(serve, open_page):
    page = open_page()
    line = SlowLine(page)
    page.goto(serve("tests/browser/forgetful_harness.py"))
    wait_until_idle(page)

    def choose(name: str) -> None:
        page.get_by_role("radio", name=name, exact=True).click()

    # As many runs without the long text as a browser keeps it.
    for name in ("a", "b"):
        choose(name)
        expect(page.get_by_text(f"The {name} one is here.")).to_be_visible()
        wait_until_idle(page)
    # The end of one more run, which makes it forget the text, crosses with the click for it.
    line.hold()
    choose("c")
    page.wait_for_timeout(700)
    choose("long")
    page.wait_for_timeout(700)
    line.release()
    expect(page.get_by_text("The long one is here.")).to_be_visible()
    expect(page.get_by_text("Connection error")).to_have_count(0)


def test_pages_that_are_left_before_they_are_drawn_leave_no_error(app_url, open_page):
    page = open_page(app_url)
    pages = ("Train a network", "Inside the network", "Compare", "Draw a digit", "More jobs")
    for name in 3 * pages:
        page.get_by_role("link", name=name).click()
        page.wait_for_timeout(120)
    page.get_by_role("link", name="Draw a digit").click()
    wait_until_painted(page)
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Draw a digit"]
