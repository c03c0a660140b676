"""What is sent to a browser: all of it, and by name only what the browser still has."""

import asyncio
import time
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager, MediaFileMetadata
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from pages.components.sending import made_files, unsent
from pages.components.sending.known import Sent
from pages.components.sending.pictures import send_pictures_as_they_are
from pages.components.sending.uploads import keep_uploads_in_memory
from pages.components.viewer import to_bytes
from tests.app_server import ROOT

BOX, FOOTER = [0, 0], [0, 1]


@pytest.fixture
def mended(monkeypatch):
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)  # Put back afterwards.
    unsent.keep_what_is_unsent()


@pytest.fixture
def unmended(monkeypatch):
    monkeypatch.setattr(ForwardMsgQueue, "clear", unsent._clear)


def test_a_fragment_that_runs_again_drops_nothing(mended):
    queue = drawn_page()
    before = texts(queue)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["body"])
    assert texts(queue) == before


def test_what_it_draws_now_comes_after_what_is_unsent(mended):
    queue = drawn_page()
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["body"])
    queue.enqueue(delta(BOX, "the box again", "body"))
    assert texts(queue) == ["the box", "inside it", "the footer", "the box again"]


def test_a_page_that_runs_again_draws_everything_anew(mended):
    queue = drawn_page()
    queue.clear(retain_lifecycle_msgs=True)
    assert texts(queue) == []


def test_what_was_sent_is_not_sent_again(mended):
    queue = drawn_page()
    assert len(queue.flush()) == 3
    assert queue.flush() == []


def test_streamlit_still_needs_it(unmended):
    """Once this fails, ``keep_what_is_unsent`` can go."""
    queue = drawn_page()
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["body"])
    assert texts(queue) == ["inside it", "the footer"]  # Without the box that it is inside.


def drawn_page() -> ForwardMsgQueue:
    queue = ForwardMsgQueue()
    queue.enqueue(delta(BOX, "the box", "body"))
    queue.enqueue(delta([*BOX, 0], "inside it", "a fragment in it"))
    queue.enqueue(delta(FOOTER, "the footer", ""))
    return queue


def delta(place: list[int], text: str, fragment: str) -> ForwardMsg:
    message = ForwardMsg()
    message.metadata.delta_path.extend(place)
    message.delta.new_element.markdown.body = text
    message.delta.fragment_id = fragment
    return message


def texts(queue: ForwardMsgQueue) -> list[str]:
    return [message.delta.new_element.markdown.body for message in queue._queue]


def test_by_name_goes_what_was_sent_in_the_last_two_runs():
    sent = Sent()
    sent.note([new_run(), large("one"), named("zero")])
    assert sent.still_there(["zero", "one", "two"]) == {"zero", "one"}
    sent.note([new_run(), large("two")])
    assert sent.still_there(["zero", "one", "two"]) == {"zero", "one", "two"}
    sent.note([new_run(), named("one")])
    assert sent.still_there(["zero", "one", "two"]) == {"one", "two"}


def test_what_the_browser_does_not_list_is_sent():
    sent = Sent()
    sent.note([new_run(), large("one")])
    assert sent.still_there([]) == frozenset()


def test_what_is_too_small_to_be_kept_is_not_counted():
    sent = Sent()
    small = large("one")
    small.metadata.cacheable = False
    sent.note([new_run(), small])
    assert sent.still_there(["one"]) == frozenset()


def test_browsers_are_told_to_keep_what_may_be_named_and_a_run_longer():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["global"]["maxCachedMessageAge"] == 3


def new_run() -> ForwardMsg:
    message = ForwardMsg()
    message.new_session.SetInParent()
    return message


def large(name: str) -> ForwardMsg:
    message = delta(BOX, name, "")
    message.hash, message.metadata.cacheable = name, True
    return message


def named(name: str) -> ForwardMsg:
    message = ForwardMsg()
    message.ref_hash = name
    return message


# Pictures


@pytest.mark.parametrize(("side", "packed"), [(100, True), (600, False)])
def test_pictures_are_sent_as_they_are_and_all_else_is_compressed(side, packed, monkeypatch):
    monkeypatch.setattr(PerMessageDeflate, "encode", PerMessageDeflate.encode)
    send_pictures_as_they_are()
    ours, browser = (PerMessageDeflate(False, False, 12, 12, {}) for _ in range(2))
    noisy = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    texts = [b"A page. " * 100_000, to_bytes({"Noisy": noisy}), b"Another page. " * 100]
    sent = [ours.encode(Frame(Opcode.BINARY, text)) for text in texts]
    assert [frame.rsv1 for frame in sent] == [True, packed, True]
    # What comes after a picture is understood as before.
    assert [bytes(browser.decode(frame).data) for frame in sent] == texts


# What comes in


def test_the_largest_file_that_may_be_sent_is_never_written_to_a_disk(monkeypatch):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    keep_uploads_in_memory()
    assert not reaches_a_disk(20 * 2**20)


# Streamlit's own, before any page has changed them.
MARK, IS_MARKED = MediaFileMetadata.mark_for_delete, MediaFileMetadata.is_marked_for_delete


@pytest.fixture
def made_file(monkeypatch) -> tuple[MediaFileManager, str]:
    """Streamlit's files, as it treats them itself, and the name of one made for a click."""
    monkeypatch.setattr(MediaFileMetadata, "mark_for_delete", MARK)
    monkeypatch.setattr(MediaFileMetadata, "is_marked_for_delete", IS_MARKED)
    files = MediaFileManager(MemoryMediaFileStorage("/media"))
    asked = files.add_deferred(lambda: b"a network", "application/octet-stream", "1.2")
    return files, files.execute_deferred(asked).removeprefix("/media/").partition(".")[0]


def test_a_file_that_was_made_for_a_click_outlives_what_others_do(made_file, monkeypatch):
    made_files.keep_made_files()
    files, name = made_file
    for _ in range(50):
        files.remove_orphaned_files()
    assert files.read_file(name).content == b"a network"
    later = time.monotonic() + made_files.KEPT + 1
    monkeypatch.setattr(made_files, "time", SimpleNamespace(monotonic=lambda: later))
    files.remove_orphaned_files()
    assert files.read_file(name) is None


def test_streamlit_still_deletes_it_when_two_others_have_moved_something(made_file):
    """Once this fails, ``keep_made_files`` can go."""
    files, name = made_file
    for _ in range(2):
        files.remove_orphaned_files()
    assert files.read_file(name) is None


def test_starlette_still_writes_a_photo_of_two_megabytes_to_a_disk(monkeypatch):
    """Once this fails, ``keep_uploads_in_memory`` can go."""
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)
    assert reaches_a_disk(2_000_000)


def reaches_a_disk(size: int) -> bool:
    """Whether a file of so many bytes is one of the system's once it has been sent."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    pieces = [
        head,
        *(bytes(2**20) for _ in range(size // 2**20)),
        bytes(size % 2**20),
        b"\r\n--x--",
    ]

    async def receive() -> dict:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def taken() -> bool:
        headers = [(b"content-type", b"multipart/form-data; boundary=x")]
        async with Request({"type": "http", "headers": headers}, receive).form() as form:
            file = form["file"].file
            assert len(file.read()) == size
            return file._rolled

    return asyncio.run(taken())
