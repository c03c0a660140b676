"""Two servers that share one folder of runs, as in compose.yaml; the workers only pretend."""

import asyncio
import io
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus

from tests.app_server import ROOT, AppServer
from tests.faults import kills
from tests.train.worker_processes import pretending_path
from tests.visitor import Visitor
from train import jobs, owners, run_status
from train.run_folder import Run

TOKEN = "the visitor's token"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("two servers") / "runs"
    runs.mkdir()
    return runs


@pytest.fixture(scope="module")
def servers(runs: Path) -> Iterator[list[AppServer]]:
    path = pretending_path(runs.parent)
    servers = [
        AppServer(
            ROOT / "app.py",
            runs.parent / f"server-{number}.log",
            DENOISE_RUNS_DIR=str(runs),
            PYTHONPATH=path,
        )
        for number in (1, 2)
    ]
    try:
        for server in servers:
            server.wait_until_healthy()
        yield servers
    finally:
        for server in servers:
            server.stop()
        kills.kill_all(runs)
    for server in servers:
        assert "Traceback" not in server.tail(10_000)


async def arrive(server: AppServer, run: str = "") -> Visitor:
    """The same visitor at either server: the browser keeps the token."""
    visitor = Visitor(server.url, "train", f"run={run}" if run else "")
    await visitor.open()
    await visitor.tell("visitor", token=TOKEN)
    return visitor


async def until(run: Run, state: str) -> None:
    deadline = time.monotonic() + 30
    while run_status.status(run).state != state:
        assert time.monotonic() < deadline, f"still {run_status.status(run)}"
        await asyncio.sleep(0.05)


def starts(run: Run) -> int:
    """How many workers have begun to train."""
    return sum(event.get("status") == "training" for event in run.events())


def workers(runs: Path) -> int:
    return len([process for process in kills.processes_at(runs) if process != os.getpid()])


def test_a_run_started_on_one_server_is_listed_watched_and_stopped_on_the_other(servers, runs):
    async def act() -> None:
        one, other = [await arrive(server) for server in servers]
        await one.move("Epochs", [100.0])
        assert (await one.press("Train")).errors == ()
        (run,) = owners.runs_of(TOKEN, runs)
        await until(run, run_status.TRAINING)

        await other.rerun()
        assert (await other.press(f"open-{run.folder.name}")).errors == ()
        assert other.query == f"run={run.folder.name}"
        assert other.control("Stop and keep")
        before = len(list(run.events()))
        await asyncio.sleep(0.3)
        assert len(list(run.events())) > before

        await other.press("Stop and keep")
        await until(run, run_status.STOPPED)
        # The first server says so, and offers what comes next.
        await one.rerun()
        assert one.control("Continue")
        with pytest.raises(LookupError):
            one.control("Stop and keep")
        # Deleted on one, it is gone on the other.
        await other.rerun()
        await other.press(f"delete-{run.folder.name}")
        assert owners.runs_of(TOKEN, runs) == []
        await one.rerun()
        assert any("This run no longer exists" in text for text in one.texts)
        for visitor in (one, other):
            await visitor.close()

    asyncio.run(act())


def test_a_run_that_both_servers_start_at_once_is_started_once(servers, runs):
    with kills.pretending(runs.parent):
        run = jobs.start(replace(kills.CONFIG, epochs=100), TOKEN, "a run", runs=runs)
        jobs.pause(run)
        asyncio.run(until(run, run_status.PAUSED))
        kills.kill_all(runs)

    async def act() -> None:
        for _ in range(3):
            both = [await arrive(server, run.folder.name) for server in servers]
            before = starts(run)
            answers = await asyncio.gather(*(each.press("Continue") for each in both))
            assert [answer.errors for answer in answers] == [(), ()]
            await until(run, run_status.TRAINING)
            assert workers(runs) == 1
            jobs.pause(run)
            await until(run, run_status.PAUSED)
            deadline = time.monotonic() + 30
            while run_status.is_alive(run):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
            assert starts(run) == before + 1
            refused = [text for each in both for text in each.texts if "already" in text]
            assert len(refused) <= 1
            for each in both:
                await each.close()

    asyncio.run(act())


def test_a_run_that_waits_for_a_run_of_the_other_server_begins_when_it_ends(servers, runs):
    async def act() -> None:
        one, other = [await arrive(server) for server in servers]
        for visitor in (one, other):
            await visitor.move("Epochs", [100.0])
        known = {run.folder for run in owners.runs_of(TOKEN, runs)}
        await one.press("Train")
        (first,) = [run for run in owners.runs_of(TOKEN, runs) if run.folder not in known]
        await until(first, run_status.TRAINING)
        await other.press("Train")
        (second,) = [run for run in owners.runs_of(TOKEN, runs)
                     if run.folder not in {*known, first.folder}]  # fmt: skip
        assert run_status.status(second) == run_status.Status(run_status.WAITING, ahead=1)
        # Its owner stops what waits ahead, on the server that did not start it.
        jobs.stop(first)
        await until(second, run_status.TRAINING)
        jobs.stop(second)
        await until(second, run_status.STOPPED)
        for visitor in (one, other):
            await visitor.close()

    asyncio.run(act())


# Behind the proxy of compose.yaml


@pytest.fixture(scope="module")
def proxy(servers, tmp_path_factory) -> Iterator[str]:
    """The address of Caddy with docs/Caddyfile, in front of these two servers."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("needs caddy: apt install caddy")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = (ROOT / "docs" / "Caddyfile").read_text()
    for number, server in enumerate(servers, 1):
        text, count = re.subn(rf"lab-{number}:8501", urlsplit(server.url).netloc, text)
        assert count == 1
    # Caddy 2.6, as Debian has it, does not know this line.
    text = re.sub(r"\n\s*stream_close_delay .*", "", text)
    folder = tmp_path_factory.mktemp("caddy")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
    env = {**os.environ, "DOMAIN": f":{port}", "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [caddy, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"],
            env=env,
            stdout=log,
            stderr=log,
        )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 20
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield url
    finally:
        started.terminate()
        started.wait()


def first_page(proxy: str, cookie: str = "") -> tuple[str, dict[str, str]]:
    """What the proxy gives a browser to bring back, "" for nothing, and its headers."""
    request = urllib.request.Request(f"{proxy}/", headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        given = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie", [])))
        headers = {name.lower(): value for name, value in answer.headers.items()}
    word = given.get("lab_server")
    return "" if word is None else f"lab_server={word.value}", headers


def test_the_proxy_sends_visitors_to_both_servers_and_each_back_to_the_same(proxy):
    words = {first_page(proxy)[0] for _ in range(20)}
    assert len(words) == 2  # By chance one server for all: once in 500,000 times.
    assert "" not in words
    for word in words:
        assert {first_page(proxy, word)[0] for _ in range(5)} <= {"", word}
    assert "default-src 'self'" in first_page(proxy)[1]["content-security-policy"]


def test_behind_the_proxy_pages_uploads_and_the_queue_work_on_either_server(proxy, runs):
    file = io.BytesIO()
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(file, "PNG")
    words = {first_page(proxy)[0] for _ in range(20)}

    async def act() -> None:
        for word in words:
            visitor = Visitor(proxy, "photo", cookie=word)
            await visitor.open()
            # An upload is another request, and belongs to a session of one of the servers.
            answer = await visitor.upload("photo_files", "grey.png", file.getvalue())
            assert answer.errors == ()
            assert visitor.control("photo_shown")
            await visitor.close()
        one, other = [Visitor(proxy, "train", cookie=word) for word in words]
        for visitor in (one, other):
            await visitor.open()
            await visitor.tell("visitor", token=TOKEN)
        await one.move("Epochs", [100.0])
        known = {run.folder for run in owners.runs_of(TOKEN, runs)}
        await one.press("Train")
        (run,) = [run for run in owners.runs_of(TOKEN, runs) if run.folder not in known]
        await until(run, run_status.TRAINING)
        await other.rerun()
        await other.press(f"open-{run.folder.name}")
        await other.press("Stop and keep")
        await until(run, run_status.STOPPED)
        for visitor in (one, other):
            await visitor.close()

    asyncio.run(act())


def test_a_visitor_whose_server_has_ended_lands_on_the_other_one(proxy, servers):
    """The last test: it ends a server."""
    words = {first_page(proxy)[0] for _ in range(20)}
    servers[0].stop()

    async def act() -> None:
        for word in words:
            visitor = Visitor(proxy, "", "noise=salt-and-pepper", cookie=word)
            deadline = time.monotonic() + 30
            while True:
                try:
                    answer = await visitor.open()
                    break
                except (OSError, EOFError, InvalidStatus):  # The proxy has yet to notice.
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.2)
            assert answer.errors == ()
            assert "salt-and-pepper" in visitor.query
            await visitor.close()

    asyncio.run(act())
