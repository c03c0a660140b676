"""A stranger tries to reach what is another visitor's: runs, pictures, networks, downloads.

Owner and stranger come by websocket to one server, the stranger with whatever a browser could be
made to send.
"""

import asyncio
import hashlib
import http.client
import io
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import websockets
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest as BackOperation
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import InvalidStatus

from models.catalogue import PRETRAINED
from tests.app_server import ROOT, AppServer
from tests.benchmarks.measure import resident_megabytes
from tests.visitor import Control, Visitor
from train import owners
from train.run_folder import Run

TOKEN, ANOTHER = "the owner's token", "the stranger's token"
RUN_ID = "20260101-000000-0a1b2c"
SECOND = RUN_ID[:-1] + ("b" if RUN_ID[-1] == "a" else "a")  # Another one of the same owner.
SECRET = b"a line that stands in no other file"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder with one run, stopped and whole, of pictures that were uploaded; one file beside."""
    folder = tmp_path_factory.mktemp("strangers") / "runs"
    shutil.copytree(next((ROOT / "tests/faults/last_release").iterdir()), folder / RUN_ID)
    run = Run(folder / RUN_ID)
    owners.write_owner(
        run, {"token": owners.hashed(TOKEN), "name": "the owner's run", "made": time.time()}
    )
    run.model.write_bytes(SECRET)
    run.own.write_bytes(SECRET)
    shutil.copytree(run.folder, folder / SECOND)
    outside = shutil.copytree(run.folder, folder.parent / "outside")
    assert (outside / "owner.json").exists()
    return folder


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[AppServer]:
    """A server that nobody else visits; at the end no code of ours may have stumbled."""
    server = AppServer(
        ROOT / "app.py",
        runs.parent / "server.log",
        DENOISE_RUNS_DIR=str(runs),
        TMPDIR=str(runs.parent),
    )
    server.wait_until_healthy()
    yield server
    said = server.tail(10_000)
    server.stop()
    stumbled = [line for line in said.splitlines() if f'File "{ROOT}/' in line]
    assert all("/.venv/" in line for line in stumbled), said


_here: list[Visitor] = []


def play(act: Callable[[], Awaitable[None]]) -> None:
    """Let visitors act, and send them all away, whatever came of it."""

    async def playing() -> None:
        try:
            await act()
        finally:
            while _here:
                await _here.pop().close()

    asyncio.run(playing())


async def arrive(server: AppServer, page: str, query: str = "", token: str = "") -> Visitor:
    visitor = Visitor(server.url, page, query, received=bytearray())
    _here.append(visitor)
    assert (await visitor.open()).errors == ()
    if token:
        assert (await visitor.tell("visitor", token=token)).errors == ()
    return visitor


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def deferred(visitor: Visitor) -> list[str]:
    """The words by which downloads of this page are asked for."""
    return [
        each.message.deferred_file_id
        for each in visitor.controls.values()
        if each.kind == "download_button" and each.message.deferred_file_id
    ]


def raw(server: AppServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask for exactly this path, with nothing made tidy on the way."""
    where = urlsplit(server.url)
    with closing(http.client.HTTPConnection(where.hostname, where.port, timeout=60)) as connection:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


def nonsense_for(control: Control) -> list[WidgetState]:
    """All that might move a control: a press, a text, a truth, the choice of it."""
    return [
        WidgetState(id=control.id, trigger_value=True),
        WidgetState(id=control.id, string_value="taken"),
        WidgetState(id=control.id, bool_value=True),
    ]


# Runs


def test_a_stranger_sees_a_run_by_its_link_and_gets_no_button_and_no_download(server, runs):
    async def act() -> None:
        owner = await arrive(server, "train", f"run={RUN_ID}", TOKEN)
        assert owner.control("Reset")
        assert owner.control(f"delete-{RUN_ID}")
        assert deferred(owner)
        stranger = await arrive(server, "train", f"run={RUN_ID}", ANOTHER)
        assert any("someone else's run" in each for each in stranger.texts)
        steering = ("Continue", "Reset", "Delete", "Pause", "Stop and keep", f"delete-{RUN_ID}")
        for label in (*steering, f"name-{RUN_ID}", f"pin-{RUN_ID}"):
            with pytest.raises(LookupError):
                stranger.control(label)
        assert not set(deferred(owner)) & set(deferred(stranger))

    play(act)


def test_what_the_owner_could_press_does_nothing_in_a_strangers_hands(server, runs):
    before = content_of(runs / RUN_ID)

    async def act() -> None:
        owner = await arrive(server, "train", f"run={RUN_ID}", TOKEN)
        stranger = await arrive(server, "train", f"run={RUN_ID}", ANOTHER)
        theirs = [each for name, each in owner.controls.items() if name not in stranger.controls]
        assert len(theirs) > 5
        for control in theirs:
            for state in nonsense_for(control):
                assert (await stranger.pretend(state)).errors == ()

    play(act)
    assert content_of(runs / RUN_ID) == before


@pytest.mark.parametrize(
    "word",
    [
        owners.hashed(TOKEN),
        "",
        " ",
        TOKEN.upper(),
        TOKEN[:-1],
        5,
        True,
        None,
        [TOKEN],
        {"token": TOKEN},
        "\x00",
        "\udc80",
        "a" * 100_000,
    ],
    ids=lambda word: ascii(word)[:20],
)
def test_no_word_but_the_owners_opens_a_run(server, runs, word):
    before = content_of(runs / RUN_ID)

    async def act() -> None:
        stranger = await arrive(server, "train", f"run={RUN_ID}")
        assert (await stranger.tell("visitor", token=word)).errors == ()
        with pytest.raises(LookupError):
            stranger.control("Reset")

    play(act)
    assert content_of(runs / RUN_ID) == before


@pytest.mark.parametrize(("name", "before"), [("run", ""), ("compare", f"{RUN_ID}x,")])
def test_a_link_to_a_run_leads_to_no_other_folder(server, runs, name, before):
    tries = [
        "../outside",
        f"../{runs.name}/{RUN_ID}",
        str(runs.parent / "outside"),
        f"./{RUN_ID}",
        f"{RUN_ID}/",
        f"{RUN_ID}/probes",
        f"..%2Foutside,{RUN_ID}x",
        f"{RUN_ID}%00",
        "*",
        f"{RUN_ID[:-1]}?",
        ".",
        "..",
    ]

    async def act() -> None:
        seen = await arrive(server, "train", f"{name}={before}{SECOND}", ANOTHER)
        assert any("the owner" in text for text in seen.texts)
        for each in tries:
            stranger = await arrive(server, "train", f"{name}={before}{each}", ANOTHER)
            assert not any("the owner" in text for text in stranger.texts), each

    play(act)


def test_a_strangers_link_does_not_choose_the_network_of_a_run(server):
    async def act() -> None:
        for name in (RUN_ID, f"../runs/{RUN_ID}", "../../outside"):
            stranger = await arrive(server, "", f"model={name}")
            assert any("does not exist" in each for each in stranger.texts)
            answer = await stranger.move("draw_model", name)
            assert answer.errors == ()
            assert not any("an old one" in each for each in stranger.texts)

    play(act)


# Pictures and networks


def secret_picture() -> tuple[bytes, bytes]:
    """A picture that nobody else has: its file, and a row of its pixels."""
    pixels = np.random.default_rng(secrets.randbits(32)).integers(0, 256, (60, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue(), pixels[30].tobytes()


def test_a_picture_is_shown_to_nobody_else(server):
    content, row = secret_picture()
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()

    async def act() -> None:
        owner = await arrive(server, "photo")
        assert (await owner.tell("photo_bring", word="the word of the owner's tab")).errors == ()
        assert (await owner.upload("photo_files", "mine.png", content)).errors == ()
        deadline = time.monotonic() + 60
        while "photo_job-cancel" in " ".join(owner.controls):  # It is still being denoised.
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
            await owner.refresh("photo_job-cancel")
        assert row in owner.received
        assert owner.control("photo_shown")
        ids = deferred(owner)
        assert await owner.download(ids[0])

        stranger = await arrive(server, "photo", f"photo_source=upload&photo_shown={digest}")
        for word in (digest, owner.session, "", "0", "the word of the owner's tab "):
            assert (await stranger.tell("photo_bring", word=word)).errors == ()
        await stranger.rerun()
        with pytest.raises(LookupError):
            stranger.control("photo_shown")
        # The uploader is told that it has the owner's file: by its own word for it, or any.
        (uploaded,) = owner._states[
            owner.control("photo_files").id
        ].file_uploader_state_value.uploaded_file_info
        state = WidgetState(id=stranger.control("photo_files").id)
        state.file_uploader_state_value.uploaded_file_info.append(uploaded)
        assert (await stranger.pretend(state)).errors == ()
        with pytest.raises(LookupError):
            stranger.control("photo_shown")
        # Downloads, by words like those of the owner's.
        for word in ("", "0" * 32, digest, ids[0][:-1], ids[0].upper(), secrets.token_hex(16)):
            assert await stranger.download(word) == ""
            assert await stranger.download(ids[0], session=owner.session) == ""
        assert row not in stranger.received

        # The addresses under which Streamlit keeps files.
        upload = urlsplit(uploaded.file_urls.upload_url).path
        names = (digest, uploaded.file_id, hashlib.sha256(content).hexdigest(), ids[0])
        paths = [upload, *(f"/media/{name}{end}" for name in names for end in ("", ".png"))]
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                status, said = await asyncio.to_thread(raw, server, path, method)
                assert row not in said, path
                assert content[20:200] not in said, path
                assert status >= 400 or said == b"" or b"<html" in said
        # Nobody's session but one's own can be deleted from without its word.
        status, _ = await asyncio.to_thread(raw, server, upload, "DELETE")
        assert status == 403

        # And it is still there for its owner, whatever the stranger asks the server to forget.
        await stranger.clear_cache()
        await stranger.rerun()
        await owner.rerun()
        assert owner.control("photo_shown")
        again = await arrive(server, "photo", "photo_source=upload")
        assert (await again.tell("photo_bring", word="the word of the owner's tab")).errors == ()
        assert again.control("photo_shown")

    play(act)


def test_a_network_that_was_brought_is_nobody_elses(server, runs):
    content = (PRETRAINED / "dense" / "model.onnx").read_bytes()

    async def act() -> None:
        owner = await arrive(server, "")
        await owner.upload("own_file_0", "mine.onnx", content)
        assert "mine" in owner.control("draw_model").message.options
        (folder,) = runs.parent.glob("own-*")
        name = f"model={folder.name}"

        for page in ("", "inside", "compare"):
            stranger = await arrive(server, page, f"{name}&inside_{name}")
            assert not any("mine" in str(each.message) for each in stranger.controls.values()
                           if each.kind == "selectbox")  # fmt: skip
        stranger = await arrive(server, "", name)
        assert any("does not exist" in each for each in stranger.texts)
        await stranger.move("draw_model", name.removeprefix("model="))
        await stranger.move("draw_model", "mine")
        assert "mine" not in stranger.control("draw_model").message.options
        await stranger.clear_cache()
        await stranger.rerun()
        await owner.rerun()
        assert "mine" in owner.control("draw_model").message.options

    play(act)


# Files of the server


def tricks(target: str) -> Iterator[str]:
    """Ways to say ``target``, a path from the project's root, to a server of static files."""
    ups = ("..", "%2e%2e", ".%2e", "%252e%252e", "....", "..;", "..%00", "%c0%ae%c0%ae")
    slashes = ("/", "%2f", "%5c", "\\", "%252f", "//")
    whole = str(ROOT / target)
    prefixes = ("/app/static", "/static", "/_stcore/bidi-components/denoise_lab_browser")
    for prefix in prefixes:
        yield f"{prefix}/{target}"
        yield f"{prefix}/{whole}"
        yield f"{prefix}/{whole}".replace("/", "%2f")
        for up in ups:
            for slash in slashes:
                yield f"{prefix}/{up}{slash}{target.replace('/', slash)}"
                yield f"{prefix}/{f'{up}{slash}' * 12}{whole[1:].replace('/', slash)}"


def test_static_files_lead_to_no_other_file_of_the_server(server, runs):
    marks = {
        "app.py": b"st.navigation(",
        ".streamlit/config.toml": b"enableStaticServing",
        f"{runs}/{RUN_ID}/own.npz": SECRET,
        "train/owners.py": b"owner.json",
        "../../etc/passwd": b"root:x:",
        "/proc/self/environ": b"DENOISE_RUNS_DIR",
    }
    assert raw(server, "/app/static/icon.png")[0] == 200
    tried = 0
    for target, mark in marks.items():
        for path in tricks(target):
            # Of names that are too long Streamlit says 500; that is no harm.
            assert mark not in raw(server, path)[1], path
            tried += 1
    assert tried == 6 * 3 * (3 + 8 * 6 * 2)
    assert raw(server, "/app/static/icon.png")[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"]
)
def test_a_page_of_another_site_is_refused_at_once_and_nobody_is_asked(server, origin):
    async def act() -> None:
        await arrive(server, "")
        address = f"{server.url.replace('http', 'ws', 1)}/_stcore/stream"
        began = time.monotonic()
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address, subprotocols=["streamlit"], origin=origin)
        assert refused.value.response.status_code == 403
        assert time.monotonic() - began < 4  # To ask anybody takes five seconds.
        own = await websockets.connect(address, subprotocols=["streamlit"], origin=server.url)
        assert own.subprotocol == "streamlit"
        await own.close()

    play(act)
    assert "external IP" not in server.tail(10_000)


def test_a_message_that_unpacks_to_far_more_than_any_of_ours_is_refused_before_it_is_there(server):
    async def act() -> None:
        await arrive(server, "")
        before = resident_megabytes(server.pid, "VmHWM")
        address = f"{server.url.replace('http', 'ws', 1)}/_stcore/stream"
        async with websockets.connect(address, subprotocols=["streamlit"]) as stranger:
            await asyncio.wait_for(stranger.send(bytes(150_000_000)), 30)
            await asyncio.wait_for(stranger.wait_closed(), 30)
            assert stranger.close_code == 1009  # Too big.
        assert resident_megabytes(server.pid, "VmHWM") < before + 30

    play(act)


def test_a_stranger_installs_nothing_and_drives_nothing(server):
    async def act() -> None:
        stranger = await arrive(server, "train")
        asked = BackOperation(session_id=stranger.session)
        asked.install_skills.SetInParent()
        said = await stranger.operate(asked)
        assert said.error_reason.startswith("refused")

    play(act)
    status, said = raw(server, "/_stcore/agent/interact", "POST")
    assert status >= 400
    assert b"does not serve" in said
