"""The live preview: how smoothly the pictures follow the slider, measured at the canvas."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from tests.benchmarks.measure import denoised, serving, strength
from tests.benchmarks.report import Budget, Row
from tests.chromium import wait_until_idle

SECONDS = 3
MOVES = 20

# When a preview was painted, and how long after the pointer event that asked for it.  Painting is
# complete with the frame: a message posted within the frame is read right behind it.
WATCH = """
() => {
    window.frames_painted = [];
    window.delays = [];
    if (window.is_watched) return;
    window.is_watched = true;
    let moved = null;
    addEventListener('pointermove', (event) => { moved ??= event.timeStamp; }, {capture: true});
    const paint = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        paint.apply(this, given);
        if (this.canvas.dataset.title !== 'Denoised' || moved === null) return;
        const from = moved;
        moved = null;
        const {port1, port2} = new MessageChannel();
        port1.onmessage = () => {
            window.frames_painted.push(performance.now());
            window.delays.push(performance.now() - from);
        };
        port2.postMessage(null);
    };
}
"""


def live_preview(browser: Browser) -> list[Row]:
    """A drag of the strength slider on the Draw page with the U-Net, and what a move costs."""
    rows = []
    with serving() as server:
        server.wait_until_healthy()
        for slower, frame, delay in ((1, 1000 / 55, 16.7), (4, 1000 / 30, 50)):
            page = browser.new_page()
            page.goto(server.url)
            page.locator(".viewer[data-live=ready]").wait_for()
            wait_until_idle(page)
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
            times, delays = _drag(page)
            between = [after - before for before, after in itertools.pairwise(times)]
            speed = "" if slower == 1 else f", processor slowed {slower} times"
            rows.append(
                Row(f"slider dragged, from frame to frame{speed}", "ms", between, Budget(frame))
            )
            rows.append(
                Row(f"slider dragged, pointer to pixels{speed}", "ms", delays, Budget(delay))
            )
            page.close()
        with counted(server.url) as (url, received):
            page = browser.new_page()
            page.goto(url)
            denoised(page).wait_for()
            wait_until_idle(page)
            rows.append(_bytes_of_moves(page, received))
            page.close()
    return rows


@contextmanager
def counted(url: str) -> Iterator[tuple[str, list[int]]]:
    """Stand between a server and its browser; yield another address, and what passes to it."""
    host, _, port = url.removeprefix("http://").partition(":")
    received: list[int] = []

    def pass_on(source: socket.socket, target: socket.socket, count: bool) -> None:
        try:
            while data := source.recv(65536):
                if count:
                    received.append(len(data))
                target.sendall(data)
        except OSError:
            pass  # One side has gone.
        target.close()

    def serve() -> None:
        while True:
            try:
                browser, _ = listener.accept()
            except OSError:
                return  # Closed below.
            server = socket.create_connection((host, int(port)))
            for pair in ((browser, server, False), (server, browser, True)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received


def _drag(page: Page) -> tuple[list[float], list[float]]:
    """Drag the slider to and fro; return when it was painted, and after what delay, in ms."""
    slider = strength(page)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    track = page.locator(".st-key-draw_strength [data-testid=stSlider]").bounding_box()
    y, left, width = box["y"] + box["height"] / 2, track["x"] + 10, track["width"] - 20
    page.mouse.move(box["x"], y)
    page.mouse.down()
    page.evaluate(WATCH)
    began, step = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step += 7  # CSS pixels, more than a step of the slider.
        back = step // width % 2
        along = step % width
        page.mouse.move(left + (width - along if back else along), y)
    times, delays = page.evaluate("[window.frames_painted, window.delays]")
    page.mouse.up()
    wait_until_idle(page)
    return times, delays


def _bytes_of_moves(page: Page, received: list[int]) -> Row:
    """What goes over the wire for a move of the slider, the gallery of all methods in sight."""
    page.locator(".st-key-settled_methods").scroll_into_view_if_needed()
    wait_until_idle(page)
    kilobytes = []
    for _ in range(MOVES):
        received.clear()
        strength(page).press("ArrowRight")
        wait_until_idle(page, quiet=0.5)
        kilobytes.append(sum(received) / 1000)
    return Row("sent for a slider move, Draw page", "kB", kilobytes, Budget(20))
