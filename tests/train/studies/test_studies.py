"""``train lab``: what it fits, draws and measures, and the files that it leaves behind."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.spatial import cKDTree

from imaging.pixels import to_image
from imaging.samples.not_digits import SAMPLES
from models.studies import autoencoders as autoencoders_file
from models.studies import pixel_order as pixel_order_file
from models.studies import storage as storage_file
from train import __main__ as command_line
from train.config import TrainConfig
from train.fit.data import load_pictures
from train.run_folder import Run
from train.studies import anomaly, autoencoders, make, pixel_order, shared
from train.studies import codes as code_study

pytestmark = pytest.mark.usefixtures("strokes")

TINY = TrainConfig("dense", loss="mse", batch=256, epochs=1)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def made(strokes, tmp_path_factory):
    """The folder that the parts ``autoencoders`` and ``order`` leave behind, hardly trained."""
    folder, runs = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("runs")
    in_order = {
        "dense": replace(TINY, settings={"hidden": 3}, data="own", loss="binary_crossentropy"),
        "convolutional": replace(
            TINY, architecture="convolutional", settings={"filters": [2]}, data="own"
        ),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoders, "AUTOENCODER", TINY)
        patch.setattr(pixel_order, "IN_ORDER", in_order)
        # Each is trained, stored and measured by the same lines.
        for module in (autoencoders, autoencoders_file):
            patch.setattr(module, "WIDTHS", (2, 8))
        make.make_lab(["order", "autoencoders"], folder, runs, say=lambda text: None)
        yield folder, runs


# Training and shipping


def test_the_shipped_autoencoders_answer_as_keras_does(made):
    folder, runs = made
    networks, _ = autoencoders_file.read_autoencoders(folder)
    pictures = to_image(load_pictures("mnist")[1][0][:50])
    for width, network in networks.items():
        model = keras.saving.load_model(runs / f"lab-dense-{width}" / "model.keras", compile=False)
        expected = model.predict(pictures, verbose=0)
        # Half precision rounds each weight by up to 1 / 2048 of itself.
        np.testing.assert_allclose(network.rebuild(pictures), expected, atol=2e-3)


def test_the_shipped_convolutional_networks_answer_as_keras_does(made):
    folder, runs = made
    order = pixel_order_file.read_order(folder)
    pictures = to_image(load_pictures("mnist")[1][0][:50])
    for name in pixel_order_file.ORDERS:
        path = runs / f"lab-convolutional-{name}" / "model.keras"
        expected = keras.saving.load_model(path, compile=False).predict(pictures, verbose=0)
        answer = order.networks["convolutional", name](pictures)
        np.testing.assert_allclose(answer, expected, atol=1e-4)


def test_networks_for_shuffled_digits_are_trained_on_shuffled_digits(made):
    folder, runs = made
    shuffle = pixel_order_file.read_order(folder).shuffle
    (pictures, _), _ = load_pictures("mnist")
    for name, expected in (("ordered", pictures), ("shuffled", shuffle.apply(pictures))):
        for network in ("dense", "convolutional"):
            with np.load(Run(runs / f"lab-{network}-{name}").own) as own:
                np.testing.assert_array_equal(own["pictures"], expected)


def test_the_numbers_of_all_parts_stand_side_by_side(made):
    folder, _ = made
    card = json.loads((folder / "card.json").read_text())
    assert set(card) == {"autoencoders", "order"}
    assert {row["width"] for row in card["autoencoders"]["rows"]} == set(autoencoders_file.WIDTHS)
    assert {(row["network"], row["order"]) for row in card["order"]["rows"]} == {
        (network, order)
        for network in ("dense", "convolutional")
        for order in pixel_order_file.ORDERS
    }
    assert card["autoencoders"]["parameters"]["2"] == 784 * 2 + 2 + 2 * 784 + 784


def test_a_finished_network_is_not_trained_again(made, monkeypatch):
    _, runs = made
    monkeypatch.setattr(autoencoders, "AUTOENCODER", TINY)
    monkeypatch.setattr(shared, "train", lambda *args, **more: pytest.fail("it was trained"))
    autoencoders.train_autoencoder(2, runs)


def test_a_stopped_training_ships_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoders, "AUTOENCODER", TINY)
    monkeypatch.setattr(shared, "train", lambda *args, **more: "stopped")
    with pytest.raises(ValueError, match="goes on from there"):
        make.make_lab(["autoencoders"], tmp_path / "lab", tmp_path / "runs")
    assert not list((tmp_path / "lab").iterdir())


def test_an_unknown_part_is_refused_with_the_known_ones(capsys):
    assert command_line.main(["lab", "dreams"]) == 2
    assert "autoencoders, order, codes, anomaly" in capsys.readouterr().err


# Arithmetic


def test_principal_axes_are_those_of_a_singular_value_decomposition():
    rows = rng().normal(size=(300, 6)) * [5, 4, 3, 2, 1, 0.5]
    mean, axes, shares = shared.principal_axes(rows, 3)
    _, values, vectors = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(axes * vectors[:3], axis=1)), 1, atol=1e-5)
    np.testing.assert_allclose(shares, values[:3] ** 2 / np.sum(values**2), rtol=1e-6)


def test_an_axis_points_to_where_its_largest_entry_is_positive():
    _, axes, _ = shared.principal_axes(-rng().random((50, 4)), 4)
    assert (axes[np.arange(4), np.abs(axes).argmax(axis=1)] > 0).all()


def test_the_nearest_point_is_another_one_and_the_nearest():
    points, labels = rng().normal(size=(100, 3)), rng().integers(0, 3, 100)
    nearest = cKDTree(points).query(points, 2)[1][:, 1]
    expected = np.mean(labels[nearest] == labels)
    assert code_study.same_label_nearest(points, labels) == pytest.approx(expected, rel=1e-4)


def test_neighbours_in_smooth_pictures_are_alike_and_in_noise_are_not():
    ramp = np.tile(np.linspace(0, 1, 28), (2, 28, 1))[..., np.newaxis]
    noise = rng().random((50, 28, 28, 1))
    assert pixel_order.neighbour_correlation(ramp) == 1
    # Standard error 1 / sqrt(50 * 28 * 27) = 0.005; allow four.
    assert pixel_order.neighbour_correlation(noise) == pytest.approx(0, abs=0.02)


def test_equal_points_stay_together_on_the_tsne_map():
    codes = np.repeat(np.eye(3, 10) * 20, 20, axis=0).astype(np.float32)
    codes += rng().normal(0, 0.1, codes.shape).astype(np.float32)
    places = code_study.arrange(codes)
    assert code_study.same_label_nearest(places, np.repeat([0, 1, 2], 20)) == 1


def test_a_unit_that_no_picture_opens_is_dead():
    encoder = np.zeros((784, 3), np.float32)
    encoder[0] = 1, -1, 1
    network = storage_file.DenseNetwork(encoder, np.array([0, 0, -1]), encoder.T, np.zeros(784))
    # The second never opens, and the third only where the first pixel is above 1.
    assert autoencoders.dead_units(network, rng().random((20, 28, 28, 1), np.float32)) == 2


def test_batches_come_back_as_one():
    rows = rng().random((shared.BATCH + 7, 2))
    np.testing.assert_array_equal(shared.in_batches(lambda part: 2 * part, rows), 2 * rows)


def test_quality_counts_what_is_lost_as_a_share():
    clean = np.stack([SAMPLES["letter-a"].load()] * 2)
    answer = np.clip(clean + np.float32(0.1), 0, 1)
    mse = float(np.square(answer - clean).mean())
    found = shared.quality(clean, answer, np.zeros(2), variance=4 * mse)
    assert found["mse"] == pytest.approx(mse, rel=1e-4)
    assert found["lost"] == pytest.approx(0.25, rel=1e-4)


# Pictures of all kinds


def test_every_kind_has_as_many_pictures_in_range(monkeypatch):
    monkeypatch.setattr(anomaly, "OF_EACH_KIND", 12)
    kinds = anomaly.anomaly_pictures()
    assert set(kinds) == {"digits", "drawn", "letters", "clothes", "noise"}
    for pictures in kinds.values():
        assert pictures.shape == (12, 28, 28, 1)
        assert pictures.dtype == np.float32
        assert pictures.min() >= 0
        assert pictures.max() <= 1


def test_the_same_letters_are_drawn_each_time(monkeypatch):
    monkeypatch.setattr(anomaly, "OF_EACH_KIND", 6)
    first = anomaly.draw("AKR", pixel_order.LETTERS)
    np.testing.assert_array_equal(first, anomaly.draw("AKR", pixel_order.LETTERS))
    assert len({picture.tobytes() for picture in first}) == 6
