"""Cells, roads and streets: what a network is given, what its answer becomes, the yardsticks."""

import dataclasses

import numpy as np
import pytest

from imaging import segmentation
from imaging.samples.drawn_scenes import draw_aerial, draw_cells, draw_street
from models.catalogue import find_card
from models.predictor import load_predictor
from models.tasks import TASKS, segment_cells, segment_roads, segment_scenes
from models.tasks import segmentation as shared
from models.tasks.contract import SPLITS, Examples
from tests.tasks.made_pictures import KINDS, random_picture
from train import recipes

JOBS = {name: TASKS[name] for name in ("segment-cells", "segment-roads", "segment-scenes")}
OUTPUTS = {"segment-cells": 3, "segment-roads": 1, "segment-scenes": 11}


@dataclasses.dataclass
class Knowing:
    """A network that answers what ``look`` returns for a batch of pictures."""

    look: object
    multiple: int = 32
    size: int = 0
    channels: int = 3

    def __call__(self, image):
        assert image.dtype == np.float32
        assert all(side % self.multiple == 0 for side in image.shape[1:3])
        assert image.shape[3] == self.channels
        return self.look(image)


def undecided(name):
    """A network that has the same share for each class everywhere."""
    return Knowing(lambda image: np.full((*image.shape[:3], OUTPUTS[name]), 0.4, np.float32))


def small(name, **changes):
    """The settings of the job's small recipe."""
    (chosen,) = [each for each in JOBS[name].recipes if each.endswith("-small")]
    return dataclasses.replace(recipes.recipe(chosen).config, batch=3, **changes)


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (64, 48), (201, 333)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_picture_gets_an_answer_of_its_own_size(name, shape, kind, channels, rng):
    picture = random_picture((*shape, channels), kind, rng)
    task = JOBS[name]
    answers = [task.solve(undecided(name), picture, None, None)]
    answers += [baseline.run(picture, None) for baseline in task.baselines.values()]
    wanted = (*shape, 1) if task.target.kind == "mask" else shape
    for answer in answers:
        assert answer.shape == wanted
        assert answer.dtype == (np.float32 if task.target.kind == "mask" else np.int32)


@pytest.mark.parametrize("name", JOBS)
def test_a_flat_picture_holds_nothing(name):
    task = JOBS[name]
    if task.target.kind == "classes":
        return  # Each pixel has a class there.
    flat = np.full((40, 50, 3), 80, np.uint8)
    nothing = np.zeros(OUTPUTS[name], np.float32)
    nothing[0] = task.target.kind == "instances"  # all background
    sees_nothing = Knowing(lambda image: np.broadcast_to(nothing, (*image.shape[:3], len(nothing))))
    assert not task.solve(sees_nothing, flat, None, None).any()


@pytest.mark.parametrize("name", JOBS)
def test_batches_are_what_the_network_and_the_loss_take(name):
    task, settings = JOBS[name], small(name)
    examples = task.data[settings.data].load(None, "validation")
    make = lambda: task.batch(examples, np.array([0, 5, 5]), settings, np.random.default_rng(1))  # noqa: E731
    given, target = make()
    height = settings.crop * 4 // 5 if name == "segment-scenes" else settings.crop
    assert given.shape == (3, height, settings.crop, settings.settings["channels"])
    assert target.shape == (3, height, settings.crop, 1 if name == "segment-roads" else 2)
    assert given.dtype == target.dtype == np.float32
    assert 0 <= given.min() < given.max() <= 1
    again, _ = make()
    np.testing.assert_array_equal(given, again)
    assert np.abs(given[1] - given[2]).max() > 0.1  # The same picture, moved otherwise.
    fixed, wanted = task.validation(examples, settings, np.random.default_rng(2))
    assert fixed.shape[1:] == given.shape[1:]
    assert len(fixed) == len(wanted) <= 64


@pytest.mark.parametrize("name", JOBS)
def test_samples_say_where_they_come_from_and_fit_the_task(name):
    task = JOBS[name]
    for sample in task.samples.values():
        picture, target = sample.load()
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert sample.source
        assert sample.licence
        if target is not None:
            assert target.shape[:2] == picture.shape[:2]


@pytest.mark.parametrize("name", JOBS)
def test_the_truth_scores_best_in_every_metric(name):
    task = JOBS[name]
    _, target = next(s for s in task.samples.values() if s.name.startswith("drawn")).load()
    worse = np.roll(target, 7, axis=1)
    for metric in task.metrics:
        best, shifted = metric.score(target, target), metric.score(target, worse)
        if np.isfinite(best):
            assert metric.better * best >= metric.better * shifted


@pytest.mark.parametrize("draw", [draw_cells, draw_aerial, draw_street])
def test_a_scene_is_drawn_the_same_from_the_same_seed(draw):
    (picture, numbers), (again, same) = (draw(np.random.default_rng(4)) for _ in "ab")
    np.testing.assert_array_equal(picture, again)
    np.testing.assert_array_equal(numbers, same)
    other, _ = draw(np.random.default_rng(5))
    assert (other != picture).mean() > 0.5
    assert picture.dtype == np.uint8
    assert numbers.shape == picture.shape[:2]


# Cells


def test_the_three_classes_of_the_truth_lead_back_to_it(rng):
    for seed in range(5):
        _, cells = draw_cells(np.random.default_rng(seed))
        cells = segmentation.renumbered(cells, 60)
        classes = segment_cells.classes_and_weights(cells)[..., 0].astype(int)
        found = segment_cells.decide(np.eye(3, dtype=np.float32)[classes])
        assert segmentation.average_precision(cells, found, 0.7) > 0.95


def test_a_lower_threshold_finds_at_least_as_much():
    rows, columns = np.mgrid[:60, :60]
    sure = np.exp(-((rows - 30) ** 2 + (columns - 30) ** 2) / 300).astype(np.float32)
    shares = np.stack([1 - sure, sure, 0 * sure], axis=-1)
    areas = [(segment_cells.decide(shares, t) > 0).sum() for t in (0.2, 0.5, 0.8)]
    assert areas[0] > areas[1] > areas[2] > 0


def test_a_dark_picture_is_spread_and_a_flat_one_is_not():
    dark = np.linspace(300, 900, 10_000).reshape(100, 100, 1).astype(np.uint16) * 5
    pixels = segment_cells.spread(dark, *segment_cells.bounds(dark))
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert len(np.unique(pixels)) > 200  # Its 16 bits are used before they are 8.
    flat = np.full((20, 20, 1), 7, np.uint8)
    flat[0] += 1
    assert segment_cells.spread(flat, *segment_cells.bounds(flat)).max() <= 16


def test_otsu_and_watershed_score_as_the_yardstick_says(data_dir):
    task = JOBS["segment-cells"]
    examples = task.data["cells"].load(data_dir, "validation")
    run = task.baselines["otsu-watershed"].run
    scores = {metric.name: [] for metric in task.metrics}
    for picture, cells in zip(examples.inputs, examples.targets, strict=True):
        answer = run(picture, None)
        for metric in task.metrics:
            scores[metric.name].append(metric.score(cells, answer))
    # Measured by other code on the same 60 pictures: 0.871, 0.677, 0.463.
    assert np.mean(scores["dice"]) == pytest.approx(0.871, abs=0.001)
    assert np.mean(scores["ap"]) == pytest.approx(0.677, abs=0.003)
    assert np.mean(scores["map"]) == pytest.approx(0.463, abs=0.003)


# Roads


def test_roads_are_scored_over_all_tiles_at_once():
    metric = next(each for each in JOBS["segment-roads"].metrics if each.name == "f1")
    empty, full = np.zeros((16, 16, 1), np.float32), np.ones((16, 16, 1), np.float32)
    counts = metric.counts(full, full) + metric.counts(empty, full)
    assert metric.total(counts) == pytest.approx(2 / 3)  # One tile right, one all wrong.
    assert metric.score(full, full) == 1


def test_colour_and_texture_find_roads_on_the_towns_of_the_course(data_dir):
    task = JOBS["segment-roads"]
    examples = task.data["roads"].load(data_dir, "validation")
    run, metric = task.baselines["colour-texture"].run, task.metrics[0]
    counts = sum(
        metric.counts(roads, run(tile, None))
        for tile, roads in zip(examples.inputs, examples.targets, strict=True)
    )
    # Between "all is road", 0.418, and boosting on 41 filters, 0.612.
    assert 0.45 < metric.total(counts) < 0.612


# Cells


def test_a_small_picture_of_cells_is_looked_at_enlarged_too_and_a_large_one_is_not():
    seen = []

    def look(image):
        seen.append(image.shape[1:3])
        # Background on the left of the picture, inside on its right, however it was turned.
        return np.where(image > 0.5, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)).astype(np.float32)

    picture = np.full((160, 240, 1), 10, np.uint8)
    picture[:, 120:] = 200
    shares = segment_cells.soft(Knowing(look, channels=1), picture)
    # 160 x 240, half as large again, and twice as large on its side.
    assert seen == [(160, 256), (256, 384), (480, 320)]  # up to the next multiples of 32
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-6)
    assert (shares[:, :116, segment_cells.BACKGROUND] == 1).all()
    assert (shares[:, 124:, segment_cells.INSIDE] == 1).all()

    seen.clear()
    segment_cells.soft(Knowing(look, channels=1), np.tile(picture, (3, 3, 1))[:400, :500])
    assert seen == [(416, 512)]


@pytest.mark.parametrize("colour", [(200, 180, 220), (60, 90, 50), (50, 80, 160), (20, 20, 20)])
@pytest.mark.parametrize("grain", [0, 2])
def test_a_bare_slide_has_no_cells(colour, grain, rng):
    network = load_predictor(find_card("cells")).network
    picture = np.rint(colour + grain * rng.standard_normal((200, 260, 3))).astype(np.uint8)
    assert segment_cells.decide(segment_cells.soft(network, picture)).max() == 0


# Streets


def test_void_does_not_count_and_rare_classes_weigh_more():
    weights = segment_scenes.WEIGHTS
    assert weights[segment_scenes.VOID] == 0
    named = dict(zip(segment_scenes.CLASSES, weights, strict=False))
    assert named["bicyclist"] > named["pole"] > named["car"] > named["road"] > 0


def test_a_street_of_any_size_reaches_the_network_at_the_size_it_knows():
    seen = []

    def look(image):
        seen.append(image.shape[1:3])
        return np.full((*image.shape[:3], 11), 1 / 11, np.float32)

    picture = np.zeros((1200, 1600, 3), np.uint8)
    assert segment_scenes.solve(Knowing(look), picture).shape == (1200, 1600)
    assert seen == [(256, 320)] * 2  # 240 x 320, up to the next multiple; and its mirror image
    seen.clear()
    segment_scenes.solve(Knowing(look, multiple=1, size=256), picture)
    assert seen == [(256, 256)] * 2


def test_a_street_and_its_mirror_image_have_the_same_classes_mirrored(rng):
    picture = rng.integers(0, 256, (240, 320, 3)).astype(np.uint8)

    def look(image):
        shares = np.full((*image.shape[:3], 11), 0.05, np.float32)
        shares[..., :3] += image / 255 * np.linspace(1, 3, image.shape[2])[:, np.newaxis]
        return shares / shares.sum(axis=-1, keepdims=True)

    network = Knowing(look)
    classes = segment_scenes.solve(network, picture)
    assert len(np.unique(classes)) > 1
    mirrored = segment_scenes.solve(network, np.ascontiguousarray(picture[:, ::-1]))
    assert (
        np.mean(classes == mirrored[:, ::-1]) > 0.999
    )  # Equal shares, rounded, may change places.


def test_what_rare_classes_were_weighted_up_is_half_taken_back():
    def unsure(image):
        shares = np.full((*image.shape[:3], 11), 0.01, np.float32)
        shares[..., 3], shares[..., 10] = 0.44, 0.47  # road or bicyclist
        return shares

    shares = segment_scenes.soft(Knowing(unsure), np.zeros((240, 320, 3), np.uint8))
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    weights = segment_scenes.WEIGHTS
    np.testing.assert_allclose(
        shares[..., 3] / shares[..., 10], 0.44 / 0.47 * np.sqrt(weights[10] / weights[3]), rtol=1e-4
    )
    assert (segment_scenes.decide(shares, (240, 320)) == 3).all()


def test_the_answer_is_enlarged_by_shares_not_by_classes():
    shares = np.zeros((2, 2, 11), np.float32)
    shares[:, 0, 3], shares[:, 1, 4] = 1, 1
    classes = segment_scenes.decide(shares, (8, 8))
    assert (classes[:, :4] == 3).all()
    assert (classes[:, 4:] == 4).all()


def test_the_usual_place_scores_as_the_yardstick_says(data_dir):
    task = JOBS["segment-scenes"]
    examples = task.data["streets"].load(data_dir, "test")
    run = task.baselines["most-frequent"].run
    counts = sum(
        task.metrics[0].counts(classes, run(scene))
        for scene, classes in zip(examples.inputs, examples.targets, strict=True)
    )
    miou, overall, each = (metric.total(counts) for metric in task.metrics[:3])
    # Measured by other code on the same 173 pictures, from a finer grid: 16.4, 59.2, 24.5.
    assert miou == pytest.approx(16.4, abs=0.3)
    assert overall == pytest.approx(59.2, abs=0.3)
    assert each == pytest.approx(24.5, abs=0.3)


def test_no_two_roads_of_the_town_are_the_only_ones():
    _, roads = draw_aerial(np.random.default_rng(0))
    assert 0.1 < roads.mean() < 0.5
    assert segment_roads.load_drawn(None, "validation").targets[0].shape == (256, 256, 1)


# What the three share


def test_classes_weights_and_shares_are_shown_in_the_colours_of_the_classes():
    colours = ("#000000", "#ff0000", "#0000ff")
    classes = np.array([[[[2, 0.5], [1, 3]]]], np.float32)  # with their weights
    shares = np.array([[[[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]]], np.float32)
    for tensor in (classes, shares):
        shown = shared.class_picture(tensor, colours)
        np.testing.assert_array_equal(shown, [[[[0, 0, 1], [1, 0, 0]]]])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_white_picture_is_shown_white(channels):
    white = np.ones((1, 2, 2, channels), np.float32)
    np.testing.assert_array_equal(shared.class_picture(white, ("#000000",) * 3), white)


def test_a_task_is_looked_at_on_its_first_64_pictures():
    assert list(shared.validated(Examples([np.zeros((1, 1))] * 70))) == list(range(64))
    assert list(shared.validated(Examples([np.zeros((1, 1))] * 3))) == [0, 1, 2]


@pytest.mark.parametrize("name", ["cells", "roads"])
def test_the_plain_network_lacks_the_skips_and_nothing_else(name):
    whole, plain = (recipes.recipe(each).config for each in (name, f"{name}-plain"))
    assert plain.settings == whole.settings | {"skips": False}
    assert dataclasses.replace(plain, settings=whole.settings) == whole


def test_each_split_is_drawn_from_a_seed_of_its_own():
    draw = lambda rng: (rng.random(), 0)  # noqa: E731
    for seed, split in enumerate(SPLITS):
        drawn = shared.draw_pairs(draw, (3, 2, 1), split).inputs
        assert drawn == list(np.random.default_rng(seed).random(3 - seed))
