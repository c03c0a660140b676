"""Data sets of 28 x 28 grey pictures, and what the two tasks on them share.

MNIST and Fashion-MNIST are read from a folder here; ``train.fit.data`` downloads them, and draws or
reads the others.

Pictures are ``(N, 28, 28, 1)``, 8-bit in a data set, ``float32`` in [0, 1] for a network.
"""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from imaging.named import by_name
from imaging.noise import NOISE_KINDS
from imaging.pixels import to_image
from imaging.samples.synthetic_digits import draw_digits
from models.tasks.contract import SPLITS, DataSet, Examples, Settings
from models.tasks.data_folder import keras_folder

MOST_VALIDATION = 2000

Pictures = tuple[np.ndarray, np.ndarray]  # 8-bit (N, 28, 28, 1) with their labels (N,)


def read_archive(path: Path) -> tuple[Pictures, Pictures]:
    """Read training and test pictures as Keras keeps MNIST; ``OSError`` where that fails."""
    try:
        # Opened here, because NumPy leaves a damaged archive open.
        with path.open("rb") as file, np.load(file) as arrays:
            return (
                (arrays["x_train"], arrays["y_train"]),
                (arrays["x_test"], arrays["y_test"]),
            )
    except Exception as error:  # A damaged archive raises one of half a dozen types.
        raise OSError(f"{path} cannot be read: {error}") from error


def read_held_out(folder: Path | None) -> Pictures:
    """Return MNIST's test digits alone; ``OSError`` where they cannot be had."""
    if folder is None:
        raise OSError("DENOISE_DATA_DIR names no folder")
    try:
        with (folder / f"{REPORTED}.npz").open("rb") as file, np.load(file) as arrays:
            return arrays["x_test"][..., None], arrays["y_test"]
    except Exception as error:  # A damaged archive raises one of half a dozen types.
        raise OSError(f"the test digits cannot be read: {error}") from error


def validation_count(pictures: int) -> int:
    """Return how many of the training pictures, the last ones, are kept back for validation.

    These are 2,000, or a fifth where there are few.
    """
    return min(MOST_VALIDATION, pictures // 5)


def split_digits(train: Pictures, test: Pictures, split: str) -> Examples:
    """Return the examples of a split."""
    last = validation_count(len(train[0]))
    pictures, labels = {
        "train": (train[0][:-last], train[1][:-last]),
        "validation": (train[0][-last:], train[1][-last:]),
        "test": test,
    }[split]
    return Examples(pictures, labels=labels)


@lru_cache(maxsize=1)
def _archive(path: Path) -> tuple[Pictures, Pictures]:
    (train, labels), (test, test_labels) = read_archive(path)
    return (train[..., None], labels), (test[..., None], test_labels)


def _from_folder(file_name: str, folder: Path | None, split: str) -> Examples:
    if folder is None or not (folder / file_name).is_file():
        raise OSError(f"there is no {file_name} in the folder that DENOISE_DATA_DIR names")
    return split_digits(*_archive(folder / file_name), split)


def handwritten(folder: Path | None, split: str, most: int) -> Pictures:
    """Return up to ``most`` digits of a split: those of MNIST where it is, else drawn ones.

    MNIST is looked for in the folder, and where Keras keeps what it has downloaded.
    """
    file_name = f"{REPORTED}.npz"
    for place in (folder, keras_folder() / "datasets"):
        if place is not None and (place / file_name).is_file():
            examples = _from_folder(file_name, place, split)
            return examples.targets[:most], examples.labels[:most]
    return draw_digits(most, seed=SPLITS.index(split))


def _made_by_training(name: str, folder: Path | None, split: str) -> Examples:
    raise OSError(f"the data set {name!r} is made where a training starts")


# The first is the one that numbers are reported on.
DIGIT_SETS: dict[str, DataSet] = by_name(
    [
        DataSet("mnist", "MNIST", partial(_from_folder, "mnist.npz"), has_labels=True),
        DataSet("fashion-mnist", "Fashion-MNIST", partial(_from_folder, "fashion_mnist.npz")),
        DataSet("drawn", "Drawn digits", partial(_made_by_training, "drawn")),
        DataSet("own", "Own pictures", partial(_made_by_training, "own"), uploaded=True),
    ]
)


REPORTED = next(iter(DIGIT_SETS))


def degrade(clean: np.ndarray, noise: tuple, rng: np.random.Generator) -> np.ndarray:
    """Return the batch ``(N, H, W, C)`` with noise, clipped to [0, 1]; one kind a picture."""
    if not noise:
        return clean
    shares = np.array([entry.share for entry in noise])
    choice = rng.choice(len(noise), size=len(clean), p=shares / shares.sum())
    noisy = np.empty_like(clean)
    for index, entry in enumerate(noise):
        # Where there is one kind all have it, and need not be picked.
        chosen = slice(None) if len(noise) == 1 else choice == index
        pictures = clean[chosen]
        if len(pictures):
            strengths = rng.uniform(entry.low, entry.high, (len(pictures), 1, 1, 1))
            noisy[chosen] = NOISE_KINDS[entry.kind].corrupt(pictures, strengths, rng)
    return np.clip(noisy, 0, 1, out=noisy)


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


def noisy_and_clean(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(noisy, clean)`` of the chosen pictures, ``float32 (N, 28, 28, 1)`` in [0, 1].

    Noise that was drawn once for the whole training lies in ``examples.inputs``, as ``float16``.
    """
    clean = to_image(examples.targets[chosen])
    if settings.augment:
        clean = augment(clean, rng)
    if examples.inputs is not None:
        # Looked up: NumPy takes ten times as long to work out the value of a float16.
        which = examples.inputs[chosen].view(np.uint16)
        return np.take(_values_of_halves(), which, mode="wrap"), clean
    return degrade(clean, settings.noise, rng), clean


@lru_cache(maxsize=1)
def _values_of_halves() -> np.ndarray:
    """Return the value of every ``float16``, by its bits."""
    return np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(noisy, clean)`` of all examples; the noise is drawn once."""
    clean = to_image(examples.targets)
    return degrade(clean, settings.noise, rng), clean
