"""Jobs are held by gates that the tests open, and their patience is that of a clock they turn."""

import gc
import logging
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from models import picture_queue
from models.picture_queue import ABANDONED_AFTER_S, Job, PictureQueue, QueueFull

LONG = 20  # seconds, after which a test has failed


class Gate:
    """Work that says when it has begun, goes on when let, and then answers."""

    def __init__(self, answer=None, steps=1):
        self.answer, self.steps = answer, steps
        self.begun, self._open = threading.Event(), threading.Event()
        self.watches = 0

    def __call__(self, watch):
        self.begun.set()
        assert self._open.wait(LONG)
        for done in range(1, self.steps + 1):
            self.watches += 1
            watch(done, self.steps)
        return self.answer

    def wait(self):
        assert self.begun.wait(LONG)

    def open(self):
        self._open.set()


class Visitor:
    """Whoever a job is for: the queue only looks whether they are still there."""


@pytest.fixture
def gates():
    """Makes gates, and opens all of them at the end, so that no thread is left behind."""
    made = []

    def make(*args, **settings):
        made.append(Gate(*args, **settings))
        return made[-1]

    yield make
    for gate in made:
        gate.open()


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test turns: ``clock.now``, in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(picture_queue, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def ended(job: Job) -> str:
    """Wait for the job; return how it ended."""
    job.wait(LONG)
    return job.state


# Order


def test_a_job_is_done_and_keeps_its_result():
    job = PictureQueue().submit(lambda watch: "result")
    assert ended(job) == "done"
    assert (job.result, job.error, job.pending) == ("result", None, False)
    assert job.seconds >= 0


def test_one_at_a_time_they_are_done_in_the_order_they_came(gates):
    bench, order, first = PictureQueue(at_once=1), [], gates()
    jobs = [bench.submit(first)]
    jobs += [bench.submit(lambda watch, n=n: order.append(n)) for n in range(6)]
    first.open()
    assert [ended(job) for job in jobs] == ["done"] * 7
    assert order == [0, 1, 2, 3, 4, 5]


def test_two_are_in_work_at_once_and_the_third_waits(gates):
    bench, work = PictureQueue(), [gates(n) for n in range(3)]
    jobs = [bench.submit(each) for each in work]
    work[0].wait()
    work[1].wait()
    assert [job.state for job in jobs] == ["working", "working", "waiting"]
    assert not work[2].begun.is_set()
    work[1].open()
    work[2].wait()
    assert [job.state for job in jobs] == ["working", "done", "working"]
    work[0].open()
    work[2].open()
    assert [ended(job) for job in jobs] == ["done"] * 3
    assert [job.result for job in jobs] == [0, 1, 2]


def test_never_more_than_two_are_in_work(gates):
    bench, lock, now, most = PictureQueue(most_waiting=100), threading.Lock(), 0, 0

    def work(watch):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.002)
        with lock:
            now -= 1

    jobs = [bench.submit(work) for _ in range(40)]
    assert {ended(job) for job in jobs} == {"done"}
    assert most == 2


def test_those_who_wait_see_their_place(gates):
    bench, work = PictureQueue(at_once=1), [gates() for _ in range(4)]
    jobs = [bench.submit(each) for each in work]
    work[0].wait()
    # In work; the next; one before it; two before it.
    assert [job.place for job in jobs] == [0, 0, 1, 2]
    jobs[1].cancel()
    assert [job.place for job in jobs] == [0, 0, 0, 1]
    work[0].open()
    work[2].wait()
    assert [job.place for job in jobs] == [0, 0, 0, 0]


def test_a_job_that_comes_just_when_the_last_one_ends_is_not_left_lying():
    bench = PictureQueue()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # Threads are interrupted wherever they can be.
    try:
        for _ in range(200):
            assert ended(bench.submit(lambda watch: None)) == "done"

        def visit(_):
            return [ended(bench.submit(lambda watch: None)) for _ in range(50)]

        with ThreadPoolExecutor(6) as visitors:
            outcomes = [outcome for each in visitors.map(visit, range(6)) for outcome in each]
        assert outcomes == ["done"] * 300
    finally:
        sys.setswitchinterval(before)


def test_where_no_thread_can_be_started_nothing_is_queued_and_the_next_one_is_done(monkeypatch):
    bench, worked = PictureQueue(at_once=1), []

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                bench.submit(lambda watch: worked.append("refused"))
    assert ended(bench.submit(lambda watch: worked.append("taken"))) == "done"
    assert worked == ["taken"]


def test_no_thread_is_left_where_there_is_no_work():
    before = threading.active_count()
    bench = PictureQueue()
    jobs = [bench.submit(lambda watch: None) for _ in range(5)]
    assert {ended(job) for job in jobs} == {"done"}
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(0.5)
    assert threading.active_count() <= before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of single threads")
def test_the_work_gives_way_to_others_and_who_asked_for_it_does_not():
    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    mine = priority()
    job = PictureQueue().submit(lambda watch: priority())
    assert ended(job) == "done"
    assert job.result == max(mine, 10)
    assert priority() == mine


def test_a_host_that_forbids_priorities_gets_the_work_done(monkeypatch):
    def forbid(*_):
        raise PermissionError("not here")

    monkeypatch.setattr(os, "setpriority", forbid, raising=False)
    assert ended(PictureQueue().submit(lambda watch: None)) == "done"


# Cancelling


def test_a_job_that_waits_is_cancelled_at_once_and_never_begun(gates):
    bench, first, second = PictureQueue(at_once=1), gates(), gates()
    working, waiting = bench.submit(first), bench.submit(second)
    third = bench.submit(lambda watch: 3)
    waiting.cancel()
    assert (waiting.state, waiting.pending, waiting.result) == ("cancelled", False, None)
    waiting.wait(LONG)  # Returns, as it has ended.
    first.open()
    assert [ended(job) for job in (working, third)] == ["done", "done"]
    assert not second.begun.is_set()


def test_a_job_in_work_is_cancelled_after_its_step(gates):
    bench, gate = PictureQueue(at_once=1), gates(steps=5)
    job, other = bench.submit(gate), bench.submit(lambda watch: "other")
    gate.wait()
    job.cancel()
    assert job.state == "working"
    gate.open()
    assert ended(job) == "cancelled"
    assert (job.result, gate.watches) == (None, 1)
    assert ended(other) == "done"


def test_a_job_that_is_cancelled_just_before_it_begins_is_never_begun():
    worked = []
    job = Job(worked.append, PictureQueue())  # Taken out of the queue, not begun.
    job.cancel()
    assert job.state == "waiting"
    job._run()
    assert (job.state, worked) == ("cancelled", [])


def test_cancelling_what_has_ended_changes_nothing():
    job = PictureQueue().submit(lambda watch: "result")
    ended(job)
    job.cancel()
    job.cancel()
    assert (job.state, job.result) == ("done", "result")


def test_a_job_may_be_cancelled_by_many_at_once(gates):
    bench, gate = PictureQueue(at_once=1), gates()
    bench.submit(gate)
    jobs = [bench.submit(lambda watch: None) for _ in range(10)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(Job.cancel, jobs * 4))
    gate.open()
    assert {ended(job) for job in jobs} == {"cancelled"}
    assert ended(bench.submit(lambda watch: None)) == "done"


# Failing


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), ZeroDivisionError()])
def test_a_job_that_fails_does_no_harm_to_the_next(gates, error):
    bench, gate = PictureQueue(at_once=1), gates("fine")

    def fail(watch):
        watch(1, 3)
        raise error

    failing, next_one = bench.submit(fail), bench.submit(gate)
    assert ended(failing) == "failed"
    assert failing.error is error
    assert (failing.result, failing.pending) == (None, False)
    gate.open()
    assert (ended(next_one), next_one.result) == ("done", "fine")


def test_whoever_runs_the_server_reads_why_a_job_failed(caplog):
    def fail(watch):
        raise ValueError("no such filter")

    ended(PictureQueue().submit(fail))
    assert "no such filter" in caplog.text


@pytest.mark.parametrize("outcome", ["done", "failed", "cancelled"])
def test_a_job_that_has_ended_holds_no_pictures_but_its_result(gates, outcome, monkeypatch):
    # pytest keeps what is logged, with all its frames.
    monkeypatch.setattr(logging.getLogger(picture_queue.__name__), "disabled", True)
    picture = np.zeros(10)
    gone = weakref.ref(picture)
    bench, gate = PictureQueue(at_once=1), gates()

    def work(watch, picture=picture):
        tile = picture
        gate(watch)
        if outcome == "failed":
            raise ValueError(f"{len(tile)} pixels are too few")

    job = bench.submit(work)
    gate.wait()
    if outcome == "cancelled":
        job.cancel()
    del picture, work
    gate.open()
    assert ended(job) == outcome
    # The thread that ran it may still be about to end.
    assert ended(bench.submit(lambda watch: None)) == "done"
    gc.collect()
    assert gone() is None


# Patience


def test_a_job_that_nobody_asks_about_is_given_up_while_it_works(clock, gates):
    gate = gates(steps=3)
    job = PictureQueue().submit(gate)
    gate.wait()
    clock.now += ABANDONED_AFTER_S + 1
    gate.open()
    assert ended(job) == "cancelled"
    assert gate.watches == 1


def test_a_job_that_nobody_asks_about_is_not_begun(clock, gates):
    bench, first, second = PictureQueue(at_once=1), gates(), gates()
    asked, forgotten = bench.submit(first), bench.submit(second)
    first.wait()
    clock.now += ABANDONED_AFTER_S + 1
    assert asked.pending
    first.open()
    assert (ended(asked), ended(forgotten)) == ("done", "cancelled")
    assert not second.begun.is_set()


def test_a_job_goes_on_while_its_visitor_looks_at_another_page(clock, gates):
    visitor, gate = Visitor(), gates(steps=3)
    job = PictureQueue().submit(gate, visitor)
    gate.wait()
    clock.now += 10 * ABANDONED_AFTER_S
    gate.open()
    assert ended(job) == "done"


def test_a_job_ends_when_its_visitor_is_gone_for_good(clock, gates):
    visitor, gate = Visitor(), gates(steps=3)
    job = PictureQueue().submit(gate, visitor)
    gate.wait()
    del visitor
    gc.collect()
    clock.now += ABANDONED_AFTER_S + 1
    gate.open()
    assert ended(job) == "cancelled"


def test_a_job_goes_on_for_a_visitor_who_joined_it(clock, gates):
    first, second, gate = Visitor(), Visitor(), gates(steps=3)
    job = PictureQueue().submit(gate, first)
    gate.wait()
    job.join(second)
    del first
    gc.collect()
    clock.now += 10 * ABANDONED_AFTER_S
    gate.open()
    assert ended(job) == "done"


def test_whoever_asks_in_time_keeps_the_job_alive(clock, gates):
    bench, first, second = PictureQueue(at_once=1), gates(), gates()
    jobs = bench.submit(first), bench.submit(second)
    first.wait()
    for _ in range(5):
        clock.now += ABANDONED_AFTER_S - 1
        assert all(job.pending for job in jobs)
    first.open()
    second.open()
    assert [ended(job) for job in jobs] == ["done", "done"]


def test_a_clock_of_its_own_gives_a_job_up_too(monkeypatch, gates):
    monkeypatch.setattr(picture_queue, "ABANDONED_AFTER_S", 0.05)
    gate = gates()
    job = PictureQueue().submit(gate)
    gate.wait()
    threading.Event().wait(0.1)
    gate.open()
    assert ended(job) == "cancelled"


# The queue


def test_a_full_queue_refuses_with_a_sentence_and_takes_again_when_there_is_room(gates):
    bench, gate = PictureQueue(at_once=1, most_waiting=2), gates()
    first = bench.submit(gate)
    gate.wait()
    waiting = [bench.submit(lambda watch: None) for _ in range(2)]
    with pytest.raises(QueueFull, match=r"^2 pictures wait .*\. Try again in a minute\.$"):
        bench.submit(lambda watch: None)
    assert [job.place for job in waiting] == [0, 1]
    waiting[0].cancel()
    taken = bench.submit(lambda watch: "taken")
    gate.open()
    assert [ended(job) for job in (first, waiting[1], taken)] == ["done"] * 3


def test_forgotten_jobs_make_room_in_a_full_queue(clock, gates):
    bench, gate = PictureQueue(at_once=1, most_waiting=2), gates()
    bench.submit(gate)
    gate.wait()
    forgotten, kept = (bench.submit(lambda watch: None) for _ in range(2))
    clock.now += ABANDONED_AFTER_S + 1
    assert kept.pending
    taken = bench.submit(lambda watch: "taken")
    assert forgotten.state == "cancelled"
    assert [kept.place, taken.place] == [0, 1]


# Progress


def test_progress_and_time_left_follow_the_steps(clock):
    told, step = [], threading.Barrier(2, timeout=LONG)

    def work(watch):
        step.wait()
        step.wait()
        for done in range(1, 4):
            clock.now += 2
            watch(done, 4)
            step.wait()
            step.wait()

    job = PictureQueue().submit(work)
    for _ in range(4):
        step.wait()
        told.append((job.progress, job.seconds_left))
        step.wait()
    shares, left = zip(*told, strict=True)
    assert shares == (0, 0.25, 0.5, 0.75)
    assert left[0] is None
    assert left[1:] == pytest.approx([6, 4, 2])  # Two seconds a step.
    assert ended(job) == "done"
    assert (job.seconds_left, job.seconds) == (None, 6)


def test_a_job_that_waits_has_no_progress_yet(gates):
    bench, gate = PictureQueue(at_once=1), gates()
    bench.submit(gate)
    waiting = bench.submit(lambda watch: None)
    assert (waiting.state, waiting.progress, waiting.seconds_left) == ("waiting", 0, None)


def test_progress_is_a_share_while_another_thread_changes_it():
    """Done and total belong together, or 5 of 9 might be read as 5 of 1."""
    job = Job(lambda watch: None, PictureQueue())
    stop, shares = threading.Event(), set()

    def read():
        while not stop.is_set():
            shares.add(job.progress)

    reader = threading.Thread(target=read)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    reader.start()
    try:
        for _ in range(3000):
            job._watch(5, 9)
            job._watch(1, 1)
            job._watch(0, 0)
    finally:
        stop.set()
        reader.join()
        sys.setswitchinterval(before)
    assert shares <= {0, 5 / 9, 1}


def test_waiting_for_a_job_ends_in_time(gates):
    gate = gates()
    job = PictureQueue().submit(gate)
    job.wait(0.01)
    assert job.pending


# The end


def test_a_bench_that_closes_gives_all_jobs_up_and_waits_for_the_step_in_work(gates):
    bench, work = PictureQueue(at_once=1), gates(steps=3)
    at_work, waiting = bench.submit(work), bench.submit(gates())
    work.wait()
    closing = threading.Thread(target=bench.close)
    closing.start()
    assert ended(waiting) == "cancelled"
    assert closing.is_alive()
    work.open()
    closing.join(LONG)
    assert not closing.is_alive()
    assert ended(at_work) == "cancelled"
    assert work.watches == 1


def test_a_bench_that_closes_does_not_wait_for_ever(gates):
    bench, work = PictureQueue(), gates()
    bench.submit(work)
    work.wait()
    bench.close(timeout=0.01)
    assert not work._open.is_set()
