"""The settings of one training, shared by the command line, the worker and the screens.

A ``TrainConfig`` is plain data: it goes to ``config.json`` and comes back checked, so that
a file edited by hand into nonsense is refused with a sentence before anything is loaded.
"""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from imaging.noise import NOISE_KINDS, noise_kind

DATA_SETS = ("mnist", "fashion-mnist")
TARGETS = ("clean", "label")
LOSSES = ("binary_crossentropy", "mse", "mae", "sparse_categorical_crossentropy")
SCHEDULES = ("constant", "cosine")
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
        kind = noise_kind(self.kind)
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

    def __post_init__(self) -> None:
        """Raise ``ValueError`` with the rule and the value where a setting makes no sense."""
        _require_one_of("data", self.data, DATA_SETS)
        _require_one_of("target", self.target, TARGETS)
        _require_one_of("loss", self.loss, LOSSES)
        _require_one_of("optimizer", self.optimizer, OPTIMIZERS)
        _require_one_of("schedule", self.schedule, SCHEDULES)
        if not 0 < self.learning_rate <= 100:
            raise ValueError(
                f"learning_rate must be above 0 and at most 100, got {self.learning_rate}"
            )
        for name, value, most in (("batch", self.batch, 4096), ("epochs", self.epochs, 10_000)):
            if not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be a whole number, not negative, got {self.seed!r}")

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
            noise = tuple(Noise(**entry) for entry in values.pop("noise", []))
            return cls(noise=noise, **values)
        except json.JSONDecodeError as error:
            raise ValueError(f"settings are not JSON: {error}") from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f"settings do not fit: {error}") from error


def gaussian_only(factor: float) -> tuple[Noise, ...]:
    """Return the tutorials' noise: Gaussian at one fixed factor."""
    return (Noise("gaussian", factor, factor),)


def data_folder() -> Path | None:
    """Return the folder named by ``DENOISE_DATA_DIR``, None where it is unset or missing."""
    named = os.environ.get("DENOISE_DATA_DIR")
    return Path(named) if named and Path(named).is_dir() else None


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
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
