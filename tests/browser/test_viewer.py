"""The comparison viewer shows what it was sent, and obeys mouse, keys and fingers."""

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.pixels import canvas_of, painted
from tests.browser.viewer_harness import MARKUP, pictures
from tests.chromium import scrolls_sideways, wait_until_idle

ANYTHING = re.compile(".")
SCRIPT = "tests/browser/viewer_harness.py"


@pytest.fixture
def show(serve: Callable[..., str], open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``show(what)`` opens the page with these pictures and waits until they are painted."""

    def show_pictures(what: str = "digit", **settings) -> Page:
        page = open_page(f"{serve(SCRIPT)}/?what={what}", **settings)
        expect(viewer(page)).to_have_attribute("data-version", timeout=20_000, value=ANYTHING)
        return page

    return show_pictures


def viewer(page: Page) -> Locator:
    return page.locator(".viewer")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def change_seed(page: Page) -> None:
    """Have the server send other pixels, and wait until they are painted."""
    version = viewer(page).get_attribute("data-version")
    page.get_by_role("slider", name="Seed").press("ArrowRight")
    expect(viewer(page)).not_to_have_attribute("data-version", version)
    wait_until_idle(page)


def view(page: Page) -> dict[str, str]:
    """Everything the viewer says about what it shows, without which pixels."""
    said = viewer(page).evaluate("viewer => ({...viewer.dataset})")
    del said["version"]
    return said


def levels(image: np.ndarray) -> np.ndarray:
    """What the screen should hold of an image: 8-bit, three channels."""
    return np.broadcast_to(np.round(255 * image), (*image.shape[:2], 3)).astype(int)


def on_screen(page: Page, title: str) -> np.ndarray:
    """What can be seen where a canvas lies, three channels."""
    shot = page.screenshot(clip=canvas_of(page, title).bounding_box())
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


@pytest.mark.parametrize("what", ["digit", "crop", "photo"])
def test_the_canvases_hold_the_pixels_that_were_sent(show, what):
    page = show(what)
    for title, image in pictures(what, seed=1).items():
        assert np.array_equal(painted(page, title), levels(image)), title
    change_seed(page)
    for title, image in pictures(what, seed=2).items():
        assert np.array_equal(painted(page, title), levels(image)), title


def test_a_digit_is_seen_as_equally_large_sharp_squares(show):
    page = show()
    zoom = float(view(page)["zoom"])
    assert zoom >= 10
    assert zoom % 1 == 0
    for title, image in pictures("digit", seed=1).items():
        squares = np.kron(levels(image)[..., 0], np.ones((int(zoom), int(zoom))))
        seen = on_screen(page, title)[..., 0]
        # The corners of the panel are rounded by 4 px.
        assert np.array_equal(seen[5:-5, 5:-5], squares[5:-5, 5:-5]), title


def test_the_wipe_line_parts_two_pictures_and_obeys_the_keys(show):
    page = show()
    press(page, "Wipe")
    line = page.get_by_role("slider", name="Wipe position")
    expect(line).to_have_attribute("aria-valuenow", "50")
    line.press("ArrowLeft")
    expect(line).to_have_attribute("aria-valuenow", "48")
    line.press("Shift+ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "58")
    line.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "0")
    line.press("End")
    expect(line).to_have_attribute("aria-valuetext", "100 % Noisy, the rest Denoised")
    for _ in range(5):
        line.press("PageDown")

    zoom = int(view(page)["zoom"])
    centres = slice(zoom // 2, None, zoom)
    seen = on_screen(page, "Noisy")[centres, centres]
    images = pictures("digit", seed=1)
    # Leave out the columns beside the line, and the one under its round grip.
    assert np.array_equal(seen[:, :11], levels(images["Noisy"])[:, :11])
    assert np.array_equal(seen[:, 17:], levels(images["Denoised"])[:, 17:])

    page.get_by_label("Picture on the left of the line").select_option("Original")
    seen = on_screen(page, "Noisy")[centres, centres]
    assert np.array_equal(seen[:, :11], levels(images["Original"])[:, :11])


def test_the_wipe_line_follows_the_mouse(show):
    page = show()
    press(page, "Wipe")
    box = canvas_of(page, "Noisy").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=3)
    page.mouse.up()
    line = page.get_by_role("slider", name="Wipe position")
    expect(line).to_have_attribute("aria-valuenow", "25")


def test_number_keys_flip_and_holding_shows_the_other(show):
    page = show()
    page.locator(".stage").focus()
    shown = page.locator(".shown")
    for key, title in [("1", "Original"), ("2", "Noisy"), ("3", "Denoised")]:
        page.keyboard.press(key)
        expect(shown).to_have_text(title)
        expect(page.get_by_role("img")).to_have_count(1)
        expect(canvas_of(page, title)).to_be_visible()

    page.keyboard.down(" ")
    expect(shown).to_have_text("Noisy")
    expect(canvas_of(page, "Denoised")).not_to_be_visible()
    page.keyboard.up(" ")
    expect(shown).to_have_text("Denoised")

    press(page, "1 Original")
    canvas_of(page, "Original").hover()
    page.mouse.down()
    expect(shown).to_have_text("Denoised")
    page.mouse.up()
    expect(shown).to_have_text("Original")

    page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("Noisy")


@pytest.mark.parametrize("what", ["digit", "photo"])
def test_the_view_survives_new_pixels(show, what):
    page = show(what)
    press(page, "Wipe")
    page.get_by_role("slider", name="Wipe position").press("PageUp")
    press(page, "Zoom in")
    press(page, "Zoom in")
    page.locator(".stage").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_label("Picture on the left of the line").select_option("Original")
    before, place = view(page), page.get_by_text("Below the viewer").bounding_box()
    assert float(before["y"]) > 0.5

    change_seed(page)
    assert view(page) == before
    assert page.get_by_text("Below the viewer").bounding_box() == place
    line = page.get_by_role("slider", name="Wipe position")
    expect(line).to_have_attribute("aria-valuetext", "60 % Original, the rest Denoised")


def test_the_view_survives_while_the_viewer_is_away(show):
    page = show()
    press(page, "Flip")
    press(page, "Zoom in")
    before = view(page)
    page.get_by_text("Viewer", exact=True).click()
    expect(viewer(page)).to_have_count(0)
    page.get_by_text("Viewer", exact=True).click()
    expect(viewer(page)).to_have_attribute("data-version", ANYTHING)
    assert view(page) == before


def test_the_difference_has_a_fixed_scale_and_true_numbers(show):
    page = show()
    press(page, "Difference")
    images = pictures("digit", seed=1)
    change = levels(images["Denoised"]) - levels(images["Original"])

    def expected(gain: int, signed: bool) -> np.ndarray:
        return np.clip(128 + gain * change if signed else gain * abs(change), 0, 255)

    assert np.array_equal(painted(page, "Difference"), expected(1, signed=True))
    press(page, "×4")
    assert np.array_equal(painted(page, "Difference"), expected(4, signed=True))
    expect(page.locator(".words")).to_contain_text("by 32 levels or more")
    press(page, "Absolute")
    assert np.array_equal(painted(page, "Difference"), expected(4, signed=False))
    expect(page.locator(".words")).to_contain_text("64 levels or more")
    mean, largest = abs(change).mean(), abs(change).max()
    expect(page.locator(".measured")).to_have_text(
        f"Mean difference {mean:.1f}, largest {largest}, of 255."
    )

    change_seed(page)
    page.get_by_label("Picture that is compared").select_option("Noisy")
    images = pictures("digit", seed=2)
    change = levels(images["Noisy"]) - levels(images["Original"])
    assert np.array_equal(painted(page, "Difference"), expected(4, signed=False))


def test_the_pixel_under_the_mouse_is_read_out(show):
    page = show("crop")
    zoom = int(view(page)["zoom"])
    page.mouse.move(5, 5)
    canvas_of(page, "Noisy").hover(position={"x": 7.5 * zoom, "y": 9.5 * zoom})
    values = [levels(image)[9, 7] for image in pictures("crop", seed=1).values()]
    expect(page.locator(".place")).to_have_text("x  7  y  9".replace("  7", " \u20077"))
    for cell, value in zip(page.locator(".level").all(), values, strict=True):
        assert cell.inner_text().replace("\u2007", " ").split() == [str(n) for n in value]


@pytest.mark.parametrize("what", ["crop", "photo"])  # Sent as they are, and as files.
def test_the_class_under_the_mouse_is_named(show, what):
    page = show(f"{what}&classes=yes")
    original = canvas_of(page, "Original")
    width, height = (original.bounding_box()[side] for side in ("width", "height"))
    cells = page.locator(".level")
    for share, expected in ((0.25, "sky"), (0.75, "road")):
        original.hover(position={"x": width / 2, "y": share * height})
        expect(cells.nth(1)).to_have_text(expected)
        expect(cells.nth(2)).to_have_text("road")
    original.hover(position={"x": 1, "y": 1})
    expect(cells.nth(1)).to_have_text("–")
    assert len(cells.nth(0).inner_text().split()) == 3  # Its own values, in three channels.


def test_the_wheel_scrolls_the_page_until_zooming_is_meant(show):
    page = show("photo", height=500)
    noisy = canvas_of(page, "Noisy")
    fitted = view(page)["zoom"]
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"

    noisy.hover()
    page.mouse.wheel(0, 60)
    page.wait_for_function(f"{scrolled} > 0")
    assert view(page)["zoom"] == fitted
    expect(page.locator(".hint")).to_have_class("hint on")

    noisy.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    expect(viewer(page)).not_to_have_attribute("data-zoom", fitted)
    press(page, "Fit")
    assert view(page)["zoom"] == fitted

    noisy.click()
    place = page.evaluate(scrolled)
    page.mouse.wheel(0, -60)
    expect(viewer(page)).not_to_have_attribute("data-zoom", fitted)
    assert page.evaluate(scrolled) == place


def test_the_point_under_the_mouse_stays_there_while_zooming(show):
    page = show("photo")
    noisy = canvas_of(page, "Noisy")
    box = noisy.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 80)
    before = page.locator(".place").inner_text()
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -40)
    page.keyboard.up("Control")
    expect(viewer(page)).not_to_have_attribute("data-zoom", view(page)["zoom"][:4])
    assert float(view(page)["zoom"]) > 1
    page.mouse.move(box["x"] + 100.4, box["y"] + 80.4)
    numbers = [
        np.array([int(n) for n in text.replace("\u2007", " ").split() if n.isdigit()])
        for text in (before, page.locator(".place").inner_text())
    ]
    # At the fitted zoom of one half, a pixel of the screen is two of the picture.
    assert abs(numbers[0] - numbers[1]).max() <= 2


def test_buttons_keys_and_double_clicks_zoom(show):
    page = show("photo")
    percent = page.locator(".percent")
    fitted = percent.inner_text()
    press(page, "100 %")
    expect(percent).to_have_text("100 %")
    box = canvas_of(page, "Original").bounding_box()
    assert (box["width"], box["height"]) == (720, 480)
    press(page, "Fit")
    expect(percent).to_have_text(fitted)
    page.locator(".stage").focus()
    page.keyboard.press("+")
    expect(percent).not_to_have_text(fitted)
    page.keyboard.press("0")
    expect(percent).to_have_text(fitted)
    canvas_of(page, "Noisy").dblclick()
    expect(percent).to_have_text("100 %")
    canvas_of(page, "Noisy").dblclick()
    expect(percent).to_have_text(fitted)


def test_dragging_moves_all_pictures_together(show):
    page = show("photo")
    press(page, "100 %")
    before = [canvas_of(page, title).bounding_box() for title in ("Original", "Denoised")]
    stage = page.locator(".viewport").first.bounding_box()
    page.mouse.move(stage["x"] + 150, stage["y"] + 100)
    page.mouse.down()
    page.mouse.move(stage["x"] + 120, stage["y"] + 80, steps=3)
    page.mouse.up()
    after = [canvas_of(page, title).bounding_box() for title in ("Original", "Denoised")]
    for was, now in zip(before, after, strict=True):
        assert (now["x"] - was["x"], now["y"] - was["y"]) == (-30, -20)


def test_a_finger_scrolls_the_page_and_two_zoom(show):
    page = show("digit", width=375, height=700, touch=True)
    stage = page.locator(".stage")
    fitted = float(view(page)["zoom"])
    expect(stage).to_have_css("touch-action", "pan-x pan-y")
    box = canvas_of(page, "Noisy").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *apart: float) -> None:
        points = [{"x": x + offset, "y": y, "id": n} for n, offset in enumerate(apart)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -10)
    touch("touchStart", -10, 10)
    for apart in (12, 16, 20):
        touch("touchMove", -apart, apart)
    touch("touchEnd")
    expect(viewer(page)).to_have_class("viewer magnified pannable")
    assert float(view(page)["zoom"]) == pytest.approx(2 * fitted, rel=0.05)
    # Zoomed in, one finger moves the picture.
    expect(stage).to_have_css("touch-action", "none")


@pytest.mark.parametrize("what", ["digit", "photo", "tall", "six"])
def test_a_phone_needs_no_sideways_scrolling(show, what):
    page = show(what, width=375, height=700, touch=True)
    for mode in ("Side by side", "Wipe", "Flip", "Difference"):
        press(page, mode)
        assert not scrolls_sideways(page), mode
        for part in page.locator(".viewer button:visible, .viewer select:visible").all():
            box = part.bounding_box()
            assert box["x"] >= 0, (mode, part)
            assert box["x"] + box["width"] <= 375, (mode, part)


def test_on_a_phone_digits_stay_beside_each_other_and_photos_stack(show):
    page = show("digit", width=375, touch=True)
    titles = ("Original", "Noisy", "Denoised")
    tops = {canvas_of(page, title).bounding_box()["y"] for title in titles}
    assert len(tops) == 1
    page = show("photo", width=375, touch=True)
    lefts = {canvas_of(page, title).bounding_box()["x"] for title in ("Original", "Noisy")}
    assert len(lefts) == 1


def test_full_screen_uses_the_screen_and_gives_the_page_back(show):
    page = show()
    before = page.get_by_text("Below the viewer").bounding_box()
    press(page, "Full screen")
    expect(viewer(page)).to_have_class("viewer magnified full")
    assert viewer(page).bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 900}
    press(page, "Leave full screen")
    expect(viewer(page)).to_have_class("viewer magnified")
    assert page.get_by_text("Below the viewer").bounding_box() == before


def test_without_the_fullscreen_api_the_viewer_covers_the_page(show):
    page = show()
    viewer(page).evaluate("viewer => { viewer.requestFullscreen = undefined; }")
    press(page, "Full screen")
    expect(viewer(page)).to_have_class("viewer magnified full")
    assert viewer(page).bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 900}
    # Nothing of the page lies above it.
    expect(canvas_of(page, "Original")).to_be_visible()
    press(page, "Wipe")
    page.locator(".stage").focus()
    page.keyboard.press("Escape")
    expect(viewer(page)).to_have_class("viewer magnified")


def test_pictures_that_are_missing_are_asked_for_until_the_server_hears_it(serve, open_page):
    page, lost = open_page(), []

    def lose_the_first(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if b'"missing"' in message and not lost:
                lost.append(message)  # As where a run that begins at this moment breaks it off.
            else:
                server.send(message)

        route.on_message(pass_on)

    page.route_web_socket("**/_stcore/stream", lose_the_first)
    page.goto(f"{serve(SCRIPT)}/?missing=")
    expect(viewer(page)).to_have_attribute("data-version", timeout=20_000, value=ANYTHING)
    assert len(lost) == 1
    for title, image in pictures("digit", 1).items():
        assert np.array_equal(painted(page, title), levels(image)), title


def test_titles_and_captions_are_text_and_never_markup(show):
    page = show("markup")
    assert page.locator(".viewer img, .viewer b:not(.level)").count() == 0
    expect(page.locator(".title").first).to_have_text(MARKUP)
    expect(page.locator(".heading .caption").first).to_have_text(MARKUP)
    for mode in ("Wipe", "Flip", "Difference"):
        press(page, mode)
    assert page.locator(".viewer img, .viewer b:not(.level)").count() == 0
    assert page.evaluate("window.broken") is None


def test_pictures_and_controls_have_names(show):
    page = show()
    expect(page.get_by_role("img", name="A T with noise")).to_be_visible()
    expect(page.get_by_role("img", name="Original, 28 by 28 pixels")).to_be_visible()
    mode = page.get_by_role("group", name="Comparison mode")
    expect(mode.get_by_role("button", pressed=True)).to_have_text("Side by side")
    for mode in ("Wipe", "Flip", "Difference"):
        press(page, mode)
        for part in page.locator(".viewer button:visible, .viewer select:visible").all():
            label = part.get_attribute("aria-label") or part.inner_text()
            assert label.strip(), part


def test_the_keyboard_stays_with_the_viewer_where_the_wipes_handle_goes(show):
    page = show()
    press(page, "Wipe")
    page.locator(".handle").focus()
    page.keyboard.press("1")
    expect(viewer(page)).to_have_attribute("data-mode", "flip")
    page.keyboard.press("3")
    expect(page.locator("strong.shown")).to_have_text("Denoised")


def test_a_pixel_of_the_screen_is_one_of_the_picture_on_another_screen_too(show):
    page = show("photo")
    press(page, "100 %")
    # As where the browser's zoom is changed, or its window goes to another screen.
    session = page.context.new_cdp_session(page)
    screen = {"width": 1280, "height": 900, "deviceScaleFactor": 2, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", screen)
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    expect(canvas_of(page, "Original")).to_have_css("width", "360px")
