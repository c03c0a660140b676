"""The Inside page, used as a visitor would: from the Draw page, by mouse, keyboard and thumb."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import wait_until_idle

SECTIONS = {
    "layers": "Layers",
    "window": "One window",
    "skips": "Skip connections",
    "checkerboard": "Checkerboard",
}

TERM = {
    "layers": "Receptive field",
    "window": "Kernel",
    "skips": "Encoder and decoder",
    "checkerboard": "Spectrum",
}


@pytest.fixture
def visit(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``visit(link)`` opens the Inside page."""

    def open_inside(link: str = "", **settings) -> Page:
        open_page(app_url)  # A fresh server knows its pages once somebody has opened the first.
        page = open_page(f"{app_url}/inside{link}", **settings)
        expect(page.get_by_role("heading", name="Inside the network")).to_be_visible()
        wait_until_idle(page)
        return page

    return open_inside


def see(page: Page, section: str) -> None:
    page.get_by_role("radio", name=section).click()
    wait_until_idle(page)


def pictures(page: Page) -> list[str]:
    """The pictures on the page, as they were sent."""
    return page.locator(".lab-gallery img").evaluate_all("all => all.map(each => each.src)")


def test_the_digit_of_the_draw_page_is_looked_at_in_every_section(app_url, open_page):
    page = open_page(app_url)
    expect(page.locator(".viewer")).to_have_attribute(
        "data-version", re.compile("."), timeout=20_000
    )
    page.get_by_role("slider", name="Strength").press("ArrowRight")
    wait_until_idle(page)
    page.get_by_role("link", name="Inside the network").click()
    wait_until_idle(page)
    slider = page.get_by_role("slider", name="Strength")
    expect(slider).to_have_value("0.55")
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


@pytest.mark.parametrize("section", SECTIONS)
def test_a_phone_shows_every_section_without_scrolling_sideways(visit, section):
    page = visit(f"?inside={section}", width=390, height=844, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for picture in page.locator(".lab-gallery img").all():
        box = picture.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert picture.get_attribute("alt")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_term_is_explained_one_hover_away(visit, section):
    page = visit(f"?inside={section}", dark=True)
    page.locator(
        "[data-testid=stMain] .stBadge, [data-testid=stMain] .stMarkdownBadge"
    ).first.hover()
    expect(page.get_by_test_id("stTooltipContent").first).to_be_visible()
