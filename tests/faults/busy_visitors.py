"""Visitors of one server who upload, wait for what is made of it, and take it away, for ever.

Each goes on after its server was killed, with what a browser still knows: the word of the tab, how
many pictures it had, the token of its runs.
"""

import asyncio
import hashlib
import http.client
import io
import json
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import websockets
from PIL import Image

from models.catalogue import PRETRAINED
from pages.components.photo.source import RESTARTED
from tests.visitor import Visitor
from train import owners, run_status
from train.config import FEWEST_USER_PICTURES
from train.run_folder import Run

# What a visitor meets when the server is killed.
LOST = (websockets.WebSocketException, OSError, EOFError, TimeoutError, http.client.HTTPException)
TOKEN, TAB = "the token of a browser", "the word of a tab"
MOST_PICTURES, MOST_RUNS = 3, 2
RECIPE = "dense-tutorial"


@dataclass
class Errands:
    """What the visitors of one server do, over all its lives; ``wrong`` has a sentence for each.

    ``held`` is how many pictures the tab on Photo has, ``done`` counts what came to its end.
    """

    url: str
    runs: Path
    rng: np.random.Generator
    held: int = 0
    killed: bool = False
    wrong: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def until_killed(self) -> None:
        """Let everybody do what they came for, again and again, until the server is gone."""
        self.killed = False
        acts = (self.denoise_photos, self.segment_pictures, self.bring_networks, self.train)
        await asyncio.gather(*(self._until_killed(act) for act in acts))

    async def _until_killed(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except LOST as problem:
            if not self.killed:
                self.wrong.append(f"{act.__name__}: {problem!r}")
        except Exception as problem:  # Whatever it is, it is what a visitor would meet.
            self.wrong.append(f"{act.__name__}: {problem!r}")

    async def denoise_photos(self) -> None:
        """On Photo: add pictures, have them denoised, take one away and then all as one ZIP."""
        visitor = await _arrive(self.url, "photo")
        _require(await visitor.tell("photo_bring", word=TAB))
        if self.held:  # So the browser says, which has asked for the server's word.
            _require(await visitor.tell("photo_bring", word=TAB, gone=[self.held, True]))
            await visitor.move("photo_source", ["Upload"])
            begins = RESTARTED.partition("{")[0]
            if not any(text.startswith(begins) for text in visitor.texts):
                raise AssertionError("nobody said what became of the pictures")
            self.held = 0
        while True:
            for number in range(MOST_PICTURES):
                picture = _picture(self.rng, 1100 if number == 1 else 160)  # One has 3 MB.
                _require(await visitor.upload("photo_files", f"picture {number}.png", picture))
                self.held += 1
                await _wait_while(visitor, "photo_job-cancel")
                content = await _taken(visitor, "photo-download-denoised")
                Image.open(io.BytesIO(content)).load()
                self.done["photos denoised"] += 1
            _require(await visitor.move("photo_batch", True))
            await _wait_while(visitor, "photo_batch_job-cancel")
            (offered,) = [each for each in visitor.controls.values()
                          if getattr(each.message, "label", "").endswith("(ZIP)")]  # fmt: skip
            content = await asyncio.to_thread(_get, self.url + offered.message.url)
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) == MOST_PICTURES
            self.done["ZIPs of photos taken away"] += 1
            _require(await visitor.press("photo_remove_all"))
            self.held = 0

    async def segment_pictures(self) -> None:
        """On More jobs: add a picture, have it worked on, take the answer away."""
        visitor = await _arrive(self.url, "tasks", "job=segment-cells&source=upload")
        while True:
            _require(await visitor.upload("tasks_file", "cells.png", _picture(self.rng, 200)))
            await _wait_while(visitor, "tasks_job-cancel")
            content = await _taken(visitor, "tasks-download-mask.png")
            Image.open(io.BytesIO(content)).load()
            self.done["pictures of More jobs worked on"] += 1

    async def bring_networks(self) -> None:
        """On Draw: bring a network, which is opened in a process of its own and kept on disk."""
        visitor = await _arrive(self.url)
        content = (PRETRAINED / "dense" / "model.onnx").read_bytes()
        for number in range(1000):
            _require(await visitor.upload(f"own_file_{number}", f"net {number}.onnx", content))
            assert f"net {number}" in visitor.control("draw_model").message.options
            self.done["networks brought"] += 1

    async def train(self) -> None:
        """On Train: upload a ZIP, train on it, take the network away, delete older runs."""
        for run in owners.runs_of(TOKEN, self.runs):  # What a killed server or worker has left.
            await self._look_at(run)
        visitor = await _arrive(self.url, "train", f"recipe={RECIPE}")
        _require(await visitor.tell("visitor", token=TOKEN))
        _require(await visitor.move(f"{RECIPE}-epochs", [2.0]))
        _require(await visitor.move(f"{RECIPE}-data", "Your own pictures (ZIP)"))
        while True:
            _require(await visitor.upload("own-zip", "mine.zip", _pictures(self.rng)))
            known = {run.folder for run in owners.runs_of(TOKEN, self.runs)}
            _require(await visitor.press("Train"))
            (run,) = [run for run in owners.runs_of(TOKEN, self.runs) if run.folder not in known]
            await self._until_it_ended(run)
            await visitor.rerun()
            if run_status.status(run).state == run_status.FINISHED:  # Else its worker was killed.
                await self._take_network(visitor, run)
            for old in owners.runs_of(TOKEN, self.runs)[MOST_RUNS:]:
                await visitor.rerun()
                _require(await visitor.press(f"delete-{old.folder.name}"))

    async def _look_at(self, run: Run) -> None:
        """Open a run as its owner, and complete it if only that is left to do."""
        visitor = await _arrive(self.url, "train", f"run={run.folder.name}")
        _require(await visitor.tell("visitor", token=TOKEN))
        await self._until_it_ended(run)
        await visitor.rerun()
        visitor.control("Reset")
        state = run_status.status(run).state
        if state in run_status.CAN_GO_ON or _lacks_its_network(run):
            _require(await visitor.press("Continue"))
            await self._until_it_ended(run)
            if run_status.status(run).state == run_status.FINISHED:
                self.done["runs completed that were cut short"] += 1
        await visitor.close()

    async def _until_it_ended(self, run: Run) -> None:
        while run_status.is_alive(run) and not self.killed:
            await asyncio.sleep(0.2)

    async def _take_network(self, visitor: Visitor, run: Run) -> None:
        content = await _taken(visitor, "take-model.keras")
        assert content == run.model.read_bytes()
        if (run.folder / "card.json").exists():
            content = await _taken(visitor, "take-model.onnx")
            card = json.loads((run.folder / "card.json").read_text())
            assert hashlib.sha256(content).hexdigest() == card["sha256"]
        self.done["networks trained and taken away"] += 1


async def delete_all(url: str, runs: Path) -> None:
    """Delete all runs from the page, as their owner may."""
    visitor = await _arrive(url, "train")
    _require(await visitor.tell("visitor", token=TOKEN))
    for run in owners.runs_of(TOKEN, runs):
        _require(await visitor.press(f"delete-{run.folder.name}"))
    await visitor.close()


async def _arrive(url: str, page: str = "", query: str = "") -> Visitor:
    visitor = Visitor(url, page, query, patience=90)
    _require(await visitor.open())
    return visitor


def _require(answer) -> None:
    assert answer.errors == (), answer.errors


async def _wait_while(visitor: Visitor, key: str) -> None:
    """Look at the work in progress, as the browser does, until it is done."""
    while any(name.endswith(key) for name in visitor.controls):
        await asyncio.sleep(0.2)
        _require(await visitor.refresh(key))


async def _taken(visitor: Visitor, key: str) -> bytes:
    """What a button gives that makes its file when it is pressed."""
    address = await visitor.download(visitor.control(key).message.deferred_file_id)
    assert address, f"{key} was refused"
    return await asyncio.to_thread(_get, visitor.url + address)


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def _picture(rng: np.random.Generator, side: int) -> bytes:
    """A grey noisy picture as PNG: nothing of it can be packed."""
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


def _pictures(rng: np.random.Generator) -> bytes:
    """As many small pictures as are worth a training, as a ZIP."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(FEWEST_USER_PICTURES):
            archive.writestr(f"{number}.png", _picture(rng, 28))
    return file.getvalue()


def _lacks_its_network(run: Run) -> bool:
    backends = {event.get("backend") for event in run.events()}
    finished = run_status.status(run).state == run_status.FINISHED
    return finished and "tensorflow" in backends and not (run.folder / "card.json").exists()
