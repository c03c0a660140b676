"""What a training will need is counted as Keras builds it."""

import dataclasses
import math

import keras
import pytest

from models.architectures import build
from train.config import TrainConfig
from train.memory import KEPT, needed_megabytes, sides
from train.recipes import RECIPES, TRAPS

NETWORKS = [
    ("dense", {"hidden": 512}),
    ("convolutional", {"filters": [32, 32]}),
    ("convolutional", {"filters": [16, 8, 8], "code": 10}),
    ("resize-convolution", {"filters": [64, 64, 32], "upsampling": "resize"}),
    ("resize-convolution", {"filters": [64, 64, 32], "upsampling": "transposed"}),
    ("unet", {"filters": [16, 32, 64, 128]}),
    ("unet", {"filters": [40, 8], "skips": False}),
]


@pytest.mark.parametrize(("architecture", "settings"), NETWORKS, ids=str)
def test_the_maps_of_all_layers_are_counted(architecture, settings):
    answers = [
        math.prod(layer.output.shape[1:])
        for layer in build(architecture, **settings).layers
        if not isinstance(layer, keras.layers.InputLayer | keras.layers.Reshape)
    ]
    # A tenth either way: what is reshaped or cropped is counted roughly.
    config = TrainConfig(architecture, settings, batch=1000)
    values = needed_megabytes(config, 0) * 1e6 / 4 / (KEPT[architecture] * 1000)
    assert values == pytest.approx(sum(answers), rel=0.1)


@pytest.mark.parametrize(
    ("architecture", "filters", "batch", "measured"),
    [
        ("unet", [16, 32, 64, 128], 128, 1188),
        ("unet", [64, 64], 128, 1599),
        ("unet", [128, 64], 512, 4118),
        ("convolutional", [256, 64], 512, 3076),
    ],
)
def test_what_was_measured_is_foreseen(architecture, filters, batch, measured):
    config = TrainConfig(architecture, {"filters": filters}, batch=batch)
    # Rather a run too many refused than the host killed.
    assert 0.95 * measured < needed_megabytes(config, 900) < 1.45 * measured


def test_more_pictures_a_batch_need_more_memory_and_small_ones_that_of_the_validation():
    config = TrainConfig("unet")
    by_batch = [
        needed_megabytes(dataclasses.replace(config, batch=batch), 900) for batch in (1, 16, 256)
    ]
    assert 900 < by_batch[0] == by_batch[1] < by_batch[2]


def test_no_recipe_needs_more_than_a_small_host_has():
    for recipe in (RECIPES | TRAPS).values():
        if recipe.config.architecture in dict(NETWORKS):
            assert needed_megabytes(recipe.config, 900) < 1300, recipe.name


def test_every_level_halves_and_rounds_up():
    assert sides(3) == [28, 14, 7, 4]
