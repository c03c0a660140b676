"""The worker that is ready before anybody presses Train; it only pretends to load and to train."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.environment import READY_WORKER
from tests.train.made_runs import CONFIG, LONG, MINE, YOURS
from tests.train.worker_processes import kill, program, state, wait_for, workers_of
from train import jobs, ready_worker, run_status
from train.run_folder import Run
from train.turns import get_in_line
from train.visitor_limits import Refused

pytestmark = pytest.mark.usefixtures("pretending")


@pytest.fixture
def pretending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Workers only pretend; none is left at the end of a test."""
    stand_in = SimpleNamespace(executable=program(tmp_path))
    monkeypatch.setattr(jobs, "sys", stand_in)
    monkeypatch.setattr(ready_worker, "sys", stand_in)
    monkeypatch.setenv(READY_WORKER, "1")
    yield
    if worker := ready_worker._worker:
        with suppress(OSError):
            worker.process.kill()
        wait_for(lambda: ready_worker._worker is None)


def ready(runs: Path) -> int:
    """Have a worker that is ready; return its process."""
    ready_worker.keep_ready(runs=runs)
    wait_for(lambda: ready_worker.state() == ready_worker.READY)
    return ready_worker._worker.process.pid


def ends(process: int) -> None:
    """Wait until a process is gone, or nothing but an entry that its parent has to look at."""

    def is_gone() -> bool:
        try:
            return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
        except OSError:
            return True

    wait_for(is_gone, 20)


def test_the_run_is_trained_by_the_worker_that_was_ready(runs):
    process = ready(runs)
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.TRAINING)
    assert workers_of(run) == [process]
    assert ready_worker.state() == ""
    jobs.stop(run)
    wait_for(lambda: state(run) == run_status.STOPPED and not run_status.is_alive(run))
    wait_for((run.folder / "ended").exists)
    assert (run.folder / "ended").read_text() == "1"
    ready(runs)
    jobs.resume(run)
    wait_for(lambda: state(run) == run_status.TRAINING)


def test_a_run_that_is_sent_before_it_is_ready_waits_for_it(runs):
    ready_worker.keep_ready(runs=runs)
    assert ready_worker.state() == ready_worker.LOADING
    process = ready_worker._worker.process.pid
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    assert run_status.status(run) == run_status.Status(run_status.WAITING)
    wait_for(lambda: state(run) == run_status.TRAINING)
    assert workers_of(run) == [process]


def test_what_it_says_goes_into_the_log_of_the_run(runs):
    process = ready(runs)
    os.kill(process, signal.SIGSTOP)
    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    (run.folder / "config.json").write_text("{")
    os.kill(process, signal.SIGCONT)
    wait_for(lambda: not run_status.is_alive(run))
    assert "settings are not JSON" in (run.folder / "worker.log").read_text()
    assert state(run) == run_status.FAILED


def test_there_is_one_and_a_visit_keeps_it(runs):
    process = ready(runs)
    before = ready_worker._worker.used
    time.sleep(0.01)
    assert ready(runs) == process
    assert ready_worker._worker.used > before
    assert ready_worker.megabytes() > 5  # A Python is not smaller.


def test_a_worker_that_was_killed_while_it_waited_is_not_missed(runs):
    os.kill(ready(runs), signal.SIGKILL)
    run = jobs.start(CONFIG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.FINISHED)


def test_a_worker_that_is_killed_before_it_has_taken_the_run_is_replaced(runs):
    process = ready(runs)
    os.kill(process, signal.SIGSTOP)
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    assert run_status.status(run) == run_status.Status(run_status.WAITING)
    os.kill(process, signal.SIGKILL)
    alive = []
    wait_for(lambda: alive.append(run_status.is_alive(run)) or state(run) == run_status.TRAINING)
    assert all(alive)
    assert workers_of(run) not in ([], [process])


def test_two_visitors_who_press_at_once_both_get_their_turn(runs, monkeypatch):
    def get_in_line_slowly(run: Run) -> None:
        time.sleep(0.3)  # seconds, in which the other is alive and not in line either
        get_in_line(run)

    monkeypatch.setattr(jobs, "get_in_line", get_in_line_slowly)
    process = ready(runs)
    started = []
    presses = [
        threading.Thread(
            target=lambda who=who: started.append(jobs.start(CONFIG, who, "dense", runs=runs))
        )
        for who in (MINE, YOURS)
    ]
    for press in presses:
        press.start()
    for press in presses:
        press.join()
    wait_for(lambda: all(state(run) == run_status.FINISHED for run in started))
    assert len(started) == 2
    ends(process)


def test_whoever_has_to_wait_waits_without_keras(runs, monkeypatch):
    first = jobs.start(LONG, MINE, "first", runs=runs)
    wait_for(lambda: state(first) == run_status.TRAINING)
    ready_worker.keep_ready(runs=runs)
    assert ready_worker.state() == ""  # Nobody could use it now.
    monkeypatch.setattr(ready_worker, "is_alive", lambda run: False)
    process = ready(runs)  # It was there before the first run began, on another server.
    second = jobs.start(CONFIG, YOURS, "second", runs=runs)
    wait_for(lambda: workers_of(second) != [])
    assert workers_of(second) != [process]
    assert ready_worker.state() == ready_worker.READY


def test_unused_it_ends_after_two_minutes(runs, monkeypatch):
    assert ready_worker.UNUSED == 120
    process = ready(runs)
    monkeypatch.setattr(ready_worker, "UNUSED", 0.1)
    ends(process)
    wait_for(lambda: ready_worker.state() == "")


def test_it_ends_at_once_where_memory_is_short_and_is_not_started_then(runs, monkeypatch):
    process = ready(runs)
    monkeypatch.setattr(ready_worker, "free_megabytes", lambda: 79.0)
    ends(process)
    wait_for(lambda: ready_worker._worker is None)
    monkeypatch.setattr(ready_worker, "free_megabytes", lambda: 599.0)
    ready_worker.keep_ready(runs=runs)
    assert ready_worker.state() == ""
    monkeypatch.setattr(ready_worker, "free_megabytes", lambda: 600.0)
    ready(runs)


def test_the_memory_that_it_holds_is_not_missing_for_the_run(runs, monkeypatch):
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 400.0)
    monkeypatch.setattr(ready_worker, "held_megabytes", lambda process: 119.0)
    ready(runs)
    with pytest.raises(Refused, match="needs about 520 MB of memory, and this host has 519"):
        jobs.start(CONFIG, MINE, "dense", runs=runs)
    monkeypatch.setattr(ready_worker, "held_megabytes", lambda process: 125.0)
    jobs.start(CONFIG, MINE, "dense", runs=runs)


def test_the_system_ends_it_first_and_the_run_no_sooner_than_any_other(runs):
    score = Path("/proc/self/oom_score_adj")
    if not score.exists():
        pytest.skip("only Linux says which process it would end first")
    process = ready(runs)
    assert Path(f"/proc/{process}/oom_score_adj").read_text() == "1000\n"
    run = jobs.start(LONG, MINE, "dense", runs=runs)
    wait_for(lambda: state(run) == run_status.TRAINING)
    assert Path(f"/proc/{process}/oom_score_adj").read_text() == score.read_text()


SERVER = (
    "import sys, time; from pathlib import Path; from train import jobs, ready_worker; "
    "from train.config import TrainConfig; "
    "stub = type('Stub', (), {'executable': sys.argv[2]}); "
    "jobs.sys = ready_worker.sys = stub; runs = Path(sys.argv[1]); "
    "ready_worker.keep_ready(runs=runs); print(ready_worker._worker.process.pid); "
)


def served(runs: Path, tmp_path: Path, more: str, before: str = "") -> list[str]:
    """What a server says that keeps a worker ready, does some ``more`` and ends."""
    command = [sys.executable, "-c", SERVER + more, str(runs), program(tmp_path, before)]
    told = subprocess.run(command, cwd=jobs.ROOT.parent, capture_output=True, check=True, text=True)
    return told.stdout.split()


@pytest.mark.parametrize("before", ["", "sleep 1"])
def test_without_its_server_it_ends(runs, tmp_path, before):
    (process,) = served(runs, tmp_path, "", before)
    ends(int(process))


def test_a_run_that_it_was_sent_survives_the_server(runs, tmp_path):
    config = f"TrainConfig.from_json({LONG.to_json()!r})"
    start = f"print(jobs.start({config}, 'a', 'b', runs=runs).folder)"
    process, folder = served(runs, tmp_path, start, "sleep 1")
    run = Run(folder)
    wait_for(lambda: state(run) == run_status.TRAINING)
    assert workers_of(run) == [int(process)]
    kill(run)
