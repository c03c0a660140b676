"""The Compare page without a browser: its numbers, its blind test, and what is said."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from imaging.noise import NOISE_KINDS
from models.catalogue import load_catalogue
from models.methods import Method, method_names
from models.tasks.denoise_digits import TASK
from pages.components import draw_settings, link
from pages.components.compare import (
    blind_test,
    charts,
    measurements,
    selection,
    settings,
    table,
    trust_map,
)
from pages.components.controls import DRAWING
from pages.components.methods import Result
from tests.pages.visits import page_of, said

CARDS = load_catalogue()


def visit(**link: str) -> AppTest:
    return page_of("compare", **link).run()


def row(method: str, family: str, noise: str, strength: float, psnr: float, **more) -> dict:
    """One measurement, as ``train evaluate`` writes it."""
    return {
        "method": method,
        "family": family,
        "data": "mnist",
        "noise": noise,
        "strength": strength,
        "pictures": 1000,
        "psnr": psnr,
        "ssim": 0.5,
        "read": 0.9,
        "seconds_per_picture": 0.001,
        **more,
    }


ROWS = [
    *(row("noisy", "none", "gaussian", strength, 10) for strength in (0.2, 0.4)),
    *(row("unet", "network", "gaussian", at, psnr) for at, psnr in ((0.2, 26), (0.4, 22))),
    *(row("median", "filter", "gaussian", strength, 12) for strength in (0.2, 0.4)),
    *(row("median+curve", "filter", "gaussian", strength, 15) for strength in (0.2, 0.4)),
    row("noisy", "none", "block", 0.4, 11),
    row("unet", "network", "block", 0.4, 21),
]
PHOTOS = [
    row("noisy", "none", "gaussian", 0.058824, 24, data="kodak24", read=None),
    row("photo", "network", "gaussian", 0.058824, 34, data="kodak24", read=None),
    row("noisy", "none", "gaussian, unclipped", 0.098039, 20, data="kodak24", read=None),
    row("photo", "network", "gaussian, unclipped", 0.098039, 32, data="kodak24", read=None),
    row("bm3d", "filter", "gaussian, unclipped", 0.098039, 31, data="kodak24", read=None),
    row("noisy", "none", "camera", 0, 36, data="polyu", read=None),
    row("photo", "network", "camera", 0, 38, data="polyu", read=None),
]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``write(rows)`` makes the page read these measurements; a text is written as it is."""
    path = tmp_path / "measurements.json"
    monkeypatch.setattr(measurements, "MEASUREMENTS", path)

    def write_table(rows: list[dict] | str) -> None:
        head = {"date": "2026-01-02", "machine": {"processor": "Abacus", "cores": 1}}
        path.write_text(rows if isinstance(rows, str) else json.dumps({**head, "rows": rows}))

    return write_table


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[selection.Selection]:
    """What the charts of the page were given, the newest last."""
    seen = []
    draw = charts.show_ranking

    def remember(chosen: selection.Selection) -> None:
        seen.append(chosen)
        draw(chosen)

    monkeypatch.setattr(charts, "show_ranking", remember)
    return seen


def here(noise: str, strength: float, model: str) -> draw_settings.DrawSettings:
    return draw_settings.DrawSettings(noise, strength, 0, model, "3", None)


# Measured


@pytest.mark.parametrize("view", settings.VIEWS)
def test_every_view_opens_and_has_nothing_to_worry_about(view):
    page = visit(compare=view)
    assert not page.exception
    assert said(page) == ""


@pytest.mark.parametrize("noise", NOISE_KINDS)
def test_every_model_and_filter_is_measured_for_every_noise_or_named_as_missing(noise, shown):
    page = visit(measured_noise=noise)
    assert not page.exception
    rows = shown[-1].rows
    missing = measurements.unmeasured(measurements.read_measurements(), CARDS)
    for name in method_names(TASK, CARDS):
        on_digits = name not in CARDS or CARDS[name].data == "mnist"
        expected = selection.measured_name(name, list(rows["method"]))
        if on_digits and CARDS.get(name) is not None and CARDS[name].title in missing:
            continue
        assert (expected in set(rows["method"])) == on_digits


def test_filters_have_their_bias_undone_and_the_plain_ones_are_in_the_table_only(write, shown):
    write(ROWS)
    page = visit()
    assert set(shown[-1].rows["method"]) == {"noisy", "unet", "median+curve"}
    assert set(page.dataframe[0].value["method"]) == {
        "Noisy input",
        "U-Net",
        "Median",
        "Median (bias undone)",
    }


def test_the_summary_names_the_best_of_each_family(write):
    write(ROWS)
    page = visit(measured_at="0.4")
    assert page.markdown[1].value == (
        "Gaussian, strength 0.4: the best network is U-Net with 22.0 dB; the best filter is "
        "Median (bias undone) with 15.0 dB; the noisy input has 10.0 dB."
    )


def test_the_dot_lies_between_the_measured_strengths(write, shown):
    write(ROWS)
    visit()
    (chosen,) = shown
    # Three quarters of the way from 26 dB at 0.2 to 22 dB at 0.4.
    assert charts.value_here(chosen, here("gaussian", 0.35, "unet")) == pytest.approx(23)
    assert charts.value_here(chosen, here("gaussian", 0.35, "median")) == pytest.approx(15)
    assert np.isnan(charts.value_here(chosen, here("gaussian", 0.1, "unet")))
    assert np.isnan(charts.value_here(chosen, here("gaussian", 0.3, "my-own-run")))


def test_the_dot_is_only_where_the_visitor_is(write, shown):
    write(ROWS)
    visit()
    (chosen,) = shown
    assert charts.is_here(chosen, here("gaussian", 0.35, "unet"))
    assert not charts.is_here(chosen, here("block", 0.35, "unet"))


def test_a_strength_comes_back_after_a_look_at_photos():
    page = visit()
    before = page.select_slider(key="measured_at").value
    page.segmented_control(key="measured_on").set_value("kodak24").run()
    assert page.select_slider(key="measured_at").value != before
    page.segmented_control(key="measured_on").set_value("mnist").run()
    assert page.select_slider(key="measured_at").value == before


def test_the_page_begins_with_the_noise_of_the_draw_page_and_goes_along_with_it():
    page = page_of("compare")
    for name, value in {"noise": "block", "strength": 0.3, "model": "median"}.items():
        page.session_state[f"draw_{name}"] = value
    page.run()
    assert page.selectbox(key="measured_noise").value == "block"
    assert page.select_slider(key="measured_at").value == 0.32
    assert page.selectbox(key="highlight").value == "median+curve"
    page.selectbox(key="measured_noise").select("uniform").run()
    assert page.selectbox(key="measured_noise").value == "uniform"
    assert page.session_state.draw_noise == "block"
    page.session_state.draw_noise = "speckle"
    assert page.run().selectbox(key="measured_noise").value == "speckle"


def test_without_a_visit_to_the_draw_page_its_arrival_is_taken():
    draw = page_of("draw").run()
    arrival = draw_settings.on_arrival(CARDS)
    for name in ("noise", "strength", "seed", "model", "drawing"):
        assert draw.session_state[f"draw_{name}"] == getattr(arrival, name)
    assert draw.session_state.draw_start == arrival.digit


def test_what_was_trained_on_is_said_for_the_highlighted_model():
    captions = "\n".join(box.value for box in visit(highlight="conv-32-32").caption)
    assert "on which it was trained, 0.2 to 0.8" in captions
    captions = "\n".join(
        box.value for box in visit(highlight="conv-32-32", measured_noise="block").caption
    )
    assert "Convolutional 32-32 never saw this noise in training" in captions


def test_photos_are_a_choice_and_no_part_of_the_digits(write, shown):
    write(ROWS)
    assert measurements.read_measurements().data_sets() == ["mnist"]
    write(ROWS + PHOTOS)
    page = visit()
    assert measurements.read_measurements().data_sets() == ["mnist", "kodak24", "polyu"]
    assert "photo" not in set(shown[-1].rows["method"])
    page = visit(measured_on="kodak24", measured_noise="gaussian, unclipped", measured_by="ssim")
    assert not page.exception
    assert said(page) == ""
    chosen = shown[-1]
    assert set(chosen.there["method"]) == {"photo", "noisy", "bm3d"}
    assert chosen.there["shown"].iloc[0] == pytest.approx(25, abs=0.01)


def test_noise_of_a_single_strength_has_a_ranking_and_no_curve(write, shown):
    write(ROWS + PHOTOS)
    page = visit(measured_on="polyu")
    assert not page.exception
    assert not page.select_slider
    assert not charts.has_curves(shown[-1])


def test_the_table_has_the_numbers_of_the_file_and_the_gain(write):
    write(ROWS)
    page = visit(table_families="network", table_noises="gaussian")
    numbers = page.dataframe[0].value
    assert numbers["PSNR (dB)"].tolist() == [26, 22]
    assert numbers["gain (dB)"].tolist() == [16, 12]
    assert numbers["digits read"].tolist() == [90, 90]
    caption = "\n".join(box.value for box in page.caption)
    assert "on 2026-01-02: Abacus, 1 cores" in caption


def test_the_csv_has_the_rows_of_the_file(write):
    write(ROWS)
    rows = measurements.read_measurements().rows
    written = pd.read_csv(io.StringIO(table.as_csv(rows, CARDS)))
    assert len(written) == len(ROWS)
    assert written.loc[2, ["method", "strength", "psnr"]].tolist() == ["unet", 0.2, 26]
    assert written.loc[2, "parameters"] == CARDS["unet"].parameters


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"date": "x", "machine": {}, "rows": []}',
        '{"date": "x", "machine": {}, "rows": [{"method": "unet"}]}',
        json.dumps({"date": "x", "machine": {}, "rows": [row("a", "b", "c", 1, "loud")]}),
        json.dumps({"date": "x", "machine": {}, "rows": [row("a", "b", "c", 1, float("nan"))]}),
        json.dumps({"date": "x", "machine": {}, "rows": [row(7, "b", "c", 1, 2)]}),
    ],
)
def test_a_damaged_table_is_a_sentence_and_the_other_views_still_work(write, text):
    write(text)
    page = visit()
    assert not page.exception
    assert "cannot be read" in said(page)
    assert "python -m train evaluate" in said(page)
    assert not visit(compare="trust").exception


def test_a_missing_table_is_a_sentence(write):
    assert "is missing" in said(visit())


def test_a_table_with_a_family_and_a_noise_that_nobody_knows_is_shown(write):
    write([*ROWS, row("oracle", "magic", "snow", 0.5, 40), row("noisy", "none", "snow", 0.5, 5)])
    page = visit(measured_noise="snow")
    assert not page.exception
    assert "the best network is oracle with 40.0 dB" in page.markdown[1].value


# The link


def test_only_what_differs_from_the_arrival_stands_in_the_link():
    page = visit()
    assert page.query_params == {}
    page.selectbox(key="measured_noise").select("block").run()
    assert page.query_params["measured_noise"] == "block"
    assert "trust_noise" not in page.query_params


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compare", "tea-leaves"),
        ("measured_on", "cats"),
        ("measured_by", "hope"),
        ("measured_noise", "<b>static</b>"),
        ("measured_at", "nan"),
        ("measured_at", "inf"),
        ("highlight", "hal-9000"),
        ("table_families", "network;cousins"),
        ("blind_seed", "-1"),
        ("blind_seed", "1e99"),
        ("trust_noise", "snow"),
        ("trust_strength", "7"),
        ("trust_model", "hal-9000"),
        ("trust_model", "digit-reader"),
        ("trust_digit", "12"),
        ("trust_drawing", "abc"),
        ("trust_drawing", "A" * 100_000),
    ],
)
def test_nonsense_in_the_link_gets_a_sentence_and_the_usual_page(name, value):
    page = visit(**{name: value})
    assert not page.exception
    assert "link" in said(page)
    assert name not in page.query_params


def test_back_opens_the_view_before(monkeypatch):
    page = visit(compare="blind", blind_seed="7")
    monkeypatch.setattr(link, "is_history_navigation", lambda: True)
    page.query_params.clear()
    page.run()
    assert not page.exception
    assert page.session_state.compare == "measured"
    assert page.session_state.blind_seed == 1
    assert dict(page.query_params) == {}


def test_reset_brings_the_arrival_back_and_stays_in_the_view():
    page = visit(compare="trust", trust_digit="8", trust_noise="block", trust_strength="0.7")
    page.button(key="compare_reset").click().run()
    assert page.query_params == {"compare": "trust"}
    assert page.slider(key="trust_strength").value == NOISE_KINDS["gaussian"].default


# The blind test


def played(left: float, right: float, names: tuple[str, str] = ("a", "b")) -> blind_test.Round:
    """A round whose answers are off by these values, on a picture with some structure."""
    clean = np.tile(np.linspace(0.2, 0.8, 28, dtype=np.float32), (28, 1))[..., np.newaxis]
    results = [
        Result(Method(name, name.upper(), "test", "", np.copy), clean + np.float32(off), 1)
        for name, off in zip(names, (left, right), strict=True)
    ]
    return blind_test.Round(clean, clean, "Snow, 0.5", *results)


def test_the_score_counts_rounds_in_which_both_saw_a_difference():
    test = blind_test.BlindTest(1)
    test.rounds = [played(0.1, 0.2), played(0.1, 0.2), played(0.2, 0.1), played(0.1, 0.1)]
    test.picks = [blind_test.LEFT, blind_test.RIGHT, blind_test.EQUAL, blind_test.LEFT]
    # The first agrees, the second does not; in the third the visitor saw none, in the fourth
    # there was none.
    assert test.agreement("psnr") == (1, 2)


def test_the_picked_methods_are_counted():
    test = blind_test.BlindTest(1)
    test.rounds = [played(0.1, 0.2, ("a", "b")), played(0.1, 0.2, ("a", "c"))]
    test.picks = [blind_test.LEFT, blind_test.RIGHT]
    picked, rounds = blind_test.as_tables(test)
    assert picked.values.tolist() == [["C", 1, 1], ["A", 1, 2], ["B", 0, 1]]
    assert rounds["PSNR"].tolist() == ["left", "left"]


def test_ten_rounds_have_ten_pairs_and_the_same_seed_asks_the_same():
    cards = draw_settings.fitting(CARDS)
    rounds, used = [], set()
    for number in range(blind_test.ROUNDS):
        rounds.append(blind_test.draw_round(5, number, cards, used))
        used.add(rounds[-1].pair)
    assert len(used) == blind_test.ROUNDS
    again = blind_test.draw_round(5, 0, cards, set())
    assert again.left.method.name == rounds[0].left.method.name
    assert np.array_equal(again.noisy, rounds[0].noisy)
    other = blind_test.draw_round(6, 0, cards, set())
    assert not np.array_equal(other.noisy, rounds[0].noisy)
    gaps = [abs(one.quality("left").psnr - one.quality("right").psnr) for one in rounds]
    assert max(gaps) <= blind_test.CLOSE


def test_the_names_are_told_after_the_pick_and_the_score_after_ten_rounds():
    page = visit(compare="blind", blind_seed="3")
    titles = [card.title for card in CARDS.values()] + ["classical"]
    for number in range(1, blind_test.ROUNDS + 1):
        before = "\n".join(box.value for box in page.markdown)
        assert not [title for title in titles if f"**{title}**" in before]
        page.button(key=f"blind-left-{number}").click().run()
        assert not page.exception
        assert "You picked **" in "\n".join(box.value for box in page.markdown)
        page.button(key="blind-next").click().run()
    agreed, _, decided = page.metric[0].value.partition(" of ")
    assert int(agreed) <= int(decided) == 10
    assert len(page.dataframe[1].value) == 10
    page.button(key="blind-again").click().run()
    assert page.button(key="blind-left-1")


def test_another_seed_begins_anew():
    page = visit(compare="blind")
    page.button(key="blind-equal-1").click().run()
    page.number_input(key="blind_seed").set_value(9).run()
    assert page.session_state.blind.picks == []
    assert page.query_params["blind_seed"] == "9"


def test_where_all_pairs_are_used_no_round_is_made_up():
    names = method_names(TASK, {})
    everything = {frozenset((a, b)) for a in names for b in names}
    with pytest.raises(ValueError, match="no pair"):
        blind_test.draw_round(1, 0, {}, everything)


# The trust map


def trust_of(answers: np.ndarray, digits: list[int]) -> trust_map.Trust:
    readings = [(digit, 0.9) for digit in digits]
    return trust_map.Trust(np.zeros((2, 2, 1)), answers, answers, readings, (3, 0.9), (3, 0.9))


def test_the_map_is_the_standard_deviation_of_the_answers():
    answers = np.zeros((4, 2, 2, 1))
    answers[:2, 0, 0] = 1
    found = trust_of(answers, [3, 3, 8, 3])
    assert found.spread[..., 0].tolist() == [[0.5, 0], [0, 0]]
    assert found.mean[..., 0].tolist() == [[0.5, 0], [0, 0]]
    assert found.counts[3] == 3
    assert found.counts[8] == 1
    assert sum(found.counts.values()) == 4


def test_the_scale_of_the_map_is_fixed_and_gets_brighter():
    colours = trust_map.heat(np.linspace(0, 0.5, 11).reshape(1, 11, 1))
    assert (colours[0, 0] * 255).tolist() == pytest.approx([0, 0, 4])
    assert (colours[0, -1] * 255).tolist() == pytest.approx([252, 255, 164])
    # Luma of BT.601.
    assert np.all(np.diff(colours[0] @ [0.299, 0.587, 0.114]) > 0)


@pytest.mark.parametrize("name", method_names(TASK, CARDS))
def test_without_noise_all_draws_agree_for_every_method(name):
    cards = draw_settings.fitting(CARDS)
    clean = blind_test.draw_round(1, 0, cards, set()).clean
    found = trust_map.find_trust(name, cards, NOISE_KINDS["gaussian"], 0.0, clean, 0)
    assert found.answers.shape == (trust_map.DRAWS, 28, 28, 1)
    assert found.spread.max() < 1e-6
    assert max(found.counts.values()) == trust_map.DRAWS


def test_draws_differ_from_each_other_and_are_the_same_for_a_seed():
    cards = draw_settings.fitting(CARDS)
    clean = blind_test.draw_round(1, 0, cards, set()).clean
    one, same, other = (
        trust_map.find_trust("unet", cards, NOISE_KINDS["gaussian"], 0.5, clean, seed)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one.answers, same.answers)
    assert not np.array_equal(one.noisy, other.noisy)
    assert one.noisy.std(axis=0).max() > 0.1


@pytest.mark.parametrize("kind", NOISE_KINDS.values(), ids=NOISE_KINDS)
def test_pure_noise_is_never_a_black_picture(kind):
    cards = draw_settings.fitting(CARDS)
    invented = trust_map.invent("dense", cards, kind, kind.default, 0)
    assert invented.noisy.any()
    assert len(invented.answers) == len(invented.readings) == trust_map.INVENTED


def test_where_a_noise_leaves_black_as_it_is_the_one_in_its_place_is_named():
    captions = [box.value for box in visit(compare="trust", trust_noise="masking").caption]
    assert any("the noise here is Gaussian of strength 0.5" in text for text in captions)
    captions = [box.value for box in visit(compare="trust", trust_noise="uniform").caption]
    assert not any("leaves a black picture black" in text for text in captions)


def test_another_noise_starts_at_its_own_usual_strength():
    page = visit(compare="trust", trust_strength="0.95")
    page.selectbox(key="trust_noise").select("block").run()
    assert page.slider(key="trust_strength").value == NOISE_KINDS["block"].default
    assert not page.exception


def test_the_drawing_of_the_draw_page_is_the_digit_and_travels_in_the_link():
    page = page_of("compare", compare="trust")
    drawing = np.zeros((28, 28, 1), np.float32)
    drawing[5:20, 14] = 1
    page.session_state["draw_drawing"] = drawing
    page.run()
    assert not page.exception
    assert page.session_state.trust_digit == DRAWING
    elsewhere = visit(**dict(page.query_params.items()))
    assert np.array_equal(elsewhere.session_state.trust_drawing, drawing)
    assert "draw_drawing" not in elsewhere.session_state


@pytest.mark.parametrize(
    ("price", "text"), [(483_857, "483,857"), (4_839_000.0, "4,839,000"), (0.01234, "0.01234")]
)
def test_those_who_hear_a_chart_hear_numbers_and_not_their_exponents(price, text):
    assert charts._in_full(price) == text


def test_what_is_written_at_axes_has_the_colour_of_text_in_either_theme():
    charts_shown = page_of("compare").run().get("vega_lite_chart")
    configured = [json.loads(each.proto.spec)["config"] for each in charts_shown]
    assert configured
    for config in configured:
        for part in ("axis", "legend"):
            assert (
                config[part]["labelColor"] == config[part]["titleColor"] == config["text"]["color"]
            )
