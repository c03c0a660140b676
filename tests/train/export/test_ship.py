import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from imaging import metrics
from models.architectures import build
from models.catalogue import Score, find_card, sha256_of
from models.inspection.network import load_inside
from models.predictor import load_predictor
from models.tasks.denoise_photos.solve import solve
from tests.app_server import ROOT
from tests.train.conftest import TRAINING
from tests.train.made_photos import made_photo, make_photos
from train.config import Noise, TrainConfig
from train.export import ship as exporting
from train.export.compact import read_kernels, to_stored_precision
from train.export.ship import export, macs, make_usable, refresh, require_agreement, to_onnx
from train.fit import loop
from train.fit.callbacks import WriteProgress, step_of
from train.fit.data import load_pictures, split
from train.fit.losses import LOSSES
from train.recipes import Recipe
from train.run_folder import Run

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
RECIPE = Recipe("tiny", "Tiny", "As small as can be.", "nobody", CONFIG, "the tiniest")
PICTURES = np.random.default_rng(3).random((2, 28, 28, 1), np.float32)


def trained(folder: Path, config: TrainConfig) -> Run:
    run = Run.create(folder, config)
    assert loop.train(run) == "finished"
    return run


@pytest.fixture(scope="module")
def finished(strokes, tmp_path_factory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / "dense", CONFIG)


@pytest.fixture(scope="module")
def shipped(finished, tmp_path_factory):
    """The card of the exported run, in a catalogue of its own; tests leave it as it is."""
    return export(finished, RECIPE, tmp_path_factory.mktemp("pretrained"))


def test_the_card_repeats_recipe_and_settings(shipped):
    for name in ("name", "title", "purpose", "source", "gloss"):
        assert getattr(shipped, name) == getattr(RECIPE, name)
    assert TrainConfig.from_json(json.dumps(shipped.training)) == CONFIG
    assert (shipped.multiple, shipped.storage, shipped.notice) == (1, "float32", "")
    assert shipped.trained_ranges == {"gaussian": (0.2, 0.8), "block": (0.0, 0.5)}
    assert (shipped.size, shipped.channels) == (28, 1)
    assert shipped.task == "denoise-digits"


def test_the_card_counts_parameters_and_work(shipped):
    assert shipped.parameters == 784 * 8 + 8 + 8 * 784 + 784
    assert shipped.macs_per_pixel == 8 + 8


def test_the_card_names_what_made_the_model(shipped):
    assert {"date", "python", "keras", "numpy", "onnx", "onnxruntime"} <= set(shipped.made_with)
    assert shipped.made_with["keras"] == keras.__version__
    assert any("tensorflow" in name for name in shipped.made_with)


def test_numbers_are_left_to_the_evaluation(shipped):
    assert shipped.scores == ()


def test_the_exported_model_can_be_found_and_answers_as_the_trained_one(finished, shipped, rng):
    card = find_card("tiny", shipped.folder.parent)
    assert card == shipped
    assert card.sha256 == sha256_of(card.weights)
    noisy = rng.random((7, 28, 28, 1), np.float32)
    trained = keras.saving.load_model(finished.model, compile=False)
    expected = keras.ops.convert_to_numpy(trained(noisy, training=False))
    np.testing.assert_allclose(load_predictor(card).predict_batch(noisy), expected, atol=1e-4)


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
    assert (card.name, card.title) == ("20260101-mine", "My network")
    assert card.training["epochs"] == CONFIG.epochs
    assert find_card("20260101-mine", tmp_path) == card
    noisy = rng.random((2, 28, 28, 1), np.float32)
    trained = keras.saving.load_model(finished.model, compile=False)
    expected = keras.ops.convert_to_numpy(trained(noisy, training=False))
    np.testing.assert_allclose(load_predictor(card).predict_batch(noisy), expected, atol=1e-4)


def test_a_stopped_run_ships_with_the_epochs_it_was_trained(finished, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    run.checkpoint.write_bytes(finished.checkpoint.read_bytes())
    events = [event for event in finished.events() if event.get("epoch") != 2]
    run.progress.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert export(run, RECIPE, tmp_path / "pretrained").training["epochs"] == 1


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
        {"task": "read-digits", "loss": "sparse_categorical_crossentropy"},
    ],
)
def test_a_run_does_not_ship_under_the_name_of_another_network(finished, tmp_path, changes):
    other = dataclasses.replace(RECIPE, config=dataclasses.replace(CONFIG, **changes))
    with pytest.raises(ValueError, match=next(iter(changes))):
        export(finished, other, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_longer_training_with_other_noise_ships_under_the_recipes_name(finished, tmp_path):
    longer = dataclasses.replace(CONFIG, epochs=99, noise=(), seed=3, batch=7)
    assert (
        export(finished, dataclasses.replace(RECIPE, config=longer), tmp_path).training["epochs"]
        == 2
    )


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


def test_a_shipped_file_is_written_anew_and_the_measured_numbers_stay(finished, tmp_path):
    card = export(finished, RECIPE, tmp_path)
    score = Score("gaussian", 0.5, 1000, {"psnr": 9.4, "ssim": 0.2}, {"psnr": 20.0, "ssim": 0.8})
    card = dataclasses.replace(card, scores=(score,))
    expected = load_predictor(card).predict_batch(PICTURES)
    card.weights.write_bytes(b"an older format")
    again = refresh(card)
    assert again == find_card("tiny", tmp_path)
    assert dataclasses.replace(again, sha256=card.sha256) == card
    assert again.sha256 in (card.folder / "card.md").read_text()
    np.testing.assert_allclose(load_predictor(again).predict_batch(PICTURES), expected, atol=1e-6)
    assert load_inside(again).code == "code"


def test_what_has_no_keras_model_cannot_be_written_anew(finished, tmp_path):
    card = export(finished, RECIPE, tmp_path)
    before = card.weights.read_bytes()
    (card.folder / "model.keras").unlink()
    with pytest.raises(ValueError, match=r"model\.keras"):
        refresh(card)
    assert card.weights.read_bytes() == before


def test_agreement_is_the_largest_difference_on_the_pictures_given(tmp_path, rng):
    model, other = (build("dense", hidden=4) for _ in range(2))
    to_onnx(model, tmp_path / "model.onnx")
    pictures = [rng.random((20, 28, 28, 1), np.float32)]
    assert require_agreement(model, tmp_path / "model.onnx", pictures) < 1e-5
    with pytest.raises(ValueError, match=r"ONNX and Keras must agree to 0\.0001"):
        require_agreement(other, tmp_path / "model.onnx", pictures)


def test_an_answer_that_is_no_number_does_not_agree(tmp_path, rng):
    model = build("dense", hidden=4)
    to_onnx(model, tmp_path / "model.onnx")
    pictures = [np.full((1, 28, 28, 1), np.nan, np.float32)]
    with pytest.raises(ValueError, match="they differ by nan"):
        require_agreement(model, tmp_path / "model.onnx", pictures)


def test_an_answer_of_another_shape_does_not_agree(tmp_path, rng):
    model = build("dense", hidden=4)
    to_onnx(model, tmp_path / "model.onnx")
    file = onnx.load(tmp_path / "model.onnx")
    (answer,) = file.graph.output
    file.graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    file.graph.node.append(helper.make_node("Unsqueeze", [answer.name, "first"], ["more"]))
    answer.CopyFrom(helper.make_empty_tensor_value_info("more"))
    onnx.save(file, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"they answer \(1, 20, 28, 28, 1\) and \(20, 28, 28, 1\)"):
        require_agreement(model, tmp_path / "model.onnx", [rng.random((20, 28, 28, 1), np.float32)])


def test_agreement_is_asked_for_where_training_never_was(finished, tmp_path, monkeypatch):
    test, asked = load_pictures("mnist")[1], []
    monkeypatch.setattr(exporting, "load_pictures", lambda _: ((None, None), test))
    real = exporting.require_agreement
    monkeypatch.setattr(
        exporting, "require_agreement", lambda *given: asked.append(given[2]) or real(*given)
    )
    export(finished, RECIPE, tmp_path)
    ((noisy,),) = asked
    clean = test[0][:256] / np.float32(255)
    # Noise of 0.5, half of which is clipped where the picture is black.
    assert noisy.shape == clean.shape
    assert 0.2 < (noisy - clean).std() < 0.5


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
    # At 14 and 7 pixels a side; a transposed convolution multiplies each pixel that goes in.
    (
        "residual-unet",
        {"filters": [2, 3], "blocks": 1},
        196 * 4 * 4 * 2 + 2 * 196 * 2 * 9 * 2 * 2
        + 49 * 4 * 2 * 3 + 49 * 2 * 9 * 3 * 3 + 49 * 4 * 3 * 2
        + 196 * 4 * 2 * 3,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "settings", "by_hand"), WORK)
def test_the_work_of_a_network_is_that_counted_by_hand(architecture, settings, by_hand):
    assert macs(build(architecture, **settings), 28) == by_hand


# Networks for photos

PHOTO = dataclasses.replace(
    CONFIG,
    architecture="residual-unet",
    settings={"channels": 3, "filters": [4, 6], "blocks": 1},
    task="denoise-photos",
    data="photos",
    noise=(Noise("gaussian", 0.0, 0.2), Noise("poisson", 0.1, 0.3, 0.5)),
    loss="mae",
    batch=2,
    crop=32,
    epoch_batches=2,
)
AVERAGED = dataclasses.replace(PHOTO, average=0.9, precision="mixed_bfloat16")
FOR_PHOTOS = Recipe("tiny-photo", "Tiny photo", "As small as can be.", "nobody", AVERAGED)


@pytest.fixture(autouse=True)
def precision():
    """A training leaves its precision behind; each test begins with the usual one."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def photos(strokes):
    """Photos beside the digits: three to train on and one to validate."""
    if not (strokes / "photos").exists():
        make_photos(strokes, 4)


@pytest.fixture(scope="module")
def photo_run(photos, tmp_path_factory) -> Run:
    """An unbroken training with averaged weights; tests leave it as it is."""
    return trained(tmp_path_factory.mktemp("runs") / "photo", AVERAGED)


@pytest.fixture(scope="module")
def photo_card(photo_run, tmp_path_factory):
    return export(photo_run, FOR_PHOTOS, tmp_path_factory.mktemp("pretrained"))


def weights_of(path) -> list[np.ndarray]:
    return keras.saving.load_model(path, compile=False).get_weights()


def stop_at(monkeypatch, run, step) -> None:
    """Have the run stopped when it has seen this many batches."""

    class Acting(WriteProgress):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if step_of(self.model) == step:
                run.stop.touch()

    run.stop.unlink(missing_ok=True)
    monkeypatch.setattr(loop, "WriteProgress", Acting)
    assert loop.train(run) == "stopped"
    run.stop.unlink()
    monkeypatch.setattr(loop, "WriteProgress", WriteProgress)


def in_single_precision(run, weights=None) -> keras.Model:
    """Return the run's network as it is shipped: weights of half precision, sums of single."""
    keras.config.set_dtype_policy("float32")
    model = build(PHOTO.architecture, **PHOTO.settings)
    model.set_weights(weights_of(run.model) if weights is None else weights)
    to_stored_precision(model)
    return model


def require_same_end(run, unbroken) -> None:
    assert loop.train(run) == "finished"
    for ours, theirs in zip(weights_of(run.model), weights_of(unbroken.model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    last, last_unbroken = (
        [event["val_loss"] for event in each.events() if event["event"] == "epoch"][-1]
        for each in (run, unbroken)
    )
    assert last == last_unbroken


def test_a_photo_run_that_was_stopped_ends_with_the_very_weights_of_an_unbroken_one(
    photos, tmp_path, monkeypatch
):
    unbroken, run = (Run.create(tmp_path / name, PHOTO) for name in ("unbroken", "run"))
    assert loop.train(unbroken) == "finished"
    stop_at(monkeypatch, run, 2)  # At the end of the first epoch.
    require_same_end(run, unbroken)


def test_a_photo_run_that_averages_its_weights_goes_on_with_the_average(
    photo_run, tmp_path, monkeypatch
):
    run = Run.create(tmp_path / "run", AVERAGED)
    # In the middle of each epoch.  Between them Keras swaps weights and averages by adding and
    # subtracting: each validation rounds the last bit anew.
    for step in (1, 3):
        stop_at(monkeypatch, run, step)
    require_same_end(run, photo_run)


def test_averaged_weights_are_what_is_validated_and_kept(photo_run):
    kept, last = weights_of(photo_run.model), weights_of(photo_run.checkpoint)
    assert not all(np.array_equal(a, b) for a, b in zip(kept, last, strict=True))
    _, ((noisy, level), clean) = split(AVERAGED)
    model = keras.saving.load_model(photo_run.model, compile=False)
    denoised = keras.ops.convert_to_numpy(model([noisy, level], training=False))
    *_, epoch = (event for event in photo_run.events() if event["event"] == "epoch")
    # Sums in half precision, in another order.
    assert np.abs(denoised - clean).mean() == pytest.approx(epoch["val_loss"], rel=0.01)


def test_a_stopped_photo_run_ships_the_mean_of_its_weights_so_far(photos, tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run", AVERAGED)
    stop_at(monkeypatch, run, 1)
    first = weights_of(run.checkpoint)
    stop_at(monkeypatch, run, 2)
    second = weights_of(run.checkpoint)
    card = export(run, FOR_PHOTOS, tmp_path / "pretrained")
    mean = [0.9 * a + 0.1 * b for a, b in zip(first, second, strict=True)]
    expected = in_single_precision(run, mean)
    for name, kernel in read_kernels(card.weights).items():
        ours = kernel.transpose(2, 3, 1, 0)
        # A rounding to half precision may fall to either side.
        np.testing.assert_allclose(
            ours, expected.get_layer(name).get_weights()[0], rtol=2**-10, atol=2**-24
        )


def test_a_process_that_trained_nothing_knows_the_losses_of_every_run():
    # A run of averaged weights names its loss; Keras finds it once its module was loaded.
    names = [keras.saving.get_registered_name(each) for each in LOSSES.values() if callable(each)]
    script = (
        "import sys, keras, train.export.ship; "
        "print([n for n in sys.argv[1:] if keras.saving.get_registered_object(n) is None])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=ROOT, capture_output=True, text=True
    )
    assert "denoise_lab>pixel_classes_loss" in names
    assert done.stdout.strip() == "[]", done.stderr


def test_the_card_of_a_photo_network_says_what_it_takes_and_how_it_was_made(photo_card):
    assert TrainConfig.from_json(json.dumps(photo_card.training)) == AVERAGED
    assert photo_card.task == "denoise-photos"
    assert (photo_card.size, photo_card.channels, photo_card.multiple) == (0, 3, 4)
    assert photo_card.storage == "float16"
    assert "licensed for research" in photo_card.notice
    # At 2x2 and 1 of each 4x4 pixels.
    work = (
        4 * 4 * 4 * 4
        + 2 * 4 * 2 * 9 * 4 * 4
        + 4 * 4 * 6
        + 2 * 9 * 6 * 6
        + 4 * 6 * 4
        + 4 * 4 * 4 * 3
    )
    assert photo_card.macs_per_pixel == work / 16
    assert find_card("tiny-photo", photo_card.folder.parent) == photo_card


def test_a_shipped_photo_network_answers_as_the_trained_one(photo_run, photo_card, rng):
    model = in_single_precision(photo_run)
    noisy = rng.random((36, 44, 3), np.float32)
    # Twelve pixels of the mirror image around it, which are cut off again.
    shown = np.pad(noisy, ((12, 12), (12, 12), (0, 0)), mode="reflect")[None]
    level = np.full((*shown.shape[:3], 1), 0.1, np.float32)
    expected = keras.ops.convert_to_numpy(model([shown, level], training=False))[0, 12:-12, 12:-12]
    denoised = load_predictor(photo_card).predict(noisy, 0.1)
    np.testing.assert_allclose(denoised, np.clip(expected, 0, 1), atol=1e-5)
    assert np.abs(denoised - noisy).max() > 0.01


def test_half_precision_costs_next_to_nothing(photo_run, photo_card, rng):
    exact = keras.saving.load_model(photo_run.model, compile=False)
    keras.config.set_dtype_policy("float32")
    model = build(PHOTO.architecture, **PHOTO.settings)
    model.set_weights(exact.get_weights())
    _, ((noisy, level), clean) = split(PHOTO)
    session = ort.InferenceSession(photo_card.weights, providers=["CPUExecutionProvider"])
    shipped = session.run(None, {"image": noisy, "level": level})[0]
    trained = keras.ops.convert_to_numpy(model([noisy, level], training=False))
    assert metrics.psnr(clean, shipped) == pytest.approx(metrics.psnr(clean, trained), abs=0.02)


def test_a_large_photo_in_tiles_is_the_one_in_one_piece(photo_card, rng):
    denoiser = load_predictor(photo_card)
    noisy = made_photo(rng, 300, 420)
    whole = denoiser.predict(noisy, 0.1)
    in_tiles = solve(denoiser.network, noisy, 0.1, tile_pixels=128**2)
    assert np.abs(whole.astype(int) - in_tiles).max() <= 2
    assert not np.array_equal(whole, noisy)


def test_a_photo_run_can_be_used_from_its_own_folder(photo_run, tmp_path):
    run = Run.create(tmp_path / "20260101-photo", AVERAGED)
    run.model.write_bytes(photo_run.model.read_bytes())
    card = make_usable(run, "My photo network")
    assert find_card("20260101-photo", tmp_path) == card
    grey = np.full((10, 9, 1), 128, np.uint8)
    assert load_predictor(card).predict(grey, 0.1).shape == grey.shape


def test_a_training_may_start_from_the_weights_of_a_shipped_photo_network(photo_card, monkeypatch):
    folder = photo_card.folder.parent
    monkeypatch.setattr(loop, "find_card", lambda name: find_card(name, folder))
    model = build(PHOTO.architecture, **PHOTO.settings)
    loop.start_from(model, "tiny-photo")
    for name, kernel in read_kernels(photo_card.weights).items():
        (ours,) = model.get_layer(name).get_weights()
        np.testing.assert_array_equal(ours, kernel.transpose(2, 3, 1, 0))
    other = build(PHOTO.architecture, filters=[2, 4], blocks=1)
    with pytest.raises(ValueError, match=r"cannot start from tiny-photo: .* built otherwise"):
        loop.start_from(other, "tiny-photo")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "dense", "settings": {"hidden": 4}}, "gives a network image and level"),
        ({"task": "denoise-digits", "data": "mnist", "loss": "mse"}, "gives a network image; "),
        ({"crop": 34}, "cannot work on pieces of"),
        ({"crop": 200}, "crops of 200 pixels do not fit"),
    ],
)
def test_a_network_and_photos_that_do_not_fit_are_refused(photos, tmp_path, changes, says):
    config = dataclasses.replace(PHOTO, **changes)
    with pytest.raises(ValueError, match=says):
        loop.train(Run.create(tmp_path / "run", config))
