"""Find nuclei under the microscope, and tell those apart that touch.

    picture (H, W, C), spread from its own darkest to its brightest
      -> network -> shares of background, inside, border (H, W, 3)
           -> pieces of inside are seeds, grown into all that is not background -> instances (H, W)

The border class does what the U-Net paper's weights are for: between two cells that touch, a mask
of cells alone has nothing to cut along.

Data: Data Science Bowl 2018, stage 1, with the corrections of lopuhin; CC0.
Source: Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; three classes, as most
entries of that contest had (Caicedo et al., Nature Methods 2019, doi:10.1038/s41592-019-0612-7).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from imaging import segmentation
from imaging.crops import Moves, jitter, random_crop
from imaging.pixels import to_8_bits, to_pixels
from imaging.samples.drawn_scenes import draw_cells
from models.tasks.contract import (
    Baseline,
    DataSet,
    Examples,
    Hint,
    Metric,
    Network,
    Sample,
    Settings,
    Signal,
    Task,
    Watch,
    by_name,
)
from models.tasks.segmentation import coloured, read_pairs, read_pixels, shares

BACKGROUND, INSIDE, BORDER = range(3)
CLASS_COLOURS = ("#1b1b1b", "#e69f00", "#56b4e9")
BORDER_WEIGHT = 3.0
MOVES = Moves(0.6, 1.6, turn=180, stretch=1.2)
# How often a picture stands in the list of training: stained and grey ones are rare.
REPEATS = {"fluorescence": 1, "stained": 2, "bright": 4}
LARGE = 3 * 256 * 256  # pixels; a picture of twice as many stands there twice, at most three times
COLOURED, LIGHT = 5, 100  # Of 255: mean spread of the channels, median of a light picture.
# A picture with less contrast is not spread any further: share of white, with 8 bits and with more.
FLATTEST, FLATTEST_DEEP = 16 / 255, 1 / 255
# Best on fifty training pictures: borders weigh more in training, so shares of cell are too large.
THRESHOLD, SEED = 0.7, 0.6
SMALLEST_SEED = 8  # pixels
DRAWN = {"train": (0, 400), "validation": (1, 60), "test": (2, 60)}  # seed and pictures
SAMPLES = Path(__file__).parent / "samples"


def load(folder: Path | None, split: str) -> Examples:
    """Return pictures with every nucleus numbered; rare kinds stand in the training list often."""
    examples = read_pairs(folder, "cells", "labels", split)
    if split != "train" or folder is None:
        return examples
    about = json.loads((folder / "cells" / "split.json").read_text())
    often = [
        index
        for index, name in enumerate(about["train"])
        for _ in range(REPEATS[about["kind"][name]] * _size_repeats(examples.targets[index]))
    ]
    return Examples([examples.targets[i] for i in often], [examples.inputs[i] for i in often])


def load_drawn(folder: Path | None, split: str) -> Examples:
    """Return cells that the program draws, the same each time."""
    seed, count = DRAWN[split]
    rng = np.random.default_rng(seed)
    pairs = [draw_cells(rng) for _ in range(count)]
    return Examples([numbers for _, numbers in pairs], [picture for picture, _ in pairs])


def bounds(picture: np.ndarray) -> tuple[float, float]:
    """Return the values, in the picture's own units, that ``spread`` makes black and white.

    Many pictures are so dark that the eye sees nothing.  ``picture`` has 8 or 16 bits, or is
    ``float32`` in [0, 1].
    """
    white = 1.0 if picture.dtype == np.float32 else float(np.iinfo(picture.dtype).max)
    thin = picture[:: 1 + picture.shape[0] // 256, :: 1 + picture.shape[1] // 256]
    low, high = np.percentile(thin, (0.5, 99.7))
    flattest = FLATTEST if picture.dtype == np.uint8 else FLATTEST_DEEP
    return low, low + max(high - low, flattest * white)


def spread(picture: np.ndarray, dark: float, light: float) -> np.ndarray:
    """Return ``uint8 (H, W, C)`` in which ``dark`` is black and ``light`` white."""
    if picture.dtype == np.uint8:
        return _to_byte((np.arange(256) - dark) / (light - dark))[picture]
    return _to_byte((picture.astype(np.float32) - dark) / (light - dark))


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return crops ``float32 (N, S, S, C)`` and for each pixel its class and weight."""
    pairs = [_crop(examples, index, settings, MOVES, rng) for index in chosen]
    images = [_channels(_recoloured(image, rng), settings) for image, _ in pairs]
    return np.stack(images), np.stack([classes_and_weights(cells) for _, cells in pairs])


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop of each of the first 64 pictures, in its own size and colours."""
    pairs = [_crop(examples, i, settings, Moves(), rng) for i in range(min(64, len(examples)))]
    images = [_channels(image.astype(np.float32) / 255, settings) for image, _ in pairs]
    return np.stack(images), np.stack([classes_and_weights(cells) for _, cells in pairs])


def classes_and_weights(cells: np.ndarray) -> np.ndarray:
    """Return ``float32 (H, W, 2)``: class of each pixel, and how much it counts."""
    border = segmentation.borders(cells)
    classes = np.where(border, BORDER, np.where(cells > 0, INSIDE, BACKGROUND))
    return np.stack([classes, np.where(border, BORDER_WEIGHT, 1.0)], axis=-1).astype(np.float32)


def soft(network: Network, picture: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return the shares ``float32 (H, W, 3)`` of background, inside and border at each pixel."""
    pixels = spread(picture, *bounds(picture))
    if pixels.shape[2] == 1 < network.channels:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], network.channels))
    elif network.channels == 1 < pixels.shape[2]:
        pixels = pixels.mean(axis=2, keepdims=True).astype(np.uint8)
    return shares(network, pixels, watch)


def decide(shares: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return numbered cells ``int32 (H, W)``.

    A pixel is cell where inside and border together have more than ``threshold``.
    """
    threshold = THRESHOLD if threshold is None else threshold
    mask = shares[..., BACKGROUND] < 1 - threshold
    seeds, _ = ndimage.label(mask & (shares[..., INSIDE] > SEED))
    seeds = segmentation.renumbered(seeds, SMALLEST_SEED)
    found = segmentation.grow(seeds, shares[..., BORDER], mask)
    return segmentation.renumbered(found, segmentation.SMALLEST)


def solve(
    network: Network,
    picture: np.ndarray,
    threshold: float | None = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """Return the numbered cells ``int32 (H, W)`` of a picture of any size, 0 for none."""
    return decide(soft(network, picture, watch), threshold)


def otsu_and_watershed(
    picture: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the numbered cells that brightness alone tells."""
    return segmentation.watershed_instances(segmentation.otsu(_bright_cells(picture)))


def _bright_cells(picture: np.ndarray) -> np.ndarray:
    """Return ``float32 (H, W)`` with bright nuclei: stained by their red, smears turned over.

    A picture with colours counts as stained, a grey one that is light on the whole as a smear.
    """
    pixels = (to_pixels(picture) if picture.dtype == np.float32 else to_8_bits(picture)).astype(
        float
    )
    if np.ptp(pixels, axis=2).mean() > COLOURED:
        return 255 - pixels[..., 0]
    grey = pixels.mean(axis=2)
    return 255 - grey if np.median(grey) > LIGHT else grey


def _size_repeats(numbers: np.ndarray) -> int:
    return min(3, max(1, round(numbers.size / LARGE)))


def _crop(
    examples: Examples, index: int, settings: Settings, moves: Moves, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    picture, size = examples.inputs[index], (settings.crop, settings.crop)
    crop, cells = random_crop(picture, examples.targets[index], size, moves, rng)
    return spread(crop, *bounds(picture)), cells


def _channels(image: np.ndarray, settings: Settings) -> np.ndarray:
    wanted = settings.settings.get("channels", 1)
    if image.shape[2] > wanted:
        return image.mean(axis=2, keepdims=True)
    return np.broadcast_to(image, (*image.shape[:2], wanted))


def _to_byte(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _recoloured(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the crop in other colours, and now and then grey, turned over or noisy."""
    grey, turned, tinted, noisy = rng.random(4)
    if crop.shape[2] == 3 and grey < 0.15:
        crop = crop.mean(axis=2, keepdims=True).astype(np.uint8)
    if turned < 0.1:
        crop = 255 - crop
    if crop.shape[2] == 1 and tinted < 0.2:
        crop = np.broadcast_to(crop, (*crop.shape[:2], 3))
    elif tinted < 0.1:
        crop = crop[..., rng.permutation(3)]
    return jitter(crop, 0.35, rng, noise=0.06 if noisy < 0.25 else 0)


def _picture(tensor: np.ndarray) -> np.ndarray:
    """Show an input as it is, classes and shares in the colours of the classes."""
    if tensor.shape[-1] == 2:
        return coloured(tensor[..., 0].astype(int), CLASS_COLOURS)
    if np.allclose(tensor.sum(axis=-1), 1, atol=1e-3):
        return coloured(tensor.argmax(axis=-1), CLASS_COLOURS)
    return np.clip(tensor, 0, 1)


def _sample(name: str) -> tuple[np.ndarray, np.ndarray]:
    cells = read_pixels(SAMPLES / f"{name}.png")[..., 0]
    return read_pixels(SAMPLES / f"{name}.jpg"), cells.astype(np.int32)


def _from_scikit_image(name: str) -> tuple[np.ndarray, None]:
    from skimage import data

    return getattr(data, name)(), None


def _drawn_sample() -> tuple[np.ndarray, np.ndarray]:
    return draw_cells(np.random.default_rng(7))


def _number_of(cells: np.ndarray) -> int:
    return len(np.unique(cells[cells > 0]))


RONNEBERGER, OURS = "Ronneberger et al., U-Net, MICCAI 2015", "Denoise Lab"
_UNET: dict[str, Any] = {
    "architecture": "unet",
    "settings": {
        "channels": 3,
        "size": None,
        "filters": [16, 32, 64, 96],
        "dropout": 0.05,
        "outputs": 3,
        "head": "softmax",
        "half": True,
    },
    "data": "cells",
    "loss": "pixel_classes",
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "schedule": "cosine",
    "batch": 16,
    "crop": 128,
    "epochs": 15,
    "epoch_batches": 100,
    "average": 0.99,
    "clip": 1.0,
}
# Two minutes on two cores, on cells that the program draws.
_SMALL: dict[str, Any] = _UNET | {
    "settings": _UNET["settings"] | {"channels": 1, "filters": [8, 16, 32]},
    "data": "drawn-cells",
    "batch": 8,
    "epochs": 8,
    "epoch_batches": 50,
    "average": 0.0,
}
RECIPES: dict[str, dict] = {
    "cells": {
        "title": "Cells: U-Net",
        "purpose": "Finds nuclei of any stain and cuts touching ones apart by a class for borders.",
        "source": RONNEBERGER,
        "config": _UNET,
    },
    "cells-plain": {
        "title": "Cells: plain encoder-decoder",
        "purpose": "The same without skip connections: all detail passes the narrow middle.",
        "source": OURS,
        "config": _UNET | {"settings": _UNET["settings"] | {"skips": False}},
    },
    "cells-small": {
        "title": "Count drawn cells",
        "purpose": "Two minutes on cells that the program draws: inside, border, background.",
        "source": OURS,
        "config": _SMALL,
    },
}

CONTEST = "Data Science Bowl 2018, stage 1"
PICTURE = Signal("image", channels=3)
TASK = Task(
    name="segment-cells",
    title="Find cells",
    description="Finds the nuclei in a microscope picture, tells touching ones apart, counts them.",
    input=PICTURE,
    target=Signal("instances"),
    words=("By hand", "Picture", "Found"),
    metrics=(
        Metric(
            "ap",
            "AP at 0.5",
            "",
            segmentation.average_precision,
            "Of all cells, true or found: the share that match, overlapping by more than half.",
            decimals=3,
        ),
        Metric(
            "dice",
            "Dice",
            "",
            lambda target, answer: segmentation.dice(target > 0, answer > 0),
            "How well the area of all cells together is covered, 1 for exactly.",
            decimals=3,
        ),
        Metric(
            "map",
            "mean AP",
            "",
            segmentation.mean_average_precision,
            "The contest's score: AP at overlaps from 0.50 to 0.95, averaged.",
            decimals=3,
        ),
        Metric(
            "count",
            "Miscounted",
            "%",
            lambda target, answer: (
                100 * abs(answer.max() - _number_of(target)) / max(_number_of(target), 1)
            ),
            "How far the number of cells is off, as a share of the true one.",
            better=-1,
            decimals=1,
        ),
    ),
    losses=("pixel_classes",),
    watch=("mean_iou",),
    data=by_name(
        [
            DataSet("cells", "Microscope pictures", load, measured_on="validation"),
            DataSet("drawn-cells", "Drawn cells", load_drawn),
        ]
    ),
    batch=batch,
    validation=validation,
    solve=solve,
    soft=soft,
    decide=decide,
    walk="crops",
    baselines=by_name(
        [
            Baseline(
                "otsu-watershed",
                "Threshold and watershed",
                "Otsu's threshold says what is bright, the watershed cuts at waists.",
                otsu_and_watershed,
            )
        ]
    ),
    samples=by_name(
        [
            Sample(
                "fluorescence",
                "Glowing nuclei",
                lambda: _sample("cells-fluorescence"),
                CONTEST,
                "CC0",
            ),
            Sample("stained", "Stained tissue", lambda: _sample("cells-stained"), CONTEST, "CC0"),
            Sample(
                "ihc",
                "Stained, another laboratory",
                lambda: _from_scikit_image("immunohistochemistry"),
                "scikit-image: colon, stained for FHL2",
                "CC0",
            ),
            Sample("drawn-cells", "Drawn by the program", _drawn_sample, "Denoise Lab", "MIT"),
        ]
    ),
    hint=Hint(
        "threshold",
        "Threshold",
        low=0.05,
        high=0.95,
        default=THRESHOLD,
        step=0.05,
        description="How sure the network must be of a pixel. Lower finds fainter cells, and "
        "more that are none.",
    ),
    recipes=RECIPES,
    picture=_picture,
)
