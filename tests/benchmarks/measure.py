"""The measurements themselves; each returns rows for the report."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import Browser, Locator, Page

from models.catalogue import load_catalogue
from models.predictor import load_predictor
from models.tasks.digits import DIGIT_SETS
from tests.app_server import ROOT, AppServer
from tests.benchmarks.report import Budget, Row
from tests.chromium import wait_until_idle

STARTS = 7
PRESSES = 60
VISITORS = 10
INTERACTIONS = 200
DIGITS = 300
SECTIONED = ("inside", "compare")  # Pages whose first choice is one of sections.

# From the key going down to the first frame after the pictures got other pixels.
WATCH = """
(root, attribute) => {
    window.delay = null;
    let pressed = null;
    const press = () => { pressed = performance.now(); };
    addEventListener('keydown', press, {capture: true, once: true});
    const watcher = new MutationObserver(() => {
        watcher.disconnect();
        requestAnimationFrame(() => setTimeout(() => {
            window.delay = performance.now() - pressed;
        }));
    });
    watcher.observe(root, {
        subtree: true, childList: true, attributes: true, attributeFilter: [attribute]});
}
"""


@contextmanager
def serving(**env: str) -> Iterator[AppServer]:
    """A server that runs the app, not yet healthy; ``env`` is added to its environment."""
    with TemporaryDirectory() as folder:
        server = AppServer(ROOT / "app.py", Path(folder) / "server.log", **env)
        try:
            yield server
        finally:
            server.stop()


def denoised(page: Page) -> Locator:
    """The canvas that shows the denoised picture, once it has been painted."""
    return page.locator('canvas[data-title="Denoised"][data-version]').first


def strength(page: Page) -> Locator:
    """The slider that sets how strong the noise is."""
    return page.get_by_role("slider", name=re.compile("strength", re.IGNORECASE)).first


def rewind(page: Page) -> None:
    """Send a strength slider that has reached its end back to its start, under new noise.

    New noise, so that no later answer comes from a cache.
    """
    slider = strength(page)
    if slider.evaluate("it => Number(it.value) >= Number(it.max)"):
        page.get_by_role("button", name=re.compile(r"\bNew\b")).click()
        wait_until_idle(page)
        slider.press("Home")
        wait_until_idle(page)


def start_up(browser: Browser) -> list[Row]:
    """Seconds from the command to a first page with its pictures, in a browser that is open."""
    seconds = []
    for _ in range(STARTS):
        page = browser.new_page()
        began = time.perf_counter()
        with serving() as server:
            server.wait_until_healthy()
            page.goto(server.url)
            denoised(page).wait_for()
            seconds.append(time.perf_counter() - began)
        page.close()
    return [Row("server start to first page usable", "s", seconds, Budget(median=3))]


def slider_to_pixels(browser: Browser) -> list[Row]:
    """Milliseconds from a key press on the strength slider to the pixels, of two pages."""
    with serving() as server:
        server.wait_until_healthy()
        page = browser.new_page()
        page.goto(server.url)
        denoised(page).wait_for()
        digit = slider_delays(page, denoised(page), "data-version")
        page.goto(f"{server.url}/inside")
        maps = page.locator(".st-key-feature-maps")
        maps.wait_for()
        inside = slider_delays(page, maps, "src")
        page.close()
    return [
        Row("slider key press to denoised pixels, digit", "ms", digit, Budget(100, p95=200)),
        Row("the same to feature maps, Inside page", "ms", inside, Budget(100)),
    ]


def slider_delays(page: Page, pictures: Locator, attribute: str) -> list[float]:
    """Milliseconds from key presses to the next frame after ``attribute`` of pictures changed."""
    delays = []
    wait_until_idle(page)
    strength(page).press("Home")
    wait_until_idle(page)
    for _ in range(PRESSES):
        rewind(page)
        pictures.evaluate(WATCH, attribute)
        strength(page).press("ArrowRight")
        page.wait_for_function("window.delay !== null", timeout=10_000)
        delays.append(page.evaluate("window.delay"))
        wait_until_idle(page)
    return delays


def resident_megabytes(pid: int, which: str = "VmRSS") -> float:
    """What a process keeps in memory, in units of 10^6 bytes.

    ``which`` is a name of the system's own: VmHWM for the peak, RssAnon without mapped files.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024 / 1e6


def loads(pid: int, library: str) -> bool:
    """Whether a process has a file of this library in memory."""
    return f"/{library}" in Path(f"/proc/{pid}/maps").read_text().lower()


def see_all(page: Page) -> None:
    """Open one section of the page after the other."""
    sections = page.get_by_test_id("stButtonGroup").first.get_by_role("radio")
    for index in range(sections.count()):
        sections.nth(index).click()
        wait_until_idle(page, timeout=120)


def memory(browser: Browser) -> list[Row]:
    """Resident megabytes of the server as visitors come and play.

    Raises:
        RuntimeError: if TensorFlow or Keras was loaded, or onnxruntime was not found, which
            would mean that the search is blind.
    """
    names = sorted(path.stem for path in (ROOT / "pages").glob("[!_]*.py"))
    rows = []
    with serving() as server:
        server.wait_until_healthy()
        visitors = [browser.new_context().new_page() for _ in range(VISITORS)]
        for count, page in enumerate(visitors, start=1):
            for name in [*names, ""]:
                page.goto(f"{server.url}/{name}")
                wait_until_idle(page, timeout=120)
                if count == 1 and name in SECTIONED:
                    see_all(page)
            if count == 1:
                one = resident_megabytes(server.pid)
        ten = resident_megabytes(server.pid)
        rows.append(
            Row("server memory, every page and section seen", "MB", [one], Budget(median=350))
        )
        rows.append(Row(f"the same, {VISITORS} visitors at once", "MB", [ten], Budget(median=500)))

        # The first round fills caches that have an end; growth is what comes after it.
        for done in range(2 * INTERACTIONS):
            if done == INTERACTIONS:
                warm = resident_megabytes(server.pid)
            page = visitors[done % VISITORS]
            rewind(page)
            strength(page).press("ArrowRight")
            wait_until_idle(page, quiet=0.1)
        played = resident_megabytes(server.pid)
        rows.append(
            Row(f"the same, {2 * INTERACTIONS} slider moves later", "MB", [played], Budget(500))
        )
        # Python returns memory in lumps: 1 % either way is not growth.
        growth = [100 * (played - warm) / warm]
        rows.append(Row(f"growth over the last {INTERACTIONS} moves", "%", growth, Budget(1)))

        for library in ("libtensorflow", "tensorflow", "keras"):
            if loads(server.pid, library):
                raise RuntimeError(f"the server has {library} in memory")
        if not loads(server.pid, "onnxruntime"):
            raise RuntimeError("onnxruntime not seen in the server: the search for others is blind")
        for page in visitors:
            page.context.close()
    return rows


def per_digit() -> list[Row]:
    """Milliseconds that each model of digits takes for one 28x28 picture."""
    rng = np.random.default_rng(0)
    rows = []
    for card in load_catalogue().values():
        if card.data not in DIGIT_SETS:
            continue
        noisy, run = rng.random((28, 28, 1), dtype=np.float32), load_predictor(card).predict
        for _ in range(20):
            run(noisy)
        times = []
        for _ in range(DIGITS):
            began = time.perf_counter()
            run(noisy)
            times.append(1000 * (time.perf_counter() - began))
        rows.append(Row(f"one 28x28 picture, `{card.name}`", "ms", times))
    return rows
