"""Give grey photos colours: faces, of which all look alike, or any photo, with a few hints.

    lightness (H, W, 1) [and hints (H, W, 3)] --network--> a and b (H, W, 2)
    joined with the lightness -> photo (H, W, 3)

The colours of most things cannot be known from grey: whoever only fears errors paints brown.  Of
faces a network knows what is where; elsewhere a visitor says with a click what colour a thing has,
and the network finds out how far it reaches.  It is told each colour spread to what is near and
about as light, as was done before networks, and how far that is to be believed.  Colours are
looked for at a reduced size, because people see little detail in them, and laid over the full
lightness.

Source:
    Zhang et al., ECCV 2016, arXiv:1603.08511 (the task); Zhang et al., SIGGRAPH 2017,
    arXiv:1705.02999 (hints).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from imaging import pixels
from imaging.cielab import (
    as_grey,
    colourfulness,
    in_grey,
    lab_to_rgb,
    rgb_to_lab,
    with_colour,
)
from imaging.metrics import psnr
from imaging.named import by_name
from imaging.resize import resize
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.tasks import contract
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.sample_photos import sample_photos
from models.tasks.turned import Turned
from models.tasks.whole import seen_size

SPAN = 110  # a and b divided by this lie within [-1, 1] for every colour a screen can show.
NO_HINT_SHARE = 0.125
LAST_SHARE = 0.03  # The chance that a hint is the last: about thirty on average.
MOST_HINTS = 100
WIDEST = 4  # pixels to each side of a hint in training
HINTS_MEASURED = 20
# Where hints are few, the network goes wrong in a spot near a corner, wherever the picture lies: of
# upright, mirrored and upside down, quarters of a turn and mirrored, the middle answer counts.
SEEN = ((0, False), (0, True), (2, False))
MIRRORED = ((0, False), (0, True))  # Faces stand upright.
REACH = 2  # pixels to each side of a hint whose true colour is measured
SIDE = 128  # pixels of the shorter side that the network sees
# Who fears errors paints pale.  Of 1, 1.05, 1.1, 1.15 and 1.2 times the colours of a network, these
# are nearest to the colourfulness of the faces of the validation.
VIVID = 1.1
ASTRAY = 10 / SPAN  # how far from its neighbours one pixel of an answer may be
REACH_IN_PLACE = np.float32(SIDE / 4)
REACH_IN_LIGHTNESS = np.float32(0.12)

SOURCE = "Zhang et al., SIGGRAPH 2017, with a small U-Net"

Dot = tuple[float, float, float, float]  # row, column, a, b
Dots = Sequence[Dot]


def load_faces(folder: Path | None, split: str) -> Examples:
    """Return faces ``uint8 (128, 128, 3)`` of people who do not exist.

    Raises:
        OSError: if there are none.
    """
    if folder is None:
        raise OSError("faces are looked for in DENOISE_DATA_DIR, which names no folder")
    split = {"validation": "val"}.get(split, split)
    names = json.loads((folder / "faces" / "split.json").read_text())[split]
    faces = [_open(folder / "faces" / f"{Path(str(name)).stem}.jpg") for name in names]
    return _examples(faces, split)


def load_photos(folder: Path | None, split: str) -> Examples:
    """Return photos ``uint8 (H, W, 3)`` with a shorter side of 176; the test is Kodak24.

    Raises:
        OSError: if there are none.
    """
    if folder is None:
        raise OSError("photos are looked for in DENOISE_DATA_DIR, which names no folder")
    if split == "test":
        files, side = sorted((folder / "photos" / "kodak24").glob("*.png")), SIDE
    else:
        every = sorted((folder / "photos" / "train").glob("imagenet_*.jpg"))
        files = [p for i, p in enumerate(every) if (i % 10 == 0) == (split == "validation")]
        side = 176
    if not files:
        raise OSError(f"there are no photos in {folder}")
    return _examples([_open(path, side) for path in files], split)


def load_hinted_photos(folder: Path | None, split: str) -> Examples:
    """Return the same; each of the test with 20 true hints at random places."""
    examples = load_photos(folder, split)
    if split != "test":
        return examples
    hints = [
        true_dots(photo, HINTS_MEASURED, np.random.default_rng(number))
        for number, photo in enumerate(examples.targets)
    ]
    return replace(examples, hints=hints)


def _examples(photos: list[np.ndarray], split: str) -> Examples:
    if split != "test":
        return Examples(photos)
    exact = [pixels.to_image(photo) for photo in photos]
    return Examples(exact, [in_grey(each) for each in exact])


def _open(path: Path, side: int | None = None) -> np.ndarray:
    with Image.open(path) as file:
        image = file.convert("RGB")
    if side:
        share = side / min(image.size)
        size = tuple(round(length * share) for length in image.size)
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image)


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return lightness and a and b of crops, mirrored at random."""
    crops = np.stack([_crop(examples.targets[one], settings.crop, rng) for one in chosen])
    lab = rgb_to_lab(crops)
    # Old photos are darker or paler than ours made grey.
    exponents = np.exp(rng.normal(0, 0.15, (len(chosen), 1, 1, 1))).astype(np.float32)
    lightness = np.clip(lab[..., :1] / np.float32(100), 0, 1) ** exponents
    return lightness, lab[..., 1:] / np.float32(SPAN)


def batch_with_hints(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return lightness and hints, and a and b of crops, as ``batch`` does."""
    lightness, ab = batch(examples, chosen, settings, rng)
    maps = [
        spread(random_dots(colours, rng), light[..., 0])
        for light, colours in zip(lightness, ab * SPAN, strict=True)
    ]
    return (lightness, np.stack(maps)), ab


def validation(
    examples: Examples,
    settings: Settings,
    rng: np.random.Generator,
    make: Callable[..., tuple[contract.Tensors, np.ndarray]] = batch,
) -> tuple[contract.Tensors, np.ndarray]:
    """Return one crop of each picture, of the first 64, as ``make`` does."""
    return make(examples, np.arange(min(64, len(examples))), settings, rng)


def random_dots(ab: np.ndarray, rng: np.random.Generator) -> list[Dot]:
    """Return the true colours at a few random places of ``ab (H, W, 2)``.

    Source:
        Zhang et al., 2017: squares of random width, a geometric number of them, often none.
    """
    if rng.random() < NO_HINT_SHARE:
        return []
    dots = []
    for _ in range(min(MOST_HINTS, int(rng.geometric(LAST_SHARE)))):
        y, x = (int(rng.integers(side)) for side in ab.shape[:2])
        a, b = ab[_square(y, x, rng.integers(WIDEST + 1))].mean(axis=(0, 1))
        dots.append((y, x, float(a), float(b)))
    return dots


def spread(dots: Dots, lightness: np.ndarray) -> np.ndarray:
    """Return the colours of hints spread over a picture, and how much they are to be believed.

    ``lightness`` is ``(H, W)`` in [0, 1], dots are in its pixels; the answer is
    ``float32 (H, W, 3)``: a and b, divided by ``SPAN``, and the third in [0, 1].  A pixel takes the
    colours of hints that are near in place and in lightness.

    Source:
        Levin et al., ACM TOG 2004, doi:10.1145/1015706.1015780, but in one step.
    """
    rows, columns = (np.arange(side, dtype=np.float32) for side in lightness.shape)
    sums = np.zeros((3, *lightness.shape), np.float32)  # of a, b and of the weights
    for row, column, a, b in dots:
        y, x = int(row), int(column)
        weight = np.exp(-np.square((lightness - lightness[y, x]) / REACH_IN_LIGHTNESS))
        weight *= np.exp(-np.square((rows - y) / REACH_IN_PLACE))[:, None]
        weight *= np.exp(-np.square((columns - x) / REACH_IN_PLACE))
        for each, value in zip(sums, (a / SPAN, b / SPAN, 1), strict=True):
            each += np.float32(value) * weight
    sums[:2] /= sums[2] + np.float32(0.02)
    np.minimum(sums[2], 1, out=sums[2])
    return np.moveaxis(sums, 0, 2)


def true_dots(target: np.ndarray, count: int, rng: np.random.Generator) -> list[tuple]:
    """Return ``count`` hints ``(row, column, a, b)`` that tell the truth, as a visitor might."""
    lab = rgb_to_lab(target)
    height, width = lab.shape[:2]
    places = zip(rng.integers(height, size=count), rng.integers(width, size=count), strict=True)
    return [
        (int(y), int(x), *(float(each) for each in lab[_square(y, x, REACH)][..., 1:].mean((0, 1))))
        for y, x in places
    ]


def solve(
    network: Network, image: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the picture ``(H, W, 3)`` in colours, with the lightness it has.

    ``hint`` says how vivid the colours are to be, 1 for as they were guessed, None for ``VIVID``.
    """
    lightness, small = _what_is_seen(network, image)
    ab = Turned(network, MIRRORED, _mean)(image=lightness[None])[0]
    return _in_colours(image, ab * np.float32(VIVID if hint is None else hint), small)


def solve_with_hints(
    network: Network, image: np.ndarray, hint: Dots | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the picture ``(H, W, 3)`` in colours, with the lightness it has.

    ``hint`` are dots ``(row, column, a, b)`` in the picture's own pixels.
    """
    lightness, small = _what_is_seen(network, image)
    hints = spread(_placed(hint or (), image.shape[:2], small), lightness[..., 0])
    ab = Turned(network, SEEN, np.median)(image=lightness[None], hints=hints[None])[0]
    return _in_colours(image, ab, small)


def _what_is_seen(network: Network, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the lightness that a network sees, and how much of it is the picture."""
    height, width = image.shape[:2]
    share = min(1.0, SIDE / min(height, width))
    small = seen_size(height, width, share, network.multiple)
    missing = [(0, -side % network.multiple) for side in small]
    return np.pad(_lightness(as_grey(image), small), (*missing, (0, 0)), mode="edge"), small


def _in_colours(image: np.ndarray, ab: np.ndarray, small: tuple[int, int]) -> np.ndarray:
    """Return the picture in the colours of the answer ``ab``, of which ``small`` is the picture."""
    ab = ab[: small[0], : small[1]] * np.float32(SPAN)
    return with_colour(as_grey(image), resize(ab, *image.shape[:2]))


def _mean(answers: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Return the mean of answers, their single pixels that went astray like those around them.

    In corners, where little tells a network what is there, one pixel of each four can come out as
    blue as can be.  People see no such detail in colour, so none is lost.
    """
    middle = ndimage.median_filter(answers, (1, 1, 3, 3, 1), mode="nearest")
    astray = np.abs(answers - middle).max(axis=-1, keepdims=True) > ASTRAY
    return np.where(astray, middle, answers).mean(axis)


def _lightness(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return how light a grey picture is in another size, ``float32 (*size, 1)`` in [0, 1]."""
    seen = pixels.as_rgb(np.clip(resize(grey, *size), 0, 1))
    return rgb_to_lab(seen)[..., :1] / np.float32(100)


def _placed(dots: Dots, shown: tuple[int, int], small: tuple[int, int]) -> list[Dot]:
    """Return dots of the shown picture in the pixels of the small one."""
    return [
        (
            min(int(row * small[0] / shown[0]), small[0] - 1),
            min(int(column * small[1] / shown[1]), small[1] - 1),
            a,
            b,
        )
        for row, column, a, b in dots
    ]


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return the picture as ``float32 (H, W, 3)``, grey."""
    return in_grey(image)


def colour_missed(target: np.ndarray, answer: np.ndarray) -> float:
    """Return how far the colourfulness of the answer is from that of the truth, 0 for equal.

    Both are ``float32 (H, W, 3)`` in [0, 1].
    """
    return abs(colourfulness(target) - colourfulness(answer))


def _square(y: int, x: int, reach: int) -> tuple[slice, slice]:
    return np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]


def _crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square out, of at least 88 % of the height or up to twice ``side``, in [0, 1]."""
    shorter = min(picture.shape[:2])
    if shorter < 1.5 * side:
        source = round(shorter * rng.uniform(0.88, 1))
    else:
        source = min(shorter, round(side * rng.uniform(1, 2)))
    top, left = (rng.integers(length - source + 1) for length in picture.shape[:2])
    crop = picture[top : top + source, left : left + source]
    if source != side:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    crop = crop[:, ::-1] if rng.random() < 0.5 else crop
    return pixels.to_image(crop)


def grey(image: np.ndarray, hint: object = None, watch: Watch | None = None) -> np.ndarray:
    """Return the picture without colour: the answer that is never bold and never right."""
    return as_rgb(image)


def one_tint(image: np.ndarray, hint: object = None, watch: Watch | None = None) -> np.ndarray:
    """Return the picture in the mean colour of the photos and faces of the training, a sepia."""
    return with_colour(image, np.broadcast_to(np.float32(TINT), (*image.shape[:2], 2)))


def spread_hints(
    image: np.ndarray, hint: Dots | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the picture in the colours of the hints, each where it is nearest."""
    if not hint:
        return as_rgb(image)
    grey = as_grey(image)
    height, width = grey.shape[:2]
    small = seen_size(height, width, min(1.0, SIDE / min(height, width)))
    lightness = _lightness(grey, small)[..., 0]
    ab = spread(_placed(hint, (height, width), small), lightness)[..., :2] * np.float32(SPAN)
    return with_colour(grey, resize(ab, height, width))


def _face_sample() -> tuple[np.ndarray, np.ndarray]:
    """The astronaut's face, framed as those of the training."""
    face = PHOTO_SAMPLES["astronaut"].load()[10:266, 90:346]
    target = np.clip(resize(pixels.to_image(face), SIDE, SIDE), 0, 1)
    return in_grey(target), target


TINT = (5.0, 11.0)
METRICS = (
    contract.Metric(
        "psnr",
        "PSNR",
        "dB",
        psnr,
        "Of red, green and blue. A brown that is never far off scores well: read both numbers.",
    ),
    contract.Metric(
        "colourfulness",
        "Colourfulness missed",
        "",
        colour_missed,
        "How far from the colourfulness of the truth, in the units of Hasler and Suesstrunk.",
        better=-1,
        decimals=1,
    ),
)
BASELINES = (
    contract.Baseline(
        "tint",
        "One tint",
        "The same colour everywhere, the mean of all photos.",
        one_tint,
        takes_hint=False,
    ),
    contract.Baseline("grey", "Grey", "No colour at all.", grey, takes_hint=False),
)


def _recipes(
    name: str, title: str, purpose: str, data: str, hints: int
) -> dict[str, contract.Recipe]:
    settings = {
        "channels": 1,
        "size": None,
        "filters": [24, 32, 48, 64, 80],
        "outputs": 2,
        "head": "tanh",
        "half": True,
    }
    config = {
        "data": data,
        "architecture": "unet",
        "settings": settings | ({"hints": hints} if hints else {}),
        "loss": "colour",
        "learning_rate": 0.002,
        "schedule": "cosine",
        "batch": 16,
        "crop": 128,
        "epoch_batches": 50,
        "epochs": 60,
        "average": 0.995,
        "clip": 1.0,
    }
    recipe = contract.Recipe(name, title, purpose, SOURCE, config)
    blurred = "Colours run over edges: where they end was lost on the way down."
    return contract.with_and_without_skips(recipe, purpose=blurred)


def colouring(**fields: Any) -> contract.Task:
    """Return a task whose answer is its input in colours; ``fields`` are what tells it apart."""
    return contract.Task(
        target=contract.COLOUR_IMAGE,
        words=("Original", "Grey", "Coloured"),
        metrics=METRICS,
        walk="crops",
        **fields,
    )


def _task(**fields: Any) -> contract.Task:
    return colouring(
        input=contract.COLOUR_IMAGE,
        losses=("colour", "mae", "mse"),
        watch=("mse",),
        picture=picture,
        seen=as_rgb,
        **fields,
    )


def picture(tensor: np.ndarray) -> np.ndarray:
    """Return tensors as pictures: lightness as grey, a and b in front of a middle grey."""
    if tensor.shape[-1] == 1:
        return np.clip(tensor, 0, 1)
    lab = np.full((*tensor.shape[:3], 3), 60, np.float32)
    lab[..., 1:] = tensor[..., :2] * SPAN
    return np.stack([lab_to_rgb(each) for each in lab])


FACES = _task(
    batch=batch,
    validation=validation,
    solve=solve,
    name="colour-faces",
    title="Colour faces",
    description="Gives a grey portrait the colours that faces usually have.",
    data=by_name([contract.DataSet("faces", "Faces of nobody", load_faces)]),
    recipes=_recipes(
        "colour-faces",
        "Colour faces",
        "Knows where skin, lips and hair are in a portrait, and guesses the rest.",
        "faces",
        hints=0,
    ),
    baselines=by_name(BASELINES),
    hint=contract.Hint(
        "vividness",
        "Vividness",
        low=0.0,
        high=2.0,
        default=VIVID,
        step=0.1,
        description="A guess, at 1, is paler than the truth. Higher is more colourful, and further "
        "from the true colours.",
    ),
    samples=by_name(
        [
            contract.Sample(
                "astronaut-face", "Astronaut", _face_sample, "NASA, scikit-image", "public domain"
            )
        ]
    ),
    explanation=contract.Explanation(
        "Lightness goes in, two numbers of colour come out: a from green to red, b from blue to "
        "yellow. Of faces a network can know where skin, lips, hair and background are. The colour "
        "of a jacket is nowhere in a grey picture: all one can do is guess an ordinary one, and "
        "the mean of all guesses is brown. So the loss also asks for as much spread of colour as "
        "the original had. The plain network without skips paints over the edge of a face.",
        (
            "the lightness L of a portrait",
            "its two colours, a and b",
            "tanh, two numbers a pixel",
            "absolute error, and how much the colours spread",
            "PSNR, and colourfulness beside it",
        ),
        "The colours are a guess. It was trained on 800 faces, drawn by a network, of people who "
        "do not exist, and some looks are more common among them than others. The face should "
        "fill the picture as in a passport. Anything else is coloured like skin.",
    ),
)
PHOTOS = _task(
    batch=batch_with_hints,
    validation=partial(validation, make=batch_with_hints),
    solve=solve_with_hints,
    name="colour-photos",
    title="Colour photos",
    description="Spreads the colours that you put on a grey photo as far as they belong.",
    inputs=("image", "hints"),
    recipes=_recipes(
        "colour",
        "Colour with hints",
        "Spreads the colours of your hints up to the edges of things.",
        "colour-photos",
        hints=3,
    ),
    data=by_name(
        [
            contract.DataSet(
                "colour-photos",
                "Photos",
                load_photos,
                "Trained on photos of ImageNet, which are licensed for research.",
            ),
            contract.DataSet(
                "photos-20-hints",
                "Photos, with 20 hints each where it is measured",
                load_hinted_photos,
                "Trained on photos of ImageNet, which are licensed for research.",
            ),
        ]
    ),
    baselines=by_name(
        [
            contract.Baseline(
                "spread",
                "Nearest hint",
                "Each pixel takes the colour of hints that are near, in place and in lightness.",
                spread_hints,
            ),
            *BASELINES,
        ]
    ),
    samples=sample_photos(
        [PHOTO_SAMPLES[name] for name in ("astronaut", "coffee", "cat")],
        lambda photo: (in_grey(photo), photo),
    ),
    explanation=contract.Explanation(
        "As for faces, with a second input: hints, which say at a few places what colour is "
        "there, and the network finds out how far it reaches. In training the hints are the true "
        "colours at random places, often none at all. "
        "Before networks, colours were spread to what is near and about as light: where two "
        "things are equally light, a colour runs over the edge, and small things need their own "
        "hint.",
        (
            "the lightness, and hints of colour",
            "the two colours, a and b",
            "tanh, two numbers a pixel",
            "absolute error, and how much the colours spread",
            "PSNR, and colourfulness beside it",
        ),
        "The colours are yours where you put hints, and a guess elsewhere.",
    ),
)
TASKS = (FACES, PHOTOS)
