"""Enlarge digits from 14 x 14 to 28 x 28: super-resolution for everyone.

    digit (28, 28, 1) --blurred and thinned out--> small (14, 14, 1)
    each pixel repeated 2 x 2 --network--> digit (28, 28, 1)

The small one is made as for photos.  The network is the denoiser's: its noise are squares of four
equal pixels.  Digits are MNIST's, or drawn where that is missing, so that anyone can train it
anywhere.

Source:
    Dong et al., ECCV 2014, arXiv:1501.00092, who enlarge first and let a network sharpen.
"""

from pathlib import Path

import numpy as np

from imaging.digit_fit import SIDE
from imaging.named import by_name
from imaging.pixels import to_image
from imaging.resize import enlarged, reduced
from imaging.samples.synthetic_digits import draw_digits
from models.tasks import contract, segmentation, upscale_photos
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.denoise_digits import PSNR, SSIM
from models.tasks.digits import handwritten

SCALE = 2
DIGITS = {"train": 12_000, "validation": 500, "test": 1000}
SAMPLE = (3, 5)  # rows and columns of digits


def load(folder: Path | None, split: str) -> Examples:
    """Return digits ``uint8 (28, 28, 1)``; those of the test with their small ones, in [0, 1]."""
    pictures, _ = handwritten(folder, split, DIGITS[split])
    if split != "test":
        return Examples(list(pictures))
    exact = list(to_image(pictures))
    return Examples(exact, [degrade(each) for each in exact])


def degrade(digit: np.ndarray) -> np.ndarray:
    """Return the picture half as large, in [0, 1]."""
    return np.clip(reduced(digit, SCALE), 0, 1)


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return small digits with repeated pixels and the whole ones, ``float32 (N, 28, 28, 1)``."""
    whole = to_image(np.stack([examples.targets[one] for one in chosen]))
    return np.stack([repeated(degrade(each)) for each in whole]), whole


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 64 digits, as ``batch`` does."""
    return batch(examples, np.array(segmentation.validated(examples)), settings, rng)


def repeated(small: np.ndarray) -> np.ndarray:
    """Return the picture with each pixel repeated 2 x 2."""
    return enlarged(small, SCALE, "nearest")


def solve(
    network: Network, image: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return a picture of any size twice as large, ``float32`` in [0, 1].

    Raises:
        InputError: if it would have too many pixels.
    """
    upscale_photos.require_room(image, SCALE)
    light = repeated(upscale_photos.brightness(image))
    return upscale_photos.with_colours(segmentation.shares(network, light, watch), image, SCALE)


def _sample() -> tuple[np.ndarray, np.ndarray]:
    """A sheet of digits that no network has seen."""
    rows, columns = SAMPLE
    digits, _ = draw_digits(rows * columns, seed=contract.SPLITS.index("test"))
    lines = [np.concatenate(list(line), axis=1) for line in np.split(digits, rows)]
    sheet = to_image(np.concatenate(lines, axis=0))
    return degrade(sheet), sheet


_UNET = segmentation.digit_unet(
    {"filters": [24, 48], "dropout": 0.0}, data="small-digits", batch=32, crop=SIDE
)

TASK = upscale_photos.enlarging(
    SCALE,
    name="upscale-digits",
    title="Enlarge digits",
    description="Gives a digit of 14 x 14 pixels the 28 x 28 that it once had.",
    input=contract.GREY_IMAGE,
    target=contract.GREY_IMAGE,
    metrics=(PSNR, SSIM),
    losses=("mse", "mae", "binary_crossentropy"),
    data=by_name([contract.DataSet("small-digits", "Small digits", load, drawn=True)]),
    batch=batch,
    validation=validation,
    solve=solve,
    samples=by_name([contract.drawn_sample("drawn-digits", "Drawn digits", _sample)]),
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "upscale-digits-small",
            "Enlarge digits, 14 to 28 pixels",
            "Two minutes: strokes from a quarter of the pixels.",
            segmentation.OURS,
            _UNET,
            "About 28 dB on new digits; the best formula has 21.",
        ),
        title="Enlarge digits, no skips",
        expect="About 26 dB: strokes in the right place, edges a little off.",
    ),
    variant="digits, 2 times",
    explanation=contract.Explanation(
        "This is the denoiser itself: what has to go are not random errors but squares of four "
        "equal pixels. A formula puts a smooth surface through the small pixels, whatever "
        "they show. The network has seen that digits are strokes of one width on black, and draws "
        "the edge where a stroke must have had it. The plain network without skips must send every "
        "stroke through its narrow middle, and moves edges a little.",
        (
            "a digit of 14 x 14, its pixels repeated",
            "the digit of 28 x 28",
            "sigmoid",
            "squared error",
            "PSNR, SSIM",
        ),
        "Trained on digits alone, in two minutes. It makes strokes out of anything: a photo comes "
        "out as if drawn with a pen.",
    ),
)
