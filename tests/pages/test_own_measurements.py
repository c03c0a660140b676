"""The visitor's own networks on Compare: measured there as the catalogue's were."""

import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from models import digit_scores
from models.catalogue import PRETRAINED
from models.tasks.digits import read_held_out
from pages.components import cached
from pages.components.compare import own_measurements
from pages.components.compare.measurements import read_measurements
from tests.models.networks import identity, ship
from tests.pages import visits
from tests.pages.visits import page_of


@pytest.fixture
def own(tmp_path):
    """A network of the visitor's, which changes nothing."""
    return ship(tmp_path, "own-1234", identity(), title="Mine", training={})


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A data folder with a few "digits", all grey."""
    grey = np.full((40, 28, 28), 128, np.uint8)
    np.savez(tmp_path / "mnist.npz", x_test=grey, y_test=np.arange(40) % 10, x_train=grey[:1])
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(own_measurements, "FEWEST", 10)
    return tmp_path


def visit(*folders: Path, drawn_with: str = "", **params: str) -> AppTest:
    page = page_of("compare", **params)
    if drawn_with:
        page.session_state["draw_model"] = drawn_with
    page.session_state["user_models"] = list(folders)
    page.run()
    for _ in range(100):
        if not page.get("progress"):
            return page
        time.sleep(0.2)
        page.run()
    raise AssertionError("the measuring does not end")


def said(page: AppTest) -> str:
    return visits.said(page, "caption")


def test_an_own_network_is_measured_highlighted_and_said_to_be(own, digits):
    page = visit(own.folder, drawn_with="unet")
    assert not page.exception
    assert page.selectbox(key="highlight").value == "own-1234"
    assert "Measured on this server, just now, on 40 held-out digits: Mine." in said(page)
    # Nobody knows what it was trained on.
    assert "never saw" not in said(page)
    table = page.dataframe[0].value
    mine = table[table["method"] == "Mine"]
    assert len(mine) == 10
    # It changes nothing: its PSNR is that of grey with this noise, unclipped at weak noise.
    weakest = mine[mine["strength"] == 0.1].iloc[0]
    assert weakest["PSNR (dB)"] == pytest.approx(20, abs=0.1)


def test_what_the_visitor_highlights_afterwards_stays(own, digits):
    page = visit(own.folder)
    page.selectbox(key="highlight").select("unet").run()
    assert page.selectbox(key="highlight").value == "unet"


def test_each_noise_is_measured_when_it_is_chosen(own, digits):
    page = visit(own.folder, measured_noise="block")
    table = page.dataframe[0].value
    mine = table[table["method"] == "Mine"]
    assert len(mine) == 5
    assert mine["noise"].nunique() == 1


def test_other_pictures_than_digits_are_not_measured(own, digits):
    page = visit(own.folder, measured_on="kodak24")
    assert not page.exception
    assert "Mine" not in said(page)


def test_a_server_without_digits_says_so(own, monkeypatch):
    monkeypatch.delenv("DENOISE_DATA_DIR", raising=False)
    page = visit(own.folder)
    assert not page.exception
    assert "Mine: not measured here, because this server has no held-out digits" in said(page)


def test_digits_that_cannot_be_read_are_an_error_not_a_crash(own, digits):
    (digits / "mnist.npz").write_bytes(b"PK\x03\x04 damaged")
    page = visit(own.folder)
    assert not page.exception
    assert "Mine could not be measured." in said(page)


def test_without_an_own_network_nothing_is_measured(digits, monkeypatch):
    monkeypatch.setattr(own_measurements, "result_of", None)
    assert not visit().exception


def test_a_slow_network_is_measured_on_fewer_digits(own, digits, monkeypatch):
    monkeypatch.setattr(own_measurements, "SECONDS", 0.0)
    predictor, reader = (
        cached.get_predictor(own),
        cached.get_predictor(cached.get_card("digit-reader")),
    )
    rows = own_measurements.measure(predictor, reader, own, "block", lambda done, total: None)
    assert [row.pictures for row in rows] == [10] * 5


def test_the_numbers_are_those_of_the_table_for_the_same_network(data_dir):
    card = cached.get_card("conv-16-8-8")
    reader = cached.get_predictor(cached.get_card("digit-reader"))
    rows = own_measurements.measure(
        cached.get_predictor(card), reader, card, "gaussian", lambda done, total: None
    )
    table = read_measurements().rows
    table = table[(table["method"] == card.name) & (table["noise"] == "gaussian")]
    for row in rows:
        (there,) = table[table["strength"] == row.strength].to_dict("records")
        if there["pictures"] == row.pictures:
            assert row.psnr == pytest.approx(there["psnr"], abs=0.002)
            assert row.ssim == pytest.approx(there["ssim"], abs=0.0002)
            assert row.read == pytest.approx(there["read"], abs=0.002)
    assert sum(row.pictures == 1000 for row in rows) == 10


def test_held_out_digits_are_the_test_digits_alone(digits):
    pictures, labels = read_held_out(digits)
    assert (pictures.shape, labels.shape) == ((40, 28, 28, 1), (40,))
    for folder in (None, digits / "nothing"):
        with pytest.raises(OSError, match=r"DENOISE_DATA_DIR|cannot be read"):
            read_held_out(folder)


def test_pictures_are_chosen_evenly():
    assert digit_scores.evenly(3, np.arange(10)).tolist() == [0, 3, 6]
    assert digit_scores.evenly(30, np.arange(10)).tolist() == list(range(10))
    # No two neighbours are farther apart than they have to be, to the end.
    most_of_them = digit_scores.evenly(1500, np.arange(2000))
    assert set(np.diff(most_of_them)) == {1, 2}
    assert most_of_them[-1] >= 1998
    assert digit_scores.evenly(3, np.arange(0)).size == 0


def test_only_the_visitors_own_digit_networks_are_measured(own):
    cards = {card.name: card for card in (own, cached.get_card("unet"), cached.get_card("photo"))}
    assert list(own_measurements.own_cards(cards)) == ["own-1234"]
    assert cards["unet"].folder.parent == PRETRAINED


@pytest.mark.parametrize(("name", "key"), [("draw", "model"), ("inside", "inside_model")])
def test_a_link_says_that_a_network_is_the_visitors_own(own, name, key):
    page = page_of(name)
    page.session_state["user_models"] = [own.folder]
    page.run()
    assert not page.exception
    (box,) = (each for each in page.selectbox if each.key.endswith("_model"))
    assert box.value != "own-1234"  # It is chosen where it is taken along.
    box.set_value("own-1234").run()
    assert page.query_params[key] == "own-1234"


def test_two_networks_of_one_name_are_told_apart(tmp_path):
    cards = [ship(tmp_path, name, identity(), title="Mine", training={}) for name in ("a", "b")]
    page = page_of("draw")
    page.session_state["user_models"] = [card.folder for card in cards]
    page.run()
    (box,) = (each for each in page.selectbox if each.key == "draw_model")
    assert [option for option in box.options if option.startswith("Mine")] == ["Mine", "Mine (2)"]
    page.session_state["draw_model"] = "a"
    assert page.run().selectbox(key="draw_model").value == "a"
