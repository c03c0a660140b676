"""The Photo page, used as a visitor would: files, the clipboard, downloads, Cancel, a phone."""

import base64
import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from imaging.samples.photo_samples import PHOTO_SAMPLES
from tests.app_server import ROOT, AppServer
from tests.browser.pixels import canvas_of, painted
from tests.chromium import move_first_slider, scrolls_sideways, wait_until_idle

# The first network that is loaded, on a busy machine, takes its time.
PATIENCE = 60_000


@pytest.fixture
def photo(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``photo(link)`` opens the Photo page and waits for its denoised picture."""

    def open_photo(link: str = "", **settings) -> Page:
        page = open_page(f"{app_url}/photo{link}", **settings)
        if "upload" not in link:
            wait_until_denoised(page)
        return page

    return open_photo


def wait_until_denoised(page: Page) -> None:
    # Idle first: what an earlier run left on the page would pass for this one's.
    wait_until_idle(page)
    expect(page.get_by_test_id("stDownloadButton").first).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    expect(page.locator(".viewer")).to_have_attribute("data-version", re.compile("."))
    expect(canvas_of(page, "Denoised")).not_to_have_attribute("aria-label", "In progress")


def coffee(side: int = 240) -> Image.Image:
    return Image.fromarray(PHOTO_SAMPLES["coffee"].load()[80 : 80 + side, 100 : 100 + side])


def upload(page: Page, *files: Path) -> None:
    page.get_by_test_id("stFileUploader").locator("input").set_input_files([*files])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one - other) ** 2))


def test_an_uploaded_photo_gets_noise_is_denoised_and_can_be_taken_away(photo, tmp_path):
    page = photo()
    coffee().save(tmp_path / "my cup.jpg", quality=100)
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    upload(page, tmp_path / "my cup.jpg")
    # A sample is clean, and so is a piece of it in a JPEG of the best quality.
    expect(page.get_by_text("No noise found")).to_be_visible(timeout=PATIENCE)
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


GIVE = """({content, how, name}) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, {type: "image/png"}));
  const options = {bubbles: true, cancelable: true};
  document.querySelector("h1").dispatchEvent(
    how === "paste" ? new ClipboardEvent("paste", {clipboardData: data, ...options})
                    : new DragEvent("drop", {dataTransfer: data, ...options}));
}"""


def give(page: Page, content: bytes, how: str, name: str = "clip.png") -> None:
    """Paste or drop a picture on the heading of the page."""
    packed = base64.b64encode(content).decode()
    page.evaluate(GIVE, {"content": packed, "how": how, "name": name})


def png_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def shown(page: Page, expected: Image.Image) -> bool:
    """Whether the noisy picture is this one, in the end."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        wait_until_denoised(page)
        if np.array_equal(painted(page, "Noisy"), np.asarray(expected).astype(int)):
            return True
        page.wait_for_timeout(500)
    return False


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize("source", ["Sample", "Upload"])
def test_a_picture_is_pasted_and_dropped_wherever_one_is_and_can_be_undone(photo, source, how):
    page = photo()
    page.get_by_role("radio", name=source).click()
    wait_until_idle(page)
    give(page, png_of(coffee(64)), how)
    expect(page.get_by_text("clip.png").first).to_be_visible(timeout=PATIENCE)
    assert shown(page, coffee(64))
    if source == "Sample":
        expect(page.get_by_text("in place of the sample Cat")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        wait_until_denoised(page)
        assert "photo_source" not in page.url


def test_two_files_of_one_name_are_told_apart_and_each_is_shown(photo, tmp_path):
    page = photo("?photo_source=upload")
    pictures = {"a": coffee(60), "b": coffee(80)}
    for folder, picture in pictures.items():
        (tmp_path / folder).mkdir()
        picture.save(tmp_path / folder / "IMG_0001.png")
    upload(page, *(tmp_path / folder / "IMG_0001.png" for folder in "ab"))
    box = page.get_by_test_id("stSelectbox").first
    first = re.compile(r"IMG_0001\.png \(1\)")
    expect(box.locator("input")).to_have_value(first, timeout=PATIENCE)
    assert shown(page, pictures["a"])
    box.locator("input").click()
    page.get_by_role("option", name="IMG_0001.png (2)").click()
    wait_until_idle(page)
    assert shown(page, pictures["b"])


def test_pictures_survive_another_page_back_and_a_reload_until_they_are_removed(photo, tmp_path):
    page = photo("?photo_source=upload")
    coffee(60).save(tmp_path / "mine.png")
    upload(page, tmp_path / "mine.png")
    assert shown(page, coffee(60))
    page.get_by_text("Compare", exact=True).first.click()
    expect(page).to_have_url(re.compile("/compare"))
    wait_until_idle(page)
    page.go_back()
    expect(page).to_have_url(re.compile("/photo"))
    wait_until_idle(page)
    assert shown(page, coffee(60))
    page.reload()
    wait_until_idle(page)
    assert shown(page, coffee(60))
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=PATIENCE)
    page.reload()
    wait_until_idle(page)
    expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("The server restarted")).to_have_count(0)


def test_a_file_is_given_again_where_the_server_never_said_where_it_should_go(
    app_url, open_page, tmp_path
):
    page = open_page()
    dropped = []

    def drop_first_answer(route) -> None:
        server = route.connect_to_server()

        def pass_on(message) -> None:
            content = ForwardMsg.FromString(message) if isinstance(message, bytes) else None
            if content and content.WhichOneof("type") == "file_urls_response" and not dropped:
                dropped.append(content)  # As Streamlit does where a run begins at this moment.
            else:
                route.send(message)

        server.on_message(pass_on)

    page.route_web_socket("**/_stcore/stream", drop_first_answer)
    page.goto(f"{app_url}/photo?photo_source=upload&photo_method=median")
    wait_until_idle(page)
    coffee(60).save(tmp_path / "mine.png")
    upload(page, tmp_path / "mine.png")
    assert shown(page, coffee(60))
    assert len(dropped) == 1
    assert page.get_by_text("Shown, of your").count() == 0  # It came once.


# Clicks on the radio buttons in turn, much faster than a page is drawn.
CLICK_ABOUT = """() => {
  let turn = 0;
  const clicking = setInterval(() => {
    const radios = document.querySelectorAll('[data-testid="stButtonGroup"] [role="radio"]');
    radios[turn++ % 2].click();
  }, 25);
  setTimeout(() => clearInterval(clicking), 1500);
}"""


def test_no_file_is_lost_that_comes_while_the_page_is_drawn_again_and_again(photo, tmp_path):
    page = photo("?photo_source=upload&photo_method=median")
    rng = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (300, 300 + number, 3), np.uint8)).save(path)
        page.evaluate(CLICK_ABOUT)
        upload(page, path)
        page.wait_for_timeout(1500)
    page.get_by_role("radio", name="Upload").click()
    expect(page.get_by_text("Shown, of your 6 pictures")).to_be_visible(timeout=PATIENCE)
    # What was taken has left the uploader.
    expect(page.get_by_test_id("stFileChip")).to_have_count(0, timeout=PATIENCE)


def test_a_tab_that_the_server_has_forgotten_is_told_so_after_a_reload(photo, tmp_path):
    page = photo("?photo_source=upload&photo_method=median")
    coffee(60).save(tmp_path / "mine.png")
    upload(page, tmp_path / "mine.png")
    assert shown(page, coffee(60))
    # After an hour the server has forgotten the tab's word, as if it had never heard it.
    page.evaluate("() => sessionStorage.setItem('denoise-lab-tab', 'never heard of')")
    for _ in range(2):
        page.reload()
        expect(page.get_by_text("unused for an hour")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Add it again")).to_be_visible()
    upload(page, tmp_path / "mine.png")
    assert shown(page, coffee(60))
    expect(page.get_by_text("unused for an hour")).to_have_count(0)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    page.reload()
    expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=PATIENCE)
    wait_until_idle(page)
    expect(page.get_by_text("unused for an hour")).to_have_count(0)


def test_after_a_restart_of_the_server_the_page_says_that_pictures_are_gone(
    open_page, tmp_path, tmp_path_factory
):
    log = tmp_path_factory.mktemp("restart") / "server.log"
    server = AppServer(ROOT / "app.py", log)
    port = int(server.url.rpartition(":")[2])
    server.wait_until_healthy()
    try:
        page = open_page(server.url)
        page.goto(f"{server.url}/photo?photo_source=upload")
        wait_until_idle(page)
        coffee(60).save(tmp_path / "mine.png")
        upload(page, tmp_path / "mine.png")
        assert shown(page, coffee(60))
        server.stop()
        server = AppServer(ROOT / "app.py", log, port)
        server.wait_until_healthy()
        # The browser tries again by itself, sooner or later; a reload is the impatient way.
        page.reload()
        expect(page.get_by_text("The server restarted")).to_be_visible(timeout=PATIENCE)
        page.reload()
        expect(page.get_by_text("The server restarted")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("mine.png")).to_have_count(0)
        upload(page, tmp_path / "mine.png")
        assert shown(page, coffee(60))
        expect(page.get_by_text("The server restarted")).to_have_count(0)
        # Who adds another one at once is told of the first, too.
        server.stop()
        server = AppServer(ROOT / "app.py", log, port)
        server.wait_until_healthy()
        wait_until_idle(page)
        coffee(80).save(tmp_path / "other.png")
        upload(page, tmp_path / "other.png")
        assert shown(page, coffee(80))
        expect(page.get_by_text("The server restarted")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("The server restarted")).to_have_count(0)
    finally:
        server.stop()


def test_a_file_that_is_too_large_is_refused_in_words(photo, tmp_path):
    page = photo("?photo_source=upload", width=390, height=844, touch=True)
    (tmp_path / "huge.tif").write_bytes(b"II*\0" + bytes(21_000_000))
    upload(page, tmp_path / "huge.tif")
    refusal = page.get_by_test_id("stAlert").filter(has_text="huge.tif")
    expect(refusal).to_contain_text("21 MB, and at most 20 can be opened", timeout=PATIENCE)


def test_of_several_files_one_is_too_large_and_the_others_are_taken(photo, tmp_path):
    page = photo("?photo_source=upload&photo_method=median")
    (tmp_path / "huge.tif").write_bytes(b"II*\0" + bytes(21_000_000))
    coffee(60).save(tmp_path / "mine.png")
    upload(page, tmp_path / "huge.tif", tmp_path / "mine.png")
    assert shown(page, coffee(60))
    expect(page.get_by_test_id("stAlert").filter(has_text="huge.tif")).to_be_visible()
    expect(page.get_by_test_id("stFileChip")).to_have_count(0, timeout=PATIENCE)
    # It is said until something else is brought.
    coffee(80).save(tmp_path / "other.png")
    upload(page, tmp_path / "other.png")
    assert shown(page, coffee(80))
    expect(page.get_by_test_id("stAlert").filter(has_text="huge.tif")).to_have_count(0)


def test_transparent_pictures_lie_on_a_checkerboard(photo, tmp_path):
    page = photo("?photo_source=upload")
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:32, 16:32, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "ink.png")
    upload(page, tmp_path / "ink.png")
    wait_until_denoised(page)
    for title in ("Noisy", "Denoised"):
        seen = painted(page, title)[..., 0]
        assert np.all(seen[17:31, 17:31] == 0)
        # Squares of eight pixels, light and dark.
        assert (seen[0, 0], seen[0, 8], seen[8, 8]) == (255, 204, 255)


def test_a_result_is_taken_away_in_the_format_that_was_chosen(photo):
    page = photo()
    page.get_by_role("button", name="Format: PNG").click()
    page.get_by_test_id("stPopoverBody").locator("input").first.click()
    page.get_by_role("option", name="JPEG").click()
    wait_until_idle(page)
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").get_by_text("Denoised (JPEG)").click()
    assert download.value.suggested_filename.endswith(".jpg")
    with Image.open(download.value.path()) as file:
        assert file.format == "JPEG"


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
    expect(refusal).to_contain_text("not an image", timeout=PATIENCE)
    page.get_by_test_id("stButtonGroup").get_by_text("Sample", exact=True).click()
    wait_until_denoised(page)


def test_on_a_phone_nothing_is_cut_off(photo):
    page = photo(width=390, height=800, touch=True)
    assert not scrolls_sideways(page)


@pytest.mark.parametrize("link", ["", "?photo_task=noisy&photo_own_level=True&photo_level=40"])
def test_the_strength_sliders_blend_the_pictures_while_they_are_dragged(photo, link):
    page = photo(link)
    viewer = page.locator(".viewer")
    expect(viewer).to_have_attribute("data-live", "ready", timeout=PATIENCE)
    # Ties may be rounded otherwise; what was removed is shown four times as strong.
    tolerances = {"Denoised": 1} if not link else {"Denoised": 1, "Removed": 4}
    slider = page.get_by_role("slider", name="Denoising of brightness")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=6)
    expect(viewer).to_have_attribute("data-preview", re.compile(r"\d+ 100"))
    page.wait_for_timeout(300)
    previewed = {title: painted(page, title) for title in tolerances}
    version = viewer.get_attribute("data-version")
    page.mouse.up()
    expect(viewer).not_to_have_attribute("data-version", version, timeout=PATIENCE)
    wait_until_idle(page)
    assert viewer.get_attribute("data-preview") is None
    for title, before in previewed.items():
        assert np.abs(painted(page, title) - before).max() <= tolerances[title]


def test_back_shows_the_picture_that_was_there_and_a_slider_is_not_a_step(photo):
    page = photo("?photo_sample=coffee&photo_method=median")
    begun = page.evaluate("history.length")
    page.get_by_role("radio", name="Cat").click()
    expect(page).to_have_url(re.compile("photo_method=median$"), timeout=PATIENCE)
    wait_until_denoised(page)
    move_first_slider(page)
    expect(page).to_have_url(re.compile("photo_strength="))
    assert page.evaluate("history.length") == begun + 1
    page.go_back()
    expect(page).to_have_url(re.compile("photo_sample=coffee"), timeout=PATIENCE)
    wait_until_idle(page)
    expect(page.get_by_role("radio", name="Coffee")).to_be_checked()
    assert "photo_strength" not in page.url
    page.go_forward()
    wait_until_idle(page)
    expect(page.get_by_role("radio", name="Cat")).to_be_checked()
    assert "photo_strength" in page.url


def test_nothing_is_asked_of_another_host(app_url, open_page):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("", "photo", "train", "inside", "compare"):
        page.goto(f"{app_url}/{address}")
        wait_until_idle(page)
    others = [url for url in asked if not url.startswith((app_url, "data:", "blob:"))]
    assert others == []


def test_parts_that_did_not_load_are_said_with_a_button_and_no_picture_is_lost(
    app_url, open_page, tmp_path
):
    page = open_page(app_url)
    page.goto(f"{app_url}/photo?photo_source=upload")
    wait_until_idle(page)
    # Sliders are drawn once there is a picture; until then the connection is lost for them.
    page.route("**/Slider*.js", lambda route: route.abort())
    coffee(60).save(tmp_path / "mine.png")
    upload(page, tmp_path / "mine.png")
    button = page.get_by_role("button", name="Load the page again")
    expect(button).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("dynamically imported").first).not_to_be_visible()
    page.unroute("**/Slider*.js")
    button.click()
    wait_until_idle(page)
    assert shown(page, coffee(60))
    expect(page.get_by_role("slider").first).to_be_visible(timeout=PATIENCE)
    expect(button).not_to_be_visible()
