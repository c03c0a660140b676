"""The Inside page without a browser: layers, one window, skip connections, the checkerboard."""

import re
from itertools import pairwise

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from imaging import metrics
from imaging.noise import NOISE_KINDS
from imaging.pixels import to_image, to_pixels
from imaging.spectrum import period_two_share
from models.catalogue import load_catalogue
from models.inspection.window import Place, convolution_at
from models.tasks.digits import DIGIT_SETS
from pages.components import controls, link
from pages.components.cached import get_inside
from pages.components.inside import checkerboard, shared, skips, window
from pages.components.inside import layers as inside_layers
from pages.components.inside.layer_diagram import boxes_of, bridges_of, words_of
from tests.pages.visits import page_of, said
from train.config import count_parameters

CARDS = load_catalogue()
SECTIONS = ["layers", "window", "skips", "checkerboard"]
ON_DIGITS = [name for name, card in CARDS.items() if card.data in DIGIT_SETS]


def visit(**link: str) -> AppTest:
    return page_of("inside", seconds=120, **link).run()


def html(page: AppTest) -> str:
    """All HTML that the page writes itself."""
    return "\n".join(element.proto.body for element in page.get("html"))


def alts(page: AppTest) -> list[str]:
    return re.findall(r'<img alt="([^"]*)"', html(page))


# All sections


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_opens_with_pictures_text_and_source_and_nothing_to_worry_about(section):
    page = visit(inside=section)
    assert not page.exception
    assert said(page) == ""
    assert alts(page)
    assert all(len(alt) > 10 for alt in alts(page))
    assert any(box.value.startswith("Source: ") for box in page.caption)


@pytest.mark.parametrize("module", [inside_layers, window, skips, checkerboard])
def test_a_section_explains_itself_in_three_to_eight_sentences_with_terms(module):
    sentences = re.findall(r"[.:](?:\s|$)", module.WORDS)
    assert 3 <= len(sentences) <= 8
    assert module.TERMS
    assert all(text.endswith(".") for text in module.TERMS.values())


def test_on_arrival_the_link_is_empty():
    assert dict(visit().query_params) == {}


def test_the_drawing_of_the_draw_page_is_the_digit_and_travels_in_the_link():
    page = page_of("inside", seconds=120)
    drawing = np.zeros((28, 28, 1), np.float32)
    drawing[5:20, 14] = 1
    page.session_state["draw_drawing"] = drawing
    page.session_state["draw_noise"] = "block"
    page.session_state["draw_strength"] = 0.4
    page.run()
    assert not page.exception
    assert page.selectbox(key="inside_noise").value == "block"
    assert page.slider(key="inside_strength").value == 0.4
    assert page.pills(key="inside_digit").value == controls.DRAWING
    elsewhere = visit(**dict(page.query_params.items()))
    assert np.array_equal(elsewhere.session_state.inside_drawing, drawing)


def test_a_link_opens_the_same_settings_and_reset_forgets_them():
    page = visit(inside="skips", skips_on="skip_1 skip_3", inside_digit="7", inside_seed="5")
    assert [page.toggle(key=f"inside_{name}").value for name in shared.SKIPS] == [True, False, True]
    assert page.pills(key="inside_digit").value == "7"
    page.button(key="inside_reset").click().run()
    assert all(page.toggle(key=f"inside_{name}").value for name in shared.SKIPS)
    assert dict(page.query_params) == {"inside": "skips"}


def test_reset_puts_the_code_back_and_the_window_to_where_it_begins():
    page = visit(inside="code", code_values="_".join(["1.0"] * 10))
    page.button(key="inside_reset").click().run()
    own = [page.slider(key=f"code_{index}").value for index in range(10)]
    assert own == [
        visit(inside="code").slider(key=f"code_{index}").value for index in range(10)
    ] != [1.0] * 10  # fmt: skip

    page = visit(
        inside="window",
        window_kind="pooling",
        window_row="4",
        window_column="6",
        window_source="2",
        window_noisy="True",
    )
    page.button(key="inside_reset").click().run()
    assert (page.slider(key="window_row").value, page.slider(key="window_column").value) == (8, 12)
    assert not page.toggle(key="window_noisy").value
    assert page.session_state.window_source == "most"
    assert dict(page.query_params) == {"inside": "window"}


def test_the_link_carries_noise_and_incoming_map_of_the_window_and_all_maps_of_a_layer():
    page = visit(inside="window", inside_model="conv-32-32", window_layer="encoder_conv_2")
    page.toggle(key="window_noisy").set_value(True).run()
    page.selectbox(key="window_source").select_index(2).run()
    elsewhere = visit(**dict(page.query_params.items()))
    assert elsewhere.toggle(key="window_noisy").value
    assert elsewhere.selectbox(key="window_source").value == page.session_state.window_source
    assert page.session_state.window_source != "most"
    page = visit(inside="layers", inside_model="conv-32-32")
    page.toggle(key="inside_all").set_value(True).run()
    assert visit(**dict(page.query_params.items())).toggle(key="inside_all").value


def test_a_network_that_a_section_has_nothing_to_show_of_comes_back_after_it():
    page = visit(inside="layers", inside_model="dense")
    page.pills(key="inside").set_value("window").run()
    assert page.selectbox(key="inside_model").value != "dense"
    page.pills(key="inside").set_value("layers").run()
    assert page.selectbox(key="inside_model").value == "dense"
    page.pills(key="inside").set_value("window").run()
    page.button(key="inside_reset").click().run()
    page.pills(key="inside").set_value("layers").run()
    assert page.selectbox(key="inside_model").value == visit().selectbox(key="inside_model").value


def ask_for_noise() -> None:
    import streamlit as st

    from pages.components import controls

    for key, value in {"noise": "block", "strength": 1.0}.items():
        st.session_state.setdefault(f"any_{key}", value)
    controls.pick_noise("any_")


def test_a_slider_that_is_moved_while_another_noise_comes_says_no_more_than_that_noise_has():
    page = AppTest.from_function(ask_for_noise).run()
    assert not page.exception
    assert page.slider(key="any_strength").value == NOISE_KINDS["block"].high


@pytest.mark.parametrize("strength", [0.12, 0.2, 0.3])
@pytest.mark.parametrize("digit", controls.DIGITS)
def test_the_browser_adds_noise_to_the_very_pixels_that_the_server_adds_it_to(digit, strength):
    clean = controls.ready_digit(digit)
    sent = to_image(to_pixels(clean))
    kind = NOISE_KINDS["poisson"]
    assert np.array_equal(
        shared.corrupt(sent, kind, strength, 7), shared.corrupt(clean, kind, strength, 7)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"inside": "nowhere"},
        {"inside_layer": "nowhere"},
        {"skips_on": "skip_9"},
        {"inside_model": "photo"},
        {"window_filter": "0"},
    ],
)
def test_a_wrong_link_is_said_and_the_page_still_works(wrong):
    page = visit(**wrong)
    assert not page.exception
    assert "The link asks for" in said(page)
    assert alts(page)


def test_back_opens_what_the_address_says_and_nothing_else(monkeypatch):
    page = visit(inside="skips", inside_digit="7", inside_seed="5", skips_on="none")
    monkeypatch.setattr(link, "is_history_navigation", lambda: True)
    page.query_params.clear()
    page.query_params.update({"inside": "checkerboard", "inside_digit": "8"})
    page.run()
    assert not page.exception
    assert page.pills(key="inside").value == "checkerboard"
    assert page.pills(key="inside_digit").value == "8"
    assert page.number_input(key="inside_seed").value == 0
    assert dict(page.query_params) == {"inside": "checkerboard", "inside_digit": "8"}


def test_back_sets_the_sliders_of_the_code_too(monkeypatch):
    page = visit(inside="code")
    before = page.slider(key="code_4").value
    page.slider(key="code_4").set_value(1.5).run()
    monkeypatch.setattr(link, "is_history_navigation", lambda: True)
    del page.query_params["code_values"]
    page.run()
    assert not page.exception
    assert page.slider(key="code_4").value == before


BAD_LINKS = [
    {"inside": "<script>alert(1)</script>"},
    {"inside_model": "conv-16-8-8", "inside_layer": "bottom_relu_2"},
    {"inside": "window", "window_filter": "99999", "window_row": "1e9"},
    {"inside_strength": "nan"},
    {"inside_strength": "inf"},
    {"inside_strength": "-1"},
    {"inside_seed": "1e99"},
    {"inside_seed": "9" * 5000},
    {"inside_digit": "drawing", "inside_drawing": "garbage"},
    {"inside_digit": "drawing", "inside_drawing": "A" * 100_000},
]


@pytest.mark.parametrize("wrong", BAD_LINKS, ids=lambda wrong: " ".join(wrong))
def test_a_link_that_was_edited_by_hand_gets_a_sentence_and_pictures(wrong):
    page = visit(**wrong)
    assert not page.exception
    assert re.search("The link asks for|The drawing in the link is damaged", said(page))
    assert alts(page)
    assert not set(wrong) & set(page.query_params) - {"inside", "inside_model"}


# Layers


@pytest.mark.parametrize("name", ON_DIGITS)
def test_every_network_shows_its_layers_and_its_maps(name):
    page = visit(inside_model=name)
    assert not page.exception
    assert said(page) == ""
    assert len(page.selectbox(key="inside_layer").options) == len(get_inside(CARDS[name]).layers)


@pytest.mark.parametrize(
    "name", [name for name in ON_DIGITS if CARDS[name].task == "denoise-digits"]
)
def test_the_parameters_of_the_layers_add_up_to_those_of_the_network(name):
    layers = get_inside(CARDS[name]).layers.values()
    expected = count_parameters(CARDS[name].architecture, CARDS[name].settings)
    assert sum(layer.parameters for layer in layers) == expected


@pytest.mark.parametrize("scale", shared.SCALES)
@pytest.mark.parametrize("layer", ["image", "encoder_1_conv_1", "bottom_relu_2", "denoised"])
def test_every_kind_of_layer_is_shown_on_every_scale(layer, scale):
    page = visit(inside_layer=layer, inside_scale=scale)
    assert not page.exception
    assert any(f"**{scale.title()}**" in box.value for box in page.caption)


def test_the_ten_numbers_of_a_code_are_bars():
    page = visit(inside_model="conv-code-10", inside_layer="code")
    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 1


def test_a_scale_says_which_value_is_white():
    maps = {"a": np.array([[0.0, 2.0]]), "b": np.array([[-3.0, 1.0]])}
    assert inside_layers.find_shades("unit", "a", maps) == inside_layers.Shades(0, 1)
    assert inside_layers.find_shades("layer", "a", maps) == inside_layers.Shades(0, 2)
    assert inside_layers.find_shades("global", "a", maps) == inside_layers.Shades(0, 3)
    grey = inside_layers.find_shades("layer", "b", maps).of(np.array([-3.0, 0.0, 3.0, 9.0]))
    assert grey.tolist() == [0, 0.5, 1, 1]


def test_all_maps_can_be_asked_for():
    page = visit(inside_layer="bottom_relu_2")
    assert len(alts(page)) == inside_layers.FEW
    page.toggle(key="inside_all").set_value(True).run()
    assert len(alts(page)) == 128


@pytest.mark.parametrize("name", ON_DIGITS)
def test_the_diagram_has_every_layer_once_and_none_on_top_of_another(name):
    network = get_inside(CARDS[name])
    boxes = boxes_of(network)
    assert list(boxes) == list(network.layers)
    edges = [(box.x, box.x + box.width) for box in boxes.values()]
    assert all(left[1] < right[0] for left, right in pairwise(edges))
    assert len(bridges_of(network, boxes)) == len(network.skips)
    for name, box in boxes.items():
        assert name in words_of(box.layer)


# One window


@pytest.mark.parametrize("kind", window.KINDS)
@pytest.mark.parametrize(
    "name", [name for name in ON_DIGITS if CARDS[name].architecture != "dense"]
)
def test_what_is_worked_out_is_what_onnxruntime_has(name, kind):
    page = visit(inside="window", inside_model=name, window_kind=kind, window_row="10")
    assert not page.exception
    rows = re.findall(r"<td>([^<]*)</td><td>([^<]*)</td>", html(page))
    *_, (_, worked), (end, there) = rows
    assert end == window.IN_THE_MAP
    assert float(worked) == pytest.approx(float(there), abs=2e-4)


def test_the_steps_add_up_to_the_value():
    network = get_inside(CARDS["unet"])
    picture = controls.ready_digit("3")
    worked = convolution_at(network, picture, Place("decoder_1_conv_2", 12, 14, 3))
    steps = dict(window.steps_of(worked, 5, worked.value))
    assert float(steps["Sum of the 9 products"]) == pytest.approx(worked.sums[5], abs=1e-4)
    assert float(steps["= sum"]) == pytest.approx(worked.sums.sum(), abs=1e-4)
    assert float(steps[window.IN_THE_MAP]) == pytest.approx(worked.value, abs=1e-4)


def test_what_is_one_number_is_not_added_up():
    network = get_inside(CARDS["unet"])
    worked = convolution_at(network, controls.ready_digit("3"), Place("encoder_1_conv_1", 8, 12, 7))
    assert (len(worked.sums), worked.scale is None) == (1, False)
    assert "= sum" not in dict(window.steps_of(worked, 0, worked.value))


def test_all_paddings_and_strides_are_shown_with_their_sizes():
    page = visit(inside="window")
    for size in ("28 × 28", "14 × 14", "26 × 26", "13 × 13"):
        assert size in html(page)


def test_no_number_is_a_negative_zero():
    assert "-0.000" not in html(visit(inside="window"))


def test_a_place_outside_of_a_smaller_map_moves_to_its_edge():
    page = visit(inside="window", window_layer="bottom_conv_1", window_row="28")
    assert page.slider(key="window_row").value == 4
    assert not page.exception


@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_a_window_that_sticks_out_is_framed_on_all_sides(size):
    for corner in (-(size // 2), 28 - (size + 1) // 2):
        picture = window.framed(np.zeros((28, 28), np.float32), (corner, corner), (size, size))
        framed = np.all(picture == window.FRAME, axis=-1)
        side = window.PIXEL * size + 6
        assert np.count_nonzero(framed) == side**2 - (side - 6) ** 2


def test_a_window_is_framed_where_it_is():
    picture = window.framed(np.zeros((4, 4), np.float32), (0, 1), (2, 2))
    pixel, edge = window.PIXEL, 2
    frame = np.all(picture == window.FRAME, axis=-1)
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    assert rows[0] == pixel * edge - 3
    assert rows[-1] == pixel * (edge + 2) + 2
    assert columns[0] == pixel * (edge + 1) - 3
    assert columns[-1] == pixel * (edge + 3) + 2
    # Nothing under the window is hidden.
    assert not frame[pixel * edge : pixel * (edge + 2), pixel * 3 : pixel * 5].any()


# Skip connections


def test_a_switch_changes_the_answer_and_the_link():
    page = visit(inside="skips")
    before = alts(page)
    page.toggle(key="inside_skip_1").set_value(False).run()
    assert not page.exception
    assert page.query_params["skips_on"] == "skip_2 skip_3"
    changed = [alt for alt in alts(page) if alt not in before]
    assert len(changed) == 2  # The answer with these switches, and its residual.


def test_all_switches_off_travel_in_the_link_too():
    page = visit(inside="skips", skips_on="none")
    assert not any(page.toggle(key=f"inside_{name}").value for name in shared.SKIPS)


def test_without_its_finest_skip_connection_the_network_is_worse():
    network = get_inside(CARDS["unet"])
    clean = controls.ready_digit("5")
    noisy = shared.corrupt(clean, NOISE_KINDS["gaussian"], 0.5, 0)[np.newaxis]
    trained, cut = network.denoise(noisy), network.denoise(noisy, {"skip_1": 0.0})
    assert metrics.psnr(clean, trained[0]) > metrics.psnr(clean, cut[0]) + 3


# The checkerboard


@pytest.mark.parametrize("digit", controls.DIGITS)
def test_only_transposed_convolution_leaves_a_checkerboard_in_its_last_maps(digit):
    noisy = shared.corrupt(controls.ready_digit(digit), NOISE_KINDS["gaussian"], 0.5, 0)
    resized, transposed = (
        period_two_share(checkerboard.last_maps(get_inside(CARDS[name]), noisy)[0])
        for name in checkerboard.NETWORKS
    )
    assert resized < 0.02
    assert transposed > 0.1


def test_a_switch_that_is_heard_of_when_its_section_has_gone_changes_itself_alone(monkeypatch):
    class State(dict):
        __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__

    state = State(skips_on=["skip_1", "skip_2"], inside_skip_2=False)
    monkeypatch.setattr(skips.st, "session_state", state)
    skips._take_switches()
    assert state.skips_on == ["skip_1"]
