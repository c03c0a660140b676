"""Training data: where examples come from, and the batches made of them.

The same seed gives the same batches: examples are shuffled, augmented and degraded by
generators that depend on seed, epoch and batch number alone, so that a training that was
stopped goes on with exactly the batches it would have seen.
"""

import dataclasses
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import keras
import numpy as np

from imaging.pixels import to_image
from imaging.samples.synthetic_digits import draw_digits
from models.tasks import find_task
from models.tasks.contract import Examples, Tensors
from models.tasks.data_folder import data_folder, keras_folder
from models.tasks.digits import Pictures, degrade, read_archive, split_digits
from train.config import FEWEST_USER_PICTURES, TrainConfig
from train.fit.quick_noise import quick_generator
from train.run_folder import write_whole

PART = 2000  # Pictures that are degraded at once where all are degraded beforehand.
DRAWN, DRAWN_TO_TEST = 20_000, 2_000

# Each use of randomness has its own stream, so that adding one does not shift the others.
SHUFFLE, DEGRADE, ONCE, VALIDATE, WATCH = range(5)


def load_pictures(data: str, own: Path | None = None) -> tuple[Pictures, Pictures]:
    """Load ``((pictures, labels), (test_pictures, test_labels))``.

    Pictures are ``uint8`` of shape ``(N, 28, 28, 1)``, labels ``uint8`` of shape ``(N,)``.
    MNIST and Fashion-MNIST are looked for in ``DENOISE_DATA_DIR`` first, then in the cache of
    Keras, and then downloaded.  The visitor's pictures are in the file ``own``; where none
    is named, drawn digits stand in for them, which is enough to compare two forms of a network.

    Raises:
        OSError: if the data cannot be had, or is damaged.
        ValueError: if there is no such data set.
    """
    if data not in LOADERS:
        raise ValueError(f"unknown data set {data!r}; known: {', '.join(LOADERS)}")
    return LOADERS[data](own)


def _load_from_keras(
    file_name: str, download: Callable, own: Path | None
) -> tuple[Pictures, Pictures]:
    folder = data_folder()
    if folder is not None and (folder / file_name).is_file():
        train, test = read_archive(folder / file_name)
    else:
        try:
            train, test = download()
        except Exception as error:  # Keras raises a bare Exception when a download fails.
            raise OSError(
                f"{file_name} is neither in DENOISE_DATA_DIR nor can it be downloaded: {error}. "
                "The drawn digits are always there."
            ) from error
    return (train[0][..., None], train[1]), (test[0][..., None], test[1])


@lru_cache(maxsize=1)
def _load_drawn(count: int, count_to_test: int) -> tuple[Pictures, Pictures]:
    """Draw the digits, or read those that an earlier training has drawn."""
    kept = keras_folder() / "datasets" / f"drawn-{count}-{count_to_test}.npz"
    try:
        train, test = read_archive(kept)
        # Another version of the program draws others.
        if np.array_equal(train[0][:20], draw_digits(20)[0]):
            return train, test
    except OSError:
        pass
    pictures, labels = draw_digits(count + count_to_test)
    train, test = (pictures[:count], labels[:count]), (pictures[count:], labels[count:])
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
        write_whole(kept, lambda path: np.savez_compressed(path, **arrays))
    except OSError:
        pass  # Then they are drawn again the next time.
    return train, test


def _load_own(path: Path) -> tuple[Pictures, Pictures]:
    """Read the visitor's own pictures; every tenth is for the test.  They have no labels."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            pictures = arrays["pictures"]
    except Exception as error:  # A damaged archive raises one of half a dozen types.
        raise OSError(f"your own pictures, {path.name}, cannot be read: {error}") from error
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (28, 28, 1):
        raise OSError(
            f"your own pictures must be 8-bit (N, 28, 28, 1), got {pictures.dtype} {pictures.shape}"
        )
    if len(pictures) < FEWEST_USER_PICTURES:
        raise OSError(
            f"at least {FEWEST_USER_PICTURES} own pictures are needed, got {len(pictures)}"
        )
    to_test = np.arange(len(pictures)) % 10 == 9
    train, test = pictures[~to_test], pictures[to_test]
    return (train, np.zeros(len(train), np.uint8)), (test, np.zeros(len(test), np.uint8))


# Where each data set of digits comes from, given the file of the visitor's own pictures.
LOADERS: dict[str, Callable[[Path | None], tuple[Pictures, Pictures]]] = {
    "mnist": partial(_load_from_keras, "mnist.npz", keras.datasets.mnist.load_data),
    "fashion-mnist": partial(
        _load_from_keras, "fashion_mnist.npz", keras.datasets.fashion_mnist.load_data
    ),
    "drawn": lambda own: _load_drawn(DRAWN, DRAWN_TO_TEST),
    # Without the file, drawn digits stand in: enough to compare two forms of a network.
    "own": lambda own: _load_own(own) if own else _load_drawn(DRAWN, DRAWN_TO_TEST),
}


def _splits(config: TrainConfig, own: Path | None) -> Callable[[str], Examples]:
    """Return what gives the examples of each split; digits are read once for all.

    Raises:
        OSError: if they cannot be had.
    """
    if config.data in LOADERS:
        return partial(split_digits, *load_pictures(config.data, own))
    return partial(find_task(config.task).data[config.data].load, data_folder())


class Batches(keras.utils.PyDataset):
    """Batches ``(tensors, target)`` of one epoch, as the config's task makes them.

    Set ``epoch`` to have those of another.  The batches before ``first_batch`` are left out.
    """

    def __init__(
        self,
        examples: Examples,
        config: TrainConfig,
        first_epoch: int = 0,
        first_batch: int = 0,
    ) -> None:
        super().__init__()
        self.task, self.examples, self.config = find_task(config.task), examples, config
        self.epoch, self.first_batch = first_epoch, first_batch
        self._order_of = (-1, None)
        if config.noise and not config.fresh_noise:
            self.examples = _degraded_once(examples, config)

    @property
    def batches_an_epoch(self) -> int:
        """How many batches a whole epoch has."""
        if self.task.walk == "crops":
            return self.config.epoch_batches
        return -(-len(self.examples) // self.config.batch)

    def __len__(self) -> int:
        return self.batches_an_epoch - self.first_batch

    def __getitem__(self, index: int) -> tuple[Tensors, np.ndarray]:
        config, batch = self.config, index + self.first_batch
        rng = quick_generator(config.seed, DEGRADE, self.epoch, batch)
        if self.task.walk == "crops":
            chosen = rng.integers(len(self.examples), size=config.batch)
        else:
            chosen = self._order()[batch * config.batch : (batch + 1) * config.batch]
        return self.task.batch(self.examples, chosen, config, rng)

    def examples_up_to(self, index: int) -> int:
        """Return how many examples there are in the batches up to and with ``index``."""
        if self.task.walk == "crops":
            return (index + 1) * self.config.batch
        end = (index + 1 + self.first_batch) * self.config.batch
        return min(end, len(self.examples)) - self.first_batch * self.config.batch

    def _order(self) -> np.ndarray:
        """The shuffled order of this epoch."""
        epoch, order = self._order_of
        if epoch != self.epoch:
            rng = np.random.default_rng((self.config.seed, SHUFFLE, self.epoch))
            order = rng.permutation(len(self.examples))
            self._order_of = (self.epoch, order)
        return order


def _degraded_once(examples: Examples, config: TrainConfig) -> Examples:
    """Return the examples with inputs, ``float16``: exact to a sixteenth of a grey value.

    They are made a part at a time: all at once take more memory than the rest of a training.
    """
    rng = np.random.default_rng((config.seed, ONCE))
    noisy = np.empty(examples.targets.shape, np.float16)
    for first in range(0, len(examples), PART):
        part = slice(first, first + PART)
        noisy[part] = degrade(to_image(examples.targets[part]), config.noise, rng)
    return dataclasses.replace(examples, inputs=noisy)


def split(
    config: TrainConfig, first_epoch: int = 0, first_batch: int = 0, own: Path | None = None
) -> tuple[Batches, tuple[Tensors, np.ndarray]]:
    """Return the training batches and the validation arrays ``(tensors, target)``.

    The validation noise is drawn once, so that its curve moves with the network alone.
    ``own`` is the file with the visitor's own pictures, where they are the data.
    """
    examples = _splits(config, own)
    rng = np.random.default_rng((config.seed, VALIDATE))
    validation = find_task(config.task).validation(examples("validation"), config, rng)
    return Batches(examples("train"), config, first_epoch, first_batch), validation
