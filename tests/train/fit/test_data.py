import dataclasses
from functools import partial

import numpy as np
import pytest

from imaging.noise import NOISE_KINDS
from imaging.pixels import to_image
from imaging.samples.synthetic_digits import draw_digits
from models.tasks.contract import Examples
from models.tasks.digits import augment, degrade, validation_count
from tests.train.conftest import TEST, TRAINING, VALIDATION
from train.config import Noise, TrainConfig, every_kind, gaussian_only
from train.fit import data
from train.fit.data import Batches, load_pictures, split

CONFIG = TrainConfig("dense", noise=gaussian_only(0.5), batch=32, seed=3)
GREY = np.full((200, 28, 28, 1), 0.5, np.float32)


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (100, 28, 28, 1), dtype=np.uint8)


@pytest.fixture
def make(pictures):
    """Make the batches of a config with these changes, at an epoch and a batch."""

    def make(epoch=0, first_batch=0, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        labels = np.arange(len(pictures), dtype=np.uint8)
        return Batches(Examples(pictures, labels=labels), config, epoch, first_batch)

    return make


def all_of(batches):
    return [batches[index] for index in range(len(batches))]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )


# Batches


@pytest.mark.parametrize("changes", [{}, {"fresh_noise": False}, {"augment": True}, {"noise": ()}])
def test_the_same_seed_gives_the_same_batches(make, changes):
    assert same(all_of(make(**changes)), all_of(make(**changes)))


def test_batches_do_not_depend_on_the_order_in_which_they_are_asked_for(make):
    forwards, backwards = make(), make()
    last_first = [backwards[index] for index in (3, 2, 1, 0)][::-1]
    assert same(all_of(forwards), last_first)


@pytest.mark.parametrize("changes", [{"seed": 4}, {"epoch": 1}])
def test_another_seed_or_epoch_gives_other_noise_in_another_order(make, changes):
    assert not np.array_equal(clean_of(make()), clean_of(make(**changes)))
    for noise in noise_of(make(), make(**changes)):
        assert not np.array_equal(*noise)


def clean_of(batches):
    return np.concatenate([clean for _, clean in all_of(batches)])


def noise_of(one, other):
    """Pairs of what two epochs add to the same picture."""
    by_picture = {
        clean.tobytes(): noisy - clean
        for pair in all_of(one)
        for noisy, clean in zip(*pair, strict=True)
    }
    for pair in all_of(other):
        for noisy, clean in zip(*pair, strict=True):
            yield by_picture[clean.tobytes()], noisy - clean


def test_noise_drawn_once_stays_with_its_picture_in_every_epoch(make):
    pairs = list(noise_of(make(fresh_noise=False), make(fresh_noise=False, epoch=1)))
    assert len(pairs) == 100
    assert all(np.array_equal(*pair) for pair in pairs)
    assert np.abs(pairs[0][0]).max() > 0.1
    assert not np.array_equal(pairs[0][0], pairs[1][0])


def test_noise_drawn_once_comes_with_the_very_values_it_is_kept_with(make):
    batches = make(fresh_noise=False)
    kept = np.sort(batches.examples.inputs.astype(np.float32), axis=None)
    given = np.concatenate([noisy for noisy, _ in all_of(batches)])
    assert given.dtype == np.float32
    assert np.array_equal(np.sort(given, axis=None), kept)


def test_noise_drawn_once_is_drawn_in_parts_each_with_noise_of_its_own(monkeypatch):
    sizes = []

    def degrade_and_count(clean, *others):
        sizes.append(len(clean))
        return degrade(clean, *others)

    monkeypatch.setattr(data, "degrade", degrade_and_count)
    monkeypatch.setattr(data, "PART", 80)
    grey = np.full(GREY.shape, 128, np.uint8)
    config = dataclasses.replace(CONFIG, noise=gaussian_only(0.1), fresh_noise=False)
    noisy = [noisy for noisy, _ in all_of(Batches(Examples(grey), config))]
    assert sizes == [80, 80, 40]
    assert len(np.unique(np.concatenate(noisy), axis=0)) == 200


def test_every_picture_comes_once_an_epoch_and_the_last_batch_is_what_is_left(make, pictures):
    batches = make(noise=())
    assert len(batches) == 4  # 32 + 32 + 32 + 4
    assert [len(clean) for _, clean in all_of(batches)] == [32, 32, 32, 4]
    seen = sorted(clean.tobytes() for clean in clean_of(batches))
    assert seen == sorted(picture.tobytes() for picture in to_image(pictures))


def test_pictures_are_shuffled(make, pictures):
    assert not np.array_equal(clean_of(make(noise=())), to_image(pictures))


def test_without_noise_the_input_is_the_target(make):
    for noisy, clean in all_of(make(noise=())):
        assert np.array_equal(noisy, clean)


def test_inputs_and_targets_are_float32_in_0_to_1(make):
    for noisy, clean in all_of(make(noise=every_kind(0.3))):
        for pictures in (noisy, clean):
            assert pictures.dtype == np.float32
            assert pictures.min() >= 0
            assert pictures.max() <= 1


def test_a_reader_gets_the_label_of_the_very_picture(make, pictures):
    batches = make(task="read-digits", loss="sparse_categorical_crossentropy", noise=())
    for shown, labels in all_of(batches):
        assert np.array_equal(shown, to_image(pictures[labels]))


def test_an_augmented_picture_is_also_the_target(make):
    noisy, clean = make(augment=True, noise=gaussian_only(0.01))[0]
    # Noise of 0.01 is never six times that; another deformation would differ by half the range.
    assert np.abs(noisy - clean).max() < 0.07
    assert not np.array_equal(clean, make(noise=gaussian_only(0.01))[0][1])


@pytest.mark.parametrize("first_batch", [1, 3])
@pytest.mark.parametrize("changes", [{}, {"fresh_noise": False}, {"augment": True}])
def test_an_epoch_that_is_resumed_gives_exactly_the_batches_that_were_left(
    make, changes, first_batch
):
    whole, rest = make(epoch=5, **changes), make(epoch=5, first_batch=first_batch, **changes)
    assert len(rest) == len(whole) - first_batch
    assert rest.batches_an_epoch == len(whole)
    assert same(all_of(rest), all_of(whole)[first_batch:])


def test_after_a_resumed_epoch_come_those_of_an_unbroken_training(make):
    resumed = make(epoch=5, first_batch=2)
    all_of(resumed)
    resumed.epoch, resumed.first_batch = 6, 0
    assert same(all_of(resumed), all_of(make(epoch=6)))


@pytest.mark.parametrize(("first_batch", "counts"), [(0, [32, 64, 96, 100]), (2, [32, 36])])
def test_pictures_seen_are_counted_from_where_the_epoch_was_resumed(make, first_batch, counts):
    batches = make(first_batch=first_batch)
    assert [batches.examples_up_to(index) for index in range(len(batches))] == counts


# Noise


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_noise_is_clipped_to_0_to_1_and_changes_the_picture(kind, rng):
    dark = 0.5 * GREY
    noisy = degrade(dark, (Noise(kind, 0.5, 0.8),), rng)
    assert noisy.dtype == np.float32
    assert noisy.shape == dark.shape
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert all(not np.array_equal(picture, dark[0]) for picture in noisy)


def test_gaussian_noise_has_the_strength_that_was_asked_for(rng):
    noisy = degrade(GREY, gaussian_only(0.1), rng)
    # Clipping starts at five sigma.  Standard error sigma / sqrt(2 n) = 0.00018; allow four.
    assert np.std(noisy - GREY) == pytest.approx(0.1, abs=0.0008)


def test_each_picture_gets_its_own_strength_evenly_between_low_and_high(rng):
    spread = degrade(np.repeat(GREY, 5, axis=0), (Noise("gaussian", 0.05, 0.15),), rng)
    strengths = np.sort((spread - 0.5).std(axis=(1, 2, 3)))
    evenly = np.linspace(0.05, 0.15, len(strengths))
    # Kolmogorov-Smirnov with 1,000 pictures: 1.95 / sqrt(1000) of the range is passed once in a
    # thousand times; a picture's own spread is known to 0.15 / sqrt(2 * 784) = 0.004.
    assert np.abs(strengths - evenly).max() < 0.1 * 1.95 / np.sqrt(1000) + 0.01


def test_each_picture_gets_one_kind_as_often_as_its_share_says(rng):
    count = 4000
    mixture = (Noise("masking", 0.5, 0.5, 3.0), Noise("salt-and-pepper", 0.5, 0.5, 1.0))
    noisy = degrade(np.full((count, 8, 8, 1), 0.5, np.float32), mixture, rng)
    black, white = ((noisy == level).any(axis=(1, 2, 3)) for level in (0, 1))
    assert black.all()  # By either kind; with 64 pixels at least one is hit.
    # Salt alone makes white: a quarter of the pictures, binomial.
    assert white.sum() == pytest.approx(count / 4, abs=4 * np.sqrt(count * 0.25 * 0.75))


def test_noise_with_all_shares_is_the_whole_mixture(rng):
    noisy = degrade(GREY, every_kind(0.5), rng)
    flat = (noisy == 0.5).mean(axis=(1, 2, 3))
    assert len(np.unique(flat)) > 3  # Gaussian leaves no pixel, masking and blocks leave some.


def test_clean_pictures_are_left_alone(rng):
    before = GREY.copy()
    degrade(GREY, every_kind(0.5), rng)
    assert np.array_equal(GREY, before)
    assert degrade(GREY, (), rng) is GREY


# Augmentation


@pytest.fixture
def strokes_of_the_test(rng):
    pictures = np.zeros((300, 28, 28, 1), np.float32)
    pictures[:, 8:20, 12:16] = 1
    return pictures


def test_augmentation_keeps_shape_and_range_and_changes_every_picture(strokes_of_the_test, rng):
    before = strokes_of_the_test.copy()
    turned = augment(strokes_of_the_test, rng)
    assert np.array_equal(strokes_of_the_test, before)
    assert turned.dtype == np.float32
    assert turned.shape == before.shape
    assert turned.min() >= 0
    assert turned.max() <= 1
    assert all(not np.array_equal(*pair) for pair in zip(turned, before, strict=True))
    assert len({picture.tobytes() for picture in turned}) == len(turned)


def test_augmentation_moves_a_stroke_a_little_and_to_all_sides(strokes_of_the_test, rng):
    turned = augment(strokes_of_the_test, rng)[..., 0].astype(np.float64)
    ink = turned.sum(axis=(1, 2))
    # The stroke of 48 pixels is stretched by at most 1 / 0.88 along each axis, or shrunk by 1.12.
    assert ink.min() > 48 / 1.12**2 * 0.97
    assert ink.max() < 48 / 0.88**2 * 1.03
    rows, columns = turned.sum(2) @ np.arange(28) / ink, turned.sum(1) @ np.arange(28) / ink
    # Shifts are even in -2..2, stretched by up to 1 / 0.88 and sheared by up to 0.15 and the
    # turn; the centre of the stroke starts at (13.5, 13.5).
    for centres in (rows, columns):
        moved = centres - 13.5
        assert np.abs(moved).max() < (2 + 2 * 0.15 + 2 * np.sin(np.deg2rad(12))) / 0.88
        # Standard deviation of an even shift: 4 / sqrt(12) = 1.15; four standard errors.
        assert moved.mean() == pytest.approx(0, abs=4 * 1.3 / np.sqrt(len(moved)))
        assert moved.std() == pytest.approx(4 / np.sqrt(12), rel=0.2)


# Loading


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_pictures_are_loaded_from_the_named_folder(strokes, name, monkeypatch):
    def download():
        raise AssertionError("no need to download")

    file_name = data.LOADERS[name].args[0]
    monkeypatch.setitem(data.LOADERS, name, partial(data._load_from_keras, file_name, download))
    (pictures, labels), (test_pictures, test_labels) = load_pictures(name)
    assert pictures.shape == (TRAINING + VALIDATION, 28, 28, 1)
    assert labels.shape == (TRAINING + VALIDATION,)
    assert test_pictures.shape == (TEST, 28, 28, 1)
    assert test_labels.shape == (TEST,)
    assert pictures.dtype == test_pictures.dtype == np.uint8


def test_without_the_folder_keras_is_asked(monkeypatch):
    train = np.zeros((3, 28, 28), np.uint8), np.arange(3, dtype=np.uint8)
    test = np.ones((2, 28, 28), np.uint8), np.arange(2, dtype=np.uint8)
    monkeypatch.delenv("DENOISE_DATA_DIR", raising=False)
    digits = partial(data._load_from_keras, "mnist.npz", lambda: (train, test))
    monkeypatch.setitem(data.LOADERS, "mnist", digits)
    (pictures, _), (test_pictures, _) = load_pictures("mnist")
    assert (pictures.shape, test_pictures.shape) == ((3, 28, 28, 1), (2, 28, 28, 1))


def test_data_that_cannot_be_had_is_an_error_with_a_way_out(monkeypatch, tmp_path):
    def download():
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    digits = partial(data._load_from_keras, "mnist.npz", download)
    monkeypatch.setitem(data.LOADERS, "mnist", digits)
    with pytest.raises(
        OSError, match=r"mnist.npz is neither in DENOISE_DATA_DIR nor.*no route to host"
    ):
        load_pictures("mnist")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06torn"])
def test_a_damaged_data_set_is_an_error_that_names_the_file(monkeypatch, tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    with pytest.raises(OSError, match=r"mnist\.npz cannot be read"):
        load_pictures("mnist")


def test_a_data_set_without_test_pictures_is_an_error_that_names_the_file(monkeypatch, tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros((3, 28, 28)), y_train=np.zeros(3))
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    with pytest.raises(OSError, match=r"mnist\.npz cannot be read"):
        load_pictures("mnist")


def test_an_unknown_data_set_is_refused_with_the_names():
    with pytest.raises(ValueError, match="'imagenet'; known: mnist, fashion-mnist, drawn, own"):
        load_pictures("imagenet")


@pytest.fixture
def few_drawn(tmp_path, monkeypatch):
    """Have only 60 digits drawn, and kept in a folder of the test; returns the folder."""
    monkeypatch.setattr(data, "DRAWN", 50)
    monkeypatch.setattr(data, "DRAWN_TO_TEST", 10)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    data._load_drawn.cache_clear()
    yield tmp_path / "datasets"
    data._load_drawn.cache_clear()


def test_drawn_digits_are_kept_for_the_next_training(few_drawn, monkeypatch):
    (pictures, labels), (test_pictures, test_labels) = load_pictures("drawn")
    assert (pictures.shape, test_pictures.shape) == ((50, 28, 28, 1), (10, 28, 28, 1))
    assert (labels.shape, test_labels.shape) == ((50,), (10,))
    drawn, _ = draw_digits(60)
    assert np.array_equal(np.concatenate([pictures, test_pictures]), drawn)

    data._load_drawn.cache_clear()
    counts = []
    monkeypatch.setattr(data, "draw_digits", lambda n: (counts.append(n), draw_digits(n))[1])
    again = load_pictures("drawn")[0][0]
    assert np.array_equal(again, pictures)
    assert counts == [20]  # A look whether they are still the same.


@pytest.mark.parametrize("damage", ["torn", "others"])
def test_drawn_digits_that_were_kept_wrong_are_drawn_again(few_drawn, damage):
    pictures = load_pictures("drawn")[0][0]
    (kept,) = few_drawn.iterdir()
    if damage == "torn":
        kept.write_bytes(kept.read_bytes()[:-100])
    else:
        x, y = np.zeros((50, 28, 28, 1), np.uint8), np.zeros(50, np.uint8)
        np.savez(kept, x_train=x, y_train=y, x_test=x, y_test=y)
    data._load_drawn.cache_clear()
    assert np.array_equal(load_pictures("drawn")[0][0], pictures)


def test_drawn_digits_are_drawn_where_nothing_can_be_kept(few_drawn, monkeypatch):
    few_drawn.write_text("no folder")
    assert load_pictures("drawn")[0][0].shape == (50, 28, 28, 1)


def test_own_pictures_are_split_into_training_and_test(tmp_path, pictures):
    np.savez(tmp_path / "own.npz", pictures=pictures)
    (train, labels), (test, _) = load_pictures("own", tmp_path / "own.npz")
    assert (len(train), len(labels), len(test)) == (90, 90, 10)
    assert np.array_equal(test, pictures[9::10])


@pytest.mark.parametrize(
    ("shape", "kind", "says"),
    [
        ((63, 28, 28, 1), np.uint8, "at least 64 own pictures are needed, got 63"),
        ((100, 28, 28), np.uint8, r"must be 8-bit \(N, 28, 28, 1\), got uint8 \(100, 28, 28\)"),
        ((100, 32, 28, 1), np.uint8, "must be 8-bit"),
        ((100, 28, 28, 1), np.float32, "got float32"),
    ],
)
def test_own_pictures_that_do_not_fit_are_an_error_that_says_why(tmp_path, shape, kind, says):
    np.savez(tmp_path / "own.npz", pictures=np.zeros(shape, kind))
    with pytest.raises(OSError, match=says):
        load_pictures("own", tmp_path / "own.npz")


def test_own_pictures_with_code_in_them_are_not_loaded(tmp_path):
    np.savez(tmp_path / "own.npz", pictures=np.array([{"code": 1}], dtype=object))
    with pytest.raises(OSError, match="cannot be read"):
        load_pictures("own", tmp_path / "own.npz")


def test_of_few_own_pictures_a_fifth_is_for_validation(tmp_path, pictures):
    np.savez(tmp_path / "own.npz", pictures=pictures)
    config = dataclasses.replace(CONFIG, data="own")
    batches, (noisy, clean) = split(config, own=tmp_path / "own.npz")
    assert (len(batches.examples.targets), len(noisy), len(clean)) == (72, 18, 18)


def test_eight_bits_become_0_to_1():
    unit = to_image(np.array([0, 51, 255], np.uint8))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [0, 0.2, 1], rtol=1e-7)


# The split


def test_validation_pictures_are_never_trained_on(strokes):
    batches, (_, validation) = split(CONFIG)
    trained_on = {to_image(picture).tobytes() for picture in batches.examples.targets}
    assert len(batches.examples.targets) == TRAINING
    assert len(validation) == VALIDATION
    assert trained_on.isdisjoint(picture.tobytes() for picture in validation)


@pytest.mark.parametrize(
    ("pictures", "kept_back"),
    [(60_000, 2000), (20_000, 2000), (10_000, 2000), (9_999, 1999), (64, 12)],
)
def test_validation_has_2000_pictures_or_a_fifth_of_fewer(pictures, kept_back):
    assert validation_count(pictures) == kept_back


def test_test_pictures_are_in_neither(strokes):
    test = {to_image(picture).tobytes() for picture in load_pictures("mnist")[1][0]}
    batches, (_, validation) = split(CONFIG)
    assert test.isdisjoint(to_image(picture).tobytes() for picture in batches.examples.targets)
    assert test.isdisjoint(picture.tobytes() for picture in validation)


def test_validation_noise_is_drawn_once_and_is_not_the_training_noise(strokes):
    (batches, first), (_, second) = split(CONFIG), split(CONFIG)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    noisy, clean = first
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    noise = (noisy - clean)[: len(batches[0][0])]
    assert not np.array_equal(noise, batches[0][0] - batches[0][1])
    # Half of the pixels at black are lifted by noise of 0.5, the others clipped.
    assert np.mean(noisy[clean == 0] > 0) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(1e5))


def test_a_reader_is_validated_by_labels(strokes):
    config = TrainConfig("digit-reader", task="read-digits", loss="sparse_categorical_crossentropy")
    _, (pictures, labels) = split(config)
    assert pictures.shape == (VALIDATION, 28, 28, 1)
    assert np.array_equal(labels, load_pictures("mnist")[0][1][-VALIDATION:])
