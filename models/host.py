"""What the machine is asked for: that long work disturbs nobody, that memory comes back."""

import ctypes
import functools
import gc
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

_log = logging.getLogger(__name__)

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # From glibc's malloc.h.
TIDY_AFTER = 60.0  # seconds
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # Where Linux says what share a container has.


def cores() -> int:
    """Return how many processors this process may keep busy, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # It says "max" where there is no limit.
        quota, period = map(int, CPU_MAX.read_text().split())
        allowed = min(allowed, max(1, quota // period))
    return allowed


_used = threading.Event()
_each_minute: list[Callable[[], None]] = []
_turns = threading.BoundedSemaphore(cores())


def at_low_priority(make: Callable[[], Any]) -> Any:
    """Run ``make`` in a thread of low priority: threads that it starts inherit that."""
    outcome: list = []

    def run() -> None:
        lower_priority()
        try:
            outcome.append(make())
        except Exception as error:  # Carried over to the thread that waits for it.
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


@contextmanager
def a_turn() -> Iterator[None]:
    """Wait until fewer do work on whole photos than there are processors.

    No more would be done in a second if all did it at once, and each holds tens of megabytes.
    """
    with _turns:
        yield


class Room:
    """A number of bytes that those who work on whole photos share."""

    def __init__(self, size: int) -> None:
        self._size, self._taken, self._changed = size, 0, threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def taking(self) -> Iterator[Callable[[int], None]]:
        """Yield what waits until there is room for some bytes, and takes it until the end.

        Who comes first is first.  What is larger than all of it waits until nobody else is there.
        """
        own = 0

        def take(size: int) -> None:
            nonlocal own
            me = object()
            with self._changed:
                self._waiting.append(me)
                try:
                    self._changed.wait_for(
                        lambda: (
                            self._waiting[0] is me
                            and (self._taken == 0 or self._taken + size <= self._size)
                        )
                    )
                    self._taken, own = self._taken + size, own + size
                finally:
                    self._waiting.remove(me)
                    self._changed.notify_all()  # There may be room for the next one too.

        try:
            yield take
        finally:
            with self._changed:
                self._taken -= own
                self._changed.notify_all()
            if own:
                give_memory_back()


@functools.cache
def keep_algebra_to_one_thread() -> None:
    """Let no product of matrices wake threads of numpy's and scipy's own.

    They gain next to nothing, and then wait busily for the next product, on the processor that a
    network's threads of low priority need.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # For what is loaded later.
    threadpool_limits(1, user_api="blas")


def keep_large_blocks_apart() -> None:
    """Let glibc return large blocks to the system when they are freed.

    By itself it learns from large blocks to keep ever larger ones, and a server that once worked
    on a photo stays large: 130 MB for four tiles, where 10 MB are left this way.
    """
    _ask_glibc("mallopt", _M_MMAP_THRESHOLD, 2**18)


def tidy_up_soon() -> None:
    """Return what is no longer needed to the system, in a minute; of many calls one counts.

    What a visitor leaves refers to itself, and waits for Python's collection of garbage, which
    comes by itself only once there is as much again.
    """
    _used.set()
    _start_tidying()


def each_minute(forget: Callable[[], None]) -> None:
    """Have ``forget`` called once a minute from the first ``tidy_up_soon`` on, used or not."""
    _each_minute.append(forget)


@functools.cache
def _start_tidying() -> None:
    # Small blocks from two stores, not from one for each of many threads: each keeps what is freed.
    _ask_glibc("mallopt", _M_ARENA_MAX, 2)
    threading.Thread(target=_tidy, name="tidy", daemon=True).start()


def _tidy() -> None:
    while True:
        time.sleep(TIDY_AFTER)
        for forget in _each_minute:
            try:
                forget()
            except Exception:  # The next minute must come all the same.
                _log.exception("what was not used could not be forgotten")
        if _used.is_set():
            _used.clear()
            gc.collect()
            give_memory_back()


def give_memory_back() -> None:
    """Return what is free of small blocks too; it takes some milliseconds.

    They are a few megabytes after a network was made ready, and more than a hundred after a class
    has worked on photos.
    """
    _ask_glibc("malloc_trim", 0)


def _ask_glibc(function: str, *values: int) -> None:
    """Call a function that only glibc has; another C library is left alone."""
    with suppress(AttributeError, OSError, TypeError):
        getattr(ctypes.CDLL(None), function)(*values)


def lower_priority() -> None:
    """Let this thread give way to others; only Linux knows priorities of single threads."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with suppress(OSError):  # A host may forbid it; the work matters more.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
