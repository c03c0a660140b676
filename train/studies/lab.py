"""Trains, measures and ships what the Inside page shows of codes, PCA, pixel order and anomalies.

``python -m train lab`` does all of it, in four parts that can be named.  Networks train in run
folders, as everywhere, and one that is finished is not trained again.

    autoencoders  dense autoencoders of 2 to 128 hidden units, and PCA with as many components
    order         a dense and a convolutional denoiser, each on digits as they are and on digits
                  whose pixels are all shuffled in one fixed way
    codes         2,000 test digits as the 10 numbers of ``conv-code-10``, and maps of these
    anomaly       how badly digits, letters, clothes and noise are rebuilt; needs ``autoencoders``

Everything lands in ``models/studies/data``: arrays in half precision, convolutional networks as
ONNX, and the measured numbers in ``card.json``.  No picture of a data set is among it.
"""

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from imaging import metrics
from imaging.pixels import to_image
from imaging.synthetic_digits import draw_digit
from models.catalogue import find_card
from models.inspection.network import load_inside
from models.predictor import load_predictor
from models.studies.lab import (
    LAB,
    ORDERS,
    SIDE,
    WIDTHS,
    CodeMap,
    DenseNetwork,
    Pca,
    Shuffle,
    area,
    brightness,
    network_arrays,
    read_autoencoders,
    read_order,
    rebuild_error,
    roc,
)
from models.tasks.digits import validation_count
from train.config import TrainConfig
from train.evaluate.measure import noisy_pictures
from train.evaluate.tables import cores, processor
from train.export.ship import require_agreement, to_onnx
from train.fit.data import load_pictures
from train.fit.loop import train
from train.recipes import recipe
from train.run_folder import Run, write_whole

RUNS = Path(__file__).parents[1] / "runs"
SEED = 20_261_121
SHUFFLED, DRAWN, LETTERS = 0, 2, 3  # A stream of randomness for each use.

AUTOENCODER = recipe("dense-reconstruct").config  # That of the shipped one.
# A dense and a convolutional denoiser, trained as the recipe `dense` is, but shorter: what counts
# is that both networks of a kind, for digits in order and shuffled, learn alike.
DENSE, CONVOLUTIONAL = "dense", "convolutional"
IN_ORDER = {
    DENSE: replace(recipe("dense").config, data="own", epochs=15),
    CONVOLUTIONAL: replace(
        recipe("conv-32-32").config, data="own", settings={"filters": [16, 16]}, epochs=6
    ),
}
TEST_NOISE = ("gaussian", 0.5)

CODE_MODEL = "conv-code-10"
MAPPED = READ = 2_000  # test digits on the map, and of those that the digit reader is shown
BATCH = 200
OF_EACH_KIND = 1_000  # pictures that a detector is measured on
LETTER_NAMES = "AKR"  # An S looks too much like a 5 to be called no digit.


def make_lab(
    parts: list[str], folder: Path = LAB, runs: Path = RUNS, say: Callable[[str], None] = print
) -> None:
    """Make the named parts, and put their numbers into the card, beside those of the others.

    Raises:
        ValueError: if there is no such part.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise ValueError(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    folder.mkdir(parents=True, exist_ok=True)
    for part, make in PARTS.items():
        if part in parts:
            numbers = make(folder, runs)
            write_numbers(folder, part, numbers)
            say(f"{part}: {json.dumps(numbers)}")


def make_autoencoders(folder: Path, runs: Path) -> dict:
    """Train the autoencoders, fit PCA, and measure both on the test digits."""
    trained = {width: dense_network(train_autoencoder(width, runs)) for width in WIDTHS}
    (pictures, _), (test, labels) = load_pictures("mnist")
    trained_on = pictures[: -validation_count(len(pictures))]
    pca = fit_pca(to_image(trained_on), max(WIDTHS))
    arrays = {"mean": pca.mean, "components": pca.components}
    for width, network in trained.items():
        arrays |= network_arrays(f"dense-{width}", network)
    write_arrays(folder / "autoencoders.npz", arrays)

    networks, pca = read_autoencoders(folder)  # What is measured is what was written.
    clean = to_image(test)
    spread = rebuild_error(clean, np.broadcast_to(pca.mean.reshape(1, SIDE, SIDE, 1), clean.shape))
    rows = []
    for width, network in networks.items():
        rebuilt = {"pca": pca.rebuild(clean, width), "dense": network.rebuild(clean)}
        for method, answer in rebuilt.items():
            rows.append(
                {"method": method, "width": width, **quality(clean, answer, labels, spread.mean())}
            )
    return {
        "pictures": len(clean),
        "variance": _rounded(spread.mean()),
        "parameters": {width: _parameters(network) for width, network in networks.items()},
        "dead": {width: dead_units(network, clean) for width, network in networks.items()},
        "training": _training(AUTOENCODER),
        "rows": rows,
    }


def make_order(folder: Path, runs: Path) -> dict:
    """Train the four denoisers and measure them on the same noisy test digits."""
    shuffle = Shuffle(np.random.default_rng((SEED, SHUFFLED)).permutation(SIDE * SIDE))
    as_it_is = Shuffle(np.arange(SIDE * SIDE))
    arrays = {"order": shuffle.order.astype(np.uint16)}
    for name in ORDERS:
        order = shuffle if name == "shuffled" else as_it_is
        network = dense_network(train_in_order(DENSE, name, order, runs))
        arrays |= network_arrays(name, network)
        write_convolutional(
            train_in_order(CONVOLUTIONAL, name, order, runs),
            folder / f"{CONVOLUTIONAL}-{name}.onnx",
        )
    write_arrays(folder / "order.npz", arrays)

    order = read_order(folder)  # What is measured is what was written.
    test, labels = load_pictures("mnist")[1]
    clean = to_image(test)
    noisy = noisy_pictures(clean, *TEST_NOISE)
    rows = [
        {
            "network": network,
            "order": name,
            **quality(clean, order.denoise(noisy, network, name), labels),
        }
        for network, name in order.networks
    ]
    return {
        "pictures": len(clean),
        "noise": list(TEST_NOISE),
        "noisy_psnr": _rounded(metrics.batch_psnr(clean, noisy).mean()),
        "neighbours": {name: neighbour_correlation(order.arrange(clean, name)) for name in ORDERS},
        "training": {name: _training(config) for name, config in IN_ORDER.items()},
        "rows": rows,
    }


def make_codes(folder: Path, runs: Path) -> dict:
    """Encode test digits by ``conv-code-10`` and arrange their codes on two maps."""
    card = find_card(CODE_MODEL)
    pictures, labels = (_spread(each, MAPPED) for each in load_pictures("mnist")[1])
    # Half precision before all else: what is arranged is what is shown.
    network = load_inside(card)
    codes = in_batches(network.encode, to_image(pictures)).astype(np.float16).astype(np.float32)
    mean, axes, shares = principal_axes(codes, 2)
    code_map = CodeMap(codes, labels, mean, axes, arrange(codes))
    write_arrays(folder / "codes.npz", vars(code_map))
    places = {method: code_map.places(method) for method in ("pca", "tsne")}
    return {
        "model": CODE_MODEL,
        "weights": card.sha256,
        "pictures": len(codes),
        "read": quality(to_image(pictures), in_batches(network.decode, codes), labels)["read"],
        "variance_kept": [_rounded(share) for share in shares],
        "same_digit_nearest": {
            name: same_label_nearest(points, labels)
            for name, points in {"code": codes, **places}.items()
        },
    }


def make_anomaly(folder: Path, runs: Path) -> dict:
    """Score pictures of every kind by every detector, and measure the area under each ROC curve."""
    kinds = anomaly_pictures()
    scores = {
        detector: {kind: score(pictures) for kind, pictures in kinds.items()}
        for detector, score in detectors(folder).items()
    }
    write_arrays(
        folder / "scores.npz",
        {
            f"{detector}/{kind}": np.sort(values)
            for detector, by_kind in scores.items()
            for kind, values in by_kind.items()
        },
    )
    return {
        "pictures": OF_EACH_KIND,
        "letters": LETTER_NAMES,
        "area": {
            detector: {
                kind: _rounded(area(*roc(by_kind["digits"], values)))
                for kind, values in by_kind.items()
                if kind != "digits"
            }
            for detector, by_kind in scores.items()
        },
    }


PARTS: dict[str, Callable[[Path, Path], dict]] = {
    "autoencoders": make_autoencoders,
    "order": make_order,
    "codes": make_codes,
    "anomaly": make_anomaly,
}


def train_autoencoder(width: int, runs: Path) -> keras.Model:
    """Train a dense autoencoder with this many hidden units, or load it where it is trained."""
    config = replace(AUTOENCODER, settings={"hidden": width})
    return _trained(Run.create(runs / f"lab-dense-{width}", config))


def train_in_order(name: str, order_name: str, order: Shuffle, runs: Path) -> keras.Model:
    """Train one of the networks ``IN_ORDER`` on digits with their pixels in this order.

    The digits go in as if they were a visitor's own pictures: the trainer needs to know nothing
    of shuffling.
    """
    run = Run.create(runs / f"lab-{name}-{order_name}", IN_ORDER[name])
    if not run.own.exists():
        pictures = load_pictures("mnist")[0][0]
        shuffled = order.apply(pictures).astype(np.uint8)
        write_whole(run.own, lambda path: np.savez(path, pictures=shuffled))
    return _trained(run)


def dense_network(model: keras.Model) -> DenseNetwork:
    """Return the weights of a dense autoencoder."""
    return DenseNetwork(
        *model.get_layer("code").get_weights(), *model.get_layer("decoder_dense").get_weights()
    )


def dead_units(network: DenseNetwork, pictures: np.ndarray) -> int:
    """Return how many hidden units are 0 for all of these pictures: they have no part in anything.

    Source:
        Maas et al., Rectifier nonlinearities improve neural network acoustic models, ICML 2013.
    """
    return int(np.sum(network.hidden(pictures).max(axis=0) <= 0))


def write_convolutional(model: keras.Model, path: Path) -> None:
    """Write the ONNX file of a network.

    Raises:
        ValueError: if ONNX does not answer as Keras does.
    """
    write_whole(path, lambda unfinished: to_onnx(model, unfinished))
    pictures = np.random.default_rng(SEED).random((64, SIDE, SIDE, 1), np.float32)
    require_agreement(model, path, [pictures])


def fit_pca(pictures: np.ndarray, count: int) -> Pca:
    """Return the first ``count`` principal components of the pictures."""
    mean, axes, _ = principal_axes(pictures.reshape(len(pictures), -1), count)
    return Pca(mean, axes)


def principal_axes(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean ``(D,)``, axes ``(count, D)`` and their shares of the variance of ``(N, D)``.

    An axis may point either way; here its largest entry is positive.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, dtype=np.float64))
    axes = vectors[:, ::-1][:, :count].T
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1))
    shares = variances[::-1][:count] / variances.sum()
    return mean.astype(np.float32), axes.astype(np.float32), shares


def quality(
    clean: np.ndarray, answer: np.ndarray, labels: np.ndarray, variance: float | None = None
) -> dict[str, float]:
    """Return mean error, mean PSNR, and the share that the digit reader still reads.

    ``variance`` is the mean error of a picture that is always the mean digit; with it, ``lost`` is
    the share of what tells digits apart that did not come back.
    """
    mse = rebuild_error(clean, answer).mean()
    reader = load_predictor(find_card("digit-reader"))
    spread = _spread(np.arange(len(clean)), READ)
    found = {
        "mse": _rounded(mse),
        "psnr": _rounded(metrics.batch_psnr(clean, answer).mean()),
        "read": _rounded(
            np.mean(reader.predict_batch(answer[spread]).argmax(axis=1) == labels[spread])
        ),
    }
    return found if variance is None else found | {"lost": _rounded(mse / variance)}


def neighbour_correlation(pictures: np.ndarray) -> float:
    """Return how alike a pixel and its right neighbour are: their correlation over all pictures."""
    left, right = (pictures[:, :, s, 0].reshape(-1) for s in (slice(None, -1), slice(1, None)))
    return _rounded(np.corrcoef(left, right)[0, 1])


def in_batches(run: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return what ``run`` makes of the rows, some at a time, as all maps are in memory at once."""
    return np.concatenate([run(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH)])


def arrange(codes: np.ndarray) -> np.ndarray:
    """Return places in the plane at which near codes are near each other, ``(N, 2)``.

    Source:
        van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008, as in scikit-learn.
    """
    from sklearn.manifold import TSNE  # For this command alone: it is in requirements-dev.txt.

    tsne = TSNE(2, perplexity=30, init="pca", learning_rate="auto", random_state=SEED % 2**31)
    return tsne.fit_transform(codes)


def same_label_nearest(points: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of points whose nearest other point has the same label."""
    squares = np.square(points).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    return _rounded(np.mean(labels[distances.argmin(axis=1)] == labels))


def detectors(folder: Path) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what scores pictures by name: errors of rebuilding, and brightness to compare with."""
    networks, _ = read_autoencoders(folder)
    convolutional = load_predictor(find_card("conv-reconstruct")).predict_batch
    rebuilders = {f"dense-{width}": network.rebuild for width, network in networks.items()}
    rebuilders["conv-reconstruct"] = convolutional

    def scorer(rebuild: Callable[[np.ndarray], np.ndarray]):
        return lambda pictures: rebuild_error(pictures, rebuild(pictures))

    errors = {name: scorer(rebuild) for name, rebuild in rebuilders.items()}
    return errors | {"brightness": brightness}


def anomaly_pictures() -> dict[str, np.ndarray]:
    """Return pictures by kind, as many of each.

    "drawn" are digits by the program that also draws the letters: they show whether a detector
    reacts to the letter or to the pen.
    """
    digits, _ = load_pictures("mnist")[1]
    clothes, _ = load_pictures("fashion-mnist")[1]
    return {
        "digits": to_image(_spread(digits, OF_EACH_KIND)),
        "drawn": draw("0123456789", DRAWN),
        "letters": draw(LETTER_NAMES, LETTERS),
        "clothes": to_image(_spread(clothes, OF_EACH_KIND)),
        "noise": pure_noise(),
    }


def draw(names: str, stream: int) -> np.ndarray:
    """Draw the named digits or letters in turn, each in a random hand."""
    rng = np.random.default_rng((SEED, stream))
    return np.stack([draw_digit(names[i % len(names)], rng) for i in range(OF_EACH_KIND)])


def pure_noise() -> np.ndarray:
    """Return pictures of nothing but noise, of the strength that denoisers are tested with."""
    nothing = np.zeros((OF_EACH_KIND, SIDE, SIDE, 1), np.float32)
    return noisy_pictures(nothing, *TEST_NOISE)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as ``.npz``, real numbers in half precision."""
    stored = {
        name: values.astype(np.float16) if np.asarray(values).dtype.kind == "f" else values
        for name, values in arrays.items()
    }
    write_whole(path, lambda unfinished: np.savez_compressed(unfinished, **stored))


def write_numbers(folder: Path, part: str, numbers: dict) -> None:
    """Put the numbers of a part into ``card.json``, with what they were made and measured on."""
    path = folder / "card.json"
    card = json.loads(path.read_text()) if path.exists() else {}
    made_with = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": cores(),
        "seed": SEED,
        "python": platform.python_version(),
        **{name: version(name) for name in ("keras", "numpy", "onnxruntime")},
    }
    if part == "codes":
        made_with["scikit-learn"] = version("scikit-learn")
    card[part] = {**numbers, "made_with": made_with}
    write_whole(path, lambda unfinished: unfinished.write_text(json.dumps(card, indent=1) + "\n"))


def _trained(run: Run) -> keras.Model:
    """Train a run to its end, and return its network."""
    if not run.model.exists() and train(run, show_progress=True) != "finished":
        raise ValueError(f"{run.folder} was stopped; the same command goes on from there")
    return keras.saving.load_model(run.model, compile=False)


def _training(config: TrainConfig) -> dict:
    """What a card says of a training."""
    names = (
        "architecture",
        "settings",
        "loss",
        "optimizer",
        "learning_rate",
        "batch",
        "epochs",
        "seed",
    )
    return {name: getattr(config, name) for name in names}


def _parameters(network: DenseNetwork) -> int:
    return sum(values.size for values in vars(network).values())


def _spread(pictures: np.ndarray, count: int) -> np.ndarray:
    """Take ``count`` pictures, evenly: the halves of MNIST's test digits differ."""
    return pictures[:: max(1, len(pictures) // count)][:count]


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
