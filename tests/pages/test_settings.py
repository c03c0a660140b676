"""Settings: how a table of them is opened by a link, written into one, and put back."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from models.catalogue import load_catalogue
from pages.components.compare import settings as compare
from pages.components.draw import settings as draw
from pages.components.inside import settings as inside
from pages.components.photo import settings as photo
from pages.components.settings import Setting

CARDS = load_catalogue()


def page() -> None:
    """A page of three settings; the third one's default is what the first says."""
    import streamlit as st

    from pages.components import controls, link, settings

    table = [
        settings.Setting("kind", "one", link.one_of("kind", ["one", "two", "three"])),
        settings.Setting(
            "own_number", 5, link.number("number", 0, 10, int), name="number",
            counts=lambda values: values["kind"] != "three",
        ),
        settings.Setting(
            "words", lambda: [st.session_state.kind], link.several(str, "+"), "+".join
        ),
    ]  # fmt: skip
    follow = st.session_state.get("follow", {})
    settings.show_problems(settings.open_link(table, follow, "again" in st.session_state))
    controls.keep_valid_for_now("kind", st.session_state.get("kinds", ["one", "two", "three"]))
    st.selectbox("Kind", ["one", "two", "three"], key="kind")
    st.number_input("Number", step=1, key="own_number")
    settings.write_link(table)
    st.button("Reset", on_click=settings.reset, args=(table,))


def visit(follow: dict | None = None, **link: str) -> AppTest:
    app = AppTest.from_function(page)
    app.query_params.update(link)
    app.session_state.follow = follow or {}
    return app.run()


def values(app: AppTest) -> tuple:
    state = app.session_state
    return state.kind, state.own_number, state.words


def test_without_a_link_every_setting_has_its_default_and_none_is_written():
    app = visit()
    assert values(app) == ("one", 5, ["one"])
    assert dict(app.query_params) == {}


def test_a_default_knows_what_was_set_above_it():
    app = visit(kind="two")
    assert values(app) == ("two", 5, ["two"])
    assert dict(app.query_params) == {"kind": "two"}


def test_a_setting_has_another_name_in_the_link_than_in_the_session():
    app = visit(number="7", own_number="8")
    assert values(app) == ("one", 7, ["one"])
    assert dict(app.query_params) == {"number": "7", "own_number": "8"}


def test_what_does_not_count_is_not_written_and_comes_back_when_it_does():
    app = visit(number="7", kind="three")
    assert dict(app.query_params) == {"kind": "three"}
    app.selectbox(key="kind").select("two").run()
    assert dict(app.query_params) == {"kind": "two", "number": "7", "words": "three"}


def test_a_control_that_says_it_is_set_to_nothing_is_put_back():
    app = visit(kind="two")
    app.session_state.kind = None
    app.run()
    assert not app.exception
    assert values(app) == ("one", 5, ["two"])


def test_what_a_link_says_wrong_is_said_and_the_default_taken():
    app = visit(number="11", kind="two")
    assert values(app) == ("two", 5, ["two"])
    assert "from 0 to 10" in app.warning[0].value
    assert dict(app.query_params) == {"kind": "two"}


def test_a_link_comes_before_what_is_followed_and_that_before_the_default():
    app = visit({"own_number": 3, "kind": "three"}, kind="two")
    assert values(app) == ("two", 3, ["two"])


def test_a_link_opened_again_alone_counts():
    app = visit({"own_number": 3}, kind="two", number="7")
    app.query_params.clear()
    app.query_params["kind"] = "three"
    app.session_state["again"] = True
    app.session_state.follow = {}
    assert values(app.run()) == ("three", 5, ["three"])


def test_a_later_run_of_the_same_session_reads_no_link():
    app = visit(kind="two")
    app.query_params["number"] = "7"
    assert values(app.run()) == ("two", 5, ["two"])


def test_a_reset_puts_all_back_in_the_order_of_the_table():
    app = visit(kind="two", number="7")
    app.button[0].click().run()
    assert values(app) == ("one", 5, ["one"])
    assert dict(app.query_params) == {}


@pytest.mark.parametrize("again", [True, False])
def test_what_gave_way_is_forgotten_when_a_link_or_a_reset_says_what_counts(again):
    app = visit(kind="three")
    app.session_state.kinds = ["one"]
    assert values(app.run())[0] == "one"
    app.session_state.kinds = ["one", "two", "three"]
    if again:
        app.query_params["kind"] = "one"
        app.session_state["again"] = True
        app.run()
    else:
        app.button[0].click().run()
    assert values(app)[0] == "one"


def test_what_others_have_put_into_the_address_stays_there():
    app = visit(kind="two", utm_source="lecture")
    assert dict(app.query_params) == {"kind": "two", "utm_source": "lecture"}


# Every page

TABLES = {
    "draw": draw.settings(CARDS),
    "photo": photo.settings(CARDS),
    "inside": inside.settings(),
    "compare": compare.settings(CARDS),
}
# What a strength may be depends on the noise that the session is set to.
ROWS = [
    pytest.param(row, id=row.key)
    for table in TABLES.values()
    for row in table
    if not row.key.endswith("strength")
]


@pytest.mark.parametrize("row", ROWS)
def test_a_default_that_is_written_is_read_as_the_same(row: Setting):
    if not callable(row.default) and row.default not in (None, "", []):
        read = row.parse(row.text(row.default))
        assert read == row.default
        assert type(read) is type(row.default)


def test_no_two_settings_share_a_key_or_a_name():
    rows = [row for table in TABLES.values() for row in table]
    assert len({row.key for row in rows}) == len(rows)
    assert len({row.in_link for row in rows}) == len(rows)


def counted(page: str, **values: object) -> set[str]:
    """The names of the settings that count where these differ from the defaults."""
    table = TABLES[page]
    now = {row.key: None if callable(row.default) else row.default for row in table} | values
    return {row.in_link for row in table if row.counts(now)}


def test_on_the_draw_page_a_start_counts_until_somebody_draws():
    assert {"start", "sample", "drawing"} & counted("draw") == {"start", "drawing"}
    drawn = np.ones((28, 28, 1), np.float32)
    assert {"start", "sample", "drawing"} & counted("draw", draw_drawing=drawn) == {"drawing"}
    assert {"start", "sample", "drawing"} & counted("draw", draw_source="other") == {"sample"}
    assert not {"start", "sample", "drawing"} & counted("draw", draw_source="nothing")


def test_on_the_photo_page_noise_counts_where_it_is_added_and_a_level_where_it_is_set():
    noise = {"photo_noise", "photo_strength", "photo_seed"}
    assert noise <= counted("photo")
    assert not noise & counted("photo", photo_task="noisy")
    assert "photo_level" not in counted("photo")
    assert "photo_level" in counted("photo", photo_own_level=True)
    assert "photo_sample" not in counted("photo", photo_source="upload")


@pytest.mark.parametrize(("page", "prefix"), [("inside", "inside_"), ("compare", "trust_")])
def test_a_drawing_counts_where_it_is_the_digit(page, prefix):
    assert f"{prefix}drawing" not in counted(page)
    assert f"{prefix}drawing" in counted(page, **{f"{prefix}digit": "drawing"})
