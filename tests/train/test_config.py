import dataclasses
import json

import pytest

from imaging.noise import NOISE_KINDS
from models.tasks import TASKS
from models.tasks.data_folder import data_folder
from train.config import (
    ARCHITECTURE_SETTINGS,
    OPTIMIZERS,
    SCHEDULES,
    Noise,
    TrainConfig,
    count_parameters,
    differences,
    every_kind,
    gaussian_only,
    on_equal_terms,
    require_settings,
    with_defaults,
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
    task="read-digits",
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


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_loss_and_data_set_of_a_task_is_accepted_and_those_of_others_are_not(task):
    data, loss = next(iter(task.data)), task.losses[0]
    for each in task.losses:
        TrainConfig("dense", task=task.name, data=data, loss=each)
    for each in task.data:
        TrainConfig("dense", task=task.name, data=each, loss=loss)
    for other in TASKS.values():
        for each in set(other.losses) - set(task.losses):
            with pytest.raises(ValueError, match=f"loss must be one of .*, got '{each}'"):
                TrainConfig("dense", task=task.name, data=data, loss=each)
        for each in set(other.data) - set(task.data):
            with pytest.raises(ValueError, match=f"data must be one of .*, got '{each}'"):
                TrainConfig("dense", task=task.name, data=each, loss=loss)


@pytest.mark.parametrize(
    ("target", "data", "task"),
    [
        ("clean", "mnist", "denoise-digits"),
        ("clean", "own", "denoise-digits"),
        ("clean", "photos", "denoise-photos"),
        ("clean", "polyu", "denoise-photos"),
        ("label", "mnist", "read-digits"),
    ],
)
def test_the_settings_of_a_run_of_the_release_before_are_read(target, data, task):
    loss = TASKS[task].losses[0]
    config = TrainConfig.from_json(as_json(target=target, data=data, loss=loss))
    assert (config.task, config.data) == (task, data)
    assert "target" not in json.loads(config.to_json())


@pytest.mark.parametrize(
    "said", [{"target": "mask"}, {"target": "clean", "data": "nope"}, {"target": ["clean"]}]
)
def test_settings_of_a_run_that_no_release_wrote_are_refused_in_words(said):
    with pytest.raises(ValueError, match="no task had the target"):
        TrainConfig.from_json(json.dumps(said))


NONSENSE = [
    ("architecture", 3),
    ("architecture", ["dense"]),
    ("architecture", None),
    ("settings", []),
    ("settings", "hidden"),
    ("data", "imagenet"),
    ("data", ["mnist"]),
    ("task", "make-coffee"),
    ("task", None),
    ("data", "photos"),
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
    ("patience", -1),
    ("patience", 1.5),
    ("patience", True),
    ("patience", "3"),
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


def test_early_stopping_and_averaging_exclude_each_other():
    with pytest.raises(ValueError, match=r"choose one, got 3 and 0\.9"):
        TrainConfig("dense", patience=3, average=0.9)


# What the architectures take


@pytest.mark.parametrize("name", ARCHITECTURE_SETTINGS)
def test_the_usual_settings_of_an_architecture_are_allowed(name):
    default = with_defaults(name, {})
    require_settings(name, default)
    assert set(default) == set(ARCHITECTURE_SETTINGS[name])
    assert count_parameters(name, {}) == count_parameters(name, default)


def test_what_is_set_takes_the_place_of_what_is_usual():
    assert with_defaults("unet", {"skips": False}) == {
        "filters": [16, 32, 64, 128],
        "dropout": 0.1,
        "skips": False,
    }


@pytest.mark.parametrize(
    ("architecture", "settings", "says"),
    [
        ("transformer", {}, "architecture must be one of dense"),
        ("digit-reader", {}, "architecture must be one of dense"),
        ("dense", {"filters": [1]}, "unknown setting 'filters' of 'dense'; known: hidden"),
        ("dense", {"size": 32}, "unknown setting 'size'"),
        ("dense", {"hidden": 0}, "hidden must be a whole number from 1 to 512, got 0"),
        ("dense", {"hidden": 10**9}, "got 1000000000"),
        ("dense", {"hidden": "many"}, "got 'many'"),
        ("dense", {"hidden": None}, "got None"),
        ("convolutional", {"code": 0}, "code must be a whole number from 1 to 256, got 0"),
        ("convolutional", {"filters": []}, r"filters must be 1 to 4 whole numbers, got \[\]"),
        ("convolutional", {"filters": [1] * 5}, "filters must be 1 to 4 whole numbers"),
        ("convolutional", {"filters": 32}, "filters must be 1 to 4 whole numbers, got 32"),
        ("convolutional", {"filters": [16, 0]}, "filters must be a whole number from 1 to 256"),
        ("convolutional", {"filters": [16, 1.5]}, "got 1.5"),
        ("resize-convolution", {"upsampling": "magic"}, "upsampling must be one of resize, trans"),
        ("unet", {"filters": [16]}, "filters must be 2 to 5 whole numbers"),
        ("unet", {"dropout": 0.9}, "dropout must be from 0 to 0.8, got 0.9"),
        ("unet", {"dropout": "a"}, "dropout must be a number"),
        ("unet", {"skips": 1}, "skips must be true or false, got 1"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused_with_rule_and_value(architecture, settings, says):
    with pytest.raises(ValueError, match=says):
        require_settings(architecture, settings)
    with pytest.raises(ValueError, match=says):
        count_parameters(architecture, settings)


def test_a_code_may_be_left_out():
    require_settings("convolutional", {"code": None})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        *((architecture, {}) for architecture in ARCHITECTURE_SETTINGS),
        ("dense", {"hidden": 7}),
        ("convolutional", {"filters": [16, 8, 8]}),
        ("convolutional", {"filters": [16, 8, 8], "code": 10}),
        ("convolutional", {"filters": [5], "code": 3}),
        ("convolutional", {"filters": [3, 4, 5, 6]}),
        ("resize-convolution", {"filters": [3, 5], "upsampling": "transposed"}),
        ("unet", {"filters": [3, 5], "skips": False, "dropout": 0}),
        ("unet", {"filters": [3, 5, 7, 9, 11]}),
    ],
    ids=str,
)
def test_parameters_are_counted_as_keras_counts_them(architecture, settings):
    from models.architectures import build

    assert count_parameters(architecture, settings) == (
        build(architecture, **settings).count_params()
    )


# Races


def test_on_equal_terms_only_the_network_and_how_it_learns_are_ones_own():
    first = dataclasses.replace(FULL, noise=gaussian_only(0.3), seed=5, epochs=4)
    racer = on_equal_terms(TrainConfig("dense", {"hidden": 8}, optimizer="sgd"), first)
    assert (racer.architecture, racer.settings) == ("dense", {"hidden": 8})
    assert racer.optimizer == "sgd"
    assert racer.loss == "binary_crossentropy"
    for name in ("data", "noise", "fresh_noise", "batch", "epochs", "seed"):
        assert getattr(racer, name) == getattr(first, name)


def test_differences_name_what_is_not_the_same_in_all():
    small, big = TrainConfig("dense", {"hidden": 8}), TrainConfig("dense", seed=1)
    assert differences([small, big]) == {"hidden": [8, 64], "seed": [0, 1]}
    unet = TrainConfig("unet")
    found = differences([small, small, unet])
    assert found["architecture"] == ["dense", "dense", "unet"]
    assert found["hidden"] == [8, 8, None]
    assert found["skips"] == [None, None, True]
    assert "seed" not in found
    assert differences([small]) == differences([small, small]) == {}
