"""Many visitors at once, by websocket and without a browser: how long they wait, what it costs.

Closed loop: everyone moves a control as soon as the answer to the last move is there.  Open loop:
everyone moves it every two seconds, and waits from when the move was due.  The visitors run in this
process, on the same processor, as they would not on the net.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

import websockets

from tests.app_server import AppServer
from tests.benchmarks.measure import resident_megabytes, serving
from tests.benchmarks.report import Budget, Row
from tests.visitor import Answer, Visitor

# The page in the address, its name for people, and the control that is moved.
PAGES = (("", "Draw", "draw_strength"), ("photo", "Photo", "photo_strength"),
         ("inside", "Inside", "inside_strength"))  # fmt: skip
EVERY = 2.0  # seconds between two moves of a visitor in the open loop
OPEN_SECONDS = 20.0
CLOSED_MOVES = 40  # of all visitors together
LOST = (websockets.ConnectionClosed, TimeoutError, OSError)


@dataclass(frozen=True)
class Load:
    """What one measurement found; seconds, bytes, and the connections that broke."""

    first_pages: list[float]
    moves: list[float]
    sizes: list[int]
    lost: int
    wall: float
    cpu: float
    megabytes: float

    @property
    def cpu_a_move(self) -> float:
        """CPU milliseconds of the server for each move."""
        return 1000 * self.cpu / max(len(self.moves), 1)


def cpu_seconds(server: AppServer) -> float:
    """User and system time of the server's process so far."""
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def values(visitor: Visitor, key: str) -> Iterator[list[float]]:
    """Values of a slider, up and down for ever, every step of it."""
    slider = visitor.control(key).message
    count = max(2, round((slider.max - slider.min) / slider.step))
    up = [slider.min + (slider.max - slider.min) * step / count for step in range(1, count)]
    return ([value] for value in cycle(up + up[::-1]))


async def load(
    server: AppServer, page: str, key: str, count: int, act: Callable, more: int
) -> Load:
    """Let ``count`` visitors arrive at once, and then let each ``act``."""
    visitors = [Visitor(server.url, page) for _ in range(count)]
    arrived = await asyncio.gather(*(each.open() for each in visitors), return_exceptions=True)
    first = [answer.seconds for answer in arrived if isinstance(answer, Answer)]
    here = [each for each, answer in zip(visitors, arrived, strict=True)
            if isinstance(answer, Answer)]  # fmt: skip
    began, cpu = time.monotonic(), cpu_seconds(server)
    answers = await asyncio.gather(
        *(act(each, key, place, len(here), more) for place, each in enumerate(here)),
        return_exceptions=True,
    )
    wall, cpu = time.monotonic() - began, cpu_seconds(server) - cpu
    kept = [answer for each in answers if isinstance(each, list) for answer in each]
    lost = count - sum(isinstance(each, list) for each in answers)
    megabytes = resident_megabytes(server.pid)
    for each in here:
        await each.close()
    return Load(
        first,
        [seconds for seconds, _ in kept],
        [size for _, size in kept],
        lost,
        wall,
        cpu,
        megabytes,
    )


async def closed(visitor: Visitor, key: str, _place: int, count: int, moves: int) -> list:
    """Move as fast as the answers come."""
    ways, answers = values(visitor, key), []
    for _ in range(max(1, moves // count)):
        answer = await visitor.move(key, next(ways))
        answers.append((answer.seconds, answer.size))
    return answers


async def opened(visitor: Visitor, key: str, place: int, count: int, seconds: int) -> list:
    """Move every two seconds, evenly spread over the visitors."""
    ways, answers = values(visitor, key), []
    due = time.monotonic() + EVERY * place / count
    end = time.monotonic() + seconds
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        answer = await visitor.move(key, next(ways))
        answers.append((time.monotonic() - due, answer.size))
        due += EVERY
    return answers


def many_visitors(counts: tuple[int, ...] = (1, 10, 50)) -> list[Row]:
    """All pages, alone and in company."""
    rows = []
    for page, name, key in PAGES:
        with serving() as server:
            server.wait_until_healthy()
            asyncio.run(load(server, page, key, 1, closed, 5))  # Models are loaded.
            fast = asyncio.run(load(server, page, key, 4, closed, CLOSED_MOVES))
            rows += [
                Row(f"{name}: moves a second, 4 visitors, closed loop", "",
                    [len(fast.moves) / fast.wall]),
                Row(f"{name}: CPU of a move", "ms", [fast.cpu_a_move],
                    Budget(40) if not page else Budget()),
                Row(f"{name}: bytes of a move", "kB", [size / 1000 for size in fast.sizes],
                    Budget(20) if not page else Budget()),
            ]  # fmt: skip
            for count in counts:
                many = asyncio.run(load(server, page, key, count, opened, OPEN_SECONDS))
                promised = Budget(1, 1) if count == 50 and not page else Budget()
                who = f"{name}, {count} {'visitor' if count == 1 else 'visitors'}"
                rows += [
                    Row(f"{who}, a move every 2 s each", "s", many.moves, promised),
                    Row(f"{who}: last first page", "s", [max(many.first_pages)],
                        Budget(3) if count == 50 and not page else Budget()),
                    Row(f"{who}: connections lost", "", [many.lost]),
                    Row(f"{who}: memory of the server", "MB", [many.megabytes], Budget(450)),
                ]  # fmt: skip
    return rows
