import json
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from train.config import TrainConfig
from train.run_folder import ProgressWriter, Run, write_whole

CONFIG = TrainConfig("dense", {"hidden": 8}, epochs=2)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", CONFIG)


def test_a_new_run_holds_its_settings(tmp_path):
    run = Run.create(tmp_path / "deep" / "run", CONFIG)
    assert TrainConfig.from_json((run.folder / "config.json").read_text()) == CONFIG
    assert Run(run.folder).read_config() == CONFIG
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]


def test_the_same_run_may_be_made_again(run):
    assert Run.create(run.folder, CONFIG).read_config() == CONFIG


def test_a_run_with_other_settings_is_not_overwritten(run):
    with pytest.raises(FileExistsError, match="other settings; choose another folder"):
        Run.create(run.folder, TrainConfig("dense", {"hidden": 9}, epochs=2))
    assert run.read_config() == CONFIG


def test_a_folder_without_settings_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=f"no settings in {tmp_path}: No such file"):
        Run(tmp_path).read_config()
    with pytest.raises(ValueError, match="no settings in"):
        Run(tmp_path / "nowhere").read_config()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"architecture": "dense", "epochs": 0}']
)
def test_settings_that_make_no_sense_are_refused_with_the_file(run, content):
    (run.folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json: "):
        run.read_config()


def test_a_run_without_progress_has_no_events(run):
    assert list(run.events()) == []


def test_events_come_back_in_order_with_time_and_step(run):
    before = time.time()
    writer = ProgressWriter(run.progress)
    writer.write("status", 0, status="loading")
    writer.write("batch", 1, loss=0.5)
    writer.close()
    first, second = run.events()
    # Times are rounded to milliseconds.
    assert before - 0.001 <= first.pop("time") <= second.pop("time") <= time.time() + 0.001
    assert first == {"event": "status", "step": 0, "status": "loading"}
    assert second == {"event": "batch", "step": 1, "loss": 0.5}


def test_all_but_batches_can_be_read_at_once(run):
    writer = ProgressWriter(run.progress)
    for event in ("status", "epoch", "probe", "stop", "error"):
        writer.write(event, 0)
        assert list(run.events())[-1]["event"] == event
    writer.close()


def test_batches_can_be_read_a_fifth_of_a_second_later(run):
    writer = ProgressWriter(run.progress)
    for step in (1, 2):
        writer.write("batch", step)
        time.sleep(0.25)
    writer.write("batch", 3)
    assert [event["step"] for event in run.events()][-1] == 3
    writer.close()


def test_a_line_that_is_still_being_written_is_left_for_later(run):
    writer = ProgressWriter(run.progress)
    writer.write("status", 5)
    writer.close()
    with run.progress.open("a") as file:
        file.write('{"event": "batch", "st')
    assert [event["step"] for event in run.events()] == [5]


def test_a_run_that_was_killed_within_a_line_goes_on_with_a_new_one(run):
    run.progress.write_text('{"event": "status", "time": 1, "step": 5}\n{"event": "batch", "st')
    writer = ProgressWriter(run.progress)
    writer.write("status", 7)
    writer.close()
    assert [event["step"] for event in run.events()] == [5, 7]


def test_what_is_no_finite_number_is_null_because_json_has_no_other(run):
    writer = ProgressWriter(run.progress)
    writer.write("batch", 1, loss=math.nan, other=math.inf, third=1.5)
    writer.close()

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    event = json.loads(run.progress.read_text(), parse_constant=refuse)
    assert (event["loss"], event["other"], event["third"]) == (None, None, 1.5)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def half(unfinished):
        unfinished.write_text("ne")
        assert path.read_text() == "old"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]

    write_whole(path, lambda unfinished: unfinished.write_text("new"))
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_two_threads_may_write_the_same_file(tmp_path):
    path = tmp_path / "file.txt"
    both_write = threading.Barrier(2, timeout=10)

    def write(unfinished, text):
        unfinished.write_text(text)
        both_write.wait()

    with ThreadPoolExecutor(2) as threads:
        done = [
            threads.submit(write_whole, path, partial(write, text=text)) for text in ("one", "two")
        ]
        for each in done:
            each.result()
    assert path.read_text() in ("one", "two")
    assert os.listdir(tmp_path) == ["file.txt"]


def test_an_unfinished_file_keeps_its_ending_and_is_hidden(tmp_path):
    seen = []
    write_whole(tmp_path / "sheet.png", lambda path: (seen.append(path), path.touch()))
    (unfinished,) = seen
    assert unfinished.suffix == ".png"  # Pillow and Keras choose the format by it.
    assert unfinished.name.startswith(".")
    assert unfinished.parent == tmp_path


def test_what_a_disk_has_damaged_is_passed_over(run):
    run.progress.write_bytes(b'{"event": "a"}\n{"event": "\xff"}\n{"event": "b"}\n')
    assert [event["event"] for event in run.events()] == ["a", "b"]
    run.stop.write_bytes(b"\xff")
    assert run.why_stop()
