import dataclasses
import re

import pytest

from models.architectures import ARCHITECTURES
from models.tasks import TASKS
from pages.components.training.network_settings import ARCHITECTURE_TITLES
from train.config import ARCHITECTURE_SETTINGS, COUNTS, Noise, TrainConfig, count_parameters
from train.memory import FOOTPRINTS
from train.recipes import EXPECT, LIVE_JOBS, RECIPES, TRAPS, is_live, recipe
from train.recorded import read_record
from train.tutorial_code import NETWORKS

# The rows of the table of tutorial systems that are trained on digits or clothes.
SYSTEMS = [
    "dense-reconstruct",
    "dense",
    "conv-reconstruct",
    "conv-16-8-8",
    "conv-code-10",
    "conv-32-32",
    "conv-64-64-32",
    "conv-64-64-32-transposed",
    "unet",
    "fashion",
    "digit-reader",
]
TUTORIALS = [name for name in RECIPES if name.endswith(("-tutorial", "-adadelta", "-as-copied"))]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_tutorial_system_has_a_recipe_of_its_name(name):
    assert recipe(name).name == name


@pytest.mark.parametrize("name", [*RECIPES, *TRAPS])
def test_a_recipe_says_what_it_shows_and_where_it_comes_from(name):
    entry = recipe(name)
    assert entry.title
    assert entry.purpose.endswith(".")
    assert entry.source


@pytest.mark.parametrize("name", [*RECIPES, *TRAPS])
def test_a_recipe_can_be_written_down_and_read_again(name):
    config = recipe(name).config
    assert TrainConfig.from_json(config.to_json()) == config


def test_titles_tell_recipes_apart():
    titles = [entry.title for entry in [*RECIPES.values(), *TRAPS.values()]]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorials_recipe_is_the_tutorials(name):
    config = recipe(name).config
    assert config.loss == "binary_crossentropy"
    assert config.batch == 128
    assert config.schedule == "constant"
    if "reconstruct" in name:
        assert config.noise == ()  # Clean to clean.
    elif name != "unet-tutorial":  # Where the tutorial is silent, the noise is ours.
        assert config.noise == (Noise("gaussian", 0.5, 0.5),)
        assert not config.fresh_noise


@pytest.mark.parametrize("name", [name for name in TUTORIALS if name.endswith("-tutorial")])
def test_beside_a_tutorials_recipe_stands_ours_for_the_same_network(name):
    ours, theirs = recipe(name.removesuffix("-tutorial")).config, recipe(name).config
    assert (ours.architecture, ours.settings) == (theirs.architecture, theirs.settings)


def test_the_adadelta_trap_is_the_learning_rate_and_nothing_else():
    meant = recipe("conv-32-32-adadelta").config
    copied = recipe("conv-32-32-adadelta-as-copied").config
    assert (meant.optimizer, meant.learning_rate) == ("adadelta", 1.0)
    assert (copied.optimizer, copied.learning_rate) == ("adadelta", 0.001)
    assert {**vars(meant), "learning_rate": 0} == {**vars(copied), "learning_rate": 0}
    assert meant.epochs == 10


def test_the_adam_tutorial_runs_a_hundred_epochs():
    config = recipe("conv-32-32-tutorial").config
    assert (config.optimizer, config.epochs, config.learning_rate) == ("adam", 100, 0.001)


def test_reconstruction_is_from_clean_to_clean():
    for name in ("dense-reconstruct", "conv-reconstruct"):
        assert recipe(name).config.noise == ()
        assert recipe(name).config.task == "denoise-digits"


def test_resize_convolution_and_its_foil_differ_in_the_upsampling_alone():
    resize, foil = recipe("conv-64-64-32").config, recipe("conv-64-64-32-transposed").config
    assert resize.settings == {"filters": [64, 64, 32], "upsampling": "resize"}
    assert foil.settings == resize.settings | {"upsampling": "transposed"}
    assert {**vars(resize), "settings": None} == {**vars(foil), "settings": None}


def test_the_code_of_ten_numbers_is_one():
    assert recipe("conv-code-10").config.settings["code"] == 10


def test_an_unknown_recipe_is_refused_with_the_names():
    with pytest.raises(ValueError, match="unknown recipe 'soup'") as caught:
        recipe("soup")
    assert all(name in str(caught.value) for name in RECIPES)


@pytest.mark.parametrize("name", [*TUTORIALS, *TRAPS, *LIVE_JOBS])
def test_what_a_visitor_trains_says_what_to_expect(name):
    assert EXPECT[name].endswith(".")


@pytest.mark.parametrize("name", [n for n in [*RECIPES, *TRAPS] if " dB" in EXPECT.get(n, "")])
def test_the_decibels_to_expect_are_those_of_the_record(name):
    record = read_record(name)
    measured = [record["test"]["psnr"], *(each["val_psnr"] for each in record["epochs"][9:10])]
    for number in re.findall(r"\d+\.?\d*(?= dB| after)", EXPECT[name]):
        last_digit = 0.1 if "." in number else 1
        assert min(abs(float(number) - each) for each in measured) <= last_digit / 2


def test_every_expectation_belongs_to_a_recipe():
    for name in EXPECT:
        recipe(name)


def test_what_visitors_may_build_is_in_every_table_that_is_asked_for_it():
    built = {name for task in TASKS.values() for name in task.networks}
    tables = {
        "models.architectures.ARCHITECTURES": ARCHITECTURES,
        "train.config.ARCHITECTURE_SETTINGS": ARCHITECTURE_SETTINGS,
        "train.config.COUNTS": COUNTS,
        "train.memory.FOOTPRINTS": FOOTPRINTS,
        "train.tutorial_code.NETWORKS": NETWORKS,
        "pages.components.training.network_settings.ARCHITECTURE_TITLES": ARCHITECTURE_TITLES,
    }
    assert [(place, name) for place in tables for name in built - set(tables[place])] == []
    # And what has settings is in the `networks` of a task, or no form has it.
    assert set(ARCHITECTURE_SETTINGS) == built


@pytest.mark.parametrize("name", [*RECIPES, *TRAPS])
def test_the_form_has_the_network_of_every_recipe(name):
    config = recipe(name).config
    networks = TASKS[config.task].networks
    assert not networks or config.architecture in networks


@pytest.mark.parametrize("name", [*RECIPES, *TRAPS])
def test_every_denoiser_of_digits_can_be_asked_for_in_the_form(name):
    config = recipe(name).config
    if TASKS[config.task].networks:
        assert count_parameters(config.architecture, config.settings) < 2_000_000


def test_visitors_train_digits_and_what_is_small_and_drawn_whatever_its_skips_and_speed():
    assert {"cells-small", "roads-small", "streets-small"} <= LIVE_JOBS.keys()
    assert is_live(recipe("unet").config)
    small = recipe("cells-small").config
    plain = small.settings | {"skips": False}
    assert is_live(dataclasses.replace(small, settings=plain, epochs=1, learning_rate=0.01))
    assert not is_live(recipe("cells").config)
    assert not is_live(dataclasses.replace(small, batch=512))


def test_a_trap_is_one_mistake_and_not_a_bad_network():
    assert recipe("trap-rate-too-high").config.learning_rate == 100
    assert not recipe("trap-noise-drawn-once").config.fresh_noise
    assert recipe("trap-clean-to-clean").config.noise == ()
    assert recipe("trap-too-narrow").config.settings == {"hidden": 4}
