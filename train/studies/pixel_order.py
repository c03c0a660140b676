"""A dense and a convolutional denoiser, each for digits in order and with shuffled pixels.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from imaging import metrics
from imaging.digit_fit import SIDE
from imaging.pixels import to_image
from models.digit_scores import noisy_pictures
from models.studies.pixel_order import ORDERS, Shuffle, read_order
from models.studies.storage import network_arrays
from train.export.ship import require_agreement, to_onnx
from train.fit.data import load_pictures
from train.recipes import recipe
from train.run_folder import Run, write_whole
from train.studies.autoencoders import dense_network
from train.studies.shared import SEED, quality, rounded, trained, training_of, write_arrays

SHUFFLED, DRAWN, LETTERS = 0, 2, 3  # A stream of randomness for each use.


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
        "noisy_psnr": rounded(metrics.batch_psnr(clean, noisy).mean()),
        "neighbours": {name: neighbour_correlation(order.arrange(clean, name)) for name in ORDERS},
        "training": {name: training_of(config) for name, config in IN_ORDER.items()},
        "rows": rows,
    }


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
    return trained(run)


def write_convolutional(model: keras.Model, path: Path) -> None:
    """Write the ONNX file of a network.

    Raises:
        ValueError: if ONNX does not answer as Keras does.
    """
    write_whole(path, lambda unfinished: to_onnx(model, unfinished))
    pictures = np.random.default_rng(SEED).random((64, SIDE, SIDE, 1), np.float32)
    require_agreement(model, path, [pictures])


def neighbour_correlation(pictures: np.ndarray) -> float:
    """Return how alike a pixel and its right neighbour are: their correlation over all pictures."""
    left, right = (pictures[:, :, s, 0].reshape(-1) for s in (slice(None, -1), slice(1, None)))
    return rounded(np.corrcoef(left, right)[0, 1])
