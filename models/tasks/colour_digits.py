"""Give grey digits the colour that each has by rule: colouring for everyone.

    grey (H, W, 1) --network--> red, green and blue (H, W, 3)

Each of the ten digits has a hue; how light it is says nothing.  So a network must read a digit to
colour it, and know its edge to stay inside.  Digits are MNIST's, or drawn where that is missing, so
that anyone can train it anywhere.

Source:
    Zhang et al., ECCV 2016, arXiv:1603.08511 (the task, where the colour has to be guessed).
"""

from pathlib import Path

import numpy as np

from imaging.named import by_name
from imaging.pixels import to_image
from imaging.samples.digit_scenes import in_colours, scatter
from imaging.samples.synthetic_digits import draw_digits
from models.tasks import contract, segmentation
from models.tasks.colour_photos import colouring, grey
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.digits import handwritten
from models.tasks.upscale_photos import brightness

SIDE = 64  # of the scenes that networks learn from
SCENES = {"train": 3000, "validation": 64, "test": 100}
DIGITS = 3  # in one of them, where they find room


def load(folder: Path | None, split: str) -> Examples:
    """Return scenes ``uint8 (64, 64, 3)`` in colours; those of the test with their grey ones."""
    pictures, labels = handwritten(folder, split, DIGITS * SCENES[split])
    rng = np.random.default_rng(contract.SPLITS.index(split))
    scenes = [draw(pictures, labels, (SIDE, SIDE), DIGITS, rng) for _ in range(SCENES[split])]
    if split != "test":
        return Examples(scenes)
    exact = [to_image(scene) for scene in scenes]
    return Examples(exact, [brightness(each) for each in exact])


def draw(
    pictures: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return ``count`` random digits in their colours, ``uint8 (*size, 3)``."""
    chosen = rng.integers(len(pictures), size=count)
    return in_colours(scatter(pictures[chosen], labels[chosen], size, rng), size, rng)


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return scenes in grey ``float32 (N, 64, 64, 1)`` and in colours ``(N, 64, 64, 3)``."""
    scenes = np.stack([examples.targets[one] for one in chosen])
    return np.stack([brightness(scene) for scene in scenes]), to_image(scenes)


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 64 scenes, as ``batch`` does."""
    return batch(examples, np.array(segmentation.validated(examples)), settings, rng)


def solve(
    network: Network, image: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return a picture of any size in colours, ``float32 (H, W, 3)`` in [0, 1]."""
    return segmentation.shares(network, brightness(image), watch)


def _sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    pictures, labels = draw_digits(40, seed=contract.SPLITS.index("test"))
    scene = to_image(draw(pictures, labels, (128, 176), 14, rng))
    return brightness(scene), scene


_UNET = segmentation.digit_unet(
    {"filters": [16, 32, 64, 96], "dropout": 0.05, "outputs": 3},
    data="coloured-digits",
    batch=16,
    crop=SIDE,
)

TASK = colouring(
    name="colour-digits",
    title="Colour digits",
    description="Gives each grey digit its own colour: 0 is always red, 5 always blue-green.",
    input=contract.GREY_IMAGE,
    seen=brightness,
    losses=("mse", "mae"),
    watch=("psnr",),
    data=by_name([contract.DataSet("coloured-digits", "Coloured digits", load, drawn=True)]),
    batch=batch,
    validation=validation,
    solve=solve,
    baselines=by_name([contract.Baseline("grey", "Grey", "No colour at all.", grey)]),
    samples=by_name([contract.drawn_sample("drawn-digits", "Drawn digits", _sample)]),
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "colour-digits-small",
            "Colour digits",
            "Two minutes: each digit has its colour, so it must be read first.",
            segmentation.OURS,
            _UNET,
            "About 29 dB. Hues appear early; digits that look alike are told apart last.",
        ),
        expect="About 22 dB, less than plain grey: blurred digits in pale hues.",
    ),
    picture=contract.as_it_is,
    explanation=contract.Explanation(
        "The colour of a photo has to be guessed; here it can be known. Each digit has a hue, and "
        "how light it is says nothing about it. So the network has to read each digit, for which "
        "it must see all of it, and then fill it exactly up to its edge. Where it is not sure "
        "which digit it sees, the mean of two hues comes out: grey. The plain network without "
        "skips, trained for as long, gives blurred digits in pale hues. Without a network there "
        "is no way to know the rule, and grey is the best answer.",
        (
            "digits in grey",
            "the same in colours",
            "sigmoid, three maps",
            "squared error",
            "PSNR, and colourfulness beside it",
        ),
        "Trained on digits of 26 to 44 pixels on dark grey that do not touch, in two minutes. "
        "Letters and photos get the colours of the digits that their edges remind it of.",
    ),
)
