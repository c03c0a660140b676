import dataclasses
import errno
import json
import math
import os
import resource
import signal

import keras
import numpy as np
import pytest
from PIL import Image

from imaging import metrics
from models.architectures import build
from models.catalogue import find_card
from tests.train.conftest import TRAINING
from train.config import OPTIMIZERS, Noise, TrainConfig, every_kind, gaussian_only
from train.fit import callbacks, data, loop
from train.fit import metrics as metrics_of_training
from train.fit.callbacks import WriteProgress, step_of
from train.fit.data import Batches, split
from train.recipes import recipe
from train.run_folder import Run

pytestmark = pytest.mark.usefixtures("strokes")

BATCHES = 10  # of 60 pictures an epoch
DENSE = TrainConfig(
    "dense",
    {"hidden": 16},
    noise=gaussian_only(0.5),
    schedule="cosine",
    learning_rate=0.01,
    batch=TRAINING // BATCHES,
    epochs=3,
    seed=1,
)
# Dropout, batch normalisation, a mixture of noises, and a last batch that is smaller.
UNET = dataclasses.replace(
    DENSE,
    architecture="unet",
    settings={"filters": [3, 4], "dropout": 0.3},
    noise=every_kind(0.5),
    batch=130,  # 4 whole batches and one of 80
    epochs=2,
)


def train(folder, config) -> tuple[Run, str]:
    run = Run.create(folder, config)
    return run, loop.train(run)


def weights_of(path) -> list[np.ndarray]:
    return keras.saving.load_model(path, compile=False).get_weights()


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def at_step(monkeypatch, step, act) -> None:
    """Have ``act()`` called when this many batches have been trained."""

    class Acting(WriteProgress):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if step_of(self.model) == step:
                act()

    monkeypatch.setattr(loop, "WriteProgress", Acting)


@pytest.fixture(scope="module")
def finished(strokes, tmp_path_factory) -> Run:
    """An unbroken dense run; tests look, and leave it as it is."""
    run, outcome = train(tmp_path_factory.mktemp("runs") / "dense", DENSE)
    assert outcome == "finished"
    return run


def events_of(run, kind) -> list[dict]:
    return [event for event in run.events() if event["event"] == kind]


# An unbroken run


def test_the_loss_falls(finished):
    losses = [event["loss"] for event in events_of(finished, "epoch")]
    assert losses[0] > losses[1] > losses[2]
    validation = [event["val_loss"] for event in events_of(finished, "epoch")]
    assert validation[0] > validation[-1]


def test_every_batch_epoch_and_probe_is_on_record(finished):
    steps = {kind: [event["step"] for event in events_of(finished, kind)] for kind in
             ("batch", "epoch", "probe", "stop", "error")}  # fmt: skip
    assert steps["batch"] == list(range(1, 3 * BATCHES + 1))
    assert steps["epoch"] == steps["probe"] == [BATCHES, 2 * BATCHES, 3 * BATCHES]
    assert steps["stop"] == steps["error"] == []
    told = [(event["status"], event["step"]) for event in events_of(finished, "status")]
    assert told == [("loading", 0), ("training", 0), ("finished", 3 * BATCHES)]


def test_time_and_step_never_go_back(finished):
    events = list(finished.events())
    for name in ("time", "step"):
        values = [event[name] for event in events]
        assert values == sorted(values)


def test_an_epoch_says_all_that_a_page_shows(finished):
    for number, event in enumerate(events_of(finished, "epoch"), start=1):
        assert event["epoch"] == number
        assert event["seconds"] > 0
        assert event["images_per_second"] > 0
        for name in ("loss", "mse", "psnr", "val_loss", "val_mse", "val_psnr", "learning_rate"):
            assert math.isfinite(event[name])


def test_the_losses_of_the_batches_average_to_that_of_the_epoch(finished):
    batches = [event["loss"] for event in events_of(finished, "batch")][:BATCHES]
    # Keras adds up in float32: ten numbers below 1, each rounded to 6e-8, times 60 / 60.
    assert np.mean(batches) == pytest.approx(events_of(finished, "epoch")[0]["loss"], abs=1e-5)
    # Differences of means, not the means themselves: they scatter.
    assert any(np.diff(batches) > 0)


def test_the_curve_tells_what_the_finished_network_does(finished):
    model = keras.saving.load_model(finished.model, compile=False)
    _, (noisy, clean) = split(DENSE)
    denoised = keras.ops.convert_to_numpy(model(noisy, training=False))
    last = events_of(finished, "epoch")[-1]
    # float32 against float64, and six decimals in the file.
    assert last["val_psnr"] == pytest.approx(metrics.batch_psnr(clean, denoised).mean(), abs=1e-4)
    assert last["val_mse"] == pytest.approx(metrics.mse(clean, denoised), abs=2e-6)


def test_a_run_folder_holds_what_the_design_names_and_no_leftovers(finished):
    names = {path.relative_to(finished.folder).as_posix() for path in finished.folder.rglob("*")}
    assert names == {
        "config.json",
        "progress.jsonl",
        "checkpoint.keras",
        "model.keras",
        "probes",
        "probes/epoch-0001.png",
        "probes/epoch-0002.png",
        "probes/epoch-0003.png",
    }


def test_probes_show_ten_digits_and_nothing_clean_noisy_and_denoised(finished):
    _, (noisy, clean) = split(DENSE)
    noisy, clean = loop.probe_pictures(finished, DENSE, noisy, clean)
    denoised = keras.saving.load_model(finished.model, compile=False)(noisy, training=False)
    rows = []
    for event in events_of(finished, "probe"):
        with Image.open(finished.folder / "probes" / event["file"]) as file:
            assert file.mode == "L"
            assert file.size == (11 * 28, 3 * 28)
            sheet = np.asarray(file)
        rows.append(sheet.reshape(3, 28, 11, 28).swapaxes(1, 2) / 255)
    for expected, row in zip((clean, noisy, np.asarray(denoised)), rows[-1], strict=True):
        # Half a level of rounding to 8 bits.
        np.testing.assert_allclose(row, expected[..., 0], atol=0.5 / 255 + 1e-6)
    assert np.array_equal(rows[0][1], rows[2][1])  # The same noise in all epochs.
    assert not np.array_equal(rows[0][2], rows[2][2])


def test_a_drawing_of_the_visitors_own_is_watched_before_the_others(tmp_path):
    run = Run.create(tmp_path / "run", DENSE)
    _, (noisy, clean) = split(DENSE)
    drawing = np.zeros((28, 28), np.uint8)
    drawing[5:20, 12:15] = 255
    Image.fromarray(drawing).save(run.drawing)
    shown_noisy, shown_clean = loop.probe_pictures(run, DENSE, noisy, clean)
    assert np.array_equal(shown_clean[0, ..., 0], drawing / 255)
    assert not np.array_equal(shown_noisy[0], shown_clean[0])
    assert np.array_equal(shown_clean[1:-1], clean[: loop.PROBES])
    assert np.array_equal(shown_noisy[1:-1], noisy[: loop.PROBES])


@pytest.mark.parametrize("noise", [(), gaussian_only(0.5), (Noise("masking", 0.5, 0.5),)], ids=str)
def test_the_last_probe_is_noise_alone_even_where_the_training_noise_spares_black(tmp_path, noise):
    config = dataclasses.replace(DENSE, noise=noise)
    run = Run.create(tmp_path / "run", config)
    noisy, clean = loop.probe_pictures(run, config, *split(config)[1])
    assert not clean[-1].any()
    # Half of the black pixels are lifted by noise of 0.5, the others clipped.
    assert noisy[-1].std() > 0.2
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_the_learning_rate_ends_at_zero(finished):
    rates = [event["learning_rate"] for event in events_of(finished, "epoch")]
    assert rates[0] > rates[1] > rates[2] == pytest.approx(0, abs=1e-9)


def test_starting_a_finished_run_again_trains_nothing_and_says_so(finished, tmp_path):
    copy = Run(tmp_path / "copy")
    copy.folder.mkdir()
    for path in finished.folder.iterdir():
        if path.is_file():
            (copy.folder / path.name).write_bytes(path.read_bytes())
    assert loop.train(copy) == "finished"
    assert same(weights_of(copy.model), weights_of(finished.model))
    assert len(events_of(copy, "batch")) == 3 * BATCHES
    assert [event["step"] for event in events_of(copy, "status")][3:] == [3 * BATCHES] * 3


def test_another_seed_gives_another_network(finished, tmp_path):
    run, _ = train(tmp_path / "run", dataclasses.replace(DENSE, seed=2, epochs=1))
    assert not same(weights_of(run.model), weights_of(finished.model))


def test_a_reader_learns_labels_and_has_no_probes(tmp_path):
    config = TrainConfig(
        "digit-reader",
        {"filters": 2, "units": 4},
        data="fashion-mnist",
        task="read-digits",
        noise=gaussian_only(0.1),
        augment=True,
        loss="sparse_categorical_crossentropy",
        batch=300,
        epochs=1,
    )
    run, outcome = train(tmp_path / "run", config)
    assert outcome == "finished"
    (epoch,) = events_of(run, "epoch")
    assert 0 <= epoch["val_accuracy"] <= 1
    assert events_of(run, "probe") == []


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mse", "mae", "psnr", "ssim"])
def test_every_loss_falls_and_its_checkpoint_can_be_gone_on_from(tmp_path, monkeypatch, loss):
    config = dataclasses.replace(DENSE, loss=loss, epochs=2)
    run = train_with_stops(monkeypatch, tmp_path / "run", config, (BATCHES + 2,))
    first, second = (event["loss"] for event in events_of(run, "epoch"))
    assert second < first


def test_a_training_may_start_from_shipped_weights(tmp_path):
    settings = {"filters": [32, 32]}
    config = dataclasses.replace(
        DENSE, architecture="convolutional", settings=settings, epochs=1, start="conv-32-32"
    )
    run, _ = train(tmp_path / "run", config)
    anew, _ = train(tmp_path / "anew", dataclasses.replace(config, start=""))
    # It knows digits; of made-up strokes it still knows that most pixels are black.
    assert events_of(run, "batch")[0]["loss"] < 0.8 * events_of(anew, "batch")[0]["loss"]


def test_a_network_is_not_begun_with_a_part_of_its_weights():
    # Its Keras file did not ship, and of a compact one only the convolutions can be read.
    card = find_card("digit-listener")
    model = build(card.architecture, **card.settings)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"only kernels of convolutions .*'dense', 'digit'"):
        loop.start_from(model, card.name)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("name", "says"), [("dense", "cannot start from dense"), ("nobody", "no model 'nobody'")]
)
def test_weights_of_another_network_are_refused(tmp_path, name, says):
    config = dataclasses.replace(DENSE, start=name)
    run = Run.create(tmp_path / "run", config)
    with pytest.raises(ValueError, match=says):
        loop.train(run)


def test_drawn_digits_need_no_download(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DRAWN", 250)  # a fifth for validation, 200 to train on
    monkeypatch.setattr(data, "DRAWN_TO_TEST", 10)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("DENOISE_DATA_DIR")
    run, outcome = train(tmp_path / "run", dataclasses.replace(DENSE, data="drawn", epochs=1))
    assert outcome == "finished"
    assert len(events_of(run, "batch")) == 4  # of 60


def test_a_visitors_own_pictures_lie_in_the_run_folder(tmp_path, rng):
    config = dataclasses.replace(DENSE, data="own", epochs=1, batch=10)
    run = Run.create(tmp_path / "run", config)
    with pytest.raises(OSError, match=r"your own pictures, own\.npz, cannot be read"):
        loop.train(run)
    np.savez(run.own, pictures=rng.integers(0, 256, (100, 28, 28, 1), np.uint8))
    assert loop.train(run) == "finished"
    # Of 100, ten are for the test and a fifth of the others for validation.
    assert len(events_of(run, "batch")) == 8


# Early stopping

# Noise drawn once on few pictures: soon it is known by heart, and the validation loss rises.
BY_HEART = dataclasses.replace(
    DENSE,
    settings={"hidden": 128},
    fresh_noise=False,
    schedule="constant",
    learning_rate=0.02,
    patience=2,
    epochs=60,
)


@pytest.fixture(scope="module")
def by_heart(strokes, tmp_path_factory) -> Run:
    """An unbroken run that ended early; tests look, and leave it as it is."""
    run, outcome = train(tmp_path_factory.mktemp("runs") / "by-heart", BY_HEART)
    assert outcome == "finished"
    return run


def test_a_training_that_does_not_get_better_ends_early_with_its_best_weights(by_heart):
    run = by_heart
    losses = [event["val_loss"] for event in events_of(run, "epoch")]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == best + 2 < 60
    last = events_of(run, "status")[-1]
    assert last["status"] == "finished"
    assert f"has not fallen for 2 epochs; the weights of epoch {best}, the best" in last["reason"]
    _, validation = split(BY_HEART)
    measured = keras.saving.load_model(run.model).evaluate(*validation, batch_size=500, verbose=0)
    assert measured[0] == pytest.approx(losses[best - 1], rel=1e-4)


def test_patience_that_lasts_still_keeps_the_best_weights(tmp_path):
    run, _ = train(tmp_path / "run", dataclasses.replace(BY_HEART, epochs=2))
    assert events_of(run, "status")[-1]["reason"].endswith("the best, are kept")
    assert same(weights_of(run.model), weights_of(run.best))


def test_early_stopping_is_the_same_after_a_stop(by_heart, tmp_path, monkeypatch):
    run = train_with_stops(monkeypatch, tmp_path / "run", BY_HEART, (3 * BATCHES - 1,))
    assert len(events_of(run, "epoch")) == len(events_of(by_heart, "epoch"))
    assert same(weights_of(run.model), weights_of(by_heart.model))


def test_a_stop_after_the_last_batch_of_an_epoch_keeps_the_epoch(by_heart, tmp_path, monkeypatch):
    run = train_with_stops(monkeypatch, tmp_path / "run", BY_HEART, (BATCHES, 2 * BATCHES))
    for kept, unbroken in zip(events_of(run, "epoch"), events_of(by_heart, "epoch"), strict=True):
        assert (kept["epoch"], kept["val_loss"]) == (unbroken["epoch"], unbroken["val_loss"])


def test_what_tells_of_the_best_epoch_is_written_after_its_network(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        callbacks, "write_whole", lambda path, write: written.append(path.name) or write(path)
    )
    report = WriteProgress.on_epoch_end
    monkeypatch.setattr(
        WriteProgress,
        "on_epoch_end",
        lambda self, *given: written.append("event") or report(self, *given),
    )
    train(tmp_path / "run", dataclasses.replace(BY_HEART, epochs=1))
    assert written.index("best.keras") < written.index("event")


# Stopping and going on


def train_with_stops(monkeypatch, folder, config, stops) -> Run:
    """Train a run that is stopped at these steps and started again each time."""
    run = Run.create(folder, config)
    for step in stops:
        run.stop.unlink(missing_ok=True)
        at_step(monkeypatch, step, run.stop.touch)
        assert loop.train(run) == "stopped"
        assert events_of(run, "stop")[-1]["step"] == step
    run.stop.unlink()
    monkeypatch.setattr(loop, "WriteProgress", WriteProgress)
    assert loop.train(run) == "finished"
    return run


def test_a_run_that_was_stopped_ends_with_the_very_weights_of_an_unbroken_one(
    finished, tmp_path, monkeypatch
):
    # In the middle of the first epoch, at the end of the next, and in the middle of the last.
    stops = (2, 2 * BATCHES, 2 * BATCHES + 1)
    run = train_with_stops(monkeypatch, tmp_path / "run", DENSE, stops)
    assert same(weights_of(run.model), weights_of(finished.model))
    for name, values in (("batch", range(1, 3 * BATCHES + 1)), ("status", None)):
        steps = [event["step"] for event in events_of(run, name)]
        assert steps == (sorted(steps) if values is None else list(values))


def test_dropout_and_normalisation_go_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    unbroken, _ = train(tmp_path / "unbroken", UNET)
    run = train_with_stops(monkeypatch, tmp_path / "run", UNET, (2,))
    assert same(weights_of(run.model), weights_of(unbroken.model))


def test_the_stop_file_stops_within_the_batch_and_keeps_the_weights(tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run", DENSE)
    at_step(monkeypatch, 14, run.stop.touch)
    assert loop.train(run) == "stopped"
    (stop,) = events_of(run, "stop")
    assert (stop["step"], stop["reason"]) == (14, "asked")
    assert len(events_of(run, "batch")) == 14
    assert len(events_of(run, "epoch")) == 1
    assert not run.model.exists()
    assert step_of(keras.saving.load_model(run.checkpoint)) == 14


def test_a_stop_that_was_asked_for_while_it_was_loading_is_obeyed(tmp_path):
    run = Run.create(tmp_path / "run", DENSE)
    run.stop.touch()
    assert loop.train(run) == "stopped"
    assert len(events_of(run, "batch")) == 1


def test_a_limit_in_minutes_stops_the_training_and_can_be_continued(tmp_path):
    run = Run.create(tmp_path / "run", DENSE)
    assert loop.train(run, minutes=1e-9) == "stopped"
    assert len(events_of(run, "batch")) == 1
    assert loop.train(run, minutes=1e-9) == "stopped"
    assert [event["step"] for event in events_of(run, "batch")] == [1, 2]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_and_a_polite_kill_stop_after_the_batch(tmp_path, monkeypatch, name):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = Run.create(tmp_path / "run", DENSE)
    at_step(monkeypatch, 3, lambda: os.kill(os.getpid(), getattr(signal, name)))
    assert loop.train(run) == "stopped"
    (stop,) = events_of(run, "stop")
    assert (stop["step"], stop["reason"]) == (3, "interrupted")
    assert run.checkpoint.exists()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_run_that_was_killed_goes_on_from_its_last_epoch(finished, tmp_path, monkeypatch):
    class Killed(BaseException):
        """What no handler of the training catches, as a kill."""

    def kill():
        raise Killed

    run = Run.create(tmp_path / "run", DENSE)
    at_step(monkeypatch, BATCHES + 5, kill)
    with pytest.raises(Killed):
        loop.train(run)
    monkeypatch.setattr(loop, "WriteProgress", WriteProgress)
    assert loop.train(run) == "finished"
    assert same(weights_of(run.model), weights_of(finished.model))
    starts = [event["step"] for event in events_of(run, "status") if event["status"] == "training"]
    assert starts == [0, BATCHES]


@pytest.mark.parametrize("poisoned_side", ["input", "target"])
def test_a_training_that_diverges_ends_and_the_last_good_weights_are_kept(
    tmp_path, monkeypatch, poisoned_side
):
    original = Batches.__getitem__

    def poisoned(batches, index):
        noisy, clean = original(batches, index)
        if (batches.epoch, index) != (1, 4):
            return noisy, clean
        if poisoned_side == "input":
            return noisy * np.nan, clean
        return noisy, clean * np.nan

    monkeypatch.setattr(Batches, "__getitem__", poisoned)
    run, outcome = train(tmp_path / "run", DENSE)
    assert outcome == "diverged"
    (stop,) = events_of(run, "stop")
    if poisoned_side == "target":
        assert "loss became NaN" in stop["reason"]
        assert stop["step"] == BATCHES + 5
        assert events_of(run, "batch")[-1]["loss"] is None
    else:  # A fused ReLU hides it from the loss, but not from the end of the epoch.
        assert "became NaN" in stop["reason"]
        assert stop["step"] <= 2 * BATCHES
    assert not run.model.exists()
    assert step_of(keras.saving.load_model(run.checkpoint)) == BATCHES
    assert all(np.isfinite(values).all() for values in weights_of(run.checkpoint))


def test_far_too_high_a_rate_diverges_within_a_few_batches(tmp_path):
    config = dataclasses.replace(recipe("trap-rate-too-high").config, batch=60)
    run, outcome = train(tmp_path / "run", config)
    assert outcome == "diverged"
    (stop,) = events_of(run, "stop")
    assert stop["step"] < 10
    assert stop["outcome"] == "diverged"
    better = dataclasses.replace(config, learning_rate=0.001, epochs=1)
    assert train(tmp_path / "better", better)[1] == "finished"


# What cannot be trained


def torn(path):
    path.write_bytes(path.read_bytes()[:-500])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [torn, flipped, lambda path: path.write_bytes(b""), lambda path: path.write_text("x")]
)
def test_a_damaged_checkpoint_is_a_sentence_with_a_way_out(finished, tmp_path, damage):
    run = Run.create(tmp_path / "run", DENSE)
    run.checkpoint.write_bytes(finished.checkpoint.read_bytes())
    damage(run.checkpoint)
    with pytest.raises(ValueError, match=r"checkpoint\.keras cannot be read; remove it") as caught:
        loop.train(run)
    assert "\n" not in str(caught.value)
    (error,) = events_of(run, "error")
    assert "cannot be read" in error["message"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"settings": {"size": 32}}, r"takes \(32, 32, 1\), the data is \(28, 28, 1\)"),
        ({"settings": {"channels": 3}}, r"takes \(28, 28, 3\)"),
        (
            {"architecture": "digit-reader", "settings": {}},
            r"target has the shape \(28, 28, 1\), .* \(10,\)",
        ),
        (
            {"task": "read-digits", "loss": "sparse_categorical_crossentropy"},
            r"answers \(28, 28, 1\)",
        ),
        ({"architecture": "transformer"}, "unknown architecture 'transformer'"),
        ({"settings": {"depth": 3}}, "unknown setting 'depth'"),
    ],
)
def test_settings_that_no_network_fits_are_refused_before_the_first_batch(tmp_path, changes, says):
    run = Run.create(tmp_path / "run", dataclasses.replace(DENSE, **changes))
    with pytest.raises(ValueError, match=says):
        loop.train(run)
    assert events_of(run, "batch") == []
    (error,) = events_of(run, "error")
    assert error["message"].startswith("ValueError: ")


def test_data_that_cannot_be_had_is_on_record(tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_text("no archive")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    run = Run.create(tmp_path / "run", DENSE)
    with pytest.raises(OSError, match="cannot be read"):
        loop.train(run)
    assert "mnist.npz cannot be read" in events_of(run, "error")[0]["message"]


@pytest.mark.parametrize("room", [300, 3000, 30_000, 100_000])
def test_a_full_disk_is_a_sentence_and_what_was_saved_stays(finished, tmp_path, room):
    run = Run.create(tmp_path / "run", DENSE)
    run.checkpoint.write_bytes(finished.checkpoint.read_bytes())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            loop.train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert run.checkpoint.read_bytes() == finished.checkpoint.read_bytes()
    for event in events_of(run, "error"):
        assert "the disk is full; what was saved before stays" in event["message"]
    assert not [path for path in run.folder.rglob("*") if path.name.startswith(".")]


# The parts


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [0.003, 1])
def test_an_optimizer_is_the_named_one_at_the_rate_asked_for(name, rate):
    optimizer = loop.make_optimizer(TrainConfig("dense", optimizer=name, learning_rate=rate), 100)
    assert type(optimizer).__name__.lower() == name
    assert float(np.asarray(optimizer.learning_rate)) == pytest.approx(rate)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_rate_that_a_form_shows_is_that_of_keras(name):
    keras_own = keras.optimizers.get(name).learning_rate
    assert OPTIMIZERS[name] == pytest.approx(float(np.asarray(keras_own)))


def test_the_cosine_rises_for_three_percent_of_the_steps_and_falls_to_zero():
    config = TrainConfig("dense", schedule="cosine", learning_rate=0.1)
    schedule = loop.make_optimizer(config, 1000)._learning_rate
    steps = {0: 0.01, 15: 0.055, 30: 0.1, 515: 0.05, 1000: 0, 2000: 0}
    for step, rate in steps.items():
        assert float(np.asarray(schedule(step))) == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_the_cosine_works_for_the_shortest_run(steps):
    schedule = loop.make_optimizer(TrainConfig("dense", schedule="cosine"), steps)._learning_rate
    assert all(np.isfinite(np.asarray(schedule(step))) for step in range(steps + 1))


def test_the_psnr_that_keras_shows_is_that_of_the_metrics(rng):
    clean, denoised = rng.random((2, 5, 28, 28, 1), np.float32)
    shown = keras.ops.convert_to_numpy(metrics_of_training.psnr(clean, denoised))
    np.testing.assert_allclose(shown, metrics.batch_psnr(clean, denoised), rtol=1e-5)
    assert np.isfinite(metrics_of_training.psnr(clean, clean)).all()


def test_progress_is_json_line_by_line(finished):
    for line in finished.progress.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
