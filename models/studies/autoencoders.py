"""Dense autoencoders of several widths, and PCA with as many numbers.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.studies.storage import LAB, DenseNetwork, flat, pictures_of, read_arrays, read_network

WIDTHS = (2, 4, 8, 16, 32, 64, 128)  # hidden units, and components of PCA


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
        """Return pictures ``(N, 28, 28, 1)`` as mean and ``count`` components, in [0, 1]."""
        axes = self.components[:count]
        centred = flat(pictures) - self.mean
        return np.clip(pictures_of(centred @ axes.T @ axes + self.mean), 0, 1)


def read_autoencoders(folder: Path = LAB) -> tuple[dict[int, DenseNetwork], Pca]:
    """Return the dense autoencoders by their number of hidden units, and PCA.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    arrays = read_arrays(folder / "autoencoders.npz", "mean", "components")
    networks = {width: read_network(arrays, f"dense-{width}", folder) for width in WIDTHS}
    return networks, Pca(arrays["mean"], arrays["components"])
