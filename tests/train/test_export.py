import dataclasses
import json

import keras
import numpy as np
import onnxruntime as ort
import pytest

from models.architectures import build
from models.catalogue import find_card, sha256_of
from models.denoiser import load_denoiser
from tests.train.conftest import TRAINING
from train import export as exporting
from train import loop
from train.config import Noise, TrainConfig
from train.data import load_pictures
from train.export import export, macs, make_usable, require_agreement, to_onnx
from train.recipes import Recipe
from train.runs import Run

pytestmark = pytest.mark.usefixtures("strokes")

CONFIG = TrainConfig(
    "dense",
    {"hidden": 8},
    noise=(Noise("gaussian", 0.2, 0.8), Noise("block", 0.0, 0.5, 0.5)),
    schedule="cosine",
    learning_rate=0.01,
    batch=TRAINING // 3,
    epochs=2,
    seed=5,
)
RECIPE = Recipe("tiny", "Tiny", "As small as can be.", "nobody", CONFIG)


@pytest.fixture(scope="module")
def finished(strokes, tmp_path_factory) -> Run:
    run = Run.create(tmp_path_factory.mktemp("runs") / "dense", CONFIG)
    assert loop.train(run) == "finished"
    return run


@pytest.fixture(scope="module")
def shipped(finished, tmp_path_factory):
    """The card of the exported run, in a catalogue of its own; tests leave it as it is."""
    return export(finished, RECIPE, tmp_path_factory.mktemp("pretrained"))


def test_the_card_repeats_recipe_and_settings(shipped):
    for name in ("name", "title", "purpose", "source"):
        assert getattr(shipped, name) == getattr(RECIPE, name)
    for name in set(vars(CONFIG)) - {"noise", "augment"}:
        assert getattr(shipped, name) == getattr(CONFIG, name)
    assert shipped.trained_ranges == {"gaussian": (0.2, 0.8), "block": (0.0, 0.5)}
    assert (shipped.size, shipped.channels) == (28, 1)
    assert shipped.denoises


def test_the_card_counts_parameters_and_work(shipped):
    assert shipped.parameters == 784 * 8 + 8 + 8 * 784 + 784
    assert shipped.macs_per_pixel == 8 + 8


def test_the_card_names_what_made_the_model(shipped):
    assert {"date", "python", "keras", "numpy", "onnx", "onnxruntime"} <= set(shipped.made_with)
    assert shipped.made_with["keras"] == keras.__version__
    assert any("tensorflow" in name for name in shipped.made_with)


def test_numbers_are_left_to_the_evaluation(shipped):
    assert shipped.quality == ()
    assert shipped.accuracy is None


def test_the_exported_model_can_be_found_and_answers_as_the_trained_one(finished, shipped, rng):
    card = find_card("tiny", shipped.folder.parent)
    assert card == shipped
    assert card.sha256 == sha256_of(card.weights)
    noisy = rng.random((7, 28, 28, 1), np.float32)
    trained = keras.saving.load_model(finished.model, compile=False)
    expected = keras.ops.convert_to_numpy(trained(noisy, training=False))
    np.testing.assert_allclose(load_denoiser(card).denoise_batch(noisy), expected, atol=1e-4)


def test_the_keras_model_ships_without_its_optimizer(finished, shipped):
    path = shipped.folder / "model.keras"
    # Adam keeps two more numbers for each weight.
    assert path.stat().st_size < finished.model.stat().st_size / 2
    assert sorted(each.name for each in shipped.folder.iterdir()) == [
        "card.json",
        "model.keras",
        "model.onnx",
    ]


def test_a_large_keras_model_stays_at_home(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "KEEP_KERAS_BELOW", 1000)
    card = export(finished, RECIPE, tmp_path)
    assert sorted(each.name for each in card.folder.iterdir()) == ["card.json", "model.onnx"]


def test_a_run_can_be_used_from_its_own_folder(finished, tmp_path, rng):
    run = Run.create(tmp_path / "20260101-mine", CONFIG)
    run.model.write_bytes(finished.model.read_bytes())
    card = make_usable(run, "My network")
    assert (card.name, card.title, card.epochs) == ("20260101-mine", "My network", CONFIG.epochs)
    assert find_card("20260101-mine", tmp_path) == card
    noisy = rng.random((2, 28, 28, 1), np.float32)
    trained = keras.saving.load_model(finished.model, compile=False)
    expected = keras.ops.convert_to_numpy(trained(noisy, training=False))
    np.testing.assert_allclose(load_denoiser(card).denoise_batch(noisy), expected, atol=1e-4)


def test_a_stopped_run_ships_with_the_epochs_it_was_trained(finished, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    run.checkpoint.write_bytes(finished.checkpoint.read_bytes())
    events = [event for event in finished.events() if event.get("epoch") != 2]
    run.progress.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert export(run, RECIPE, tmp_path / "pretrained").epochs == 1


def test_a_run_that_learned_nothing_yet_cannot_ship(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(ValueError, match="has no trained network yet"):
        export(run, RECIPE, tmp_path / "pretrained")
    assert not (tmp_path / "pretrained").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "convolutional", "settings": {}},
        {"settings": {"hidden": 9}},
        {"data": "fashion-mnist"},
        {"target": "label", "loss": "sparse_categorical_crossentropy"},
    ],
)
def test_a_run_does_not_ship_under_the_name_of_another_network(finished, tmp_path, changes):
    other = dataclasses.replace(RECIPE, config=dataclasses.replace(CONFIG, **changes))
    with pytest.raises(ValueError, match=next(iter(changes))):
        export(finished, other, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_longer_training_with_other_noise_ships_under_the_recipes_name(finished, tmp_path):
    longer = dataclasses.replace(CONFIG, epochs=99, noise=(), seed=3, batch=7)
    assert export(finished, dataclasses.replace(RECIPE, config=longer), tmp_path).epochs == 2


def test_a_damaged_network_is_refused_with_the_file(finished, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    run.model.write_bytes(finished.model.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.keras cannot be read"):
        export(run, RECIPE, tmp_path / "pretrained")


def test_an_onnx_file_that_answers_otherwise_never_replaces_the_shipped_one(
    finished, tmp_path, monkeypatch
):
    card = export(finished, RECIPE, tmp_path)
    before = {path.name: path.read_bytes() for path in card.folder.iterdir()}
    monkeypatch.setattr(exporting, "AGREEMENT", -1.0)
    with pytest.raises(ValueError, match="must agree to -1, they differ by"):
        export(finished, RECIPE, tmp_path)
    assert {path.name: path.read_bytes() for path in card.folder.iterdir()} == before


def test_agreement_is_the_largest_difference_on_noisy_test_pictures(tmp_path):
    model, other = (build("dense", hidden=4) for _ in range(2))
    to_onnx(model, tmp_path / "model.onnx")
    assert require_agreement(model, tmp_path / "model.onnx", "mnist") < 1e-5
    with pytest.raises(ValueError, match=r"ONNX and Keras must agree to 0\.0001"):
        require_agreement(other, tmp_path / "model.onnx", "mnist")


def test_agreement_is_asked_for_where_training_never_was(tmp_path, monkeypatch):
    test = load_pictures("mnist")[1]
    monkeypatch.setattr(exporting, "load_pictures", lambda _: ((None, None), test))
    model = build("dense", hidden=4)
    to_onnx(model, tmp_path / "model.onnx")
    require_agreement(model, tmp_path / "model.onnx", "mnist")


def test_an_onnx_file_takes_batches_of_any_size(shipped, rng):
    session = ort.InferenceSession(shipped.weights, providers=["CPUExecutionProvider"])
    for count in (1, 3, 64):
        pictures = rng.random((count, 28, 28, 1), np.float32)
        assert session.run(None, {"image": pictures})[0].shape == pictures.shape


WORK = [
    ("dense", {"hidden": 64}, 2 * 784 * 64),
    # Kernel x inputs x outputs, at 28, 14, 7, 14 and 28 pixels a side.
    (
        "convolutional",
        {"filters": [32, 32]},
        9 * (784 * 32 + 196 * 32 * 32 + 49 * 32 * 32 + 196 * 32 * 32 + 784 * 32),
    ),
    # A transposed convolution multiplies each pixel that goes in with the whole kernel.
    (
        "resize-convolution",
        {"filters": [4], "upsampling": "transposed"},
        9 * (784 * 4 + 196 * 4 * 4 + 784 * 4),
    ),
    (
        "resize-convolution",
        {"filters": [4], "upsampling": "resize"},
        9 * (784 * 4 + 784 * 4 * 4 + 784 * 4),
    ),
    (
        "unet",
        {"filters": [2, 3]},
        9 * (784 * (2 + 2 * 2) + 196 * (2 * 3 + 3 * 3))
        + 4 * 196 * 3 * 2
        + 9 * 784 * (4 * 2 + 2 * 2)
        + 784 * 2,
    ),
]


@pytest.mark.parametrize(("architecture", "settings", "by_hand"), WORK)
def test_the_work_of_a_network_is_that_counted_by_hand(architecture, settings, by_hand):
    assert macs(build(architecture, **settings)) == by_hand
