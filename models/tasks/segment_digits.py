"""Find the digits on a photo and say which they are: ten classes, and one for all else.

    picture (H, W, 3) -> network -> shares of 0 to 9 and nothing (H, W, 11) -> class (H, W)

Streets for everyone: scenes are put together from MNIST, or drawn digits where that is missing, and
from photos that come with scikit-image, so that anyone can train it anywhere.

Source:
    Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from imaging import segmentation as measures
from imaging.crops import jitter
from imaging.named import by_name
from imaging.pixels import strips, to_image
from imaging.samples.digit_scenes import NOTHING, classes_of, on_photo, scatter
from imaging.samples.photo_samples import PHOTO_SAMPLES
from imaging.samples.synthetic_digits import draw_digits
from models.tasks import contract, segmentation
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.digits import handwritten
from models.tasks.upscale_photos import brightness

LABELS = (*"0123456789", "nothing")
# Told apart by the colour-blind: lightness differs as much as hue (after Okabe and Ito).
COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#d9d2ff",
    "#8c564b", "#b2df8a", "#1b1b1b",
)  # fmt: skip
SIDE = 64  # of the scenes that networks learn from
SCENES = {"train": 2000, "validation": 64, "test": 100}
MOST_DIGITS = 3  # in one of them
PHOTOS = ("astronaut", "coffee", "cat")
LEARNED_SHARE = 0.7  # of each photo's width; the rest is behind the scenes of validation and test.
WIDEST_PIECE = 3 * SIDE  # of a photo that is made small to stand behind a scene
NOTHING_WEIGHT = 0.05  # About as many pixels in twenty are a digit.
BRIGHTNESS = 0.2  # of the full range, by how much scenes differ in training
HEIGHTS = (14, 60)  # pixels: the older method looks at nothing lower or higher
BOX = 16  # pixels to a side at which it compares


def load(folder: Path | None, split: str) -> Examples:
    """Return scenes ``uint8 (64, 64, 3)`` with the class of each pixel, the same each time."""
    pictures, labels = handwritten(folder, split, MOST_DIGITS * SCENES[split])
    rng = np.random.default_rng(contract.SPLITS.index(split))
    photos = [_part(PHOTO_SAMPLES[name].load(), split) for name in PHOTOS]
    pairs = [
        draw(pictures, labels, photos, (SIDE, SIDE), int(rng.integers(1, MOST_DIGITS + 1)), rng)
        for _ in range(SCENES[split])
    ]
    return Examples([classes for _, classes in pairs], [scene for scene, _ in pairs])


def draw(
    pictures: np.ndarray,
    labels: np.ndarray,
    photos: Sequence[np.ndarray],
    size: tuple[int, int],
    count: int,
    rng: np.random.Generator,
) -> segmentation.Pair:
    """Return random digits on a photo ``uint8 (*size, 3)``, and the class of each pixel."""
    chosen = rng.integers(len(pictures), size=count)
    placed = scatter(pictures[chosen], labels[chosen], size, rng)
    photo = _piece(photos[int(rng.integers(len(photos)))], size, rng)
    return on_photo(placed, photo, rng), classes_of(placed, size)


def _part(photo: np.ndarray, split: str) -> np.ndarray:
    """The left of a photo to learn from, the right of it for what is measured."""
    edge = round(photo.shape[1] * LEARNED_SHARE)
    return photo[:, :edge] if split == "train" else photo[:, edge:]


def _piece(photo: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random piece of a photo, up to three times as large as the scene, made as small as it."""
    most = min(photo.shape[0] / size[0], photo.shape[1] / size[1], WIDEST_PIECE / SIDE)
    factor = rng.uniform(min(1, most), most)
    height, width = (int(side * factor) for side in size)
    top, left = rng.integers(photo.shape[0] - height + 1), rng.integers(photo.shape[1] - width + 1)
    piece = Image.fromarray(photo[top : top + height, left : left + width])
    return np.asarray(piece.resize(size[::-1], Image.Resampling.BOX))


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return scenes ``float32 (N, 64, 64, 3)`` and for each pixel its class and weight."""
    return segmentation.stacked(
        _pairs(examples, chosen), lambda scene: jitter(scene, BRIGHTNESS, rng), classes_and_weights
    )


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 64 scenes as they are."""
    chosen = segmentation.validated(examples)
    return segmentation.stacked(_pairs(examples, chosen), to_image, classes_and_weights)


def _pairs(examples: Examples, chosen: Iterable[int]) -> list[segmentation.Pair]:
    scenes = examples.inputs or ()
    return [(scenes[one], examples.targets[one]) for one in chosen]


def classes_and_weights(classes: np.ndarray) -> np.ndarray:
    """Return ``float32 (H, W, 2)``: class of each pixel, and how much it counts."""
    weights = np.where(classes == NOTHING, NOTHING_WEIGHT, 1.0)
    return np.stack([classes, weights], axis=-1).astype(np.float32)


def solve(
    network: Network, picture: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the likeliest class ``int32 (H, W)`` of each pixel of a picture of any size."""
    shares = segmentation.shares(network, segmentation.as_pixels(picture), watch, np.uint8)
    height, width = shares.shape[:2]
    classes = np.empty((height, width), np.int32)
    for rows in strips(height, width):
        classes[rows] = shares[rows].argmax(axis=-1)
    return classes


def otsu_and_templates(
    picture: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the class of each pixel: what stands out is called after the mean digit like it."""
    grey = brightness(segmentation.as_pixels(picture))[..., 0]
    # Light on dark or dark on light: whichever of the two is the smaller part stands out.
    bright = measures.otsu(grey)
    ink = bright if bright.mean() < 0.5 else measures.otsu(1 - grey)
    numbered, _ = ndimage.label(ink, np.ones((3, 3)))
    classes = np.full(grey.shape, NOTHING, np.int32)
    for number, place in enumerate(ndimage.find_objects(numbered), start=1):
        mask = numbered[place] == number
        if HEIGHTS[0] <= mask.shape[0] <= HEIGHTS[1] and mask.shape[1] <= HEIGHTS[1]:
            likeness = _templates() @ _boxed(mask).ravel()
            classes[place][mask] = int(likeness.argmax())
    return classes


@lru_cache(maxsize=1)
def _templates() -> np.ndarray:
    """The mean of drawn digits of each kind ``(10, pixels)``, without their mean, of length 1."""
    pictures, labels = draw_digits(500)
    boxes = np.stack([_boxed(_trimmed(picture[..., 0] > 127)) for picture in pictures])
    means = np.stack([_boxed_mean(boxes[labels == digit]) for digit in range(10)])
    return means.reshape(10, -1)


def _trimmed(mask: np.ndarray) -> np.ndarray:
    return mask[ndimage.find_objects(mask.astype(int))[0]]


def _boxed(mask: np.ndarray) -> np.ndarray:
    """A mask fitted into the middle of a square box, ``float64 (16, 16)``."""
    factor = BOX / max(mask.shape)
    height, width = (max(1, round(side * factor)) for side in mask.shape)
    small = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    box = np.zeros((BOX, BOX))
    top, left = (BOX - height) // 2, (BOX - width) // 2
    box[top : top + height, left : left + width] = np.asarray(small)
    return box


def _boxed_mean(boxes: np.ndarray) -> np.ndarray:
    mean = boxes.mean(axis=0) - boxes.mean()
    return mean / np.sqrt((mean**2).sum())


def _sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    pictures, labels = draw_digits(40, seed=contract.SPLITS.index("test"))
    photos = [_part(PHOTO_SAMPLES["coffee"].load(), "test")]
    return draw(pictures, labels, photos, (128, 176), 12, rng)


_UNET = segmentation.unet(
    [16, 32, 64, 96],
    outputs=len(LABELS),
    data="digits-on-photos",
    crop=SIDE,
    epochs=20,
) | {"batch": 16, "epoch_batches": 100, "average": 0.0}

TASK = segmentation.task(
    "segment-digits",
    "Find digits",
    "Finds handwritten digits on a photo, and says of each pixel which one it is.",
    contract.Signal("classes", labels=LABELS, colours=COLOURS),
    metrics=segmentation.class_metrics(len(LABELS)),
    losses=("pixel_classes",),
    watch=("mean_iou",),
    data=by_name([contract.DataSet("digits-on-photos", "Digits on photos", load, drawn=True)]),
    batch=batch,
    validation=validation,
    solve=solve,
    baselines=by_name(
        [
            contract.Baseline(
                "otsu-templates",
                "Threshold and mean digits",
                "Otsu's threshold says what stands out; it is named after the most similar mean "
                "digit.",
                otsu_and_templates,
            )
        ]
    ),
    samples=by_name(
        [
            contract.Sample(
                "drawn-digits",
                "Drawn digits on coffee",
                _sample,
                "Denoise Lab; photo by R. Michel, scikit-image",
                "CC0",
                drawn=True,
            )
        ]
    ),
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "segment-digits-small",
            "Digits on a photo",
            "Two minutes: says which pixels are a digit, and which digit.",
            segmentation.OURS,
            _UNET,
            "A mean IoU of about 0.45, still rising at the end.",
        ),
        expect="Blobs in place of digits, half of them the wrong digit: a mean IoU of about 0.2.",
    ),
    explanation=contract.Explanation(
        "The streets in small: eleven possible answers for each pixel, ten digits and nothing. To "
        "tell a 3 from an 8 a network must see all of it; to draw its edge it must know each "
        "pixel. The middle of the network sees far and knows no pixels, the first layers know "
        "pixels and see nothing but edges. Skip connections bring the two together; the plain "
        "encoder-decoder finds blobs where digits are, and half of them are the wrong digit. The "
        "older method takes what is brighter or darker than the rest and compares it with ten "
        "mean digits: a photo behind them is enough to confuse it.",
        (
            "a photo with digits on it",
            "one of eleven classes for each pixel",
            "softmax over eleven classes",
            "cross-entropy, nothing counts less, plus Dice",
            "mean IoU over the classes",
        ),
        "Trained on scenes that the program puts together, in two minutes: digits of 26 to 44 "
        "pixels that do not touch. On a photo without digits it finds some all the same.",
    ),
)
