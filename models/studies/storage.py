"""What the studies of the Inside page keep on disk: ``python -m train lab`` makes it.

``models/studies/data`` holds small dense networks and PCA as half-precision arrays, two
convolutional networks, the codes of 2,000 test digits, errors of rebuilding, and ``card.json`` with
all measured numbers.  Pictures are ``(N, 28, 28, 1)`` float32 in [0, 1] everywhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from imaging.digit_fit import SIDE
from models.catalogue import ModelError

LAB = Path(__file__).parent / "data"


Rebuild = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class DenseNetwork:
    """``picture -> 784 -> hidden, ReLU -> 784, sigmoid -> picture``, as two matrix products.

    ``encoder`` is ``(784, hidden)``, ``decoder`` ``(hidden, 784)``, the biases are one-dimensional.
    """

    encoder: np.ndarray
    encoder_bias: np.ndarray
    decoder: np.ndarray
    decoder_bias: np.ndarray

    def hidden(self, pictures: np.ndarray) -> np.ndarray:
        """Return the values of the hidden units, ``(N, hidden)``, none of them negative."""
        return np.maximum(flat(pictures) @ self.encoder + self.encoder_bias, 0)

    def rebuild(self, pictures: np.ndarray) -> np.ndarray:
        """Return what the network makes of pictures ``(N, 28, 28, 1)``, in [0, 1] as they are."""
        return pictures_of(sigmoid(self.hidden(pictures) @ self.decoder + self.decoder_bias))


def read_measured(part: str, folder: Path = LAB) -> dict:
    """Return the measured numbers of a part of ``train lab``.

    Raises:
        ModelError: if they are missing or damaged.
    """
    try:
        return json.loads((folder / "card.json").read_text())[part]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The measured numbers of {part} cannot be read: {error}") from error


def network_arrays(name: str, network: DenseNetwork) -> dict[str, np.ndarray]:
    """Return the arrays of a network under the names by which a file holds them."""
    return {f"{name}/{field}": getattr(network, field) for field in _FIELDS}


_FIELDS = tuple(DenseNetwork.__dataclass_fields__)


def read_network(arrays: Mapping[str, np.ndarray], name: str, folder: Path) -> DenseNetwork:
    """Return the network called ``name`` of an archive; raise ``ModelError`` where it lacks."""
    try:
        return DenseNetwork(*(arrays[f"{name}/{field}"] for field in _FIELDS))
    except KeyError as error:
        raise ModelError(f"{folder.name} has no network {name}.") from error


def read_arrays(path: Path, *wanted: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file; what is stored in half precision is computed in single."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            read = {name: arrays[name] for name in arrays}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}") from error
    if missing := set(wanted) - set(read):
        raise ModelError(f"{path.name} lacks {', '.join(sorted(missing))}.")
    return {
        name: values.astype(np.float32) if values.dtype == np.float16 else values
        for name, values in read.items()
    }


def flat(pictures: np.ndarray) -> np.ndarray:
    """Return pictures ``(N, 28, 28, 1)`` as rows ``(N, 784)``."""
    if pictures.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(f"expected pictures of shape (N, 28, 28, 1), got {pictures.shape}")
    return np.asarray(pictures, np.float32).reshape(len(pictures), -1)


def pictures_of(rows: np.ndarray) -> np.ndarray:
    """Return rows ``(N, 784)`` as pictures ``(N, 28, 28, 1)``."""
    return rows.reshape(len(rows), SIDE, SIDE, 1)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-x))``, without overflow."""
    return 1 / (1 + np.exp(-np.clip(values, -80, 80)))
