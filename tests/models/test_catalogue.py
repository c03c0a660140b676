import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import (
    PRETRAINED,
    Card,
    ModelError,
    Score,
    find_card,
    load_catalogue,
    read_card,
    read_catalogue,
    sha256_of,
    with_task,
)
from models.predictor import load_predictor
from tests.models.networks import identity, means, ship

AT_HALF = Score("gaussian", 0.5, 100, {"psnr": 9.4, "ssim": 0.4}, {"psnr": 18.0, "ssim": 0.8})
BEFORE = Path(__file__).with_name("cards_of_the_release_before.json")


@pytest.fixture
def shelf(tmp_path):
    """A folder with one model that works; tests put broken ones beside it."""
    ship(tmp_path, "good", identity())
    return tmp_path


def edit_card(card: Card, training: dict | None = None, **changes) -> None:
    path = card.folder / "card.json"
    values = json.loads(path.read_text())
    values["training"] |= training or {}
    path.write_text(json.dumps(values | changes))


def is_a_sentence(error: Exception | str) -> bool:
    text = str(error)
    return text[0].isupper() and "\n" not in text and len(text) < 300


def test_a_card_comes_back_from_its_file_as_it_was(tmp_path):
    card = ship(
        tmp_path,
        "model",
        identity(),
        settings={"filters": [16, 8]},
        scores=(AT_HALF, dataclasses.replace(AT_HALF, degradation="block", answer={"read": 0.9})),
        made_with={"keras": "3"},
    )
    assert read_card(card.folder) == card
    assert read_card(card.folder).folder == card.folder


def test_a_card_knows_the_range_over_all_entries_of_a_noise(tmp_path):
    entries = [
        {"kind": "gaussian", "low": 0.4, "high": 0.6},
        {"kind": "block", "low": 0.0, "high": 0.3},
        {"kind": "gaussian", "low": 0.1, "high": 0.5},
    ]
    card = ship(tmp_path, "model", identity(), noise=entries)
    assert card.trained_ranges == {"gaussian": (0.1, 0.6), "block": (0.0, 0.3)}


def test_a_card_finds_its_measurement_or_says_that_there_is_none(tmp_path):
    card = ship(tmp_path, "model", identity(), scores=(AT_HALF,))
    assert card.score_at("gaussian", 0.1 + 0.4) == AT_HALF
    assert card.score_at("gaussian", 0.6) is card.score_at("gaussian", 0.501) is None
    assert card.score_at("gaussian", 0.5, clipped=False) is None
    assert card.score_at("block", 0.5) is None


def test_the_best_digit_denoiser_comes_first_and_readers_last(tmp_path):
    def measured(psnr):
        return (dataclasses.replace(AT_HALF, answer={"psnr": psnr}),)

    ship(tmp_path, "a-reader", means(), task="read-digits")
    ship(tmp_path, "b-clothes", identity(), data="fashion-mnist", scores=measured(30.0))
    ship(tmp_path, "c-unmeasured", identity())
    ship(tmp_path, "d-worse", identity(), scores=measured(18.0))
    ship(tmp_path, "e-best", identity(), scores=measured(21.0))
    assert list(load_catalogue(tmp_path)) == [
        "e-best",
        "d-worse",
        "c-unmeasured",
        "b-clothes",
        "a-reader",
    ]


def test_a_catalogue_that_does_not_exist_is_empty(tmp_path):
    assert read_catalogue(tmp_path / "nowhere") == ({}, [])


def test_files_and_hidden_folders_beside_the_models_are_no_models(shelf):
    (shelf / "README.md").write_text("hello")
    (shelf / ".ipynb_checkpoints").mkdir()
    (shelf / "__pycache__").mkdir()
    cards, problems = read_catalogue(shelf)
    assert (list(cards), problems) == (["good"], [])


def test_the_shipped_catalogue_has_no_broken_cards():
    cards, problems = read_catalogue(PRETRAINED)
    assert problems == []
    assert {card.folder.parent for card in cards.values()} == {PRETRAINED}


def test_an_unknown_model_is_refused_with_the_names_there_are(shelf):
    ship(shelf, "other", identity())
    with pytest.raises(ModelError, match=r"no model 'nope'\. There are: good, other\.") as caught:
        find_card("nope", shelf)
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "../good", "a/b", "good\0", "card.json"])
def test_a_name_that_is_no_folder_name_is_just_unknown(shelf, name):
    with pytest.raises(ModelError, match="There is no model"):
        find_card(name, shelf)


def test_an_empty_catalogue_says_so(tmp_path):
    with pytest.raises(ModelError, match="none yet"):
        find_card("good", tmp_path)


def test_a_model_is_found_by_its_name(shelf):
    assert find_card("good", shelf).name == "good"


def damage_nothing_there(card):
    (card.folder / "card.json").unlink()


def damage_half_a_file(card):
    path = card.folder / "card.json"
    path.write_text(path.read_text()[:100])


def damage_binary(card):
    (card.folder / "card.json").write_bytes(b"\xff\xfe\x00card")


def damage_folder_in_its_place(card):
    damage_nothing_there(card)
    (card.folder / "card.json").mkdir()


def damage_name(card):
    edit_card(card, name="somebody-else")


DAMAGES = [
    damage_nothing_there,
    damage_half_a_file,
    damage_binary,
    damage_folder_in_its_place,
    damage_name,
    *(
        pytest.param(lambda card, values=values: edit_card(card, **values), id=f"edit {values}")
        for values in (
            {"surprise": 1},
            {"parameters": "many"},
            {"channels": None},
            {"title": 3},
            {"macs_per_pixel": "few"},
            {"task": "make-coffee"},
            {"task": None},
            {"training": {"settings": []}},
            {"training": {"noise": None}},
            {"training": {"noise": "gaussian"}},
            {"training": {"noise": [1, 2]}},
            {"training": {"noise": [{"kind": "gaussian"}]}},
            {"training": {"noise": [{"kind": "gaussian", "low": "weak", "high": 1}] * 2}},
            {"scores": None},
            {"scores": [{"degradation": "gaussian"}]},
            {"scores": [dataclasses.asdict(AT_HALF) | {"answer": {"psnr": "high"}}]},
            {"scores": [dataclasses.asdict(AT_HALF) | {"answer": 3}]},
        )
    ),
    *(
        pytest.param(
            lambda card, text=text: (card.folder / "card.json").write_text(text),
            id=f"text {text!r}",
        )
        for text in ("", "[]", "null", "3", '"card"', "{}")
    ),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_card_is_one_sentence_and_the_other_models_stay_usable(shelf, damage):
    damage(ship(shelf, "broken", identity()))
    cards, problems = read_catalogue(shelf)
    assert list(cards) == ["good"]
    assert len(problems) == 1
    assert "broken" in problems[0]
    assert is_a_sentence(problems[0])
    load_predictor(cards["good"])


@pytest.mark.parametrize("damage", DAMAGES)
def test_asking_for_a_broken_model_says_what_is_broken(shelf, damage):
    damage(ship(shelf, "broken", identity()))
    with pytest.raises(ModelError, match="card") as caught:
        find_card("broken", shelf)
    assert "There is no model" not in str(caught.value)


def test_a_model_without_a_card_says_just_that(shelf):
    damage_nothing_there(ship(shelf, "broken", identity()))
    with pytest.raises(ModelError, match=r"^The model broken has no card\.$"):
        find_card("broken", shelf)


def test_a_card_of_another_model_names_both(shelf):
    damage_name(ship(shelf, "broken", identity()))
    with pytest.raises(ModelError, match="card in broken belongs to the model somebody-else"):
        find_card("broken", shelf)


def flip_a_byte(card):
    weights = bytearray(card.weights.read_bytes())
    weights[len(weights) // 2] ^= 1
    card.weights.write_bytes(weights)


def no_onnx(card):
    card.weights.write_bytes(b"these are no weights")
    edit_card(card, sha256=sha256_of(card.weights))


def another_size(card):
    card.weights.write_bytes(identity(size=14).SerializeToString())
    edit_card(card, sha256=sha256_of(card.weights))


def folder_in_its_place(card):
    card.weights.unlink()
    card.weights.mkdir()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip_a_byte, "damaged"),
        (lambda card: card.weights.write_bytes(b""), "damaged"),
        (lambda card: card.weights.unlink(), "missing"),
        (folder_in_its_place, "cannot be read"),
        (no_onnx, "cannot be loaded"),
        (another_size, "do not belong to its card"),
    ],
)
@pytest.mark.parametrize("task", ["denoise-digits", "read-digits"])
def test_broken_weights_are_one_sentence_and_the_other_models_stay_usable(
    shelf, damage, says, task
):
    network = identity() if task == "denoise-digits" else means()
    damage(ship(shelf, "broken", network, task=task))
    with pytest.raises(ModelError, match=says) as caught:
        load_predictor(find_card("broken", shelf))
    assert is_a_sentence(caught.value)
    assert "broken" in str(caught.value)
    picture = np.full((28, 28, 1), 0.25, np.float32)
    assert np.array_equal(load_predictor(find_card("good", shelf)).predict(picture), picture)


@pytest.mark.parametrize("name", ["unet", "photo-camera", "digit-reader"])
def test_a_card_of_the_release_before_is_read_with_every_number_it_had(tmp_path, name):
    before = json.loads(BEFORE.read_text())[name]
    folder = tmp_path / name
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps(before))
    card = read_card(folder)
    for moved in ("architecture", "settings", "data", "loss", "epochs", "seed", "learning_rate"):
        assert card.training[moved] == before[moved]
    assert (card.size, card.parameters, card.sha256) == (
        before["size"],
        before["parameters"],
        before["sha256"],
    )
    assert len(card.scores) == len(before["quality"]) + (before["accuracy"] is not None)
    for row, score in zip(before["quality"], card.scores, strict=False):
        assert row["noise"] == score.degradation + ("" if score.clipped else ", unclipped")
        assert (row["strength"], row["pictures"]) == (score.strength, score.examples)
        for value in ("psnr", "ssim", "read"):
            assert score.answer.get(value) == row[value]
            assert score.input.get(value) == row[f"noisy_{value}"]
    if before["accuracy"] is not None:
        assert card.scores[-1].answer == {"accuracy": before["accuracy"]}


def test_the_tasks_of_the_cards_of_the_release_before():
    tasks = {name: with_task(card)["task"] for name, card in json.loads(BEFORE.read_text()).items()}
    assert tasks == {
        "unet": "denoise-digits",
        "photo-camera": "denoise-photos",
        "digit-reader": "read-digits",
    }


def test_the_sha256_is_that_of_the_standard(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    # FIPS 180-4, example of one block.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "file") == expected


def test_a_card_of_a_network_whose_training_nobody_knows_can_be_read(tmp_path):
    ship(tmp_path, "brought", identity(), training={})
    card = read_card(tmp_path / "brought")
    assert (card.architecture, card.settings, card.data, card.noise) == ("", {}, "", [])
    assert card.trained_ranges == {}
    assert list(load_catalogue(tmp_path)) == ["brought"]
