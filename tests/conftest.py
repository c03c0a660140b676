"""What all tests share: seeded randomness, and the real data where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from streamlit import config

# The app hides tracebacks from its visitors; a test that meets one should show it.
config.set_option("client.showErrorDetails", "full")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same randomness for every test, whatever ran before it."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that ``DENOISE_DATA_DIR`` names."""
    named = os.environ.get("DENOISE_DATA_DIR")
    if not named:
        pytest.skip("needs real data: set DENOISE_DATA_DIR to a folder that holds mnist.npz")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        pytest.skip(f"needs real data: DENOISE_DATA_DIR names no folder, got {named!r}")
    return folder


@pytest.fixture(scope="session")
def mnist_test(data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test digits: images float32 (N, 28, 28, 1) in [0, 1], and what they show."""
    path = data_dir / "mnist.npz"
    if not path.is_file():
        pytest.skip(f"needs real digits: there is no {path}; set DENOISE_DATA_DIR to its folder")
    with np.load(path) as digits:
        images, labels = digits["x_test"], digits["y_test"]
    images = (images[..., np.newaxis] / np.float32(255)).astype(np.float32)
    for array in (images, labels):
        array.flags.writeable = False  # shared by the whole session
    return images, labels


@pytest.hookimpl(trylast=True)  # after tests/browser has marked its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: Playwright keeps an event loop running in this thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
