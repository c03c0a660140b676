"""The Draw page, used as a visitor would: mouse, keyboard, links, a phone."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.pixels import canvas_of, painted
from tests.chromium import move_first_slider, scrolls_sideways, wait_until_idle

TITLES = ("Original", "Noisy", "Denoised")


@pytest.fixture
def draw(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``draw(link)`` opens the Draw page and waits for its pictures."""

    def open_draw(link: str = "", **settings) -> Page:
        page = open_page(f"{app_url}/{link}", **settings)
        wait_until_painted(page)
        return page

    return open_draw


def wait_until_painted(page: Page) -> None:
    expect(page.locator(".viewer")).to_have_attribute(
        "data-version", re.compile("."), timeout=20_000
    )
    wait_until_idle(page)


def pictures(page: Page, *titles: str) -> list[np.ndarray]:
    """The pictures in the viewer as float (28, 28) in [0, 1]."""
    return [painted(page, title)[..., 0] / 255 for title in titles or TITLES]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one - other) ** 2))


def drag(page: Page, *points: tuple[float, float]) -> None:
    """Draw one stroke through points given as shares of the drawing canvas."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    viewer = page.locator(".viewer")
    version = viewer.get_attribute("data-version") if viewer.count() else "none yet"
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    expect(viewer).not_to_have_attribute("data-version", version)
    wait_until_idle(page)


def press(page: Page, key: str) -> None:
    """Press a key on the strength slider and wait for the new pictures."""
    version = page.locator(".viewer").get_attribute("data-version")
    page.get_by_role("slider", name="Strength").press(key)
    expect(page.locator(".viewer")).not_to_have_attribute("data-version", version)
    wait_until_idle(page)


def test_a_result_is_on_screen_before_the_first_click(draw):
    clean, noisy, denoised = pictures(draw())
    assert clean.shape == (28, 28)
    assert clean.max() == 1
    assert distance(clean, denoised) < distance(clean, noisy)


def test_a_drawn_seven_is_corrupted_restored_and_travels_in_its_link(draw):
    page = draw()
    page.get_by_role("radio", name="blank").click()
    expect(page.get_by_text("The canvas is empty")).to_be_visible()
    wait_until_idle(page)
    drag(page, (0.3, 0.25), (0.7, 0.25), (0.45, 0.8))
    wait_until_painted(page)
    clean, noisy, denoised = pictures(page)
    # A seven: ink along the top of the box, ink at the lower middle, none at the lower right.
    assert clean[4:9, 8:19].max(axis=0).min() > 0.3
    assert clean[18:24, 8:16].max() > 0.9
    assert clean[16:, 20:].max() == 0
    assert distance(clean, denoised) < distance(clean, noisy)

    press(page, "ArrowRight")
    clean_after, noisy_after, denoised_after = pictures(page)
    assert np.array_equal(clean_after, clean)
    assert not np.array_equal(noisy_after, noisy)
    assert distance(clean, noisy_after) > distance(clean, noisy)
    assert distance(clean, denoised_after) < distance(clean, noisy_after)

    elsewhere = draw("?" + page.url.partition("?")[2])
    for here, there in zip(pictures(page), pictures(elsewhere), strict=True):
        assert np.array_equal(here, there)


def test_a_reload_shows_the_same_pixels_and_strokes_add_to_a_drawing_from_the_link(draw):
    page = draw()
    drag(page, (0.1, 0.1), (0.1, 0.9))
    before = pictures(page)
    page.reload()
    wait_until_painted(page)
    for kept, shown in zip(before, pictures(page), strict=True):
        assert np.array_equal(kept, shown)
    drag(page, (0.9, 0.1), (0.9, 0.9))
    clean, *_ = pictures(page)
    assert clean[10:18, :8].max() > 0.5
    assert clean[10:18, 20:].max() > 0.5


def test_the_bin_takes_away_a_ready_digit_and_a_drawing_made_before_another_page_was_visited(draw):
    page = draw()
    page.get_by_title("Reset canvas & history").click()
    expect(page.get_by_text("The canvas is empty")).to_be_visible()
    wait_until_idle(page)
    assert "start=blank" in page.url
    drag(page, (0.3, 0.25), (0.7, 0.25))
    compare = page.get_by_role("link", name="Compare").first
    compare.focus()
    for key in ("Shift+Tab", "Tab"):  # To a mouse, a browser does not show where it is.
        page.keyboard.press(key)
    expect(compare).to_have_css("outline-style", "solid")
    expect(compare).to_have_css("outline-width", "2px")
    compare.click()
    expect(page.get_by_text("Ranked at strength")).to_be_visible()
    page.get_by_role("link", name="Draw").first.click()
    wait_until_painted(page)
    page.get_by_title("Reset canvas & history").click()
    expect(page.get_by_text("The canvas is empty")).to_be_visible()
    wait_until_idle(page)
    assert "drawing=" not in page.url


def test_the_same_seed_scales_the_same_pattern_and_new_noise_draws_another(draw):
    page = draw("?strength=0.1&noise=salt-and-pepper")
    (weak,) = pictures(page, "Noisy")
    press(page, "ArrowRight")
    clean, stronger = pictures(page, "Original", "Noisy")
    replaced = weak != clean
    assert replaced.any()
    assert np.array_equal(stronger[replaced], weak[replaced])

    page.get_by_role("button", name="New noise").click()
    wait_until_idle(page)
    (other,) = pictures(page, "Noisy")
    assert not np.array_equal(other, stronger)
    assert "seed=" in page.url


def test_reset_goes_back_to_the_arrival(draw):
    page = draw()
    arrival = pictures(page)
    drag(page, (0.2, 0.2), (0.8, 0.8))
    press(page, "End")
    page.get_by_role("button", name="Reset", exact=True).click()
    wait_until_idle(page)
    for kept, shown in zip(arrival, pictures(page), strict=True):
        assert np.array_equal(kept, shown)
    assert "?" not in page.url


@pytest.mark.parametrize(
    ("link", "sentences"),
    [
        (
            "?model=hal-9000&noise=<b>static</b>&strength=7&seed=-1&drawing=abc",
            (
                "the model hal-9000, which does not exist",
                "the noise <b>static</b>, which does not exist",
                "the strength 7, but it goes from 0 to 1",
                "the seed -1, but it goes from 0 to 9999",
                "The drawing in the link is damaged",
            ),
        ),
        (
            "?strength=nan&seed=" + "9" * 300 + "&drawing=" + "A" * 5000,
            (
                "the strength nan, but it goes from 0 to 1",
                "9999, but it goes from 0 to 9999",
                "The drawing in the link is damaged",
            ),
        ),
        ("?noise=block&strength=0.9", ("the strength 0.9, but it goes from 0 to 0.8",)),
    ],
)
def test_nonsense_in_the_link_gets_sentences_and_the_usual_picture(draw, link, sentences):
    page = draw(link)
    for sentence in sentences:
        expect(page.get_by_text(sentence)).to_be_visible()
    clean, noisy, denoised = pictures(page)
    assert distance(clean, denoised) < distance(clean, noisy)


def test_the_denoised_picture_downloads_without_loss(draw, tmp_path: Path):
    page = draw()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Denoised (PNG)").click()
    picture = np.asarray(Image.open(io.BytesIO(Path(saved.value.path()).read_bytes())))
    assert picture.shape == (28, 28)
    assert np.array_equal(picture / 255, pictures(page, "Denoised")[0])
    with page.expect_download() as saved:
        page.get_by_role("button", name="Settings (JSON)").click()
    assert json.loads(Path(saved.value.path()).read_text())["noise"] == "gaussian"


def test_pure_noise_has_no_original_and_no_numbers(draw):
    page = draw("?source=nothing")
    expect(canvas_of(page, "Original")).to_have_count(0)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    (noisy,) = pictures(page, "Noisy")
    assert noisy.std() > 0.2


def test_a_letter_goes_through_a_digit_model(draw):
    page = draw("?source=other")
    clean, noisy, _ = pictures(page)
    assert distance(clean, noisy) > 0.05


def test_a_phone_shows_everything_without_scrolling_sideways(draw):
    page = draw(width=375, height=812, touch=True)
    assert not scrolls_sideways(page)
    for title in TITLES:
        box = canvas_of(page, title).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 375


def test_a_finger_draws_and_does_not_scroll_the_page(draw):
    page = draw("?start=1", width=375, height=812, touch=True)
    canvas = page.locator("canvas.upper-canvas")
    assert canvas.evaluate("it => getComputedStyle(it).touchAction") == "none"


def test_a_visit_to_another_page_changes_nothing(draw):
    page = draw("?noise=block&seed=3&start=5")
    drag(page, (0.2, 0.2), (0.8, 0.2))
    before = pictures(page)
    page.get_by_role("link", name="Train a network").click()
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible()
    wait_until_idle(page)
    page.get_by_role("link", name="Draw a digit").click()
    wait_until_painted(page)
    for kept, shown in zip(before, pictures(page), strict=True):
        assert np.array_equal(kept, shown)


def test_a_visitor_does_not_see_what_another_draws(draw):
    mine, yours = draw(), draw()
    before = pictures(yours)
    drag(mine, (0.1, 0.5), (0.9, 0.5))
    yours.reload()
    wait_until_painted(yours)
    for kept, shown in zip(before, pictures(yours), strict=True):
        assert np.array_equal(kept, shown)


def test_all_methods_are_worked_out_once_they_are_scrolled_to_and_follow_the_noise(draw):
    page = draw(width=1000, height=500)
    gallery = page.locator(".st-key-settled_methods .lab-gallery")
    expect(gallery).to_have_count(0)
    page.get_by_role("heading", name="All methods on this picture").scroll_into_view_if_needed()
    expect(gallery.locator("img").first).to_be_visible()
    names = gallery.all_inner_texts()[0]
    for name in ("U-Net", "Non-local means"):
        assert name in names
    before = gallery.locator("img").first.get_attribute("src")
    page.get_by_role("button", name="New noise").evaluate("it => it.click()")  # without scrolling
    expect(gallery.locator("img").first).not_to_have_attribute("src", before)
    # Far below, where the heading is not on the screen any more, they stay.
    gallery.locator("img").last.scroll_into_view_if_needed()
    wait_until_idle(page)
    expect(gallery.locator("img").last).to_be_visible()


def test_the_list_of_networks_shows_whole_names_and_what_each_is_on_a_phone(draw):
    page = draw(width=390, height=844)
    box = page.get_by_role("combobox", name="Denoise with")
    box.scroll_into_view_if_needed()
    assert box.bounding_box()["width"] > 300
    box.click()
    options = page.get_by_role("option")
    expect(options.get_by_text("Convolutional 16-8-8 · the smallest")).to_be_visible()
    cut = options.evaluate_all(
        "all => all.flatMap(one => [one, ...one.querySelectorAll('*')])"
        ".filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"
    )
    assert cut == []
    assert page.get_by_role("listbox").bounding_box()["width"] <= 390 - 16


def test_back_shows_the_digit_that_was_there_and_a_slider_is_not_a_step(draw):
    page = draw("?start=5")
    begun = page.evaluate("history.length")
    before = painted(page, "Original")
    page.get_by_role("radio", name="8", exact=True).click()
    expect(page).to_have_url(re.compile("start=8"))
    wait_until_idle(page)
    move_first_slider(page)
    expect(page).to_have_url(re.compile("strength="))
    assert page.evaluate("history.length") == begun + 1
    page.go_back()
    expect(page).to_have_url(re.compile("start=5"))
    wait_until_idle(page)
    assert np.array_equal(painted(page, "Original"), before)
    assert "strength" not in page.url
