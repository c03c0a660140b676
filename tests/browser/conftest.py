"""A real Chromium in front of a real server, for the tests in this folder.

A test asks for ``page`` (or ``open_page`` for more than one, a phone or the dark theme) and
``app_url``, goes there, and calls ``wait_until_idle`` of ``tests.chromium`` after each step.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.app_server import ROOT, AppServer
from tests.chromium import find_chromium, launch, wait_until_idle

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder as a browser test."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember a failure for the fixtures, which are torn down after it."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="module")
def flags() -> tuple[str, ...]:
    """What the Chromium of a file of tests is started with besides the usual."""
    return ()


@pytest.fixture(scope="module")
def browser(flags: tuple[str, ...]) -> Iterator[Browser]:
    """A Chromium for one file of tests: Playwright keeps an event loop running in this thread.

    Tests of another file that follow in the same process may want a loop of their own.
    """
    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            reason = "no Chromium found; `make test` installs one, or put chromium on the PATH"
            # Where nobody watches, a skipped half of the tests would pass for green.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        chromium = launch(playwright, executable, flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """``serve(script, NAME=value, ...)`` returns the URL of a server that runs the script.

    The same script with the same environment is served once for the whole test run.
    """
    logs = tmp_path_factory.mktemp("servers")
    servers: dict[tuple, AppServer] = {}

    def serve_script(script: str | Path, **env: str) -> str:
        path = (ROOT / script).resolve()
        key = (path, *sorted(env.items()))
        if key not in servers:
            servers[key] = AppServer(path, logs / f"{len(servers)}-{path.stem}.log", **env)
            servers[key].wait_until_healthy()
        return servers[key].url

    yield serve_script
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session")
def app_url(serve: Callable[..., str]) -> str:
    """The whole app, on its own server."""
    return serve("app.py")


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """``open_page(url, width=, height=, dark=, touch=)`` opens a new visitor's page.

    After the test, an uncaught error in the browser or an exception box on the screen fails
    it, and a failed test leaves a screenshot of each page in ``tests/browser/artifacts``.
    """
    pages: list[Page] = []
    errors: list[str] = []

    def open_new(
        url: str | None = None,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            is_mobile=touch,
            accept_downloads=True,
        )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        pages.append(page)
        if url is not None:
            page.goto(url)
            wait_until_idle(page)
        return page

    yield open_new

    for page in pages:
        boxes = page.get_by_test_id("stException")
        errors += [f"{page.url}: {text}" for text in boxes.all_inner_texts()]
    if errors or request.node.stash.get(FAILED, False):
        ARTIFACTS.mkdir(exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        for number, page in enumerate(pages, start=1):
            page.screenshot(path=ARTIFACTS / f"{name}-{number}.png", full_page=True)
    for page in pages:
        page.context.close()
    if errors:
        pytest.fail("the page showed errors:\n" + "\n".join(errors), pytrace=False)


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A new visitor's empty page, 1280 by 900."""
    return open_page()


@pytest.fixture
def stronger(app_url: str, open_page: Callable[..., Page]) -> Page:
    """The Draw page of a new visitor, who has made the noise one step stronger."""
    page = open_page(app_url)
    expect(page.locator(".viewer")).to_have_attribute(
        "data-version", re.compile("."), timeout=20_000
    )
    page.get_by_role("slider", name="Strength").press("ArrowRight")
    wait_until_idle(page)
    return page
