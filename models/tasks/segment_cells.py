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
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data

from imaging import segmentation as regions
from imaging.crops import Moves, jitter, random_crop
from imaging.named import by_name
from imaging.pixels import to_8_bits, to_image, to_pixels
from imaging.samples.drawn_scenes import draw_cells
from models.tasks import contract, segmentation
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.turned import Turned

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
THRESHOLD, SEED = 0.8, 0.8
SMALLEST_SEED = 8  # pixels
# Of the picture: a bare slide is not a nucleus, which had 0.08 at most in training.
LARGEST_SHARE = 0.5
# How a picture is looked at: the factor of its size, and how it is turned.  What would be larger
# than this is left out: nuclei of large pictures are large enough, and it would take too long.
LOOKS = ((1.0, (0, False)), (1.5, (2, False)), (2.0, (1, True)))
MOST_ENLARGED = 400_000  # pixels
DRAWN = (400, 60, 60)  # pictures of each split
SAMPLES = Path(__file__).parent / "samples"


def load(folder: Path | None, split: str) -> Examples:
    """Return pictures with every nucleus numbered; rare kinds stand in the training list often."""
    examples = segmentation.read_pairs(folder, "cells", "labels", split)
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
    return segmentation.draw_pairs(draw_cells, DRAWN, split)


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
    crops = [_crop(examples, index, settings, MOVES, rng) for index in chosen]
    return segmentation.stacked(
        crops, lambda crop: _channels(_recoloured(crop, rng), settings), classes_and_weights
    )


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop of each of the first 64 pictures, in its own size and colours."""
    crops = [
        _crop(examples, index, settings, Moves(), rng) for index in segmentation.validated(examples)
    ]
    return segmentation.stacked(
        crops, lambda crop: _channels(to_image(crop), settings), classes_and_weights
    )


def classes_and_weights(cells: np.ndarray) -> np.ndarray:
    """Return ``float32 (H, W, 2)``: class of each pixel, and how much it counts."""
    border = regions.borders(cells)
    classes = np.where(border, BORDER, np.where(cells > 0, INSIDE, BACKGROUND))
    return np.stack([classes, np.where(border, BORDER_WEIGHT, 1.0)], axis=-1).astype(np.float32)


def soft(network: Network, picture: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return the shares ``float32 (H, W, 3)`` of background, inside and border at each pixel.

    They are the mean of what the network says of the picture in its own size and, where that is
    small, enlarged: what parts two nuclei may be a single pixel wide.
    """
    pixels = spread(picture, *bounds(picture))
    if pixels.shape[2] == 1 < network.channels:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], network.channels))
    elif network.channels == 1 < pixels.shape[2]:
        pixels = pixels.mean(axis=2, keepdims=True).astype(np.uint8)
    height, width = pixels.shape[:2]
    if not np.ptp(pixels, axis=(0, 1)).any():  # Even, but a network may have its idea of a colour.
        return np.broadcast_to(np.float32([1, 0, 0]), (height, width, 3))
    sizes = [((round(width * f), round(height * f)), way) for f, way in LOOKS]
    looks = [(size, way) for size, way in sizes
             if size == (width, height) or size[0] * size[1] <= MOST_ENLARGED]  # fmt: skip
    found = None
    for index, (size, way) in enumerate(looks):
        seen = pixels if size == (width, height) else _resized(pixels, size)
        part = watch and partial(_watch_part, watch, index, len(looks))
        said = segmentation.shares(Turned(network, (way,)), seen, part)
        said = said if size == (width, height) else _resized(said, (width, height))
        found = said if found is None else np.add(found, said, out=found)
    return np.divide(found, np.float32(len(looks)), out=found)


def _watch_part(watch: Watch, index: int, parts: int, done: int, total: int) -> None:
    """Tell how much is done of all looks, when ``done`` of ``total`` is of this one."""
    watch(index * total + done, parts * total)


def _resized(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return each map of ``(H, W, C)`` in another size, width before height."""
    how = Image.Resampling.BICUBIC if maps.dtype == np.uint8 else Image.Resampling.BILINEAR
    each = [np.ascontiguousarray(maps[..., channel]) for channel in range(maps.shape[2])]
    return np.stack([np.asarray(Image.fromarray(one).resize(size, how)) for one in each], axis=-1)


def decide(shares: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return numbered cells ``int32 (H, W)``.

    A pixel is cell where inside and border together have more than ``threshold``.
    """
    threshold = THRESHOLD if threshold is None else threshold
    mask = shares[..., BACKGROUND] < 1 - threshold
    seeds, _ = ndimage.label(mask & (shares[..., INSIDE] > SEED))
    seeds = regions.renumbered(seeds, SMALLEST_SEED)
    found = regions.grow(seeds, shares[..., BORDER], mask)
    return regions.renumbered(found, regions.SMALLEST, LARGEST_SHARE * found.size)


def otsu_and_watershed(
    picture: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the numbered cells that brightness alone tells."""
    return regions.watershed_instances(regions.otsu(_bright_cells(picture)))


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


def _sample(name: str) -> tuple[np.ndarray, np.ndarray]:
    cells = segmentation.read_pixels(SAMPLES / f"{name}.png")[..., 0]
    return segmentation.read_pixels(SAMPLES / f"{name}.jpg"), cells.astype(np.int32)


def _drawn_sample() -> tuple[np.ndarray, np.ndarray]:
    return draw_cells(np.random.default_rng(7))


def _number_of(cells: np.ndarray) -> int:
    return len(np.unique(cells[cells > 0]))


_UNET = segmentation.unet(
    [16, 32, 64, 96],
    outputs=3,
    data="cells",
    batch=16,
    crop=128,
    epochs=15,
)

CONTEST = "Data Science Bowl 2018, stage 1"
TASK = segmentation.task(
    "segment-cells",
    "Find cells",
    "Finds the nuclei in a microscope picture, tells touching ones apart, counts them.",
    contract.Signal("instances"),
    metrics=(
        contract.Metric(
            "ap",
            "AP at 0.5",
            "",
            regions.average_precision,
            "Of all cells, true or found: the share that match, overlapping by more than half.",
            decimals=3,
        ),
        contract.Metric(
            "dice",
            "Dice",
            "",
            lambda target, answer: regions.dice(target > 0, answer > 0),
            "How well the area of all cells together is covered, 1 for exactly.",
            decimals=3,
        ),
        contract.Metric(
            "map",
            "mean AP",
            "",
            regions.mean_average_precision,
            "The contest's score: AP at overlaps from 0.50 to 0.95, averaged.",
            decimals=3,
        ),
        contract.Metric(
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
            contract.DataSet("cells", "Microscope pictures", load, measured_on="validation"),
            contract.DataSet("drawn-cells", "Drawn cells", load_drawn, drawn=True),
        ]
    ),
    batch=batch,
    validation=validation,
    **contract.decided(soft, decide),
    baselines=by_name(
        [
            contract.Baseline(
                "otsu-watershed",
                "Threshold and watershed",
                "Otsu's threshold says what is bright, the watershed cuts at waists.",
                otsu_and_watershed,
                takes_hint=False,
            )
        ]
    ),
    samples=by_name(
        [
            contract.Sample(
                "fluorescence",
                "Glowing nuclei",
                lambda: _sample("cells-fluorescence"),
                CONTEST,
                "CC0",
            ),
            contract.Sample(
                "stained", "Stained tissue", lambda: _sample("cells-stained"), CONTEST, "CC0"
            ),
            contract.Sample(
                "ihc",
                "Stained, another laboratory",
                lambda: (data.immunohistochemistry(), None),
                "scikit-image: colon, stained for FHL2",
                "CC0",
            ),
            contract.drawn_sample("drawn-cells", "Drawn by the program", _drawn_sample),
        ]
    ),
    hint=segmentation.threshold(THRESHOLD, "fainter cells, and more that are none"),
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "cells",
            "Cells: U-Net",
            "Finds nuclei of any stain and cuts touching ones apart by a class for borders.",
            segmentation.RONNEBERGER,
            _UNET,
        ),
        title="Cells: plain encoder-decoder",
        source=segmentation.OURS,
    )
    | by_name(
        [
            segmentation.short(
                "cells-small",
                "Count drawn cells",
                "Two minutes on cells that the program draws: inside, border, background.",
                contract.with_settings(_UNET, channels=1, filters=[8, 16, 32])
                | {"data": "drawn-cells", "epochs": 8},
            )
        ]
    ),
    picture=partial(segmentation.class_picture, colours=CLASS_COLOURS),
    explanation=contract.Explanation(
        "This is the denoiser's network with another input and another target. For each pixel it "
        "says how likely it is background, the inside of a nucleus, or the border between two that "
        "touch. Pieces of inside are then counted and grown until they meet. The plain "
        "encoder-decoder sends all detail through its narrow middle, so borders of a pixel or two "
        "blur and close cells become one; on the area of large cells it is about as good. "
        "The tutorial looks for kidney stones. We found no free pictures of them, so cells take "
        "their place: one kind of thing, in a small share of the pixels.",
        (
            "a microscope picture, spread from its darkest to its brightest",
            "for each pixel: background, inside, border",
            "softmax over three classes",
            "cross-entropy, borders count three times, plus Dice",
            "AP at 0.5 over cells, Dice over pixels",
        ),
        "Trained on 544 pictures of the 2018 Data Science Bowl: glowing nuclei, stained tissue, a "
        "few grey smears. It is not a medical device. It has never seen whole cells, bacteria, "
        "three-dimensional stacks or photos of anything else: there it finds whatever looks like a "
        "nucleus. What fills more than half of the picture is left out.",
    ),
)
