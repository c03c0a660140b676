"""Workers and their queue.

Three tests train with real workers on small data; the others, which are about the queue, send
workers that only pretend to train (``stand_in_worker.py``).
"""

import dataclasses
import fcntl
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.catalogue import find_card
from train import jobs, owners, run_status, turns
from train.config import TrainConfig, gaussian_only
from train.recipes import LIVE_JOBS
from train.run_folder import Run
from train.visitor_limits import Limits, Refused

MINE, YOURS = "my token", "your token"
CONFIG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=16, epochs=1
)
SMALL_CELLS = vars(LIVE_JOBS["cells-small"].config)
LONG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=1, epochs=100
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory):
    """A folder with small pictures to train on, 100 and 25 for validation."""
    folder = tmp_path_factory.mktemp("data")
    pictures = np.random.default_rng(1).integers(0, 256, (125, 28, 28), np.uint8)
    labels = np.zeros(125, np.uint8)
    np.savez(folder / "mnist.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISE_DATA_DIR", str(folder))
        yield folder


@pytest.fixture
def runs(tmp_path: Path, data: Path):
    """A folder for runs; no worker outlives the test."""
    folder = tmp_path / "runs"
    folder.mkdir()
    yield folder
    for path in folder.glob("*/alive"):
        kill(Run(path.parent))


def program(folder: Path, before: str = "") -> str:
    """A program that takes the place of Python where workers are started."""
    path = folder / "stand-in"
    worker = Path(__file__).with_name("stand_in_worker.py")
    path.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(jobs.ROOT.parent))}\n{before}\n"
        f'exec {shlex.quote(sys.executable)} {shlex.quote(str(worker))} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def pretending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Workers only pretend to train; returns the program that is started for one."""
    stand_in = program(tmp_path)
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable=stand_in))
    return stand_in


@pytest.fixture(scope="module")
def stopped(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that trained really, and stopped by itself when its minutes were over."""
    run = jobs.start(LONG, MINE, "dense", Limits(minutes=0.01), tmp_path_factory.mktemp("stopped"))
    wait_for(lambda: state(run) == run_status.STOPPED and not run_status.is_alive(run))
    return run


@pytest.fixture
def copied(stopped: Run, runs: Path) -> Run:
    """A copy of the run that stopped, for one test."""
    return Run(shutil.copytree(stopped.folder, runs / stopped.folder.name))


def kill(run: Run) -> None:
    """Kill the worker of a run as the system does when memory is short."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().split("\0")
            if str(run.folder) in command:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue
    wait_for(lambda: not run_status.is_alive(run), 10)


def wait_for(holds: Callable[[], bool], seconds: float = 120) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "took too long"
        time.sleep(0.05)
    return time.monotonic() - began


def state(run: Run) -> str:
    return run_status.status(run).state


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
    events = run_status.EventReader(run).read_new()
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


def test_a_run_that_is_looked_at_can_still_be_locked(tmp_path):
    run = finished(tmp_path, "a")
    with (run.folder / "alive").open("a") as looking, (run.folder / "alive").open("a+") as alive:
        fcntl.flock(looking, fcntl.LOCK_EX)
        threading.Timer(0.2, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        turns.lock(alive, run)
        assert run_status.is_alive(run)
        with (
            (run.folder / "alive").open("a+") as second,
            pytest.raises(Refused, match="Another worker is at the run a"),
        ):
            turns.lock(second, run, seconds=0.1)
    assert not run_status.is_alive(run)


@pytest.mark.parametrize("places", [1, 2])
def test_as_many_runs_train_at_once_as_is_set(tmp_path, monkeypatch, places):
    monkeypatch.setattr(turns, "RUNS_AT_ONCE", places)
    got = []
    with ExitStack() as files:
        for name in "abc":
            held = [files.enter_context(path.open("a")) for path in turns.turn_files(tmp_path)]
            got.append(turns.take(held, finished(tmp_path, name)))
    assert got == [True] * places + [False] * (3 - places)


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
def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_saved(copied):
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
    assert copied.checkpoint.read_bytes() == saved
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


def finished(runs: Path, name: str, token: str = MINE, made: float | None = None) -> Run:
    """A run folder without a worker."""
    run = Run.create(runs / name, CONFIG)
    owner = {"token": owners.hashed(token), "name": name, "made": made or time.time()}
    (run.folder / "owner.json").write_text(json.dumps(owner))
    run.progress.write_text('{"event": "status", "time": 1, "step": 0, "status": "finished"}\n')
    return run


def test_a_visitor_sees_and_steers_only_their_own_runs(tmp_path):
    mine, yours = finished(tmp_path, "a", MINE), finished(tmp_path, "b", YOURS)
    assert [run.folder for run in owners.runs_of(MINE, tmp_path)] == [mine.folder]
    assert owners.controls(MINE, mine)
    assert not owners.controls(MINE, yours)


def test_no_path_is_taken_for_the_id_of_a_run(tmp_path):
    finished(tmp_path / "runs", "a")
    finished(tmp_path, "outside")
    assert owners.find("a", tmp_path / "runs").folder.name == "a"
    for run_id in ("", ".", "..", "../outside", str(tmp_path / "outside"), "b", "a/"):
        assert owners.find(run_id, tmp_path / "runs") is None


def test_a_full_line_and_too_many_epochs_and_too_little_memory_are_refused(tmp_path, monkeypatch):
    with pytest.raises(Refused, match="0 runs are waiting"):
        jobs.start(CONFIG, MINE, "a", Limits(waiting=0), tmp_path)
    with pytest.raises(Refused, match="At most 99 epochs"):
        jobs.start(LONG, MINE, "a", Limits(epochs=99), tmp_path)
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 300.0)
    with pytest.raises(Refused, match="needs about 520 MB of memory, and this host has 300"):
        jobs.start(CONFIG, MINE, "a", runs=tmp_path)
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 1500.0)
    large = TrainConfig("unet", {"filters": [128, 64]}, batch=512)
    with pytest.raises(Refused, match=r"this host has 1500 MB left\..* a smaller batch"):
        jobs.start(large, MINE, "a", runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_are_too_old_or_take_too_much_room_are_deleted(tmp_path):
    old = finished(tmp_path, "a", made=time.time() - 8 * 86_400)
    big, new = finished(tmp_path, "b"), finished(tmp_path, "c")
    big.model.write_bytes(bytes(2_000_000))
    new.model.write_bytes(bytes(1_500_000))
    jobs.clear_old(Limits(days=7, kept_megabytes=2), tmp_path)
    assert [run.folder.exists() for run in (old, big, new)] == [False, False, True]


def test_pinned_runs_outlive_their_days_and_go_last(tmp_path):
    old = finished(tmp_path, "a", made=time.time() - 8 * 86_400)
    owners.change_owner(old, pinned=True)
    young = finished(tmp_path, "b")
    for run in (old, young):
        run.model.write_bytes(bytes(1_500_000))
    jobs.clear_old(Limits(days=7, kept_megabytes=2), tmp_path)
    assert [run.folder.exists() for run in (old, young)] == [True, False]
    assert [run.folder.name for run in owners.runs_of(MINE, tmp_path)] == ["a"]


def test_a_run_is_renamed_but_not_to_nothing(tmp_path):
    run = finished(tmp_path, "a")
    owners.rename(run, "  my\n best   one ")
    assert owners.name_of(run) == "my best one"
    owners.rename(run, " ")
    assert owners.name_of(run) == "my best one"
    owners.rename(run, "x" * 1000)
    assert len(owners.name_of(run)) == owners.LONGEST_NAME
    assert owners.controls(MINE, run)


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '{"token": 3}', '{"token": "é"}'])
def test_an_owner_that_makes_no_sense_owns_nothing(tmp_path, content):
    run = finished(tmp_path, "a")
    (run.folder / "owner.json").write_text(content)
    assert not owners.controls(MINE, run)
    assert owners.name_of(run) == "a"
    assert owners.race_of(run) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"settings": {"hidden": 10**6}}, "There is no such network: hidden must be .* 1 to 512"),
        ({"architecture": "transformer"}, "There is no such network: architecture must be one of"),
        (
            {"architecture": "unet", "settings": {"filters": [64, 128, 256]}},
            r"would have 1,8\d\d,\d\d\d parameters; at most 1,000,000 are possible",
        ),
        (
            {"task": "denoise-photos", "data": "photos", "loss": "psnr"},
            "Only networks for 28 × 28 greyscale images",
        ),
        (
            {"task": "read-digits", "loss": "sparse_categorical_crossentropy"},
            "Only networks for 28 × 28 greyscale images",
        ),
        ({"data": "own"}, "Your images are no longer here"),
        ({**SMALL_CELLS, "crop": 512}, "the small recipes of other jobs"),
        ({**SMALL_CELLS, "data": "cells"}, "the small recipes of other jobs"),
        (
            {**SMALL_CELLS, "settings": SMALL_CELLS["settings"] | {"filters": [256, 512, 512]}},
            "the small recipes of other jobs",
        ),
    ],
    ids=str,
)
def test_settings_that_ask_for_too_much_are_refused_without_keras(tmp_path, changes, says):
    config = dataclasses.replace(CONFIG, **changes)
    with pytest.raises(Refused, match=says):
        jobs.start(config, MINE, "a", Limits(parameters=1_000_000), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full_is_refused(tmp_path):
    with pytest.raises(Refused, match="disk of this host is nearly full"):
        jobs.start(CONFIG, MINE, "a", Limits(disk_megabytes=10**9), tmp_path)


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


def last_words(run: Run, *, log: str = "", ended: str = "", **event) -> run_status.Status:
    """What is said of a dead run with this last event, log and exit status."""
    line = {"event": "batch", "time": 1, "step": 1} | event
    run.progress.write_text(json.dumps(line) + "\n")
    (run.folder / "worker.log").write_text(log)
    (run.folder / "ended").write_text(ended)
    return run_status.status(run)


def test_what_is_known_of_a_dead_worker_is_said(tmp_path, tmp_path_factory, monkeypatch):
    run = finished(tmp_path, "a")
    assert "out of memory or was restarted" in last_words(run).detail
    assert "The system killed the worker" in last_words(run, ended="-9").detail
    said = last_words(run, log="loading\ntrain: mnist cannot be downloaded\n", ended="2")
    assert said.detail == "mnist cannot be downloaded"
    assert "Last log line: Segmentation fault" in last_words(run, log="Segmentation fault").detail
    path = run.folder / "checkpoint.keras"
    said = last_words(run, event="error", message=f"ValueError: {path} cannot be read; remove it")
    assert said == run_status.Status(
        run_status.FAILED, detail="checkpoint.keras cannot be read; remove it"
    )
    pictures = tmp_path_factory.mktemp("pictures")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(pictures))
    said = last_words(run, event="error", message=f"OSError: {pictures}/mnist.npz is torn")
    assert said.detail == "mnist.npz is torn"
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert "The disk of this host is full" in last_words(run).detail


def test_a_stop_is_told_from_a_pause_and_from_a_training_that_diverged(tmp_path):
    run = finished(tmp_path, "a")
    assert last_words(run, event="stop", reason="paused").state == run_status.PAUSED
    assert last_words(run, event="stop", reason="asked").state == run_status.STOPPED
    said = last_words(run, event="stop", reason="no number", outcome="diverged")
    assert said == run_status.Status(run_status.DIVERGED, detail="no number")
    early = last_words(run, event="status", status="finished", reason="patience")
    assert early == run_status.Status(run_status.FINISHED, detail="patience")


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


def test_events_are_read_once_and_only_when_whole(tmp_path):
    run = finished(tmp_path, "a")
    reader = run_status.EventReader(run)
    assert len(reader.read_new()) == 1
    with run.progress.open("a") as file:
        file.write('{"event": "batch", "step": 1}\n{"event": "ba')
        file.flush()
        assert [event["step"] for event in reader.read_new()] == [1]
        file.write('tch", "step": 2}\n')
    assert [event["step"] for event in reader.read_new()] == [2]
    assert reader.read_new() == []
