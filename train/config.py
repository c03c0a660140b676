"""The settings of one training, shared by the command line, the worker and the screens.

A ``TrainConfig`` is plain data: it goes to ``config.json`` and comes back checked, so that
a file edited by hand into nonsense is refused with a sentence before anything is loaded.
"""

import dataclasses
import json
import math
import os
from dataclasses import MISSING, dataclass, field
from pathlib import Path

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS

DIGIT_SETS = ("mnist", "fashion-mnist")
PHOTO_SETS = ("photos", "polyu")
DATA_SETS = (*DIGIT_SETS, *PHOTO_SETS)
TARGETS = ("clean", "label")
LOSSES = ("binary_crossentropy", "mse", "mae", "sparse_categorical_crossentropy")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16")
# Where digits and photos share a kind, the digits' range is the wider one.
_ALL_KINDS = PHOTO_NOISE_KINDS | NOISE_KINDS
# Keras 3's own defaults, so that a form can show what it would use.
OPTIMIZERS = {
    "adam": 0.001,
    "adamw": 0.001,
    "sgd": 0.01,
    "rmsprop": 0.001,
    "adadelta": 0.001,
}


@dataclass(frozen=True)
class Noise:
    """One ingredient of the training noise.

    A picture gets noise of ``kind`` with a probability proportional to ``share``, and a
    strength drawn evenly between ``low`` and ``high``.
    """

    kind: str
    low: float
    high: float
    share: float = 1.0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where the range does not fit the kind."""
        _require_one_of("noise", self.kind, _ALL_KINDS)
        for name in ("low", "high", "share"):
            _require_number(name, getattr(self, name))
        kind = _ALL_KINDS[self.kind]
        kind.require_in_range(self.low)
        kind.require_in_range(self.high)
        if self.low > self.high:
            raise ValueError(f"noise range must rise, got {self.low:g} to {self.high:g}")
        if not self.share > 0:
            raise ValueError(f"share must be positive, got {self.share:g}")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training does; the same config gives the same curve.

    ``noise`` is empty for clean-to-clean training.  ``fresh_noise=False`` draws the noise
    once for the whole training, as the tutorials do.  ``augment`` turns, shifts and
    stretches each picture a little before anything else.  ``target`` is what the network
    is to answer: the clean picture or its label.

    For photos only: ``crop`` is the side of the random crops, ``epoch_batches`` how many
    batches are called an epoch.  ``average`` keeps a running mean of the weights, with this
    momentum, that is what the training ends with; 0 keeps none.  ``start`` names a shipped
    model whose weights to begin with.
    """

    architecture: str
    settings: dict = field(default_factory=dict)
    data: str = "mnist"
    target: str = "clean"
    noise: tuple[Noise, ...] = ()
    fresh_noise: bool = True
    augment: bool = False
    loss: str = "binary_crossentropy"
    optimizer: str = "adam"
    learning_rate: float = 0.001
    schedule: str = "constant"
    batch: int = 128
    epochs: int = 10
    seed: int = 0
    crop: int = 96
    epoch_batches: int = 500
    average: float = 0.0
    precision: str = "float32"
    start: str = ""

    def __post_init__(self) -> None:
        """Raise ``ValueError`` with the rule and the value where a setting makes no sense."""
        if not isinstance(self.architecture, str):
            raise ValueError(f"architecture must be a name, got {self.architecture!r}")
        if not isinstance(self.settings, dict):
            raise ValueError(f"settings must be names with values, got {self.settings!r}")
        noise_is_list = isinstance(self.noise, list | tuple)
        if not noise_is_list or not all(isinstance(entry, Noise) for entry in self.noise):
            raise ValueError(f"noise must be a list of noise kinds, got {self.noise!r}")
        _require_one_of("data", self.data, DATA_SETS)
        _require_one_of("target", self.target, TARGETS)
        _require_one_of("loss", self.loss, LOSSES)
        _require_one_of("optimizer", self.optimizer, OPTIMIZERS)
        _require_one_of("schedule", self.schedule, SCHEDULES)
        _require_one_of("precision", self.precision, PRECISIONS)
        if not isinstance(self.start, str):
            raise ValueError(f"start must be a model's name or nothing, got {self.start!r}")
        _require_number("average", self.average)
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, got {self.average}")
        _require_whole("crop", self.crop, 16, 512)
        _require_whole("epoch_batches", self.epoch_batches, 1, 100_000)
        for name in ("fresh_noise", "augment"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        _require_number("learning_rate", self.learning_rate)
        if not 0 < self.learning_rate <= 100:
            raise ValueError(
                f"learning_rate must be above 0 and at most 100, got {self.learning_rate}"
            )
        _require_whole("batch", self.batch, 1, 4096)
        _require_whole("epochs", self.epochs, 1, 10_000)
        _require_whole("seed", self.seed, 0, 2**32 - 1)
        if (self.target == "label") != (self.loss == "sparse_categorical_crossentropy"):
            raise ValueError(
                "sparse_categorical_crossentropy is the loss for labels and for nothing else, "
                f"got {self.loss} for the target {self.target!r}"
            )
        if self.augment and self.noise and not self.fresh_noise:
            raise ValueError("augment makes other pictures each epoch, so fresh_noise must be true")
        # As they come back from a file, so that a config equals its own copy.
        object.__setattr__(self, "noise", tuple(self.noise))
        object.__setattr__(self, "settings", _as_plain_data(self.settings))

    def to_json(self) -> str:
        """Return the settings as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Read settings written by ``to_json``.

        Raises:
            ValueError: if the text is no JSON, or a setting is unknown or out of range.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"settings are not JSON: {error}") from error
        _require_names(cls, values)
        noise = values.pop("noise", [])
        if not isinstance(noise, list):
            raise ValueError(f"noise must be a list of noise kinds, got {noise!r}")
        for entry in noise:
            _require_names(Noise, entry)
        return cls(noise=tuple(Noise(**entry) for entry in noise), **values)


def gaussian_only(factor: float) -> tuple[Noise, ...]:
    """Return the tutorials' noise: Gaussian at one fixed factor."""
    return (Noise("gaussian", factor, factor),)


def data_folder() -> Path | None:
    """Return the folder named by ``DENOISE_DATA_DIR``, None where it is unset or missing."""
    named = os.environ.get("DENOISE_DATA_DIR")
    folder = Path(named).expanduser() if named else None
    return folder if folder and folder.is_dir() else None


def every_kind(gaussian_share: float) -> tuple[Noise, ...]:
    """Return all kinds over their sliders, ``gaussian_share`` of the pictures Gaussian."""
    others = [kind for kind in NOISE_KINDS.values() if kind.name != "gaussian"]
    each = (1 - gaussian_share) / len(others)
    gaussian = NOISE_KINDS["gaussian"]
    return (
        Noise("gaussian", gaussian.low, gaussian.high, gaussian_share),
        *(Noise(kind.name, kind.low, kind.high, each) for kind in others),
    )


def _require_one_of(name: str, value: object, known: object) -> None:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def _require_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {value!r}")


def _require_whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value!r}")


def _require_names(kind: type, values: object) -> None:
    """Raise ``ValueError`` unless ``values`` names fields of a dataclass, and all it needs."""
    if not isinstance(values, dict):
        raise ValueError(f"{kind.__name__} must be names with values, got {values!r}")
    known = {each.name: each for each in dataclasses.fields(kind)}
    for name in values:
        if name not in known:
            raise ValueError(f"unknown setting {name!r}; known: {', '.join(known)}")
    for name, each in known.items():
        optional = each.default is not MISSING or each.default_factory is not MISSING
        if name not in values and not optional:
            raise ValueError(f"{kind.__name__} needs {name}, got {', '.join(values) or 'nothing'}")


def _as_plain_data(settings: dict) -> dict:
    try:
        return json.loads(json.dumps(settings))
    except (TypeError, ValueError) as error:
        raise ValueError(f"settings must be plain data, got {settings!r}") from error
