"""Pictures to train on that need no download, and trainings that take a second."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.train.worker_processes import kill
from train.run_folder import Run

# A fifth of the training pictures, the last ones, are for validation.
TRAINING, VALIDATION, TEST = 600, 150, 300


@pytest.fixture(scope="session")
def strokes_dir(tmp_path_factory) -> Path:
    """A folder with ``mnist.npz`` and ``fashion_mnist.npz`` full of made-up strokes."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("mnist.npz", "fashion_mnist.npz")):
        rng = np.random.default_rng(seed)
        count = TRAINING + VALIDATION + TEST
        blurred = gaussian_filter(rng.random((count, 28, 28)), (0, 2, 2))
        pictures = np.where(blurred > np.quantile(blurred, 0.8), 255, 0).astype(np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        np.savez(
            folder / name,
            x_train=pictures[:-TEST],
            y_train=labels[:-TEST],
            x_test=pictures[-TEST:],
            y_test=labels[-TEST:],
        )
    return folder


@pytest.fixture(scope="module")
def strokes(strokes_dir):
    """Have this module's trainings load the made-up pictures; returns their folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISE_DATA_DIR", str(strokes_dir))
        yield strokes_dir


@pytest.fixture(scope="module")
def few_pictures(tmp_path_factory: pytest.TempPathFactory):
    """A folder with small pictures to train on, 100 and 25 for validation."""
    folder = tmp_path_factory.mktemp("data")
    pictures = np.random.default_rng(1).integers(0, 256, (125, 28, 28), np.uint8)
    labels = np.zeros(125, np.uint8)
    np.savez(folder / "mnist.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISE_DATA_DIR", str(folder))
        yield folder


@pytest.fixture
def runs(tmp_path: Path, few_pictures: Path):
    """A folder for runs; no worker outlives the test."""
    folder = tmp_path / "runs"
    folder.mkdir()
    yield folder
    for path in folder.glob("*/alive"):
        kill(Run(path.parent))
