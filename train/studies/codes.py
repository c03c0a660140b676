"""2,000 test digits as the 10 numbers of ``conv-code-10``, and maps of these.

Codes and points of a map are ``(N, D)``, their labels ``(N,)``.
"""

from pathlib import Path

import numpy as np

from imaging.pixels import to_image
from models.catalogue import find_card
from models.digit_scores import evenly
from models.inspection.network import load_inside
from models.studies.codes import CodeMap
from train.fit.data import load_pictures
from train.studies.shared import (
    MAPPED,
    SEED,
    in_batches,
    principal_axes,
    quality,
    rounded,
    write_arrays,
)

CODE_MODEL = "conv-code-10"


def make_codes(folder: Path, runs: Path) -> dict:
    """Encode test digits by ``conv-code-10`` and arrange their codes on two maps."""
    card = find_card(CODE_MODEL)
    pictures, labels = (evenly(MAPPED, each) for each in load_pictures("mnist")[1])
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
        "variance_kept": [rounded(share) for share in shares],
        "same_digit_nearest": {
            name: same_label_nearest(points, labels)
            for name, points in {"code": codes, **places}.items()
        },
    }


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
    return rounded(np.mean(labels[distances.argmin(axis=1)] == labels))
