"""What docs/Caddyfile tells browsers to refuse, tried on every page."""

import asyncio
import contextlib
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path

import pytest
import streamlit
from playwright.sync_api import Page, expect

from tests.chromium import wait_until_idle

CADDYFILE = Path(__file__).parents[2] / "docs" / "Caddyfile"
POLICY = re.search(r'Content-Security-Policy "(.*)"', CADDYFILE.read_text())[1]
DEVICES = re.search(r'Permissions-Policy "(.*)"', CADDYFILE.read_text())[1]
# What each page shows once it works.
PAGES = {
    "": "canvas[data-title=Denoised][data-version]",
    "photo": "canvas[data-title=Denoised][data-version]",
    "train": "button:has-text('Train')",
    "inside": ".st-key-feature-maps img",
    "inside?inside=code": ".stVegaLiteChart canvas",
    "compare": ".stVegaLiteChart canvas, .stDataFrame canvas",
}


@pytest.fixture(scope="module")
def flags() -> tuple[str, ...]:
    """A camera and a microphone that everybody may use."""
    return "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, header: bytes) -> None:
    """Pass everything on; where ``header`` is not empty, add it to what is sent as HTML."""
    html = b"content-type: text/html"
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data.replace(html, header + html) if header else data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def proxied(app_url: str) -> Iterator[str]:
    """The app behind a proxy that adds both policies, as Caddy does."""
    host, port = app_url.removeprefix("http://").split(":")
    header = f"content-security-policy: {POLICY}\r\npermissions-policy: {DEVICES}\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        writers.update((writer, server_writer))
        await asyncio.gather(
            relay(reader, server_writer, b""), relay(server_reader, writer, header)
        )

    port_of_proxy, done, writers = Future(), threading.Event(), set()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port_of_proxy.set_result(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(done.wait)
        server.close()
        for each in writers:
            each.transport.abort()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port_of_proxy.result(10)}"
    done.set()
    thread.join(10)


def breaches_of(page: Page) -> list[str]:
    """What the page will do against the policy, as it happens."""
    breaches: list[str] = []
    page.expose_function("tell", lambda breach: breaches.append(breach))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', it =>"
        " tell(`${it.violatedDirective} ${it.blockedURI} in ${it.sourceFile}`))"
    )
    return breaches


def test_the_hash_in_the_policy_is_that_of_the_only_script_in_streamlits_first_page():
    first = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", first, re.DOTALL)
    hashes = [f"sha256-{b64encode(sha256(each.encode()).digest()).decode()}" for each in scripts]
    assert hashes == re.findall(r"sha256-[^']+", POLICY)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_works_under_the_policy_and_breaches_nothing(proxied, open_page, address):
    page = open_page()
    breaches = breaches_of(page)
    answer = page.goto(f"{proxied}/{address}")
    assert answer.header_value("content-security-policy") == POLICY
    shown = page.locator(PAGES[address]).first
    expect(shown).to_be_attached(timeout=60_000)
    wait_until_idle(page)
    assert breaches == []


def test_a_picture_of_the_camera_is_denoised(proxied, open_page):
    page = open_page()
    breaches = breaches_of(page)
    page.goto(f"{proxied}/photo?photo_source=camera&photo_method=median")
    video = page.locator("video")
    while video.evaluate("it => it.readyState") < 3:  # The policy lets nobody wait for a function.
        page.wait_for_timeout(100)
    button = page.get_by_test_id("stCameraInputButton")
    for _ in range(60):
        # While Streamlit asks for the camera in another size, it takes no picture and says nothing.
        if button.inner_text() == "Take Photo":
            button.click(timeout=60_000)
            page.wait_for_timeout(500)
    expect(page.locator("canvas[data-title=Denoised][data-version]")).to_be_attached(timeout=60_000)
    assert breaches == []
    assert not page.evaluate("document.featurePolicy.allowsFeature('geolocation')")


def test_a_recording_is_made_and_can_be_heard(proxied, open_page):
    page = open_page()
    breaches = breaches_of(page)
    page.goto(f"{proxied}/tasks?task=denoise-speech&sound=record")
    button = page.get_by_test_id("stAudioInputActionButton")
    button.click(timeout=60_000)
    page.wait_for_timeout(1000)
    button.click()
    expect(page.get_by_test_id("stAudio").first).to_be_attached(timeout=60_000)
    wait_until_idle(page)
    assert breaches == []
