"""What every page begins and ends with."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import layout
from tests.pages.visits import page_of


def page() -> None:
    import streamlit as st

    from pages.components.layout import page_setup, say_on_arrival

    page_setup("A page", "What it is for.")
    if st.button("Go"):
        say_on_arrival("Here you are.")
        st.rerun()  # As to another page: what was not sent by now is not sent.


def test_what_is_said_on_arrival_is_said_once():
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.toast
    app.button[0].click().run()
    assert [each.value for each in app.toast] == ["Here you are."]
    assert not app.run().toast


def page_with_more() -> None:
    import streamlit as st

    from pages.components import widgets

    widgets.begin_run()
    st.session_state.setdefault("level", 8)
    if st.toggle("More", value=True):
        widgets.slider("Level", 0, 10, key="level")
    widgets.end_run()


def test_a_control_that_comes_back_tells_the_browser_what_it_is_set_to():
    app = AppTest.from_function(page_with_more).run().run()
    assert not app.slider[0].proto.set_value  # The browser knows it by now.
    drawn = app._tree
    assert not app.toggle[0].set_value(False).run().slider
    # The next message of a browser names what has just left the screen.
    app._tree = drawn
    back = app.toggle[0].set_value(True).run().slider[0].proto
    assert back.set_value
    assert list(back.value) == [8]


@pytest.mark.parametrize(
    "lines",
    [
        ["Dense, as in the tutorial"],
        ["U-Net, filters 4-4-4, batch 512"],
        ["Convolutional 32-32, Adadelta,", "as copied"],
        ["Dense, as in the tutorial,", "data drawn, filters 4-4-4-4,", "batch 512"],
        ["a name somebody typed without", "one comma that is long enough"],
        ["x" * 60],
    ],
)
def test_a_long_name_in_a_legend_is_broken_where_it_may_be_and_loses_nothing(lines):
    (line, ends) = re.findall(r"(?<=, )/(.*?)/(?=g|,)", layout.NAME_IN_LINES)
    broken = re.sub(line, r"\1\2\3\n", " ".join(lines))
    assert re.sub(ends, "", broken).split("\n") == lines


@pytest.mark.parametrize("name", ["draw", "compare", "inside", "_train", "learn"])
def test_no_level_of_headings_is_left_out(name):
    app = page_of(name).run()
    assert len(app.title) == 1
    assert app.header or not app.subheader
