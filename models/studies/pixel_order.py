"""Denoisers of digits whose pixels are in order, or all shuffled alike.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.catalogue import ModelError
from models.predictor import in_batches
from models.session import open_small
from models.studies.storage import LAB, Rebuild, flat, pictures_of, read_arrays, read_network

ORDERS = ("ordered", "shuffled")


@dataclass(frozen=True)
class Shuffle:
    """One fixed order of the 784 pixels: new pixel ``i`` is old pixel ``order[i]``.

    Pictures are ``(N, 28, 28, 1)``.
    """

    order: np.ndarray

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """Return the pictures with their pixels shuffled."""
        return pictures_of(flat(pictures)[:, self.order])

    def undo(self, pictures: np.ndarray) -> np.ndarray:
        """Return shuffled pictures with their pixels back in place."""
        return pictures_of(flat(pictures)[:, np.argsort(self.order)])


@dataclass(frozen=True)
class Order:
    """Denoisers "dense" and "convolutional", each trained on digits "ordered" and "shuffled".

    Pictures are ``(N, 28, 28, 1)`` in [0, 1].
    """

    shuffle: Shuffle
    networks: Mapping[tuple[str, str], Rebuild]

    def arrange(self, pictures: np.ndarray, order: str) -> np.ndarray:
        """Return the pictures as a network for this order sees them."""
        return self.shuffle.apply(pictures) if order == "shuffled" else pictures

    def denoise(self, noisy: np.ndarray, network: str, order: str) -> np.ndarray:
        """Return ``noisy`` in this order, denoised, and with every pixel back in its place."""
        denoised = self.networks[network, order](self.arrange(noisy, order))
        return self.shuffle.undo(denoised) if order == "shuffled" else denoised


def read_order(folder: Path = LAB) -> Order:
    """Return the four denoisers and their shuffle.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    arrays = read_arrays(folder / "order.npz", "order")
    networks: dict[tuple[str, str], Rebuild] = {}
    for order in ORDERS:
        networks["dense", order] = read_network(arrays, order, folder).rebuild
        networks["convolutional", order] = open_convolutional(folder, order)
    return Order(Shuffle(arrays["order"].astype(int)), networks)


def open_convolutional(folder: Path, order: str) -> Rebuild:
    """Open the convolutional denoiser for digits "ordered" or "shuffled".

    Raises:
        ModelError: if the file is missing or damaged.
    """
    path = folder / f"convolutional-{order}.onnx"
    try:
        session = open_small(path)
    except Exception as error:  # onnxruntime raises many types that share no base class.
        raise ModelError(f"{path.name} cannot be loaded: {error}") from error
    answer = session.get_outputs()[0].name
    return lambda noisy: np.clip(
        in_batches(lambda image: session.run([answer], {"image": image})[0], noisy), 0, 1
    )
