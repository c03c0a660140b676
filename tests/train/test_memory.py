"""What a training will need is counted as Keras builds it."""

import dataclasses
import math
from types import SimpleNamespace

import keras
import pytest

from models.architectures import build
from train import memory
from train.config import TrainConfig, gaussian_only
from train.memory import FOOTPRINTS, free_megabytes, needed_megabytes, sides
from train.recipes import LIVE_JOBS, RECIPES, TRAPS
from train.visitor_limits import Limits

SMALLEST = Limits().megabytes
SHIPPED = ("conv-32-32", "conv-code-10", "conv-64-64-32", "conv-64-64-32-transposed", "unet")
NETWORKS = [
    *((architecture, {}) for architecture in FOOTPRINTS),
    ("dense", {"hidden": 512}),
    *((RECIPES[name].config.architecture, RECIPES[name].config.settings) for name in SHIPPED),
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
    footprint = FOOTPRINTS[architecture]
    values = (needed_megabytes(config, 0) * 1e6 - footprint.library) / 4 / (footprint.kept * 1000)
    assert values == pytest.approx(sum(answers), rel=0.1)


# In 10^6 bytes: the peak of all memory, without the 380 of mapped libraries that are seldom used.
@pytest.mark.parametrize(
    ("architecture", "settings", "batch", "fresh_noise", "measured"),
    [
        ("dense", {}, 128, True, 523),
        ("dense", {}, 128, False, 616),
        ("convolutional", {"filters": [16, 8, 8]}, 128, True, 608),
        ("resize-convolution", {"filters": [64, 64, 32]}, 128, True, 842),
        ("unet", {"filters": [16, 32, 64, 128]}, 128, True, 808),
        ("unet", {"filters": [64, 64]}, 128, True, 1219),
        ("unet", {"filters": [128, 64]}, 512, True, 3738),
        ("convolutional", {"filters": [256, 64]}, 512, True, 2696),
    ],
)
def test_what_was_measured_is_foreseen(architecture, settings, batch, fresh_noise, measured):
    config = TrainConfig(
        architecture, settings, noise=gaussian_only(0.5), batch=batch, fresh_noise=fresh_noise
    )
    # Rather a run too many refused than the host killed.
    assert 0.95 * measured < needed_megabytes(config, SMALLEST) < 1.45 * measured


def test_the_small_recipe_of_another_job_needs_about_what_was_measured():
    # 1,212 MB at the peak, 380 of them mapped libraries.
    assert 0.95 * 832 < needed_megabytes(LIVE_JOBS["streets-small"].config, SMALLEST) < 1.45 * 832


def test_more_pictures_a_batch_need_more_memory_and_small_ones_that_of_the_validation():
    config = TrainConfig("unet")
    by_batch = [
        needed_megabytes(dataclasses.replace(config, batch=batch), SMALLEST)
        for batch in (1, 16, 256)
    ]
    assert SMALLEST < by_batch[0] == by_batch[1] < by_batch[2]


def test_no_recipe_needs_more_than_a_small_host_has():
    for recipe in (RECIPES | TRAPS | LIVE_JOBS).values():
        if recipe.config.architecture in dict(NETWORKS):
            assert needed_megabytes(recipe.config, SMALLEST) < 1000, recipe.name


def test_every_level_halves_and_rounds_up():
    assert sides(3) == [28, 14, 7, 4]


# What is free


def test_free_memory_is_what_the_system_says():
    assert 0 < free_megabytes() < 10_000_000


@pytest.fixture
def host(tmp_path):
    """Lay out what a Linux system says of its memory; return the root of its files."""

    def host(available=None, groups=()):
        files = dict(groups)
        if available is not None:
            files["proc/meminfo"] = f"MemTotal: 1 kB\nMemAvailable: {available} kB\n"
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return host


GROUPS = "sys/fs/cgroup"
NEW_GROUP = {
    f"{GROUPS}/memory.max": "1000000000\n",
    f"{GROUPS}/memory.current": "900000000\n",
    f"{GROUPS}/memory.stat": "anon 300000000\ninactive_file 400000000\nactive_file 200000000\n",
}
OLD_GROUP = {
    f"{GROUPS}/memory/memory.limit_in_bytes": "800000000\n",
    f"{GROUPS}/memory/memory.usage_in_bytes": "700000000\n",
    f"{GROUPS}/memory/memory.stat": "total_inactive_file 100000000\ntotal_active_file 50000000\n",
}


@pytest.mark.parametrize(("group", "free"), [(NEW_GROUP, 700), (OLD_GROUP, 250)])
def test_files_that_the_system_keeps_for_speed_do_not_count_as_used(host, group, free):
    assert free_megabytes(host(groups=group)) == free


def test_the_smallest_of_all_that_is_known_counts(host):
    assert free_megabytes(host(100_000, NEW_GROUP)) == 102.4


@pytest.mark.parametrize("damage", [{"memory.max": "max\n"}, {"memory.stat": ""}], ids=str)
def test_a_group_without_a_limit_or_that_cannot_be_read_is_left_out(host, damage):
    damaged = {f"{GROUPS}/{name}": text for name, text in damage.items()}
    assert free_megabytes(host(500_000, NEW_GROUP | damaged)) == 512


def test_where_nothing_is_known_nothing_is_refused(host):
    assert free_megabytes(host()) == math.inf


@pytest.mark.parametrize(("backend", "left"), [("tensorflow", []), ("jax", ["jax"])])
def test_a_worker_does_not_find_what_only_others_need(monkeypatch, backend, left):
    modules = {"pandas": "there before"}
    monkeypatch.setattr(memory, "sys", SimpleNamespace(modules=modules))
    monkeypatch.setenv("KERAS_BACKEND", backend)
    memory.load_less()
    # Python raises an ImportError for a module that is None.
    assert [name for name in memory.NOT_NEEDED if name not in modules] == left
    assert modules == {"pandas": "there before"} | {
        name: None for name in ("jax", "sklearn") if name not in left
    }
