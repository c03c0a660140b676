"""More jobs, as a visitor uses the page: one job after the other, samples, sliders, links."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from models.tasks import TASKS
from pages.components import cached
from pages.components.picture_cache import COMFORT, PictureCache
from pages.components.tasks.job import shown_tasks
from pages.components.tasks.texts import ROWS
from tests.pages.visits import page_of

REGIONS = ("segment-cells", "segment-roads", "segment-scenes")
DIGITS = ("segment-digits", "upscale-digits", "colour-digits")


def opened(**link) -> AppTest:
    """The page once all answers are there."""
    return finished(page_of("tasks", **link).run())


def finished(app: AppTest) -> AppTest:
    end = time.monotonic() + 60
    while not app.table and not app.exception and time.monotonic() < end:
        time.sleep(0.3)
        app.run()
    assert not app.exception, app.exception[0].value
    return app


def found(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.parametrize("name", [*REGIONS, *DIGITS])
def test_a_job_shows_a_result_on_arrival_and_what_changed_against_the_denoiser(name):
    app = opened(task=name)
    assert app.session_state.task == name
    assert not app.error
    assert not app.warning
    text = " ".join(each.value for each in app.markdown)
    assert TASKS[name].description in text
    for baseline in TASKS[name].baselines.values():
        assert f"**{baseline.title}:** {baseline.description}" in text
    assert len(app.table) == 1


def test_cells_are_counted_by_every_method_beside_the_count_by_hand():
    app = opened()
    counts = found(app)
    assert counts["Truth"] == "65"
    assert {"Cells: U-Net", "Cells: plain encoder-decoder"} <= set(counts)
    assert all(value.endswith(" found") or value == "65" for value in counts.values())


def test_another_threshold_counts_again_and_goes_into_the_link():
    app = opened()
    before = found(app)["Cells: U-Net"]
    slider = next(each for each in app.slider if each.label == "Threshold")
    lowest = finished(slider.set_value(0.05).run())
    assert found(lowest)["Cells: U-Net"] != before
    assert app.query_params["segment-cells-threshold"] == "0.05"


def test_an_answer_is_kept_so_that_another_threshold_needs_no_network(monkeypatch):
    app = opened()
    monkeypatch.setattr(
        "models.predictor.Session.__call__", lambda *_, **__: pytest.fail("the network ran again")
    )
    slider = next(each for each in app.slider if each.label == "Threshold")
    finished(slider.set_value(0.3).run())


def forbid(monkeypatch, *functions: str) -> None:
    for name in functions:
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("it was worked out again"))


DECIDED = ("imaging.segmentation.grow", "pages.components.tasks.downloads.regions")


@pytest.mark.parametrize("comfort", [0, COMFORT])
def test_another_strength_of_the_colours_works_nothing_out_again(monkeypatch, comfort):
    # Beyond its comfort the cache keeps six values for a visitor.
    monkeypatch.setattr(cached, "_pictures", PictureCache(comfort=comfort))
    app = opened()
    forbid(monkeypatch, "models.predictor.Session.__call__", *DECIDED)
    finished(app.slider(key="tasks_strength").set_value(80).run())


def test_the_length_of_roads_is_measured_once(monkeypatch):
    app = opened(task="segment-roads")
    forbid(monkeypatch, "pages.components.tasks.show.centre_line_length")
    finished(app.slider(key="tasks_strength").set_value(80).run())


def test_a_method_that_takes_no_threshold_does_not_work_again_for_another_one(monkeypatch):
    app = opened()
    forbid(monkeypatch, "imaging.segmentation.watershed_instances")
    slider = next(each for each in app.slider if each.label == "Threshold")
    finished(slider.set_value(0.3).run())
    assert len(found(app)) >= 3


def test_a_touched_picture_is_kept(monkeypatch):
    app = opened(task="paint")
    toggle = "tasks_touch_paint_own-colours"
    finished(app.toggle(key=toggle).set_value(True).run())
    finished(app.toggle(key=toggle).set_value(False).run())
    forbid(monkeypatch, "models.tasks.paint.with_colours_of")
    finished(app.toggle(key=toggle).set_value(True).run())


def test_tasks_of_one_family_are_one_job_and_a_link_to_one_of_them_opens_it():
    app = opened(**{"task": "upscale-photos-3", "upscale-photos-3-sample": "rocket"})
    job, factor = app.button_group(key="tasks_family"), app.button_group(key="tasks_member")
    assert job.value == "Enlarge"
    assert job.options.count("Enlarge") == 1
    assert factor.options == ["2 times", "3 times", "4 times", "digits, 2 times"]
    assert factor.value == "upscale-photos-3"
    assert app.session_state["tasks_sample_upscale-photos-3"] == "rocket"


def test_a_digit_is_enlarged_as_large_as_there_is_room():
    app = opened(task="upscale-digits")
    said = " ".join(each.value for each in app.caption)
    assert "70 x 42 pixels become 140 x 84." in said
    assert "at 100 %" not in said


@pytest.mark.parametrize("task", shown_tasks().values(), ids=list(shown_tasks()))
def test_every_job_says_what_changed_and_where_it_fails(task):
    text = task.explanation
    assert len(text.rows) == len(ROWS)
    assert text.description.endswith(".")
    assert text.limits.endswith(".")


def test_another_factor_keeps_the_sample_and_says_the_size_before_and_after():
    app = opened(**{"task": "upscale-photos-2", "upscale-photos-2-sample": "rocket"})
    finished(app.button_group(key="tasks_member").set_value("upscale-photos-4").run())
    assert app.query_params["task"] == "upscale-photos-4"
    assert app.query_params["upscale-photos-4-sample"] == "rocket"
    # The photo has 427 x 640 pixels; cut to multiples of 4, and made 4 times smaller.
    said = " ".join(each.value for each in app.caption)
    assert "160 x 106 pixels become 640 x 424" in said


def test_a_skip_connection_that_is_switched_off_shows_what_the_answer_loses():
    app = opened()
    before = found(app)
    finished(app.toggle(key="tasks_cut_segment-cells_skip_2").set_value(False).run())
    after = found(app)
    assert app.query_params["segment-cells-without"] == "skip_2"
    assert after.pop("Cells: U-Net, without 1/4") != before["Cells: U-Net"]
    assert after == before


def test_a_link_switches_all_skip_connections_off():
    app = opened(**{"segment-cells-without": "skip_1 skip_2 skip_3"})
    assert "Cells: U-Net, no skips" in found(app)
    assert not any(each.value for each in app.toggle if "of the size" in each.label)


def test_every_sound_is_shown_with_a_skip_connection_off_too():
    app = opened(**{"task": "denoise-speech", "denoise-speech-without": "skip_1"})
    shown = [each.value for each in app.markdown if each.value.startswith("**")]
    for title in ("Noisy", "Clean speech, without 1/2", "Original"):
        assert any(each.startswith(f"**{title}**") for each in shown), title


def test_what_is_heard_stands_below_each_player():
    app = opened(task="denoise-speech")
    heard = [each.value for each in app.caption if each.value.startswith("Heard: ")]
    # Six answers and the original, in which the speaker says three, one, four, two.
    assert len(heard) == 7
    assert [word[0] for word in heard[-1].removeprefix("Heard: ").split(", ")] == [*"3142"]


def test_a_skip_connection_that_no_network_has_is_said_in_a_sentence():
    app = opened(**{"segment-cells-without": "skip_99"})
    assert "skip_99" in " ".join(warning.value for warning in app.warning)


def test_a_link_that_makes_no_sense_is_said_in_a_sentence():
    app = opened(task="segment-kidneys", colour="lots")
    assert app.session_state.task == next(iter(shown_tasks()))
    said = " ".join(warning.value for warning in app.warning)
    assert "segment-kidneys" in said
    assert "lots" in said


def test_a_picture_too_large_for_the_factor_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr("models.tasks.upscale_photos.MOST_PIXELS", 100_000)
    link = {"task": "upscale-photos-4", "upscale-photos-4-sample": "rocket"}
    app = page_of("tasks", **link).run()
    end = time.monotonic() + 60
    while not app.error and not app.table and time.monotonic() < end:
        time.sleep(0.3)
        app.run()
    assert "Choose a smaller factor, or cut a part out." in app.error[0].value


def test_without_a_file_the_page_asks_for_one():
    app = page_of("tasks", source="upload").run()
    assert not app.exception
    assert any("Choose a file" in info.value for info in app.info)


def test_reset_stays_with_the_job_and_takes_the_hints_back():
    link = {"task": "colour-photos", "colour-photos-sample": "cat"}
    app = opened(**link, **{"colour-photos-hints": "500.250.3_100.900.11"})
    key = "tasks_hints_colour-photos_dots"
    cat, astronaut = (f"sample colour-photos {name}" for name in ("cat", "astronaut"))
    assert app.session_state[key] == {cat: [[0.5, 0.25, 3], [0.1, 0.9, 11]]}
    assert app.query_params["colour-photos-hints"] == "500.250.3_100.900.11"
    (button,) = (each for each in app.button if each.label == "Reset")
    finished(button.click().run())
    assert app.session_state.task == "colour-photos"
    assert app.session_state[key] == {astronaut: []}
    assert app.query_params == {"task": "colour-photos"}


def test_another_sample_has_no_hints_of_the_one_in_the_link():
    app = opened(**{"task": "colour-photos", "colour-photos-hints": "500.250.3"})
    finished(app.button_group(key="tasks_sample_colour-photos").set_value("cat").run())
    assert "colour-photos-hints" not in app.query_params
    finished(app.button_group(key="tasks_sample_colour-photos").set_value("astronaut").run())
    assert app.query_params["colour-photos-hints"] == "500.250.3"
