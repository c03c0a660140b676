"""Find a Chromium, open pages in it, and know when Streamlit has finished drawing them.

`python -m tests.chromium` prints which Chromium the browser tests would use, or fails.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The same without windows, address bar and menus, which cost a third of the time of a test.
SHELLS = ("chromium-headless-shell", "chrome-headless-shell")

# A window loads the pages that would be lists below its address bar: half the work of opening one.
# Of two lists the last counts, so this one has all that Playwright turns off, too.
NOT_SEEN = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup"]
OFF_IN_PLAYWRIGHT = [
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
]

# Containers have no user namespaces, no GPU, and a /dev/shm too small for a page of pictures.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-features=" + ",".join(NOT_SEEN + OFF_IN_PLAYWRIGHT),
]

# Streamlit writes its state on the app's root element.  A widget waits a moment before it
# reports, so one quiet instant proves nothing: the quiet has to last.
IS_IDLE = """
quiet_ms => {
    const app = document.querySelector('[data-testid="stApp"]');
    const busy = !app
        || app.dataset.testConnectionState !== 'CONNECTED'
        || app.dataset.testScriptState !== 'notRunning'
        || app.querySelector('[data-stale="true"], [data-testid="stSkeleton"]');
    if (busy) { window.idleSince = null; return false; }
    window.idleSince ??= performance.now();
    return performance.now() - window.idleSince >= quiet_ms;
}
"""


def find_chromium(playwright: Playwright, shell: bool = False) -> str | None:
    """The path of the system's Chromium, else of Playwright's own, else None.

    With ``shell`` rather one that has no windows, if there is one.
    """
    for name in (*SHELLS, *ON_PATH) if shell else ON_PATH:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def launch(playwright: Playwright, executable: str, flags: Sequence[str] = ()) -> Browser:
    """Start a Chromium without a window, with these flags besides ``FLAGS``."""
    return playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])


def wait_until_idle(page: Page, timeout: float = 30, quiet: float = 0.3) -> None:
    """Return when Streamlit has run its script and nothing stale is left on screen.

    Times are in seconds.  ``quiet`` is how long that must hold: longer than a slider waits
    before it reports a new value.
    """
    page.evaluate("window.idleSince = null")
    # Asked for at each frame, as is usual, the browser would draw frames of nothing new.
    page.wait_for_function(IS_IDLE, arg=quiet * 1000, timeout=timeout * 1000, polling=50)


def scrolls_sideways(page: Page) -> bool:
    """Whether something on the page is wider than it.

    The document never is: Streamlit scrolls what is inside.
    """
    wide = "main => main.scrollWidth > main.clientWidth"
    return page.get_by_test_id("stMain").evaluate(wide)


def main() -> int:
    """Print the Chromium that was found; the exit status says whether there was one."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright, shell=True)
    print(path or "no Chromium found", file=sys.stdout if path else sys.stderr)
    return 0 if path else 1


if __name__ == "__main__":
    raise SystemExit(main())


def move_first_slider(page: Page, steps: int = 3) -> None:
    """Move it to the right with the keyboard, and wait after each step for the page to answer."""
    page.get_by_role("slider").first.focus()
    for _ in range(steps):
        page.keyboard.press("ArrowRight")
        wait_until_idle(page)
