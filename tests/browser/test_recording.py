"""A recording on the page of more jobs, by a microphone that hears a file."""

import re

import pytest
from playwright.sync_api import expect

from imaging.audio import resampled, wav
from models.tasks import TASKS
from tests.chromium import wait_until_idle

SLOW = 60_000
SPOKEN, SECONDS = "3142", 4


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A microphone that everybody may use; it hears four digits, over and over."""
    task = TASKS["denoise-speech"]
    _, clean = next(iter(task.samples.values())).load()
    file = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    file.write_bytes(wav(resampled(clean, task.input.rate, 48_000), 48_000))
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}",
    )


def test_what_is_said_into_a_microphone_is_recorded_cleaned_and_heard(open_page, app_url):
    page = open_page(f"{app_url}/tasks?task=denoise-speech&sound=record")
    button = page.get_by_test_id("stAudioInputActionButton")
    button.click(timeout=SLOW)
    page.wait_for_timeout(1000 * SECONDS)
    button.click()
    heard = page.get_by_text(re.compile("^Heard: "))
    expect(heard.first).to_be_visible(timeout=SLOW)
    wait_until_idle(page)
    # What was recorded, and what two networks and three filters make of it.
    expect(heard).to_have_count(6)
    expect(page.get_by_test_id("stAudio")).to_have_count(6)
    # The first and the last word may be cut.
    words = heard.nth(1).inner_text().removeprefix("Heard: ").split(", ")[1:-1]
    digits = "".join(word[0] for word in words)
    assert len(digits) >= len(SPOKEN)
    assert digits in 3 * SPOKEN
