"""The tools of the other browser tests do what those tests rely on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import forget
from tests.chromium import wait_until_idle

SLOW_ECHO = """
import time
import streamlit as st

level = st.slider("Level", 0, 10, 3)
time.sleep(0.8)
st.write(f"settled at {level}")
"""

FRAGMENT_ECHO = """
import time
import streamlit as st

@st.fragment
def part():
    level = st.slider("Level", 0, 10, 3)
    time.sleep(0.8)
    st.write(f"settled at {level}")

part()
"""


@pytest.mark.parametrize("source", [SLOW_ECHO, FRAGMENT_ECHO], ids=["page", "fragment"])
def test_idle_means_that_the_new_value_is_on_the_screen(
    source: str, tmp_path: Path, serve: Callable[..., str], page: Page
):
    script = tmp_path / "echo.py"
    script.write_text(source)
    page.goto(serve(script))
    wait_until_idle(page)
    assert page.get_by_text("settled at 3").is_visible()

    page.get_by_role("slider").press("ArrowRight")
    wait_until_idle(page)
    assert page.get_by_text("settled at 4").is_visible()


def test_the_same_script_is_served_by_the_same_server(tmp_path: Path, serve: Callable[..., str]):
    script = tmp_path / "hello.py"
    script.write_text("import streamlit as st\nst.write('hello')\n")
    assert serve(script) == serve(script)
    assert serve(script, GREETING="other") != serve(script)


def test_a_server_that_cannot_start_says_why(tmp_path: Path, serve: Callable[..., str]):
    with pytest.raises(RuntimeError, match="nowhere"):
        serve(tmp_path / "nowhere.py")


STORE = """
async () => {
    localStorage.setItem("visitor", "me");
    document.cookie = "visitor=me";
    await new Promise(done => {
        const asked = indexedDB.open("visitor");
        asked.onsuccess = () => { asked.result.close(); done(); };
    });
}
"""
KNOWN = """
async () => [
    localStorage.getItem("visitor"), document.cookie.includes("visitor"),
    (await indexedDB.databases()).length,
]
"""


def test_a_visitor_has_a_context_again_that_has_forgotten_the_one_before(tmp_path, serve, contexts):
    (tmp_path / "hello.py").write_text("import streamlit as st\nst.write('hello')\n")
    url = serve(tmp_path / "hello.py")
    context = contexts(False, 0)
    empty = context.pages
    context.grant_permissions(["geolocation"])
    for _ in range(2):
        page = context.new_page()
        page.goto(url)
        page.evaluate(STORE)
    assert page.evaluate(KNOWN) == ["me", True, 1]
    forget(context, {f"{url}/"})
    assert context.pages == empty
    page = contexts(False, 0).new_page()
    page.goto(url)
    assert page.context is context
    assert page.evaluate(KNOWN) == [None, False, 0]
    asked = "navigator.permissions.query({name: 'geolocation'}).then(answer => answer.state)"
    assert page.evaluate(asked) != "granted"
    page.close()


def test_two_pages_of_a_test_are_two_visitors(open_page):
    assert len({page.context for page in (open_page(), open_page(), open_page(touch=True))}) == 3


def test_chromium_draws_nothing_but_the_page(browser, page):
    page.goto("data:text/html,hello")
    session = browser.new_browser_cdp_session()
    targets = session.send("Target.getTargets", {"filter": [{}]})["targetInfos"]
    assert {each["type"] for each in targets} <= {"browser", "tab", "page"}
