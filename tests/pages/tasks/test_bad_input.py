"""What people bring to More jobs that is not what the job is for: the page has an answer."""

import io
import time

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from imaging.audio import wav
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import load_catalogue
from models.methods import method_names
from models.picture_queue import PictureQueue
from pages.components import cached
from pages.components.picture_cache import LIMIT, PictureCache
from pages.components.tasks import sources, work
from pages.components.tasks.job import shown_tasks
from tests.pages.visits import page_of
from tests.recordings import NO_RECORDINGS, beeps

PICTURE_JOBS = (
    *("segment-cells", "segment-roads", "segment-scenes", "segment-digits"),
    *("upscale-photos-4", "upscale-digits", "colour-faces", "colour-photos", "colour-digits"),
    "paint",
)
ENLARGED = {name: task for name, task in shown_tasks().items() if task.target.kind == "image"}
GREY = np.full((60, 80, 3), 120, np.uint8)


@pytest.fixture(autouse=True)
def own_shelf(monkeypatch):
    """No test sees what another one has made."""
    monkeypatch.setattr(cached, "_pictures", PictureCache())
    monkeypatch.setattr(cached, "_queue", PictureQueue())


def brought(task: str, name: str, content: bytes, **link: str) -> AppTest:
    """The page with this file, once there is an answer or a refusal."""
    page = page_of("tasks", task=task, **link).run()
    (uploader,) = page.file_uploader
    return answered(uploader.set_value((name, content, "application/octet-stream")).run())


def answered(page: AppTest) -> AppTest:
    """The page once there is an answer, or a sentence in its place."""
    end = time.monotonic() + 60
    while not (page.table or page.error or page.info or page.exception) and time.monotonic() < end:
        time.sleep(0.2)
        page.run()
    assert not page.exception, page.exception[0].value
    return page


def picture(pixels: np.ndarray, task: str) -> AppTest:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return brought(task, "mine.png", file.getvalue(), source="upload")


def sound(samples: np.ndarray, rate: int = 16_000) -> AppTest:
    page = brought("denoise-speech", "mine.wav", wav(samples, rate), sound="file")
    assert not page.error
    assert len(page.table) == 1  # What changed against the denoiser: it stands below the answers.
    return page


def said(page: AppTest) -> str:
    return " ".join(each.value for each in [*page.caption, *page.error, *page.info])


@pytest.mark.parametrize("task", PICTURE_JOBS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3)])
def test_a_pixel_and_a_sliver_get_an_answer_from_every_job(task, shape):
    page = picture(np.full(shape, 90, np.uint8), task)
    assert not page.error
    assert len(page.table) == 1


# To roads, a flat grey of asphalt is not nothing.
@pytest.mark.parametrize("task", ["segment-cells", "segment-roads"])
@pytest.mark.parametrize("grey", [0, 255])
def test_where_there_is_nothing_none_found_is_said(task, grey):
    page = picture(np.full((90, 120, 3), grey, np.uint8), task)
    found = [metric.value for metric in page.metric]
    assert len(found) >= 3
    assert set(found) == {"none found"}


def test_a_meadow_has_no_road(rng):
    # Grass as aerial pictures show it: green, with a texture of some pixels.
    texture = np.kron(rng.normal(0, 1, (64, 64, 1)), np.ones((4, 4, 1)))
    meadow = np.clip([92, 102, 69] + 9 * texture, 0, 255).astype(np.uint8)
    page = picture(meadow, "segment-roads")
    networks = [
        metric.value for metric in page.metric if "plain" in metric.label or "U-Net" in metric.label
    ]
    assert networks
    assert set(networks) == {"none found"}


def test_a_photo_in_place_of_cells_is_answered_beside_what_the_network_knows():
    page = picture(PHOTO_SAMPLES["coffee"].load()[::4, ::4], "segment-cells")
    assert not page.error
    assert "It has never seen whole cells, bacteria, three-dimensional stacks or photos" in said(
        page
    )


def test_a_picture_that_is_too_large_is_worked_on_smaller_and_that_is_said(monkeypatch):
    monkeypatch.setattr("pages.components.tasks.sources.MOST_PIXELS", 2000)
    page = picture(GREY, "segment-cells")
    # The factor is sqrt(2000 / 4800) = 0.6455.
    assert "Reduced from 80 × 60 to 51 × 38 pixels" in said(page)


@pytest.mark.parametrize("name", ["mine.png", "mine.jpg", "mine.tif"])
@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_a_picture_is_refused_in_a_sentence(name, content):
    page = brought("segment-cells", name, content, source="upload")
    (error,) = page.error
    assert error.value.endswith(".")
    assert "Traceback" not in error.value


@pytest.mark.parametrize(("content", "sentence"), NO_RECORDINGS.values(), ids=NO_RECORDINGS)
def test_what_is_not_a_sound_is_refused_in_a_sentence(content, sentence):
    page = brought("denoise-speech", "mine.wav", content, sound="file")
    assert sentence in page.error[0].value


def test_what_is_so_quiet_that_all_of_it_is_a_pause_is_refused_as_silent():
    # Tones of 3e-4 have -73 dB, and half of the time there are some: -76 dB.  A file with -80 is
    # silent, and below -70 all counts as a pause.
    content = wav((7.5e-4 * beeps(2)).astype(np.float32), 16_000)
    page = brought("denoise-speech", "mine.wav", content, sound="file")
    assert "This recording is silent." in page.error[0].value


def test_clipping_is_said_and_answered():
    page = sound(np.clip(6 * beeps(2), -1, 1))
    assert "It is clipped" in said(page)


def test_stereo_at_44_100_hertz_is_mixed_resampled_and_answered():
    both = np.stack([beeps(2, 44_100), beeps(2, 44_100)], axis=1)
    page = sound(both, 44_100)
    assert "Its 2 channels were mixed to one." in said(page)
    assert "It is resampled to 8,000 samples a second" in said(page)


def test_of_a_low_rate_it_is_said_what_is_missing():
    text = said(sound(beeps(2, 6000), 6000))
    assert "It has only 6,000 samples a second: tones above 3.0 kHz are missing" in text
    assert "left out" not in text


def test_of_ten_minutes_the_first_is_taken_which_is_said_before():
    page = page_of("tasks", task="denoise-speech", sound="file").run()
    (uploader,) = page.file_uploader
    assert "the first 60 seconds are used" in uploader.label
    page = sound(beeps(600, 8000), 8000)
    assert "Only its first 60 seconds were opened." in said(page)


def test_what_would_be_too_large_enlarged_is_refused_before_it_is_worked_on(monkeypatch):
    monkeypatch.setattr("pages.components.tasks.work.MOST_SHOWN", 4 * 60 * 80 - 1)
    page = picture(GREY, "upscale-photos-2")
    assert "would have 160 x 120 pixels" in page.error[0].value
    assert "Cut a part out." in page.error[0].value
    assert "smaller factor" not in page.error[0].value  # There is none.


def test_what_is_too_large_enlarged_is_refused_by_the_size_that_it_has(monkeypatch):
    monkeypatch.setattr("pages.components.tasks.sources.MOST_PIXELS", 2000)
    monkeypatch.setattr("pages.components.tasks.work.MOST_SHOWN", 7000)
    page = picture(GREY, "upscale-photos-2")
    assert "would have 160 x 120 pixels" in page.error[0].value
    assert "Reduced from 80 × 60 to 51 × 38 pixels" in said(page)


def test_a_picture_that_is_not_enlarged_may_be_of_any_size(monkeypatch):
    monkeypatch.setattr("pages.components.tasks.sources.MOST_PIXELS", 2000)
    monkeypatch.setattr("pages.components.tasks.work.MOST_SHOWN", 2000)
    page = picture(GREY, "colour-photos")
    assert not page.error


@pytest.mark.parametrize(("most", "helps"), [(4 * 60 * 80, True), (4 * 60 * 80 - 1, False)])
def test_a_smaller_factor_is_recommended_where_one_fits(monkeypatch, most, helps):
    monkeypatch.setattr("pages.components.tasks.work.MOST_SHOWN", most)
    page = picture(GREY, "upscale-photos-4")
    assert ("Choose a smaller factor" in page.error[0].value) == helps


@pytest.mark.parametrize("task", ENLARGED.values(), ids=ENLARGED)
def test_all_answers_to_the_largest_picture_fit_into_the_cache_at_once(task):
    """Else the first would be put away for the last, and asked for again, without an end."""
    cards = load_catalogue()
    pixels = min(sources.MOST_PIXELS * task.scale**2, work.MOST_SHOWN)
    # Two more than ship: a network with a skip connection cut, and one of the visitor's own.
    answers = 2 + len(method_names(task, cards))
    given = pixels // task.scale**2
    soft = 2 if task.soft else 1  # Photo and painting are kept side by side.
    assert 3 * (soft * answers * pixels + given) < LIMIT


def test_answers_are_all_there_at_last_where_the_cache_keeps_few_values(monkeypatch):
    # Beyond its comfort it keeps six for a visitor; enlarging has seven answers and the picture.
    monkeypatch.setattr(cached, "_pictures", PictureCache(comfort=0))
    page = picture(GREY, "upscale-photos-2")
    assert len(page.table) == 1
