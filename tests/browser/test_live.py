"""The live preview on the Draw page: it follows the slider, and never stands in the way."""

import base64
import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from pages.components.controls import ready_digit
from pages.components.link import drawing_to_text
from tests.app_server import ROOT, AppServer
from tests.benchmarks.measure_live import counted
from tests.browser.pixels import painted
from tests.chromium import wait_until_idle


@pytest.fixture
def draw(app_url: str, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """``draw(link, before=, ready=)`` opens the Draw page, by default once its preview is ready."""

    def open_draw(
        link: str = "",
        before: Callable[[Page], None] | None = None,
        ready: bool = True,
        **settings,
    ) -> Page:
        page = open_page(**settings)
        if before:
            before(page)
        page.goto(f"{app_url}/{link}")
        wait_for_pictures(page)
        if ready:
            expect(page.locator(".viewer")).to_have_attribute("data-live", "ready", timeout=20_000)
        return page

    return open_draw


def wait_for_pictures(page: Page) -> None:
    viewer = page.locator(".viewer")
    expect(viewer).to_have_attribute("data-version", re.compile("."), timeout=20_000)
    wait_until_idle(page)


def slider(page: Page):
    return page.get_by_role("slider", name="Strength")


def shown(page: Page) -> list[np.ndarray]:
    return [painted(page, title) for title in ("Noisy", "Denoised")]


def captions(page: Page) -> list[str]:
    return page.locator(".heading .caption").all_inner_texts()


def grab(page: Page) -> tuple[float, float]:
    """Press the mouse on the slider's thumb; the input begins at its middle."""
    box = slider(page).bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y


def wait_for_preview(page: Page) -> None:
    """Return when the pictures are previews of where the slider stands."""
    page.wait_for_function(
        """() => {
            const roots = [...document.querySelectorAll('*')].map((each) => each.shadowRoot);
            const viewer = roots.map((root) => root?.querySelector('.viewer')).find(Boolean);
            const slider = document.querySelector('.st-key-draw_strength input[type=range]');
            return viewer.dataset.preview === slider.value;
        }""",
        polling=50,
    )


def off(some: list[np.ndarray], others: list[np.ndarray]) -> int:
    return max(int(np.abs(a - b).max()) for a, b in zip(some, others, strict=True))


def released(page: Page, let_go: Callable[[], None]) -> None:
    """Let go and wait for the server's pictures."""
    version = page.locator(".viewer").get_attribute("data-version")
    let_go()
    expect(page.locator(".viewer")).not_to_have_attribute("data-version", version)
    wait_until_idle(page)


def drag_without_a_preview(page: Page) -> None:
    """Drag the slider: the pictures wait for its release and the server."""
    before = shown(page)
    x, y = grab(page)
    page.mouse.move(x + 60, y, steps=6)
    page.wait_for_timeout(300)
    assert page.locator(".viewer").get_attribute("data-preview") is None
    assert off(shown(page), before) == 0
    released(page, page.mouse.up)
    assert off(shown(page), before) > 10


def test_pictures_and_words_follow_the_slider_and_are_what_the_server_says_on_release(draw):
    page = draw()
    before = shown(page)
    version = page.locator(".viewer").get_attribute("data-version")
    x, y = grab(page)
    page.mouse.move(x + 60, y, steps=6)
    wait_for_preview(page)
    previewed, words = shown(page), captions(page)
    # No server had a part in it, and nothing on the screen is passed off as new.
    assert page.locator(".viewer").get_attribute("data-version") == version
    assert off(previewed, before) > 10
    expect(page.locator(".st-key-settled_methods")).to_have_css("opacity", "0.35")

    released(page, page.mouse.up)
    assert off(shown(page), previewed) <= 1
    assert captions(page) == words
    assert re.fullmatch(r"[\d.]+ dB · reader: \d \(>?\d+\xa0%\)", words[2])
    expect(page.locator(".viewer")).not_to_have_attribute("data-preview", re.compile(""))
    expect(page.locator(".st-key-settled_methods")).to_have_css("opacity", "1")
    assert f"strength={slider(page).input_value()}" in page.url


def test_a_drag_that_ends_where_it_began_shows_the_servers_own_pixels(draw):
    page = draw()
    before, words = shown(page), captions(page)
    x, y = grab(page)
    page.mouse.move(x + 60, y, steps=4)
    expect(page.locator(".viewer")).to_have_attribute("data-preview", re.compile("."))
    page.mouse.move(x, y, steps=4)
    expect(page.locator(".viewer")).not_to_have_attribute("data-preview", re.compile(""))
    assert slider(page).input_value() == "0.5"
    assert off(shown(page), before) == 0
    assert captions(page) == words
    page.mouse.up()
    wait_until_idle(page)
    assert off(shown(page), before) == 0


RECORD = """
(viewer) => {
    window.previewed = [];
    const note = () => window.previewed.push(viewer.dataset.preview);
    new MutationObserver(note).observe(viewer, { attributeFilter: ['data-preview'] });
}
"""


def test_the_slider_moves_in_small_steps_by_keys_too(draw):
    page = draw()
    # A key asks the server at once, whose answer may be here before we could look.
    page.locator(".viewer").evaluate(RECORD)
    released(page, lambda: slider(page).press("ArrowRight"))
    assert slider(page).input_value() == "0.51"
    assert "0.51" in page.evaluate("window.previewed")
    assert page.locator(".viewer").get_attribute("data-preview") is None


def test_a_key_that_is_tapped_during_a_drag_does_not_end_its_preview(draw):
    page = draw()
    x, y = grab(page)
    page.mouse.move(x + 20, y, steps=3)
    page.keyboard.press("Shift")
    page.mouse.move(x + 60, y, steps=4)
    wait_for_preview(page)
    page.mouse.up()


def touching(page: Page) -> Callable[..., None]:
    """``touch(kind, {number: (x, y)})``: what fingers, by number, do on the screen."""
    session = page.context.new_cdp_session(page)

    def touch(kind: str, fingers: dict[int, tuple[float, float]]) -> None:
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in fingers.items()]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    return touch


def test_a_finger_on_a_phone_drags_as_well_and_a_second_one_does_not_end_its_preview(draw):
    page = draw(width=390, height=844, touch=True)
    slider(page).scroll_into_view_if_needed()
    box = slider(page).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = touching(page)
    touch("touchStart", {0: (x, y)})
    for step in range(1, 5):
        touch("touchMove", {0: (x + 8 * step, y)})
    page.wait_for_timeout(200)  # The last of them may still be on its way.
    wait_for_preview(page)
    touch("touchStart", {0: (x + 32, y), 1: (3, y)})
    touch("touchEnd", {1: (3, y)})
    for step in range(5, 8):
        touch("touchMove", {0: (x + 8 * step, y)})
    page.wait_for_timeout(200)
    wait_for_preview(page)
    previewed = shown(page)
    released(page, lambda: touch("touchEnd", {}))
    assert off(shown(page), previewed) <= 1


def test_another_noise_and_network_are_previewed_once_they_are_chosen(draw):
    page = draw("?noise=poisson&model=conv-32-32")
    for choose in (None, "Block"):
        if choose:
            page.get_by_role("combobox", name="Noise", exact=True).click()
            page.get_by_role("option", name=choose).click()
            wait_until_idle(page)
        x, y = grab(page)
        page.mouse.move(x + 50, y, steps=5)
        wait_for_preview(page)
        previewed = shown(page)
        released(page, page.mouse.up)
        assert off(shown(page), previewed) <= 1


def test_a_filter_waits_for_the_server(draw):
    drag_without_a_preview(draw("?model=median", ready=False))


def slow_down(page: Page, times: int) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": times})


def test_a_slow_processor_has_its_previews_made_in_a_worker_and_they_are_the_same(draw):
    page = draw()
    slow_down(page, 20)
    with page.expect_worker() as worker:
        x, y = grab(page)
        page.mouse.move(x + 60, y, steps=10)
    slow_down(page, 1)
    assert "live/worker.js" in worker.value.url
    page.mouse.move(x + 40, y, steps=4)
    wait_for_preview(page)
    previewed, words = shown(page), captions(page)
    released(page, page.mouse.up)
    assert off(shown(page), previewed) <= 1
    assert captions(page) == words
    # The worker goes on from the server's new pictures.
    x, y = grab(page)
    page.mouse.move(x - 50, y, steps=4)
    wait_for_preview(page)
    previewed = shown(page)
    released(page, page.mouse.up)
    assert off(shown(page), previewed) <= 1


def test_a_worker_is_asked_without_waiting_for_a_frame(draw):
    page = draw()
    slow_down(page, 20)
    x, y = grab(page)
    for step in range(80):
        page.mouse.move(x + 60 * (step % 2) + step / 2, y)
        if page.workers:
            break
    slow_down(page, 1)
    wait_for_preview(page)
    page.evaluate("window.requestAnimationFrame = () => 0")
    page.mouse.move(x + 40, y, steps=4)
    wait_for_preview(page)
    page.mouse.up()


@pytest.mark.parametrize(
    "spoilt",
    [
        "window.Worker = class { constructor() { throw new Error('no workers here'); } }",
        "window.Worker = class extends Worker { constructor() { super('/nowhere.js'); } }",
    ],
)
def test_a_slow_processor_without_workers_is_previewed_on_the_page(draw, spoilt):
    page = draw(before=lambda page: page.add_init_script(spoilt))
    slow_down(page, 20)
    x, y = grab(page)
    page.mouse.move(x + 60, y, steps=10)
    slow_down(page, 1)
    wait_for_preview(page)
    previewed = shown(page)
    released(page, page.mouse.up)
    assert off(shown(page), previewed) <= 1


# Whatever is missing, the page is the one without a preview


def no_webassembly(page: Page) -> None:
    page.add_init_script("delete globalThis.WebAssembly")


def no_simd(page: Page) -> None:
    # What a browser without SIMD says of a kernel that has it.
    page.add_init_script(
        "WebAssembly.compile = async () => { throw new WebAssembly.CompileError('no SIMD'); }"
    )


def no_kernel(page: Page) -> None:
    page.route("**/kernel.wasm*", lambda route: route.abort())


def no_weights(page: Page) -> None:
    page.route("**/app/static/live/*.gz", lambda route: route.fulfill(status=404))


def no_files(page: Page) -> None:
    page.route("**/app/static/**", lambda route: route.abort())


def nonsense(page: Page) -> None:
    """A browser whose arithmetic is wrong: the answer is one tenth lighter."""

    def spoil(route: Route) -> None:
        answer = route.fetch()
        script = answer.text()
        right = "return this.read(this.steps.at(-1));"
        assert right in script
        wrong = "return this.read(this.steps.at(-1)).map((v) => v + 0.1);"
        route.fulfill(response=answer, body=script.replace(right, wrong))

    page.route("**/network.js*", spoil)


def no_slider(page: Page) -> None:
    """As if Streamlit built its slider otherwise."""

    def rename(route: Route) -> None:
        answer = route.fetch()
        script = answer.text()
        assert "input[type=range]" in script
        route.fulfill(response=answer, body=script.replace("input[type=range]", "input.none"))

    page.route("**/preview.js*", rename)


@pytest.mark.parametrize(
    "before", [no_webassembly, no_simd, no_kernel, no_weights, no_files, no_slider, nonsense]
)
def test_where_something_is_missing_the_page_works_without_a_preview(draw, before):
    said = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: said.append(message.text))
        before(page)

    page = draw(before=listen, ready=False)
    page.wait_for_timeout(500)
    drag_without_a_preview(page)
    expect(page.get_by_role("button", name="Wipe")).to_be_visible()
    # Where no script can be had, none is begun with.
    assert before is not no_files or not [text for text in said if "No live preview" in text]


def test_a_preview_that_seems_wrong_is_not_shown_until_it_is_looked_at_again(draw):
    def look_again_late(route: Route) -> None:
        answer = route.fetch()
        script = answer.text()
        assert "const AGAIN = 500;" in script
        route.fulfill(response=answer, body=script.replace("AGAIN = 500;", "AGAIN = 60_000;"))

    def before(page: Page) -> None:
        nonsense(page)
        page.route("**/preview.js*", look_again_late)

    page = draw(before=before)
    page.wait_for_timeout(300)  # It is looked at once.
    drag_without_a_preview(page)


FORGET = """
async () => {
    const loaded = performance.getEntriesByType('resource').map(({name}) => name);
    const {unpack} = await import(loaded.find((name) => name.includes('/viewer/pixels.js')));
    const header = new TextEncoder().encode(JSON.stringify({key: 'viewer', pictures: []}));
    const data = new Uint8Array(4 + header.length);
    data[0] = header.length;
    data.set(header, 4);
    unpack(data);
}
"""


def test_what_the_browser_lost_is_sent_again(draw):
    """The server leaves out what did not change, and the browser may know better."""
    page = draw()
    original, noisy = (painted(page, title) for title in ("Original", "Noisy"))
    page.evaluate(FORGET)
    released(page, lambda: slider(page).press("ArrowRight"))
    expect(page.locator(".viewer")).to_have_attribute("data-live", "ready")
    assert np.array_equal(painted(page, "Original"), original)
    assert not np.array_equal(painted(page, "Noisy"), noisy)
    released(page, lambda: slider(page).press("ArrowLeft"))
    assert np.array_equal(painted(page, "Noisy"), noisy)


def test_a_move_is_sent_in_less_than_twenty_kilobytes_with_a_drawing_and_all_methods_too(
    app_url, open_page
):
    with counted(app_url) as (url, received):
        page = open_page(f"{url}/?drawing={drawing_to_text(ready_digit('8'))}&strength=0.7")
        wait_for_pictures(page)
        page.locator(".st-key-settled_methods").evaluate("it => it.scrollIntoView()")
        expect(page.locator(".st-key-settled_methods img").last).to_be_visible(timeout=20_000)
        wait_until_idle(page)
        released(page, lambda: slider(page).press("ArrowRight"))
        received.clear()
        released(page, lambda: slider(page).press("ArrowRight"))
        wait_until_idle(page, quiet=0.5)
        assert 5_000 < sum(received) < 20_000


def test_streamlits_slider_is_still_built_as_the_preview_expects(draw):
    """Its markup is no public API: where this fails, static/live/preview.js has to follow."""
    page = draw()
    found = page.locator(".st-key-draw_strength input[type=range]")
    expect(found).to_have_count(1)
    assert found.get_attribute("value") == "0.5"
    x, y = grab(page)
    page.mouse.move(x + 40, y, steps=4)
    # It tells its value at every step, as an attribute, before the server hears of it.
    assert float(found.get_attribute("value")) > 0.55
    assert found.get_attribute("value") == found.input_value()
    page.mouse.up()


def drag_first_number(page: Page) -> None:
    """Drag the slider of the code's first number to the right, and hold it there."""
    box = page.locator(".st-key-code_0 input[type=range]").bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 70, y, steps=6)


def test_the_decoder_follows_the_numbers_of_the_code(app_url, open_page):
    page = open_page()
    page.add_init_script("delete globalThis.OffscreenCanvas")  # Older browsers have none.
    page.goto(f"{app_url}/inside?inside=code")
    page.locator("span[data-live=ready]").wait_for(state="attached", timeout=30_000)
    item = page.locator(".st-key-code-decoded .lab-gallery > div").last
    item.scroll_into_view_if_needed()
    before = item.locator("img").get_attribute("src")
    drag_first_number(page)
    page.wait_for_timeout(500)
    previewed, words = decoded(item), item.inner_text()
    assert item.locator("img").get_attribute("src") not in (None, before)
    assert item.locator("img").get_attribute("src").startswith("data:image/png")
    page.mouse.up()
    expect(item.locator("img")).to_have_attribute("src", re.compile("^data:image/webp"))
    wait_until_idle(page)
    assert np.abs(decoded(item) - previewed).max() <= 1
    assert item.inner_text() == words


@pytest.mark.parametrize("before", [no_simd, no_files, nonsense])
def test_where_something_is_missing_the_decoder_waits_for_the_server(app_url, open_page, before):
    page = open_page()
    before(page)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{app_url}/inside?inside=code")
    picture = page.locator(".st-key-code-decoded .lab-gallery > :last-child img")
    picture.wait_for(timeout=30_000)
    wait_until_idle(page)
    page.wait_for_timeout(500)
    while before is nonsense and not any("Live preview off" in text for text in said):
        page.wait_for_timeout(200)  # It is looked at twice.
    shown = picture.get_attribute("src")
    drag_first_number(page)
    page.wait_for_timeout(300)
    assert picture.get_attribute("src") == shown
    page.mouse.up()
    expect(picture).not_to_have_attribute("src", shown, timeout=20_000)


def test_keys_pressed_while_answers_arrive_leave_the_preview_on(draw):
    page = draw()
    said = []
    page.on("console", lambda message: said.append(message.text))
    rng = np.random.default_rng(5)
    slider(page).focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight" if rng.random() < 0.5 else "ArrowLeft")
        page.wait_for_timeout(int(rng.integers(20, 120)))
    wait_until_idle(page)
    page.wait_for_timeout(1200)  # The last answer is looked at twice.
    assert not [text for text in said if "Live preview off" in text]
    expect(page.locator(".viewer")).to_have_attribute("data-live", "ready")


def test_new_noise_again_and_again_leaves_the_preview_on(app_url, open_page):
    page = open_page(f"{app_url}/inside?inside=skips")
    ready = page.locator("span[data-live=ready]")
    ready.wait_for(state="attached", timeout=30_000)
    said = []
    page.on("console", lambda message: said.append(message.text))
    for pause in (400, 520, 610, 450, 700, 560):
        page.get_by_role("button", name="New noise").click()
        page.wait_for_timeout(pause)
    wait_until_idle(page)
    page.wait_for_timeout(1700)
    assert not [text for text in said if "Live preview off" in text]
    expect(ready).to_have_count(1)


def test_a_slider_that_is_dragged_back_leaves_nothing_dim(app_url, open_page):
    page = open_page(f"{app_url}/inside?inside=skips")
    page.locator("span[data-live=ready]").wait_for(state="attached", timeout=30_000)
    box = page.locator(".st-key-inside_strength input[type=range]").bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=5)
    dim = page.locator("html[data-previewing]")
    expect(dim).to_have_count(1)
    page.mouse.move(x, y, steps=5)
    expect(dim).to_have_count(0)
    page.mouse.up()


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ("inside_model=conv-32-32", 1),
        ("inside_model=conv-32-32&inside_scale=unit&inside_noise=poisson&inside_strength=0.2", 1),
        ("inside_model=unet&inside_scale=global&inside_noise=block", 3),
    ],
)
def test_the_maps_of_a_layer_follow_the_strength(app_url, open_page, settings, tolerance):
    page = open_page(f"{app_url}/inside?inside=layers&{settings}")
    page.locator("span[data-live=ready]").wait_for(state="attached", timeout=30_000)
    items = page.locator(".st-key-feature-maps .lab-gallery > div")
    before = [decoded(item) for item in items.all()]
    box = page.locator(".st-key-inside_strength input[type=range]").bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=6)
    expect(items.first.locator("img")).to_have_attribute("src", re.compile("^data:image/png"))
    page.wait_for_timeout(500)
    previewed = {words_of(item)[0]: (decoded(item), words_of(item)) for item in items.all()}
    assert off([each for each, _ in previewed.values()], before) > 10
    page.mouse.up()
    expect(items.first.locator("img")).to_have_attribute("src", re.compile("^data:image/webp"))
    wait_until_idle(page)
    settled = [item for item in items.all() if words_of(item)[0] in previewed]
    assert len(settled) > len(before) / 2  # The strongest maps are shown, which may be others now.
    for item in settled:
        picture, words = previewed[words_of(item)[0]]
        assert off([decoded(item)], [picture]) <= tolerance
        assert words_of(item) == words
    # The browser compared all of it with the server's, and goes on.
    page.wait_for_timeout(700)
    expect(page.locator("span[data-live=ready]")).to_have_count(1)


def words_of(item: Locator) -> list[str]:
    return item.inner_text().splitlines()


def test_a_u_net_follows_its_switches_and_the_strength(app_url, open_page):
    page = open_page(f"{app_url}/inside?inside=skips")
    page.locator("span[data-live=ready]").wait_for(state="attached", timeout=30_000)
    items = page.locator(".st-key-skips-answers .lab-gallery > div")
    page.evaluate(
        """() => {
            window.shown = [];
            const watched = document.querySelector('.st-key-skips-answers');
            new MutationObserver((changes) => changes.forEach(({target}) => {
                const item = target.closest?.('[role=listitem]');
                if (item && target.src) window.shown.push([item.innerText, target.src]);
            })).observe(watched, { attributes: true, attributeFilter: ['src'], subtree: true });
        }"""
    )
    page.get_by_text("28 × 28, the finest").click()
    expect(items.nth(3)).to_contain_text(re.compile(r"-\d+\.\d dB"))
    wait_until_idle(page)
    previewed = {words.splitlines()[0]: (words, src) for words, src in page.evaluate("shown")}
    assert set(previewed) == {"Noisy", "As trained", "With your settings", "Residual"}
    for item in items.all()[1:]:
        words, src = previewed[words_of(item)[0]]
        assert src.startswith("data:image/png")
        assert item.locator("img").get_attribute("src").startswith("data:image/webp")
        assert off([decoded(item)], [grey_of(src)]) <= 1

    box = page.locator(".st-key-inside_strength input[type=range]").bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=6)
    expect(items.nth(3).locator("img")).to_have_attribute("src", re.compile("^data:image/png"))
    page.wait_for_timeout(500)
    expect(page.locator(".st-key-settled_ranking")).to_have_css("opacity", "0.35")
    followed = [(decoded(item), item.inner_text()) for item in items.all()[1:]]
    page.mouse.up()
    expect(items.nth(3).locator("img")).to_have_attribute("src", re.compile("^data:image/webp"))
    wait_until_idle(page)
    for item, (picture, words) in zip(items.all()[1:], followed, strict=True):
        assert off([decoded(item)], [picture]) <= 1
        assert item.inner_text() == words


def decoded(item: Locator) -> np.ndarray:
    """The grey levels of a picture of a gallery."""
    return grey_of(item.locator("img").get_attribute("src"))


def grey_of(url: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as file:
        return np.asarray(file.convert("L")).astype(int)


def test_below_a_base_path_the_files_are_found_too(tmp_path, open_page):
    log = tmp_path / "server.log"
    server = AppServer(ROOT / "app.py", log, STREAMLIT_SERVER_BASE_URL_PATH="some/where")
    server.url += "/some/where"
    try:
        server.wait_until_healthy()
        for address in (f"{server.url}/", f"{server.url}/compare?compare=blind"):
            page = open_page(address)
            wait_for_pictures(page)
        page = open_page(f"{server.url}/")
        expect(page.locator(".viewer")).to_have_attribute("data-live", "ready", timeout=20_000)
    finally:
        server.stop()
