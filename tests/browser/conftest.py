"""A real Chromium in front of a real server, for the tests in this folder.

A test asks for ``page`` (or ``open_page`` for more than one, a phone or the dark theme) and
``app_url``, goes there, and calls ``wait_until_idle`` of ``tests.chromium`` after each step.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.app_server import ROOT, AppServer
from tests.chromium import find_chromium, launch, wait_until_idle
from tests.visitor import Visitor

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"
FAILED = pytest.StashKey[bool]()
# All pages of a context in one process, where Streamlit's scripts are compiled once.
ONE_PROCESS = "--process-per-site"
# How long an `expect` waits that says nothing else: two busy cores may be late by many seconds.
expect.set_options(timeout=20_000)
STORED = "local_storage,indexeddb,websql,file_systems,service_workers,cache_storage"


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
        executable = find_chromium(playwright, shell=True)
        if executable is None:
            reason = "no Chromium found; `make test` installs one, or put chromium on the PATH"
            # Where nobody watches, a skipped half of the tests would pass for green.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        chromium = launch(playwright, executable, (ONE_PROCESS, *flags))
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
def serve_app(serve: Callable[..., str]) -> Callable[..., str]:
    """``serve_app(NAME=value, ...)`` returns the URL of the whole app, on its own server.

    A server knows its pages once somebody has opened the first, as is done here.
    """

    async def open_first(url: str) -> None:
        visitor = Visitor(url)
        await visitor.open()
        await visitor.close()

    def serve_whole(**env: str) -> str:
        url = serve("app.py", **env)
        with ThreadPoolExecutor() as threads:  # In this one Playwright has an event loop running.
            threads.submit(asyncio.run, open_first(url)).result()
        return url

    return serve_whole


@pytest.fixture(scope="session")
def app_url(serve_app: Callable[..., str]) -> str:
    """The whole app, on its own server."""
    return serve_app()


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Callable[[bool, int], BrowserContext]:
    """``contexts(touch, number)`` returns one of a file's browser contexts, each made once.

    Streamlit's scripts, ready to run, are half of opening a page.  A context keeps them in its
    cache, and as long as its first page is there, which is empty, in its process.
    """

    @cache
    def context(touch: bool, _number: int) -> BrowserContext:
        viewport = {"width": 1280, "height": 900}  # Of pages that a page opens.
        made = browser.new_context(
            viewport=viewport, has_touch=touch, is_mobile=touch, accept_downloads=True
        )
        first = made.new_page()
        first.route("**", lambda route: route.fulfill(body=""))
        first.goto("http://127.0.0.1")  # The host of all servers.
        return made

    return context


@pytest.fixture
def open_page(
    contexts: Callable[[bool, int], BrowserContext], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """``open_page(url, width=, height=, dark=, touch=)`` opens a new visitor's page.

    Each has a context that no other page of the test is in, and that has forgotten all but
    the cached files of the servers.  After the test, an uncaught error in the browser or an
    exception box on the screen fails it, and a failed test leaves a screenshot of each page in
    ``tests/browser/artifacts``.
    """
    pages: list[Page] = []
    errors: list[str] = []
    origins: set[str] = set()

    def open_new(
        url: str | None = None,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
    ) -> Page:
        page = contexts(touch, len(pages)).new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        page.on("framenavigated", lambda frame: origins.add(urljoin(frame.url, "/")))
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
    for context in [page.context for page in pages]:
        forget(context, origins)
    if errors:
        pytest.fail("the page showed errors:\n" + "\n".join(errors), pytrace=False)


def forget(context: BrowserContext, origins: set[str]) -> None:
    """Close all pages of a context but its first, and have it forget who the visitor was."""
    first, *others = context.pages
    for page in others:
        page.goto("about:blank")  # A page says on its way out who its visitor is.
        page.close()
    session = context.new_cdp_session(first)
    for origin in origins:
        session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": STORED})
    session.detach()
    context.clear_cookies()
    context.clear_permissions()


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
