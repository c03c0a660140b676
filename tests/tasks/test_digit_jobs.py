"""Digits found, enlarged and coloured: the small jobs that everyone can train."""

from functools import partial

import numpy as np
import pytest

from imaging.pixels import to_image
from imaging.resize import enlarged, reduced
from imaging.samples.digit_scenes import NOTHING
from imaging.samples.synthetic_digits import draw_digits
from models.tasks import TASKS, colour_digits, segment_digits, upscale_digits
from models.tasks.contract import SPLITS
from models.tasks.digits import handwritten
from tests.tasks.known_network import Known
from tests.tasks.made_pictures import KINDS, random_picture
from train.recipes import LIVE_JOBS, recipe

JOBS = {name: TASKS[name] for name in ("segment-digits", "upscale-digits", "colour-digits")}


known = partial(Known, multiple=16)
NETWORKS = {
    "segment-digits": known(lambda image: np.repeat(image[..., :1], 11, axis=-1), channels=3),
    "upscale-digits": known(lambda image: image),
    "colour-digits": known(lambda image: np.repeat(image, 3, axis=-1)),
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (201, 133)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_picture_gets_an_answer_of_its_own_size(name, shape, kind, channels, rng):
    picture = random_picture((*shape, channels), kind, rng)
    task = JOBS[name]
    size = tuple(side * task.scale for side in shape)
    answers = [task.solve(NETWORKS[name], picture, None, None)]
    answers += [baseline.run(picture, None) for baseline in task.baselines.values()]
    for answer in answers:
        assert answer.shape[:2] == size
        assert answer.dtype == (np.int32 if task.target.kind == "classes" else np.float32)


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.usefixtures("few_drawn")
def test_what_stands_in_for_mnist_is_drawn_and_differs_from_split_to_split(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    task = JOBS[name]
    load = next(iter(task.data.values())).load
    first = [np.asarray(load(tmp_path, split).targets[0]) for split in SPLITS]
    again = np.asarray(load(None, "validation").targets[0])
    assert np.array_equal(first[1], again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


def test_digits_are_mnist_s_where_that_is(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with np.load(data_dir / "mnist.npz") as mnist:
        first = mnist["x_test"][:3, ..., None], mnist["y_test"][:3]
    for one, wanted in zip(handwritten(data_dir, "test", 3), first, strict=True):
        assert np.array_equal(one, wanted)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mnist.npz").symlink_to(data_dir / "mnist.npz")
    assert np.array_equal(handwritten(None, "test", 3)[0], first[0])


@pytest.mark.parametrize("name", JOBS)
def test_batches_are_what_the_network_and_the_loss_take(name):
    task, settings = JOBS[name], recipe(f"{name}-small").config
    examples = task.data[settings.data].load(None, "validation")
    given, target = task.batch(examples, np.array([0, 5, 5]), settings, np.random.default_rng(1))
    assert given.shape[:3] == target.shape[:3] == (3, settings.crop, settings.crop)
    assert given.shape[3] == settings.settings["channels"]
    assert given.dtype == target.dtype == np.float32
    assert 0 <= given.min() <= given.max() <= 1
    if task.target.kind == "image":
        assert np.array_equal(given[1], given[2])
    looked_at, _ = task.validation(examples, settings, np.random.default_rng(1))
    assert len(looked_at) == 64


@pytest.mark.parametrize("name", JOBS)
def test_the_plain_network_lacks_the_skips_and_nothing_else(name):
    whole, plain = recipe(f"{name}-small").config, recipe(f"{name}-small-plain").config
    assert plain.settings == whole.settings | {"skips": False}
    assert vars(plain) | {"settings": None} == vars(whole) | {"settings": None}
    assert {f"{name}-small", f"{name}-small-plain"} <= LIVE_JOBS.keys()


@pytest.mark.parametrize("name", JOBS)
def test_the_truth_scores_best_in_every_metric(name):
    task = JOBS[name]
    given, target = next(iter(task.samples.values())).load()
    (worse, *_) = (baseline.run(given, None) for baseline in task.baselines.values())
    for metric in task.metrics:
        best, other = metric.score(target, target), metric.score(target, worse)
        assert metric.better * best > metric.better * other


def test_nothing_counts_less_than_a_digit_and_has_no_colour_of_one():
    classes = np.array([[3, NOTHING]])
    assert segment_digits.classes_and_weights(classes)[0].tolist() == [
        [3, 1],
        [10, pytest.approx(0.05)],
    ]
    assert segment_digits.LABELS[NOTHING] == "nothing"
    assert len(set(segment_digits.COLOURS)) == len(segment_digits.LABELS) == 11


def test_photos_behind_what_is_measured_were_never_behind_what_is_learned():
    photo = np.arange(300).reshape(1, 100, 3)
    learned, held_out = (segment_digits._part(photo, split) for split in ("train", "test"))
    assert learned.shape[1] == 70
    assert not set(learned.ravel()) & set(held_out.ravel())


def test_mean_digits_read_what_is_drawn_on_black_and_call_a_flat_picture_nothing():
    pictures, labels = draw_digits(60, seed=9)
    read = []
    for picture, label in zip(pictures, labels, strict=True):
        found = segment_digits.otsu_and_templates(picture)
        read.append(np.bincount(found[found != NOTHING], minlength=11).argmax() == label)
    assert np.mean(read) > 0.7
    flat = segment_digits.otsu_and_templates(np.full((40, 50, 3), 90, np.uint8))
    assert (flat == NOTHING).all()


def test_a_small_digit_is_the_mean_of_the_whole_one_and_seen_with_its_pixels_repeated():
    examples = upscale_digits.load(None, "validation")
    settings = recipe("upscale-digits-small").config
    given, whole = upscale_digits.batch(examples, np.arange(2), settings, np.random.default_rng(0))
    small = np.clip(reduced(whole[0], 2), 0, 1)
    np.testing.assert_allclose(given[0], small.repeat(2, axis=0).repeat(2, axis=1), atol=1e-6)


def test_a_network_that_changes_nothing_enlarges_by_repeating_pixels(rng):
    picture = rng.random((7, 9, 1), np.float32)
    answer = upscale_digits.solve(NETWORKS["upscale-digits"], picture)
    np.testing.assert_allclose(answer, enlarged(picture, 2, "nearest"), atol=1e-6)


@pytest.mark.usefixtures("few_drawn")
def test_grey_scenes_are_as_bright_as_coloured_ones():
    examples = colour_digits.load(None, "test")
    scene, grey = examples.targets[0], examples.inputs[0]
    np.testing.assert_allclose(grey[..., 0], scene @ [0.299, 0.587, 0.114], atol=1e-5)
    assert to_image(colour_digits.load(None, "train").targets[0]).shape == (64, 64, 3)
