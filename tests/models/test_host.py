"""What is no longer needed goes by itself."""

import gc
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import host
from tests.app_server import ROOT


class Visitor:
    """Like a session: it refers to itself."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture
def no_collection():
    gc.disable()
    yield
    gc.enable()


def test_what_refers_to_itself_is_collected_once_somebody_was_there(monkeypatch, no_collection):
    monkeypatch.setattr(host, "TIDY_AFTER", 0.02)
    host._start_tidying.cache_clear()
    gone = weakref.ref(Visitor())
    time.sleep(0.1)
    assert gone() is not None
    host.tidy_up_soon()
    deadline = time.monotonic() + 5
    while gone() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_to_be_forgotten_is_in_time_though_nobody_comes_and_another_fails(monkeypatch):
    monkeypatch.setattr(host, "TIDY_AFTER", 0.02)
    monkeypatch.setattr(host, "_each_minute", [])
    host._start_tidying.cache_clear()
    called = threading.Semaphore(0)
    host.each_minute(lambda: [].pop())
    host.each_minute(called.release)
    host.tidy_up_soon()
    assert all(called.acquire(timeout=5) for _ in range(3))


def test_one_thread_does_it_for_all():
    for _ in range(3):
        host.tidy_up_soon()
    count = sum(thread.name == "tidy" for thread in threading.enumerate())
    for _ in range(3):
        host.tidy_up_soon()
    assert sum(thread.name == "tidy" for thread in threading.enumerate()) == count


def test_whoever_finds_no_room_waits_until_enough_have_left():
    room, here, most = host.Room(100), [], []

    def come(size):
        with room.taking() as take:
            take(size)
            here.append(size)
            most.append(sum(here))
            time.sleep(0.01)
            here.remove(size)

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(come, [40, 40, 40, 70, 30, 40, 20, 60] * 3))
    assert len(most) == 24
    assert max(most) <= 100


def test_who_needs_much_room_is_not_passed_by_those_who_need_little():
    room, came = host.Room(100), []

    def come(size):
        with room.taking() as take:
            take(size)
            came.append(size)

    with ThreadPoolExecutor(3) as visitors, room.taking() as take:
        take(60)
        large = visitors.submit(come, 80)
        while len(room._waiting) < 1:
            time.sleep(0.001)
        little = visitors.submit(come, 30)  # There would be room for it.
        while len(room._waiting) < 2:
            time.sleep(0.001)
        assert came == []
    large.result(10), little.result(10)
    assert came == [80, 30]


def test_what_is_larger_than_the_room_comes_when_nobody_is_there_and_an_error_leaves_it_free():
    room = host.Room(100)

    def come_and_stumble():
        with room.taking() as take:
            take(500)
            raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        come_and_stumble()
    with room.taking() as take:
        take(100)


@pytest.mark.parametrize(("said", "limit"), [("50000 100000", 1), ("150000 100000", 1)])
def test_a_container_is_told_its_share_of_the_processors(said, limit, monkeypatch, tmp_path):
    monkeypatch.setattr(host, "CPU_MAX", tmp_path / "cpu.max")
    alone = host.cores()
    assert alone >= 1
    host.CPU_MAX.write_text("max 100000\n")
    assert host.cores() == alone
    host.CPU_MAX.write_text(f"{said}\n")
    assert host.cores() == limit
    host.CPU_MAX.write_text("6400000 100000\n")
    assert host.cores() == min(64, alone)


# All that is loaded later counts too: scipy comes with algebra of its own.
THREADS = """
import json, sys
from models.{first}
import scipy.linalg, threadpoolctl
pools = threadpoolctl.threadpool_info()
print(json.dumps([each["num_threads"] for each in pools if each["user_api"] == "blas"]))
"""


@pytest.mark.parametrize(
    "first",
    [
        "host import keep_algebra_to_one_thread as keep; keep()",
        "predictor import load_predictor; from models.catalogue import find_card"
        "; load_predictor(find_card('photo'))",
    ],
)
def test_a_large_network_shares_the_processors_with_no_waiting_threads(first):
    environment = {name: each for name, each in os.environ.items() if "THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", THREADS.replace("{first}", first)],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {*json.loads(done.stdout)} == {1}
