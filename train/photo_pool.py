"""Spoiled crops of photos that other processes make while a network trains on an accelerator.

What needs a codec, a filter or a whole camera cannot be made on the accelerator.  Each process
writes one file of crops after the other into a folder; whoever trains reads and removes them.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.camera import Camera, degrade, draw_camera
from imaging.impulses import without_impulses
from imaging.noise import PHOTO_NOISE_KINDS
from models.tasks.data_folder import data_folder
from models.tasks.denoise_photos.data import (
    MARKED_SHARE,
    MIXED_LEVEL,
    MIXED_SHARE,
    SHARP_EVERY,
    VALIDATION_EVERY,
)
from train.patterns import with_pattern
from train.run_folder import write_whole

# How often each kind is drawn, and between which strengths.
SHARES = {
    "camera": (0.52, 0, 0),  # drawn by ``draw_camera``
    "jpeg": (0.18, 2, 95),
    "poisson": (0.12, 0.0, 0.5),
    "speckle": (0.06, 0.0, 0.6),
    "salt-and-pepper": (0.12, 0.0, 0.5),
}
KINDS = tuple(SHARES)
GREY_SHARE, PATTERN_SHARE = 0.22, 0.12
RESCALED_SHARE, MOST_REDUCED = 0.5, 2.0
# The folders of pictures, how often a crop is from one, and every how manieth, by name, is kept
# back: for watching a training, for measuring at the end, none.
SOURCES = {
    "photos/train": (0.57, VALIDATION_EVERY),
    "photos/sharp": (0.36, SHARP_EVERY),
    "photos/drawn": (0.07, 0),
}
WATCHED = "photos/train"
CROPS_A_FILE, MOST_WAITING = 256, 60
PATTERN = "crops-*.npz"
# Planes of a crop: clean, noisy, and 255 where a lost pixel was filled in.
CLEAN, NOISY, LOST = slice(0, 3), slice(3, 6), 6
# Noise that a crop has everywhere, besides what a place has; -1 where only the place counts.
PLACE_ALONE = -1.0


def load_pictures(smallest: int) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Return the training pictures ``uint8 (H, W, 3)``, their chances, and photos kept to watch.

    Pictures smaller than ``smallest`` are mirrored at their edges.

    Raises:
        OSError: if there are none, or one cannot be read.
    """
    pictures, chances = [], []
    for name, (share, kept_back) in SOURCES.items():
        training = [path for i, path in enumerate(_files(name)) if not kept_back or i % kept_back]
        pictures += [_open(path, smallest) for path in training]
        chances += [share / len(training)] * len(training)
    watched = _files(WATCHED)[:: SOURCES[WATCHED][1]]
    chances = np.array(chances) / sum(chances)
    return pictures, chances, [_open(path, smallest) for path in watched]


def training_files() -> list[Path]:
    """Return the files of the pictures that ``load_pictures`` returns, in the same order."""
    return [
        path
        for name, (_, kept_back) in SOURCES.items()
        for i, path in enumerate(_files(name))
        if not kept_back or i % kept_back
    ]


def _files(name: str) -> list[Path]:
    root = data_folder()
    if root is None:
        raise OSError("photos are looked for in DENOISE_DATA_DIR, which names no folder")
    files = sorted((root / name).glob("*.*"))
    if not files:
        raise OSError(f"there are no photos in {root / name}")
    return files


def _open(path: Path, smallest: int) -> np.ndarray:
    with Image.open(path) as file:
        picture = np.asarray(file.convert("RGB"))
    missing = [(0, max(0, smallest - side)) for side in picture.shape[:2]]
    return np.pad(picture, (*missing, (0, 0)), mode="symmetric")


def degraded_crop(
    picture: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, float]:
    """Return the planes ``uint8 (side, side, 7)`` of a crop, its kind, and its level elsewhere.

    The level is that of pixels which are not marked as lost, for crops with such marks.
    """
    kind = int(rng.choice(len(KINDS), p=[share for share, _, _ in SHARES.values()]))
    name = KINDS[kind]
    if name == "camera":
        return taken_crop(picture, draw_camera(rng), side, rng), kind, PLACE_ALONE
    clean = clean_crop(picture, side, rng)
    strength = rng.uniform(*SHARES[name][1:])
    marked = name == "salt-and-pepper" and rng.random() < MARKED_SHARE
    if not marked:
        noisy = PHOTO_NOISE_KINDS[name].corrupt(clean, strength, rng)
        return _planes(clean, noisy, np.zeros(clean.shape[:2], bool), side), kind, PLACE_ALONE
    level = rng.uniform(0, MIXED_LEVEL) if rng.random() < MIXED_SHARE else 0.0
    noisy = clean + np.float32(level) * rng.standard_normal(clean.shape, np.float32)
    noisy = np.rint(np.clip(noisy, 0, 1) * 255) / np.float32(255)
    noisy, lost = without_impulses(PHOTO_NOISE_KINDS[name].corrupt(noisy, strength, rng))
    return _planes(clean, noisy, lost, side), kind, level


def taken_crop(
    picture: np.ndarray, camera: Camera, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the planes ``uint8 (side, side, 7)`` of a crop that a camera has taken."""
    needed = min(round(side / camera.scale) + 2, *picture.shape[:2])
    clean = clean_crop(picture, max(needed, 16), rng)
    truth, noisy = degrade(clean, camera, rng)
    planes = _planes(truth, noisy, np.zeros(truth.shape[:2], bool), side)
    return _cut_planes(planes, side, rng)


def clean_crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut ``float32 (side, side, C)`` in [0, 1] out of 8-bit pixels ``(H, W, 3)``.

    Half of the crops are made smaller; some are grey, with one channel, and some have a pattern.
    """
    height, width = picture.shape[:2]
    source = side
    if rng.random() < RESCALED_SHARE:
        source = round(side * rng.uniform(1, min(MOST_REDUCED, height / side, width / side)))
    top, left = rng.integers(height - source + 1), rng.integers(width - source + 1)
    crop = picture[top : top + source, left : left + source]
    if source != side:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    crop = crop.astype(np.float32) / 255
    if rng.random() < GREY_SHARE:
        crop = crop.mean(axis=2, keepdims=True)
    return with_pattern(crop, rng) if rng.random() < PATTERN_SHARE else crop


def _planes(clean: np.ndarray, noisy: np.ndarray, lost: np.ndarray, side: int) -> np.ndarray:
    both = [np.broadcast_to(each, (*each.shape[:2], 3)) for each in (clean, noisy)]
    planes = np.concatenate([*both, lost[..., np.newaxis]], axis=2)
    planes = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8)
    missing = [(0, max(0, side - length)) for length in planes.shape[:2]]
    return np.pad(planes, (*missing, (0, 0)), mode="symmetric")


def _cut_planes(planes: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    top, left = (rng.integers(length - side + 1) for length in planes.shape[:2])
    return planes[top : top + side, left : left + side]


def fill(
    pictures: Sequence[np.ndarray],
    chances: np.ndarray,
    folder: Path,
    side: int,
    seed: int,
    worker: int,
) -> None:
    """Write files of crops until the folder is gone or nobody reads them.

    ``pictures`` ``(H, W, 3)`` and ``chances`` ``(N,)`` are those of ``load_pictures``; crops are
    ``side`` pixels wide and high.
    """
    rng = np.random.default_rng((seed, worker))
    parent, number = os.getppid(), 0
    while folder.is_dir() and os.getppid() == parent:
        if len(list(folder.glob(PATTERN))) > MOST_WAITING:
            time.sleep(0.2)
            continue
        made = [
            degraded_crop(pictures[rng.choice(len(pictures), p=chances)], side, rng)
            for _ in range(CROPS_A_FILE)
        ]
        planes, kinds, levels = (np.stack(part) for part in zip(*made, strict=True))
        name = folder / f"crops-{worker}-{number}.npz"

        def write(unfinished: Path, planes=planes, kinds=kinds, levels=levels) -> None:
            with unfinished.open("wb") as file:
                np.savez(file, planes=planes, kinds=kinds, levels=levels.astype(np.float32))

        try:
            write_whole(name, write)
        except FileNotFoundError:  # The folder was removed meanwhile.
            return
        number += 1


def start_workers(
    pictures: Sequence[np.ndarray],
    chances: np.ndarray,
    folder: Path,
    side: int,
    seed: int,
    workers: int,
) -> list[multiprocessing.Process]:
    """Start processes that fill the folder; they end when it is removed or their parent ends."""
    context = multiprocessing.get_context("fork")
    started = [
        context.Process(
            target=fill, args=(pictures, chances, folder, side, seed, worker), daemon=True
        )
        for worker in range(workers)
    ]
    for process in started:
        process.start()
    return started


def take(folder: Path, most: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Read and remove up to ``most`` files: planes ``(N, side, side, 7)``, kinds, levels."""
    taken = []
    for path in sorted(folder.glob(PATTERN), key=lambda path: path.stat().st_mtime)[:most]:
        with np.load(path) as file:
            taken.append((file["planes"], file["kinds"], file["levels"]))
        path.unlink()
    return taken


def make_pool(side: int, seed: int, workers: int) -> tuple:
    """Load the pictures and start the workers; to be done before anything else starts threads.

    Returns the folder, then what ``load_pictures`` does.
    """
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    pictures, chances, watched = load_pictures(side)
    start_workers(pictures, chances, folder, side, seed, workers)
    return folder, pictures, chances, watched
