"""The Learn page as a visitor uses it: by keyboard, on a phone, without storage."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import scrolls_sideways, wait_until_idle
from tests.test_theme import contrast


@pytest.fixture
def visit(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``visit(link)`` opens the Learn page."""

    def open_learn(link: str = "", **settings: object) -> Page:
        page = open_page(f"{app_url}/learn{link}", **settings)
        expect(page.get_by_text("Step ", exact=False).first).to_be_visible(timeout=20_000)
        wait_until_idle(page)
        return page

    return open_learn


def step(page: Page, number: int) -> None:
    """Wait for the heading of a step."""
    heading = page.get_by_role("heading", name=re.compile(rf"^{number}\. "))
    expect(heading).to_be_visible(timeout=20_000)
    wait_until_idle(page)


def test_a_whole_lesson_by_keyboard_and_the_browser_remembers_it(visit):
    page = visit()
    step(page, 1)
    slider = page.get_by_role("slider", name="Numbers to keep")
    slider.press("ArrowLeft")
    wait_until_idle(page)
    expect(page.get_by_text("Autoencoder, 32 numbers")).to_be_visible()

    answer = page.locator("summary", has_text="Show the answer")
    answer.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The pixels of a digit are not independent")).to_be_visible()

    on = page.get_by_role("button", name="Next")
    on.focus()
    page.keyboard.press("Enter")
    step(page, 2)
    page.locator("body").press("n")  # The shortcut that the button shows.
    step(page, 3)
    page.locator("body").press("b")
    step(page, 2)
    for number in (3, 4, 5):
        page.locator("body").press("n")
        step(page, number)
    expect(page).to_have_url(re.compile(r"step=5"))

    page.reload()
    step(page, 5)
    page.get_by_role("button", name="Next lesson").press("Enter")
    step(page, 1)
    page.locator("body").press("n")
    step(page, 2)
    # The first lesson has a tick, in another tab of this browser too.
    other = page.context.new_page()
    other.goto(page.url)
    step(other, 2)
    expect(other.get_by_role("radio", name="✓ 1 The code")).to_be_visible()

    # Who comes without a link is led back to where they were.
    other.goto(page.url.split("?")[0])
    step(other, 1)
    other.get_by_role("button", name="Continue where you were: Noise").click()
    expect(other.get_by_role("heading", name="Noise in, clean out")).to_be_visible()
    other.close()


def test_the_lessons_work_where_storage_is_forbidden(visit, app_url):
    page = visit()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() {throw new Error('forbidden')}})"
    )
    page.goto(f"{app_url}/learn?lesson=skips&step=2")
    step(page, 2)
    page.get_by_role("button", name="Next").click()
    step(page, 3)


def test_a_lesson_alone_on_a_phone_shows_no_navigation_and_fits(visit):
    page = visit("?lesson=doubt&only=1", width=390, height=844, touch=True)
    step(page, 1)
    expect(page.locator("[data-testid=stHeader]")).to_be_hidden()
    assert not scrolls_sideways(page)
    next_step = page.get_by_role("button", name="Next")
    next_step.scroll_into_view_if_needed()
    next_step.click()
    step(page, 2)
    expect(page.get_by_role("heading", name=re.compile(r"^2\. "))).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_heading_of_a_new_step_is_not_below_the_header(visit, width):
    page = visit("?lesson=training&step=3", width=width, height=600)
    step(page, 3)
    for number in (4, 5):
        page.locator(".st-key-learn-step").evaluate(
            "step => step.closest('[data-testid=stMain]')"
            ".scrollBy(0, step.getBoundingClientRect().top - 20)"
        )
        page.locator("body").press("n")
        step(page, number)
        header = page.get_by_test_id("stHeader").bounding_box()
        heading = page.get_by_role("heading", name=re.compile(rf"^{number}\. ")).bounding_box()
        assert heading["y"] >= header["y"] + header["height"]


def test_the_draw_page_leads_a_newcomer_to_the_first_lesson_in_the_same_tab(app_url, open_page):
    page = open_page(app_url)
    tabs = len(page.context.pages)  # Tests share a context.
    page.get_by_role("link", name="Start with lesson 1").click()
    expect(page).to_have_url(re.compile(r"/learn$"))
    step(page, 1)
    assert len(page.context.pages) == tabs


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_numbers_beside_bars_can_be_read_in_both_themes(visit, dark):
    page = visit("?lesson=convolution&step=5", dark=dark)
    step(page, 5)
    number = page.locator("svg.marks text", has_text=re.compile(r"^\d+\.\d\d dB$")).first
    expect(number).to_be_visible()
    page_colour = page.get_by_test_id("stApp").evaluate(
        "app => getComputedStyle(app).backgroundColor"
    )
    assert contrast(hexadecimal(number.get_attribute("fill")), hexadecimal(page_colour)) > 4.5


def hexadecimal(colour: str) -> str:
    """``rgb(1, 2, 3)`` as ``#010203``."""
    if colour.startswith("#"):
        return colour
    return "#" + "".join(f"{int(each):02x}" for each in re.findall(r"\d+", colour)[:3])


def test_on_a_phone_the_ends_of_long_names_are_in_the_legend(visit):
    page = visit("?lesson=training&step=2", width=390, height=844, touch=True)
    step(page, 2)
    for end in ("as copied", "as meant"):
        name = page.locator("svg.marks .role-legend-label").get_by_text(end)
        expect(name).to_be_visible()
        box = name.bounding_box()
        assert box["x"] + box["width"] < 390
