"""Dense autoencoders of 2 to 128 hidden units, and PCA with as many components.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from imaging.digit_fit import SIDE
from imaging.pixels import to_image
from models.studies.anomaly import rebuild_error
from models.studies.autoencoders import WIDTHS, Pca, read_autoencoders
from models.studies.storage import DenseNetwork, network_arrays
from models.tasks.digits import validation_count
from train.fit.data import load_pictures
from train.recipes import recipe
from train.run_folder import Run
from train.studies.shared import (
    parameters_of,
    principal_axes,
    quality,
    rounded,
    trained,
    training_of,
    write_arrays,
)

AUTOENCODER = recipe("dense-reconstruct").config  # That of the shipped one.


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
        "variance": rounded(spread.mean()),
        "parameters": {width: parameters_of(network) for width, network in networks.items()},
        "dead": {width: dead_units(network, clean) for width, network in networks.items()},
        "training": training_of(AUTOENCODER),
        "rows": rows,
    }


def train_autoencoder(width: int, runs: Path) -> keras.Model:
    """Train a dense autoencoder with this many hidden units, or load it where it is trained."""
    config = replace(AUTOENCODER, settings={"hidden": width})
    return trained(Run.create(runs / f"lab-dense-{width}", config))


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


def fit_pca(pictures: np.ndarray, count: int) -> Pca:
    """Return the first ``count`` principal components of the pictures."""
    mean, axes, _ = principal_axes(pictures.reshape(len(pictures), -1), count)
    return Pca(mean, axes)
