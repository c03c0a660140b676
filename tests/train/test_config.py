import dataclasses
import json

import pytest

from imaging.noise import NOISE_KINDS
from train.config import (
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Noise,
    TrainConfig,
    data_folder,
    every_kind,
    gaussian_only,
)

FULL = TrainConfig(
    architecture="unet",
    settings={"filters": [16, 32], "dropout": 0.1, "skips": True},
    data="fashion-mnist",
    noise=(Noise("gaussian", 0, 0.5, 2.0), Noise("block", 0.1, 0.3)),
    fresh_noise=False,
    loss="mae",
    optimizer="adamw",
    learning_rate=0.01,
    schedule="cosine",
    batch=32,
    epochs=3,
    seed=7,
)
READER = TrainConfig(
    architecture="digit-reader",
    target="label",
    augment=True,
    loss="sparse_categorical_crossentropy",
)


def as_json(**changes) -> str:
    return json.dumps({"architecture": "dense"} | changes)


@pytest.mark.parametrize("config", [FULL, READER, TrainConfig("dense")], ids=str)
def test_a_config_comes_back_from_json_as_it_was(config):
    assert TrainConfig.from_json(config.to_json()) == config


def test_what_is_left_out_has_its_default():
    assert TrainConfig.from_json('{"architecture": "dense"}') == TrainConfig("dense")


def test_a_config_equals_its_own_copy_though_json_knows_no_tuples():
    config = TrainConfig("unet", {"filters": (8, 16)}, noise=list(gaussian_only(0.5)))
    assert TrainConfig.from_json(config.to_json()) == config


def test_a_config_does_not_change_when_the_form_it_came_from_does():
    settings = {"filters": [8, 16]}
    config = TrainConfig("unet", settings)
    settings["filters"].append(32)
    assert config.settings == {"filters": [8, 16]}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_and_schedule_on_offer_is_accepted(optimizer, schedule):
    TrainConfig("dense", optimizer=optimizer, schedule=schedule)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_fits_exactly_one_target(loss):
    fits, other = "label", "clean"
    if loss != "sparse_categorical_crossentropy":
        fits, other = other, fits
    TrainConfig("dense", loss=loss, target=fits)
    with pytest.raises(ValueError, match=f"got {loss} for the target '{other}'"):
        TrainConfig("dense", loss=loss, target=other)


NONSENSE = [
    ("architecture", 3),
    ("architecture", ["dense"]),
    ("architecture", None),
    ("settings", []),
    ("settings", "hidden"),
    ("data", "imagenet"),
    ("data", ["mnist"]),
    ("target", "noise"),
    ("loss", "l0"),
    ("loss", None),
    ("optimizer", "lion"),
    ("optimizer", {}),
    ("schedule", "linear"),
    ("learning_rate", 0),
    ("learning_rate", -0.1),
    ("learning_rate", 101),
    ("learning_rate", "abc"),
    ("learning_rate", "0.1"),
    ("learning_rate", True),
    ("learning_rate", None),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("batch", 0),
    ("batch", -1),
    ("batch", 5000),
    ("batch", 1.5),
    ("batch", True),
    ("batch", "128"),
    ("epochs", 0),
    ("epochs", 10_001),
    ("epochs", 2.0),
    ("epochs", False),
    ("epochs", [1]),
    ("seed", -1),
    ("seed", 2**32),
    ("seed", 0.5),
    ("seed", True),
    ("seed", "0"),
    ("fresh_noise", "no"),
    ("fresh_noise", 1),
    ("augment", "yes"),
    ("augment", None),
    ("noise", None),
    ("noise", "gaussian"),
    ("noise", {"kind": "gaussian"}),
    ("noise", ["gaussian"]),
    ("noise", [3]),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE, ids=repr)
def test_nonsense_in_a_file_is_refused_with_name_and_value(name, value):
    with pytest.raises(ValueError, match=name.replace("noise", "[Nn]oise")) as caught:
        TrainConfig.from_json(as_json(**{name: value}))
    inner = value[0] if name == "noise" and isinstance(value, list) else value
    assert repr(inner) in str(caught.value)


@pytest.mark.parametrize(("name", "value"), NONSENSE, ids=repr)
def test_nonsense_in_a_call_is_refused_with_name_and_value(name, value):
    with pytest.raises(ValueError, match=name) as caught:
        TrainConfig(**{"architecture": "dense"} | {name: value})
    assert repr(value) in str(caught.value)


NOISE_NONSENSE = [
    ({"kind": "thunder"}, "'thunder'"),
    ({"kind": None}, "None"),
    ({"kind": ["gaussian"]}, "gaussian"),
    ({"low": -0.1}, "-0.1"),
    ({"high": 1.1}, "1.1"),
    ({"low": "weak"}, "'weak'"),
    ({"high": True}, "True"),
    ({"low": float("nan")}, "nan"),
    ({"low": 0.6, "high": 0.5}, "0.6 to 0.5"),
    ({"share": 0}, "0"),
    ({"share": -1}, "-1"),
    ({"share": "half"}, "'half'"),
    ({"share": float("inf")}, "inf"),
]


@pytest.mark.parametrize(("changes", "says"), NOISE_NONSENSE, ids=repr)
def test_nonsense_in_the_noise_is_refused_with_the_value(changes, says):
    entry = {"kind": "gaussian", "low": 0.1, "high": 0.5} | changes
    with pytest.raises(ValueError, match=r".+") as caught:
        Noise(**entry)
    assert says in str(caught.value)
    with pytest.raises(ValueError, match=r".+") as caught:
        TrainConfig.from_json(as_json(noise=[entry]))
    assert says in str(caught.value)


def test_the_range_of_a_noise_is_that_of_its_slider():
    Noise("uniform", 0, 1.5)
    with pytest.raises(ValueError, match=r"Block takes a strength from 0 to 0\.8, got 1\.5"):
        Noise("block", 0, 1.5)


def test_an_unknown_setting_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"unknown setting 'epoch'; known: .*epochs"):
        TrainConfig.from_json(as_json(epoch=3))
    with pytest.raises(ValueError, match="unknown setting 'sigma'; known: kind, low, high, share"):
        TrainConfig.from_json(as_json(noise=[{"kind": "gaussian", "sigma": 1}]))


def test_a_setting_that_is_needed_is_asked_for():
    with pytest.raises(ValueError, match="needs architecture, got epochs"):
        TrainConfig.from_json('{"epochs": 3}')
    with pytest.raises(ValueError, match="needs architecture, got nothing"):
        TrainConfig.from_json("{}")
    with pytest.raises(ValueError, match="needs high"):
        TrainConfig.from_json(as_json(noise=[{"kind": "gaussian", "low": 0}]))


@pytest.mark.parametrize("text", ["", "{", "epochs: 3", '{"architecture": "dense"} x', "\x00"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match="settings are not JSON"):
        TrainConfig.from_json(text)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"dense"', "true"])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match="TrainConfig must be names with values"):
        TrainConfig.from_json(text)


def test_settings_that_no_file_can_hold_are_refused():
    with pytest.raises(ValueError, match="plain data"):
        TrainConfig("dense", {"hidden": {1, 2}})


def test_pictures_that_change_each_epoch_cannot_have_noise_drawn_once():
    with pytest.raises(ValueError, match="fresh_noise"):
        dataclasses.replace(READER, noise=gaussian_only(0.5), fresh_noise=False)
    dataclasses.replace(READER, fresh_noise=False)  # Without noise there is nothing to draw.


def test_a_config_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.epochs = 4


def test_the_tutorials_noise_is_gaussian_at_one_factor():
    assert gaussian_only(0.5) == (Noise("gaussian", 0.5, 0.5),)


def test_every_kind_takes_its_share_over_its_whole_slider():
    entries = {entry.kind: entry for entry in every_kind(0.6)}
    assert set(entries) == set(NOISE_KINDS)
    assert entries["gaussian"].share == 0.6
    assert sum(entry.share for entry in entries.values()) == pytest.approx(1)
    assert len({entry.share for name, entry in entries.items() if name != "gaussian"}) == 1
    for name, entry in entries.items():
        assert (entry.low, entry.high) == (NOISE_KINDS[name].low, NOISE_KINDS[name].high)


def test_the_data_folder_is_the_named_one_if_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path / "nowhere"))
    assert data_folder() is None
    monkeypatch.delenv("DENOISE_DATA_DIR")
    assert data_folder() is None


def test_the_data_folder_may_be_named_from_home(monkeypatch, tmp_path):
    (tmp_path / "sets").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DENOISE_DATA_DIR", "~/sets")
    assert data_folder() == tmp_path / "sets"
