"""What the Inside page runs besides the shipped models; ``python -m train lab`` makes it.

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
from models.predictor import in_batches
from models.session import open_small

LAB = Path(__file__).parent / "data"
WIDTHS = (2, 4, 8, 16, 32, 64, 128)  # hidden units, and components of PCA
ORDERS = ("ordered", "shuffled")
NEAREST = 5  # codes that say where a new one lands on the map

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
        return np.maximum(_flat(pictures) @ self.encoder + self.encoder_bias, 0)

    def rebuild(self, pictures: np.ndarray) -> np.ndarray:
        """Return what the network makes of the pictures."""
        return _pictures(_sigmoid(self.hidden(pictures) @ self.decoder + self.decoder_bias))


@dataclass(frozen=True)
class Pca:
    """Principal component analysis: the ``mean (784,)`` and ``components (128, 784)``.

    Components are orthonormal, that of the largest variance first, so that the first ``count`` of
    them are the best plane of that many dimensions.

    Source:
        Jolliffe and Cadima, Phil. Trans. R. Soc. A 2016, doi:10.1098/rsta.2015.0202.
    """

    mean: np.ndarray
    components: np.ndarray

    def rebuild(self, pictures: np.ndarray, count: int) -> np.ndarray:
        """Return the pictures as the mean and ``count`` components, clipped to [0, 1]."""
        axes = self.components[:count]
        centred = _flat(pictures) - self.mean
        return np.clip(_pictures(centred @ axes.T @ axes + self.mean), 0, 1)


@dataclass(frozen=True)
class Shuffle:
    """One fixed order of the 784 pixels: new pixel ``i`` is old pixel ``order[i]``."""

    order: np.ndarray

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """Return the pictures with their pixels shuffled."""
        return _pictures(_flat(pictures)[:, self.order])

    def undo(self, pictures: np.ndarray) -> np.ndarray:
        """Return shuffled pictures with their pixels back in place."""
        return _pictures(_flat(pictures)[:, np.argsort(self.order)])


@dataclass(frozen=True)
class Order:
    """Denoisers "dense" and "convolutional", each trained on digits "ordered" and "shuffled"."""

    shuffle: Shuffle
    networks: Mapping[tuple[str, str], Rebuild]

    def arrange(self, pictures: np.ndarray, order: str) -> np.ndarray:
        """Return the pictures as a network for this order sees them."""
        return self.shuffle.apply(pictures) if order == "shuffled" else pictures

    def denoise(self, noisy: np.ndarray, network: str, order: str) -> np.ndarray:
        """Return ``noisy`` in this order, denoised, and with every pixel back in its place."""
        denoised = self.networks[network, order](self.arrange(noisy, order))
        return self.shuffle.undo(denoised) if order == "shuffled" else denoised


@dataclass(frozen=True)
class CodeMap:
    """The codes of test digits, and where they lie on two maps of the plane.

    ``codes`` is ``(N, 10)``, ``labels (N,)``; ``mean (10,)`` and ``axes (2, 10)`` are the PCA of
    the codes, ``tsne (N, 2)`` the places that t-SNE gave them.
    """

    codes: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    axes: np.ndarray
    tsne: np.ndarray

    def places(self, method: str) -> np.ndarray:
        """Return where the codes of the test digits lie, ``(N, 2)``, on the map "pca" or "tsne"."""
        return self.tsne if method == "tsne" else self.project(self.codes)

    def place(self, codes: np.ndarray, method: str) -> np.ndarray:
        """Return where new codes ``(M, 10)`` land on the map "pca" or "tsne", ``(M, 2)``.

        PCA projects them.  t-SNE only arranges the codes it was given, so a new one is put between
        its five nearest, each weighted by the inverse of its squared distance.
        """
        if method == "pca":
            return self.project(codes)
        squares = np.square(codes[:, np.newaxis] - self.codes).sum(axis=2)
        nearest = np.argsort(squares, axis=1)[:, :NEAREST]
        weight = 1 / np.maximum(np.take_along_axis(squares, nearest, axis=1), 1e-9)
        weight /= weight.sum(axis=1, keepdims=True)
        return np.einsum("mk,mkd->md", weight, self.tsne[nearest])

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return a new code ``(10,)``, drawn as the codes are spread, within their range."""
        codes = self.codes.astype(float)
        drawn = rng.multivariate_normal(codes.mean(axis=0), np.cov(codes, rowvar=False))
        return np.clip(drawn, codes.min(axis=0), codes.max(axis=0))

    def project(self, codes: np.ndarray) -> np.ndarray:
        """Return codes ``(M, 10)`` on the two axes of the largest variance, ``(M, 2)``."""
        return (codes - self.mean) @ self.axes.T


def rebuild_error(pictures: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each rebuilt picture, ``(N,)``: the score of an anomaly."""
    return np.square(pictures - rebuilt).mean(axis=(1, 2, 3), dtype=np.float64)


def brightness(pictures: np.ndarray) -> np.ndarray:
    """Return the mean value of each picture, ``(N,)``: what a detector has to beat."""
    return pictures.mean(axis=(1, 2, 3), dtype=np.float64)


def roc(normal: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true alarms, both from 0 to 1, as the threshold falls over all scores.

    An alarm is a score above the threshold: false where it is one of ``normal``, true where it is
    one of ``other``.

    Source:
        Fawcett, Pattern Recognition Letters 2006, doi:10.1016/j.patrec.2005.10.010.
    """
    thresholds = np.unique(np.concatenate([normal, other]))
    false = 1 - np.searchsorted(np.sort(normal), thresholds, side="right") / len(normal)
    true = 1 - np.searchsorted(np.sort(other), thresholds, side="right") / len(other)
    return np.append(false[::-1], 1), np.append(true[::-1], 1)


def area(false: np.ndarray, true: np.ndarray) -> float:
    """Return the area under a ROC curve: the share of pairs in which the other scores higher."""
    return float(np.trapezoid(true, false))


def read_measured(part: str, folder: Path = LAB) -> dict:
    """Return the measured numbers of a part of ``train lab``.

    Raises:
        ModelError: if they are missing or damaged.
    """
    try:
        return json.loads((folder / "card.json").read_text())[part]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The measured numbers of {part} cannot be read: {error}") from error


def read_autoencoders(folder: Path = LAB) -> tuple[dict[int, DenseNetwork], Pca]:
    """Return the dense autoencoders by their number of hidden units, and PCA.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    arrays = _read(folder / "autoencoders.npz", "mean", "components")
    networks = {width: _network(arrays, f"dense-{width}", folder) for width in WIDTHS}
    return networks, Pca(arrays["mean"], arrays["components"])


def read_order(folder: Path = LAB) -> Order:
    """Return the four denoisers and their shuffle.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    arrays = _read(folder / "order.npz", "order")
    networks: dict[tuple[str, str], Rebuild] = {}
    for order in ORDERS:
        networks["dense", order] = _network(arrays, order, folder).rebuild
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


def read_codes(folder: Path = LAB) -> CodeMap:
    """Return the map of codes.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    names = tuple(CodeMap.__dataclass_fields__)
    arrays = _read(folder / "codes.npz", *names)
    return CodeMap(*(arrays[name] for name in names))


def read_scores(folder: Path = LAB) -> dict[str, dict[str, np.ndarray]]:
    """Return the scores ``(N,)`` by detector and by kind of picture.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    scores: dict[str, dict[str, np.ndarray]] = {}
    for name, values in _read(folder / "scores.npz").items():
        detector, _, kind = name.partition("/")
        scores.setdefault(detector, {})[kind] = values
    return scores


def network_arrays(name: str, network: DenseNetwork) -> dict[str, np.ndarray]:
    """Return the arrays of a network under the names by which a file holds them."""
    return {f"{name}/{field}": getattr(network, field) for field in _FIELDS}


_FIELDS = tuple(DenseNetwork.__dataclass_fields__)


def _network(arrays: Mapping[str, np.ndarray], name: str, folder: Path) -> DenseNetwork:
    try:
        return DenseNetwork(*(arrays[f"{name}/{field}"] for field in _FIELDS))
    except KeyError as error:
        raise ModelError(f"{folder.name} has no network {name}.") from error


def _read(path: Path, *wanted: str) -> dict[str, np.ndarray]:
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


def _flat(pictures: np.ndarray) -> np.ndarray:
    if pictures.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(f"expected pictures of shape (N, 28, 28, 1), got {pictures.shape}")
    return np.asarray(pictures, np.float32).reshape(len(pictures), -1)


def _pictures(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), SIDE, SIDE, 1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -80, 80)))
