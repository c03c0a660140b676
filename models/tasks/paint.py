"""Paint a photo as Claude Monet might have: his colours, and strokes where there were pixels.

    photo (H, W, 3) --network--> painting (H, W, 3)

Nobody has the photo that a painting was painted from, so there are no pairs: the network is judged
by how its filters' answers go together in paintings (style) and by whether light and dark are where
they were in the photo (content).

Source:
    Johnson et al., ECCV 2016, arXiv:1603.08155, with random filters in place of a network trained
    on a million photos: Ustyuzhaninov et al., 2016, arXiv:1606.00021.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.cielab import rgb_to_lab, statistics, with_colours_of, with_statistics
from imaging.metrics import ssim
from imaging.named import by_name
from imaging.pixels import as_rgb, strips, to_image
from imaging.resize import resize
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.tasks import contract
from models.tasks.colour_photos import load_photos
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.sample_photos import sample_photos
from models.tasks.whole import seen_size

STRENGTH = 0.8  # Where nothing is said; more loses the finest lines.
MARGIN = 8  # Pixels beyond each edge that the network paints too.
PAINTED_PIXELS = 640 * 640  # Larger photos are painted reduced: strokes stay as broad as they are.
PAINTING_SIDE = 288
GRAIN = 0.1  # Noise on the photo that strokes begin from where the photo is flat.
# Mean and deviation of L, a and b over 42 paintings of the training set.
MONET = ((54.4, -1.7, 9.0), (15.8, 7.4, 14.9))


@dataclass(frozen=True)
class Pictures(Examples):
    """Photos as targets, and paintings that belong to none of them."""

    paintings: Sequence[np.ndarray] = ()


def load(folder: Path | None, split: str) -> Pictures:
    """Return photos and paintings, ``uint8 (H, W, 3)``; of the test the photos are the inputs too.

    Raises:
        OSError: if there are none.
    """
    if folder is None:
        raise OSError("paintings are looked for in DENOISE_DATA_DIR, which names no folder")
    names = json.loads((folder / "monet" / "split.json").read_text())
    names = names["train" if split == "train" else "val"]
    files = [next((folder / "monet").glob(f"{Path(str(name)).stem}.*")) for name in names]
    photos = load_photos(folder, split).targets
    given = photos if split == "test" else None
    return Pictures(photos, given, paintings=[_open(path) for path in files])


def _open(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        image = file.convert("RGB")
    share = min(1, PAINTING_SIDE / min(image.size))
    size = tuple(round(length * share) for length in image.size)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def batch(
    examples: Pictures, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return photos ``(N, crop, crop, 3)`` and photos with paintings ``(N, crop, crop, 6)``."""
    side, paintings = settings.crop, examples.paintings
    given = np.stack([_crop(examples.targets[one], side, rng) for one in chosen])
    style = np.stack([_crop(paintings[rng.integers(len(paintings))], side, rng) for _ in chosen])
    return _grained(given, rng), np.concatenate([given, style], axis=3)


def validation(
    examples: Pictures, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return one crop of each photo, of the first 16."""
    return batch(examples, np.arange(min(16, len(examples))), settings, rng)


def solve(
    network: Network, image: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the photo ``(H, W, 3)`` with the painting of it laid over."""
    return _laid_over(image, _painted(network, image), hint)


def soft(network: Network, image: np.ndarray, watch: Watch | None = None) -> np.ndarray:
    """Return photo and painting side by side, ``(H, W, 6)``."""
    return np.concatenate([as_rgb(image), _painted(network, image)], axis=2)


def decide(both: np.ndarray, hint: float | None = None) -> np.ndarray:
    """Return the painting laid over the photo with the strength ``hint``, 1 for it alone."""
    return _laid_over(both[..., :3], both[..., 3:].copy(), hint)


def _painted(network: Network, image: np.ndarray) -> np.ndarray:
    """Return the painting ``(H, W, 3)`` of a photo.

    Strokes are the network's, colours those of the mean Monet: the network's own run into
    rainbows.  It is painted as a whole: in tiles each would get the contrast of a picture of its
    own.
    """
    height, width = image.shape[:2]
    share = min(1.0, (PAINTED_PIXELS / (height * width)) ** 0.5)
    small = seen_size(height, width, share, network.multiple, MARGIN)
    given = as_rgb(image)
    given = given if small == (height, width) else np.clip(resize(given, *small), 0, 1)
    # Away from the edges, and wide enough for the strided layers.
    missing = [(MARGIN, MARGIN + -side % network.multiple) for side in small]
    padded = np.pad(given, (*missing, (0, 0)), mode="symmetric" if min(small) > 16 else "edge")
    # The same photo is always painted alike.
    grained = _grained(padded, np.random.default_rng(0))
    painted = network(image=grained[None])[0, MARGIN : MARGIN + small[0]]
    painted = painted[:, MARGIN : MARGIN + small[1]]
    large = painted.copy() if small == (height, width) else resize(painted, height, width)
    np.clip(large, 0, 1, out=large)
    return with_colours_of(large, _in_colours(image), out=large)


def _laid_over(photo: np.ndarray, painted: np.ndarray, strength: float | None) -> np.ndarray:
    """Return ``painted`` laid over the photo, in its place: large photos are large."""
    for rows in strips(*painted.shape[:2]):
        below = as_rgb(photo[rows])
        share = np.float32(STRENGTH if strength is None else strength)
        painted[rows] = below + share * (painted[rows] - below)
    return painted


def reinhard(
    image: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the photo in the colours and contrast of the mean Monet, as it was done in 2001."""
    return _laid_over(image, _in_colours(image), hint)


def _in_colours(image: np.ndarray) -> np.ndarray:
    return with_statistics(image, *map(np.array, MONET))


def structure_kept(target: np.ndarray, answer: np.ndarray) -> float:
    """Return the SSIM of the lightness: 1 where light and dark are where they were."""
    return ssim(*(rgb_to_lab(each)[..., :1] / 100 for each in (target, answer)))


def _grained(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return photos, or one, ``float32 (..., H, W, 3)``, with noise that all colours share."""
    grain = rng.standard_normal((*photo.shape[:-1], 1), np.float32)
    return photo + np.float32(GRAIN) * grain


def _crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    missing = [(0, max(0, side - length)) for length in picture.shape[:2]]
    if any(after for _, after in missing):
        picture = np.pad(picture, (*missing, (0, 0)), mode="symmetric")
    height, width = picture.shape[:2]
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = picture[top : top + side, left : left + side]
    return to_image(crop[:, ::-1] if rng.random() < 0.5 else crop)


def palette_missed(target: np.ndarray, answer: np.ndarray) -> float:
    """Return how far mean and spread of L, a and b are from those of the mean Monet."""
    return float(
        np.mean([np.abs(a - b).mean() for a, b in zip(statistics(answer), MONET, strict=True)])
    )


SOURCE = "Johnson et al., ECCV 2016, with random filters"
_CONFIG = {
    "data": "photos-and-monet",
    "architecture": "painter",
    "settings": {"filters": 16, "blocks": 3},
    "loss": "paint",
    "learning_rate": 0.003,
    "schedule": "cosine",
    "batch": 8,
    "crop": 128,
    "epoch_batches": 50,
    "epochs": 6,
    "average": 0.998,
    "precision": "mixed_bfloat16",
    "clip": 1.0,
}

TASK = contract.Task(
    name="paint",
    title="Paint like Monet",
    description="Paints a photo with the colours and strokes of Claude Monet.",
    input=contract.COLOUR_IMAGE,
    target=contract.COLOUR_IMAGE,
    words=("Photo", "Photo", "Painted"),
    metrics=(
        contract.Metric(
            "structure",
            "Structure kept",
            "",
            structure_kept,
            "SSIM of the lightness with the photo: 1 where nothing moved, below 0.5 much is lost.",
            decimals=3,
        ),
        contract.Metric(
            "palette",
            "Palette missed",
            "",
            palette_missed,
            "How far lightness and colours are from the mean of Monet's, in steps of Lab.",
            better=-1,
            decimals=1,
        ),
    ),
    losses=("paint",),
    watch=(),
    data=by_name(
        [
            contract.DataSet(
                "photos-and-monet",
                "Photos and paintings",
                load,
                "Trained on photos of ImageNet, which are licensed for research, and on "
                "pictures of paintings by Claude Monet, who died in 1926.",
            )
        ]
    ),
    batch=batch,
    validation=validation,
    solve=solve,
    soft=soft,
    decide=decide,
    walk="crops",
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "monet",
            "Monet",
            "Paints strokes, learned from paintings by Claude Monet.",
            SOURCE,
            _CONFIG,
        ),
        purpose="Each layer repaints what the one before it left.",
    ),
    baselines=by_name(
        [
            contract.Baseline(
                "reinhard",
                "Colour statistics",
                "The photo in the mean and spread of Monet's colours, as Reinhard did it in 2001.",
                reinhard,
            )
        ]
    ),
    samples=sample_photos(
        [PHOTO_SAMPLES[name] for name in ("coffee", "cat", "astronaut", "rocket")],
        lambda photo: (photo, None),
    ),
    hint=contract.Hint(
        "strength",
        "Strength",
        low=0.0,
        high=1.0,
        default=STRENGTH,
        step=0.05,
        description="How much of the painting is laid over the photo.",
    ),
    touches=by_name(
        [
            contract.Touch(
                "own-colours",
                "Keep my colours",
                "The strokes alone: each place keeps the colour that it has in the photo.",
                lambda image, answer: with_colours_of(answer, image),
            )
        ]
    ),
    picture=lambda tensor: contract.as_it_is(tensor[..., :3]),
    explanation=contract.Explanation(
        "There are no pairs: nobody has the photo that Monet painted from. So the loss looks at "
        "two things: whether the answers of random filters go together as in his paintings, which "
        "gives the strokes, and whether light and dark are where they were. The network squeezes "
        "the picture to a quarter, repaints it there, and grows it again. Its own colours ran "
        "into rainbows. So what you see are its strokes in the mean colours of Monet, the same as "
        "in the statistical method of 2001. If you keep your own colours, only the strokes "
        "remain.",
        (
            "a photo",
            "nothing: a painting to be like, and the photo's light and dark",
            "sigmoid",
            "Gram matrices of random filters, plus lightness",
            "structure kept (SSIM of lightness), palette missed",
        ),
        "This is an experiment: trained for a few minutes, without the features of a large network "
        "that papers use. It knows texture, not things: sky and skin get the same strokes. "
        "Photos above 0.4 megapixels are painted at that size and enlarged.",
    ),
)
