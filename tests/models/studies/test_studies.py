"""What the Inside page runs of its own: dense networks, PCA, shuffles, maps, ROC curves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import mannwhitneyu

from imaging.samples.not_digits import SAMPLES
from models.catalogue import ModelError, find_card
from models.inspection.network import load_inside
from models.predictor import load_predictor
from models.studies import anomaly, autoencoders, pixel_order, storage
from models.studies import codes as code_study

LARGEST = 2_000_000  # bytes, all files together
MEASURED = ("autoencoders", "order", "codes", "anomaly")


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def some_pictures(count: int = 5) -> np.ndarray:
    return rng().random((count, 28, 28, 1), np.float32)


# Dense networks, PCA, shuffles


def test_a_dense_network_is_relu_after_the_first_product_and_sigmoid_after_the_second():
    encoder, decoder = np.zeros((784, 2), np.float32), np.zeros((2, 784), np.float32)
    encoder[0] = 1, -1  # The first pixel switches the first unit on and the second off.
    decoder[:, 5] = 3, 100
    network = storage.DenseNetwork(encoder, np.zeros(2), decoder, np.full(784, 0.5))
    picture = np.zeros((1, 28, 28, 1), np.float32)
    picture[0, 0, 0, 0] = 0.5
    rebuilt = network.rebuild(picture).ravel()
    assert rebuilt[5] == pytest.approx(1 / (1 + np.exp(-(3 * 0.5 + 0.5))))
    assert rebuilt[6] == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_extreme_weights_neither_overflow_nor_warn():
    huge = np.full((784, 1), 1e6, np.float32)
    network = storage.DenseNetwork(huge, np.zeros(1), -huge.T, np.zeros(784))
    rebuilt = network.rebuild(some_pictures())
    assert np.isfinite(rebuilt).all()
    assert rebuilt.max() < 1e-30


def test_pca_rebuilds_what_lies_in_its_plane_and_loses_the_rest():
    axes = np.zeros((2, 784), np.float32)
    axes[0, 10] = axes[1, 20] = 1
    pca = autoencoders.Pca(np.full(784, 0.25, np.float32), axes)
    picture = np.full((1, 28, 28, 1), 0.25, np.float32)
    flat = picture.reshape(784)
    flat[[10, 20, 30]] = 0.75
    assert pca.rebuild(picture, 1).ravel()[[10, 20, 30]] == pytest.approx([0.75, 0.25, 0.25])
    assert pca.rebuild(picture, 2).ravel()[[10, 20, 30]] == pytest.approx([0.75, 0.75, 0.25])


def test_pca_answers_with_a_picture():
    axes = np.full((1, 784), 784**-0.5, np.float32)
    bright = autoencoders.Pca(np.full(784, 0.9, np.float32), 5 * axes).rebuild(some_pictures(), 1)
    assert bright.min() >= 0
    assert bright.max() <= 1


def test_a_shuffle_moves_pixels_and_can_be_undone():
    shuffle = pixel_order.Shuffle(rng().permutation(784))
    pictures = some_pictures()
    shuffled = shuffle.apply(pictures)
    assert shuffled[0].ravel()[3] == pictures[0].ravel()[shuffle.order[3]]
    assert not np.array_equal(shuffled, pictures)
    np.testing.assert_array_equal(shuffle.undo(shuffled), pictures)


def test_only_the_networks_for_shuffled_digits_see_them_shuffled():
    shuffle = pixel_order.Shuffle(rng().permutation(784))
    seen = {}

    def remember(name: str) -> storage.Rebuild:
        return lambda pictures: seen.setdefault(name, pictures)

    order = pixel_order.Order(
        shuffle, {("dense", name): remember(name) for name in pixel_order.ORDERS}
    )
    pictures = some_pictures()
    for name in pixel_order.ORDERS:
        np.testing.assert_array_equal(order.denoise(pictures, "dense", name), pictures)
    np.testing.assert_array_equal(seen["ordered"], pictures)
    np.testing.assert_array_equal(seen["shuffled"], shuffle.apply(pictures))


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"28, 28, 1.*\(2, 14, 14, 1\)"):
        pixel_order.Shuffle(np.arange(784)).apply(np.zeros((2, 14, 14, 1), np.float32))


# Maps


def made_map() -> code_study.CodeMap:
    codes = rng().normal(size=(200, 10)).astype(np.float32)
    axes = np.linalg.qr(rng().normal(size=(10, 2)))[0].T
    return code_study.CodeMap(
        codes, np.zeros(200), codes.mean(0), axes, rng().normal(size=(200, 2))
    )


def test_codes_by_chance_are_spread_as_the_others_and_within_their_range():
    made = made_map()
    drawn = np.stack([made.draw(np.random.default_rng(seed)) for seed in range(300)])
    assert np.all((drawn >= made.codes.min(axis=0)) & (drawn <= made.codes.max(axis=0)))
    error = made.codes.std(axis=0) / np.sqrt(300)
    assert np.all(np.abs(drawn.mean(axis=0) - made.codes.mean(axis=0)) < 5 * error)
    correlations = [np.corrcoef(codes, rowvar=False) for codes in (drawn, made.codes)]
    np.testing.assert_allclose(*correlations, atol=0.3)


def test_pca_places_a_new_code_as_it_places_the_others():
    code_map = made_map()
    np.testing.assert_allclose(
        code_map.place(code_map.codes, "pca"), code_map.places("pca"), rtol=1e-6
    )


def test_tsne_places_a_known_code_where_it_was_put():
    code_map = made_map()
    np.testing.assert_allclose(code_map.place(code_map.codes, "tsne"), code_map.tsne, atol=1e-4)


def test_tsne_places_a_new_code_amid_its_five_nearest():
    code_map = made_map()
    new = rng().normal(size=(220, 10)).astype(np.float32)[200:]  # The first 200 are known.
    distances, nearest = cKDTree(code_map.codes).query(new, code_study.NEAREST)
    weights = distances**-2 / (distances**-2).sum(axis=1, keepdims=True)
    expected = (weights[..., np.newaxis] * code_map.tsne[nearest]).sum(axis=1)
    np.testing.assert_allclose(code_map.place(new, "tsne"), expected, rtol=1e-4)


# Scores


def test_the_error_is_the_mean_over_the_pixels_of_each_picture():
    zeros = np.zeros((2, 28, 28, 1), np.float32)
    other = zeros.copy()
    other[1, 0, 0, 0] = 0.5
    assert anomaly.rebuild_error(zeros, other) == pytest.approx([0, 0.25 / 784])
    assert anomaly.brightness(other) == pytest.approx([0, 0.5 / 784])


def test_a_roc_curve_worked_out_by_hand():
    false, true = anomaly.roc(np.array([1.0, 2, 3, 4]), np.array([3.5, 5.0]))
    # Thresholds 5, 4, 3.5, 3, 2, 1, and below all.
    assert false.tolist() == [0, 0, 0.25, 0.25, 0.5, 0.75, 1]
    assert true.tolist() == [0, 0.5, 0.5, 1, 1, 1, 1]
    assert anomaly.area(false, true) == 7 / 8  # Seven of eight pairs are in order.


def test_the_area_is_that_of_mann_and_whitney_with_ties_as_halves():
    usual, other = rng().integers(0, 9, 60).astype(float), rng().integers(4, 14, 80).astype(float)
    expected = mannwhitneyu(other, usual).statistic / (60 * 80)
    assert anomaly.area(*anomaly.roc(usual, other)) == pytest.approx(expected)


# Files


READERS = {
    "autoencoders.npz": autoencoders.read_autoencoders,
    "order.npz": pixel_order.read_order,
    "convolutional-shuffled.onnx": pixel_order.read_order,
    "codes.npz": code_study.read_codes,
    "scores.npz": anomaly.read_scores,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_file_that_cannot_be_used_is_named(name, damage, tmp_path):
    folder = tmp_path / "lab"
    shutil.copytree(storage.LAB, folder)
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(ModelError, match=name):
        READERS[name](folder)


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "codes.npz", codes=np.zeros((3, 10)))
    with pytest.raises(ModelError, match="lacks axes, labels, mean, tsne"):
        code_study.read_codes(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_missing_numbers_are_named(text, tmp_path):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ModelError, match="numbers of codes"):
        storage.read_measured("codes", tmp_path)


# What ships


def test_all_files_together_are_small():
    assert sum(path.stat().st_size for path in storage.LAB.iterdir()) < LARGEST


def test_no_picture_of_a_data_set_ships():
    allowed = {"mean", "components", "order"}  # An average, directions, a list of places.
    for path in storage.LAB.glob("*.npz"):
        with np.load(path) as arrays:
            for name in arrays:
                weights = name.partition("/")[2] in storage.DenseNetwork.__dataclass_fields__
                assert weights or name in allowed or 784 not in arrays[name].shape, name


@pytest.mark.parametrize("part", MEASURED)
def test_every_part_says_when_and_on_what_it_was_measured(part):
    made_with = storage.read_measured(part)["made_with"]
    assert {"date", "processor", "cores", "seed", "python", "keras", "numpy"} <= set(made_with)


def test_the_components_of_pca_are_orthonormal():
    pca = autoencoders.read_autoencoders()[1]
    # Half precision rounds each of 784 entries by up to 1 / 4096 of itself.
    np.testing.assert_allclose(
        pca.components @ pca.components.T, np.eye(len(pca.components)), atol=2e-3
    )


def test_more_components_lose_less_and_more_hidden_units_too():
    rows = storage.read_measured("autoencoders")["rows"]
    lost = {(row["method"], row["width"]): row["lost"] for row in rows}
    assert set(lost) == {(method, w) for method in ("pca", "dense") for w in autoencoders.WIDTHS}
    components = [lost["pca", width] for width in autoencoders.WIDTHS]
    assert components == sorted(components, reverse=True)
    hidden = [lost["dense", width] for width in autoencoders.WIDTHS]
    assert hidden == sorted(hidden, reverse=True)
    assert hidden[0] < 1


def test_shuffling_costs_the_convolutional_network_more_than_the_dense_one():
    psnr = {
        (row["network"], row["order"]): row["psnr"]
        for row in storage.read_measured("order")["rows"]
    }
    lost = {n: psnr[n, "ordered"] - psnr[n, "shuffled"] for n in ("dense", "convolutional")}
    assert abs(lost["dense"]) < 0.3
    assert lost["convolutional"] > 1


def test_the_measured_areas_are_those_of_the_shipped_scores():
    scores, areas = anomaly.read_scores(), storage.read_measured("anomaly")["area"]
    assert set(scores) == set(areas)
    for detector, by_kind in scores.items():
        for kind, area in areas[detector].items():
            found = anomaly.area(*anomaly.roc(by_kind["digits"], by_kind[kind]))
            # Half precision makes ties of scores that differ by less than a thousandth.
            assert found == pytest.approx(area, abs=2e-3), (detector, kind)


def test_the_codes_belong_to_the_shipped_network():
    code_map = code_study.read_codes()
    network = load_inside(find_card("conv-code-10"))
    decoded = network.decode(code_map.codes)
    read = load_predictor(find_card("digit-reader")).predict_batch(decoded).argmax(axis=1)
    measured = storage.read_measured("codes")
    assert np.mean(read == code_map.labels) == pytest.approx(measured["read"], abs=0.005)
    assert measured["read"] > 0.8


def test_the_shipped_denoisers_denoise():
    order = pixel_order.read_order()
    clean = np.stack([SAMPLES["letter-a"].load()])
    noisy = np.clip(clean + 0.5 * rng().standard_normal(clean.shape, np.float32), 0, 1)
    before = np.square(noisy - clean).mean()
    for network, name in order.networks:
        denoised = order.denoise(noisy, network, name)
        assert denoised.shape == clean.shape
        assert np.square(denoised - clean).mean() < before


def test_the_card_is_plain_json():
    card = json.loads((Path(storage.LAB) / "card.json").read_text())
    assert set(card) == set(MEASURED)
