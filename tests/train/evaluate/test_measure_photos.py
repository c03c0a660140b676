import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from imaging import metrics
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from models.catalogue import ModelError, Score, find_card, read_card
from models.tasks.data_folder import data_folder
from models.tasks.denoise_photos.data import held_out_pairs
from tests.models.networks import ship
from tests.models.photo_networks import network, smoother
from tests.train.made_photos import CROPS, make_kodak24, make_pairs
from train.evaluate import measure_photos
from train.evaluate.measure_photos import (
    ALL,
    SOME,
    conditions,
    degrade,
    evaluate_kodak24,
    evaluate_polyu,
    kodak24,
)
from train.evaluate.tables import PAPER_NOISE, PAPER_SIGMAS

FOR_PHOTOS = {
    "task": "denoise-photos",
    "data": "photos",
    "size": 0,
    "channels": 3,
    "multiple": 16,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_pairs(folder)
    return make_kodak24(folder)


@pytest.fixture(autouse=True)
def looked_for(folder, monkeypatch):
    monkeypatch.setenv("DENOISE_DATA_DIR", str(folder))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The catalogue that is evaluated, with a network for photos."""
    monkeypatch.setattr(measure_photos, "find_card", lambda name: find_card(name, tmp_path))
    ship(
        tmp_path,
        "smooth",
        smoother(),
        task="denoise-photos",
        size=0,
        channels=3,
        multiple=16,
        data="photos",
    )
    return tmp_path


@pytest.fixture
def two(monkeypatch):
    """Measure two conditions."""
    monkeypatch.setattr(
        measure_photos, "conditions", lambda: [(PAPER_NOISE, 0.098039, 24), ("poisson", 0.3, 8)]
    )


@pytest.fixture
def told(monkeypatch):
    """What the one filter is given: its pictures and levels."""
    told = []

    def denoise(noisy, level):
        told.append((noisy.copy(), level))
        return noisy

    listens = SimpleNamespace(name="listens", title="", description="", denoise=denoise)
    monkeypatch.setattr(measure_photos, "CLASSICAL", {"listens": listens})
    monkeypatch.setattr(measure_photos, "SPECIALISTS", {})
    return told


def silent(line):
    """Takes the lines of progress, which no test here reads."""


# What is measured


def test_every_kind_is_measured_over_its_slider_and_gaussian_noise_as_in_papers_too():
    at = list(conditions())
    assert len({(noise, strength) for noise, strength, _ in at}) == len(at)
    assert {count for *_, count in at} == {ALL, SOME}
    papers = [strength for noise, strength, count in at if noise == PAPER_NOISE and count == ALL]
    assert papers == pytest.approx([sigma / 255 for sigma in PAPER_SIGMAS], abs=1e-6)
    for kind in PHOTO_NOISE_KINDS.values():
        strengths = [strength for noise, strength, _ in at if noise == kind.name]
        assert len(strengths) >= 5
        assert all(kind.low < strength for strength in strengths)
        assert max(strengths) == pytest.approx(kind.high, abs=1e-6)
        # Where the slider starts, or near it, all photos are measured; of camera noise, a third.
        assert any(strength == pytest.approx(kind.default, rel=0.1) for strength in strengths)
        headlines = [strength for noise, strength, n in at if noise == kind.name and n == ALL]
        assert headlines or kind.name == "camera"


def test_the_24_photos_are_floats_in_0_to_1(folder):
    photos = kodak24()
    assert len(photos) == 24
    for photo in photos:
        assert (photo.shape, photo.dtype) == ((32, 40, 3), np.float32)
    assert max(photo.max() for photo in photos) == 1
    assert min(photo.min() for photo in photos) == 0


def test_where_the_photos_are_missing_it_says_where_they_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    with pytest.raises(OSError, match="photos/kodak24"):
        kodak24()
    monkeypatch.delenv("DENOISE_DATA_DIR")
    with pytest.raises(OSError, match="DENOISE_DATA_DIR"):
        kodak24()


def test_noise_of_papers_is_not_clipped_and_as_strong_as_it_says():
    grey = np.full((100, 100, 3), 0.5, np.float32)
    noisy = degrade(grey, PAPER_NOISE, 0.3, 0)
    assert noisy.dtype == np.float32
    # Standard error sigma / sqrt(2 n) = 0.0012; allow four.
    assert (noisy - grey).std() == pytest.approx(0.3, abs=0.005)
    assert noisy.min() < 0 < 1 < noisy.max()


@pytest.mark.parametrize("kind", PHOTO_NOISE_KINDS)
def test_noise_of_the_screen_is_clipped_and_has_8_bits(kind, rng):
    clean = rng.random((40, 40, 3), np.float32)
    noisy = degrade(clean, kind, PHOTO_NOISE_KINDS[kind].high, 0)
    assert noisy.dtype == np.float32
    assert 0 <= noisy.min() < noisy.max() <= 1
    np.testing.assert_allclose(noisy * 255, np.rint(noisy * 255), atol=1e-4)


@pytest.mark.parametrize("noise", [PAPER_NOISE, *PHOTO_NOISE_KINDS])
def test_a_photo_always_has_the_same_noise(noise, rng):
    clean = np.float32(0.3) + np.float32(0.4) * rng.random((40, 40, 3), np.float32)
    first = degrade(clean, noise, 0.3, 5)
    np.testing.assert_array_equal(first, degrade(clean, noise, 0.3, 5))
    if noise != "jpeg":
        assert not np.array_equal(first, degrade(clean, noise, 0.3, 6))
        half = degrade(clean, noise, 0.15, 5)
        assert not np.allclose(2 * (half - clean), first - clean, atol=0.01)


# What methods are given


def test_every_method_sees_the_same_photos_and_is_told_the_level_that_the_page_tells(
    shelf, told, monkeypatch
):
    at = [(PAPER_NOISE, 0.1, 24), ("gaussian", 0.2, 8), ("poisson", 0.3, 8), ("jpeg", 80, 8)]
    monkeypatch.setattr(measure_photos, "conditions", lambda: at)
    rows = evaluate_kodak24([], filters=True, say=silent)
    assert [row.method for row in rows] == ["noisy", "listens"] * 4
    photos, expected = kodak24(), []
    for noise, strength, count in at:
        for index, clean in enumerate(photos[:: 24 // count]):
            noisy = degrade(clean, noise, strength, index)
            gaussian = noise in (PAPER_NOISE, "gaussian")
            # The spread of the noise that was asked for, or what any other noise did.
            expected.append((noisy, strength if gaussian else metrics.rms(clean, noisy)))
    assert len(told) == len(expected) == 24 + 3 * 8
    for (seen, level), (noisy, wanted) in zip(told, expected, strict=True):
        np.testing.assert_array_equal(seen, noisy)
        assert level == pytest.approx(wanted, rel=1e-4)


def test_camera_noise_is_measured_on_the_scenes_held_out_at_the_estimated_level(shelf, told):
    rows = evaluate_polyu([], filters=True, say=silent)
    pairs = held_out_pairs(data_folder())
    assert len(told) == len(pairs) == 2 * CROPS
    for (seen, level), (_, noisy) in zip(told, pairs, strict=True):
        np.testing.assert_array_equal(seen, noisy)
        assert level == estimate_level(noisy)
    unchanged = rows[0]
    assert (unchanged.method, unchanged.family) == ("noisy", "none")
    assert (unchanged.data, unchanged.noise, unchanged.strength) == ("polyu", "camera", 0)
    expected = np.mean([metrics.psnr(clean, noisy) for clean, noisy in pairs])
    assert unchanged.psnr == pytest.approx(expected, abs=0.0005 + 1e-9)


def test_all_filters_can_be_measured(monkeypatch):
    monkeypatch.setattr(measure_photos, "conditions", lambda: [("gaussian", 0.1, 1)])
    said = []
    rows = evaluate_kodak24([], filters=True, say=said.append)
    filters = [*measure_photos.CLASSICAL, *measure_photos.SPECIALISTS]
    assert [row.method for row in rows] == ["noisy", *filters]
    assert all(np.isfinite(row.psnr) and row.seconds_per_picture >= 0 for row in rows)
    (line,) = said
    assert line.startswith("gaussian 0.1, 1 photos: noisy ")
    assert all(f"{row.method} {row.psnr:.2f}" in line for row in rows)


# What is written


def test_the_card_gets_what_was_measured_beside_the_noisy_pictures(shelf, two):
    rows = evaluate_kodak24(["smooth"], filters=False, say=silent)
    assert [(row.method, row.family) for row in rows] == [
        ("noisy", "none"),
        ("smooth", "network"),
    ] * 2
    card = read_card(shelf / "smooth")
    assert [(each.degradation, each.clipped, each.examples) for each in card.scores] == [
        ("gaussian", False, 24),
        ("poisson", True, 8),
    ]
    photos = kodak24()
    for index, measured in enumerate(card.scores):
        noisy, denoised = rows[2 * index : 2 * index + 2]
        assert measured.input == {"psnr": noisy.psnr, "ssim": noisy.ssim}
        assert measured.answer == {"psnr": denoised.psnr, "ssim": denoised.ssim}
        assert measured.answer["psnr"] > measured.input["psnr"]
        pairs = [
            (clean, degrade(clean, rows[2 * index].noise, measured.strength, i))
            for i, clean in enumerate(photos[:: 24 // measured.examples])
        ]
        by_hand = np.mean([metrics.psnr(*pair) for pair in pairs])
        assert noisy.psnr == pytest.approx(by_hand, abs=0.0005 + 1e-9)
    assert (shelf / "smooth" / "card.md").exists()


def test_a_network_that_changes_nothing_is_exactly_as_good_as_the_noise(shelf, monkeypatch):
    from onnx import helper

    echo = network(helper.make_node("Identity", ["image"], ["denoised"]))
    ship(shelf, "echo", echo, task="denoise-photos", size=0, channels=3, multiple=16)
    monkeypatch.setattr(measure_photos, "conditions", lambda: [("speckle", 0.25, 8)])
    evaluate_kodak24(["echo"], filters=False, say=silent)
    (score,) = read_card(shelf / "echo").scores
    assert score.answer == score.input


def test_measuring_one_data_set_keeps_what_was_measured_on_another(shelf, two):
    card = read_card(shelf / "smooth")
    ones, better = {"psnr": 1.0, "ssim": 1.0}, {"psnr": 30.0, "ssim": 0.9}
    old = Score("poisson", 0.7, 1, ones, ones)
    camera, added = Score("camera", 0, 5, ones, better), Score("camera", 16, 8, ones, better)
    (shelf / "smooth" / "card.json").write_text(
        dataclasses.replace(card, scores=(old, camera, added)).to_json()
    )
    evaluate_kodak24(["smooth"], filters=False, say=silent)
    after = read_card(shelf / "smooth")
    assert [(each.degradation, each.clipped) for each in after.scores] == [
        ("camera", True),
        ("camera", True),
        ("gaussian", False),
        ("poisson", True),
    ]
    assert after.scores[:2] == (camera, added)
    assert old not in after.scores
    evaluate_polyu(["smooth"], filters=False, say=silent)
    assert read_card(shelf / "smooth").score_at("camera", 0).examples == 2 * CROPS
    assert read_card(shelf / "smooth").scores[0] == added
    assert dataclasses.replace(read_card(shelf / "smooth"), scores=()) == card


def test_an_unknown_model_is_refused_before_anything_is_measured(shelf, two):
    with pytest.raises(ModelError, match="There is no model 'nope'"):
        evaluate_kodak24(["smooth", "nope"], filters=False, say=silent)
    assert read_card(shelf / "smooth").scores == ()


def test_a_network_that_is_told_nothing_is_set_against_the_best_filter(shelf, monkeypatch):
    monkeypatch.setattr(
        measure_photos, "conditions", lambda: [(PAPER_NOISE, 0.1, 24), ("gaussian", 0.1, 24)]
    )
    said = []
    found = measure_photos.evaluate_auto(["smooth"], 4, said.append)
    assert list(found) == [("smooth", "gaussian", 0.1)]
    before, rival, after = found["smooth", "gaussian", 0.1]
    photos = kodak24()[::12]
    noisy = [degrade(clean, "gaussian", 0.1, i) for i, clean in enumerate(photos)]
    expected = [metrics.psnr(*pair) for pair in zip(photos, noisy, strict=True)]
    assert before == pytest.approx(np.mean(expected), abs=1e-6)
    assert before < rival
    assert f"{after - rival:+.2f}, 2 photos" in said[0]
