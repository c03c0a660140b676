"""Controls that what a browser sends cannot break."""

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from pages.components import widgets

    chosen = widgets.select_slider(
        "Share", (0.1, 0.2, 0.5), format_func=lambda share: f"{share:.0%}", key="share"
    )
    st.text(f"chosen {chosen}")


def test_a_select_slider_gives_one_of_its_options():
    shown = AppTest.from_function(page).run()
    shown.select_slider(key="share").set_value(0.5).run()
    assert shown.text[0].value == "chosen 0.5"


@pytest.mark.parametrize("sent", ["nonsense", -1.0, "0.2"])
def test_what_is_no_option_counts_as_the_first(sent):
    shown = AppTest.from_function(page)
    shown.session_state["share"] = sent
    shown.run()
    assert not shown.exception
    assert shown.text[0].value == "chosen 0.1"
