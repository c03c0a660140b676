"""A visitor's own network, from the file to Inside and Compare, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import wait_until_idle
from tests.train.foreign_networks import NETWORKS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my u-net.onnx"
    path.write_bytes(NETWORKS["pytorch_unet"]().SerializeToString())
    return path


def bring(page: Page, path: Path) -> None:
    page.get_by_role("button", name="Your own network").click()
    page.locator("input[type=file]").set_input_files(path)
    wait_until_idle(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_from_the_file_to_its_layers_and_its_measurements(app_url, open_page, file, width):
    page = open_page(app_url, width=width, touch=width < 500)
    bring(page, file)
    expect(page.get_by_text("my u-net is now selected: 11 layers")).to_be_visible(timeout=30_000)
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox", name="Denoise with")).to_have_value("my u-net")

    # In the race of all methods.
    page.get_by_role("heading", name="All methods on this picture").scroll_into_view_if_needed()
    expect(page.get_by_role("img", name="Denoised by my u-net")).to_be_attached(timeout=30_000)

    if width < 500:  # The navigation is behind a button there.
        return
    page.get_by_role("link", name="Inside the network").click()
    expect(page.get_by_role("heading", name="Inside the network")).to_be_visible()
    wait_until_idle(page)
    expect(page.get_by_role("combobox", name="Network")).to_have_value("my u-net")
    expect(page.locator(".st-key-feature-maps .lab-gallery img")).to_have_count(4)

    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    # Measured where there are digits, else the page says that there are none.
    measured = re.compile("just now, on 1,000 held-out digits: my u-net|my u-net: not measured")
    expect(page.get_by_text(measured)).to_be_attached(timeout=60_000)


def test_the_slider_is_followed_by_the_browser(app_url, open_page, file):
    page = open_page(app_url)
    bring(page, file)
    expect(page.get_by_text("my u-net is now selected")).to_be_visible(timeout=30_000)
    page.keyboard.press("Escape")
    # What is sent to preview it is the network itself: nothing is put where others could load it.
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("slider", name="Strength").press("ArrowRight")
    wait_until_idle(page)
    assert not [url for url in requests if re.search(r"own-[0-9a-f]{16}", url)]


def test_what_is_no_onnx_file_is_refused_with_the_reason(app_url, open_page, tmp_path):
    page = open_page(app_url)
    keras = tmp_path / "mine.keras"
    keras.write_bytes(b"PK\x03\x04 and so on")
    bring(page, keras)
    expect(page.get_by_text("A Keras file can carry code")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("model.export(")).to_be_visible()
