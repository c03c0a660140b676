"""Name what is seen from a car: eleven classes, one for each pixel.

    picture (H, W, 3) -> network -> shares of the classes (H, W, 11) -> class (H, W)

Networks know things by their size, so a picture is brought to the size of the training pictures
first, and the answer back.

Data: CamVid as cut for SegNet, at 320x240; CC BY-NC 4.0, so weights are for non-commercial use.
Source: Brostow et al., Pattern Recognition Letters 2009, doi:10.1016/j.patrec.2008.04.005; cut by
Badrinarayanan et al., TPAMI 2017, doi:10.1109/TPAMI.2016.2644615.
"""

from functools import partial
from math import sqrt
from pathlib import Path

import numpy as np
from PIL import Image

from imaging import segmentation as measures
from imaging.crops import Moves, jitter, random_crop
from imaging.named import by_name
from imaging.pixels import to_image
from imaging.samples.drawn_scenes import draw_street
from models.tasks import contract, segmentation
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.turned import Turned, Ways

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
    "bicyclist",
)  # fmt: skip
VOID = len(CLASSES)
# Told apart by the colour-blind: lightness differs as much as hue (after Okabe and Ito).
COLOURS = (
    "#9bd3f5", "#a6761d", "#f0e442", "#5b4b8a", "#c9a0dc", "#1b7f4d", "#e31a1c", "#d9b88f",
    "#0b4f8a", "#ff7f0e", "#00c2a8",
)  # fmt: skip
SQUARE = 256  # A network that halves so often sees whole scenes, squeezed to a square.
PIXELS_KNOWN = 320 * 240  # of the pictures that networks learn from
MOVES = Moves(0.85, 2.0, turn=6, stretch=1.15, upright=True)
# Pixels of each class in the 367 training pictures.
FREQUENT = np.array(
    [4748145, 6556133, 275934, 8923577, 1264542, 2741475, 330667, 317587, 1653461, 180152, 82140]
)
# The root of the median frequency's: the full one calls every thin thing a pole.
WEIGHTS = np.append(np.clip(np.sqrt(np.median(FREQUENT) / FREQUENT), 0.4, 4), 0).astype(np.float32)
# What a network has learned to expect too often is half taken back: best on validation pictures.
TAKEN_BACK = np.sqrt(WEIGHTS[:VOID])
BOTH_SIDES: Ways = ((0, False), (0, True))  # As it is, and mirrored.
DRAWN = (300, 40, 40)  # pictures of each split
DRAWN_BESIDE = 60  # among 367 others

# The class that each of 32 x 24 places has most often in the training pictures.
USUALLY = (
    "11111100000000000000000000000111",
    "11111110000000000000000000001111",
    "11111111000000000000000001111111",
    "11111111100000000000000011111111",
    "11111111100000000000000111111111",
    "11111111110000000000001111111111",
    "11111111111000000000011111111111",
    "11111111111100000000111111111111",
    "11111111111110000001111111111111",
    "11111111111111000011111111111111",
    "11111111111111101111111111111111",
    "11111111111111111111111111111111",
    "11111111111188888888811111111111",
    "11111111118833333333388881111111",
    "11111884433333333333333333888811",
    "18844443333333333333333333333343",
    "44444333333333333333333333333333",
    "44433333333333333333333333333333",
    "43333333333333333333333333333333",
    "33333333333333333333333333333333",
    "33333333333333333333333333333333",
    "33333333333333333333333333333333",
    "33333333333333333333333333333333",
    "33333333333333333333333333333333",
)


def load(folder: Path | None, split: str) -> Examples:
    """Return scenes ``uint8 (240, 320, 3)`` with the class of each pixel, 11 where nobody says.

    Some that the program draws stand in the training list too: those are what a host may show.
    """
    scenes = segmentation.read_pairs(folder, "streets", "labels", split)
    if split != "train":
        return scenes
    drawn = segmentation.draw_pairs(draw_street, (DRAWN_BESIDE, 0, 0), split)
    pictures = [*(scenes.inputs or ()), *(drawn.inputs or ())]
    return Examples([*scenes.targets, *drawn.targets], pictures)


def load_drawn(folder: Path | None, split: str) -> Examples:
    """Return streets that the program draws, the same each time."""
    return segmentation.draw_pairs(partial(draw_street, size=(120, 160)), DRAWN, split)


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return crops ``float32 (N, H, W, 3)`` and for each pixel its class and weight.

    A crop is ``settings.crop`` wide and four fifths of it high.  A network of a fixed square size
    sees whole scenes, squeezed to it.
    """
    crops = [_crop(examples, index, settings, MOVES, rng) for index in chosen]
    return segmentation.stacked(crops, lambda crop: jitter(crop, 0.35, rng), classes_and_weights)


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 64 scenes as they are, in the shape of the crops."""
    still = Moves(upright=True)
    crops = [
        _crop(examples, index, settings, still, rng) for index in segmentation.validated(examples)
    ]
    return segmentation.stacked(crops, to_image, classes_and_weights)


def classes_and_weights(classes: np.ndarray) -> np.ndarray:
    """Return ``float32 (H, W, 2)``: class of each pixel, and its weight; void has none."""
    return np.stack([classes, WEIGHTS[classes]], axis=-1).astype(np.float32)


def soft(network: Network, picture: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return the shares ``float32 (H, W, 11)`` of the classes at each pixel.

    They are the mean of those for the picture and for its mirror image.
    """
    pixels = segmentation.as_pixels(picture)
    height, width = pixels.shape[:2]
    if network.size:
        seen = (network.size, network.size)
    else:
        factor = sqrt(PIXELS_KNOWN / (height * width))
        seen = (max(1, round(width * factor)), max(1, round(height * factor)))
    scene = np.asarray(Image.fromarray(pixels).resize(seen, Image.Resampling.BILINEAR))
    shares = segmentation.shares(Turned(network, BOTH_SIDES), scene, watch) / TAKEN_BACK
    return shares / shares.sum(axis=-1, keepdims=True)


def decide(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the likeliest class ``int32 size`` of each pixel; shares are enlarged first."""
    best = np.full(size, -1.0, np.float32)
    classes = np.zeros(size, np.int32)
    for number in range(shares.shape[-1]):  # One after the other, to save memory.
        small = Image.fromarray(np.ascontiguousarray(shares[..., number]))
        share = np.asarray(small.resize(size[::-1], Image.Resampling.BILINEAR))
        classes[share > best] = number
        best = np.maximum(best, share)
    return classes


def solve(
    network: Network, picture: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the class ``int32 (H, W)`` of each pixel of a picture of any size."""
    return decide(soft(network, picture, watch), picture.shape[:2])


def _crop(
    examples: Examples, index: int, settings: Settings, moves: Moves, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    picture, classes = examples.inputs[index], examples.targets[index]
    side = settings.settings.get("size")
    if side:
        small = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
        marks = Image.fromarray(classes).resize((side, side), Image.Resampling.NEAREST)
        picture, classes = np.asarray(small), np.asarray(marks)
    size = (side, side) if side else (settings.crop * 4 // 5, settings.crop)
    return random_crop(picture, classes, size, moves, rng, beyond=VOID)


def most_frequent(picture: np.ndarray, hint: None = None, watch: Watch | None = None) -> np.ndarray:
    """Return for each place the class ``int32 (H, W)`` that it has most often; looks at nothing."""
    grid = np.array([[int(number, 16) for number in row] for row in USUALLY], np.uint8)
    height, width = picture.shape[:2]
    marks = Image.fromarray(grid).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(marks).astype(np.int32)


_metric = partial(segmentation.of_confusion, classes=len(CLASSES))
MEAN_IOU, CLASS_AVERAGE = segmentation.class_metrics(len(CLASSES))

# Whole scenes, and a bottom that sees all of one: what is pavement depends on where the road is.
_UNET = segmentation.unet(
    [16, 40, 80, 128, 160],
    outputs=len(CLASSES),
    data="streets",
    batch=4,
    crop=320,
    epochs=92,
)
# The tutorial's shape, half as wide and narrower still at the bottom, so that it can ship.
_PLAIN = {
    "architecture": "encoder-decoder",
    "settings": {
        "channels": 3,
        "size": SQUARE,
        "filters": [8, 16, 32, 32, 64, 64, 128, 192],
        "outputs": len(CLASSES),
        "head": "softmax",
    },
}

TASK = segmentation.task(
    "segment-scenes",
    "Name what is in the street",
    "Says for each pixel of a street seen from a car what it belongs to.",
    contract.Signal("classes", labels=CLASSES, colours=COLOURS),
    metrics=(
        MEAN_IOU,
        _metric("global", "Global", measures.accuracy, "The share of pixels that are right."),
        CLASS_AVERAGE,
        *(
            _metric(
                f"iou-{name}",
                f"IoU {name}",
                partial(lambda matrix, number: measures.class_iou(matrix)[number], number=number),
                f"Pixels rightly called {name}, over those that are {name} or called so.",
            )
            for number, name in enumerate(CLASSES)
        ),
    ),
    losses=("pixel_classes",),
    watch=("mean_iou",),
    data=by_name(
        [
            contract.DataSet(
                "streets",
                "CamVid",
                load,
                notice="Trained on CamVid, which is licensed for non-commercial use: CC BY-NC 4.0.",
            ),
            contract.DataSet("drawn-streets", "Drawn streets", load_drawn, drawn=True),
        ]
    ),
    batch=batch,
    validation=validation,
    solve=solve,
    baselines=by_name(
        [
            contract.Baseline(
                "most-frequent",
                "Most frequent class",
                "Looks at no pixel: for each place the class that is there most often.",
                most_frequent,
            )
        ]
    ),
    samples=by_name(
        [
            contract.drawn_sample(
                "drawn-street",
                "A street drawn by the program",
                lambda: draw_street(np.random.default_rng(5)),
            )
        ]
    ),
    recipes=by_name(
        [
            contract.Recipe(
                "streets",
                "Streets: U-Net",
                "Names eleven things in a street, thin ones too.",
                segmentation.RONNEBERGER,
                _UNET,
            ),
            contract.Recipe(
                "streets-plain",
                "Streets: plain encoder-decoder",
                "The tutorial's network: a whole scene passes through a single pixel.",
                "The tutorials' segmentation of street scenes",
                _UNET | _PLAIN | {"batch": 8, "crop": 160, "epochs": 20},
            ),
            segmentation.short(
                "streets-small",
                "Drawn streets",
                "Two minutes on streets that the program draws.",
                contract.with_settings(_UNET, filters=[12, 24, 32, 48])
                | {"data": "drawn-streets", "crop": 160, "epochs": 6},
            ),
        ]
    ),
    explanation=contract.Explanation(
        "Now there are eleven possible answers for each pixel, and the likeliest is taken. The "
        "tutorial's network squeezes the whole street into a single pixel of numbers; what remains "
        "is roughly where things tend to be. Skips are what poles, signs and people far away need: "
        "they are a few pixels wide. Rare things count more in the loss, or the network would "
        "never answer “pole”. Answering with the most frequent class of each place, without a look "
        "at the picture, still gets more than half of the pixels right. So accuracy is a poor "
        "judge, and mean IoU is used.",
        (
            "a street seen from a car",
            "one of eleven classes for each pixel",
            "softmax over eleven classes",
            "cross-entropy, rare classes weigh more, plus Dice",
            "mean IoU over the classes",
        ),
        "Trained on 367 frames of one town, from one car, by day and at dusk (CamVid, "
        "non-commercial use), and a few streets that the program drew. Other cameras, countries, "
        "weather and views from a pavement confuse it. Never use it to drive anything.",
    ),
)
