"""What all tests share: seeded randomness, the real data where it is available, and their order."""

import os

# Before anything is imported, and inherited by every process that a test starts: the tests run
# in several processes already, whose threads would only wait for each other.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NPROC": "1",  # JAX's threads
}
for _name, _value in ONE_THREAD.items():
    os.environ.setdefault(_name, _value)
# What JAX compiles for a test runs once: to make it fast takes longer than it saves.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# As the package of models says it, for tests that load onnxruntime before that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Whoever opens the Train page in a test does not mean to load TensorFlow.
os.environ["DENOISE_READY_WORKER"] = "0"

import gc  # noqa: E402
import re  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from streamlit import config  # noqa: E402
from streamlit.components.v2 import manifest_scanner  # noqa: E402

# The app hides tracebacks from its visitors; a test that meets one should show it.
config.set_option("client.showErrorDetails", "full")
# Each page that a test opens would look through all installed packages for components, for a
# tenth of a second.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

ROOT = Path(__file__).parent
# `make test` keeps each file in one process, which makes its fixtures once.  Files that take a
# quarter of a minute or more of a processor start first, the longest before the others, so that no
# process is left alone with one at the end.
LONG_FIRST = (
    "browser/test_train.py",
    "browser/test_photo.py",
    "train/fit/test_distributed.py",
    "browser/test_live.py",
    "train/fit/test_loop.py",
    "browser/test_tasks_signals.py",
    "browser/test_inside.py",
    "pages/test_photo.py",
    "tasks/test_small_recipes.py",
    "browser/test_viewer.py",
    "train/test_jobs.py",
    "browser/test_draw.py",
    "tasks/test_contract.py",
    "faults/test_kills.py",
    "pages/draw/test_own_networks.py",
    "faults/test_strangers.py",
    "train/test_tutorial_code.py",
    "pages/test_training.py",
    "faults/test_fuzz.py",
    "train/test_brought.py",
    "train/export/test_ship.py",
    "tasks/test_denoise_photos.py",
    "pages/test_tasks.py",
    "models/test_pretrained.py",
    "pages/test_learn.py",
    "faults/test_two_servers.py",
    "models/test_architectures.py",
    "pages/test_compare.py",
    "pages/tasks/test_bad_input.py",
    "test_architecture.py",
    "train/test_ready_worker.py",
    "pages/test_golden_links.py",
    "browser/test_compare.py",
)
# To load Keras takes three seconds, and half of what the quick tests take otherwise.
LOADS_KERAS = re.compile(r"^import keras$", re.MULTILINE)
# CPU seconds that a test may take which is not marked as slow; CI allows more.
MOST_SECONDS = float(os.environ.get("TEST_SECONDS", "20"))


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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out files that load Keras")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Say which files `make check` does not even open."""
    if not config.getoption("quick") or collection_path.suffix != ".py":
        return None
    return bool(LOADS_KERAS.search(collection_path.read_text(encoding="utf-8"))) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the long files first; the others keep their order."""
    first = {ROOT / name: place for place, name in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


def pytest_collection_finish() -> None:
    """Spare Python looking through all that was loaded for all tests, again and again."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that takes too long and is not marked as slow.

    What counts is the CPU time of the test and of the processes that it waited for: the clock on
    the wall would blame a test for what else the machine does.
    """
    before = sum(os.times()[:4])
    result = yield
    took = sum(os.times()[:4]) - before
    if took > MOST_SECONDS and item.get_closest_marker("slow") is None:
        pytest.fail(f"took {took:.0f} CPU seconds, more than {MOST_SECONDS:g}: mark it as slow")
    return result
