"""Long work for many visitors: a few pictures at once, the others in a queue that they can see.

The work runs in threads; whoever submitted it asks the job how far it is.  A job that nobody
asks about, because its visitor left, is cancelled.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable

from models.host import give_memory_back, lower_priority

PICTURES_AT_ONCE = 2
MOST_WAITING = 12
# Seconds without a question, after which a job is given up.  Browsers let a page that is hidden
# ask once a minute.
ABANDONED_AFTER_S = 75.0

Watch = Callable[[int, int], None]


class QueueFull(Exception):
    """There is no room in the queue; its text is a sentence for the visitor."""


class Cancelled(Exception):
    """Ends the work between two steps."""


class Job:
    """One piece of work: ``state`` is waiting, working, done, failed or cancelled."""

    def __init__(
        self, work: Callable[[Watch], object], bench: "PictureQueue", visitor: object | None = None
    ) -> None:
        self._work, self._bench = work, bench
        self._visitors = weakref.WeakSet(() if visitor is None else (visitor,))
        self.state = "waiting"
        self.result: object = None
        self.error: Exception | None = None
        self.seconds = 0.0
        self._steps = 0, 1  # done and in all; one value, as another thread reads them
        self._started, self._asked = 0.0, time.monotonic()
        self._cancel, self._ended = threading.Event(), threading.Event()

    def wait(self, seconds: float) -> None:
        """Return when the job has ended, after that many seconds at the latest."""
        self._ended.wait(seconds)

    @property
    def pending(self) -> bool:
        """Whether a result may still come; asking keeps the job alive."""
        self._asked = time.monotonic()
        return self.state in ("waiting", "working")

    @property
    def place(self) -> int:
        """How many jobs are to begin before this one, 0 where it is in work or is the next."""
        return self._bench.place_of(self)

    @property
    def progress(self) -> float:
        """The share that is done, 0 to 1."""
        done, total = self._steps
        return done / total

    @property
    def seconds_left(self) -> float | None:
        """How long it will go on at the speed so far, None before a first step is done."""
        done, total = self._steps
        if self.state != "working" or not done:
            return None
        return (time.monotonic() - self._started) * (total / done - 1)

    def join(self, visitor: object) -> None:
        """Wait for the job too: it is not given up while one of its visitors exists."""
        self._asked = time.monotonic()
        self._visitors.add(visitor)

    def cancel(self) -> None:
        """Give the job up: at once where it waits, else after the step in work."""
        self._cancel.set()
        self._bench.remove(self)

    @property
    def _forgotten(self) -> bool:
        """Whether nobody asks; a visitor who looks at another page comes back."""
        if time.monotonic() - self._asked <= ABANDONED_AFTER_S:
            return False
        return not self._visitors

    def _watch(self, done: int, total: int) -> None:
        if self._cancel.is_set() or self._bench.closed or self._forgotten:
            raise Cancelled
        self._steps = done, max(total, 1)

    def _run(self) -> None:
        self._started, self.state = time.monotonic(), "working"
        try:
            self._watch(0, 1)
            self.result = self._work(self._watch)
            self.seconds = time.monotonic() - self._started
            state = "done"
        except Cancelled:
            state = "cancelled"
        except Exception as error:  # Whatever it is, the visitor is told, and the bench goes on.
            logging.getLogger(__name__).exception("A job failed.")
            # Without its traceback, whose frames hold pictures.
            self.error, state = error.with_traceback(None), "failed"
        self._end(state)

    def _end(self, state: str) -> None:
        self._work = None  # It may hold pictures.
        self.state = state
        self._ended.set()


class PictureQueue:
    """Runs jobs in the order they came, ``at_once`` of them at a time."""

    def __init__(self, at_once: int = PICTURES_AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once, self._most_waiting = at_once, most_waiting
        self._waiting: list[Job] = []
        self._in_work = 0
        self._lock = threading.Lock()
        self._workers: set[threading.Thread] = set()
        self.closed = False

    def submit(self, work: Callable[[Watch], object], visitor: object | None = None) -> Job:
        """Queue ``work(watch)``; it calls ``watch(done, total)`` after each of its steps.

        It is not given up while ``visitor`` exists, whether or not somebody asks about it.

        Raises:
            QueueFull: if too many wait already.
        """
        with self._lock:
            self._waiting = [job for job in self._waiting if not self._is_forgotten(job)]
            if len(self._waiting) >= self._most_waiting:
                raise QueueFull(
                    f"{len(self._waiting)} pictures wait to be denoised, and no more fit in the "
                    "queue. Try again in a minute."
                )
            job = Job(work, self, visitor)
            if self._in_work < self._at_once:
                worker = threading.Thread(target=self._work, daemon=True)
                worker.start()
                self._in_work += 1  # Only now: a host short of memory may refuse the thread.
                self._workers.add(worker)
            self._waiting.append(job)
        return job

    def place_of(self, job: Job) -> int:
        """Return how many jobs are to begin before this one."""
        with self._lock:
            return self._waiting.index(job) if job in self._waiting else 0

    def remove(self, job: Job) -> None:
        """Take a waiting job out of the queue."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                job._end("cancelled")

    def close(self, timeout: float = 10) -> None:
        """Give all jobs up, and wait as many seconds at the most for the steps in work.

        So that no thread works on, in the middle of a network, while Python takes itself apart.
        """
        self.closed = True
        with self._lock:
            waiting, self._waiting = self._waiting, []
            workers = list(self._workers)
        for job in waiting:
            job._end("cancelled")
        deadline = time.monotonic() + timeout
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))

    def _is_forgotten(self, job: Job) -> bool:
        if job._forgotten:
            job._end("cancelled")
            return True
        return False

    def _work(self) -> None:
        lower_priority()
        while True:
            with self._lock:
                if not self._waiting:
                    self._in_work -= 1
                    self._workers.discard(threading.current_thread())
                    return
                job = self._waiting.pop(0)
            job._run()
            give_memory_back()
