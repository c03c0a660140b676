"""Enlarge photos by 2, 3 or 4: the network answers the brightness, cubics enlarge the colours.

    photo (sH, sW, 3) --blurred and thinned out--> small (H, W, 3)
    brightness of the small one --network--> brightness (sH, sW, 1), joined with its colours

People see detail in brightness, not in colour; papers measure it there.  The small picture is made
as in all papers, by an antialiased cubic.  A network trained this way finds less to do in photos
that came soft from a camera, and makes the blocks of a JPEG sharper too.

Source:
    Dong et al., ECCV 2014, arXiv:1501.00092, brought the task to networks; the score is theirs.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaging.named import by_name
from imaging.pixels import as_image, strips, to_image
from imaging.resize import back_projected, cropped_to, enlarged, luma_psnr, luma_ssim, reduced
from imaging.samples.photo_samples import PAGE, PHOTO_SAMPLES
from models.tasks import contract
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.denoise_photos.data import SHARP_EVERY, VALIDATION_EVERY
from models.tasks.sample_photos import sample_photos
from models.tiles import in_tiles

SCALES = (2, 3, 4)
MARGIN = 4  # Small pixels around a crop, so that the cubic sees beyond its edge.
SEEN = 16  # Small pixels of mirror image around a picture: networks see no further.
ROUNDED_SHARE = 0.5  # Files hold 8 bits, the pictures of papers do not.
SOURCE = "Shi et al., CVPR 2016, and Lim et al., CVPRW 2017, narrower"
MOST_PIXELS = 16_000_000  # of an enlarged picture
_BRIGHTNESS = np.array([0.299, 0.587, 0.114])
# ITU-R BT.601: brightness and the two differences of colour.
_TO_YCC = np.array([_BRIGHTNESS, [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_FROM_YCC = np.linalg.inv(_TO_YCC)


def load(folder: Path | None, split: str, scale: int) -> Examples:
    """Return photos, 8-bit ``(H, W, 1 or 3)``; the test is Set5, which nobody trains on.

    Of the test the small pictures come along, ``float32`` as papers have them.

    Raises:
        OSError: if there are none.
    """
    if folder is None:
        raise OSError("photos are looked for in DENOISE_DATA_DIR, which names no folder")
    if split == "test":
        files = sorted((folder / "superres" / "set5").glob("*.png"))
    else:
        photos = sorted((folder / "photos" / "train").glob("*.jpg"))
        sharp = sorted(
            path for path in (folder / "photos" / "sharp").glob("*.*") if path.suffix != ".csv"
        )
        files = [
            path
            for every, names in ((VALIDATION_EVERY, photos), (SHARP_EVERY, sharp))
            for index, path in enumerate(names)
            if (index % every == 0) == (split == "validation")
        ]
    if not files:
        raise OSError(f"there are no photos in {folder}")
    photos = [cropped_to(_open(path), scale) for path in files]
    if split != "test":
        return Examples(photos)
    exact = [to_image(photo) for photo in photos]
    return Examples(exact, [reduced(each, scale) for each in exact])


def _open(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        pixels = np.asarray(file if file.mode == "L" else file.convert("RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def brightness(pixels: np.ndarray) -> np.ndarray:
    """Return the brightness ``float32 (H, W, 1)`` in [0, 1] of pixels, or of an image."""
    image = as_image(pixels).astype(np.float32, copy=False)
    return image if image.shape[2] == 1 else image @ _BRIGHTNESS.astype(np.float32)[:, None]


def batch(
    examples: Examples,
    chosen: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
    scale: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return small crops ``(N, crop, crop, 1)`` and the large ones, turned and mirrored at random.

    Photos that are smaller than a crop are continued by their mirror image.
    """
    side = settings.crop
    small = np.empty((len(chosen), side, side, 1), np.float32)
    large = np.empty((len(chosen), side * scale, side * scale, 1), np.float32)
    for index, one in enumerate(chosen):
        photo = examples.targets[one]
        missing = [(0, max(0, side * scale - length)) for length in photo.shape[:2]]
        if any(after for _, after in missing):
            photo = np.pad(photo, (*missing, (0, 0)), mode="symmetric")
        around = min(MARGIN, (min(photo.shape[:2]) // scale - side) // 2)
        whole = (side + 2 * around) * scale
        top, left = (rng.integers(length - whole + 1) for length in photo.shape[:2])
        crop = np.rot90(brightness(photo[top : top + whole, left : left + whole]), rng.integers(4))
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        tiny = reduced(crop, scale)
        if rng.random() < ROUNDED_SHARE:
            tiny = np.rint(tiny * 255) / np.float32(255)
        small[index] = tiny[around : around + side, around : around + side]
        inner = slice(around * scale, (around + side) * scale)
        large[index] = crop[inner, inner]
    return small, large


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return one crop of each photo, of the first 64, as ``batch`` does."""
    return batch(examples, np.arange(min(64, len(examples))), settings, rng, scale)


def degrade(target: np.ndarray, scale: int) -> np.ndarray:
    """Return the photo ``scale`` times smaller, in [0, 1]; sides are cut to a multiple first."""
    return np.clip(reduced(cropped_to(target, scale), scale), 0, 1)


def solve(
    network: Network,
    image: np.ndarray,
    hint: None = None,
    watch: Watch | None = None,
    *,
    scale: int,
) -> np.ndarray:
    """Return the picture ``scale`` times larger, ``float32`` in [0, 1].

    Raises:
        InputError: if it would have too many pixels.
    """
    require_room(image, scale)

    def work(tile: np.ndarray) -> np.ndarray:
        return network(image=tile[None])[0]

    light = brightness(image)
    margin = min(SEEN, *(side - 1 for side in image.shape[:2]))
    return with_colours(in_tiles(light, work, watch, margin=margin, scale=scale), image, scale)


def require_room(image: np.ndarray, scale: int) -> None:
    """Raise ``InputError`` where the enlarged picture would be too large."""
    height, width = image.shape[:2]
    if height * width * scale**2 > MOST_PIXELS:
        raise contract.InputError(
            f"Enlarged by {scale} this picture would have {width * scale} x {height * scale} "
            f"pixels; {MOST_PIXELS // 1_000_000} million are the most. "
            "Choose a smaller factor, or cut a part out."
        )


def with_colours(large: np.ndarray, image: np.ndarray, scale: int) -> np.ndarray:
    """Return the enlarged brightness ``(sH, sW, 1)`` in the colours of ``image``, clipped."""
    if image.shape[2] == 1:
        return np.clip(large, 0, 1)
    result = np.empty((*large.shape[:2], 3), np.float32)
    for rows in strips(*image.shape[:2]):
        # The cubic sees beyond the strip.
        above = min(MARGIN, rows.start)
        part = as_image(image[rows.start - above : rows.stop + MARGIN])
        colours = enlarged((part @ _TO_YCC.T.astype(np.float32))[..., 1:], scale)
        place = slice(scale * rows.start, scale * rows.stop)
        inner = slice(scale * above, scale * (above + rows.stop - rows.start))
        ycc = np.concatenate([large[place], colours[inner]], axis=2)
        np.clip(ycc @ _FROM_YCC.T.astype(np.float32), 0, 1, out=result[place])
    return result


def _baseline(name: str, title: str, description: str, enlarge, scale: int) -> contract.Baseline:
    def run(image: np.ndarray, hint: None = None, watch: Watch | None = None) -> np.ndarray:
        require_room(image, scale)
        return np.clip(enlarge(as_image(image), scale), 0, 1)

    return contract.Baseline(name, title, description, run)


WAYS = (
    ("bicubic", "Bicubic", "A smooth surface through the pixels: what most programs do.", enlarged),
    (
        "nearest",
        "Repeated pixels",
        "Each pixel becomes a square.",
        partial(enlarged, kernel="nearest"),
    ),
    (
        "lanczos",
        "Lanczos",
        "A sharper kernel, which rings a little at edges.",
        partial(enlarged, kernel="lanczos"),
    ),
    (
        "back-projection",
        "Back-projection",
        "Bicubic, corrected until it is the small picture again when made small.",
        back_projected,
    ),
)


def baselines(scale: int) -> dict[str, contract.Baseline]:
    """Return the ways without learning to enlarge by this factor."""
    return by_name([_baseline(*way, scale) for way in WAYS])


SAMPLES = (
    PHOTO_SAMPLES["cat"],
    PHOTO_SAMPLES["coffee"],
    PHOTO_SAMPLES["astronaut"],
    PAGE,
    PHOTO_SAMPLES["rocket"],
)


def _pair(photo: np.ndarray, scale: int) -> tuple[np.ndarray, np.ndarray]:
    target = cropped_to(photo, scale)
    return degrade(target, scale), target


def _recipes(scale: int) -> dict[str, contract.Recipe]:
    """Return the recipes of one factor: large, small, and without any skip."""
    config = {
        "data": "photos-and-sharp",
        "architecture": "subpixel",
        "settings": {"channels": 1, "scale": scale},
        "loss": "mae",
        "learning_rate": 0.001,
        "schedule": "cosine",
        "batch": 32,
        "crop": 48,
        "epoch_batches": 100,
        "epochs": 300,
        "average": 0.998,
    }
    sizes = (
        ("", "", {"filters": 48, "blocks": 8}, "Puts detail where enlarging blurs it."),
        (
            "-small",
            ", small",
            {"filters": 32, "blocks": 4},
            "A quarter of the work, for large pictures and small machines.",
        ),
        (
            "-plain",
            ", no skips",
            {"filters": 32, "blocks": 2, "skips": False},
            "The whole picture must pass every layer: what does not fit is lost.",
        ),
    )
    return by_name(
        [
            contract.Recipe(
                f"upscale-{scale}{end}",
                f"Enlarge {scale} times{title}",
                purpose,
                SOURCE,
                contract.with_settings(config, **settings),
            )
            for end, title, settings, purpose in sizes
        ]
    )


EXPLANATION = contract.Explanation(
    "The picture grows inside the network: all layers work on the small one, and the last gives "
    "each pixel a square of finer ones. It answers what is missing from repeated pixels, for "
    "brightness alone; colours, in which people see little detail, are enlarged smoothly. "
    "Additions past the layers take the place of the U-Net's skips: the plain network without them "
    "must send the whole picture through every layer, and is barely sharper than a formula. The "
    "older methods put a smooth surface through the pixels. Nobody knows what was really there: "
    "the network draws what was there in other photos.",
    (
        "the brightness of a small photo",
        "that of the photo before it was made small",
        "one square of finer pixels for each",
        "the mean of absolute errors",
        "PSNR of brightness, as in papers",
    ),
    "Trained for minutes, where papers train for days, on photos that a formula made "
    "small. Soft or noisy photos stay soft, and the blocks of a JPEG grow with it. Letters that "
    "cannot be read become sharp letters that may be wrong. The result has at most "
    f"{MOST_PIXELS // 1_000_000} million pixels.",
)


def enlarging(scale: int, **fields: Any) -> contract.Task:
    """Return a task whose answer is its input, larger; ``fields`` are what tells it apart."""
    return contract.Task(
        words=("Original", "Small", "Enlarged"),
        watch=("psnr",),
        walk="crops",
        baselines=baselines(scale),
        scale=scale,
        family="Enlarge",
        picture=contract.as_it_is,
        **fields,
    )


def _task(scale: int) -> contract.Task:
    """Make the task of one factor."""
    return enlarging(
        scale,
        name=f"upscale-photos-{scale}",
        title=f"Enlarge {scale} times",
        description=f"Gives a photo {scale} times as many pixels to each side, and detail in them.",
        input=contract.COLOUR_IMAGE,
        target=contract.COLOUR_IMAGE,
        metrics=(
            contract.Metric(
                "psnr",
                "PSNR of brightness",
                "dB",
                partial(luma_psnr, scale=scale),
                "As in papers: of Y alone, in 8 bits, without a border as wide as the factor.",
            ),
            contract.Metric(
                "ssim",
                "SSIM of brightness",
                "",
                partial(luma_ssim, scale=scale),
                "Structural similarity of the same pixels; 1 is identical.",
                decimals=4,
            ),
        ),
        losses=("mae", "mse", "psnr"),
        data=by_name(
            [
                contract.DataSet(
                    "photos-and-sharp",
                    "Photos",
                    partial(load, scale=scale),
                    "Trained on photos of BSDS500, ImageNet and others, licensed for research.",
                )
            ]
        ),
        batch=partial(batch, scale=scale),
        validation=partial(validation, scale=scale),
        solve=partial(solve, scale=scale),
        samples=sample_photos(SAMPLES, partial(_pair, scale=scale)),
        recipes=_recipes(scale),
        variant=f"{scale} times",
        explanation=EXPLANATION,
    )


TASKS = tuple(_task(scale) for scale in SCALES)
