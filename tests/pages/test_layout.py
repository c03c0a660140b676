"""What every page begins with."""

from streamlit.testing.v1 import AppTest


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
