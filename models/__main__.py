"""The command line of the models: ``python -m models list``, ``denoise``, ``run``, ``pack``."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from imaging.audio import ENDINGS as SOUNDS
from imaging.files.limits import LARGEST_PIXELS
from imaging.files.reading import ENDINGS, Photo, read_photo
from imaging.files.writing import (
    DEFAULT_QUALITY,
    FORMATS,
    endings_of,
    format_of,
    write,
    write_result,
)
from imaging.pixels import blend, to_image, to_pixels
from models.answers import answer_file
from models.catalogue import ModelError, find_card, load_catalogue, read_catalogue
from models.command_line import a_path, between, run_command, whole
from models.live import write_packed
from models.predictor import Predictor, load_predictor
from models.tasks import denoise_digits, denoise_photos, find_task
from models.tasks.contract import Watch
from models.tasks.denoise_photos.level import AsFound
from models.tasks.digits import DIGIT_SETS

HIGHEST_SIGMA = 75
# What Macs leave beside each file on other people's disks.
LEFT_BY_MACS = ("._", ".DS_Store")
LUMINANCE = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601

Answer = tuple[bytes, tuple[str, ...]]  # a file, and notes for whoever asked


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 where some pictures failed, 2 for bad input."""
    kept = "interrupted; what was written is complete"
    return run_command(_parser(), arguments, at_interrupt=kept)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="Use trained models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="list the models")
    command.add_argument("--json", action="store_true", help="print their cards as JSON")
    command.set_defaults(command=_list)

    _add_denoise(commands)

    command = commands.add_parser("run", help="run any model on a file or a folder")
    command.add_argument(
        "input", type=a_path, metavar="IN", help="a picture, a recording or a folder"
    )
    command.add_argument("output", type=a_path, metavar="OUT", help="a file or a folder")
    command.add_argument("--model", required=True, metavar="NAME", help="see: list")
    command.add_argument(
        "--hint",
        type=float,
        help="a number for the task as its slider shows it, such as a threshold",
    )
    command.add_argument(
        "--mask", action="store_true", help="write 0 and 255 instead of numbered objects"
    )
    as_denoise = vars(parser.parse_args(["denoise", "IN", "OUT", "--model", "NAME"]))
    command.set_defaults(**as_denoise | {"command": _run})

    command = commands.add_parser("pack", help="pack the digit networks for the live preview")
    command.set_defaults(command=_pack)
    return parser


def _add_denoise(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("denoise", help="denoise a picture or a folder of pictures")
    command.add_argument("input", type=a_path, metavar="IN", help="a picture or a folder")
    command.add_argument("output", type=a_path, metavar="OUT", help="a file or a folder")
    command.add_argument("--model", required=True, metavar="NAME", help="see: list")
    command.add_argument(
        "--sigma",
        type=_sigma,
        metavar="auto|0..75",
        help="noise level of a photo, on the scale 0 to 255 (default: auto, estimated)",
    )
    command.add_argument(
        "--careful",
        action="store_true",
        help="denoise a photo four times, turned and mirrored, and take the mean",
    )
    command.add_argument(
        "--strength",
        type=between(0, 1),
        default=1.0,
        metavar="0..1",
        help="how much to denoise: 0 leaves the noisy picture (default: 1)",
    )
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="format of the results (default: as OUT ends, or else png; png and tiff keep 16 bits)",
    )
    command.add_argument(
        "--quality",
        type=whole(1, 100),
        default=DEFAULT_QUALITY,
        metavar="1..100",
        help=f"quality of JPEG and WebP; a WebP of 100 is lossless (default: {DEFAULT_QUALITY})",
    )
    command.add_argument(
        "--plane",
        type=whole(1),
        default=1,
        metavar="N",
        help="which image of a TIFF with several (default: 1)",
    )
    command.add_argument(
        "--stretch", action="store_true", help="stretch the values of a nearly black image"
    )
    command.add_argument(
        "--no-location", action="store_true", help="do not keep where a photo was taken"
    )
    command.set_defaults(command=_denoise)


def _sigma(text: str) -> float | None:
    """Read ``auto`` as None, and a level on the scale 0 to 255 as a share of the full range."""
    return None if text == "auto" else between(0, HIGHEST_SIGMA)(text) / 255


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
        if card.data in DIGIT_SETS:
            path = write_packed(card)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


def _denoise(options: argparse.Namespace) -> int:
    card = find_card(options.model)
    task, denoised = find_task(card.task), DENOISED.get(card.task)
    if denoised is None:
        raise ModelError(f"The model {card.name} does not denoise pictures, its job: {task.title}.")
    if options.sigma is not None and task.hint is None:
        raise ValueError(f"--sigma is for networks of photos, {card.name} finds the level itself")
    predictor = load_predictor(card)
    if options.careful:
        try:
            predictor = predictor.careful()
        except ValueError:
            raise ValueError(
                f"--careful is for networks of photos, {card.name} knows digits upright"
            ) from None

    def answer(source: Path, target: Path, watch: Watch) -> Answer:
        photo = _read(source, options)
        return denoised(predictor, photo, target, options, watch), photo.notes

    jobs = _jobs(options.input, options.output, endings_of(options.format), ENDINGS)
    return _write_answers(jobs, answer, options, "pictures denoised into")


def _run(options: argparse.Namespace) -> int:
    card = find_card(options.model)
    task = find_task(card.task)
    if task.target.kind == "label":
        raise ModelError(f"The model {options.model} answers with a label, which is not a file.")
    if task.hint is not None and options.hint is not None:
        options.hint = task.hint.from_shown(options.hint)
    elif options.hint is not None:
        raise ValueError(f"the model {options.model} takes no --hint")
    if options.mask and task.target.kind not in ("instances", "mask"):
        raise ValueError(f"--mask is for models that find things, not for {options.model}")
    if task.name in DENOISED:
        options.sigma = options.hint
        return _denoise(options)
    predictor = load_predictor(card)
    written, opened = ([".wav"], SOUNDS) if task.target.kind == "audio" else ([".png"], ENDINGS)
    jobs = _jobs(options.input, options.output, written, opened)

    def predict(given: np.ndarray, watch: Watch | None) -> np.ndarray:
        return predictor.predict(given, options.hint, watch)

    def answer(source: Path, target: Path, watch: Watch) -> Answer:
        return answer_file(task, predict, source, watch, options.mask)

    return _write_answers(jobs, answer, options, "files answered in")


def _write_answers(
    jobs: list[tuple[Path, Path]],
    answer: Callable[[Path, Path, Watch], Answer],
    options: argparse.Namespace,
    done: str,
) -> int:
    """Write what ``answer`` makes of each file, whatever fails; return the exit status."""
    failures = []
    for number, (source, target) in enumerate(jobs):
        watch = partial(_show_part, number, len(jobs), source)
        watch(0, 1)
        try:
            if target.exists() and target.samefile(source):
                raise ValueError("would overwrite the input itself; give another OUT")
            file, notes = answer(source, target, watch)
            _write_whole(target, file)
        except Exception as error:  # Pillow raises what a broken file makes it stumble over.
            failures.append(f"{source}: {_reason(error)}")
        else:
            for note in notes:
                print(f"{source}: {note}")
    _show_progress(len(jobs), len(jobs), None)
    for failure in failures:
        print(f"models: {failure}", file=sys.stderr)
    if failures and not options.input.is_dir():
        return 2
    print(f"{len(jobs) - len(failures)} of {len(jobs)} {done} {options.output}")
    return 1 if failures else 0


def _jobs(
    source: Path, target: Path, written: Sequence[str], opened: Collection[str]
) -> list[tuple[Path, Path]]:
    """Pair each input file with the file it becomes; names inside a folder are kept.

    ``written`` are the endings that a result may have, and has in a folder the first of; with those
    of ``opened`` in its name a file of a folder is an input.

    Raises:
        ValueError: if there is nothing to do, or the output would be unclear.
    """
    if source.is_dir():
        if target.exists() and not target.is_dir():
            raise ValueError(f"{source} is a folder, so {target} must be one")
        if target.resolve() == source.resolve():
            raise ValueError(f"{target} holds the files themselves; give another OUT")
        found = sorted(path for path in source.rglob("*") if _is_input(path, opened))
        if source.resolve() in target.resolve().parents:
            # Results of an earlier call are left out.
            found = [path for path in found if target.resolve() not in path.resolve().parents]
        if not found:
            what = "pictures" if opened == ENDINGS else "recordings"
            raise ValueError(f"no {what} in {source}")
        return list(zip(found, _targets(found, source, target, written[0]), strict=True))
    if not source.exists():
        raise ValueError(f"there is no {source}")
    if target.is_dir():
        target /= f"{source.stem}{written[0]}"
    if target.suffix.lower() not in written:
        raise ValueError(f"OUT must end in {', '.join(written)}, got {target.name}")
    return [(source, target)]


def _is_input(path: Path, endings: Collection[str]) -> bool:
    return (
        not path.name.startswith(LEFT_BY_MACS) and path.suffix.lower() in endings and path.is_file()
    )


def _targets(found: list[Path], source: Path, target: Path, ending: str) -> list[Path]:
    """Name the results as their pictures, with the old ending where names differ in nothing else.

    A number is added where that is not enough: many file systems take A.png and a.png for one.
    """
    stems = Counter(_folded(path.with_suffix("")) for path in found)
    results: list[Path] = []
    taken: set[str] = set()
    for path in found:
        alone = stems[_folded(path.with_suffix(""))] == 1
        name = unique = path.stem if alone else f"{path.stem}-{path.suffix[1:]}"
        number = 1
        while _folded(path.with_name(unique)) in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(_folded(path.with_name(unique)))
        results.append(target / path.relative_to(source).with_name(unique + ending))
    return results


def _folded(path: Path) -> str:
    return str(path).casefold()


def _read(source: Path, options: argparse.Namespace) -> Photo:
    photo = read_photo(source, source.name, LARGEST_PIXELS, options.plane - 1, options.stretch)
    if options.plane > photo.planes:
        count = f"{photo.planes:,} images" if photo.planes > 1 else "one image"
        raise ValueError(f"this file holds {count}, got --plane {options.plane}")
    return photo


def _denoise_photo(
    predictor: Predictor, photo: Photo, target: Path, options: argparse.Namespace, watch: Watch
) -> bytes:
    """Return the denoised photo as a file, with all its bits and metadata."""
    sigma = None if options.sigma is None else AsFound(options.sigma)
    denoised = predictor.predict(photo.best, sigma, watch)
    result = blend(photo.best, denoised, options.strength, options.strength)
    kind = format_of(target.suffix)
    return write_result(photo, result, kind, options.quality, not options.no_location)


def _denoise_digit(
    predictor: Predictor, photo: Photo, target: Path, options: argparse.Namespace, watch: Watch
) -> bytes:
    noisy = _image_of(photo, predictor.network.channels)
    denoised = noisy + options.strength * (predictor.predict(noisy) - noisy)
    return write(to_pixels(denoised), format_of(target.suffix), quality=options.quality)


# What `denoise` makes of a picture, by the task of its network.
DENOISED = {denoise_digits.TASK.name: _denoise_digit, denoise_photos.TASK.name: _denoise_photo}


def _write_whole(target: Path, file: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        unfinished.write_bytes(file)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _image_of(photo: Photo, channels: int) -> np.ndarray:
    """Return a photo as float32 ``(H, W, channels)`` in [0, 1], ink on transparent as on paper."""
    image = to_image(photo.on_paper)
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return (image @ LUMINANCE)[..., np.newaxis]


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _show_part(number: int, count: int, source: Path, done: int, total: int) -> None:
    """Tell how much of file ``number`` of ``count`` is done."""
    _show_progress(number + done / total, count, source)


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
