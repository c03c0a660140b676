"""The Draw page without a browser: what is said where something is wrong."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from imaging.filters import CLASSICAL
from imaging.noise import NOISE_KINDS
from models.catalogue import PRETRAINED, ModelError, load_catalogue, read_catalogue
from models.methods import Method, method_names
from models.tasks.denoise_digits import TASK
from pages.components import cached, link, scores
from pages.components.methods import Result
from tests.pages.visits import page_of, said


@pytest.fixture(autouse=True)
def own_catalogue():
    """No test sees the models that another one has loaded."""
    cached.get_catalogue.clear()
    yield
    cached.get_catalogue.clear()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped models that the page uses, to break."""
    folder = tmp_path / "pretrained"
    shutil.copytree(PRETRAINED, folder)
    monkeypatch.setattr(cached, "read_catalogue", lambda: read_catalogue(folder))
    return folder


def visit(**link: str) -> AppTest:
    return page_of("draw", seconds=30, **link).run()


def drawn(picture: np.ndarray) -> str:
    return link.drawing_to_text(picture.astype(np.float32))


def test_arrival_shows_a_gain_and_nothing_to_worry_about():
    page = visit()
    assert not page.exception
    assert float(page.metric[0].delta.removesuffix(" dB")) > 5
    assert not page.warning
    assert not page.error


@pytest.mark.parametrize("kind", NOISE_KINDS.values(), ids=NOISE_KINDS)
def test_every_noise_works_over_its_whole_slider(kind):
    for strength in (kind.low, kind.default, kind.high):
        page = visit(noise=kind.name, strength=str(strength))
        assert not page.exception
        assert page.slider(key="draw_strength").value == strength
        assert "link" not in said(page)


@pytest.mark.parametrize("name", method_names(TASK, load_catalogue()))
def test_every_method_can_be_chosen_by_its_name(name):
    page = visit(model=name)
    assert not page.exception
    assert page.selectbox(key="draw_model").value == name
    assert "does not exist" not in said(page)
    if name in CLASSICAL:
        text = said(page, "markdown", "caption")
        assert CLASSICAL[name].description in text
        assert f"Source: {CLASSICAL[name].source}." in text


def test_another_noise_starts_at_its_own_default_strength():
    page = visit(strength="0.95")
    page.selectbox(key="draw_noise").select("block").run()
    assert page.slider(key="draw_strength").value == NOISE_KINDS["block"].default
    assert not page.exception


def test_only_what_differs_from_the_arrival_stands_in_the_link():
    page = visit()
    assert page.query_params == {}
    page.number_input(key="draw_seed").set_value(7).run()
    assert page.query_params == {"seed": "7"}


def test_other_parameters_of_the_link_are_left_alone():
    page = visit(utm_source="lecture")
    page.number_input(key="draw_seed").set_value(7).run()
    assert page.query_params["utm_source"] == "lecture"


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.eye(1, 784, 400).reshape(28, 28, 1), id="one pixel"),
        pytest.param(np.ones((28, 28, 1)), id="all white"),
        pytest.param(np.full((28, 28, 1), 1 / 255), id="nearly black"),
    ],
)
def test_odd_drawings_are_shown_with_their_numbers(picture):
    page = visit(drawing=drawn(picture))
    assert not page.exception
    assert page.metric


def test_a_blank_canvas_says_what_to_do():
    page = visit(start="blank")
    assert "Draw a digit" in said(page)
    assert not page.exception
    assert not page.metric


def test_a_picture_without_noise_is_not_called_a_gain():
    page = visit(strength="0")
    assert not page.exception
    assert page.metric[0].delta in ("", None)
    assert "made it worse" in said(page)


def test_a_picture_without_noise_has_no_gain_by_any_method(monkeypatch):
    shown = []
    monkeypatch.setattr(scores, "show_gallery", shown.extend)
    clean = np.zeros((28, 28, 1), np.float32)
    method = Method("same", "The same", "test", "", lambda noisy, sigma: noisy)
    scores.show_all_methods([Result(method, clean, 1.0)], clean, clean, "")
    assert [each.lines for each in shown] == [("∞ dB", "no parameters", "1.0 ms")]


def test_noise_outside_the_training_is_named():
    page = visit(model="conv-32-32", strength="1.0")
    assert "trained on strengths from 0.2 to 0.8" in said(page)
    assert "trained on" not in said(visit(model="conv-32-32"))


def test_a_model_whose_weights_are_damaged_says_so_and_another_one_works(shelf):
    weights = bytearray((shelf / "dense" / "model.onnx").read_bytes())
    weights[1000] ^= 1
    (shelf / "dense" / "model.onnx").write_bytes(weights)
    # Another hash than the shipped card's, so that no loaded copy of the model hides the damage.
    cached._predictor.clear()
    cached._network.clear()
    page = visit(model="dense")
    assert "damaged" in said(page)
    assert not page.exception
    page.selectbox(key="draw_model").select("conv-32-32").run()
    assert page.metric


@pytest.mark.parametrize(
    "get", [cached.get_predictor, lambda card: cached.get_cut_predictor(card, ())]
)
def test_a_network_is_loaded_again_where_a_part_of_it_is_another_one(get):
    card = load_catalogue()["conv-16-8-8"]
    assert get(card) is get(card)
    parted = dataclasses.replace(card, parts={"level": "0" * 64})
    with pytest.raises(ModelError, match="missing"):  # So it was looked for.
        get(parted)


def test_a_missing_card_and_a_broken_card_are_left_out_with_a_sentence(shelf):
    (shelf / "dense" / "card.json").unlink()
    (shelf / "conv-32-32" / "card.json").write_text('{"name": "conv-32-32", "size": ')
    page = visit()
    assert "The model dense has no card." in said(page)
    assert "The card of the model conv-32-32 cannot be read" in said(page)
    assert not page.exception
    assert page.metric


def test_without_any_model_the_classical_filters_still_work(shelf):
    shutil.rmtree(shelf)
    page = visit()
    assert not page.exception
    assert page.metric


def test_a_drawing_of_a_link_marks_its_own_chip_and_a_digit_takes_its_place():
    drawing = np.zeros((28, 28, 1), np.float32)
    drawing[8:20, 12:16] = 1
    page = visit(drawing=link.drawing_to_text(drawing))
    assert page.pills(key="draw_chip").value == "your drawing"
    page.pills(key="draw_chip").set_value("3").run()
    assert not page.exception
    assert page.session_state["draw_drawing"] is None
    assert "your drawing" not in page.pills(key="draw_chip").options
    assert page.pills(key="draw_chip").value == "3"


def test_strokes_are_added_to_a_drawing_from_the_link(monkeypatch):
    earlier = np.zeros((28, 28, 1), np.float32)
    earlier[6:22, 7] = 1
    canvas = np.zeros((280, 280, 4), np.uint8)
    canvas[60:220, 200:210] = 255  # In the 21st of the columns of ten.
    visit()  # The canvas can only be imported once Streamlit has looked for its components.
    monkeypatch.setattr("pages.components.draw.controls.drawing_pad", lambda *_, **more: canvas)
    page = visit(drawing=drawn(earlier))
    assert not page.exception
    columns = np.flatnonzero(page.session_state.draw_drawing[..., 0].max(axis=0) > 0.5)
    # Two bars as far apart as they were drawn, 13 columns, in a digit's box of 20 rows for 16.
    assert columns.max() - columns.min() == pytest.approx(13 * 20 / 16, abs=1.5)
