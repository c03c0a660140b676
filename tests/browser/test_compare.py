"""The Compare page, used as a visitor would: from the Draw page, by keyboard, on a phone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pages.components.compare.settings import VIEWS
from tests.chromium import scrolls_sideways, wait_until_idle


@pytest.fixture
def visit(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``visit(link)`` opens the Compare page."""

    def open_compare(link: str = "", **settings) -> Page:
        page = open_page(f"{app_url}/compare{link}", **settings)
        expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
        wait_until_idle(page)
        return page

    return open_compare


def see(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view).click()
    wait_until_idle(page)


def sources(page: Page) -> list[str]:
    """The pictures of the trust map, as they were sent."""
    pictures = page.locator(".st-key-trust-pictures img")
    expect(pictures).to_have_count(4)
    return pictures.evaluate_all("pictures => pictures.map(picture => picture.src)")


def test_the_setting_of_the_draw_page_is_measured_judged_and_mapped(stronger, visit):
    page = stronger
    page.get_by_role("link", name="Compare").click()
    wait_until_idle(page)
    expect(page.get_by_text("The ring marks the method")).to_be_visible()
    chart = page.locator("[aria-label^='PSNR against the strength of Gaussian noise']")
    expect(chart).to_be_visible()

    see(page, "Blind test")
    expect(page.get_by_text("Original", exact=True)).to_have_count(0)
    pick = page.get_by_role("button", name="Left is better")
    pick.focus()
    pick.press("Enter")
    expect(page.get_by_text(re.compile("^You picked"))).to_be_visible()
    expect(page.get_by_text("Original", exact=True)).to_be_visible()
    page.get_by_role("button", name="Next round").click()
    expect(page.get_by_text("Round 2 of 10")).to_be_visible()

    see(page, "Trust map")
    slider = page.get_by_role("slider", name="Strength")
    expect(slider).to_have_value("0.51")
    clean, noisy, mean, spread = sources(page)
    slider.press("ArrowRight")
    expect(page.locator(".st-key-trust-pictures img").last).not_to_have_attribute("src", spread)
    wait_until_idle(page)
    after = sources(page)
    assert after[0] == clean
    assert not {noisy, mean, spread} & set(after)
    assert sources(visit("?" + page.url.partition("?")[2])) == after

    # The Draw page has kept its own strength.
    page.get_by_role("link", name="Draw a digit").click()
    wait_until_idle(page)
    expect(page.get_by_role("slider", name="Strength")).to_have_value("0.51")


def test_a_phone_shows_every_view_without_scrolling_sideways(visit):
    page = visit(f"?compare={[*VIEWS][-1]}", width=390, height=844, touch=True)
    in_table = "it => it.closest('[data-testid=stDataFrame]') !== null"
    for view, title in VIEWS.items():
        see(page, title)
        assert not scrolls_sideways(page), view
        for picture in page.locator("img:visible, canvas:visible").all():
            box = picture.bounding_box()
            if box and not picture.evaluate(in_table):
                assert box["x"] >= 0, view
                assert box["x"] + box["width"] <= 390, view
