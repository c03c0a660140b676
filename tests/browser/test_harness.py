"""The tools of the other browser tests do what those tests rely on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

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
