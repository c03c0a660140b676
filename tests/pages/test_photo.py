"""The Photo page without a browser: every control, every kind of file, what is said of each."""

import gc
import io
import threading
import time
import weakref
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image
from streamlit.testing.v1 import AppTest

from imaging import pixels
from imaging.files.reading import read_photo
from imaging.files.writing import write
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import load_catalogue
from models.methods import find_method, method_names, method_title
from models.picture_queue import PICTURES_AT_ONCE, Cancelled, PictureQueue
from models.tasks.denoise_photos import TASK
from pages.components import cached, long_work, picture_cache, tabs
from pages.components.photo import downloads, own, results, source, work
from pages.components.photo.batch import denoise_all
from pages.components.photo.downloads import FileForm
from pages.components.photo.source import ChosenFile
from pages.components.picture_cache import COMFORT, Owner, PictureCache
from pages.components.tabs import Tabs
from tests.imaging.files.test_reading import SRGB_BLUE, SRGB_GREEN, SRGB_RED, icc_profile
from tests.pages.visits import Breaker, noted_reads, page_of, said

QUICK = "median"  # A method that takes a moment; the network's own tests are elsewhere.


@pytest.fixture(autouse=True)
def own_shelf(monkeypatch):
    """No test sees the pictures that another one has made."""
    monkeypatch.setattr(cached, "_pictures", PictureCache(comfort=COMFORT))
    monkeypatch.setattr(cached, "_zips", PictureCache(cached.ZIPS_LIMIT, comfort=0, few=1))
    monkeypatch.setattr(cached, "_tabs", Tabs())
    monkeypatch.setattr(cached, "_queue", PictureQueue())
    monkeypatch.setattr(cached, "_uploads", PictureCache(cached.UPLOADS_LIMIT, cached.UPLOADS_KEPT))


def visit(**params: str) -> AppTest:
    """Open the page with these settings in its link, and wait until its picture is there."""
    link = {f"photo_{name}": value for name, value in params.items()}
    return finish(page_of("photo", **link).run())


def finish(page: AppTest) -> AppTest:
    """Run the page again until nothing is in work any more."""
    for _ in range(60):
        pending = [slot for slot in own.SLOTS if slot in page.session_state]
        if not pending:
            return page
        page.session_state[pending[0]][1].wait(1)
        page.run()
    raise AssertionError("the picture was not finished within a minute")


def upload(*files: tuple[str, bytes], **params: str) -> AppTest:
    page = visit(source="upload", method=QUICK, **params)
    page.file_uploader(key="photo_files").set_value(
        [(name, content, "image/png") for name, content in files]
    )
    return finish(page.run())


def png(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def noisy_grey(height: int = 40, width: int = 60) -> np.ndarray:
    return np.clip(np.random.default_rng(0).normal(128, 20, (height, width)), 0, 255).astype(
        np.uint8
    )


def test_arrival_shows_a_gain_and_nothing_to_worry_about():
    page = visit()
    assert not page.exception
    assert float(page.metric[0].delta.removesuffix(" dB")) > 5
    assert not said(page)


@pytest.mark.parametrize("kind", PHOTO_NOISE_KINDS.values(), ids=PHOTO_NOISE_KINDS)
def test_every_noise_works_over_its_whole_slider(kind):
    for strength in (kind.low, kind.default, kind.high):
        shown = round(strength * kind.shown_per_unit, 6)
        page = visit(noise=kind.name, strength=str(shown), method=QUICK)
        assert not page.exception
        assert page.slider(key="photo_strength").value == pytest.approx(shown)
        assert "link" not in said(page)


@pytest.mark.parametrize("name", method_names(TASK, load_catalogue()))
def test_every_method_can_be_chosen_by_its_name(name):
    page = visit(method=name, sample="cameraman")
    assert not page.exception
    assert page.selectbox(key="photo_method").value == name
    assert float(page.metric[0].delta.removesuffix(" dB")) > 0
    if name in TASK.baselines:
        filter = TASK.baselines[name]
        text = said(page, "markdown", "caption")
        assert filter.description in text
        assert f"Source: {filter.source}." in text


@pytest.mark.parametrize("name", PHOTO_SAMPLES)
def test_every_sample_is_shown(name):
    page = visit(sample=name, method="gaussian")
    assert not page.exception
    assert page.pills(key="photo_sample").value == name


def test_a_picture_that_is_noisy_by_itself_has_no_numbers_that_need_an_original():
    page = visit(sample="galaxies", task="noisy", method=QUICK)
    assert not page.exception
    assert not page.metric
    assert any("no clean original" in caption.value for caption in page.caption)


def test_choosing_a_noisy_sample_stops_adding_noise():
    page = visit(method=QUICK)
    finish(page.pills(key="photo_sample").set_value("galaxies").run())
    assert page.session_state["photo_task"] == "noisy"
    finish(page.pills(key="photo_sample").set_value("coffee").run())
    assert page.session_state["photo_task"] == "add"


def test_an_upload_is_taken_as_noisy_and_its_level_is_estimated():
    page = upload(("mine.png", png(noisy_grey(200, 300))))
    assert not page.exception
    assert page.session_state["photo_task"] == "noisy"
    (line,) = [each.value for each in page.markdown if each.value.startswith("Noise level")]
    # 20 of 255 were put in; an estimate from 60,000 pixels is off by less than 1.
    assert float(line.split("**")[1]) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(("axis", "lines"), [(0, "Rows"), (1, "Columns")])
def test_bands_are_said_to_stay(axis, lines):
    offsets = np.random.default_rng(1).normal(0, 6, 200).astype(int)
    pixels = noisy_grey(200, 200) + offsets.reshape(-1 if axis == 0 else 1, 200 if axis else 1)
    page = upload(("mine.png", png(pixels.clip(0, 255).astype(np.uint8))))
    (line,) = [each.value for each in page.caption if "bands" in each.value]
    assert f"{lines} of this picture differ in brightness, by about " in line
    # Of 200 numbers, rounded down to a whole one: 8 % is the standard error.
    assert 4 < int(line.split("about ")[1].split()[0]) < 8
    finish(page.segmented_control(key="photo_task").set_value("add").run())
    assert not any("bands" in each.value for each in page.caption)


def test_of_noise_without_bands_nothing_is_said_of_bands():
    page = upload(("mine.png", png(noisy_grey(200, 300))))
    assert not any("bands" in each.value for each in page.caption)


def test_the_level_can_be_overruled():
    page = visit(task="noisy", sample="galaxies", own_level="True", level="40", method=QUICK)
    assert page.slider(key="photo_level").value == 40
    assert not page.exception


def test_a_level_is_chosen_for_one_picture_and_not_for_the_next():
    page = visit(task="noisy", sample="galaxies", own_level="True", level="40", method=QUICK)
    page.segmented_control(key="photo_task").set_value("add").run()
    assert not finish(page).toggle(key="photo_own_level").value
    finish(page.toggle(key="photo_own_level").set_value(True).run())
    assert page.slider(key="photo_level").value == 25  # What was added, not 40.
    page.button_group(key="photo_sample").set_value("coffee").run()
    assert not finish(page).toggle(key="photo_own_level").value
    assert "photo_own_level" not in page.query_params
    # As Back does it.
    page.session_state.photo_own_level, page.session_state.photo_sample = True, "galaxies"
    assert finish(page.run()).toggle(key="photo_own_level").value


def test_taking_none_of_the_denoising_over_leaves_the_noisy_picture():
    page = visit(method=QUICK, brightness="0", colour="0")
    assert page.metric[0].delta == "+0.0 dB"


@pytest.mark.parametrize(
    "shape", [(1, 1), (7, 5), (3, 400), (41, 33, 3), (20, 30, 4)], ids=lambda shape: str(shape)
)
def test_pictures_of_any_size_and_kind_are_opened(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    page = upload(("any.png", png(pixels)))
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.png", b"this is no picture"),
        ("empty.png", b""),
        ("../../etc/passwd.png", b"\x89PNG\r\n\x1a\n"),
        ("<img src=x onerror=alert(1)>.png", b"<svg/>"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(name, content):
    page = upload((name, content))
    assert not page.exception
    (error,) = page.error
    assert error.value.rstrip().endswith(".")
    assert "Traceback" not in error.value


def test_a_broken_file_leaves_the_others_to_be_seen():
    page = upload(("bad.png", b"no"), ("good.png", png(noisy_grey())))
    (error,) = page.error
    assert "bad.png" in error.value
    assert page.selectbox(key="photo_shown").options == ["good.png, 2 kB"]
    assert not page.exception


def test_a_format_that_no_list_offers_becomes_the_usual_one():
    page = page_of("photo", photo_method=QUICK)
    page.session_state.photo_format = "%00"
    page = finish(page.run())
    assert not page.exception
    assert page.selectbox(key="photo_format").value == "png"


def test_what_is_shown_is_measured_once(monkeypatch):
    measured, real = [], work.measure_pixels
    monkeypatch.setattr(
        work, "measure_pixels", lambda *pixels: measured.append(pixels) or real(*pixels)
    )
    page = visit(method=QUICK)
    assert len(measured) == 2  # With noise, and without.
    page.run()
    assert len(measured) == 2
    # Half of it: what was noisy before is not measured again.
    page.slider(key="photo_brightness").set_value(50).run()
    assert not page.exception
    assert len(measured) == 3
    half = {metric.label: metric.value for metric in page.metric}
    page.slider(key="photo_brightness").set_value(100).run()
    assert len(measured) == 3
    assert {metric.label: metric.value for metric in page.metric} != half


def test_what_one_visitor_had_made_of_a_sample_is_there_for_the_next(monkeypatch):
    made = []
    for name in ("corrupt_pixels", "measure_pixels"):
        real = getattr(work, name)
        monkeypatch.setattr(
            work, name, lambda *given, name=name, real=real: made.append(name) or real(*given)
        )
    queue = PictureQueue()
    monkeypatch.setattr(cached, "_queue", queue)
    asked, submit = [], queue.submit
    monkeypatch.setattr(queue, "submit", lambda *job: asked.append(job) or submit(*job))
    first, second = visit(method=QUICK), visit(method=QUICK)
    assert made == ["corrupt_pixels", "measure_pixels", "measure_pixels"]
    assert len(asked) == 1
    values = [[metric.value for metric in page.metric] for page in (first, second)]
    assert values[0] == values[1]
    # Another seed is other noise, for whoever sets it.
    visit(method=QUICK, seed="7")
    assert made.count("corrupt_pixels") == len(asked) == 2


def test_the_same_file_of_two_visitors_is_worked_on_for_each(monkeypatch):
    looked, real = [], work.estimated_level
    monkeypatch.setattr(work, "estimated_level", lambda *photo: looked.append(1) or real(*photo))
    for _ in range(2):
        page = upload(("mine.png", png(noisy_grey())))
        assert not page.exception
        page.run()
    assert len(looked) == 2


def test_what_is_made_of_samples_has_one_limit_for_all_visitors():
    for seed in range(3):
        visit(method=QUICK, seed=str(seed))
    pictures = cached.get_picture_cache()
    before, kept = pictures.size, pictures.get(source.EVERYBODY, "sample cat").pixels
    for _ in range(3):
        visit(method=QUICK, seed="2")
    assert pictures.size == before
    # The sample, and with each seed the noisy picture, the denoised one and what is known of both.
    assert before < (1 + 2 * 3) * kept.nbytes + 6 * 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample", "nowhere"),
        ("noise", "loud"),
        ("strength", "1e9"),
        ("strength", "nan"),
        ("seed", "-1"),
        ("method", "magic"),
        ("own_level", "perhaps"),
        ("level", "300"),
        ("brightness", "101"),
    ],
)
def test_what_a_link_says_wrong_is_said_and_replaced(name, value):
    page = visit(**{"method": QUICK} | {name: value})
    assert not page.exception
    assert any("link" in box.value for box in page.warning)


def chosen(content: bytes, name: str) -> ChosenFile:
    """A picture that was brought."""
    owner = Owner()
    cached.get_uploads().put(owner, name, content, len(content))
    return ChosenFile(name, name, owner)


def test_files_with_the_same_name_both_come_out_with_name_size_and_transparency_kept():
    clear = np.dstack([np.full((9, 12, 3), 200, np.uint8), np.full((9, 12), 50, np.uint8)])
    files = [
        chosen(png(noisy_grey()), "a.jpg"),
        chosen(b"no picture", "b.png"),
        chosen(png(clear), "A.png"),
    ]
    told = []
    packed, problems = denoise_all(
        files,
        find_method(TASK, QUICK, {}),
        1.0,
        1.0,
        lambda done, total: told.append(done / total),
    )
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["a.png", "A-2.png"]
        with archive.open("a.png") as first, archive.open("A-2.png") as second:
            assert Image.open(first).size == (60, 40)
            assert np.asarray(Image.open(second))[0, 0, 3] == 50
    assert len(problems) == 1
    assert "b.png" in problems[0]
    assert told == sorted(told)


def test_titles_of_methods_are_unlike_each_other():
    cards = load_catalogue()
    titles = [method_title(TASK, name, cards) for name in method_names(TASK, cards)]
    assert len(set(titles)) == len(titles) > len(TASK.baselines)


def deep_tiff() -> bytes:
    values = np.random.default_rng(3).integers(0, 65536, (40, 60, 3), dtype=np.uint16)
    return write(values, "tiff")


def test_two_files_of_one_name_have_labels_of_their_own():
    page = upload(("same.png", png(noisy_grey())), ("same.png", png(noisy_grey(30, 50))))
    first, second = page.selectbox(key="photo_shown").options
    assert first.startswith("same.png (1), ")
    assert second.startswith("same.png (2), ")
    page.selectbox(key="photo_shown").select_index(1)
    finish(page.run())
    assert not page.exception
    assert page.session_state["photo_shown"] == page.session_state["photo_tab"].pictures[1].digest


@pytest.mark.parametrize("broken_off", [False, True])
def test_what_came_is_shown_though_the_browser_names_what_was_before(monkeypatch, broken_off):
    page = upload(("one.png", png(noisy_grey())))
    before = page.session_state["photo_shown"]
    page.file_uploader(key="photo_files").set_value([("two.png", png(noisy_grey(30)), "image/png")])
    with monkeypatch.context() as patch:
        if broken_off:
            patch.setattr(source, "_say_what_happened", lambda _: source.st.stop())
        page.run()
    page.session_state["photo_shown"] = before
    finish(page.run())
    assert page.selectbox(key="photo_shown").value != before
    assert any("is shown now, in place of" in each.value for each in page.markdown)
    page.selectbox(key="photo_shown").set_value(before)
    finish(page.run())
    assert page.selectbox(key="photo_shown").value == before


def test_a_picture_that_is_removed_is_forgotten():
    page = upload(("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50))))
    page.button(key="photo_remove").click()
    finish(page.run())
    assert [each.name for each in page.session_state["photo_tab"].pictures] == ["two.png"]
    assert cached.get_uploads().size == len(png(noisy_grey(30, 50)))
    page.button(key="photo_remove").click()
    page.run()
    assert cached.get_uploads().size == 0
    assert any("Choose a picture" in box.value or "image" in box.value for box in page.info)


@pytest.mark.parametrize("button", ["photo_remove", "photo_remove_all", "photo_undo_button"])
def test_what_is_in_work_is_given_up_with_its_picture(button):
    page, gate = visit(method=QUICK), threading.Event()
    for _ in range(PICTURES_AT_ONCE):
        cached.get_picture_queue().submit(lambda watch: gate.wait(20))
    page.file_uploader(key="photo_files").set_value(
        [(name, png(noisy_grey(30 + n)), "image/png") for n, name in enumerate(("a.png", "b.png"))]
    )
    page.run()
    _, job = page.session_state["photo_job"]
    assert job.state == "waiting"
    page.button(key=button).click().run()
    assert job.state == "cancelled"
    gate.set()
    assert not finish(page).exception


def test_pictures_are_kept_for_an_hour_after_they_were_last_used(monkeypatch):
    # The day is asked for where another server has left a folder.
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, time=time.time)
    for module in (tabs, picture_cache):
        monkeypatch.setattr(module, "time", clock)
    page = upload(("mine.png", png(noisy_grey())))
    page.session_state["photo_word"] = "word"
    for _ in range(3):
        page.run()
        clock.now += tabs.KEPT_UNUSED - 1
        cached.forget_unused()
    again = visit(source="upload", method=QUICK)
    again.session_state["photo_word"] = "word"
    finish(again.run())
    assert any("mine.png" in each for each in again.selectbox(key="photo_shown").options)
    assert not again.error
    clock.now += tabs.KEPT_UNUSED + 1
    cached.forget_unused()
    assert cached.get_uploads().size == cached.get_picture_cache().size == 0
    assert cached.get_tabs().find("word", tabs.Tab()).pictures == []


def test_undo_brings_back_what_was_shown_and_forgets_what_came():
    page = visit(method=QUICK)
    page.file_uploader(key="photo_files").set_value([("new.png", png(noisy_grey()), "image/png")])
    finish(page.run())
    assert any("new.png" in each.value and "Cat" in each.value for each in page.markdown)
    page.button(key="photo_undo_button").click()
    finish(page.run())
    assert page.session_state["photo_source"] == "sample"
    assert page.session_state["photo_task"] == "add"
    assert not page.session_state["photo_tab"].pictures


def test_what_came_can_be_undone_after_the_browser_has_sent_the_source_of_before():
    page = visit(method=QUICK)
    page.file_uploader(key="photo_files").set_value([("new.png", png(noisy_grey()), "image/png")])
    finish(page.run())
    # It sends all settings with each change, this one before it hears that a picture came.
    finish(page.segmented_control(key="photo_source").set_value("sample").run())
    assert not any("in place of" in each.value for each in page.markdown)
    finish(page.segmented_control(key="photo_source").set_value("upload").run())
    assert any("in place of the sample Cat" in each.value for each in page.markdown)
    assert page.session_state["photo_task"] == "noisy"
    # Once the file has left the uploader, it is the visitor who chooses.
    page.file_uploader(key="photo_files").clear().run()
    finish(page.segmented_control(key="photo_source").set_value("sample").run())
    finish(page.segmented_control(key="photo_source").set_value("upload").run())
    assert not any("in place of" in each.value for each in page.markdown)


def test_too_many_pictures_are_refused_one_by_one():
    files = [
        (f"{n}.png", png(noisy_grey(8 + n, 9)), "image/png") for n in range(own.MOST_FILES + 2)
    ]
    page = visit(source="upload", method=QUICK)
    page.file_uploader(key="photo_files").set_value(files)
    finish(page.run())
    assert len(page.session_state["photo_tab"].pictures) == own.MOST_FILES
    (box,) = page.error
    assert [sentence[:8] for sentence in box.value.split("\n\n")] == ["`20.png`", "`21.png`"]


def test_of_many_that_are_refused_a_few_are_named_in_one_box():
    page = visit(source="upload", method=QUICK)
    page.file_uploader(key="photo_files").set_value(
        [(f"{n}.txt", b"no picture", "text/plain") for n in range(150)]
    )
    finish(page.run())
    (box,) = page.error
    assert box.value.startswith("`0.txt`: ")
    assert "`4.txt`" in box.value
    assert "`5.txt`" not in box.value
    assert box.value.endswith("… and 145 more.")


def test_a_picture_of_sixteen_bits_is_worked_on_and_written_with_all_of_them():
    page = upload(("deep.tif", deep_tiff()), brightness="50", colour="50")
    assert not page.exception
    photo = read_photo(deep_tiff(), "deep.tif")
    method = find_method(TASK, QUICK, {})
    denoised = method.run(photo.best, 0.05, lambda done, total: None)
    assert denoised.dtype == np.uint16
    # More than 256 values: nothing was rounded to 8 bits on the way.
    assert len(np.unique(denoised)) > 1000
    again = read_photo(FileForm("png").write(photo, denoised), "x")
    np.testing.assert_array_equal(again.own, denoised)


def test_the_zip_has_the_format_that_was_chosen():
    files = [chosen(png(noisy_grey()), "a.png"), chosen(deep_tiff(), "b.tif")]
    for kind, form in (("jpeg", "JPEG"), ("tiff", "TIFF")):
        packed, problems = denoise_all(
            files, find_method(TASK, QUICK, {}), 1.0, 1.0, lambda *_: None, FileForm(kind)
        )
        assert problems == []
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist()
            contents = [archive.read(name) for name in names]
        ending = {"jpeg": ".jpg", "tiff": ".tif"}[kind]
        assert names == [f"a{ending}", f"b{ending}"]
        assert all(Image.open(io.BytesIO(content)).format == form for content in contents)
    assert read_photo(contents[1], "b.tif").own.dtype == np.uint16


def labels(page: AppTest) -> list[str]:
    """The words on the download buttons."""
    return [button.label for button in page.get("download_button")]


def test_what_is_switched_on_stays_on_while_another_picture_is_in_work(monkeypatch):
    page = upload(("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50))))
    page.toggle(key="photo_batch").set_value(True)
    page.toggle(key="photo_all").set_value(True)
    finish(page.run())
    assert "Download 2 pictures (ZIP)" in labels(page)
    gate = threading.Event()
    for _ in range(PICTURES_AT_ONCE):
        cached.get_picture_queue().submit(lambda watch: gate.wait(20))
    monkeypatch.setattr(long_work, "SOON", 0.01)
    page.selectbox(key="photo_shown").select_index(1).run()
    assert "photo_batch" not in {each.key for each in page.toggle}
    gate.set()
    finish(page)
    assert page.toggle(key="photo_batch").value
    assert page.toggle(key="photo_all").value
    assert "Download 2 pictures (ZIP)" in labels(page)


def test_all_files_are_not_denoised_again_after_all_were_removed():
    files = [("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50)))]
    page = upload(*files)
    page.toggle(key="photo_batch").set_value(True)
    finish(page.run())
    finish(page.button(key="photo_remove").click().run())
    page.file_uploader(key="photo_files").set_value([(*files[0], "image/png")])
    assert finish(page.run()).toggle(key="photo_batch").value
    page.button(key="photo_remove_all").click().run()
    page.file_uploader(key="photo_files").set_value([(*each, "image/png") for each in files])
    assert not finish(page.run()).toggle(key="photo_batch").value


def test_nothing_that_is_shown_is_made_twice_where_memory_is_short(monkeypatch):
    monkeypatch.setattr(cached, "_pictures", PictureCache(comfort=0))
    page = upload(("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50))))
    page.segmented_control(key="photo_task").set_value("add").run()
    page.toggle(key="photo_batch").set_value(True)
    page.toggle(key="photo_all").set_value(True)
    finish(page.run())
    made = []
    monkeypatch.setattr(PictureCache, "put", lambda cache, owner, name, *_, **__: made.append(name))
    page.run()
    assert not page.exception
    assert made == []
    assert "Download 2 pictures (ZIP)" in labels(page)


@pytest.mark.parametrize("task", ["noisy", "add"])
def test_a_picture_that_waits_for_its_turn_gives_way_to_others_and_is_opened_again(
    monkeypatch, task
):
    monkeypatch.setattr(cached, "_queue", PictureQueue(at_once=0))
    opened = noted_reads(monkeypatch, source)
    page = page_of("photo", photo_source="upload", photo_method=QUICK).run()
    file = "mine.png", png(noisy_grey()), "image/png"
    page.file_uploader(key="photo_files").set_value([file]).run()
    page.segmented_control(key="photo_task").set_value(task).run()
    _, job = page.session_state[own.DENOISED]
    assert job.state == "waiting"
    cached.get_picture_cache().forget(page.session_state["photo_tab"].owner, "")
    gc.collect()
    assert opened
    assert all(photo() is None for photo in opened)
    job._run()
    page.run()
    assert not page.exception
    assert page.get("download_button")


def test_where_all_methods_wait_for_their_turn_they_hold_their_piece_of_the_picture_alone(
    monkeypatch,
):
    monkeypatch.setattr(results, "SAMPLE", (8, 8))
    opened = noted_reads(monkeypatch, source)
    page = upload(("mine.png", png(noisy_grey())))
    monkeypatch.setattr(cached, "_queue", PictureQueue(at_once=0))
    page.toggle(key="photo_all").set_value(True).run()
    _, job = page.session_state[results.ALL_METHODS]
    assert job.state == "waiting"
    cached.get_picture_cache().forget(page.session_state["photo_tab"].owner, "")
    gc.collect()
    assert opened
    assert all(photo() is None for photo in opened)


@pytest.mark.parametrize("task", ["noisy", "add"])
def test_a_page_that_is_shown_holds_no_pixels_and_gives_them_away_all_the_same(monkeypatch, task):
    made, buttons = [], {}
    read, blend = source.read_photo, pixels.blend

    def noted_read(*given, **more):
        photo = read(*given, **more)
        made.append(weakref.ref(photo.best))
        return photo

    def noted_blend(*given):
        blended = blend(*given)
        made.append(weakref.ref(blended))
        return blended

    def button(label, data, *_, key="", **more):
        buttons[key] = data

    monkeypatch.setattr(source, "read_photo", noted_read)
    monkeypatch.setattr(pixels, "blend", noted_blend)
    monkeypatch.setattr(downloads.st, "download_button", button)
    page = page_of("photo", photo_source="upload", photo_method=QUICK).run()
    file = "mine.png", png(noisy_grey()), "image/png"
    page.file_uploader(key="photo_files").set_value([file]).run()
    page.segmented_control(key="photo_task").set_value(task).run()
    finish(page.slider(key="photo_brightness").set_value(50).run())
    before = {title: make() for title, make in buttons.items()}
    assert len(before) == (3 if task == "add" else 2)
    cached.get_picture_cache().forget(page.session_state["photo_tab"].owner, "")
    gc.collect()
    assert len(made) > 1
    assert all(each() is None for each in made)
    assert {title: make() for title, make in buttons.items()} == before


def test_each_visitor_has_the_zip_that_was_made_last():
    page = upload(("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50))))
    page.toggle(key="photo_batch").set_value(True)
    finish(page.run())
    first = cached.get_zips().size
    page.selectbox(key="photo_method").set_value("gaussian")
    finish(page.run())
    assert 0 < cached.get_zips().size < 1.5 * first
    page.button(key="photo_remove").click().run()
    assert cached.get_zips().size == 0


def test_a_picture_that_cannot_be_processed_is_left_out_of_the_zip_alone():
    files = [chosen(png(noisy_grey()), "a.png"), chosen(deep_tiff(), "b.tif")]

    def broken(picture, level=None, watch=None):
        if picture.dtype == np.uint16:
            raise RuntimeError("a network says no")
        return picture

    method = replace(find_method(TASK, QUICK, {}), run=broken)
    packed, problems = denoise_all(files, method, 1.0, 1.0, lambda *_: None)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["a.png"]
    assert len(problems) == 1
    assert "b.tif" in problems[0]
    assert "could not be processed" in problems[0]


def test_a_zip_that_is_cancelled_ends_within_a_picture():
    files = [chosen(png(noisy_grey()), name) for name in ("a.png", "b.png")]

    def cancelled(picture, level=None, watch=None):
        raise Cancelled

    method = replace(find_method(TASK, QUICK, {}), run=cancelled)
    with pytest.raises(Cancelled):
        denoise_all(files, method, 1.0, 1.0, lambda *_: None)


def test_a_stack_and_a_dark_picture_have_controls_of_their_own():
    stack = io.BytesIO()
    values = np.stack([noisy_grey(), noisy_grey()[::-1]]).astype(np.uint16) * 8
    tifffile.imwrite(stack, values, photometric="minisblack")
    page = upload(("stack.tif", stack.getvalue()))
    (digest,) = [each.digest for each in page.session_state["photo_tab"].pictures]
    assert any("holds 2 images" in caption.value for caption in page.caption)
    assert any("very dark" in caption.value for caption in page.caption)
    page.toggle(key=f"photo_stretch_{digest}").set_value(True)
    page.slider(key=f"photo_plane_{digest}").set_value(2)
    finish(page.run())
    assert not page.exception
    assert any("number 2 is shown" in caption.value for caption in page.caption)
    assert any("stretched" in caption.value for caption in page.caption)


def two_stacks() -> list[tuple[str, bytes]]:
    """Two files of two pictures each, all of them very dark."""
    files = []
    for name, brightness in (("one.tif", 8), ("two.tif", 6)):
        stack = io.BytesIO()
        values = np.stack([noisy_grey(), noisy_grey()[::-1]]).astype(np.uint16) * brightness
        tifffile.imwrite(stack, values, photometric="minisblack")
        files.append((name, stack.getvalue()))
    return files


def test_the_zip_has_what_was_chosen_for_each_file(monkeypatch):
    opened = []
    read = source.read_photo
    monkeypatch.setattr(source, "read_photo", lambda *a, **k: opened.append(k) or read(*a, **k))
    page = upload(*two_stacks())
    first, _ = (each.digest for each in page.session_state["photo_tab"].pictures)
    page.toggle(key=f"photo_stretch_{first}").set_value(True)
    page.slider(key=f"photo_plane_{first}").set_value(2)
    finish(page.run())
    page.selectbox(key="photo_shown").select_index(1)
    finish(page.run())
    opened.clear()
    page.toggle(key="photo_batch").set_value(True)
    finish(page.run())
    assert opened == [{"plane": 1, "stretch": True}, {"plane": 0, "stretch": False}]


def test_what_had_to_give_way_is_said_to_be_missing_from_the_zip():
    page = upload(("one.png", png(noisy_grey())), ("two.png", png(noisy_grey(30, 50))))
    tab = page.session_state["photo_tab"]
    cached.get_uploads().forget(tab.owner, tab.pictures[1].digest)
    page.toggle(key="photo_batch").set_value(True)
    finish(page.run())
    (problem,) = [box.value for box in page.warning]
    assert problem == f"`two.png`: {source.GAVE_WAY}"
    assert "Download 1 pictures (ZIP)" in labels(page)


def kept_words(page: AppTest) -> str:
    """What the page says that results have of their file."""
    return "\n".join(caption.value for caption in page.caption)


def test_the_sixteen_bits_of_a_picture_are_not_promised_where_noise_is_added():
    page = upload(("deep.tif", deep_tiff()))
    assert "Its 16 bits are kept." in kept_words(page)
    page.segmented_control(key="photo_task").set_value("add")
    finish(page.run())
    assert "16 bits are kept" not in kept_words(page)
    assert "it keeps 8 of this picture's 16 bits" in kept_words(page)


def test_a_colour_profile_is_not_promised_where_noise_is_added():
    # Red where sRGB has green: its values mean other colours.
    profile = icc_profile(SRGB_GREEN, SRGB_RED, SRGB_BLUE)
    colours = np.dstack([noisy_grey(), noisy_grey() // 2, noisy_grey() // 3])
    page = upload(("turned.png", png(colours, icc_profile=profile)))
    assert "colour profile" in kept_words(page).partition("Kept from the file")[2]
    page.segmented_control(key="photo_task").set_value("add")
    finish(page.run())
    assert "colour profile" not in kept_words(page).partition("Kept from the file")[2]


def test_a_perfect_answer_has_no_gain():
    page = upload(("even.png", png(np.full((40, 60), 128, np.uint8))))
    page.segmented_control(key="photo_task").set_value("add")
    finish(page.run())
    page.selectbox(key="photo_noise").set_value("salt-and-pepper")
    page.selectbox(key="photo_method").set_value("switching")
    page.toggle(key="photo_all").set_value(True)
    finish(page.run())
    assert not page.exception
    assert (page.metric[0].value, page.metric[0].delta) == ("∞ dB", "")
    shown = "\n".join(each.proto.body for each in page.get("html"))
    assert "<span>∞ dB</span>" in shown
    assert "inf)" not in shown


def test_care_is_offered_for_a_network_and_makes_its_answer_better():
    page = visit(sample="cameraman")
    plain = float(page.metric[0].delta.removesuffix(" dB"))
    page.toggle(key="photo_careful").set_value(True)
    page = finish(page.run())
    assert float(page.metric[0].delta.removesuffix(" dB")) > plain
    assert page.query_params["photo_careful"] == "True"
    page.selectbox(key="photo_method").set_value(QUICK)
    page = finish(page.run())
    assert "photo_careful" not in {each.key for each in page.toggle}
    assert "photo_careful" not in page.query_params


def test_a_file_is_taken_wherever_its_run_is_broken_off_by_the_next_one(monkeypatch):
    page = visit(method=QUICK)
    names = ("photo_source", "photo_sample", "photo_task")
    sample = {name: page.session_state[name] for name in names}
    breaker = Breaker(monkeypatch)
    for place in range(1, 70):
        name = f"{place}.png"
        page.file_uploader(key="photo_files").set_value(
            [(name, png(noisy_grey(8, 8 + place)), "image/png")]
        )
        breaker.left, drawn = place, page._tree
        page.run()
        assert breaker.left <= 0
        page._tree = drawn  # A browser sends what its controls are set to, drawn anew or not.
        page.run()
        assert [each.name for each in page.session_state["photo_tab"].pictures] == [name]
        assert page.session_state["photo_source"] == "upload"
        assert page.session_state["photo_task"] == "noisy"
        (words,) = [each.value for each in page.markdown if "in place of" in each.value]
        assert words.startswith(f"`{name}")
        assert words.endswith("in place of the sample Cat.")
        page.button(key="photo_undo_button").click().run()
        assert {name: page.session_state[name] for name in names} == sample
        assert not page.session_state["photo_tab"].pictures


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (0.1, "**No noise found.**"),
        (1.2, "**Hardly any noise (1.2 of 255) found.**"),
        (2.0, "Noise level: **2.0** of 255, estimated"),
    ],
)
def test_hardly_any_noise_is_not_called_none(known, said):
    def script(known):
        from pages.components.photo import controls

        controls.pick_level(known / 255, controls.ESTIMATED, "a picture")

    app = AppTest.from_function(script, kwargs={"known": known}).run()
    assert not app.exception
    assert app.markdown[0].value.startswith(said)
