"""What holds for every task: whoever adds one is tested by these without a new line here."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import load_catalogue
from models.predictor import load_predictor
from models.tasks import TASKS, find_task
from models.tasks.contract import KINDS, Recipe, Signal, decided, with_and_without_skips
from models.tasks.data_folder import data_folder
from train.fit.losses import LOSSES
from train.fit.metrics import METRICS

KNOWN_TO_KERAS = {
    "binary_crossentropy",
    "mse",
    "mae",
    "sparse_categorical_crossentropy",
    "accuracy",
}

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
BASELINES = [(task, baseline) for task in TASKS.values() for baseline in task.baselines.values()]
SAMPLES = [(task, sample) for task in TASKS.values() for sample in task.samples.values()]

# One network of each task that answers a picture with one of its size.
LARGE_WORK = {
    card.task: card
    for card in load_catalogue().values()
    if TASKS[card.task].samples
    and TASKS[card.task].input.kind == "image"
    and TASKS[card.task].scale == 1
}


def is_one_sentence(text: str) -> bool:
    return text[0].isupper() and text.endswith(".") and "\n" not in text


@every_task
def test_a_task_says_in_one_sentence_what_it_does(task):
    assert is_one_sentence(task.description)
    assert len(task.words) == 3
    assert TASKS[task.name] is task
    for table in (task.data, task.degradations, task.baselines, task.samples):
        assert all(each.name == name for name, each in table.items())


@every_task
def test_losses_and_metrics_are_known_to_the_training(task):
    assert task.losses
    assert set(task.losses) <= set(LOSSES) | KNOWN_TO_KERAS
    assert set(task.watch) <= set(METRICS) | KNOWN_TO_KERAS
    for metric in task.metrics:
        assert metric.better in (1, -1)
        assert is_one_sentence(metric.description)
        assert (metric.counts is None) == (metric.total is None)


@every_task
@pytest.mark.usefixtures("few_drawn")
def test_data_that_is_not_there_is_a_sentence(task, tmp_path):
    for data in task.data.values():
        for folder in (None, tmp_path):
            if data.drawn:
                assert len(data.load(folder, "test"))
                continue
            with pytest.raises(OSError, match=r"\w+ \w+"):
                data.load(folder, "test")


@every_task
def test_a_degradation_is_repeatable_and_nothing_at_strength_0(task, rng):
    shape = 2400 if task.target.kind == "audio" else (24, 24, task.target.channels)
    image = rng.random(shape, np.float32)
    for kind in task.degradations.values():
        one, other = (kind.corrupt(image, kind.high, np.random.default_rng(4)) for _ in range(2))
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, image)
        if kind.low == 0:
            np.testing.assert_array_equal(kind.corrupt(image, 0.0, np.random.default_rng(4)), image)


@pytest.mark.parametrize(
    ("task", "sample"), SAMPLES, ids=[f"{task.name}-{sample.name}" for task, sample in SAMPLES]
)
def test_a_sample_is_what_the_task_takes_and_says_where_it_is_from(task, sample):
    given, target = sample.load()
    require(given, task.input)
    if target is not None:
        require(target, task.target)
    assert sample.source
    assert sample.licence


def require(array: np.ndarray, signal: Signal) -> None:
    """Assert that an array is what a signal says it is."""
    assert signal.kind in KINDS
    if signal.kind in ("image", "mask", "audio"):
        assert array.dtype in (np.uint8, np.float32)
        low, high = {np.uint8: (0, 255)}.get(
            array.dtype.type, (-1 if signal.kind == "audio" else 0, 1)
        )
        assert low <= array.min() <= array.max() <= high
    if signal.kind in ("image", "mask"):
        assert array.ndim == 3
    if signal.kind in ("classes", "instances"):
        assert array.ndim == 2
        assert np.issubdtype(array.dtype, np.integer)
    if signal.kind == "audio":
        assert array.ndim == 1
        assert signal.rate > 0


@every_task
def test_real_examples_make_batches_that_are_the_same_for_the_same_seed(task):
    if data_folder() is None:
        pytest.skip("needs real data: set DENOISE_DATA_DIR")
    from train.config import TrainConfig
    from train.recipes import RECIPES

    configs = [recipe.config for recipe in RECIPES.values() if recipe.config.task == task.name]
    data = task.data[next(iter(task.data))]
    config = next((c for c in configs if c.data == data.name), None)
    if config is None:
        config = TrainConfig("dense", task=task.name, data=data.name, loss=task.losses[0])
    try:
        examples = data.load(data_folder(), "validation")
    except OSError as missing:
        pytest.skip(str(missing))
    chosen = np.arange(min(2, len(examples)))
    batches = [task.batch(examples, chosen, config, np.random.default_rng(1)) for _ in range(2)]
    for one, other in zip(flat(batches[0]), flat(batches[1]), strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(one) == len(chosen)
        assert np.isfinite(one).all()


def flat(batch) -> list[np.ndarray]:
    tensors, target = batch
    return [*(tensors if isinstance(tensors, tuple) else (tensors,)), target]


def test_an_unknown_task_is_refused_with_the_names():
    with pytest.raises(ValueError, match="unknown task 'make-coffee'; known: denoise-digits"):
        find_task("make-coffee")


@pytest.mark.parametrize("card", LARGE_WORK.values(), ids=lambda card: card.name)
def test_a_large_picture_takes_no_more_than_its_share_of_400_megabytes(card):
    """What the networks themselves take is not counted: their tiles are bounded."""
    photo = Image.fromarray(PHOTO_SAMPLES["astronaut"].load()).resize((2500, 2000))
    predictor, picture = load_predictor(card), np.asarray(photo)
    tracemalloc.start()
    answer = predictor.predict(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.shape[:2] == picture.shape[:2]
    assert peak < 400e6 * 5 / 12  # That is of a picture of 12 megapixels; this one has 5.


# What several tasks take from the contract


def test_a_network_without_skips_is_made_as_the_first_but_for_them():
    config = {"settings": {"filters": [4, 6]}, "epochs": 3}
    first = Recipe("cells", "Cells", "Finds cells.", "somebody", config, "A Dice of 0.8.")
    recipes = with_and_without_skips(first, purpose="Finds blobs.", source="us")
    assert list(recipes) == ["cells", "cells-plain"]
    assert recipes["cells"] is first
    assert recipes["cells-plain"] == Recipe(
        "cells-plain",
        "Cells, no skips",
        "Finds blobs.",
        "us",
        {"settings": {"filters": [4, 6], "skips": False}, "epochs": 3},
    )


def test_what_is_decided_from_softer_numbers_is_the_same_in_one_step_or_two():
    fields = decided(
        lambda network, input, watch: input * network, lambda soft, hint: soft > (hint or 0.5)
    )
    picture = np.array([0.1, 0.2, 0.4])
    soft = fields["soft"](2.0, picture, None)
    for hint, found in ((None, [False, False, True]), (0.3, [False, True, True])):
        assert fields["solve"](2.0, picture, hint).tolist() == found
        assert fields["decide"](soft, hint).tolist() == found
