"""The catalogue: which trained models there are, and what is known of each.

A model lives in ``models/pretrained/NAME`` as ``model.onnx``, ``card.json`` for code and
``card.md`` for people.  Cards are written by ``train.export.ship`` and ``train.evaluate.measure``.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_origin

PRETRAINED = Path(__file__).parent / "pretrained"


class ModelError(Exception):
    """A model that cannot be used; its text is a sentence for the visitor."""


@dataclass(frozen=True)
class Measurement:
    """Mean quality over ``pictures`` held-out pictures at one noise strength.

    ``psnr`` in dB and ``ssim`` are of the denoised picture, ``noisy_psnr`` and
    ``noisy_ssim`` of what went in.  ``read`` and ``noisy_read`` are the share of pictures
    that the digit reader reads correctly, None for pictures that are no digits.
    """

    noise: str
    strength: float
    pictures: int
    psnr: float
    ssim: float
    noisy_psnr: float
    noisy_ssim: float
    read: float | None = None
    noisy_read: float | None = None


@dataclass(frozen=True)
class Card:
    """What is known of a trained model; see DESIGN section 4 for the fields' meaning.

    ``size`` is the side of the square pictures it was built for, 0 for a network that takes
    photos of any size whose sides are multiples of ``multiple``.  ``macs_per_pixel`` are the
    multiplications and additions it spends on each, ``accuracy`` the share of clean test
    digits that a reader reads, None for a denoiser.  ``storage`` is the precision of the weights
    in the file; ``crop`` and ``epoch_batches`` say what an epoch of a photo network is.
    ``start`` is the model whose weights it began with, ``notice`` what whoever uses the weights
    must know of their licence.
    """

    name: str
    title: str
    purpose: str
    source: str
    architecture: str
    settings: dict
    size: int
    channels: int
    target: str
    noise: tuple[dict, ...]
    fresh_noise: bool
    data: str
    loss: str
    optimizer: str
    learning_rate: float
    schedule: str
    batch: int
    epochs: int
    seed: int
    parameters: int
    macs_per_pixel: float
    sha256: str
    multiple: int = 1
    storage: str = "float32"
    crop: int = 0
    epoch_batches: int = 0
    start: str = ""
    notice: str = ""
    made_with: dict = field(default_factory=dict)
    quality: tuple[Measurement, ...] = ()
    accuracy: float | None = None
    folder: Path = field(default=Path(), compare=False)

    @property
    def weights(self) -> Path:
        """The ONNX file."""
        return self.folder / "model.onnx"

    @property
    def denoises(self) -> bool:
        """Whether the model answers with a picture, rather than with a label."""
        return self.target == "clean"

    @property
    def for_photos(self) -> bool:
        """Whether it takes photos of any size, rather than digits."""
        return self.size == 0

    @cached_property
    def trained_ranges(self) -> dict[str, tuple[float, float]]:
        """For each kind of noise it was trained on, the weakest and strongest."""
        ranges: dict[str, tuple[float, float]] = {}
        for entry in self.noise:
            low, high = float(entry["low"]), float(entry["high"])
            lowest, highest = ranges.get(entry["kind"], (low, high))
            ranges[entry["kind"]] = min(low, lowest), max(high, highest)
        return ranges

    def measured(self, noise: str, strength: float) -> Measurement | None:
        """Return the measurement at this noise and strength, None where there is none."""
        for row in self.quality:
            if row.noise == noise and abs(row.strength - strength) < 1e-6:
                return row
        return None

    def to_json(self) -> str:
        """Return the card as indented JSON, without the folder it lies in."""
        values = dataclasses.asdict(self)
        del values["folder"]
        return json.dumps(values, indent=2)


def read_card(folder: Path) -> Card:
    """Read ``card.json`` of one model folder.

    Raises:
        ModelError: if it is missing or does not fit.
    """
    try:
        values = json.loads((folder / "card.json").read_text())
        values["quality"] = tuple(Measurement(**row) for row in values.get("quality", ()))
        values["noise"] = tuple(values["noise"])
        card = Card(**values, folder=folder)
        for record in (card, *card.quality):
            _require_types(record)
        _ = card.trained_ranges  # Computed once here, so that it cannot fail on a screen.
    except FileNotFoundError:
        raise ModelError(f"The model {folder.name} has no card.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"The card of the model {folder.name} cannot be read: {error}") from error
    if card.name != folder.name:
        raise ModelError(f"The card in {folder.name} belongs to the model {card.name}.")
    return card


def read_catalogue(folder: Path = PRETRAINED) -> tuple[dict[str, Card], list[str]]:
    """Return the usable cards by name, best first, and a sentence for each broken one.

    Denoisers of digits come first, then other denoisers of their size, those of photos, readers.
    """
    cards, problems = [], []
    for model in _model_folders(folder):
        try:
            cards.append(read_card(model))
        except ModelError as problem:
            problems.append(str(problem))
    return {card.name: card for card in sorted(cards, key=_rank)}, problems


def load_catalogue(folder: Path = PRETRAINED) -> dict[str, Card]:
    """Return the usable cards by name, best first."""
    return read_catalogue(folder)[0]


def find_card(name: str, folder: Path = PRETRAINED) -> Card:
    """Return the card called ``name``.

    Raises:
        ModelError: if there is no such model, naming those there are, or its card is broken.
    """
    for model in _model_folders(folder):
        if model.name == name:
            return read_card(model)
    known = ", ".join(load_catalogue(folder)) or "none yet"
    raise ModelError(f"There is no model {name!r}. There are: {known}.")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _model_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
    )


def _require_types(record: Card | Measurement) -> None:
    """Raise ``TypeError`` where a value is not of its field's type; whole numbers are floats."""
    for each in dataclasses.fields(record):
        value = getattr(record, each.name)
        wanted = tuple if get_origin(each.type) is tuple else each.type
        whole_for_float = type(value) is int and isinstance(0.0, wanted)
        if not (isinstance(value, wanted) or whole_for_float):
            raise TypeError(f"{each.name} does not fit, got {value!r}")


def _rank(card: Card) -> tuple:
    at_half = card.measured("gaussian", 0.5)
    return (
        not card.denoises,
        card.for_photos,
        card.data != "mnist",
        -(at_half.psnr if at_half else 0),
        card.name,
    )
