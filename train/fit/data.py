"""Training data: where pictures come from, and the batches made of them.

The same seed gives the same batches: pictures are shuffled, augmented and spoiled by
generators that depend on seed, epoch and batch number alone, so that a training that was
stopped goes on with exactly the batches it would have seen.
"""

import os
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
from scipy.ndimage import affine_transform

from imaging.noise import NOISE_KINDS
from imaging.synthetic_digits import draw_digits
from train.config import FEWEST_OWN, Noise, TrainConfig, data_folder
from train.run_folder import write_whole

KERAS_LOADERS = {
    "mnist": ("mnist.npz", keras.datasets.mnist.load_data),
    "fashion-mnist": ("fashion_mnist.npz", keras.datasets.fashion_mnist.load_data),
}
MOST_VALIDATION = 2000
PART = 2000  # Pictures that are spoiled at once where all are spoiled beforehand.
DRAWN, DRAWN_TO_TEST = 20_000, 2_000

# Each use of randomness has its own stream, so that adding one does not shift the others.
SHUFFLE, SPOIL, ONCE, VALIDATE, WATCH = range(5)


Pictures = tuple[np.ndarray, np.ndarray]  # with their labels


def load_pictures(data: str, own: Path | None = None) -> tuple[Pictures, Pictures]:
    """Load ``((pictures, labels), (test_pictures, test_labels))``.

    Pictures are ``uint8`` of shape ``(N, 28, 28, 1)``, labels ``uint8`` of shape ``(N,)``.
    MNIST and Fashion-MNIST are looked for in ``DENOISE_DATA_DIR`` first, then in the cache of
    Keras, and then downloaded.  The visitor's own pictures lie in the file ``own``; where none
    is named, drawn digits stand in for them, which is enough to compare two forms of a network.

    Raises:
        OSError: if the data cannot be had, or is damaged.
        ValueError: if there is no such data set.
    """
    if data == "own" and own is not None:
        return _load_own(own)
    if data in ("drawn", "own"):
        return _load_drawn(DRAWN, DRAWN_TO_TEST)
    if data not in KERAS_LOADERS:
        known = ", ".join([*KERAS_LOADERS, "drawn", "own"])
        raise ValueError(f"unknown data set {data!r}; known: {known}")
    file_name, load = KERAS_LOADERS[data]
    folder = data_folder()
    if folder is not None and (folder / file_name).is_file():
        train, test = _read(folder / file_name)
    else:
        try:
            train, test = load()
        except Exception as error:  # Keras raises a bare Exception when a download fails.
            raise OSError(
                f"{data} is neither in DENOISE_DATA_DIR nor can it be downloaded: {error}. "
                "The drawn digits are always there."
            ) from error
    return (train[0][..., None], train[1]), (test[0][..., None], test[1])


@lru_cache(maxsize=1)
def _load_drawn(count: int, count_to_test: int) -> tuple[Pictures, Pictures]:
    """Draw the digits, or read those that an earlier training has drawn."""
    kept = _keras_home() / "datasets" / f"drawn-{count}-{count_to_test}.npz"
    try:
        train, test = _read(kept)
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


def _keras_home() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


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
    if len(pictures) < FEWEST_OWN:
        raise OSError(f"at least {FEWEST_OWN} own pictures are needed, got {len(pictures)}")
    to_test = np.arange(len(pictures)) % 10 == 9
    train, test = pictures[~to_test], pictures[to_test]
    return (train, np.zeros(len(train), np.uint8)), (test, np.zeros(len(test), np.uint8))


def _read(path: Path) -> tuple[Pictures, Pictures]:
    """Read an archive as Keras keeps MNIST; raise ``OSError`` where it cannot be read."""
    try:
        # Opened here, because NumPy leaves a damaged archive open.
        with path.open("rb") as file, np.load(file) as arrays:
            return (
                (arrays["x_train"], arrays["y_train"]),
                (arrays["x_test"], arrays["y_test"]),
            )
    except Exception as error:  # A damaged archive raises one of half a dozen types.
        raise OSError(f"{path} cannot be read: {error}") from error


def to_unit(pictures: np.ndarray) -> np.ndarray:
    """Return 8-bit pictures as ``float32`` in [0, 1]."""
    return pictures.astype(np.float32) / np.float32(255)


def spoil(clean: np.ndarray, noise: tuple[Noise, ...], rng: np.random.Generator) -> np.ndarray:
    """Return the batch ``(N, H, W, C)`` with noise, clipped to [0, 1]; one kind a picture."""
    if not noise:
        return clean
    shares = np.array([entry.share for entry in noise])
    choice = rng.choice(len(noise), size=len(clean), p=shares / shares.sum())
    noisy = np.empty_like(clean)
    for index, entry in enumerate(noise):
        chosen = choice == index
        if chosen.any():
            strengths = rng.uniform(entry.low, entry.high, (int(chosen.sum()), 1, 1, 1))
            noisy[chosen] = NOISE_KINDS[entry.kind].corrupt(clean[chosen], strengths, rng)
    return np.clip(noisy, 0, 1)


def augment(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn by up to 12 degrees, stretch by up to 12 %, shear and shift each picture a little."""
    turned = np.empty_like(pictures)
    middle = (np.array(pictures.shape[1:3]) - 1) / 2
    for picture, out in zip(pictures, turned, strict=True):
        angle, shear = np.deg2rad(rng.uniform(-12, 12)), rng.uniform(-0.15, 0.15)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        matrix = turn @ np.array([[1, shear], [0, 1]]) / rng.uniform(0.88, 1.12, (2, 1))
        offset = middle - matrix @ (middle + rng.uniform(-2, 2, 2))
        affine_transform(picture[..., 0], matrix, offset, output=out[..., 0], order=1)
    return turned


class TrainingBatches(keras.utils.PyDataset):
    """Batches ``(input, target)`` of one epoch.

    Set ``epoch`` to have those of another.  The batches before ``first_batch`` are left out.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        labels: np.ndarray,
        config: TrainConfig,
        first_epoch: int = 0,
        first_batch: int = 0,
    ) -> None:
        super().__init__()
        self.pictures, self.labels, self.config = pictures, labels, config
        self.epoch, self.first_batch = first_epoch, first_batch
        self.picture_shape = pictures.shape[1:]
        self._order_of = (-1, None)
        self._noisy_once = None
        if config.noise and not config.fresh_noise:
            self._noisy_once = _spoil_once(pictures, config)

    @property
    def batches_an_epoch(self) -> int:
        """How many batches a whole epoch has."""
        return -(-len(self.pictures) // self.config.batch)

    def __len__(self) -> int:
        return self.batches_an_epoch - self.first_batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        config, batch = self.config, index + self.first_batch
        chosen = self._order()[batch * config.batch : (batch + 1) * config.batch]
        rng = np.random.default_rng((config.seed, SPOIL, self.epoch, batch))
        clean = to_unit(self.pictures[chosen])
        if config.augment:
            clean = augment(clean, rng)
        if self._noisy_once is not None:
            noisy = self._noisy_once[chosen].astype(np.float32)
        else:
            noisy = spoil(clean, config.noise, rng)
        return noisy, self.labels[chosen] if config.target == "label" else clean

    def pictures_up_to(self, index: int) -> int:
        """Return how many pictures there are in the batches up to and with ``index``."""
        end = (index + 1 + self.first_batch) * self.config.batch
        return min(end, len(self.pictures)) - self.first_batch * self.config.batch

    def _order(self) -> np.ndarray:
        """The shuffled order of this epoch."""
        epoch, order = self._order_of
        if epoch != self.epoch:
            rng = np.random.default_rng((self.config.seed, SHUFFLE, self.epoch))
            order = rng.permutation(len(self.pictures))
            self._order_of = (self.epoch, order)
        return order


def _spoil_once(pictures: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Return all pictures with noise, ``float16``: exact to a sixteenth of a grey value.

    They are spoiled a part at a time: all at once take more memory than the rest of a training.
    """
    rng = np.random.default_rng((config.seed, ONCE))
    noisy = np.empty(pictures.shape, np.float16)
    for first in range(0, len(pictures), PART):
        part = slice(first, first + PART)
        noisy[part] = spoil(to_unit(pictures[part]), config.noise, rng)
    return noisy


def validation_count(pictures: int) -> int:
    """Return how many of the training pictures, the last ones, are kept back for validation.

    These are 2,000, or a fifth where there are few.
    """
    return min(MOST_VALIDATION, pictures // 5)


def split_and_spoil(
    config: TrainConfig, first_epoch: int = 0, first_batch: int = 0, own: Path | None = None
) -> tuple[TrainingBatches, tuple[np.ndarray, np.ndarray]]:
    """Return the training batches and the validation arrays ``(input, target)``.

    The validation noise is drawn once, so that its curve moves with the network alone.
    ``own`` is the file with the visitor's own pictures, where they are the data.
    """
    (pictures, labels), _ = load_pictures(config.data, own)
    kept_back = validation_count(len(pictures))
    batches = TrainingBatches(
        pictures[:-kept_back], labels[:-kept_back], config, first_epoch, first_batch
    )
    clean = to_unit(pictures[-kept_back:])
    noisy = spoil(clean, config.noise, np.random.default_rng((config.seed, VALIDATE)))
    target = labels[-kept_back:] if config.target == "label" else clean
    return batches, (noisy, target)
