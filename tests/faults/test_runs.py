"""The folder of runs: many of them, old ones, two servers at one, a clock that goes back."""

import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import find_card
from models.predictor import load_predictor
from tests.faults import kills
from tests.faults.runs_folder import problems
from tests.train.worker_processes import kill
from train import jobs, owners, run_status, turns
from train.run_folder import Run
from train.visitor_limits import Limits, Refused

TOKEN = "my token"


def finished(runs: Path, name: str, made: float) -> Run:
    run = Run.create(runs / name, kills.CONFIG)
    owners.change_owner(run, token=owners.hashed(TOKEN), name=name, made=made)
    run.progress.write_text('{"event": "status", "time": 1, "step": 0, "status": "finished"}\n')
    return run


def test_a_run_of_the_last_release_is_listed_and_its_network_still_denoises(tmp_path):
    runs = shutil.copytree(Path(__file__).with_name("last_release"), tmp_path / "runs")
    (run,) = owners.runs_of(TOKEN, runs)
    assert problems(runs, (TOKEN,)) == []
    assert run_status.status(run).state == run_status.FINISHED
    card = find_card(run.folder.name, runs)
    assert card.title == "Yours: an old one"
    noisy = np.full((28, 28, 1), 0.5, np.float32)
    assert load_predictor(card).predict(noisy).shape == noisy.shape


def test_of_two_servers_that_go_on_with_the_same_run_one_is_refused(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    run, said, barrier = finished(runs, "a", time.time()), [], threading.Barrier(6)

    def press() -> None:
        barrier.wait()
        try:
            jobs.resume(run)
            said.append("started")
        except Refused as refusal:
            said.append(str(refusal))

    with kills.pretending(tmp_path):
        pressing = [threading.Thread(target=press) for _ in range(6)]
        for thread in pressing:
            thread.start()
        for thread in pressing:
            thread.join()
        kills.kill_all(runs)
    assert said.count("started") == 1
    assert all("already" in each or "Another worker" in each for each in said if each != "started")


def test_a_clock_that_was_set_back_loses_no_run_and_no_turn(tmp_path):
    tomorrow, yesterday = time.time() + 86_400, time.time() - 86_400
    early, late = finished(tmp_path, "a", tomorrow), finished(tmp_path, "b", yesterday)
    jobs.clear_old(Limits(days=7), tmp_path)
    assert {run.folder for run in owners.runs_of(TOKEN, tmp_path)} == {early.folder, late.folder}
    for run in (early, late):
        with run.progress.open("a") as file:
            file.write(
                f'{{"event": "status", "time": {tomorrow}, "step": 0, "status": "waiting"}}\n'
            )
    with (early.folder / "alive").open("a") as one, (late.folder / "alive").open("a") as two:
        for run, lock in ((early, one), (late, two)):
            turns.lock(lock, run)
        # The same instant: the names decide, and not both are first.
        assert [run_status.ahead_of(run) for run in (early, late)] == [0, 1]


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system_and_leaves_nothing(tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="runs"):
        jobs.start(kills.CONFIG, TOKEN, "a run", runs=tmp_path / "runs")
    assert (tmp_path / "runs").is_file()


@pytest.mark.slow
def test_among_ten_thousand_runs_one_is_listed_and_started_in_seconds_of_work(tmp_path):
    runs = tmp_path / "runs"
    for number in range(10_000):
        folder = runs / f"20260101-000000-{number:06x}"
        folder.mkdir(parents=True)
        token = owners.hashed(TOKEN if number == 5000 else "another")
        said = f'{{"token": "{token}", "name": "a", "made": {time.time()}}}'
        (folder / "owner.json").write_text(said)
        (folder / "alive").touch()
    began = time.process_time()
    assert len(owners.runs_of(TOKEN, runs)) == 1
    assert time.process_time() - began < 2
    with kills.pretending(tmp_path):
        began = time.process_time()
        run = jobs.start(kills.CONFIG, TOKEN, "a run", runs=runs)
        assert time.process_time() - began < 8  # Sizes and states of all are looked at.
        assert run_status.status(run).active
        jobs.stop(run)
        kill(run)
    assert len(owners.all_runs(runs)) == 10_001


def test_what_an_earlier_worker_said_last_is_no_reason_for_one_that_never_started(tmp_path):
    run = finished(tmp_path, "a", time.time())
    log = run.folder / "worker.log"
    log.write_text("train: stopped before its turn came\n")
    turns.get_in_line(run)  # And then the server was killed, before it had sent a worker.
    os.utime(log, (time.time() - 5, time.time() - 5))
    assert run_status.status(run).state == run_status.FAILED
    assert "stopped before its turn" not in run_status.status(run).detail
    log.write_text("train: mnist.npz is torn\n")
    assert run_status.status(run).detail == "mnist.npz is torn"
