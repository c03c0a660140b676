import fcntl
import threading
from contextlib import ExitStack

import pytest

from models.environment import RUNS_AT_ONCE
from tests.train.made_runs import finished
from train import run_status, turns
from train.visitor_limits import Refused


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
    monkeypatch.setenv(RUNS_AT_ONCE, str(places))
    got = []
    with ExitStack() as files:
        for name in "abc":
            held = [files.enter_context(path.open("a")) for path in turns.turn_files(tmp_path)]
            got.append(turns.take(held, finished(tmp_path, name)))
    assert got == [True] * places + [False] * (3 - places)
