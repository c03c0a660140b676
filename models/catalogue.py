"""The catalogue: which trained models there are, and what is known of each.

A model lives in ``models/pretrained/NAME`` as ``model.onnx``, ``card.json`` for code and
``card.md`` for people.  Cards are written by ``train.export`` and ``train.evaluate``.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_origin

from models.tasks import TASKS

PRETRAINED = Path(__file__).parent / "pretrained"


class ModelError(Exception):
    """A model that cannot be used; its text is a sentence for the visitor."""


@dataclass(frozen=True)
class Score:
    """Mean quality over ``examples`` held-out examples under one condition.

    ``input`` and ``answer`` hold the task's metrics by name: of what went in, and of what came out.
    Without a degradation its name is empty; ``clipped`` says whether the input was kept in [0, 1].
    """

    degradation: str
    strength: float
    examples: int
    input: dict[str, float]
    answer: dict[str, float]
    clipped: bool = True


@dataclass(frozen=True)
class Card:
    """What is known of a trained model.

    ``task`` names what it was trained for.  ``training`` holds the settings of its training, those
    of ``train.config.TrainConfig``, with the epochs that it really saw; it is empty where nobody
    here knows how the network was trained.  ``size`` is the side of
    the square pictures it was built for, 0 for a network that takes any size whose sides are
    multiples of ``multiple``.  ``macs_per_pixel`` are the multiplications and additions it spends
    on each pixel.  ``gloss`` says in a few words what it is, beside its title.  ``storage`` is the
    precision of the weights in the file, ``notice`` what whoever uses the weights must know of
    their licence.  ``parts`` are smaller networks that the
    task asks besides, each with the SHA-256 of its file ``NAME.onnx``.
    """

    name: str
    title: str
    purpose: str
    source: str
    task: str
    training: dict
    size: int
    channels: int
    parameters: int
    macs_per_pixel: float
    sha256: str
    gloss: str = ""
    multiple: int = 1
    storage: str = "float32"
    notice: str = ""
    parts: dict = field(default_factory=dict)
    made_with: dict = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    folder: Path = field(default=Path(), compare=False)

    @property
    def title_in_lists(self) -> str:
        """The title with the gloss, where a visitor chooses one of several."""
        return f"{self.title} · {self.gloss}" if self.gloss else self.title

    @property
    def weights(self) -> Path:
        """The ONNX file."""
        return self.folder / "model.onnx"

    @property
    def architecture(self) -> str:
        """The builder of the network in ``models.architectures``."""
        return self.training.get("architecture", "")

    @property
    def settings(self) -> dict:
        """What the builder was told."""
        return self.training.get("settings", {})

    @property
    def data(self) -> str:
        """The data set it was trained on, "" where that is not known."""
        return self.training.get("data", "")

    @property
    def noise(self) -> list[dict]:
        """The ingredients of its training noise; none where it was trained on clean inputs."""
        return self.training.get("noise", [])

    @cached_property
    def trained_ranges(self) -> dict[str, tuple[float, float]]:
        """For each kind of noise it was trained on, the weakest and strongest."""
        ranges: dict[str, tuple[float, float]] = {}
        for entry in self.noise:
            low, high = float(entry["low"]), float(entry["high"])
            lowest, highest = ranges.get(entry["kind"], (low, high))
            ranges[entry["kind"]] = min(low, lowest), max(high, highest)
        return ranges

    def score_at(self, degradation: str, strength: float, clipped: bool = True) -> Score | None:
        """Return the score under this condition, None where it was not measured."""
        for score in self.scores:
            same = (score.degradation, score.clipped) == (degradation, clipped)
            if same and abs(score.strength - strength) < 1e-6:
                return score
        return None

    def to_json(self) -> str:
        """Return the card as indented JSON, without the folder it is in."""
        values = dataclasses.asdict(self)
        del values["folder"]
        return json.dumps(values, indent=2)


def read_card(folder: Path) -> Card:
    """Read ``card.json`` of one model folder, one of the release before included.

    Raises:
        ModelError: if it is missing or does not fit.
    """
    try:
        values = json.loads((folder / "card.json").read_text())
        if "task" not in values:
            values = with_task(values)
        values["scores"] = tuple(Score(**row) for row in values.get("scores", ()))
        card = Card(**values, folder=folder)
        for record in (card, *card.scores):
            _require_types(record)
        _require_training(card)
    except FileNotFoundError:
        raise ModelError(f"The model {folder.name} has no card.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"The card of the model {folder.name} cannot be read: {error}") from error
    if card.name != folder.name:
        raise ModelError(f"The card in {folder.name} belongs to the model {card.name}.")
    return card


# What a card of the release before kept beside its name, now in the block ``training``.
_TRAINING = (
    "architecture",
    "settings",
    "data",
    "noise",
    "fresh_noise",
    "loss",
    "optimizer",
    "learning_rate",
    "schedule",
    "batch",
    "epochs",
    "seed",
    "crop",
    "epoch_batches",
    "start",
)
UNCLIPPED = ", unclipped"  # The end of the name of a noise that is measured so.


def task_of(target: str, data: str) -> str:
    """Return the task that a target and a data set stood for in the release before.

    Raises:
        ValueError: if there was none.
    """
    for was, kind in (("label", "label"), ("clean", "image")):
        for task in TASKS.values():
            if (was, kind) == (target, task.target.kind) and data in task.data:
                return task.name
    raise ValueError(f"no task had the target {target!r} and the data {data!r}")


def with_task(values: Mapping) -> dict:
    """Return the values of a card of the release before, or of none, as they are named today."""
    values = dict(values)
    training = {name: values.pop(name) for name in _TRAINING if name in values}
    values["task"] = task_of(values.pop("target"), training["data"])
    values["training"] = training
    values["scores"] = [_score(row) for row in values.pop("quality", ())]
    accuracy = values.pop("accuracy", None)
    if accuracy is not None:
        score = Score("", 0.0, 10_000, {}, {"accuracy": accuracy})
        values["scores"].append(dataclasses.asdict(score))
    return values


def _score(row: Mapping) -> dict:
    noisy = {"psnr": row["noisy_psnr"], "ssim": row["noisy_ssim"]}
    denoised = {"psnr": row["psnr"], "ssim": row["ssim"]}
    if row.get("read") is not None:
        noisy["read"], denoised["read"] = row["noisy_read"], row["read"]
    return {
        "degradation": row["noise"].removesuffix(UNCLIPPED),
        "strength": row["strength"],
        "examples": row["pictures"],
        "input": noisy,
        "answer": denoised,
        "clipped": not row["noise"].endswith(UNCLIPPED),
    }


def read_catalogue(folder: Path = PRETRAINED) -> tuple[dict[str, Card], list[str]]:
    """Return the usable cards by name, best first, and a sentence for each broken one.

    They follow the order of the tasks, of a task's data sets, and the task's first metric.
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


def _require_types(record: Card | Score) -> None:
    """Raise ``TypeError`` where a value is not of its field's type; whole numbers are floats."""
    for each in dataclasses.fields(record):
        value = getattr(record, each.name)
        wanted = get_origin(each.type) or each.type
        whole_for_float = type(value) is int and isinstance(0.0, wanted)
        if not (isinstance(value, wanted) or whole_for_float):
            raise TypeError(f"{each.name} does not fit, got {value!r}")


def _require_training(card: Card) -> None:
    """Raise an error where the settings of the training are not what screens rely on."""
    if card.task not in TASKS:
        raise ValueError(f"its task {card.task!r} is unknown here")
    needed = {"architecture": str, "settings": dict, "data": str, "noise": list}
    for name, kind in needed.items() if card.training else ():
        if not isinstance(card.training[name], kind):
            raise TypeError(f"training.{name} does not fit, got {card.training[name]!r}")
    _ = card.trained_ranges  # Computed once here, so that it cannot fail on a screen.
    for score in card.scores:
        for value in (*score.input.values(), *score.answer.values()):
            if not isinstance(value, int | float):
                raise TypeError(f"a score does not fit, got {value!r}")


def _rank(card: Card) -> tuple:
    task = TASKS[card.task]
    data, score = list(task.data), card.score_at(*task.headline)
    first = task.metrics[0]
    return (
        list(TASKS).index(card.task),
        data.index(card.data) if card.data in data else len(data),
        -first.better * (score.answer.get(first.name, 0) if score else 0),
        card.name,
    )
