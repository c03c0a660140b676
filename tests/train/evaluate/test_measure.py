import dataclasses
import json

import numpy as np
import pytest

from imaging.filters import CLASSICAL
from imaging.noise import NOISE_KINDS
from imaging.pixels import to_image
from models.catalogue import ModelError, find_card, read_card
from models.digit_scores import Method, Row, conditions, noisy_pictures
from tests.models.networks import identity, means, ship, times
from tests.train.conftest import TEST
from train.evaluate import measure as evaluate
from train.evaluate.measure import (
    evaluate_filters,
    evaluate_models,
    filters,
    measure,
    unchanged,
    write_measurements,
)
from train.fit.data import load_pictures

pytestmark = pytest.mark.usefixtures("strokes")

# Clothes, because digits are also read, by the shipped reader.
CLOTHES = "fashion-mnist"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The catalogue that is evaluated; its reader says "1" with the mean of the picture."""
    monkeypatch.setattr(evaluate, "find_card", lambda name: find_card(name, tmp_path))
    ship(tmp_path, "digit-reader", means(), task="read-digits")
    return tmp_path


@pytest.fixture
def few(monkeypatch):
    """Measure two conditions on a few pictures."""
    monkeypatch.setattr(evaluate, "conditions", lambda: [("gaussian", 0.5), ("block", 0.4)])
    monkeypatch.setattr(evaluate, "ALL_DIGITS", 30)
    monkeypatch.setattr(evaluate, "SOME_DIGITS", 20)


def row(method="dense", noise="gaussian", strength=0.5, psnr=18.0, data="mnist") -> Row:
    return Row(method, "network", data, noise, strength, 100, psnr, 0.8, 0.9, 1e-4)


def clothes(count):
    """The test pictures that are measured: every third for 100 of 300."""
    return to_image(load_pictures(CLOTHES)[1][0][np.arange(count) * TEST // count])


# What is measured


def test_unchanged_pictures_have_the_psnr_of_their_noise():
    (measured,) = measure([unchanged()], CLOTHES, "gaussian", 0.5, 40)
    clean = clothes(40).astype(np.float64)
    noisy = noisy_pictures(clothes(40), "gaussian", 0.5)
    by_hand = [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(clean, noisy, strict=True)]
    assert measured.psnr == pytest.approx(np.mean(by_hand), abs=0.0005 + 1e-9)  # three decimals
    assert (measured.method, measured.family, measured.pictures) == ("noisy", "none", 40)
    assert (measured.noise, measured.strength, measured.data) == ("gaussian", 0.5, CLOTHES)


def test_the_noise_is_as_strong_as_it_says_and_clipped():
    grey = np.full((50, 28, 28, 1), 0.5, np.float32)
    noisy = noisy_pictures(grey, "gaussian", 0.1)
    # Standard error sigma / sqrt(2 n) = 0.00036; allow four.
    assert np.std(noisy - grey) == pytest.approx(0.1, abs=0.0015)
    strong = noisy_pictures(grey, "gaussian", 1.0)
    assert (strong.min(), strong.max()) == (0, 1)


def test_all_methods_see_the_same_noisy_pictures_and_the_clean_ones():
    seen = []

    def look(noisy, clean):
        seen.append((noisy.copy(), clean.copy()))
        return noisy

    methods = [Method(name, "test", look) for name in "abc"]
    measure(methods, CLOTHES, "gaussian", 0.5, 10)
    measure(methods[:1], CLOTHES, "gaussian", 0.5, 10)
    assert len(seen) == 4
    for noisy, clean in seen:
        assert np.array_equal(noisy, seen[0][0])
        assert np.array_equal(clean, clothes(10))


def test_another_noise_or_strength_is_another_draw():
    grey = np.full((2, 28, 28, 1), 0.5, np.float32)
    draws = {noisy_pictures(grey, kind, 0.3).tobytes() for kind in NOISE_KINDS}
    assert len(draws) == len(NOISE_KINDS)
    weak, strong = (noisy_pictures(grey, "gaussian", level) - grey for level in (0.01, 0.02))
    assert not np.allclose(2 * weak, strong, atol=1e-3)


def test_a_part_of_the_pictures_is_spread_over_all_of_them():
    seen = []
    look = Method("look", "test", lambda noisy, clean: seen.append(clean) or noisy)
    for count in (100, TEST, 2 * TEST):
        measure([look], CLOTHES, "gaussian", 0.5, count)
    every = to_image(load_pictures(CLOTHES)[1][0])
    assert np.array_equal(seen[0], every[::3])
    assert np.array_equal(seen[1], every)
    assert np.array_equal(seen[2], every)


def test_the_first_pictures_have_the_same_noise_however_many_there_are():
    every = to_image(load_pictures(CLOTHES)[1][0])
    few, many = (noisy_pictures(every[:count], "gaussian", 0.5) for count in (5, 20))
    assert np.array_equal(few, many[:5])


def test_a_perfect_method_has_a_similarity_of_one_and_a_spoiler_has_less():
    methods = [
        Method("oracle", "test", lambda noisy, clean: clean * 0.999),
        Method("spoiler", "test", lambda noisy, clean: 1 - clean),
    ]
    oracle, spoiler = measure(methods, CLOTHES, "gaussian", 0.5, 10)
    assert oracle.ssim == pytest.approx(1, abs=1e-3)
    assert oracle.psnr > 60
    assert spoiler.psnr == pytest.approx(0, abs=1e-6)  # Black and white are exchanged.
    assert spoiler.ssim < 0


def test_digits_are_read_and_clothes_are_not(shelf):
    labels = load_pictures("mnist")[1][1][:: TEST // 50]
    levels = np.arange(50, dtype=np.float32).reshape(-1, 1, 1, 1) % 2
    black_and_white = Method("b", "t", lambda noisy, _: np.broadcast_to(levels, noisy.shape))
    (digits,) = measure([black_and_white], "mnist", "gaussian", 0.5, 50)
    # The reader says 1 for white and 0 for black.
    assert digits.read == pytest.approx(np.mean(labels == np.arange(50) % 2), abs=1e-4)
    (clothing,) = measure([black_and_white], CLOTHES, "gaussian", 0.5, 50)
    assert clothing.read is None


def test_every_kind_is_measured_over_its_slider():
    at = conditions()
    assert len(set(at)) == len(at)
    assert [strength for kind, strength in at if kind == "gaussian"] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    )
    assert evaluate.HEADLINE in at
    for kind in NOISE_KINDS.values():
        strengths = [strength for name, strength in at if name == kind.name]
        assert len(strengths) >= 5
        assert all(kind.low < strength <= kind.high for strength in strengths)
        assert max(strengths) == kind.high


# Filters


def test_each_filter_is_measured_as_it_is_and_with_its_bias_undone():
    names = [method.name for method in filters("gaussian", 0.5)]
    assert names == [name + tail for name in CLASSICAL for tail in ("", "+curve")]


def test_a_filter_is_told_the_true_noise_level(monkeypatch):
    told = []

    class Listens:
        name = title = "listens"

        def denoise(self, noisy, sigma):
            told.append(sigma)
            return noisy

    monkeypatch.setattr(evaluate, "CLASSICAL", {"listens": Listens()})
    monkeypatch.setattr(evaluate, "with_digit_curve", lambda filter, *_: filter)
    measure(list(filters("gaussian", 0.5))[:1], CLOTHES, "gaussian", 0.5, 3)
    errors = noisy_pictures(clothes(3), "gaussian", 0.5).astype(np.float64) - clothes(3)
    assert told == pytest.approx(np.sqrt(np.mean(errors**2, axis=(1, 2, 3))))


def test_all_filters_can_be_measured(shelf, few, monkeypatch):
    monkeypatch.setattr(evaluate, "conditions", lambda: [("gaussian", 0.5)])
    monkeypatch.setattr(evaluate, "ALL_DIGITS", 4)
    said = []
    rows = evaluate_filters(said.append)
    assert len(rows) == 1 + 2 * len(CLASSICAL)
    best = max(rows[1:], key=lambda row: row.psnr)
    (line,) = said
    assert line == f"gaussian 0.5: best filter {best.method} {best.psnr:.2f} dB"


# Models


def test_a_models_card_gets_what_was_measured(shelf, few):
    ship(shelf, "echo", identity())
    ship(shelf, "dark", times(np.float32(0)))
    said = []
    rows = evaluate_models(["echo", "dark"], said.append)
    echo, dark = (read_card(shelf / name) for name in ("echo", "dark"))
    for card in (echo, dark):
        assert [(score.degradation, score.strength) for score in card.scores] == [
            ("gaussian", 0.5),
            ("block", 0.4),
        ]
        assert [score.examples for score in card.scores] == [30, 20]
    # What comes back as it went in is exactly as good as the noise.
    for score in echo.scores:
        assert score.answer == score.input
        assert set(score.answer) == {"psnr", "ssim", "read"}
    for one, other in zip(echo.scores, dark.scores, strict=True):
        assert one.input == other.input
    digits = to_image(load_pictures("mnist")[1][0][:: TEST // 30]).astype(np.float64)
    black = np.mean(-10 * np.log10(np.mean(digits**2, axis=(1, 2, 3))))
    assert dark.score_at("gaussian", 0.5).answer["psnr"] == pytest.approx(black, abs=0.0005 + 1e-9)
    assert {row.method for row in rows} == {"noisy", "echo", "dark"}
    for name in ("echo", "dark"):
        assert any(line.startswith(f"{name}: ") and " dB" in line for line in said)
    assert (shelf / "echo" / "card.md").exists()


def test_measuring_a_model_changes_nothing_else_on_its_card(shelf, few):
    before = ship(shelf, "echo", identity())
    evaluate_models(["echo"], lambda _: None)
    after = read_card(shelf / "echo")
    assert dataclasses.replace(after, scores=()) == before


def test_a_reader_is_measured_on_all_clean_test_digits(shelf):
    assert evaluate_models(["digit-reader"], lambda _: None) == []
    labels = load_pictures("mnist")[1][1]
    # The strokes cover a fifth of the picture, so this reader always says 0.
    assert read_card(shelf / "digit-reader").scores[0].answer["accuracy"] == pytest.approx(
        np.mean(labels == 0), abs=1e-5
    )


def test_an_unknown_model_is_refused_before_anything_is_measured(shelf, few):
    ship(shelf, "echo", identity())
    with pytest.raises(ModelError, match="There is no model 'nope'"):
        evaluate_models(["echo", "nope"], lambda _: None)
    assert read_card(shelf / "echo").scores == ()


# The table of all measurements


def test_new_rows_replace_those_of_the_same_method_and_keep_the_others(tmp_path):
    path = tmp_path / "measurements.json"
    write_measurements([row("dense"), row("dense", "block"), row("unet"), row("noisy")], path)
    write_measurements([row("dense", psnr=19.0), row("new")], path)
    rows = json.loads(path.read_text())["rows"]
    assert sorted((each["method"], each["noise"], each["psnr"]) for each in rows) == [
        ("dense", "gaussian", 19.0),
        ("new", "gaussian", 18.0),
        ("noisy", "gaussian", 18.0),
        ("unet", "gaussian", 18.0),
    ]


def test_rows_on_other_data_are_kept(tmp_path):
    path = tmp_path / "measurements.json"
    write_measurements([row("dense"), row("dense", data="fashion-mnist")], path)
    write_measurements([row("dense", psnr=19.0)], path)
    rows = json.loads(path.read_text())["rows"]
    assert {(each["data"], each["psnr"]) for each in rows} == {("mnist", 19), ("fashion-mnist", 18)}


def test_noisy_pictures_measured_beside_several_models_get_one_row(tmp_path):
    path = tmp_path / "measurements.json"
    write_measurements([row("noisy"), row("dense"), row("noisy"), row("unet")], path)
    methods = [each["method"] for each in json.loads(path.read_text())["rows"]]
    assert sorted(methods) == ["dense", "noisy", "unet"]


def test_a_row_in_the_table_is_a_row_as_it_was_measured(tmp_path):
    path = tmp_path / "measurements.json"
    write_measurements([row()], path)
    table = json.loads(path.read_text())
    assert Row(**table["rows"][0]) == row()
    assert table["date"]
    assert table["machine"]["cores"] >= 1
    assert sum(line.strip().startswith('{"method"') for line in path.read_text().splitlines()) == 1
