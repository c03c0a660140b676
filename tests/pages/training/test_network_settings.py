"""The form of a network: a widget for each type of setting, and what it returns."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.training.network_settings import WIDGETS
from train.config import ARCHITECTURE_SETTINGS, with_defaults

SETTINGS = [
    pytest.param(architecture, name, id=f"{architecture} {name}")
    for architecture, settings in ARCHITECTURE_SETTINGS.items()
    for name in settings
]


def page() -> None:
    """A form of one setting; what it returns is kept in the session."""
    import streamlit as st

    from pages.components.training.network_settings import pick_setting
    from train.config import ARCHITECTURE_SETTINGS

    architecture, name, value = st.session_state.asked
    setting = ARCHITECTURE_SETTINGS[architecture][name]
    st.session_state.answer = pick_setting(setting, value, "key")


def ask(architecture: str, name: str, value: object) -> AppTest:
    app = AppTest.from_function(page)
    app.session_state.asked = architecture, name, value
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize(("architecture", "name"), SETTINGS)
def test_a_setting_that_nobody_touches_keeps_its_value(architecture, name):
    value = with_defaults(architecture, {})[name]
    answer = ask(architecture, name, value).session_state.answer
    assert answer == value
    ARCHITECTURE_SETTINGS[architecture][name].require(name, answer)


def test_every_type_of_setting_has_a_widget():
    types = {
        type(each) for settings in ARCHITECTURE_SETTINGS.values() for each in settings.values()
    }
    assert types <= set(WIDGETS)


def test_an_optional_number_is_left_out_when_it_is_switched_off():
    app = ask("convolutional", "code", 7)
    assert app.session_state.answer == 7
    app.toggle(key="key-on").set_value(False).run()
    assert app.session_state.answer is None
    app.toggle(key="key-on").set_value(True).run()
    assert app.session_state.answer == 7


def test_another_level_repeats_the_last_number():
    app = ask("unet", "filters", [16, 32])
    app.segmented_control(key="key-depth").set_value(3).run()
    assert app.session_state.answer == [16, 32, 32]
