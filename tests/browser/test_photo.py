"""The Photo page, used as a visitor would: files, the clipboard, downloads, Cancel, a phone."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from imaging.photo_samples import PHOTO_SAMPLES
from tests.browser.pixels import painted
from tests.chromium import wait_until_idle

# The first network that is loaded, on a busy machine, takes its time.
PATIENCE = 60_000


@pytest.fixture
def photo(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``photo(link)`` opens the Photo page and waits for its denoised picture."""

    def open_photo(link: str = "", **settings) -> Page:
        page = open_page(f"{app_url}/", **settings)
        page.goto(f"{app_url}/photo{link}")
        wait_until_idle(page)
        wait_until_denoised(page)
        return page

    return open_photo


def wait_until_denoised(page: Page) -> None:
    expect(page.get_by_test_id("stDownloadButton").first).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    expect(page.locator(".viewer")).to_have_attribute("data-version", re.compile("."))


def coffee(side: int = 240) -> Image.Image:
    return Image.fromarray(PHOTO_SAMPLES["coffee"].load()[80 : 80 + side, 100 : 100 + side])


def upload(page: Page, *files: Path) -> None:
    page.get_by_test_id("stFileUploader").locator("input").set_input_files([*files])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one - other) ** 2))


def test_an_uploaded_photo_gets_noise_is_denoised_and_can_be_taken_away(photo, tmp_path):
    page = photo()
    coffee().save(tmp_path / "my cup.jpg", quality=97)
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    upload(page, tmp_path / "my cup.jpg")
    expect(page.get_by_text("estimated")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Add noise to it").click()
    expect(page.get_by_text("as added")).to_be_visible(timeout=PATIENCE)
    wait_until_denoised(page)

    original, noisy, denoised = (painted(page, each) for each in ("Original", "Noisy", "Denoised"))
    assert original.shape == (240, 240, 3)
    # Sigma is 25 of 255; clipping can only take some of it away.  Of the squared error at least
    # three quarters go, in truth more than nine tenths.
    assert 0.6 * 25**2 < distance(original, noisy) < 1.05 * 25**2
    assert distance(original, denoised) < distance(original, noisy) / 4

    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").get_by_text("Denoised (PNG)").click()
    assert download.value.suggested_filename == "my-cup-denoised.png"
    taken = np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)
    assert np.array_equal(taken, denoised)


def test_a_pasted_picture_is_opened(photo):
    page = photo()
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Paste a picture")).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    file = io.BytesIO()
    coffee(64).save(file, "PNG")
    page.evaluate(
        """content => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "clip.png", {type: "image/png"}));
          document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
        }""",
        base64.b64encode(file.getvalue()).decode(),
    )
    wait_until_denoised(page)
    assert np.array_equal(painted(page, "Noisy"), np.asarray(coffee(64)).astype(int))


def test_a_link_opens_the_same_pictures_in_a_second_window(photo):
    link = "?photo_sample=cameraman&photo_noise=speckle&photo_strength=0.4&photo_seed=7"
    pages = [photo(link), photo(link)]
    noisy, again = (painted(page, "Noisy") for page in pages)
    assert np.array_equal(noisy, again)
    assert "photo_seed=7" in pages[0].url


def test_strength_is_a_mixture_that_ends_at_the_noisy_picture(photo):
    page = photo("?photo_brightness=0&photo_colour=0&photo_sample=cat")
    assert np.array_equal(painted(page, "Noisy"), painted(page, "Denoised"))


def test_a_file_that_is_no_picture_is_refused_and_the_page_goes_on(photo, tmp_path):
    page = photo()
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    (tmp_path / "text.png").write_text("no picture")
    upload(page, tmp_path / "text.png")
    refusal = page.get_by_test_id("stAlert").filter(has_text="text.png")
    expect(refusal).to_contain_text("no picture", timeout=PATIENCE)
    page.get_by_test_id("stButtonGroup").get_by_text("Sample", exact=True).click()
    wait_until_denoised(page)


def test_on_a_phone_nothing_is_cut_off(photo):
    page = photo(width=390, height=800, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
