"""Find the roads on an aerial picture.

    picture (H, W, 3) -> network -> share of road (H, W, 1) -> mask

Data: 90 tiles of the EPFL and ETH road course, cut from a map service; no licence is stated, so
none of it ships, and the weights say where they come from.
Source: Mnih, Machine Learning for Aerial Image Labeling, PhD thesis, Toronto 2013, posed the task;
Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28, drew the network.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.special import expit

from imaging.crops import Moves, jitter, random_crop
from imaging.named import by_name
from imaging.pixels import to_image
from imaging.samples.drawn_scenes import draw_aerial
from imaging.segmentation import f1, jaccard, overlap, patch_overlap
from models.tasks import contract, segmentation
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.turned import Turned
from models.tiles import in_tiles

Count = Callable[[np.ndarray, np.ndarray], np.ndarray]

MOVES = Moves(0.8, 1.3, turn=180, stretch=1.15)
DRAWN = (200, 40, 40)  # pictures of each split

# Weights of the filters, then of their squares, and the offset.
ROAD_LIKE = (
    6.27, 5.76, -16.34, 13.30, 10.62, 9.29, -7.12, 46.81, -21.38, -11.04, 7.37, 4.13, 9.04, -4.79,
    40.00, -23.79, 17.70, 4.71, -15.91, -2.58, -19.56, -17.53, -28.91, 13.91, -15.75, 53.85,
    -281.50, -136.17, -84.99, -769.16, -1267.60, -216.49,
)  # fmt: skip
ROAD_OFFSET = -8.9629


def load(folder: Path | None, split: str) -> Examples:
    """Return tiles ``uint8 (400, 400, 3)`` with the masks of their roads ``(400, 400, 1)``."""
    return _with_masks(segmentation.read_pairs(folder, "roads", "masks", split))


def load_drawn(folder: Path | None, split: str) -> Examples:
    """Return towns that the program draws, the same each time."""
    return _with_masks(segmentation.draw_pairs(draw_aerial, DRAWN, split))


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return crops ``float32 (N, S, S, 3)`` and masks ``(N, S, S, 1)``."""
    crops = [_crop(examples, index, settings, MOVES, rng) for index in chosen]
    return segmentation.stacked(crops, lambda crop: jitter(crop, 0.25, rng), _as_mask)


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop of each of the first 64 pictures as it is."""
    crops = [
        _crop(examples, index, settings, Moves(), rng) for index in segmentation.validated(examples)
    ]
    return segmentation.stacked(crops, to_image, _as_mask)


def soft(network: Network, picture: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return the share of road ``float32 (H, W, 1)`` at each pixel of a picture of any size.

    It is the mean of four answers: seen from above, a street may run anywhere.
    """
    return segmentation.shares(Turned(network), segmentation.as_pixels(picture), watch)


def decide(shares: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the mask ``float32 (H, W, 1)``, 1 where more than ``threshold`` is road, else 0."""
    return (shares > (0.5 if threshold is None else threshold)).astype(np.float32)


def _crop(
    examples: Examples, index: int, settings: Settings, moves: Moves, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    size = (settings.crop, settings.crop)
    roads = examples.targets[index][..., 0]
    return random_crop(examples.inputs[index], roads, size, moves, rng)


def _as_mask(roads: np.ndarray) -> np.ndarray:
    return roads[..., np.newaxis].astype(np.float32)


def _with_masks(examples: Examples) -> Examples:
    return Examples([_as_mask(roads) for roads in examples.targets], examples.inputs)


def _counted(count: Count, target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    return count(target[..., 0] > 0.5, answer[..., 0] > 0.5)


def _metric(
    name: str, title: str, count: Count, measure: Callable[[np.ndarray], float], description: str
) -> contract.Metric:
    return segmentation.summed(
        name, title, "", partial(_counted, count), measure, description, decimals=3
    )


def by_colour_and_texture(
    picture: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the roads ``float32 (H, W, 1)`` that colours and texture around each pixel tell.

    A logistic regression on 16 filters and their squares, fitted to the training tiles; the course
    begins with one on patches.
    """
    pixels = segmentation.as_pixels(picture)
    share = in_tiles(pixels, _share_of_road, watch, dtype=np.float32)
    road = ndimage.gaussian_filter(share[..., 0], 4) > (0.25 if hint is None else hint / 2)
    return road[..., np.newaxis].astype(np.float32)


def _share_of_road(image: np.ndarray) -> np.ndarray:
    sums = np.full(image.shape[:2], ROAD_OFFSET, np.float32)
    first, squares = np.split(np.array(ROAD_LIKE, np.float32), 2)
    for each, weight, of_square in zip(_filters(image), first, squares, strict=True):
        sums += each * (weight + of_square * each)
    return expit(sums)[..., np.newaxis]


def _filters(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield blurred colours, roughness, edges and spots around each pixel."""
    grey = image.mean(axis=2)
    for width in (1, 4, 16):
        for channel in range(3):
            yield ndimage.gaussian_filter(image[..., channel], width)
    for width in (2, 6):
        mean = ndimage.gaussian_filter(grey, width)
        variance = ndimage.gaussian_filter(grey * grey, width) - mean * mean
        yield np.sqrt(np.maximum(variance, 0))
        yield ndimage.gaussian_gradient_magnitude(grey, width)
        yield ndimage.gaussian_laplace(grey, width) * width
    yield ndimage.gaussian_filter(np.ptp(image, axis=2), 2)


def _drawn_sample() -> tuple[np.ndarray, np.ndarray]:
    picture, roads = draw_aerial(np.random.default_rng(3))
    return picture, _as_mask(roads)


_UNET = segmentation.unet(
    [16, 32, 48, 64, 96],
    outputs=1,
    data="roads",
    batch=8,
    crop=256,
    epochs=40,
)

TASK = segmentation.task(
    "segment-roads",
    "Find roads",
    "Finds the roads on an aerial picture, seen straight from above.",
    contract.Signal("mask"),
    metrics=(
        _metric(
            "patch-f1",
            "Patch F1",
            patch_overlap,
            f1,
            "The road course's: patches of 16 x 16 pixels that are road where a quarter is.",
        ),
        _metric("f1", "Pixel F1", overlap, f1, "The same for single pixels; also called Dice."),
        _metric("iou", "IoU", overlap, jaccard, "Road in both over road in either."),
    ),
    losses=("mask",),
    watch=("mask_dice",),
    data=by_name(
        [
            contract.DataSet(
                "roads",
                "Aerial tiles",
                load,
                notice="Trained on aerial pictures of a map service, for whose use no licence is "
                "stated.",
                measured_on="validation",
            ),
            contract.DataSet("drawn-towns", "Drawn towns", load_drawn, drawn=True),
        ]
    ),
    batch=batch,
    validation=validation,
    **contract.decided(soft, decide),
    baselines=by_name(
        [
            contract.Baseline(
                "colour-texture",
                "Colour and texture",
                "Asks of each pixel how grey, how smooth and how even its surroundings are.",
                by_colour_and_texture,
            )
        ]
    ),
    samples=by_name(
        [contract.drawn_sample("drawn-town", "A town drawn by the program", _drawn_sample)]
    ),
    hint=segmentation.threshold(0.5, "more, and more wrongly"),
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "roads",
            "Roads: U-Net",
            "Finds the roads on aerial pictures, under trees and shadows too.",
            segmentation.RONNEBERGER,
            _UNET,
        ),
        title="Roads: plain encoder-decoder",
        purpose="The same without skip connections: thin lanes have to pass the narrow middle.",
        source=segmentation.OURS,
    )
    | by_name(
        [
            segmentation.short(
                "roads-small",
                "Roads of drawn towns",
                "Two minutes on towns that the program draws.",
                contract.with_settings(_UNET, filters=[8, 16, 24, 32])
                | {"data": "drawn-towns", "crop": 128, "epochs": 6},
            )
        ]
    ),
    explanation=contract.Explanation(
        "The same network again: for each pixel it says how likely it is road. Roads are thin and "
        "long. To tell a grey road from a grey roof, a network must see far; to draw its edge, it "
        "must see exactly. Skips are made for that, and yet the plain network is nearly as good, "
        "and better on the drawn town: roads fifteen pixels wide pass through its middle well "
        "enough. The older method "
        "looks at the colour and texture of each pixel, and car parks and flat roofs are grey too. "
        "The loss counts pixels (cross-entropy) and the whole (Dice), since only a fifth is road.",
        (
            "an aerial picture",
            "the mask of its roads",
            "sigmoid, one share a pixel",
            "cross-entropy plus Dice",
            "F1 over patches of 16 x 16, as in the course",
        ),
        "Trained on 80 tiles of American suburbs at about a third of a metre a pixel. Other "
        "scales, dirt tracks, towns with narrow lanes and slanted views are new to it; railways "
        "and car parks are taken for roads. Lengths are in pixels along the middle.",
    ),
)
