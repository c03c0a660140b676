"""The Train page with a real worker on small data: start, reload, stop, go on, look on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from imaging.digits import fit_drawing
from imaging.strokes import render
from tests.chromium import wait_until_idle

PATIENCE = 90_000  # ms: TensorFlow takes its time to start on a busy machine


@pytest.fixture(scope="module")
def url(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server whose workers train on a few thousand copies of our own digits."""
    folder = tmp_path_factory.mktemp("data")
    digits = [fit_drawing(render(name, 280, 22))[..., 0] for name in "0123456789"]
    pictures = np.rint(np.tile(np.stack(digits), (600, 1, 1)) * 255).astype(np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 600)
    np.savez(folder / "mnist.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    return serve("app.py", DENOISE_DATA_DIR=str(folder), DENOISE_RUNS_DIR=str(folder / "runs"))


def epoch_on_screen(page: Page) -> int:
    """The epoch that the progress bar tells, 0 while it tells none."""
    text = page.get_by_test_id("stProgress").inner_text()
    return int(text.split("epoch ")[1].split(" ")[0]) if "epoch " in text else 0


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_run_is_started_reloaded_stopped_continued_and_seen_by_others(url, open_page):
    page = open_page(f"{url}/train")
    page.get_by_role("slider", name="Epochs").press("End")
    press(page, "Train")
    expect(page.get_by_text("Training: epoch")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("img", name="Original, noisy and denoised digits")).to_be_visible(
        timeout=PATIENCE
    )
    before = epoch_on_screen(page)
    assert "run=" in page.url

    page.reload()
    expect(page.get_by_text("Training: epoch")).to_be_visible(timeout=PATIENCE)
    assert epoch_on_screen(page) >= before

    # Somebody else, with another browser, may look but not touch.
    stranger = open_page(page.url)
    expect(stranger.get_by_text("somebody else's run")).to_be_visible()
    expect(stranger.get_by_role("button", name="Stop and keep")).to_have_count(0)

    press(page, "Stop and keep")
    expect(page.get_by_role("button", name="Continue")).to_be_visible(timeout=PATIENCE)
    press(page, "Continue")
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible(timeout=PATIENCE)
    press(page, "Stop and keep")
    expect(page.get_by_role("button", name="Delete")).to_be_visible(timeout=PATIENCE)

    wait_until_idle(page)
    press(page, "Download")
    with page.expect_download() as saved:
        press(page, "Network (Keras)")
    assert Path(saved.value.path()).stat().st_size > 100_000


def test_a_run_that_does_not_exist_gets_a_sentence(url, open_page):
    page = open_page(f"{url}/train?run=../../etc")
    expect(page.get_by_text("This run does not exist any more")).to_be_visible()


def test_a_finished_network_denoises_on_the_draw_page_for_its_owner_only(url, open_page):
    page = open_page(f"{url}/train")
    page.get_by_role("slider", name="Epochs").press("Home")
    press(page, "Train")
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Use on the Draw page")).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    press(page, "Use on the Draw page")
    expect(page.get_by_role("combobox", name="Denoise with")).to_have_value("Yours: dense")
    expect(page.locator('canvas[data-title="Denoised"]')).to_be_visible()

    stranger = open_page(f"{url}/")
    expect(stranger.get_by_text("Yours: dense")).to_have_count(0)
