"""Made-up photos in the folders where a training looks for them."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SCENES = [f"Camera_5_160_3200_{thing}" for thing in ("chair", "desk", "fan", "lamp", "toy", "wall")]
CROPS = 2  # of each scene
CAMERA_SIGMA = 8  # of 255


def made_photo(rng: np.random.Generator, height: int = 150, width: int = 140) -> np.ndarray:
    """Return a picture of soft coloured stains, ``uint8 (height, width, 3)``."""
    stains = gaussian_filter(rng.random((height, width, 3)), (3, 3, 0))
    return np.rint(255 * (stains - stains.min()) / np.ptp(stains)).astype(np.uint8)


def make_photos(folder: Path, count: int) -> Path:
    """Write ``photos/train`` with this many photos; return the folder."""
    target = folder / "photos" / "train"
    target.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(count):
        # Numbers that sort otherwise as names than as numbers.
        Image.fromarray(made_photo(rng)).save(target / f"photo-{number}.jpg", quality=95)
    return folder


def make_pairs(folder: Path) -> Path:
    """Write ``polyu`` with ``CROPS`` of each of ``SCENES``; return the folder."""
    target = folder / "polyu"
    target.mkdir(parents=True)
    rng = np.random.default_rng(2)
    for scene in SCENES:
        for crop in range(1, CROPS + 1):
            truth = made_photo(rng)
            noisy = np.rint(np.clip(truth + rng.normal(0, CAMERA_SIGMA, truth.shape), 0, 255))
            for kind, pixels in (("mean", truth), ("real", noisy.astype(np.uint8))):
                path = target / f"{scene}_{crop}_{kind}.JPG"
                # Colours at full resolution, or their noise would be smoothed away.
                Image.fromarray(pixels).save(path, quality=99, subsampling=0)
    return folder


def make_kodak24(folder: Path, count: int = 24) -> Path:
    """Write ``photos/kodak24`` with this many photos; return the folder."""
    target = folder / "photos" / "kodak24"
    target.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(count):
        Image.fromarray(made_photo(rng, 32, 40)).save(target / f"kodim{number + 1:02}.png")
    return folder
