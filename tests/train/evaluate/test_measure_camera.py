"""What is measured of photo networks and printed only."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from imaging.camera import Camera
from imaging.metrics import psnr
from models.tasks.turned import WAYS
from tests.models.networks import ship
from tests.models.photo_networks import smoother
from tests.train.made_photos import make_kodak24
from train.__main__ import PRINTED
from train.evaluate import measure_camera
from train.evaluate.tables import PAPER_SIGMAS


@pytest.fixture
def smooth(tmp_path, monkeypatch) -> None:
    """A network that goes towards the mean around each pixel, and a Kodak24 of three photos."""
    monkeypatch.setenv("DENOISE_DATA_DIR", str(make_kodak24(tmp_path / "data", count=3)))
    about = {"task": "denoise-photos", "data": "photos", "size": 0, "channels": 3, "multiple": 4}
    card = ship(tmp_path, "smooth", smoother(), **about)
    monkeypatch.setattr(measure_camera, "find_card", lambda name: card)


def test_every_set_that_is_printed_can_be_chosen():
    assert tuple(measure_camera.EVALUATIONS) == PRINTED


def test_grey_photos_are_measured_as_one_channel_with_the_told_noise(smooth):
    said = []
    found = measure_camera.evaluate_grey(["smooth"], 2, said.append)
    assert set(found) == {("smooth", sigma) for sigma in PAPER_SIGMAS}
    rng = np.random.default_rng(0)
    expected = []
    for photo in measure_camera.kodak24()[::2]:
        grey = photo @ (0.299, 0.587, 0.114)
        noisy = grey + 50 / 255 * rng.standard_normal(grey.shape)
        change = ndimage.uniform_filter(noisy, 5, mode="mirror") - noisy
        expected.append(psnr(grey, noisy + 2 * 50 / 255 * change))
    assert found["smooth", 50] == pytest.approx(np.mean(expected), abs=0.2)
    assert said[2].endswith(" dB, 2 pictures")


def test_answers_that_are_what_went_in_are_counted_and_not_in_the_mean(smooth, monkeypatch):
    shifts = iter((0, 1, 0))
    predictor = SimpleNamespace(network=None, predict=lambda noisy: noisy ^ next(shifts))
    monkeypatch.setattr(measure_camera, "load_predictor", lambda card: predictor)
    monkeypatch.setattr(measure_camera, "read_level", lambda network, noisy: 0.0)
    monkeypatch.setattr(measure_camera, "CAMERAS", {"clean": Camera()})
    for name in ("SPECKS", "CLOTH"):
        monkeypatch.setattr(measure_camera, name, {})
    said = []
    found = measure_camera.evaluate_camera(["smooth"], 1, said.append)
    # Of 255, every value is off by 1.
    assert found["smooth", "clean"][1] == pytest.approx(20 * np.log10(255), abs=1e-3)
    assert said[0].endswith("3 photos, 2 of them as they went in")


def test_more_answers_are_compared_with_one_on_the_same_noise(smooth):
    said = []
    gains = measure_camera.evaluate_careful(["smooth"], 2, said.append)
    assert set(gains) == {("smooth", s, count) for s in PAPER_SIGMAS for count in (2, 4, 8)}
    # A mean around each pixel is the same however the picture lies.
    assert list(gains.values()) == pytest.approx([0.0] * 9, abs=1e-4)
    assert said[1].startswith("smooth, sigma 15, 4 answers: ")
    assert said[1].endswith("0.00 over one, 2 photos")


def test_the_answers_are_to_different_views_and_four_of_them_are_those_of_the_page():
    assert [len(set(ways)) for ways in measure_camera.ANSWERS] == [2, 4, 8]
    assert measure_camera.ANSWERS[1] == WAYS


@pytest.mark.parametrize(
    "title", [*measure_camera.CAMERAS, *measure_camera.CLOTH, *measure_camera.SPECKS]
)
def test_every_recipe_says_what_should_be_seen_and_what_is(title, rng):
    clean = ndimage.gaussian_filter(rng.random((48, 64, 3), np.float32), (4, 4, 0))
    truth, noisy = measure_camera._pair(clean, title, rng)
    assert truth.shape == noisy.shape
    assert truth.shape[2] == 3
    if title == "clean":
        np.testing.assert_array_equal(truth, noisy)
    else:
        assert 15 < psnr(truth, noisy) < 45
