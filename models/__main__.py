"""The command line of the models: ``python -m models list``, ``denoise``, ``pack``."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imaging.files import LARGEST_PIXELS, blend, png, read_photo, to_pixels
from models.catalogue import Card, ModelError, find_card, load_catalogue, read_catalogue
from models.live import write_packed
from models.photo_predictor import PhotoDenoiser
from models.predictor import Denoiser, load_denoiser

HIGHEST_SIGMA = 75
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 where some pictures failed, 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ModelError, ValueError, OSError) as error:
        print(f"models: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("models: interrupted; what was written is complete", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="Use trained models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="the catalogue, a line a model")
    command.add_argument("--json", action="store_true", help="the whole cards as JSON")
    command.set_defaults(command=_list)

    command = commands.add_parser("denoise", help="denoise a picture or a folder of pictures")
    command.add_argument("input", type=Path, metavar="IN", help="a picture or a folder")
    command.add_argument("output", type=Path, metavar="OUT", help="a PNG file or a folder")
    command.add_argument("--model", required=True, metavar="NAME", help="see: list")
    command.add_argument(
        "--sigma",
        type=_sigma,
        metavar="auto|0..75",
        help="how strong the noise of a photo is, on the scale 0 to 255 (default: auto, estimated)",
    )
    command.add_argument(
        "--strength",
        type=_share,
        default=1.0,
        metavar="0..1",
        help="how much of the denoising is taken over (default: 1)",
    )
    command.set_defaults(command=_denoise)

    command = commands.add_parser("pack", help="pack the digit networks for the live preview")
    command.set_defaults(command=_pack)
    return parser


def _sigma(text: str) -> float | None:
    """Read ``auto`` as None, and a level on the scale 0 to 255 as a share of the full range."""
    if text == "auto":
        return None
    sigma = float(text)
    if not 0 <= sigma <= HIGHEST_SIGMA:
        raise ValueError
    return sigma / 255


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _list(options: argparse.Namespace) -> int:
    cards, problems = read_catalogue()
    if options.json:
        print(json.dumps([json.loads(card.to_json()) for card in cards.values()], indent=2))
    else:
        width = max(map(len, cards), default=0)
        for card in cards.values():
            print(f"{card.name:{width}}  {card.parameters:>9,} parameters  {card.purpose}")
    for problem in problems:
        print(f"models: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _pack(options: argparse.Namespace) -> int:
    for card in load_catalogue().values():
        if not card.for_photos:
            path = write_packed(card)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


def _denoise(options: argparse.Namespace) -> int:
    card = find_card(options.model)
    if options.sigma is not None and not card.for_photos:
        raise ValueError(f"--sigma is for networks of photos, {card.name} finds the level itself")
    denoiser = load_denoiser(card)
    jobs = list(_jobs(options.input, options.output))
    failures = []
    for number, (source, target) in enumerate(jobs, start=1):
        _show_progress(number - 1, len(jobs), source)
        try:
            if target.exists() and target.samefile(source):
                raise ValueError("would overwrite the picture itself; give another OUT")
            if card.for_photos:
                file = _denoise_photo(denoiser, source, options, number, len(jobs))
            else:
                file = _denoise_digit(denoiser, card, source, options.strength)
            _write_whole(target, file)
        except Exception as error:  # Pillow raises what a broken file makes it stumble over.
            failures.append(f"{source}: {_reason(error)}")
    _show_progress(len(jobs), len(jobs), None)
    for failure in failures:
        print(f"models: {failure}", file=sys.stderr)
    if failures and not options.input.is_dir():
        return 2
    print(f"{len(jobs) - len(failures)} of {len(jobs)} pictures denoised into {options.output}")
    return 1 if failures else 0


def _jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pair each input picture with the PNG it becomes; names inside a folder are kept.

    Raises:
        ValueError: if there is nothing to do, or the output would be unclear or lossy.
    """
    if source.is_dir():
        if target.exists() and not target.is_dir():
            raise ValueError(f"{source} is a folder, so {target} must be one")
        if target.resolve() == source.resolve():
            raise ValueError(f"{target} holds the pictures themselves; give another OUT")
        found = sorted(
            path for path in source.rglob("*") if path.is_file() and path.suffix.lower() in PICTURES
        )
        if source.resolve() in target.resolve().parents:
            # Results of an earlier call are not denoised again.
            found = [path for path in found if target.resolve() not in path.resolve().parents]
        if not found:
            raise ValueError(f"no pictures in {source}")
        return list(zip(found, _targets(found, source, target), strict=True))
    if not source.exists():
        raise ValueError(f"there is no {source}")
    if target.is_dir():
        target /= f"{source.stem}.png"
    if target.suffix.lower() != ".png":
        raise ValueError(f"results are lossless, so OUT must end in .png, got {target.name}")
    return [(source, target)]


def _targets(found: list[Path], source: Path, target: Path) -> list[Path]:
    """Name the results as their pictures, with the ending where names differ in nothing else.

    Raises:
        ValueError: if two results would still have one name.
    """
    stems = Counter(path.with_suffix("") for path in found)
    results: dict[Path, Path] = {}
    for path in found:
        alone = stems[path.with_suffix("")] == 1
        name = f"{path.stem}.png" if alone else f"{path.stem}-{path.suffix[1:]}.png"
        result = target / path.relative_to(source).with_name(name)
        if result in results:
            raise ValueError(f"{results[result]} and {path} would both become {result}")
        results[result] = path
    return list(results)


def _denoise_photo(
    denoiser: PhotoDenoiser, source: Path, options: argparse.Namespace, number: int, count: int
) -> bytes:
    """Return the denoised photo as a PNG file, at its full size and with its transparency."""
    photo = read_photo(source, source.name, opened_pixels=LARGEST_PIXELS)

    def watch(done: int, total: int) -> None:
        _show_progress(number - 1 + done / total, count, source)

    denoised = denoiser.denoise(photo.pixels, options.sigma, watch)
    return png(blend(photo.pixels, denoised, options.strength, options.strength), photo.alpha)


def _denoise_digit(denoiser: Denoiser, card: Card, source: Path, strength: float) -> bytes:
    noisy = _read_picture(source, card.channels)
    return png(to_pixels(noisy + strength * (denoiser.denoise(noisy) - noisy)))


def _write_whole(target: Path, file: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        unfinished.write_bytes(file)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_picture(path: Path, channels: int) -> np.ndarray:
    """Read a picture as float32 ``(H, W, channels)`` in [0, 1], upright as its camera says."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
    if picture.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255, not scale them.
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    picture = picture.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(picture, np.float32) / 255
    return pixels.reshape(*pixels.shape[:2], channels)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, or a damaged one"
    return (str(error) or type(error).__name__).splitlines()[0]


def _show_progress(done: float, total: int, current: Path | None) -> None:
    """Keep one line up to date on a terminal; stay silent in a log."""
    if sys.stderr.isatty():
        end = "\n" if current is None else ""
        name = "" if current is None else f"  {current.name}"
        print(
            f"\r\033[K{100 * done / total:3.0f} % of {total}{name}",
            end=end,
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
