"""Workers and their queue.

The slow ones train with real workers on small data; the others, which are about the queue, send
workers that only pretend to train (``stand_in_worker.py``).
"""

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.catalogue import find_card
from tests.train.made_runs import CONFIG, LONG, MINE, YOURS, finished
from tests.train.worker_processes import kill, program, state, wait_for
from train import jobs, owners, run_status
from train.config import TrainConfig
from train.recipes import LIVE_JOBS
from train.run_folder import Run
from train.visitor_limits import Limits, Refused


@pytest.fixture
def pretending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Workers only pretend to train; returns the program that is started for one."""
    stand_in = program(tmp_path)
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable=stand_in))
    return stand_in


@pytest.fixture(scope="module")
def stopped(few_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that trained really, and stopped by itself when its minutes were over."""
    run = jobs.start(LONG, MINE, "dense", Limits(minutes=0.01), tmp_path_factory.mktemp("stopped"))
    wait_for(lambda: state(run) == run_status.STOPPED and not run_status.is_alive(run))
    return run


@pytest.fixture
def copied(stopped: Run, runs: Path) -> Run:
    """A copy of the run that stopped, for one test."""
    return Run(shutil.copytree(stopped.folder, runs / stopped.folder.name))


@pytest.mark.slow
def test_a_run_trains_to_its_end_in_a_process_of_its_own(runs):
    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    assert run_status.status(run).active
    wait_for(lambda: state(run) == run_status.FINISHED)
    assert run.model.exists()
    wait_for(lambda: not run_status.is_alive(run))
    assert find_card(run.folder.name, runs).task == "denoise-digits"  # The screens can use it.
    owners.rename(run, "best")
    assert find_card(run.folder.name, runs).title == "Yours: best"
    events = list(run_status.EventReader(run).read_new())
    assert [e["status"] for e in events if e["event"] == "status"] == [
        "waiting",
        "starting",
        "loading",
        "training",
        "finished",
    ]


@pytest.mark.slow
def test_a_training_stops_by_itself_when_its_minutes_are_over(stopped):
    assert "limit of 0.01 minutes" in run_status.status(stopped).detail
    assert stopped.checkpoint.exists()


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_next_batch_and_obeys_in_mid_epoch(copied):
    step = list(copied.events())[-1]["step"]
    jobs.resume(copied)
    wait_for(lambda: state(copied) == run_status.TRAINING)
    first = next(e for e in copied.events() if e["event"] == "batch" and e["step"] > step)
    assert first["step"] == step + 1
    jobs.stop(copied)
    assert wait_for(lambda: state(copied) == run_status.STOPPED) < 10


def test_one_run_trains_and_the_others_wait_for_their_turn_in_order(runs, pretending):
    first = jobs.start(LONG, MINE, "first", runs=runs)
    wait_for(lambda: state(first) == run_status.TRAINING)
    second = jobs.start(CONFIG, YOURS, "second", runs=runs)
    wait_for(lambda: state(second) == run_status.WAITING)
    third = jobs.start(CONFIG, MINE, "third", runs=runs)
    wait_for(lambda: state(third) == run_status.WAITING)
    assert [run_status.status(run).ahead for run in (second, third)] == [1, 2]

    jobs.stop(third)
    wait_for(lambda: state(third) == run_status.STOPPED)
    jobs.stop(first)
    wait_for(lambda: state(second) == run_status.FINISHED)


def test_a_worker_that_is_slow_to_start_is_not_taken_for_dead(runs, tmp_path, monkeypatch):
    slow = program(tmp_path, before="sleep 2")
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable=slow))
    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    assert run_status.status(run) == run_status.Status(run_status.WAITING, ahead=0)
    with pytest.raises(Refused, match="already training"):
        jobs.resume(run)
    wait_for(lambda: state(run) == run_status.FINISHED and not run_status.is_alive(run))
    jobs.resume(run)  # What it said last does not count any more, either.
    assert state(run) == run_status.WAITING


def test_a_killed_worker_is_seen_and_frees_the_place(runs, pretending):
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.TRAINING)
    kill(run)
    status = run_status.status(run)
    assert status.state == run_status.FAILED
    assert "out of memory" in status.detail
    wait_for((run.folder / "ended").exists)
    assert "The system killed the worker" in run_status.status(run).detail
    after = jobs.start(CONFIG, MINE, "dense", runs=runs)
    wait_for(lambda: state(after) == run_status.FINISHED)


def test_a_pause_is_called_one_and_two_tabs_may_press_the_same_buttons(runs, pretending):
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.TRAINING)
    jobs.pause(run)
    jobs.pause(run)
    wait_for(lambda: state(run) == run_status.PAUSED)
    jobs.stop(run)  # From a tab that had not heard yet.
    assert state(run) == run_status.PAUSED
    jobs.resume(run)
    with pytest.raises(Refused, match="already training"):
        jobs.resume(run)
    wait_for(lambda: state(run) == run_status.TRAINING)
    jobs.stop(run)
    wait_for(lambda: state(run) == run_status.STOPPED)
    jobs.stop(run)
    jobs.delete(run)
    assert not run.folder.exists()


def test_a_run_survives_the_server_that_started_it(runs, pretending):
    server = (
        "import sys; from pathlib import Path; from train import jobs; "
        "jobs.sys = type('Stub', (), {'executable': sys.argv[4]}); "
        "from train.config import TrainConfig; "
        "config = TrainConfig.from_json(sys.argv[2]); "
        "print(jobs.start(config, sys.argv[3], 'dense', runs=Path(sys.argv[1])).folder)"
    )
    command = [sys.executable, "-c", server, str(runs), LONG.to_json(), MINE, pretending]
    told = subprocess.run(command, cwd=jobs.ROOT.parent, capture_output=True, check=True, text=True)
    (run,) = owners.runs_of(MINE, runs)
    assert told.stdout.strip() == str(run.folder)
    wait_for(lambda: state(run) == run_status.TRAINING)
    jobs.stop(run)
    wait_for(lambda: state(run) == run_status.STOPPED)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_a_sentence_and_a_reset_is_the_way_out(runs, tmp_path, monkeypatch):
    run = finished(runs, "a")
    run.progress.unlink()
    run.checkpoint.write_bytes(b"no network")
    jobs.resume(run)
    wait_for(lambda: state(run) == run_status.FAILED)
    said = run_status.status(run).detail
    assert said.startswith("checkpoint.keras cannot be read; remove it to start over")
    assert str(runs) not in said
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable=program(tmp_path)))
    jobs.reset(run)
    wait_for(lambda: state(run) == run_status.FINISHED)


def test_settings_edited_while_the_run_waits_are_a_sentence(runs, pretending):
    first = jobs.start(LONG, MINE, "first", runs=runs)
    wait_for(lambda: state(first) == run_status.TRAINING)
    second = jobs.start(CONFIG, MINE, "second", runs=runs)
    wait_for(lambda: state(second) == run_status.WAITING)
    (second.folder / "config.json").write_text('{"architecture": "dense", "batch": -1}')
    jobs.stop(first)
    wait_for(lambda: state(second) == run_status.FAILED)
    said = run_status.status(second).detail
    assert said == "config.json: batch must be a whole number from 1 to 4096, got -1"


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_saved(
    copied, tmp_path, monkeypatch
):
    saved = copied.checkpoint.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The worker inherits the limit: its files may grow by so much, which is less than a network.
    resource.setrlimit(resource.RLIMIT_FSIZE, (copied.progress.stat().st_size + 20_000, before[1]))
    try:
        jobs.resume(copied)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    wait_for(lambda: not run_status.status(copied).active)
    assert run_status.status(copied).state == run_status.FAILED
    assert "the disk is full" in run_status.status(copied).detail
    assert copied.checkpoint.read_bytes() == saved
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable=program(tmp_path)))
    jobs.resume(copied)  # There is room again.
    wait_for(lambda: state(copied) == run_status.TRAINING)


def test_an_end_that_is_noted_late_leaves_nothing_of_a_deleted_run(runs, pretending, monkeypatch):
    noted, may_note = threading.Event(), threading.Event()
    write_end = jobs._note_end

    def late(worker, run):
        worker.wait()
        may_note.wait(10)
        write_end(worker, run)
        noted.set()

    monkeypatch.setattr(jobs, "_note_end", late)
    remove = os.rmdir

    def remove_late(folder, **more):
        if Path(folder).is_absolute():  # The run's own, after all that is in it.
            may_note.set()
            assert noted.wait(10)
        remove(folder, **more)

    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.FINISHED)
    monkeypatch.setattr(os, "rmdir", remove_late)
    jobs.delete(run)
    assert [path.name for path in runs.iterdir() if path.is_dir()] == []
    jobs.delete(run)  # From a tab that had not heard yet.


def test_what_a_crash_left_of_runs_is_cleared_and_runs_of_recipes_are_not(tmp_path):
    left = [tmp_path / ".deleted-20260101-120000-abcdef", tmp_path / "20260101-120000-abcdef"]
    kept = [tmp_path / "unet", finished(tmp_path, "20260101-130000-abcdef").folder]
    young = tmp_path / "20260101-140000-abcdef"  # Its owner is being written.
    for folder in (*left, kept[0], young):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        if folder != young:
            os.utime(folder, (1e9, 1e9))
    jobs.clear_old(runs=tmp_path)
    assert {path for path in tmp_path.iterdir() if path.is_dir()} == {*kept, young}


def test_the_run_that_was_made_first_goes_first_when_clocks_were_put_back_too(tmp_path):
    now = time.time()
    before = finished(tmp_path, "20261025-025900-abcdef", made=now - 120)
    after = finished(tmp_path, "20261025-020100-abcdef", made=now)
    for run in (before, after):
        (run.folder / "model.keras").write_bytes(bytes(600_000))
    jobs.clear_old(Limits(kept_megabytes=1), tmp_path)
    assert after.folder.exists()
    assert not before.folder.exists()


def test_a_run_whose_settings_were_edited_into_nonsense_is_not_gone_on_with(tmp_path):
    run = finished(tmp_path, "a")
    for settings in ('{"architecture": "dense", "epochs": "many"}', "{", ""):
        (run.folder / "config.json").write_text(settings)
        with pytest.raises(Refused, match="settings of this run cannot be read") as caught:
            jobs.resume(run)
        assert str(tmp_path) not in str(caught.value)
    larger = dataclasses.replace(CONFIG, epochs=5000)
    (run.folder / "config.json").write_text(larger.to_json())
    with pytest.raises(Refused, match="At most 100 epochs"):
        jobs.resume(run)


def test_of_two_tabs_that_wait_for_the_worker_to_end_one_goes_on_with_the_run(
    tmp_path, monkeypatch
):
    run, sent = finished(tmp_path, "a"), []
    monkeypatch.setattr(jobs, "_send_worker", lambda *_: sent.append(1))

    def wait(run):
        with run.progress.open("a") as file:  # The worker that the other tab has sent.
            file.write('{"event": "status", "time": 2, "step": 0, "status": "finished"}\n')

    monkeypatch.setattr(jobs, "_wait_for_end", wait)
    with pytest.raises(Refused, match="already training"):
        jobs.resume(run)
    monkeypatch.setattr(jobs, "_wait_for_end", lambda run: None)
    assert not sent
    jobs.resume(run)
    assert sent


def test_a_wish_to_stop_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    run = finished(tmp_path, "a")
    seen = []
    monkeypatch.setattr(jobs.os, "replace", lambda *_: seen.append(run.why_stop()))
    jobs.pause(run)
    assert seen == [""]  # Written, and not yet in its place.
    monkeypatch.undo()
    jobs.pause(run)
    assert run.why_stop() == "paused"
    jobs.stop(run)
    assert run.why_stop() == "asked"


@pytest.fixture
def unsent(monkeypatch) -> list[Run]:
    """The runs that would have got a worker, in order."""
    sent = []
    monkeypatch.setattr(jobs, "_send_worker", lambda run, limits: sent.append(run))
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 10_000)
    return sent


def test_a_race_is_one_group_on_equal_terms_in_the_order_it_was_given(tmp_path, unsent):
    other = TrainConfig("convolutional", {"filters": [4]}, optimizer="sgd", seed=9, epochs=50)
    racers = [("one", CONFIG), ("two", other), ("three", CONFIG)]
    started = jobs.start_race(racers, MINE, runs=tmp_path)
    assert [run.folder for run in started] == [run.folder for run in unsent]
    assert [owners.name_of(run) for run in started] == ["one", "two", "three"]
    for run in started:
        assert [each.folder for each in owners.race_of(run)] == [each.folder for each in started]
    second = started[1].read_config()
    assert (second.architecture, second.optimizer) == ("convolutional", "sgd")
    assert (second.seed, second.epochs, second.noise) == (0, 1, CONFIG.noise)
    alone = jobs.start(CONFIG, MINE, "alone", runs=tmp_path)
    assert owners.race_of(alone) == []


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_race_has_two_or_three(tmp_path, unsent, count):
    with pytest.raises(Refused, match=f"two or three networks, not {count}"):
        jobs.start_race([("a", CONFIG)] * count, MINE, runs=tmp_path)


def test_a_race_that_does_not_fit_into_the_line_is_refused_as_a_whole(tmp_path, unsent):
    with pytest.raises(Refused, match="0 runs are waiting"):
        jobs.start_race([("a", CONFIG)] * 3, MINE, Limits(waiting=2), tmp_path)
    assert unsent == []


def test_a_reset_keeps_settings_drawing_and_own_pictures_only(tmp_path, unsent):
    run = finished(tmp_path, "a")
    kept = {"config.json", "owner.json", "drawing.png", "own.npz"}
    for name in ("checkpoint.keras", "best.keras", "model.keras", "model.onnx", "card.json",
                 "worker.log", "stop", "drawing.png", "own.npz"):  # fmt: skip
        (run.folder / name).write_text("x")
    (run.folder / "probes").mkdir()
    (run.folder / "probes" / "epoch-0001.png").write_text("x")
    jobs.reset(run)
    assert {path.name for path in run.folder.iterdir()} - {"alive"} == kept
    assert [each.folder for each in unsent] == [run.folder]
    assert owners.owner(run)["round"] == 1
    assert owners.controls(MINE, run)


@pytest.mark.parametrize("why", ["memory", "queue", "settings"])
def test_a_reset_that_is_refused_deletes_nothing(tmp_path, unsent, monkeypatch, why):
    run, limits = finished(tmp_path, "a"), Limits()
    run.model.write_text("weights")
    (run.folder / "alive").touch()
    if why == "memory":
        monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 100)
    elif why == "queue":
        limits = Limits(waiting=0)
    else:
        (run.folder / "config.json").write_text("{")
    before = {path.name: path.read_text() for path in run.folder.iterdir()}
    with pytest.raises(Refused):
        jobs.reset(run, limits)
    assert {path.name: path.read_text() for path in run.folder.iterdir()} == before
    assert run_status.status(run).state == run_status.FINISHED
    assert unsent == []


def test_a_drawing_is_kept_with_the_runs_that_show_it_only(tmp_path, unsent):
    drawing = np.ones((28, 28, 1), np.float32)
    cells = LIVE_JOBS["cells-small"].config
    for config, kept in ((CONFIG, True), (cells, False)):
        run = jobs.start(config, MINE, "a", runs=tmp_path, drawing=drawing)
        assert run.drawing.exists() == kept


def test_what_a_killed_worker_was_writing_goes_before_the_next_one_comes(runs, pretending):
    run = finished(runs, "a")
    (run.folder / "probes").mkdir()
    left = [".checkpoint-123.keras", ".model-123.onnx", "probes/.epoch-0001-123.png"]
    left += ["__autograph_generated_file1a2b3c4d.py"]
    for name in (*left, ".owner-123.json", "probes/epoch-0001.png", "checkpoint.keras"):
        (run.folder / name).write_text("half")
    jobs.resume(run)
    there = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*")}
    assert not there & set(left)
    assert {".owner-123.json", "probes/epoch-0001.png", "checkpoint.keras"} <= there


def test_what_a_killed_worker_was_writing_goes_with_time_where_no_other_one_comes(tmp_path):
    run = finished(tmp_path, "20260101-130000-abcdef")
    left = [".model-123.onnx", ".owner-123.json"]
    for name in (*left, ".model-456.onnx", "model.onnx"):
        (run.folder / name).write_text("half")
    for name in (*left, "model.onnx"):
        os.utime(run.folder / name, (1e9, 1e9))
    jobs.clear_old(runs=tmp_path)
    there = {path.name for path in run.folder.iterdir()}
    assert not there & set(left)
    assert {".model-456.onnx", "model.onnx"} <= there


def test_a_run_that_another_server_deletes_while_sizes_are_looked_at_stops_nobody(
    tmp_path, monkeypatch
):
    kept, gone = finished(tmp_path, "a"), finished(tmp_path, "b")
    (gone.folder / "model.onnx").touch()
    look = Path.stat

    def look_and_delete(path, **more):
        seen = look(path, **more)
        if path == gone.folder / "model.onnx":
            shutil.rmtree(gone.folder, ignore_errors=True)
        return seen

    monkeypatch.setattr(Path, "stat", look_and_delete)
    jobs.clear_old(runs=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [kept.folder.name]


def test_a_run_whose_owner_cannot_be_read_is_kept_as_long_as_others(tmp_path):
    run = finished(tmp_path, "a")
    for said in ("{", '{"made": "yesterday"}'):
        (run.folder / "owner.json").write_text(said)
        jobs.clear_old(runs=tmp_path)
        assert run.folder.exists()
