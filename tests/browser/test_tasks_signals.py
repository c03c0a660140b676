"""Colour by mouse and sound by microphone and file, on the page of more jobs, as a visitor does."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from imaging.audio import wav
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import load_catalogue
from models.tasks.contract import Task
from pages.components.tasks.job import shown_tasks
from tests.chromium import scrolls_sideways, wait_until_idle
from tests.recordings import beeps

SLOW = 60_000


@pytest.fixture
def visit(app_url, open_page):
    def open_job(query: str, **kind):
        page = open_page(f"{app_url}/tasks?{query}", **kind)
        wait_until_idle(page)
        return page

    return open_job


def test_hints_are_put_by_mouse_and_by_keys_and_taken_back(visit):
    page = visit("task=colour-photos")
    picture, count = page.locator(".hint-pad .picture"), page.locator(".hint-pad .count")
    expect(count).to_have_text(re.compile("No hints yet"), timeout=SLOW)
    page.emulate_media(forced_colors="active")  # A contrast theme must leave colours to choose.
    expect(page.get_by_role("radio", name="Orange")).to_have_css(
        "background-color", "rgb(230, 126, 34)"
    )
    page.emulate_media(forced_colors="none")
    page.get_by_role("radio", name="Orange").click()
    picture.click(position={"x": 100, "y": 380})
    expect(count).to_have_text("1 hint")
    picture.focus()
    for key in ("ArrowUp", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(count).to_have_text("2 hints")
    page.get_by_role("button", name="Undo").click()
    expect(count).to_have_text("1 hint")
    wait_until_idle(page)
    expect(page.locator(".viewer")).to_have_attribute("data-version", re.compile("."), timeout=SLOW)


def test_hints_are_seen_again_when_their_picture_is(visit):
    page = visit("task=colour-photos")
    picture, count = page.locator(".hint-pad .picture"), page.locator(".hint-pad .count")
    expect(count).to_have_text("No hints yet.", timeout=SLOW)
    picture.click(position={"x": 100, "y": 380})
    picture.click(position={"x": 200, "y": 100})
    expect(count).to_have_text("2 hints")
    page.get_by_role("radio", name="Coffee").click()
    expect(count).to_have_text("No hints yet.", timeout=SLOW)
    wait_until_idle(page, timeout=60)
    page.get_by_role("radio", name="Astronaut").click()
    expect(count).to_have_text("2 hints", timeout=SLOW)
    expect(page.locator(".hint-pad .dots span")).to_have_count(2)
    page.get_by_role("button", name="Reset").click()
    expect(count).to_have_text("No hints yet.", timeout=SLOW)
    expect(page.locator(".hint-pad .dots span")).to_have_count(0)
    assert "hints" not in page.url
    picture.click(position={"x": 100, "y": 380})
    expect(count).to_have_text("1 hint")
    wait_until_idle(page, timeout=60)
    page.reload()
    expect(count).to_have_text("1 hint", timeout=SLOW)


def test_an_enlarged_photo_begins_as_a_crop_at_100_percent(visit):
    page = visit("task=upscale-photos-4")
    viewer = page.locator(".viewer")
    expect(viewer).to_have_attribute("data-zoom", "1", timeout=SLOW)
    page.get_by_role("radio", name="3 times").click()
    wait_until_idle(page)
    expect(page.get_by_text("150 x 100 pixels become 450 x 300")).to_be_visible(timeout=SLOW)
    expect(viewer).to_have_attribute("data-zoom", "1")


def test_a_sample_of_speech_is_heard_noisy_and_cleaned(visit):
    page = visit("task=denoise-speech")
    expect(page.get_by_text("SI-SDR").first).to_be_visible(timeout=SLOW)
    expect(page.locator("audio")).to_have_count(7, timeout=SLOW)
    expect(page.get_by_role("img", name="Spectrogram: Noisy", exact=True)).to_be_visible()


def test_a_text_file_called_wav_is_refused_in_words(visit, tmp_path: Path):
    text = tmp_path / "text.wav"
    text.write_text("This is not a sound. " * 50)
    page = visit("task=denoise-speech&sound=file")
    page.locator("input[type=file]").set_input_files(text)
    refused = page.get_by_text("is not a recording, or it is damaged")
    expect(refused).to_be_visible(timeout=SLOW)


def test_a_picture_outlives_another_source_another_job_and_another_page(visit, tmp_path: Path):
    file = tmp_path / "mine.png"
    Image.new("RGB", (80, 60), "grey").save(file)
    page = visit("task=segment-digits&source=upload")
    kept = page.get_by_text("mine.png")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("Outline")).to_be_visible(timeout=SLOW)
    for away, back in [
        (page.get_by_role("radio", name="Sample"), page.get_by_role("radio", name="Upload")),
        (page.get_by_role("radio", name="Clean speech"), page.get_by_role("radio", name="Find d")),
        (page.get_by_role("link", name="Draw a digit"), page.get_by_role("link", name="More jobs")),
    ]:
        away.click()
        expect(kept).to_be_hidden(timeout=SLOW)
        wait_until_idle(page)
        back.click()
        expect(kept).to_be_visible(timeout=SLOW)
        expect(page.get_by_text("Outline")).to_be_visible(timeout=SLOW)


def test_a_microphone_that_is_refused_is_said_where_one_would_record(visit):
    page = visit("task=denoise-speech")
    target = page.context.new_cdp_session(page).send("Target.getTargetInfo")["targetInfo"]
    browser = page.context.browser.new_browser_cdp_session()

    def set_microphone(setting: str) -> None:
        about = {"permission": {"name": "microphone"}, "setting": setting}
        where = {"browserContextId": target["browserContextId"]}
        browser.send("Browser.setPermission", about | where)

    set_microphone("denied")
    page.get_by_role("radio", name="Record").click()
    refused = page.get_by_text("This browser does not let the page use the microphone.")
    expect(refused).to_be_visible(timeout=SLOW)
    recorder = page.get_by_test_id("stAudioInput")
    above, below = refused.bounding_box(), recorder.bounding_box()
    assert 0 <= below["y"] - (above["y"] + above["height"]) < 100
    set_microphone("granted")
    expect(refused).to_be_hidden()


def test_a_phone_shows_every_job_without_scrolling_sideways(visit):
    page = visit("task=segment-cells", width=390, height=844, touch=True)
    for title, task in jobs_in_order().items():
        page.get_by_role("radio", name=title, exact=True).click()
        expect(page.get_by_text(task.description)).to_be_visible(timeout=SLOW)
        expect(page.get_by_text("What changed against the denoiser")).to_be_visible(timeout=SLOW)
        wait_until_idle(page, timeout=60)
        assert not scrolls_sideways(page), title


def jobs_in_order() -> dict[str, Task]:
    """The jobs of the page by what is written on them; of a family the task that is shown first."""
    jobs: dict[str, Task] = {}
    for task in shown_tasks().values():
        jobs.setdefault(task.family or task.title, task)
    return jobs


@pytest.mark.slow
@pytest.mark.parametrize("source", ["sample", "upload"])
def test_every_job_answers_its_sample_and_a_picture_of_ones_own(visit, tmp_path: Path, source: str):
    page = visit(f"task=segment-cells&source={source}")
    jobs = jobs_in_order()
    if source == "upload":
        file = tmp_path / "mine.png"
        Image.fromarray(PHOTO_SAMPLES["coffee"].load()).resize((90, 60)).save(file)
        page.locator("input[type=file]").set_input_files(file)
    for title, task in jobs.items():
        if task.input.kind == "audio":
            continue
        page.get_by_role("radio", name=title, exact=True).click()
        expect(page.get_by_text(task.description)).to_be_visible(timeout=SLOW)
        networks = [card.title for card in load_catalogue().values() if card.task == task.name]
        for method in networks + [each.title for each in task.baselines.values()]:
            shown = page.locator(f'canvas[data-title^="{method}"]').first
            expect(shown).to_be_attached(timeout=SLOW)
        wait_until_idle(page)
        assert (page.get_by_text("mine.png").count() > 0) == (source == "upload")


def test_a_recording_of_ones_own_is_cleaned(visit, tmp_path: Path):
    file = tmp_path / "mine.wav"
    file.write_bytes(wav(beeps(2, 44_100), 44_100))
    page = visit("task=denoise-speech&sound=file")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("It is resampled to 8,000 samples a second")).to_be_visible(
        timeout=SLOW
    )
    expect(page.get_by_test_id("stAudio")).to_have_count(6, timeout=SLOW)


def test_settings_stay_when_another_picture_comes(visit, tmp_path):
    page = visit("task=segment-cells&source=upload")
    for number, name in enumerate(("one.png", "two.png", "three.png")):
        Image.fromarray(PHOTO_SAMPLES["coffee"].load()[: 60 + number, :80]).save(tmp_path / name)
        page.locator("input[type=file]").first.set_input_files(tmp_path / name)
        wait_until_idle(page, timeout=60, quiet=1.5)
        threshold = page.get_by_role("slider", name="Threshold")
        expect(threshold).to_have_value("0.8", timeout=SLOW)
    assert "threshold" not in page.url
