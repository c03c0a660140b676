"""The Train page with a real worker on small data: start, reload, stop, go on, look on."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imaging.digit_fit import fit_drawing
from imaging.samples.strokes import render
from tests.chromium import wait_until_idle
from train.recipes import LIVE_JOBS

PATIENCE = 90_000  # ms: TensorFlow takes its time to start on a busy machine


@pytest.fixture(scope="module")
def url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server whose workers train on a few thousand copies of our own digits."""
    folder = tmp_path_factory.mktemp("data")
    digits = [fit_drawing(render(name, 280, 22))[..., 0] for name in "0123456789"]
    pictures = np.rint(np.tile(np.stack(digits), (600, 1, 1)) * 255).astype(np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 600)
    np.savez(folder / "mnist.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    return serve_app(DENOISE_DATA_DIR=str(folder), DENOISE_RUNS_DIR=str(folder / "runs"))


def epoch_on_screen(page: Page) -> int:
    """The epoch that the progress bar tells, 0 while it tells none."""
    text = page.get_by_test_id("stProgress").inner_text()
    return int(text.split("epoch ")[1].split(" ")[0]) if "epoch " in text else 0


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose(page: Page, name: str, option: str) -> None:
    box = page.get_by_role("combobox", name=name)
    box.click()
    page.get_by_role("option", name=option).click()
    expect(box).to_have_value(option)


def test_a_run_is_started_reloaded_stopped_continued_and_seen_by_others(url, open_page):
    # Not dense: on a fast machine all its epochs would be over before it is paused.
    page = open_page(f"{url}/train?recipe=conv-16-8-8-tutorial")
    page.get_by_role("slider", name="Epochs").press("End")
    press(page, "Train")
    expect(page.get_by_text("Training: epoch")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible(timeout=PATIENCE)
    expect(
        page.get_by_role("img", name="Original, Noisy and Denoised, after each epoch")
    ).to_be_visible(timeout=PATIENCE)
    before = epoch_on_screen(page)
    assert "run=" in page.url

    page.reload()
    expect(page.get_by_text("Training: epoch")).to_be_visible(timeout=PATIENCE)
    assert epoch_on_screen(page) >= before

    # Somebody else, with another browser, may look but not touch.
    stranger = open_page()
    stranger.goto(page.url)  # A page that is drawn anew twice a second need not ever be idle.
    expect(stranger.get_by_text("someone else's run")).to_be_visible(timeout=PATIENCE)
    expect(stranger.get_by_role("button", name="Stop and keep")).to_have_count(0)
    expect(stranger.get_by_test_id("stException")).to_have_count(0)
    stranger.goto("about:blank")  # To draw it anew twice a second takes half a processor.

    press(page, "Pause")
    expect(page.get_by_text("Paused after")).to_be_visible(timeout=PATIENCE)
    press(page, "Continue")
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible(timeout=PATIENCE)
    press(page, "Stop and keep")
    expect(page.get_by_text("Stopped after")).to_be_visible(timeout=PATIENCE)

    wait_until_idle(page)
    press(page, "Download")
    with page.expect_download() as saved:
        press(page, "Network (Keras)")
    assert Path(saved.value.path()).stat().st_size > 100_000
    with page.expect_download() as saved:
        press(page, "Film (animated GIF)")
    with Image.open(saved.value.path()) as film:
        assert film.n_frames >= 1
    page.keyboard.press("Escape")

    # The film plays in the browser, from the first epoch to the last.
    epoch = page.locator(".probes output")
    scrubber = page.get_by_role("slider", name="After epoch")
    scrubber.press("Home")
    expect(epoch).to_have_text("epoch 1")
    press(page, "Play film")
    expect(epoch).not_to_have_text("epoch 1")


def test_what_was_set_is_still_set_after_a_visit_to_another_page(url, open_page):
    page = open_page(f"{url}/train")
    page.get_by_role("slider", name="Epochs").press("End")
    page.get_by_text("Learning", exact=True).click()
    patience = page.get_by_role("spinbutton", name="epochs of patience")
    patience.fill("7")
    patience.press("Enter")
    wait_until_idle(page)
    for name in ("Draw a digit", "Train a network"):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        wait_until_idle(page)
    expect(page.get_by_role("slider", name="Epochs")).to_have_value("100")
    page.get_by_text("Learning", exact=True).click()
    expect(patience).to_have_value("7")


def test_a_run_that_does_not_exist_gets_a_sentence(url, open_page):
    page = open_page(f"{url}/train?run=../../etc")
    expect(page.get_by_text("This run no longer exists")).to_be_visible()


def test_the_lesson_on_training_ends_with_a_network_on_draw_for_its_owner_only_and_is_measured(
    url, open_page
):
    lesson = open_page(f"{url}/learn?lesson=training")
    for number in range(1, 6):
        heading = lesson.get_by_role("heading", name=re.compile(rf"^{number}\. "))
        expect(heading).to_be_visible(timeout=PATIENCE)
        wait_until_idle(lesson)
        if number < 5:
            lesson.locator("body").press("n")
    with lesson.context.expect_page() as opened:
        lesson.get_by_role("link", name="Open this on the Train page").click()
    page = opened.value
    page.set_viewport_size({"width": 390, "height": 844})
    wait_until_idle(page)
    page.get_by_role("slider", name="Epochs").press("Home")
    button = page.get_by_role("button", name="Train", exact=True)
    button.scroll_into_view_if_needed()
    run = page.get_by_role("heading", name="Dense 784-64-784")
    expect(run).to_have_count(0)
    button.click()
    # On a phone the run is far below the button.
    expect(run).to_be_in_viewport(timeout=PATIENCE)
    button = page.get_by_role("button", name="Use on the Draw page")
    expect(button).to_be_visible(timeout=2 * PATIENCE)
    wait_until_idle(page)
    button.click()
    expect(page.get_by_text("Your network is selected")).to_be_visible(timeout=PATIENCE)
    page.set_viewport_size({"width": 1280, "height": 844})
    expect(page.get_by_role("combobox", name="Denoise with")).to_have_value(
        re.compile("^Yours: Dense"), timeout=PATIENCE
    )
    expect(page.locator('canvas[data-title="Denoised"]')).to_be_visible(timeout=PATIENCE)
    stranger = open_page(f"{url}/")
    stranger.get_by_role("combobox", name="Denoise with").click()
    expect(stranger.get_by_role("option").first).to_be_visible()
    expect(stranger.get_by_role("option", name=re.compile("^Yours: "))).to_have_count(0)
    page.get_by_role("link", name="Compare").click()
    said = re.compile(r"Measured on this server, just now, on 1,000 held-out digits: Yours: ")
    expect(page.get_by_text(said)).to_be_attached(timeout=PATIENCE)


@pytest.mark.slow
def test_a_small_network_of_another_job_is_trained_and_used(url, open_page):
    recipe = "upscale-digits-small"
    page = open_page(f"{url}/train?recipe={recipe}")
    page.get_by_role("slider", name="Epochs").press("Home")
    press(page, "Train")
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_role("img", name="Original, Small and Enlarged, after")).to_be_visible()
    expect(page.get_by_text("Validation PSNR")).to_be_visible()
    button = page.get_by_role("button", name="Use on More jobs")
    expect(button).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    button.click()
    expect(page.get_by_role("heading", name="More jobs")).to_be_visible(timeout=PATIENCE)
    yours = f"Yours: {LIVE_JOBS[recipe].title}"
    expect(page.locator(f'canvas[data-title="{yours}"]')).to_be_visible(timeout=PATIENCE)
    assert "task=upscale-digits" in page.url


def test_a_race_is_started_and_its_curves_share_a_chart(url, open_page):
    page = open_page(f"{url}/train")
    page.get_by_role("slider", name="Epochs").press("Home")
    wait_until_idle(page)
    page.get_by_text("A fair race", exact=True).click()
    press(page, "Add these settings")
    page.get_by_text("Network", exact=True).click()
    hidden = page.get_by_role("spinbutton", name="Hidden units")
    hidden.fill("8")
    hidden.press("Enter")
    wait_until_idle(page)
    press(page, "Add these settings")
    wait_until_idle(page)
    press(page, "Start the race")
    table = page.get_by_role("table")
    expect(table.get_by_role("row", name="hidden 64 8")).to_be_visible(timeout=PATIENCE)
    together = page.get_by_role("img", name="denoised by Dense, as in the tutorial, Dense")
    expect(together).to_be_visible(timeout=2 * PATIENCE)
    assert "compare=" in page.url


def test_own_pictures_are_uploaded_and_trained_on(url, open_page, rng):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for number in range(2):
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (600, 600, 3), np.uint8)).save(picture, "PNG")
            files.writestr(f"../{number}.png", picture.getvalue())
    page = open_page(f"{url}/train")
    page.get_by_text("Data and noise", exact=True).click()
    wait_until_idle(page, quiet=1)  # A list that opens in a box that still unfolds closes again.
    choose(page, "Data", "Your own pictures (ZIP)")
    expect(page.get_by_text("First upload a ZIP with your pictures")).to_be_visible()
    page.get_by_test_id("stFileUploader").locator("input").set_input_files(
        {"name": "own.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
    )
    expect(page.get_by_text("200 patches from 2 pictures")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider", name="Epochs").press("Home")
    wait_until_idle(page)
    press(page, "Train")
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=PATIENCE)


def test_a_zip_bomb_gets_a_sentence(url, open_page):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("zeros.png", bytes(15_000_000))
    page = open_page(f"{url}/train")
    page.get_by_text("Data and noise", exact=True).click()
    wait_until_idle(page, quiet=1)  # A list that opens in a box that still unfolds closes again.
    choose(page, "Data", "Your own pictures (ZIP)")
    page.get_by_test_id("stFileUploader").locator("input").set_input_files(
        {"name": "bomb.zip", "mimeType": "application/zip", "buffer": bomb.getvalue()}
    )
    expect(page.get_by_text("unpacks to far more than pictures do")).to_be_visible()
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_disabled()
