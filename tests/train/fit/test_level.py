import dataclasses
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from models.architectures.level_estimator import FLOOR
from models.catalogue import find_card, read_card
from models.session import open_parts
from tests.train.made_photos import made_photo, make_photos
from train.__main__ import main
from train.export.ship import ship_part
from train.fit.level import level_loss, open_estimator, train_level, true_levels

PHOTO = find_card("photo")


@pytest.fixture
def pictures(tmp_path, monkeypatch, rng):
    """A data folder with photos, sharp ones and drawings."""
    make_photos(tmp_path, 10)
    for folder in ("sharp", "drawn"):
        (tmp_path / "photos" / folder).mkdir()
        for number in range(3):
            pixels = made_photo(rng, 120, 110)
            Image.fromarray(pixels).save(tmp_path / "photos" / folder / f"{number}.png")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))


@pytest.fixture
def estimator():
    return open_estimator(PHOTO.folder / "level.onnx")


def test_what_was_shipped_is_opened_with_all_its_weights(estimator, rng):
    noisy = rng.random((2, 64, 96, 3), np.float32)
    shipped = open_parts(PHOTO)["level"].run(None, {"image": noisy})[0]
    np.testing.assert_allclose(estimator(noisy), shipped, atol=1e-4)


def test_the_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match="built otherwise"):
        open_estimator(PHOTO.weights)


def test_levels_are_those_of_the_noise_around_each_place(rng):
    clean = np.zeros((1, 96, 96, 3), np.float32)
    noisy = clean.copy()
    noisy[:, :, :48] += 0.1 * rng.standard_normal((1, 96, 48, 3), np.float32)
    levels = true_levels(clean, noisy)
    assert levels.shape == (1, 6, 6, 1)
    np.testing.assert_allclose(levels[:, :, :2], 0.1, rtol=0.05)
    np.testing.assert_allclose(levels[:, :, 4:], 0)


def test_to_read_too_little_is_worse_than_as_much_too_much():
    true = np.full((1, 6, 6, 1), 0.1, np.float32)
    low, right, high = ((true + FLOOR) * factor - FLOOR for factor in (0.5, 1, 2))
    low, right, high = (float(level_loss(true, each)[0]) for each in (low, right, high))
    assert right == pytest.approx(0, abs=1e-5)
    assert low == pytest.approx(1.5 * high, rel=1e-3)


@pytest.mark.usefixtures("pictures")
def test_training_goes_on_from_what_it_is_given_and_nears_the_truth(estimator):
    keras.utils.set_random_seed(0)
    before = [each.copy() for each in estimator.get_weights()]
    said = []
    train_level(estimator, 0.3, learning_rate=1e-3, say=said.append, pool_crops=20)
    assert said[0].startswith(("20 crops", "19 crops", "18 crops", "17 crops", "16 crops"))
    moved = [np.abs(a - b).max() for a, b in zip(before, estimator.get_weights(), strict=True)]
    assert 0 < max(moved) < 1e-2


def test_what_is_trained_further_is_shipped_beside_the_network(tmp_path, estimator, rng):
    folder = tmp_path / "photo"
    shutil.copytree(PHOTO.folder, folder)
    log = estimator.get_layer("log")
    kernel, bias = log.get_weights()
    log.set_weights([kernel, bias + np.log(2).astype(np.float32)])
    card = ship_part(read_card(folder), estimator)
    assert card == dataclasses.replace(read_card(folder))
    assert card.parts != PHOTO.parts
    noisy = rng.random((1, 64, 64, 3), np.float32)
    before, after = (
        open_parts(each)["level"].run(None, {"image": noisy})[0] for each in (PHOTO, card)
    )
    np.testing.assert_allclose(after + FLOOR, 2 * (before + FLOOR), rtol=1e-2)


def test_a_network_without_an_estimator_is_refused(capfd):
    assert main(["level", "dense"]) == 2
    assert "nothing reads the noise level for dense" in capfd.readouterr().err
