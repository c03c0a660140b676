"""Training data of photos: random crops, degraded afresh, each with the level of its noise.

The photos are decoded in memory.  A network for photos takes ``(noisy, level)``: pictures
``(N, H, W, 3)`` that may leave [0, 1], and maps ``(N, H, W, 1)`` of the noise's standard deviation.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from imaging import metrics
from imaging.impulses import map_of_levels, without_impulses
from imaging.named import by_name
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from imaging.pixels import to_image
from models.tasks.contract import DataSet, Examples, Settings

# What is measured on: photos with noise added, and a camera's own noise.
KODAK24, POLYU = "kodak24", "polyu"
VALIDATION_EVERY, SHARP_EVERY = 25, 10  # Every 25th photo, and every 10th sharp one, is kept back.
CAMERA_EVERY = 4  # Every 4th scene is kept back.
CAMERA_SHARE = 0.8
# How often lost pixels are filled and marked on the map of levels, and how often such a picture
# has Gaussian noise besides, up to which level.
MARKED_SHARE, MIXED_SHARE, MIXED_LEVEL = 0.85, 0.3, 0.2
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
    "camera": (0.8, 1.25),
}


@lru_cache(maxsize=1)
def load_photos(folder: Path | None) -> list[np.ndarray]:
    """Load all training photos, each ``uint8 (H, W, 3)``, in the order of their names.

    Raises:
        OSError: if there are none, or one cannot be read.
    """
    return [_open(path) for path in _files(folder, "photos/train", "*.jpg")]


@lru_cache(maxsize=1)
def load_pairs(folder: Path | None) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Load PolyU's pictures of camera noise by scene: ``(truth, noisy)``, ``uint8 (H, W, 3)``.

    The truth is the mean of many exposures of one scene.  A scene is seen in several crops.

    Raises:
        OSError: if there are none, or one cannot be read.
    """
    scenes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in _files(folder, "polyu", "*_real.JPG"):
        name = path.name.removesuffix("_real.JPG")
        pair = _open(path.with_name(f"{name}_mean.JPG")), _open(path)
        # Crops of one scene are called plant_3 and plant__4.
        scenes.setdefault(name.rpartition("_")[0].rstrip("_"), []).append(pair)
    return scenes


@lru_cache(maxsize=1)
def _levels_of_pairs(folder: Path | None) -> dict[str, list[float]]:
    pairs = load_pairs(folder)
    return {name: [estimate_level(noisy) for _, noisy in pairs[name]] for name in pairs}


def _photos(folder: Path | None, split: str) -> Examples:
    """Every 25th photo is for the validation; what is measured, Kodak24, lies elsewhere."""
    photos = load_photos(folder)
    if split == "test":
        return Examples([_open(path) for path in _files(folder, "photos/kodak24", "*.*")])
    kept_back = [index % VALIDATION_EVERY == 0 for index in range(len(photos))]
    wanted = split == "validation"
    return Examples(
        [photo for photo, kept in zip(photos, kept_back, strict=True) if kept == wanted]
    )


def _camera(folder: Path | None, split: str) -> Examples:
    """Split by scene; the level of each picture, an estimate, takes the place of a label."""
    pairs, levels = load_pairs(folder), _levels_of_pairs(folder)
    tested = sorted(pairs)[::CAMERA_EVERY]
    trained = [name for index, name in enumerate(sorted(pairs)) if index % CAMERA_EVERY]
    names = {"train": trained[2:], "validation": trained[:2], "test": tested}[split]
    chosen = [pair for name in names for pair in pairs[name]]
    return Examples(
        [clean for clean, _ in chosen],
        [noisy for _, noisy in chosen],
        np.float32([level for name in names for level in levels[name]]),
    )


PHOTO_SETS: dict[str, DataSet] = by_name(
    [
        DataSet(
            "photos",
            "Photos",
            _photos,
            "Trained on photos of BSDS500 and ImageNet, which are licensed for research, on PolyU, "
            "which is licensed for non-commercial use, and on pictures of 27 public repositories.",
        ),
        DataSet(
            POLYU,
            "PolyU",
            _camera,
            "Tuned on the PolyU data set, which is licensed for non-commercial use.",
        ),
    ]
)


def held_out_pairs(folder: Path | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``(clean, noisy)`` of the scenes that are never trained on, ``float32`` in [0, 1]."""
    tested = _camera(folder, "test")
    return [
        (to_image(clean), to_image(noisy))
        for clean, noisy in zip(tested.targets, tested.inputs, strict=True)
    ]


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return ``((noisy, level), clean)`` of crops ``(N, crop, crop, 3)`` of the chosen photos.

    Where the examples are pairs, most crops are of them: a camera's own noise, with the level that
    a visitor's picture would be given, an estimate, and an error of its own.
    """
    require_large_enough(examples.targets, settings.crop)
    clean = np.stack([random_crop(examples.targets[one], settings.crop, rng) for one in chosen])
    (noisy, level), clean = degrade_photos(clean, settings.noise, rng)
    if examples.inputs is not None:
        for place in np.flatnonzero(rng.random(len(chosen)) < CAMERA_SHARE):
            pair = rng.integers(len(examples))
            both = np.concatenate([examples.targets[pair], examples.inputs[pair]], axis=2)
            crop = _turned_crop(both, settings.crop, rng)
            clean[place], noisy[place] = to_image(crop[..., :3]), to_image(crop[..., 3:])
            level[place] = examples.labels[pair] * rng.uniform(*LEVEL_ERROR["poisson"])
    return (noisy, level), clean


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the middles of the examples, with a camera's noise or with Gaussian noise, unclipped.

    The Gaussian noise is at the three levels that papers report.
    """
    clean = to_image(np.stack([_middle(photo, VALIDATION_CROP) for photo in examples.targets]))
    if examples.inputs is None:
        levels = np.resize(np.float32(VALIDATION_SIGMAS), len(clean)).reshape(-1, 1, 1, 1)
        noisy = clean + levels * rng.standard_normal(clean.shape, np.float32)
    else:
        noisy = to_image(np.stack([_middle(photo, VALIDATION_CROP) for photo in examples.inputs]))
        levels = examples.labels.reshape(-1, 1, 1, 1)
    return (noisy, np.broadcast_to(levels, (*clean.shape[:3], 1)).copy()), clean


def require_large_enough(photos: list[np.ndarray], crop: int) -> None:
    """Raise ``ValueError`` where crops of this side do not fit into a photo ``(H, W, 3)``."""
    height, width = min((photo.shape[:2] for photo in photos), key=min)
    if min(height, width) < crop:
        raise ValueError(f"crops of {crop} pixels do not fit into a photo of {width} x {height}")


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
    return to_image(_turned_crop(crop, side, rng))


def _turned_crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a ``(side, side, C)`` piece out of the picture, turned and perhaps mirrored."""
    height, width = picture.shape[:2]
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = np.rot90(picture[top : top + side, left : left + side], rng.integers(4))
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def degrade_photos(
    clean: np.ndarray, noise: tuple, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return ``((noisy, level), clean)`` of a batch; some of its pictures become grey."""
    shares = np.array([entry.share for entry in noise])
    clean, noisy = clean.copy(), np.empty_like(clean)
    levels = np.empty((*clean.shape[:3], 1), np.float32)
    kinds = rng.choice(len(shares), size=len(clean), p=shares / shares.sum())
    for index, kind in enumerate(kinds):
        picture, entry = clean[index], noise[kind]
        if rng.random() < GREY_SHARE:
            picture[:] = picture.mean(axis=2, keepdims=True)
            picture = picture[..., :1]  # Grey noise too: it is the same in all channels.
        strength = rng.uniform(entry.low, entry.high)
        if entry.kind == "salt-and-pepper" and rng.random() < MARKED_SHARE:
            noisy[index], levels[index] = _filled_and_marked(picture, strength, rng)
            continue
        degraded = PHOTO_NOISE_KINDS[entry.kind].corrupt(picture, strength, rng)
        if rng.random() < CLIPPED_SHARE:
            degraded = _in_8_bits(degraded)
        noisy[index] = degraded
        if entry.kind in LEVEL_ERROR:
            levels[index] = metrics.rms(picture, degraded) * rng.uniform(*LEVEL_ERROR[entry.kind])
        else:
            levels[index] = strength
    return (noisy, levels), clean


def _filled_and_marked(
    clean: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``clean`` with lost pixels that were filled in, and its map of levels."""
    level = rng.uniform(0, MIXED_LEVEL) if rng.random() < MIXED_SHARE else 0.0
    degraded = clean + np.float32(level) * rng.standard_normal(clean.shape, np.float32)
    degraded = PHOTO_NOISE_KINDS["salt-and-pepper"].corrupt(_in_8_bits(degraded), share, rng)
    filled, lost = without_impulses(degraded)
    return filled, map_of_levels(lost, level)


def _in_8_bits(picture: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(picture, 0, 1) * 255) / np.float32(255)


def _middle(photo: np.ndarray, side: int) -> np.ndarray:
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


def _files(root: Path | None, folder: str, pattern: str) -> list[Path]:
    if root is None:
        raise OSError("photos are looked for in DENOISE_DATA_DIR, which names no folder")
    files = sorted((root / folder).glob(pattern))
    if not files:
        raise OSError(f"there are no photos in {root / folder}")
    return files


def _open(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))
