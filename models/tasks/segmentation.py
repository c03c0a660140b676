"""What the tasks share whose network answers for each pixel: files, shares, colours."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.pixels import to_8_bits, to_pixels
from models.tasks.contract import Examples, Network, Watch
from models.tiles import in_tiles

NAMES = {"train": "train", "validation": "val", "test": "test"}


def read_pairs(folder: Path | None, name: str, marks: str, split: str) -> Examples:
    """Return the pictures of a set, ``uint8 (H, W, C)``, with their numbers ``int32 (H, W)``.

    They lie in ``name/images`` and ``name/marks``; ``name/split.json`` lists those of a split.

    Raises:
        OSError: if there are none.
    """
    if folder is None or not (folder / name / "split.json").is_file():
        raise OSError(f"there is no {name} in the folder that DENOISE_DATA_DIR names")
    names = json.loads((folder / name / "split.json").read_text()).get(NAMES[split], [])
    if not names:
        raise OSError(f"the set {name} has no pictures for {split}")
    pictures = [read_pixels(folder / name / "images" / f"{each}.jpg") for each in names]
    numbers = [read_pixels(folder / name / marks / f"{each}.png")[..., 0] for each in names]
    return Examples([each.astype(np.int32) for each in numbers], pictures)


def read_pixels(path: Path) -> np.ndarray:
    """Return the pixels of a file of ours as they are, ``(H, W, C)``; palettes stay numbers."""
    with Image.open(path) as file:
        pixels = np.asarray(file)
    return pixels.reshape(*pixels.shape[:2], -1)


def as_pixels(picture: np.ndarray) -> np.ndarray:
    """Return a picture of 8 or 16 bits or ``float32`` in [0, 1] as ``uint8 (H, W, 3)``.

    Raises:
        ValueError: if it is not a picture.
    """
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise ValueError(f"expected a picture of shape (H, W, 1 or 3), got {picture.shape}")
    pixels = to_pixels(picture) if picture.dtype == np.float32 else to_8_bits(picture)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def shares(network: Network, pixels: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return what a network answers for each pixel, ``float32 (H, W, K)``, tile by tile."""

    def work(tile: np.ndarray) -> np.ndarray:
        height, width = tile.shape[:2]
        missing = [(0, -side % network.multiple) for side in (height, width)]
        whole = np.pad(tile, (*missing, (0, 0)), mode="symmetric")
        return network(image=whole[np.newaxis])[0, :height, :width]

    return in_tiles(pixels, work, watch, network.multiple, dtype=np.float32)


def coloured(numbers: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Return a picture ``float32 (..., 3)`` of class numbers; numbers beyond the last are black."""
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (*colours, "#000000")])
    chosen = np.where((numbers >= 0) & (numbers < len(colours)), numbers, len(colours))
    return table.astype(np.float32)[chosen] / 255
