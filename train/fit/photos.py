"""Training data of photos: random crops, spoiled afresh, each with the level of its noise.

The photos lie decoded in memory.  As with digits, the same seed gives the same batches, whatever
was trained before.  A network for photos takes ``(noisy, level)``: pictures ``(N, H, W, 3)`` that
may leave [0, 1], and maps ``(N, H, W, 1)`` of the noise's standard deviation.
"""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from imaging import metrics
from imaging.impulses import map_of_levels, without_impulses
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from train.config import TrainConfig, data_folder
from train.fit.data import SPOIL, VALIDATE, to_unit

VALIDATION_EVERY = 25  # Every 25th photo is kept back.
CAMERA_EVERY = 4  # Every 4th scene is kept back.
CAMERA_SHARE = 0.8
# How often lost pixels are filled and marked on the map of levels, and how often such a picture
# has Gaussian noise besides, up to which level.
MARKED_SHARE, MIXED_SHARE, MIXED_LEVEL = 0.85, 0.3, 0.2
CAMERA = 5  # The stream of random numbers that picks the pairs; see train.data.
VALIDATION_CROP = 128
VALIDATION_SIGMAS = (15 / 255, 25 / 255, 50 / 255)
# A photo on a screen was clipped and rounded to 8 bits, one in a paper was not: serve both.
CLIPPED_SHARE = 0.4
GREY_SHARE = 0.1
RESCALED_SHARE, SMALLEST_SCALE = 0.5, 0.5
# How far off the level may be that the network is told.  A visitor's estimate is never exact, and
# errors of transmission and compression are seen in the picture, whatever the level says.
LEVEL_ERROR = {
    "poisson": (0.6, 1.5),
    "speckle": (0.6, 1.5),
    "salt-and-pepper": (0, 1),  # Where lost pixels are not marked.
    "jpeg": (0, 1.2),
}


def load_photos() -> list[np.ndarray]:
    """Load all training photos, each ``uint8 (H, W, 3)``, in the order of their names.

    Raises:
        OSError: if there are none, or one cannot be read.
    """
    return [_open(path) for path in _files("photos/train", "*.jpg")]


def load_pairs() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Load PolyU's pictures of camera noise by scene: ``(truth, noisy)``, ``uint8 (H, W, 3)``.

    The truth is the mean of many exposures of one scene.  A scene is seen in several crops.

    Raises:
        OSError: if there are none, or one cannot be read.
    """
    scenes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in _files("polyu", "*_real.JPG"):
        name = path.name.removesuffix("_real.JPG")
        pair = _open(path.with_name(f"{name}_mean.JPG")), _open(path)
        # Crops of one scene are called plant_3 and plant__4.
        scenes.setdefault(name.rpartition("_")[0].rstrip("_"), []).append(pair)
    return scenes


def held_out_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``(clean, noisy)`` of the scenes that are never trained on, ``float32`` in [0, 1]."""
    scenes = load_pairs()
    chosen = sorted(scenes)[::CAMERA_EVERY]
    return [(to_unit(clean), to_unit(noisy)) for name in chosen for clean, noisy in scenes[name]]


class PhotoBatches(keras.utils.PyDataset):
    """Batches ``((noisy, level), clean)`` of random crops; see ``fit.data.TrainingBatches``."""

    def __init__(
        self,
        photos: list[np.ndarray],
        config: TrainConfig,
        first_epoch: int = 0,
        first_batch: int = 0,
    ) -> None:
        super().__init__()
        smallest = min((photo.shape[:2] for photo in photos), key=min)
        if min(smallest) < config.crop:
            height, width = smallest
            raise ValueError(
                f"crops of {config.crop} pixels do not fit into a photo of {width} x {height}"
            )
        self.photos, self.config = photos, config
        self.epoch, self.first_batch = first_epoch, first_batch
        self.picture_shape = (config.crop, config.crop, 3)
        self.batches_an_epoch = config.epoch_batches

    def __len__(self) -> int:
        return self.batches_an_epoch - self.first_batch

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        config = self.config
        rng = np.random.default_rng((config.seed, SPOIL, self.epoch, index + self.first_batch))
        chosen = rng.integers(len(self.photos), size=config.batch)
        clean = np.stack([random_crop(self.photos[one], config.crop, rng) for one in chosen])
        return spoil_photos(clean, config, rng)

    def pictures_up_to(self, index: int) -> int:
        """Return how many crops there are in the batches up to and with ``index``."""
        return (index + 1) * self.config.batch


class CameraBatches(PhotoBatches):
    """Batches of a camera's own noise: crops of pairs, and a share with noise added as above.

    The level is what a visitor's picture would be given, an estimate, with an error of its own.
    """

    def __init__(self, pairs: list[tuple[np.ndarray, np.ndarray]], config: TrainConfig) -> None:
        super().__init__([clean for clean, _ in pairs], config)
        self.pairs = pairs
        self.levels = [estimate_level(noisy) for _, noisy in pairs]

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        (noisy, level), clean = super().__getitem__(index)
        config = self.config
        rng = np.random.default_rng((config.seed, CAMERA, self.epoch, index + self.first_batch))
        for place in np.flatnonzero(rng.random(config.batch) < CAMERA_SHARE):
            chosen = rng.integers(len(self.pairs))
            both = np.concatenate(self.pairs[chosen], axis=2)
            crop = _turned_crop(both, config.crop, rng)
            clean[place], noisy[place] = to_unit(crop[..., :3]), to_unit(crop[..., 3:])
            level[place] = self.levels[chosen] * rng.uniform(*LEVEL_ERROR["poisson"])
        return (noisy, level), clean


def split_photos(
    config: TrainConfig,
) -> tuple[PhotoBatches, tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """Return the training batches and the validation arrays ``((noisy, level), clean)``."""
    return _split_camera(config) if config.data == "polyu" else _split_photos(config)


def _split_photos(config: TrainConfig):
    """Validate on Gaussian noise alone, unclipped, at the three levels that papers report."""
    photos = load_photos()
    held_out = photos[::VALIDATION_EVERY]
    training = [photo for index, photo in enumerate(photos) if index % VALIDATION_EVERY]
    clean = to_unit(np.stack([_middle(photo, VALIDATION_CROP) for photo in held_out]))
    sigmas = np.resize(np.float32(VALIDATION_SIGMAS), len(clean)).reshape(-1, 1, 1, 1)
    rng = np.random.default_rng((config.seed, VALIDATE))
    noisy = clean + sigmas * rng.standard_normal(clean.shape, np.float32)
    level = np.broadcast_to(sigmas, (*clean.shape[:3], 1)).copy()
    return PhotoBatches(training, config), ((noisy, level), clean)


def _split_camera(config: TrainConfig):
    """Validate on scenes that are neither trained on nor measured at the end."""
    scenes = load_pairs()
    names = [name for index, name in enumerate(sorted(scenes)) if index % CAMERA_EVERY]
    training = [pair for name in names[2:] for pair in scenes[name]]
    watched = [pair for name in names[:2] for pair in scenes[name]]
    clean, noisy = (
        to_unit(np.stack([_middle(pair[side], VALIDATION_CROP) for pair in watched]))
        for side in (0, 1)
    )
    levels = np.float32([estimate_level(pair[1]) for pair in watched]).reshape(-1, 1, 1, 1)
    level = np.broadcast_to(levels, (*clean.shape[:3], 1)).copy()
    return CameraBatches(training, config), ((noisy, level), clean)


def random_crop(photo: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return a ``float32 (side, side, 3)`` crop: turned, mirrored, half of them made smaller."""
    height, width = photo.shape[:2]
    source = side
    if rng.random() < RESCALED_SHARE:
        source = min(round(side / rng.uniform(SMALLEST_SCALE, 1)), height, width)
    top, left = rng.integers(height - source + 1), rng.integers(width - source + 1)
    crop = photo[top : top + source, left : left + source]
    if source != side:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    return to_unit(_turned_crop(crop, side, rng))


def _turned_crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a ``(side, side, C)`` piece out of the picture, turned and perhaps mirrored."""
    height, width = picture.shape[:2]
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = np.rot90(picture[top : top + side, left : left + side], rng.integers(4))
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def spoil_photos(
    clean: np.ndarray, config: TrainConfig, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return ``((noisy, level), clean)`` of a batch; some of its pictures become grey."""
    shares = np.array([entry.share for entry in config.noise])
    clean, noisy = clean.copy(), np.empty_like(clean)
    levels = np.empty((*clean.shape[:3], 1), np.float32)
    kinds = rng.choice(len(shares), size=len(clean), p=shares / shares.sum())
    for index, kind in enumerate(kinds):
        picture, entry = clean[index], config.noise[kind]
        if rng.random() < GREY_SHARE:
            picture[:] = picture.mean(axis=2, keepdims=True)
            picture = picture[..., :1]  # Grey noise too: it is the same in all channels.
        strength = rng.uniform(entry.low, entry.high)
        if entry.kind == "salt-and-pepper" and rng.random() < MARKED_SHARE:
            noisy[index], levels[index] = _filled_and_marked(picture, strength, rng)
            continue
        spoiled = PHOTO_NOISE_KINDS[entry.kind].corrupt(picture, strength, rng)
        if rng.random() < CLIPPED_SHARE:
            spoiled = _in_8_bits(spoiled)
        noisy[index] = spoiled
        if entry.kind in LEVEL_ERROR:
            levels[index] = metrics.rms(picture, spoiled) * rng.uniform(*LEVEL_ERROR[entry.kind])
        else:
            levels[index] = strength
    return (noisy, levels), clean


def _filled_and_marked(
    clean: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``clean`` with lost pixels that were filled in, and its map of levels."""
    level = rng.uniform(0, MIXED_LEVEL) if rng.random() < MIXED_SHARE else 0.0
    spoiled = clean + np.float32(level) * rng.standard_normal(clean.shape, np.float32)
    spoiled = PHOTO_NOISE_KINDS["salt-and-pepper"].corrupt(_in_8_bits(spoiled), share, rng)
    filled, lost = without_impulses(spoiled)
    return filled, map_of_levels(lost, level)


def _in_8_bits(picture: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(picture, 0, 1) * 255) / np.float32(255)


def _middle(photo: np.ndarray, side: int) -> np.ndarray:
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


def _files(folder: str, pattern: str) -> list[Path]:
    root = data_folder()
    if root is None:
        raise OSError("photos are looked for in DENOISE_DATA_DIR, which names no folder")
    files = sorted((root / folder).glob(pattern))
    if not files:
        raise OSError(f"there are no photos in {root / folder}")
    return files


def _open(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))
