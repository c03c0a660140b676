"""The Inside page, used as a visitor would: from the Draw page, by mouse, keyboard and thumb."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from pages.components.inside.settings import SECTIONS
from tests.browser.pixels import painted_on
from tests.chromium import scrolls_sideways, wait_until_idle

# One that each section explains.
TERM = {
    "layers": "Receptive field",
    "window": "Kernel",
    "skips": "Encoder and decoder",
    "checkerboard": "Spectrum",
    "code": "Decoder",
    "pca": "Component",
    "order": "Permutation",
    "anomaly": "ROC curve",
}
TRAIL = (239, 108, 0)  # The orange of the ring on the map of codes.


@pytest.fixture
def visit(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``visit(link)`` opens the Inside page."""

    def open_inside(link: str = "", **settings) -> Page:
        page = open_page(f"{app_url}/inside{link}", **settings)
        expect(page.get_by_role("heading", name="Inside the network")).to_be_visible()
        wait_until_idle(page)
        return page

    return open_inside


def see(page: Page, section: str) -> None:
    choice = page.get_by_role("radiogroup", name="Section").get_by_role("radio", name=section)
    choice.click()
    expect(choice).to_be_checked()
    wait_until_idle(page)


def press(control: Locator, key: str) -> None:
    control.press(key)
    wait_until_idle(control.page)


def choose(page: Page, name: str, option: str) -> None:
    page.get_by_role("combobox", name=name).click()
    page.get_by_role("option", name=option).click()
    wait_until_idle(page)


def pictures(page: Page, part: str = "") -> list[str]:
    """The pictures on the page, or in a part of it, as they were sent."""
    found = page.locator(f"{part} .lab-gallery img")
    return found.evaluate_all("all => all.map(each => each.src)")


def decibels(page: Page, part: str) -> list[float]:
    """The PSNR below the pictures of a part of the page, where there is one."""
    words = " ".join(page.locator(f"{part} .lab-gallery").all_inner_texts())
    return [float(number) for number in re.findall(r"([\d.]+) dB", words)]


def test_a_link_is_the_first_thing_that_a_new_server_is_asked_for(serve, open_page):
    page = open_page()
    page.goto(f"{serve('app.py', DENOISE_TEST='first visit by a link')}/inside?inside=window")
    expect(page.get_by_role("heading", name="Inside the network")).to_be_visible(timeout=60_000)
    wait_until_idle(page)
    expect(page.get_by_role("radio", name="One window")).to_be_checked()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    for name in ("Draw a digit", "Denoise a photo", "Train a network", "Compare"):
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_the_digit_of_the_draw_page_is_looked_at_in_every_section(stronger):
    page = stronger
    page.get_by_role("link", name="Inside the network").click()
    wait_until_idle(page)
    slider = page.get_by_role("slider", name="Strength")
    expect(slider).to_have_value("0.51")
    before = pictures(page)
    slider.press("ArrowRight")
    wait_until_idle(page)
    assert not set(before) & set(pictures(page))

    # A click in the diagram and the list below it are one choice.
    page.locator(".layer", has_text="encoder_2_pool:").locator(".box").click()
    wait_until_idle(page)
    expect(page.get_by_role("combobox", name="Layer")).to_have_value(re.compile("encoder_2_pool"))
    expect(page.locator(".layer.chosen")).to_contain_text("7 × 7 × 32")
    assert "inside_layer=encoder_2_pool" in page.url

    see(page, "One window")
    end = page.locator(".steps tr.end td").last
    value = end.inner_text()
    page.get_by_role("slider", name="Row").press("ArrowRight")
    wait_until_idle(page)
    assert end.inner_text() != value
    assert page.locator(".steps tr:nth-last-child(2) td").last.inner_text() == end.inner_text()

    see(page, "Skip connections")
    before = pictures(page)
    page.get_by_text("28 × 28, the finest").click()
    wait_until_idle(page)
    after = pictures(page)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, True, False, False]

    see(page, "Checkerboard")
    resized, transposed = page.get_by_test_id("stMetric").filter(has_text="last maps").all()
    percent = re.compile(r"([\d.]+)%")
    assert float(percent.search(resized.inner_text())[1]) < 2
    assert float(percent.search(transposed.inner_text())[1]) > 10


def test_a_phone_shows_every_section_without_scrolling_sideways_and_explains_a_term(visit):
    page = visit(f"?inside={[*SECTIONS][-1]}", width=390, height=844, touch=True, dark=True)
    for section, title in SECTIONS.items():
        see(page, title)
        assert not scrolls_sideways(page), section
        for picture in page.locator(".lab-gallery img").all():
            assert picture.get_attribute("alt")
        shown = ".lab-gallery img, .stVegaLiteChart, .stDataFrame, .stSlider, .stButton"
        for element in page.locator(shown).filter(visible=True).all():
            box = element.bounding_box()
            assert box["x"] >= 0, section
            assert box["x"] + box["width"] <= 390, section

    # On a phone there is nothing to hover with.
    page.set_viewport_size({"width": 1280, "height": 900})
    for section, title in SECTIONS.items():
        see(page, title)
        page.locator(".stMarkdownBadge").get_by_text(TERM[section], exact=True).first.hover()
        expect(page.get_by_test_id("stTooltipContent").first).to_be_visible()


def test_back_opens_the_section_before(visit):
    page = visit("?inside=pca")
    see(page, "Anomaly")
    page.go_back()
    section = page.get_by_role("radiogroup", name="Section")
    expect(section.get_by_role("radio", name="PCA")).to_be_checked()
    expect(page.get_by_role("heading", name="This digit at every width")).to_be_visible()
    assert page.url.endswith("/inside?inside=pca")


def test_a_list_names_the_layer_of_the_network_that_is_shown(visit):
    page = visit("?inside_layer=denoised", width=390, height=844, touch=True)
    layers = page.get_by_role("combobox", name="Layer")
    expect(layers).to_have_value("denoised · Convolution 1 × 1")
    # The diagram is wider than the phone and has moved to its last layer.
    assert page.locator(".layer.chosen .box").bounding_box()["x"] < 390
    frame = page.get_by_role("group", name="Diagram of the layers")
    expect(frame).to_have_attribute("tabindex", "0")
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(frame).to_have_attribute("tabindex", "-1")
    page.set_viewport_size({"width": 390, "height": 844})
    choose(page, "Network", "Dense 784-64-784")
    expect(layers).to_have_value("denoised · Fold into maps")


def test_a_slider_of_the_code_draws_another_digit_and_stands_in_the_link(visit):
    page = visit("?inside=code")
    digit, from_code, from_sliders = pictures(page, ".st-key-code-decoded")
    slider = page.get_by_role("slider", name="Number 4")
    press(slider, "End")
    expect(page).to_have_url(re.compile("code_values="))
    wait_until_idle(page)
    after = pictures(page, ".st-key-code-decoded")
    assert after[:2] == [digit, from_code]
    assert after[2] != from_sliders
    assert slider.get_attribute("value") in page.url.partition("code_values=")[2].split("_")
    elsewhere = visit(page.url.partition("/inside")[2])
    assert pictures(elsewhere, ".st-key-code-decoded") == after


def test_noise_moves_the_ring_on_the_map_of_codes(visit):
    page = visit("?inside=code")
    chart = page.locator("[aria-label*='map of the codes'][aria-label*='strength 0.5.'] canvas")
    before = painted_on(chart)
    # On the white page only the backgrounds of the small pictures are black.
    black = (before < 8).all(axis=-1).sum()
    assert black > 100 * 12**2
    press(page.get_by_role("slider", name="Strength"), "End")
    after = painted_on(page.locator("[aria-label*='noise, strength 1.'] canvas"))
    was, now = (np.abs(each - TRAIL).max(axis=-1) < 8 for each in (before, after))
    # The way stays; what is gone and what is new are the two rings.
    gone, new = (np.argwhere(pixels).mean(axis=0) for pixels in (was & ~now, now & ~was))
    assert np.linalg.norm(gone - new) > 3


def test_more_numbers_keep_more_of_the_digit_with_pca_and_with_autoencoders(visit):
    page = visit("?inside=pca")
    part = ".st-key-pca-one"
    digit, *eight = pictures(page, part)
    with_eight = decibels(page, part)
    slider = page.get_by_role("slider", name="Numbers to keep")
    press(slider, "Home")
    for kind in ("component", "hidden"):
        expect(page.locator(f".st-key-pca-parts-{kind} img")).to_have_count(2)
    press(slider, "End")
    expect(page).to_have_url(re.compile("pca_width=128"))
    wait_until_idle(page)
    same, *most = pictures(page, part)
    assert same == digit
    assert not set(eight) & set(most)
    for more, less in zip(decibels(page, part), with_eight, strict=True):
        assert more > less + 5


def test_shuffled_pixels_hurt_the_convolution_alone(visit):
    page = visit("?inside=order")
    part = ".st-key-order-answers"
    dense, dense_shuffled, ordered, shuffled = decibels(page, part)
    assert abs(dense - dense_shuffled) < 2
    assert ordered - shuffled > 3
    before = pictures(page, part)
    page.get_by_role("button", name="New noise").click()
    expect(page).to_have_url(re.compile("inside_seed="))
    wait_until_idle(page)
    assert not set(before) & set(pictures(page, part))


def test_alarm_and_share_found_change_with_the_kind_of_picture(visit):
    page = visit("?inside=anomaly")

    def found() -> float:
        words = page.get_by_text("At this threshold").inner_text()
        return float(re.search(r"([\d.]+)% of the pictures", words)[1])

    expect(page.get_by_text("Alarm: this is not a digit.")).to_be_visible()
    assert len(pictures(page, ".st-key-anomaly-pictures")) == 3
    page.get_by_role("radio", name="This digit").click()
    wait_until_idle(page)
    expect(page.get_by_text("No alarm: it passes for a digit")).to_be_visible()

    letters = found()
    choose(page, "Compare digits with", "Clothes")
    expect(page.get_by_text("of the pictures of clothes are found")).to_be_visible()
    assert found() > letters + 20
    clothes = found()
    press(page.get_by_role("slider", name="False alarms allowed"), "Home")
    expect(page.get_by_text("0.1% of the test digits raise a false alarm")).to_be_visible()
    assert found() < clothes

    choose(page, "Detector", "Brightness alone")
    expect(page.locator(".st-key-anomaly-pictures img")).to_have_count(1)
    for setting in ("anomaly_picture=digit", "anomaly_kind=clothes", "anomaly_allowed=0.001"):
        assert setting in page.url
