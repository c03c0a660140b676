"""What a training costs and how soon the screen tells of it; each returns rows for the report."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import Browser, Page, expect

from models.tasks import TASKS
from tests.app_server import ROOT
from tests.benchmarks.measure import resident_megabytes, serving
from tests.benchmarks.report import Budget, Row
from tests.chromium import wait_until_idle
from tests.train.worker_processes import workers_of
from train.memory import needed_megabytes
from train.recipes import RECIPES, Recipe
from train.run_folder import Run
from train.visitor_limits import Limits

RECIPE, EPOCHS = "conv-32-32", 6  # The first epoch also compiles, and does not count.
STARTS, STOPS, EPOCHS_WATCHED = 3, 5, 20
PATIENCE = 120_000  # ms
AS_FAST, AS_FAST_WITH_FRESH_NOISE = 100, 110  # % of the plain time

# When each description of a chart was first on the screen, which changes with every epoch.
WATCH = """
() => {
    window.seen = {};
    const look = () => {
        const charts = [...document.querySelectorAll('[role="graphics-document"]')];
        const texts = charts.map((chart) => chart.getAttribute('aria-label'));
        for (const text of texts.filter((text) => text && !(text in window.seen))) {
            window.seen[text] = null;
            requestAnimationFrame(() => setTimeout(() => {
                window.seen[text] = Date.now() / 1000;
            }));
        }
    };
    new MutationObserver(look).observe(
        document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}
"""


# Those that visitors can train; the others take hours.
MEASURED = [name for name, each in RECIPES.items() if TASKS[each.config.task].networks]


def speed(recipes: Sequence[str] = ()) -> list[Row]:
    """Our training against a plain ``fit``, recipe by recipe; one and two workers on JAX.

    Where recipes are named, these alone are measured, and no workers.
    """
    rows = []
    for name in recipes or MEASURED:
        rows += against_plain(RECIPES[name])
    if recipes:
        return rows
    with TemporaryDirectory() as folder:
        alone = trained(Path(folder) / "alone", "--workers", "1")
        two = trained(Path(folder) / "two", "--workers", "2")
    what = f"training `{RECIPE}`"
    return [
        *rows,
        Row(f"{what}: one worker on JAX", "pictures/s", alone),
        Row(f"{what}: two workers on JAX, on the same cores", "pictures/s", two),
        Row(
            "time for a picture, two workers against one",
            "%",
            [100 * float(np.median(alone) / np.median(two))],
        ),
    ]


def against_plain(each: Recipe) -> list[Row]:
    """Seconds of an epoch, ours and plain in turns, and ours in percent of the plain."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(each.config.to_json())
        said = _run("tests.benchmarks.fit_in_turns", str(config), str(EPOCHS))
    return rows_of(each, json.loads(said.splitlines()[-1]))


def rows_of(each: Recipe, seconds: dict[str, list[list[float]]]) -> list[Row]:
    """Return the rows of what ``fit_in_turns`` printed of a recipe.

    Each epoch is held against the plain one beside it, since a machine may be busy now and idle
    then.
    """
    # The first epoch also compiles, and does not count.
    ours, plain = (np.array(seconds[who][1:]) for who in ("ours", "plain"))
    wall, cpu = (100 * ours / plain).T
    once = not (each.config.noise and each.config.fresh_noise)
    allowed = Budget(median=AS_FAST if once else AS_FAST_WITH_FRESH_NOISE)
    what = f"training `{each.name}`, an epoch"
    drawn = f"noise drawn {'once' if once else 'every epoch'}" if each.config.noise else "no noise"
    return [
        Row(f"{what}: plain `model.fit`, noise drawn once", "s", list(plain[:, 0])),
        Row(f"{what}: ours, {drawn}", "s", list(ours[:, 0])),
        Row(f"{what}: ours against the plain", "%", list(wall), allowed),
        Row(f"{what}: ours against the plain, time of processors", "%", list(cpu), allowed),
    ]


def trained(folder: Path, *more: str) -> list[float]:
    """Train in a process of its own; return the pictures a second of each epoch but the first."""
    _run("train", "recipe", RECIPE, "--epochs", str(EPOCHS), "--out", str(folder), *more)
    epochs = [event for event in Run(folder).events() if event["event"] == "epoch"]
    return [event["images_per_second"] for event in epochs[1:]]


def _run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def training_page(browser: Browser) -> list[Row]:
    """Seconds from click to first batch, event to curve and Stop to stop; memory meanwhile."""
    with TemporaryDirectory() as folder, serving(DENOISE_RUNS_DIR=folder) as server:
        server.wait_until_healthy()
        page = browser.new_page()
        starts, stops, on_screen = [], [], []
        for _ in range(STARTS):
            run, began = _press_train(page, server.url, Path(folder))
            starts.append(_wait_for(run, lambda e: e["event"] == "batch")["time"] - began)
            _stop(page, run)
        for _ in range(STOPS):
            _press(page, "Continue")
            resumed = _last_time(run)
            _wait_for(run, lambda e, since=resumed: e["event"] == "batch" and e["time"] > since)
            time.sleep(1)
            asked, seen = _stop(page, run)
            stops.append(_last_time(run) - asked)
            on_screen.append(seen - asked)

        run, _ = _press_train(page, server.url, Path(folder))
        page.evaluate(WATCH)
        _wait_for(run, lambda e: e["event"] == "epoch" and e["epoch"] == EPOCHS_WATCHED)
        time.sleep(3)
        server_memory, worker = resident_megabytes(server.pid), workers_of(run)[0]
        peak, staying = (resident_megabytes(worker, which) for which in ("VmHWM", "RssAnon"))
        allowed = Budget(median=round(needed_megabytes(run.read_config(), Limits().megabytes)))
        delays = curve_delays(list(run.events()), page.evaluate("window.seen"))
        _stop(page, run)
        page.close()
    return [
        Row("Train pressed to the first batch", "s", starts, Budget(median=2)),
        Row("end of an epoch to its point on the curve", "s", delays, Budget(median=1)),
        Row("Stop pressed to the end of the training", "s", stops, Budget(median=2)),
        Row("the same, until the screen says so", "s", on_screen, Budget(median=2)),
        Row("server memory while a training is watched", "MB", [server_memory], Budget(median=350)),
        Row("memory of the worker, at its peak", "MB", [peak], Budget(median=900)),
        Row("the same, without files that can be read again", "MB", [staying], allowed),
    ]


def curve_delays(events: list[dict], seen: dict[str, float | None]) -> list[float]:
    """Return seconds from each epoch's event to the loss curve that tells of it.

    ``seen`` holds when each text was first on the screen, in seconds since 1970.
    """
    ended = {event["epoch"]: event["time"] for event in events if event["event"] == "epoch"}
    delays = []
    for text, at in seen.items():
        told = re.match(r"Loss, after epoch (\d+)", text)
        if told and at is not None and int(told[1]) in ended:
            delays.append(at - ended[int(told[1])])
    if not delays:
        raise RuntimeError("no curve was seen to tell of an epoch: the search for them is blind")
    return delays


def _press_train(page: Page, url: str, runs: Path) -> tuple[Run, float]:
    """Start the tutorial's dense network for as long as possible; return it and when."""
    known = set(runs.iterdir())
    page.goto(f"{url}/train")
    wait_until_idle(page)
    page.get_by_role("slider", name="Epochs").press("End")
    wait_until_idle(page)
    expect(page.get_by_text("Ready: training starts")).to_be_visible(timeout=PATIENCE)
    began = time.time()
    _press(page, "Train")
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible(timeout=PATIENCE)
    (folder,) = [path for path in set(runs.iterdir()) - known if path.is_dir()]
    return Run(folder), began


def _stop(page: Page, run: Run) -> tuple[float, float]:
    """Press Stop; return when it was pressed and when the screen had heard."""
    asked = time.time()
    _press(page, "Stop and keep")
    expect(page.get_by_text("Stopped after")).to_be_visible(timeout=PATIENCE)
    seen = time.time()
    wait_until_idle(page, timeout=60)  # The worker still exports what it has learned.
    return asked, seen


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def _wait_for(run: Run, is_it: Callable[[dict], bool]) -> dict:
    """Wait for an event of the run and return it."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        if found := next(filter(is_it, run.events()), None):
            return found
        time.sleep(0.1)
    raise RuntimeError("the training did not come so far")


def _last_time(run: Run) -> float:
    """When the last event was, without what the export adds."""
    return list(run.events())[-1]["time"]
