"""Colour by mouse and sound by microphone and file, on the page of more jobs, as a visitor does."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.chromium import scrolls_sideways, wait_until_idle

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


@pytest.mark.parametrize(
    "job", ["upscale-photos-2", "colour-photos", "paint", "denoise-speech", "segment-digits"]
)
def test_a_phone_shows_every_job_without_scrolling_sideways(visit, job: str):
    page = visit(f"task={job}", width=390, height=844, touch=True)
    expect(page.get_by_text("What changed against the denoiser")).to_be_visible(timeout=SLOW)
    assert not scrolls_sideways(page)
