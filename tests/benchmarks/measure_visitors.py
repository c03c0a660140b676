"""Many visitors at once, by websocket and without a browser: how long they wait, what it costs.

Closed loop: everyone moves a control as soon as the answer to the last move is there.  Open loop:
everyone moves it every two seconds, and waits from when the move was due.  The visitors run in this
process, on the same processor, as they would not on the net.
"""

import asyncio
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import websockets
from PIL import Image

from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.host import TIDY_AFTER
from pages.components.picture_cache import GAVE_WAY
from tests.app_server import AppServer
from tests.benchmarks.measure import resident_megabytes, serving
from tests.benchmarks.measure_photo import SIGMA, noisy_photo
from tests.benchmarks.report import Budget, Row
from tests.visitor import Answer, Visitor
from train import run_status
from train.run_folder import Run

# The page in the address, its name for people, and the control that is moved.  A photo's noise has
# the network answer again; its strength only blends.
PAGES = (("", "Draw", "draw_strength"), ("photo", "Photo", "photo_strength"),
         ("photo", "Photo's strength", "photo_brightness"),
         ("inside", "Inside", "inside_strength"))  # fmt: skip
EVERY = 2.0  # seconds between two moves of a visitor in the open loop
OPEN_SECONDS = 20.0
CLOSED_MOVES = 40  # of all visitors together
LEFT = ("Draw", "Photo")  # It takes more than three minutes for each.
WAITED_FOR = 125.0  # seconds: Streamlit waits two minutes for one who has lost the connection
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
            before = resident_megabytes(server.pid)
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
            if name in LEFT:
                rows.append(Row(f"{name}: memory after all have left, above that of one", "%",
                                [left(server, before)], Budget(5)))  # fmt: skip
    return rows + beside_long_work()


def left(server: AppServer, before: float) -> float:
    """Percent of memory that a server keeps which it had not when one visitor had been there.

    Those who left are forgotten by the first who comes when Streamlit no longer waits for them.
    """

    async def come_and_go() -> None:
        visitor = Visitor(server.url)
        await visitor.open()
        await visitor.close()

    time.sleep(WAITED_FOR)
    asyncio.run(come_and_go())
    time.sleep(TIDY_AFTER + 5)
    return 100 * (resident_megabytes(server.pid) / before - 1)


def own_pictures(counts: tuple[int, ...] = (10, 50), megapixels: float = 1) -> list[Row]:
    """Visitors of Photo who each bring a picture of their own, and then move a strength."""
    rows = []
    for count in counts:
        with serving() as server:
            server.wait_until_healthy()
            asyncio.run(load(server, "photo", "photo_brightness", 1, closed, 1))
            found = asyncio.run(_own_pictures(server, count, megapixels))
            peak = resident_megabytes(server.pid, "VmHWM")
        who = f"Photo, {count} visitors with pictures of their own, {megapixels:g} MP each"
        rows += [
            Row(f"{who}: from the file to the denoised picture", "s", found.waited),
            Row(f"{who}: told that the queue was full", "", [found.refused]),
            Row(f"{who}, a strength every 2 s each", "s", found.moves or [np.nan]),
            Row(f"{who}: CPU of a move", "ms", [1000 * found.cpu / max(1, len(found.moves))]),
            Row(f"{who}: connections lost", "", [found.lost]),
            Row(f"{who}: pictures that gave way, and it was said", "", [found.gave_way]),
            Row(f"{who}: pictures gone without a sentence", "", [found.gone], Budget(1)),
            Row(f"{who}: highest memory of the server", "MB", [peak], Budget(450)),
        ]
    return rows


@dataclass
class OwnPictures:
    """What visitors with pictures of their own met; seconds, and how many of them."""

    waited: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    gave_way: int = 0
    gone: int = 0
    cpu: float = 0.0


async def _own_pictures(server: AppServer, count: int, megapixels: float) -> OwnPictures:
    found = OwnPictures()
    visitors = [Visitor(server.url, "photo") for _ in range(count)]
    await asyncio.gather(*(each.open() for each in visitors))
    pictures = [_own_picture(number, megapixels) for number in range(count)]

    async def bring(visitor: Visitor, number: int) -> None:
        await visitor.tell("photo_bring", word=f"the tab of visitor {number}")
        began = time.monotonic()
        await visitor.upload("photo_files", f"{number}.jpg", pictures[number])
        await _denoised(visitor, found)
        found.waited.append(time.monotonic() - began)

    async def move(visitor: Visitor, number: int) -> None:
        ways, due = values(visitor, "photo_brightness"), time.monotonic() + EVERY * number / count
        end = time.monotonic() + OPEN_SECONDS
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await visitor.move("photo_brightness", next(ways))
            await _denoised(visitor, found)
            found.moves.append(time.monotonic() - due)
            # Whoever waits for an answer moves nothing in the meantime.
            due = max(due + EVERY, time.monotonic())

    async def leave(visitor: Visitor) -> None:
        visitor.texts.clear()
        await visitor.rerun()
        await _denoised(visitor, found)
        if not _has(visitor, "photo-download-denoised"):
            said = any(GAVE_WAY in text for text in visitor.texts)
            found.gave_way, found.gone = found.gave_way + said, found.gone + (not said)
        await visitor.close()

    here = visitors
    for act in (bring, move):
        cpu = cpu_seconds(server)
        came = await asyncio.gather(*map(act, here, range(count)), return_exceptions=True)
        for problem in came:  # Without a picture there is no slider.
            if isinstance(problem, Exception) and not isinstance(problem, (*LOST, LookupError)):
                raise problem
        here = [each for each, problem in zip(here, came, strict=True)
                if not isinstance(problem, LOST)]  # fmt: skip
        found.cpu = cpu_seconds(server) - cpu
    left = await asyncio.gather(*map(leave, here), return_exceptions=True)
    found.lost = count - sum(problem is None for problem in left)
    return found


def _own_picture(seed: int, megapixels: float) -> bytes:
    """A noisy photo that nobody else has, as JPEG."""
    side = round(1000 * megapixels**0.5)
    photo = Image.fromarray(PHOTO_SAMPLES["coffee"].load()).resize((side, side))
    noise = np.random.default_rng(seed).normal(0, SIGMA, (side, side, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(photo + noise, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()


async def _denoised(visitor: Visitor, found: OwnPictures) -> None:
    """Look at the progress as the browser does; where the queue is full, ask again in a while."""
    while True:
        if _has(visitor, "photo_job-cancel"):
            await asyncio.sleep(0.5)
            await visitor.refresh("photo_job-cancel")
        elif _has(visitor, "photo_job-again"):
            found.refused += 1
            await asyncio.sleep(5)
            await visitor.press("photo_job-again")
        else:
            return


def _has(visitor: Visitor, key: str) -> bool:
    return any(name.endswith(key) for name in visitor.controls)


def beside_long_work(count: int = 10, seconds: int = 30) -> list[Row]:
    """Moves on Draw while somebody has a photo of 12 megapixels denoised and a network is trained.

    Without ``DENOISE_DATA_DIR`` nothing is trained.
    """
    training = bool(os.environ.get("DENOISE_DATA_DIR"))
    with TemporaryDirectory() as folder, serving(DENOISE_RUNS_DIR=folder) as server:
        server.wait_until_healthy()
        photo = noisy_photo(Path(folder) / "large.jpg").read_bytes()
        found = asyncio.run(
            _beside_long_work(server, Path(folder), photo, training, count, seconds)
        )
    beside = "a photo of 12 megapixels" + (" and a training" if training else "")
    who = f"Draw, {count} visitors, beside {beside}"
    return [
        Row(f"{who}, a move every 2 s each", "s", found.moves, Budget(p95=1.5)),
        Row(f"{who}: connections lost", "", [found.lost]),
        Row(f"{who}: memory of the server", "MB", [found.megabytes]),
    ]


async def _beside_long_work(
    server: AppServer, runs: Path, photo: bytes, training: bool, count: int, seconds: int
) -> Load:
    await asyncio.gather(load(server, "", "draw_strength", 1, closed, 5))  # Models are loaded.
    trainer = Visitor(server.url, "train")
    await trainer.open()
    if training:
        await trainer.tell("visitor", token="a visitor of the benchmark")
        await trainer.move("Epochs", [100.0])
        await trainer.press("Train")
        deadline = time.monotonic() + 120
        while not _trains(runs):
            if time.monotonic() > deadline:
                raise RuntimeError("no training began")
            await asyncio.sleep(0.2)
    photographer = Visitor(server.url, "photo")
    await photographer.open()
    working = asyncio.create_task(_denoise_again_and_again(photographer, photo))
    await asyncio.sleep(2)
    found = await load(server, "", "draw_strength", count, opened, seconds)
    if working.done():
        working.result()
        raise RuntimeError("the photo was no longer worked on")
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    if training:
        if not _trains(runs):
            raise RuntimeError("the training had ended before the moves had")
        await trainer.rerun()
        await trainer.press("Stop and keep")
    for each in (trainer, photographer):
        await each.close()
    return found


def _trains(runs: Path) -> bool:
    states = [run_status.status(Run(path.parent)) for path in runs.glob("*/owner.json")]
    if failed := [each.detail for each in states if each.state == run_status.FAILED]:
        raise RuntimeError(failed[0])
    return any(each.state == run_status.TRAINING for each in states)


async def _denoise_again_and_again(visitor: Visitor, photo: bytes) -> None:
    """Have the photo denoised, and then, as long as nobody cancels this, with another level."""
    await visitor.upload("photo_files", "large.jpg", photo)
    await visitor.move("photo_own_level", True)
    for level in cycle((20.0, 30.0)):
        await visitor.move("photo_level", [level])
        while "photo_job-cancel" in " ".join(visitor.controls):
            await asyncio.sleep(0.5)
            await visitor.refresh("photo_job-cancel")
