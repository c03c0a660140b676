"""How badly something is rebuilt, as a sign that it is not a digit.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1]; scores are ``(N,)``.
"""

from pathlib import Path

import numpy as np

from models.studies.storage import LAB, read_arrays


def rebuild_error(pictures: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each rebuilt picture, ``(N,)``: the score of an anomaly."""
    return np.square(pictures - rebuilt).mean(axis=(1, 2, 3), dtype=np.float64)


def brightness(pictures: np.ndarray) -> np.ndarray:
    """Return the mean value of each picture, ``(N,)``: what a detector has to beat."""
    return pictures.mean(axis=(1, 2, 3), dtype=np.float64)


def roc(normal: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true alarms, both from 0 to 1, as the threshold falls over all scores.

    Scores are ``(N,)``.  An alarm is one above the threshold: false where it is one of ``normal``,
    true where it is one of ``other``.

    Source:
        Fawcett, Pattern Recognition Letters 2006, doi:10.1016/j.patrec.2005.10.010.
    """
    thresholds = np.unique(np.concatenate([normal, other]))
    false = 1 - np.searchsorted(np.sort(normal), thresholds, side="right") / len(normal)
    true = 1 - np.searchsorted(np.sort(other), thresholds, side="right") / len(other)
    return np.append(false[::-1], 1), np.append(true[::-1], 1)


def area(false: np.ndarray, true: np.ndarray) -> float:
    """Return the area under the curve of ``roc``: how often one of ``other`` scores higher."""
    return float(np.trapezoid(true, false))


def read_scores(folder: Path = LAB) -> dict[str, dict[str, np.ndarray]]:
    """Return the scores ``(N,)`` by detector and by kind of picture.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    scores: dict[str, dict[str, np.ndarray]] = {}
    for name, values in read_arrays(folder / "scores.npz").items():
        detector, _, kind = name.partition("/")
        scores.setdefault(detector, {})[kind] = values
    return scores
