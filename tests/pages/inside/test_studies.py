"""The sections of the Inside page on codes, PCA, pixel order and anomalies, without a browser."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from imaging.noise import NOISE_KINDS
from models.catalogue import find_card
from models.inspection.network import load_inside
from models.studies import anomaly as stored_anomaly
from models.studies import autoencoders as stored_autoencoders
from models.studies import codes, storage
from models.studies import pixel_order as stored_order
from pages.components import controls, thumbnails
from pages.components.inside import anomaly, autoencoders, pixel_order, settings, shared
from pages.components.inside import code as inside_code
from tests.pages.visits import page_of, said

SECTIONS = ("code", "pca", "order", "anomaly")
THREE = controls.ready_digit("3")


def visit(section: str, **params: str) -> AppTest:
    """Open a section of the page with these settings in its link."""
    return page_of("inside", seconds=120, inside=section, **params).run()


@pytest.fixture
def network():
    return load_inside(find_card(inside_code.MODEL))


# The page


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_and_has_nothing_to_worry_about(section):
    page = visit(section)
    assert not page.exception
    assert said(page) == ""


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_explains_its_terms_and_names_its_source(section):
    page = visit(section)
    assert any(caption.value.startswith("Source: ") for caption in page.caption)
    words = " ".join(text.value for text in page.markdown)
    assert len(words.split(". ")) > 3


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_whose_files_are_gone_says_so(section, monkeypatch, tmp_path):
    for module, name in (
        (storage, "read_measured"),
        (stored_autoencoders, "read_autoencoders"),
        (stored_order, "read_order"),
        (codes, "read_codes"),
        (stored_anomaly, "read_scores"),
    ):
        read = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, read=read: read(*args, folder=tmp_path))
    import streamlit as st

    st.cache_resource.clear()
    try:
        page = visit(section)
    finally:
        st.cache_resource.clear()
    assert not page.exception
    assert "cannot be read" in said(page)


def test_the_link_sets_what_the_sections_show():
    page = visit("pca", pca_width="32")
    assert page.select_slider(key="pca_width").value == 32
    page = visit("anomaly", anomaly_detector="brightness", anomaly_allowed="0.01")
    assert page.selectbox(key="anomaly_detector").value == "brightness"
    assert page.select_slider(key="anomaly_allowed").value == 0.01


def test_a_link_with_nonsense_is_answered_with_a_sentence():
    page = visit("pca", pca_width="3", code_values="1_2_x", anomaly_allowed="0.5")
    assert not page.exception
    assert page.select_slider(key="pca_width").value == 8
    for words in ("`3`", "`1_2_x`", "`0.5`"):
        assert words in said(page)


# The code


def test_the_sliders_begin_with_the_code_of_the_digit(network):
    own = network.encode(THREE[np.newaxis])[0]
    page = visit("code")
    shown = [page.slider(key=f"code_{index}").value for index in range(10)]
    # Sliders go in tenths.
    np.testing.assert_allclose(shown, own, atol=0.05 + 1e-6)


def test_a_moved_slider_stands_in_the_link_and_comes_back_with_it():
    page = visit("code")
    page.slider(key="code_4").set_value(1.5).run()
    again = visit("code", code_values=page.query_params["code_values"])
    assert again.slider(key="code_4").value == 1.5
    again.button(key="code_back").click().run()
    assert "code_values" not in again.query_params


@pytest.mark.parametrize("code", ["99.9_" * 9 + "-99.9", "-99_" * 9 + "99"])
def test_a_code_beyond_the_sliders_puts_them_to_their_ends_and_says_so(code):
    page = visit("code", code_values=code)
    assert not page.exception
    assert "beyond the range of the sliders" in said(page)
    sliders = [page.slider(key=f"code_{index}") for index in range(10)]
    assert all(slider.value in (slider.min, slider.max) for slider in sliders)
    page.run()
    assert said(page) == ""
    assert page.query_params["code_values"]


def test_a_link_to_the_ends_of_the_sliders_is_taken_as_it_is():
    page = visit("code", code_values="99.9_" * 9 + "-99.9")
    again = visit("code", code_values=page.query_params["code_values"])
    assert not again.exception
    assert said(again) == ""


def test_another_digit_sets_the_sliders_anew():
    page = visit("code")
    page.slider(key="code_4").set_value(1.5).run()
    page.pills(key="inside_digit").set_value("7").run()
    own = load_inside(find_card(inside_code.MODEL)).encode(controls.ready_digit("7")[np.newaxis])[0]
    assert page.slider(key="code_4").value == pytest.approx(own[4], abs=0.051)


def test_a_code_by_chance_is_another_one_each_time():
    page = visit("code")
    first = page.button(key="code_chance").click().run().query_params["code_values"]
    second = page.button(key="code_chance").click().run().query_params["code_values"]
    assert first != second


def test_the_ends_of_the_sliders_hold_every_code_and_the_digits_own():
    low, high = inside_code.slider_ends(np.array([[0.0, -1.26], [2.0, 1.0]]), np.array([2.04, 0]))
    np.testing.assert_allclose(low, [0, -1.3])
    np.testing.assert_allclose(high, [2.1, 1.0])


def test_a_walk_begins_and_ends_at_the_two_digits(network):
    eight = controls.ready_digit("8")
    stops = inside_code.walk(network, THREE, eight)
    assert len(stops) == inside_code.STEPS
    ends = network.decode(network.encode(np.stack([THREE, eight])))
    np.testing.assert_allclose(stops[[0, -1]], ends, atol=1e-4)


def test_a_fade_mixes_the_pixels():
    faded = inside_code.fade(np.zeros((28, 28, 1)), np.ones((28, 28, 1)))
    np.testing.assert_allclose(faded[:, 3, 4, 0], np.linspace(0, 1, inside_code.STEPS))


@pytest.mark.parametrize("kind", NOISE_KINDS.values(), ids=NOISE_KINDS.keys())
def test_the_way_on_the_map_begins_at_the_weakest_noise_of_the_slider(kind):
    way = inside_code.with_rising_noise(THREE, kind, seed=3)
    np.testing.assert_array_equal(way[0], shared.corrupt(THREE, kind, kind.low, 3))
    np.testing.assert_array_equal(way[-1], shared.corrupt(THREE, kind, kind.high, 3))


def test_one_thumbnail_at_most_lies_in_a_cell():
    places = np.random.default_rng(0).normal(size=(500, 2))
    chosen = thumbnails.spread_over_cells(places, 6)
    low, high = places.min(axis=0), places.max(axis=0)
    cells = np.minimum(((places - low) / (high - low) * 6).astype(int), 5)
    occupied = {tuple(cell) for cell in cells}
    assert {tuple(cell) for cell in cells[chosen]} == occupied
    assert len(chosen) == len(occupied)


def test_thumbnails_are_decoded_from_the_codes(network):
    shipped = codes.read_codes()
    index, url = next(iter(thumbnails.make_thumbnails(network, shipped, "pca").items()))
    png = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(png))) / 255
    decoded = network.decode(shipped.codes[index : index + 1])[0, ..., 0]
    np.testing.assert_allclose(pixels, decoded, atol=0.5 / 255 + 1e-4)


# PCA


def test_weights_become_pictures_around_grey():
    row = np.zeros(784)
    row[[0, 1]] = 2, -1
    picture = autoencoders.as_picture(row).ravel()
    assert picture[:3] == pytest.approx([1, 0.25, 0.5])
    assert autoencoders.as_picture(np.zeros(784)).ravel()[0] == 0.5


def test_the_table_has_a_line_for_each_width_and_both_methods_beside():
    rows = pd.DataFrame(
        [
            {"title": title, "width": width, "lost": lost, "psnr": 20, "read": 0.5}
            for title, lost in (("PCA", 0.25), ("Autoencoder", 0.125))
            for width in (2, 4)
        ]
    )
    table = autoencoders.as_table(rows)
    assert list(table["numbers kept"]) == [2, 4]
    assert list(table["PCA: lost"]) == ["25.0%", "25.0%"]
    assert list(table["Autoencoder: lost"]) == ["12.5%", "12.5%"]


def test_dead_units_are_counted_in_words():
    assert autoencoders.dead_words({"2": 0, "4": 0}) == ""
    assert autoencoders.dead_words({"2": 1, "4": 0, "8": 2}) == (
        ", and of their hidden units 1 of 2, 2 of 8 never open"
    )


# Order of pixels


def test_the_summary_says_what_shuffling_costs():
    rows = pd.DataFrame(
        {
            "network": ["dense", "dense", "convolutional", "convolutional"],
            "order": ["ordered", "shuffled"] * 2,
            "psnr": [18, 17.98, 19, 15.5],
        }
    )
    assert pixel_order.summary(rows) == (
        "Shuffling costs the convolutional network 3.50 dB and the dense one 0.02 dB."
    )


@pytest.mark.parametrize("shuffled", [18, 18.01])
def test_what_costs_nothing_is_said_without_a_minus(shuffled):
    rows = pd.DataFrame(
        {
            "network": ["dense", "dense", "convolutional", "convolutional"],
            "order": ["ordered", "shuffled"] * 2,
            "psnr": [18, shuffled, 19, 15.5],
        }
    )
    assert pixel_order.summary(rows).endswith("and the dense one nothing.")


# Anomalies


@pytest.mark.parametrize("name", settings.PICTURES)
def test_every_picture_can_be_shown(name):
    picture = anomaly.load_picture(name, THREE)
    assert picture.shape == (28, 28, 1)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


@pytest.mark.parametrize("detector", settings.DETECTORS)
def test_the_score_is_the_error_of_what_is_shown(detector):
    score, rebuilt = anomaly.judge(detector, THREE)
    if rebuilt is None:
        assert score == pytest.approx(THREE.mean())
    else:
        assert score == pytest.approx(np.square(THREE - rebuilt).mean(), rel=1e-5)


def test_every_detector_was_measured_on_every_kind():
    for scores in stored_anomaly.read_scores().values():
        assert set(scores) == {"digits", *settings.KINDS}
    assert set(stored_anomaly.read_scores()) == set(settings.DETECTORS)


def test_a_curve_goes_from_no_alarm_to_all():
    scores = {kind: np.random.default_rng(0).random(50) for kind in settings.KINDS}
    table = anomaly.roc_table({"digits": np.random.default_rng(1).random(50), **scores})
    for _, curve in table.groupby("kind"):
        assert curve["false"].iloc[[0, -1]].tolist() == [0, 1]
        assert curve["found"].iloc[-1] == 1
        assert curve["found"].is_monotonic_increasing


def test_the_bars_hold_all_pictures():
    scores = {"digits": np.array([0.001, 0.01]), "noise": np.array([0.01, 0.5, 0.0])}
    table = anomaly.spread_table(scores, "noise")
    assert table.groupby("kind")["share"].sum().to_dict() == pytest.approx(
        {"Test digits": 1, "Noise": 1}
    )
    assert (table["high"] > table["low"]).all()


@pytest.mark.parametrize("picture", ["cat", "noise"])
def test_what_is_no_digit_raises_the_alarm(picture):
    page = visit("anomaly", anomaly_picture=picture)
    assert any(text.value.startswith("**Alarm:**") for text in page.markdown)


def test_a_digit_raises_none():
    page = visit("anomaly", anomaly_picture="digit")
    assert any(text.value.startswith("**No alarm:**") for text in page.markdown)


def test_the_table_of_areas_has_three_decimals_for_each_detector_and_kind():
    areas = {name: dict.fromkeys(settings.KINDS, 0.5) for name in settings.DETECTORS}
    table = anomaly.as_table(areas)
    assert list(table.index) == list(settings.DETECTORS.values())
    assert list(table.columns) == list(settings.KINDS.values())
    assert set(table.to_numpy().ravel()) == {"0.500"}
