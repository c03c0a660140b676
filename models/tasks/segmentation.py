"""What the tasks share whose network answers for each pixel.

Pictures are ``uint8 (H, W, C)``; marks, what a person drew on one, whole numbers ``(H, W)``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaging import segmentation as measures
from imaging.pixels import to_8_bits, to_pixels
from models.tasks.contract import (
    COLOUR_IMAGE,
    SPLITS,
    Examples,
    Hint,
    Metric,
    Network,
    Recipe,
    Signal,
    Task,
    Watch,
    as_it_is,
)
from models.tiles import in_tiles

NAMES = {"train": "train", "validation": "val", "test": "test"}
MOST_VALIDATION = 64  # pictures
RONNEBERGER, OURS = "Ronneberger et al., U-Net, MICCAI 2015", "Denoise Lab"

Pair = tuple[np.ndarray, np.ndarray]  # a picture and its marks


def task(name: str, title: str, description: str, target: Signal, **fields: Any) -> Task:
    """Return a task that says something of each pixel of a picture, learned from crops of them."""
    words = ("Truth", "Picture", "Found")
    shown = partial(class_picture, colours=target.colours) if target.colours else as_it_is
    fields = {"walk": "crops", "picture": shown} | fields
    return Task(name, title, description, COLOUR_IMAGE, target, words, **fields)


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


def draw_pairs(
    draw: Callable[[np.random.Generator], Pair], counts: tuple[int, int, int], split: str
) -> Examples:
    """Return pictures that the program draws, the same each time, with the marks of each.

    ``counts`` are how many there are of each of ``SPLITS``.
    """
    place = SPLITS.index(split)
    rng = np.random.default_rng(place)
    pairs = [draw(rng) for _ in range(counts[place])]
    return Examples([marks for _, marks in pairs], [picture for picture, _ in pairs])


def validated(examples: Examples) -> range:
    """Return the numbers of the examples that are looked at after each epoch, the first 64."""
    return range(min(MOST_VALIDATION, len(examples)))


def stacked(
    crops: Sequence[Pair],
    image: Callable[[np.ndarray], np.ndarray],
    target: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return as a batch what ``image`` makes of each crop and ``target`` of its marks."""
    images = [image(crop) for crop, _ in crops]
    return np.stack(images), np.stack([target(marks) for _, marks in crops])


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


def shares(
    network: Network,
    pixels: np.ndarray,
    watch: Watch | None = None,
    dtype: type = np.float32,
) -> np.ndarray:
    """Return what a network answers for each pixel, ``(H, W, K)`` of ``dtype``, tile by tile.

    With 8 bits in steps of 1/255: of many classes a quarter of the memory.
    """

    def work(tile: np.ndarray) -> np.ndarray:
        height, width = tile.shape[:2]
        missing = [(0, -side % network.multiple) for side in (height, width)]
        whole = np.pad(tile, (*missing, (0, 0)), mode="symmetric")
        return network(image=whole[np.newaxis])[0, :height, :width]

    return in_tiles(pixels, work, watch, network.multiple, dtype=dtype)


def summed(
    name: str,
    title: str,
    unit: str,
    counts: Callable[[np.ndarray, np.ndarray], np.ndarray],
    total: Callable[[np.ndarray], float],
    description: str,
    decimals: int,
) -> Metric:
    """Return a metric of all pixels together: ``total`` of the ``counts`` of every example."""
    return Metric(
        name,
        title,
        unit,
        lambda target, answer: total(counts(target, answer)),
        description,
        decimals=decimals,
        counts=counts,
        total=total,
    )


def of_confusion(
    name: str,
    title: str,
    measure: Callable[[np.ndarray], float],
    description: str,
    classes: int,
) -> Metric:
    """Return a metric in percent: ``measure`` of how often each class was called which, (K, K)."""

    def counts(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
        return measures.confusion(target, answer, classes).ravel()

    def total(counted: np.ndarray) -> float:
        return 100 * measure(counted.reshape(classes, classes))

    return summed(name, title, "%", counts, total, description, decimals=1)


def class_metrics(classes: int) -> tuple[Metric, Metric]:
    """Return the metric that ranks where each pixel is of one of ``classes``, and a milder one.

    The second says how much of each class is found, whatever else is taken for it.
    """
    return (
        of_confusion(
            "miou",
            "Mean IoU",
            measures.mean_iou,
            "For each class: pixels in both over pixels in either; the mean of the classes.",
            classes,
        ),
        of_confusion(
            "class",
            "Class average",
            measures.class_accuracy,
            "The share of each class that is found; the mean of the classes.",
            classes,
        ),
    )


def class_picture(tensor: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Show an input as it is, classes with their weights, or shares, in the colours of classes.

    Tensors are ``(N, H, W, ...)``, the picture is ``float32 (N, H, W, C)`` in [0, 1].
    """
    if tensor.shape[-1] == 2:
        return coloured(tensor[..., 0].astype(int), colours)
    if tensor.shape[-1] == len(colours) and np.allclose(tensor.sum(axis=-1), 1, atol=1e-3):
        return coloured(tensor.argmax(axis=-1), colours)
    return np.clip(tensor, 0, 1)


def coloured(numbers: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Return a picture ``float32 (..., 3)`` of class numbers; numbers beyond the last are black."""
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (*colours, "#000000")])
    chosen = np.where((numbers >= 0) & (numbers < len(colours)), numbers, len(colours))
    return table.astype(np.float32)[chosen] / 255


def threshold(default: float, lower: str) -> Hint:
    """Return the hint how sure a network must be; ``lower`` says what a lower threshold finds."""
    return Hint(
        "threshold",
        "Threshold",
        low=0.05,
        high=0.95,
        default=default,
        step=0.05,
        description=f"How sure the network must be of a pixel. Lower finds {lower}.",
    )


def unet(filters: list[int], outputs: int, **training: object) -> dict[str, Any]:
    """Return the configuration of a U-Net for colour pictures, as all these tasks train it.

    It says how likely each of ``outputs`` classes is, or the one thing that is looked for.
    """
    head, loss = ("softmax", "pixel_classes") if outputs > 1 else ("sigmoid", "mask")
    return {
        "architecture": "unet",
        "settings": {
            "channels": 3,
            "size": None,
            "filters": filters,
            "dropout": 0.05,
            "outputs": outputs,
            "head": head,
            "half": True,
        },
        "loss": loss,
        "optimizer": "adamw",
        "learning_rate": 0.003,
        "schedule": "cosine",
        "epoch_batches": 100,
        "average": 0.99,
        "clip": 1.0,
    } | training


def digit_unet(settings: Mapping[str, Any], **training: object) -> dict[str, Any]:
    """Return the configuration of a U-Net that repaints grey digits, of two minutes as well."""
    return {
        "architecture": "unet",
        "settings": {"channels": 1, "size": None, "half": True, **settings},
        "loss": "mse",
        "learning_rate": 0.003,
        "schedule": "cosine",
        "epoch_batches": 100,
        "epochs": 10,
    } | training


def short(name: str, title: str, purpose: str, config: Mapping[str, Any]) -> Recipe:
    """Return a recipe of two minutes on two cores, on scenes that the program draws."""
    two_minutes = {"batch": 8, "epoch_batches": 50, "average": 0.0}
    return Recipe(name, title, purpose, OURS, {**config, **two_minutes})
