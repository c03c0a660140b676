"""The codes of test digits as a map: PCA, and t-SNE."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.studies.storage import LAB, read_arrays

NEAREST = 5  # codes that say where a new one lands on the map


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


def read_codes(folder: Path = LAB) -> CodeMap:
    """Return the map of codes.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    names = tuple(CodeMap.__dataclass_fields__)
    arrays = read_arrays(folder / "codes.npz", *names)
    return CodeMap(*(arrays[name] for name in names))
