"""Workers and their queue: real processes on small data."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import find_card
from train import jobs
from train.config import TrainConfig, gaussian_only
from train.runs import Run

MINE, YOURS = "my token", "your token"
CONFIG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=16, epochs=1
)
LONG = TrainConfig(
    architecture="dense", settings={"hidden": 4}, noise=gaussian_only(0.5), batch=1, epochs=100
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    """A folder for runs, with small pictures to train on; no worker outlives the test."""
    # 2,000 of the training pictures are set aside for validation.
    pictures = rng.integers(0, 256, (2100, 28, 28), np.uint8)
    labels = np.zeros(2100, np.uint8)
    np.savez(
        tmp_path / "mnist.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels
    )
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    folder = tmp_path / "runs"
    folder.mkdir()
    yield folder
    for path in folder.glob("*/alive"):
        kill(Run(path.parent))


def kill(run: Run) -> None:
    """Kill the worker of a run as the system does when memory is short."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().split("\0")
            if str(run.folder) in command:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue
    wait_for(lambda: not jobs.is_alive(run), 10)


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "took too long"
        time.sleep(0.05)
    return time.monotonic() - began


def state(run: Run) -> str:
    return jobs.status(run).state


def test_a_run_trains_to_its_end_in_a_process_of_its_own(runs):
    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    assert jobs.status(run).active
    wait_for(lambda: state(run) == jobs.FINISHED)
    assert run.model.exists()
    wait_for(lambda: not jobs.is_alive(run))
    assert find_card(run.folder.name, runs).denoises  # The screens can use it.
    events = jobs.EventReader(run).read_new()
    assert [e["status"] for e in events if e["event"] == "status"] == [
        "waiting",
        "starting",
        "loading",
        "training",
        "finished",
    ]


def test_stop_is_obeyed_in_the_middle_of_an_epoch_and_the_run_can_go_on(runs):
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == jobs.TRAINING)
    jobs.stop(run)
    assert wait_for(lambda: state(run) == jobs.STOPPED) < 10
    assert run.checkpoint.exists()
    step = list(run.events())[-1]["step"]
    jobs.resume(run)
    wait_for(lambda: state(run) == jobs.TRAINING)
    first = next(e for e in run.events() if e["event"] == "batch" and e["step"] > step)
    assert first["step"] == step + 1


def test_one_run_trains_and_the_others_wait_for_their_turn_in_order(runs):
    first = jobs.start(LONG, MINE, "first", runs=runs)
    wait_for(lambda: state(first) == jobs.TRAINING)
    second = jobs.start(CONFIG, YOURS, "second", runs=runs)
    wait_for(lambda: state(second) == jobs.WAITING)
    third = jobs.start(CONFIG, MINE, "third", runs=runs)
    wait_for(lambda: state(third) == jobs.WAITING)
    assert [jobs.status(run).ahead for run in (second, third)] == [1, 2]

    jobs.stop(third)
    wait_for(lambda: state(third) == jobs.STOPPED)
    jobs.stop(first)
    wait_for(lambda: state(second) == jobs.FINISHED)


def test_a_killed_worker_is_seen_and_frees_the_place(runs):
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == jobs.TRAINING)
    kill(run)
    status = jobs.status(run)
    assert status.state == jobs.FAILED
    assert "out of memory" in status.detail
    after = jobs.start(CONFIG, MINE, "dense", runs=runs)
    wait_for(lambda: state(after) == jobs.FINISHED)


def test_a_training_stops_by_itself_when_its_minutes_are_over(runs):
    run = jobs.start(LONG, MINE, "dense", jobs.Limits(minutes=0.01), runs)
    wait_for(lambda: state(run) == jobs.STOPPED)
    assert "limit of 0.01 minutes" in jobs.status(run).detail


def finished(runs: Path, name: str, token: str = MINE, made: float | None = None) -> Run:
    """A run folder without a worker."""
    run = Run.create(runs / name, CONFIG)
    owner = {"token": jobs._hashed(token), "name": name, "made": made or time.time()}
    (run.folder / "owner.json").write_text(json.dumps(owner))
    run.progress.write_text('{"event": "status", "time": 1, "step": 0, "status": "finished"}\n')
    return run


def test_a_visitor_sees_and_steers_only_their_own_runs(tmp_path):
    mine, yours = finished(tmp_path, "a", MINE), finished(tmp_path, "b", YOURS)
    assert [run.folder for run in jobs.runs_of(MINE, tmp_path)] == [mine.folder]
    assert jobs.controls(MINE, mine)
    assert not jobs.controls(MINE, yours)


def test_no_path_is_taken_for_the_id_of_a_run(tmp_path):
    finished(tmp_path / "runs", "a")
    finished(tmp_path, "outside")
    assert jobs.find("a", tmp_path / "runs").folder.name == "a"
    for run_id in ("", ".", "..", "../outside", str(tmp_path / "outside"), "b", "a/"):
        assert jobs.find(run_id, tmp_path / "runs") is None


def test_a_full_line_and_too_many_epochs_and_too_little_memory_are_refused(tmp_path, monkeypatch):
    with pytest.raises(jobs.Refused, match="0 runs are waiting already"):
        jobs.start(CONFIG, MINE, "a", jobs.Limits(waiting=0), tmp_path)
    with pytest.raises(jobs.Refused, match="At most 99 epochs"):
        jobs.start(LONG, MINE, "a", jobs.Limits(epochs=99), tmp_path)
    monkeypatch.setattr(jobs, "free_megabytes", lambda: 300.0)
    with pytest.raises(jobs.Refused, match="needs about 900 MB of memory, and this host has 300"):
        jobs.start(CONFIG, MINE, "a", runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_are_too_old_or_take_too_much_room_are_deleted(tmp_path):
    old = finished(tmp_path, "a", made=time.time() - 8 * 86_400)
    big, new = finished(tmp_path, "b"), finished(tmp_path, "c")
    big.model.write_bytes(bytes(2_000_000))
    new.model.write_bytes(bytes(1_500_000))
    jobs.clear_old(jobs.Limits(days=7, kept_megabytes=2), tmp_path)
    assert [run.folder.exists() for run in (old, big, new)] == [False, False, True]


def test_events_are_read_once_and_only_when_whole(tmp_path):
    run = finished(tmp_path, "a")
    reader = jobs.EventReader(run)
    assert len(reader.read_new()) == 1
    with run.progress.open("a") as file:
        file.write('{"event": "batch", "step": 1}\n{"event": "ba')
        file.flush()
        assert [event["step"] for event in reader.read_new()] == [1]
        file.write('tch", "step": 2}\n')
    assert [event["step"] for event in reader.read_new()] == [2]
    assert reader.read_new() == []


def test_free_memory_is_what_the_system_says():
    assert 0 < jobs.free_megabytes() < 10_000_000
