"""The settings of one training, shared by the command line, the worker and the screens.

A ``TrainConfig`` is plain data: it goes to ``config.json`` and comes back checked, so that
a file edited by hand into nonsense is refused with a sentence before anything is loaded.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field
from itertools import pairwise

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.catalogue import task_of
from models.tasks import TASKS
from models.tasks.contract import DataSet

FEWEST_USER_PICTURES = 64  # pictures of a visitor's own that are worth a training
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
class IntSetting:
    """A setting that is a whole number; where ``optional``, it can also be left out."""

    title: str
    default: int | None
    low: int
    high: int
    help: str = ""
    optional: bool = False

    def require(self, name: str, value: object) -> None:
        """Raise ``ValueError`` where the value does not fit."""
        if not (self.optional and value is None):
            _require_whole(name, value, self.low, self.high)


@dataclass(frozen=True)
class IntListSetting:
    """A setting that has a whole number for each level, from the outside in."""

    title: str
    default: tuple[int, ...]
    fewest: int
    most: int
    high: int = 256
    help: str = ""

    def require(self, name: str, value: object) -> None:
        """Raise ``ValueError`` where the value does not fit."""
        if not isinstance(value, list | tuple) or not self.fewest <= len(value) <= self.most:
            raise ValueError(
                f"{name} must be {self.fewest} to {self.most} whole numbers, got {value!r}"
            )
        for each in value:
            _require_whole(name, each, 1, self.high)


@dataclass(frozen=True)
class FractionSetting:
    """A setting that is a share, from 0 up to ``high``."""

    title: str
    default: float
    high: float
    help: str = ""

    def require(self, name: str, value: object) -> None:
        """Raise ``ValueError`` where the value does not fit."""
        _require_number(name, value)
        if not 0 <= value <= self.high:
            raise ValueError(f"{name} must be from 0 to {self.high:g}, got {value:g}")


@dataclass(frozen=True)
class ChoiceSetting:
    """A setting that is one of a few words."""

    title: str
    default: str
    options: tuple[str, ...]
    help: str = ""

    def require(self, name: str, value: object) -> None:
        """Raise ``ValueError`` where the value does not fit."""
        _require_one_of(name, value, self.options)


@dataclass(frozen=True)
class BoolSetting:
    """A setting that is on or off."""

    title: str
    default: bool
    help: str = ""

    def require(self, name: str, value: object) -> None:
        """Raise ``ValueError`` where the value does not fit."""
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value!r}")


_FILTERS = "How many features each level looks for. Every level halves the picture."
# What can be set of the networks for digits; the builders are in models/architectures.
ARCHITECTURE_SETTINGS: dict[
    str, dict[str, IntSetting | IntListSetting | FractionSetting | ChoiceSetting | BoolSetting]
] = {
    "dense": {
        "hidden": IntSetting(
            "Hidden units", 64, 1, 512, "The numbers that a digit is squeezed into."
        ),
    },
    "convolutional": {
        "filters": IntListSetting("Filters", (32, 32), 1, 4, help=_FILTERS),
        "code": IntSetting(
            "Numbers in the code",
            None,
            1,
            256,
            "A bottleneck: everything the decoder gets has to fit through these numbers.",
            True,
        ),
    },
    "resize-convolution": {
        "filters": IntListSetting("Filters", (64, 64, 32), 1, 4, help=_FILTERS),
        "upsampling": ChoiceSetting(
            "Upsampling",
            "resize",
            ("resize", "transposed"),
            "Repeat pixels and convolve, or do both in one transposed convolution, whose "
            "overlapping kernels can leave a checkerboard.",
        ),
    },
    "unet": {
        "filters": IntListSetting("Filters", (16, 32, 64, 128), 2, 5, help=_FILTERS),
        "dropout": FractionSetting(
            "Dropout", 0.1, 0.8, "The share of features hidden while it learns."
        ),
        "skips": BoolSetting("Skip connections", True, "They carry detail past the narrow middle."),
    },
}


def require_settings(architecture: str, settings: dict) -> None:
    """Raise ``ValueError`` where the network would not be built, or not for digits."""
    _require_one_of("architecture", architecture, ARCHITECTURE_SETTINGS)
    known = ARCHITECTURE_SETTINGS[architecture]
    for name, value in settings.items():
        if name not in known:
            raise ValueError(
                f"unknown setting {name!r} of {architecture!r}; known: {', '.join(known)}"
            )
        known[name].require(name, value)


def with_defaults(architecture: str, settings: dict) -> dict:
    """Return all settings of the network, those that are left out at their defaults."""
    default = {name: each.default for name, each in ARCHITECTURE_SETTINGS[architecture].items()}
    return _as_plain_data(default | settings)


def count_parameters(architecture: str, settings: dict) -> int:
    """Return how many parameters the network for digits has, as Keras counts them.

    Raises:
        ValueError: if the settings make no sense.
    """
    require_settings(architecture, settings)
    return COUNTS[architecture](**with_defaults(architecture, settings))


def _count_dense(hidden: int) -> int:
    return _dense(784, hidden) + _dense(hidden, 784)


def _count_convolutional(filters: list[int], code: int | None) -> int:
    total = _count_resize_convolution(filters, "resize")
    if code is not None:
        side = 28
        for _ in filters:
            side = -(-side // 2)
        values = side * side * filters[-1]
        total += _dense(values, code) + _dense(code, values)
    return total


def _count_resize_convolution(filters: list[int], upsampling: str) -> int:
    into = [1, *filters, *filters[::-1]]
    return sum(_convolution(3, a, b) for a, b in pairwise([*into, 1]))


def _count_unet(filters: list[int], dropout: float, skips: bool) -> int:
    *outer, bottom = filters
    total, into = 0, 1
    for count in [*outer, bottom]:
        total, into = total + _double_convolution(into, count), count
    for count in reversed(outer):
        total += _convolution(2, into, count)
        total, into = total + _double_convolution(count * (2 if skips else 1), count), count
    return total + _convolution(1, into, 1)


def _dense(into: int, out: int) -> int:
    return into * out + out


def _convolution(side: int, into: int, out: int) -> int:
    return side * side * into * out + out


def _double_convolution(into: int, out: int) -> int:
    """No bias, but four numbers of batch normalisation for each feature."""
    return 9 * into * out + 9 * out * out + 8 * out


COUNTS = {
    "dense": _count_dense,
    "convolutional": _count_convolutional,
    "resize-convolution": _count_resize_convolution,
    "unet": _count_unet,
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training does; the same config gives the same curve.

    ``noise`` is empty for clean-to-clean training.  ``fresh_noise=False`` draws the noise once for
    the whole training, as the tutorials do.  ``augment`` turns, shifts and stretches each picture
    a little before anything else.  ``task`` is what the network learns, ``data`` one of the task's
    data sets: "drawn" for digits drawn by the program, "own" for the visitor's own pictures, which
    are in the run folder.

    For photos only: ``crop`` is the side of the random crops, ``epoch_batches`` how many
    batches are called an epoch.  ``average`` keeps a running mean of the weights, with this
    momentum, that is what the training ends with; 0 keeps none.  ``clip`` is the largest norm that
    the gradient may have, 0 for any.

    ``start`` names a shipped model whose weights to begin with.  ``patience`` ends the
    training when the validation loss has not fallen for this many epochs, and keeps the weights
    of the best; 0 never does.
    """

    architecture: str
    settings: dict = field(default_factory=dict)
    task: str = "denoise-digits"
    data: str = "mnist"
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
    clip: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` with the rule and the value where a setting makes no sense."""
        if not isinstance(self.architecture, str):
            raise ValueError(f"architecture must be a name, got {self.architecture!r}")
        if not isinstance(self.settings, dict):
            raise ValueError(f"settings must be names with values, got {self.settings!r}")
        noise_is_list = isinstance(self.noise, list | tuple)
        if not noise_is_list or not all(isinstance(entry, Noise) for entry in self.noise):
            raise ValueError(f"noise must be a list of noise kinds, got {self.noise!r}")
        _require_one_of("task", self.task, TASKS)
        task = TASKS[self.task]
        _require_one_of("data", self.data, task.data)
        _require_one_of("loss", self.loss, task.losses)
        _require_one_of("optimizer", self.optimizer, OPTIMIZERS)
        _require_one_of("schedule", self.schedule, SCHEDULES)
        _require_one_of("precision", self.precision, PRECISIONS)
        if not isinstance(self.start, str):
            raise ValueError(f"start must be a model's name or nothing, got {self.start!r}")
        _require_number("clip", self.clip)
        if self.clip < 0:
            raise ValueError(f"clip must not be negative, got {self.clip}")
        _require_number("average", self.average)
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, got {self.average}")
        _require_whole("patience", self.patience, 0, 10_000)
        if self.patience and self.average:
            raise ValueError(
                "patience keeps the best weights and average a mean of all: choose one, "
                f"got {self.patience} and {self.average:g}"
            )
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
        if self.augment and self.noise and not self.fresh_noise:
            raise ValueError("augment makes other pictures each epoch, so fresh_noise must be true")
        # As they come back from a file, so that a config equals its own copy.
        object.__setattr__(self, "noise", tuple(self.noise))
        object.__setattr__(self, "settings", _as_plain_data(self.settings))

    @property
    def data_set(self) -> DataSet:
        """Where the examples come from."""
        return TASKS[self.task].data[self.data]

    def to_json(self) -> str:
        """Return the settings as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Read settings written by ``to_json``.

        Raises:
            ValueError: if the text is not JSON, or a setting is unknown or out of range.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"settings are not JSON: {error}") from error
        if isinstance(values, dict) and "target" in values:  # Written by the release before.
            values = {"task": task_of(values.pop("target"), values.get("data", "mnist"))} | values
        _require_names(cls, values)
        noise = values.pop("noise", [])
        if not isinstance(noise, list):
            raise ValueError(f"noise must be a list of noise kinds, got {noise!r}")
        for entry in noise:
            _require_names(Noise, entry)
        return cls(noise=tuple(Noise(**entry) for entry in noise), **values)


# What must be the same, so that a race is decided by the networks and how they learn.
SHARED_IN_A_RACE = (
    "task",
    "data",
    "noise",
    "fresh_noise",
    "augment",
    "batch",
    "epochs",
    "seed",
)


def on_equal_terms(config: TrainConfig, first: TrainConfig) -> TrainConfig:
    """Return ``config`` with the batches, noise, seed and length of ``first``."""
    return dataclasses.replace(config, **{name: getattr(first, name) for name in SHARED_IN_A_RACE})


def differences(configs: Sequence[TrainConfig]) -> dict[str, list]:
    """Return the settings in which the configs differ, each with its value in every config.

    The settings of the networks count one by one; what a network does not have is None.
    """
    flat = []
    for config in configs:
        values = {each.name: getattr(config, each.name) for each in dataclasses.fields(config)}
        settings = values.pop("settings")
        if config.architecture in ARCHITECTURE_SETTINGS:
            settings = with_defaults(config.architecture, settings)
        flat.append(values | settings)
    names = dict.fromkeys(name for values in flat for name in values)
    rows = {name: [values.get(name) for values in flat] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}


def gaussian_only(factor: float) -> tuple[Noise, ...]:
    """Return the tutorials' noise: Gaussian at one fixed factor."""
    return (Noise("gaussian", factor, factor),)


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
