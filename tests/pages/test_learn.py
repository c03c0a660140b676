"""The Learn page without a browser: every lesson from its first step to its last."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from models.catalogue import find_card
from tests.pages.visits import page_of
from train.recorded import read_record

ROOT = Path(__file__).parents[2]
FILES = {"": "draw", "train": "_train"}  # Where the page's file has another name than its address.
FOLDER = ROOT / "pages" / "components" / "learn" / "lessons"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


def visit(**link: str) -> AppTest:
    return page_of("learn", **link).run()


@pytest.fixture(scope="module", autouse=True)
def streamlit_components():
    """The canvas can only be imported once Streamlit has looked for its components."""
    visit()


def in_address(page: AppTest) -> dict[str, str]:
    """The settings in the address; those that were given come as text, those written as lists."""
    values = page.query_params.items()
    return {key: value if isinstance(value, str) else value[0] for key, value in values}


def press(page: AppTest, label: str) -> None:
    next(each for each in page.button if each.label.startswith(label)).click().run()


def links(page: AppTest) -> list[tuple[str, str]]:
    return [(each.proto.label, each.proto.url) for each in page.get("link_button")]


def steps(page: AppTest) -> list[str]:
    """The titles of the steps, from the one that is shown to the last; nothing went wrong."""
    titles = []
    while True:
        assert not page.exception
        assert not page.error
        assert not page.warning
        assert "(not measured)" not in " ".join(each.value for each in page.markdown)
        titles.append(page.subheader[-1].value)
        if not any(each.label == "Next" for each in page.button):
            return titles
        press(page, "Next")


def test_all_lessons_are_in_the_list_and_no_other():
    from pages.components.learn.lesson import LESSONS

    assert sorted(LESSONS) == NAMES
    assert len(LESSONS) == 8


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_can_be_walked_from_its_first_step_to_its_last(name):
    page = visit(lesson=name)
    titles = steps(page)
    assert 5 <= len(titles) <= 8
    assert [title.split(".")[0] for title in titles] == [str(n + 1) for n in range(len(titles))]
    assert in_address(page)["step"] == str(len(titles))
    press(page, "Next lesson")
    assert page.subheader[-1].value.startswith("1. ")


@pytest.mark.parametrize("name", NAMES)
def test_the_links_of_a_lesson_open_the_other_pages_with_settings_that_exist(name):
    from pages.components.learn.lesson import read_lesson

    targets = set()
    for number in range(1, len(read_lesson(name).steps) + 1):
        page = visit(lesson=name, step=str(number))
        targets |= {url for label, url in links(page) if label.startswith("Open this")}
    assert targets
    for target in sorted(targets):
        parts = urlsplit(target)
        file = parts.path.removeprefix("./")
        asked = dict(parse_qsl(parts.query))
        other = page_of(FILES.get(file, file), **asked).run()
        assert not other.exception, target
        assert not [box.value for box in other.warning if "link asks" in box.value], target
        # What differs from the default stays in the address: nothing of it was thrown away.
        assert in_address(other).items() <= asked.items(), target


def test_bars_open_the_comparison_by_what_they_show():
    (target,) = [url for _, url in links(visit(lesson="skips", step="5")) if "compare" in url]
    asked = dict(parse_qsl(urlsplit(target).query))
    other = page_of("compare", **asked).run()
    assert other.session_state["measured_by"] == "read"
    assert other.session_state["measured_noise"] == "gaussian"
    assert other.session_state["measured_at"] == 0.5


def test_what_was_trained_on_different_noise_is_compared_by_one_test_and_leads_to_its_recipe():
    page = visit(lesson="skips", step="4")
    (chart,) = page.get("vega_lite_chart")
    for name in ("unet-tutorial", "conv-64-64-32-tutorial"):
        record = read_record(name)
        assert f"{len(record['epochs'])} epochs: {record['test']['psnr']:.2f} dB" in chart.proto.alt
    assert ("Open this on the Train page", "./train?recipe=unet-tutorial") in links(page)


def test_what_a_network_learns_by_heart_is_seen_in_both_losses():
    (chart,) = visit(lesson="training", step="3").get("vega_lite_chart")
    last = read_record("trap-noise-drawn-once")["epochs"][-1]
    assert f"on its training digits: {last['loss']:.3g} after" in chart.proto.alt
    assert f"on held-out digits: {last['val_loss']:.3g} after" in chart.proto.alt


def test_maps_are_those_that_the_linked_page_shows_first_and_have_the_same_names():
    def maps(page: AppTest) -> list[str]:
        bodies = " ".join(each.proto.body for each in page.get("html"))
        return re.findall(r"\bMap \d+\b(?=</)", bodies)

    page = visit(lesson="convolution", step="3")
    (target,) = [url for label, url in links(page) if label.startswith("Open this")]
    other = page_of("inside", seconds=120, **dict(parse_qsl(urlsplit(target).query))).run()
    assert len(maps(page)) == 8
    assert maps(page) == maps(other)[:8]


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_short_and_numbers_with_units_are_looked_up(name):
    from pages.components.learn.lesson import read_lesson

    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    assert not re.search(r"\d (dB|%)|\d%", text)
    for step in read_lesson(name).steps:
        assert len(step.text.split()) <= 60
        assert 1 <= len(re.findall(r"[.?!:](?= |$)", step.text)) <= 5
        assert step.question.endswith("?")


def test_numbers_are_those_that_were_measured():
    from pages.components.learn.numbers import filled

    score = find_card("conv-32-32").score_at("gaussian", 0.5)
    assert filled("{psnr conv-32-32}") == f"{score.answer['psnr']:.2f} dB"
    record = read_record("dense-tutorial")
    assert filled("{recipe dense-tutorial read}") == f"{record['test']['read']:.1%}"
    assert filled("{parameters conv-32-32}") == "28,353"
    assert filled("It is {psnr nothing}.") == "It is (not measured)."
    with pytest.raises(ValueError, match="unknown number 'size'"):
        filled("{size conv-32-32}")


def test_a_training_of_seconds_does_not_take_0_minutes(monkeypatch):
    from pages.components.learn import numbers
    from pages.components.learn.lesson import read_lesson

    monkeypatch.setattr(numbers, "read_record", lambda name: {"epochs": [{"seconds": 0.9}] * 10})
    assert numbers.filled("It took {time dense-tutorial}.") == "It took 9 s."
    monkeypatch.undo()
    for name in NAMES:
        for step in read_lesson(name).steps:
            assert not re.search(r"\b0 (min|s)", numbers.filled(step.text))


LESSON = """
title = "T"
short = "S"
claim = "C"
source = "B"
measured = "M"
[[steps]]
title = "One"
text = "Text."
question = "Why?"
answer = "So."
demo = { kind = "denoise", methods = ["unet"] }
[[steps]]
title = "Two"
text = "Text."
question = "Why?"
answer = "So."
demo = { kind = "keep", numbers = 8 }
"""
WRONG = {
    "a model that is not there": ('"unet"', '"vnet"', "step 1, demo: method must be one of"),
    "a number off the slider": ("8", "9", "step 2, demo: numbers must be one of"),
    "another kind": ('"keep"', '"kept"', "step 2: demo needs a kind of"),
    "a setting that the demo lacks": ("numbers", "number", "step 2, demo: unknown 'number'"),
    "a number that nobody measures": ("So.", "{dB unet}", "step 1: unknown number 'dB'"),
    "a text that is not there": ('answer = "So."\n', "", "step 1: .*answer"),
    "a title that is a number": ('"T"', "5", "title must be a text, got 5"),
    "recipes that were measured on different noise": (
        'demo = { kind = "keep", numbers = 8 }',
        'demo = { kind = "training", recipes = ["unet-tutorial", "conv-64-64-32-tutorial"] }',
        "step 2, demo: recipes in one chart must have the same data, noise and loss",
    ),
    "an epoch that was not trained": (
        'demo = { kind = "keep", numbers = 8 }',
        'demo = { kind = "training", recipes = ["dense-tutorial"], first_epoch = 11 }',
        "step 2, demo: first_epoch must be one of",
    ),
    "a recipe of no name beside a bar": (
        'demo = { kind = "keep", numbers = 8 }',
        'demo = { kind = "bars", what = "psnr", rows = [["{length unet} epochs", "unet"]] }',
        "step 2, demo: unknown number 'length'",
    ),
    "broken TOML": ('"M"', '"M', "lesson.toml: "),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_lesson_file_is_refused_with_the_place(old, new, said):
    from pages.components.learn.lesson import LessonError, parse_lesson

    assert len(parse_lesson("lesson", LESSON).steps) == 2
    with pytest.raises(LessonError, match=said):
        parse_lesson("lesson", LESSON.replace(old, new, 1 if "step 2" not in said else -1))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lesson": "magic"}, "asks for the lesson `magic`, which does not exist"),
        ({"lesson": "noise", "step": "99"}, "asks for the step `99`, but it goes from 1 to 6"),
        ({"step": "<b>"}, "asks for the step"),
        ({"lesson": "noise", "step": ""}, "asks for the step"),
    ],
)
def test_a_link_that_was_cut_or_edited_is_a_sentence(params, said):
    page = visit(**params)
    assert not page.exception
    assert said in page.warning[0].value
    assert page.subheader[-1].value.startswith("1. ")


def test_a_link_opens_at_its_step():
    assert visit(lesson="skips", step="2").subheader[-1].value == "2. Switch them off"


def test_a_lesson_alone_has_nothing_else_on_the_page():
    page = visit(lesson="skips", only="1")
    assert page.title[0].value == "Skip connections"
    assert not page.get("button_group")
    assert not links(page)
    assert [each.label for each in page.button] == ["Back", "Next"]
    assert any("stHeader" in each.proto.body for each in page.get("html"))
    titles = steps(page)
    assert len(titles) == 5
    assert in_address(page)["only"] == "1"


def test_the_sheet_has_every_question_and_every_answer():
    from pages.components.learn.lesson import read_lesson

    page = visit(lesson="doubt")
    press(page, "Questions to print")
    sheet = " ".join(each.proto.body for each in page.get("html"))
    for step in read_lesson("doubt").steps:
        assert step.question in sheet
    assert sheet.count("<li>") == 2 * len(read_lesson("doubt").steps)
    press(page, "Back to the lesson")
    assert page.subheader[-1].value.startswith("1. ")


def test_a_title_that_asks_has_no_full_stop_on_the_sheet():
    page = visit(lesson="skips")
    press(page, "Questions to print")
    sheet = " ".join(each.proto.body for each in page.get("html"))
    assert "<b>Does the digit survive?</b>" in sheet
    assert "<b>Plain against U-Net.</b>" in sheet


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (json.dumps({"noise": 3}), {"noise": 3}),
        (json.dumps({"noise": 99, "magic": 1, "skips": "2", "code": True, "doubt": 1.5}), {}),
        ("[1]", {}),
        ("null", {}),
        ("{", {}),
        ("[" * 1999, {}),
        ("x" * 10_000, {}),
        (None, {}),
        (5, {}),
    ],
)
def test_only_steps_that_exist_are_taken_from_the_browser(text, kept):
    from pages.components.learn.progress import parse_progress

    assert parse_progress(text) == kept


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (json.dumps({"at": "noise/3"}), ("noise", 3)),
        (json.dumps({"at": "noise/99"}), None),
        (json.dumps({"at": "magic/1"}), None),
        (json.dumps({"at": "noise/³"}), None),
        (json.dumps({"at": ["noise", 3]}), None),
        ("{}", None),
        (None, None),
    ],
)
def test_a_place_to_go_back_to_exists(text, place):
    from pages.components.learn.progress import parse_place

    assert parse_place(text) == place


def test_who_arrives_is_led_back_to_where_they_were(monkeypatch):
    from pages.components.learn import progress

    monkeypatch.setattr(progress, "_mount", lambda **_: SimpleNamespace(kept='{"at": "skips/2"}'))
    page = visit()
    press(page, "Continue where you were: Skips, step 2")
    assert page.subheader[-1].value == "2. Switch them off"
    assert not any(each.label.startswith("Continue") for each in page.button)


def test_what_is_wrong_with_a_link_is_said_until_one_goes_on():
    page = visit(lesson="foo")
    assert "foo" in page.warning[0].value
    page.run()  # As the page does by itself, once the browser has told of its progress.
    assert "foo" in page.warning[0].value
    press(page, "Next")
    assert not page.warning
