"""What a visitor brought to More jobs is still there after a look at something else."""

import gc
import io
import weakref

import numpy as np
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from imaging.audio import wav
from models.picture_queue import Job, PictureQueue
from pages.components import cached
from pages.components.picture_cache import PictureCache
from pages.components.tasks import sources
from pages.components.tasks.work import JOB
from tests.pages.tasks.test_bad_input import answered, brought
from tests.pages.visits import noted_reads, page_of
from tests.recordings import beeps

ASKS = "Choose a file above, or one of the samples."


def picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((60, 80, 3), 120, np.uint8)).save(file, "PNG")
    return file.getvalue()


def with_picture() -> AppTest:
    return brought("segment-digits", "mine.png", picture(), source="upload")


def choose(page: AppTest, key: str, value: str) -> AppTest:
    return answered(page.button_group(key=key).set_value(value).run())


def names(page: AppTest) -> list[str]:
    return [each.value for each in page.markdown if each.value.startswith("`mine")]


def asks_for_a_file(page: AppTest) -> bool:
    return any(each.value == ASKS for each in page.info)


def test_a_picture_is_still_there_after_a_look_at_a_sample():
    page = choose(choose(with_picture(), "tasks_source", "sample"), "tasks_source", "upload")
    assert not asks_for_a_file(page)
    assert names(page) == ["`mine.png`"]


def test_a_picture_is_still_there_after_a_look_at_a_job_with_sound():
    page = choose(with_picture(), "tasks_family", "Clean speech")
    assert not names(page)
    page = choose(page, "tasks_family", "Find digits")
    assert not asks_for_a_file(page)
    assert names(page) == ["`mine.png`"]


def test_a_recording_is_still_there_after_a_look_at_a_sample():
    page = brought("denoise-speech", "mine.wav", wav(beeps(2), 16_000), sound="file")
    page = choose(choose(page, "tasks_sound", "sample"), "tasks_sound", "file")
    assert not asks_for_a_file(page)
    assert names(page) == ["`mine.wav`"]


def test_a_picture_is_removed_by_its_button_with_all_that_was_made_of_it():
    page = choose(choose(with_picture(), "tasks_source", "sample"), "tasks_source", "upload")
    assert cached.get_uploads().size
    page = page.button(key="tasks_file_remove").click().run()
    assert asks_for_a_file(page)
    assert not cached.get_uploads().get(page.session_state.tasks_owner, "tasks_file")
    assert not names(choose(page, "tasks_source", "sample"))


def waiting(monkeypatch) -> tuple[AppTest, Job, list[weakref.ref]]:
    """The page with a picture whose answers wait for their turn, and what was opened for it."""
    monkeypatch.setattr(cached, "_queue", PictureQueue(at_once=0))
    opened = noted_reads(monkeypatch, sources)
    page = page_of("tasks", task="segment-digits", source="upload").run()
    (uploader,) = page.file_uploader
    page = uploader.set_value(("mine.png", picture(), "image/png")).run()
    _, job = page.session_state[JOB]
    assert job.state == "waiting"
    return page, job, opened


def test_a_picture_that_waits_for_its_turn_gives_way_to_others_and_is_opened_again(monkeypatch):
    page, job, opened = waiting(monkeypatch)
    cached.get_picture_cache().forget(page.session_state.tasks_owner, "")
    gc.collect()
    assert len(opened) == 1
    assert opened[0]() is None
    job._run()
    assert (job.state, len(opened)) == ("done", 2)


def test_a_picture_that_waits_for_its_turn_and_is_gone_is_asked_for_once_more(monkeypatch):
    page, job, _ = waiting(monkeypatch)
    cached.get_picture_cache().forget(page.session_state.tasks_owner, "")
    cached.get_uploads().forget(page.session_state.tasks_owner, "")
    job._run()
    assert job.state == "failed"
    assert "needed the room" in str(job.error)


def test_of_a_picture_that_is_removed_nothing_is_made_any_more(monkeypatch):
    page, job, _ = waiting(monkeypatch)
    page.file_uploader[0].set_value(None).run()
    assert job.state == "cancelled"
    assert JOB not in page.session_state


def test_a_picture_that_is_taken_out_of_the_control_is_forgotten():
    page = with_picture()
    (uploader,) = page.file_uploader
    page = uploader.set_value(None).run()
    assert asks_for_a_file(page)


def test_a_picture_that_had_to_give_way_is_asked_for_once_more(monkeypatch):
    page = choose(with_picture(), "tasks_source", "sample")
    monkeypatch.setattr(cached, "_uploads", PictureCache())
    monkeypatch.setattr(cached, "_pictures", PictureCache())
    page = choose(page, "tasks_source", "upload")
    assert "needed the room" in page.error[0].value


def test_what_gives_way_is_let_go_by_streamlit_too_when_the_next_visitor_brings_a_file(monkeypatch):
    let_go = []
    monkeypatch.setattr(
        MemoryUploadedFileManager, "remove_file", lambda _, session, file: let_go.append(file)
    )
    monkeypatch.setattr(cached, "_uploads", PictureCache(len(picture()) + 10))
    page = with_picture()
    mine = page.session_state.tasks_file_kept.id
    assert mine not in let_go
    other = with_picture()
    assert let_go == [mine]
    assert not other.exception


def test_the_sample_of_a_sound_is_in_the_link_while_a_sample_is_heard():
    link = {"denoise-speech-sample": "bad-microphone", "source": "upload"}
    page = page_of("tasks", task="denoise-speech", **link).run()
    assert page.query_params["denoise-speech-sample"] == "bad-microphone"
    page = page_of("tasks", task="denoise-speech", sound="file", **link).run()
    assert "denoise-speech-sample" not in page.query_params
