"""What an encoder-decoder can be asked to do.

    target --degrade--> input --> tensors --network--> answer --> like the target

A task says what goes in, what should come out, where examples come from, how good an answer is,
and how it is shown.  It knows no Keras and no screen.  A new task is a file or a folder here and
one line in ``TASKS``; what depends on the kind of a signal is a table of kinds, and nothing asks a
task for its name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from imaging.named import by_name
from imaging.noise import NoiseKind

KINDS = ("image", "mask", "instances", "classes", "label", "audio")
SPLITS = ("train", "validation", "test")


class InputError(ValueError):
    """An input that a task cannot work on; its text is a sentence for visitors, with a way out."""


@dataclass(frozen=True)
class Signal:
    """What an array of a task is.

    ``kind`` is "image" ``(H, W, channels)`` in [0, 1]; "mask" ``(H, W, 1)`` in [0, 1]; "instances"
    ``(H, W)``, whole numbers that count objects from 1, 0 for none; "classes" ``(H, W)``, whole
    numbers below ``len(labels)``; "label", one such number; or "audio" ``(N,)`` in [-1, 1] at
    ``rate`` samples a second.  ``size`` is the side of a square input, None for any size.
    ``colours`` are those of the classes, as hexadecimal.
    """

    kind: str
    channels: int = 1
    size: int | None = None
    labels: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    rate: int = 0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such kind."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")


GREY_IMAGE, COLOUR_IMAGE = Signal("image", channels=1), Signal("image", channels=3)


@dataclass(frozen=True)
class Metric:
    """A measure of quality: ``score(target, answer)`` of one example, a number.

    ``better`` is +1 where more is better, -1 where less is.  Where the measure of many examples is
    not the mean of theirs, ``counts(target, answer)`` is added up, and ``total(sum)`` is the
    measure.
    """

    name: str
    title: str
    unit: str
    score: Callable[[np.ndarray, np.ndarray], float]
    description: str
    better: int = 1
    decimals: int = 2
    counts: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    total: Callable[[np.ndarray], float] | None = None


@dataclass(frozen=True)
class Examples:
    """Pictures or sounds to learn from or to measure on.

    ``targets[i]`` is what should come out of ``inputs[i]``; ``inputs`` is None where they are made
    from the targets by a degradation.  ``labels`` are for whoever reads the answers, ``hints`` what
    a method is told with each input where it is measured.
    """

    targets: Sequence[np.ndarray]
    inputs: Sequence[np.ndarray] | None = None
    labels: np.ndarray | None = None
    hints: Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class DataSet:
    """Where examples come from.

    ``load(folder, split)`` returns those of one of ``SPLITS``; the folder is the one that
    ``DENOISE_DATA_DIR`` names, or None, and an ``OSError`` says in a sentence why they cannot be
    had. ``notice`` says what whoever uses weights trained on it must know of its licence,
    ``uploaded`` that a visitor brings the examples, ``drawn`` that the program draws them wherever
    it runs.  ``measured_on`` is the split whose numbers
    stand on cards: "validation" where there is no test.
    """

    name: str
    title: str
    load: Callable[[Path | None, str], Examples]
    notice: str = ""
    has_labels: bool = False
    uploaded: bool = False
    drawn: bool = False
    measured_on: str = "test"


@dataclass(frozen=True)
class Baseline:
    """A way without learning, called like a network: ``run(input, hint, watch) -> answer``.

    ``family`` is what its kind is called on screen, ``takes_hint`` whether another hint can change
    its answer, ``source`` who found it and when, empty where its description says so.
    """

    name: str
    title: str
    description: str
    run: Callable[..., np.ndarray]
    family: str = "classical"
    takes_hint: bool = True
    source: str = ""


@dataclass(frozen=True)
class Sample:
    """An example that ships with the program; ``load()`` returns input and target.

    The target is None where nobody knows it.  ``licence`` and ``source`` are shown beside it;
    ``drawn`` says that the program draws it, as it draws what small networks learn.
    """

    name: str
    title: str
    load: Callable[[], tuple[np.ndarray, np.ndarray | None]]
    source: str
    licence: str
    drawn: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a network is made: ``config`` are fields of ``train.config.TrainConfig`` by name.

    ``expect`` is a sentence or two on what one should see, where visitors train it.
    """

    name: str
    title: str
    purpose: str
    source: str
    config: Mapping[str, Any]
    expect: str = ""


@dataclass(frozen=True)
class Explanation:
    """What a screen says of a task beside its answers.

    ``rows`` are what goes in, what should come out, last layer, loss and metric, to stand beside
    the denoiser's; ``limits`` say what it was trained on and where it fails.
    """

    description: str
    rows: tuple[str, str, str, str, str]
    limits: str


@dataclass(frozen=True)
class Hint:
    """What a visitor may tell a network besides its input; left out, the task finds it itself.

    A screen and the command line show it times ``shown_per_unit``.
    """

    name: str
    title: str
    low: float
    high: float
    default: float
    step: float
    description: str
    shown_per_unit: float = 1

    def from_shown(self, shown: float) -> float:
        """Return what a slider shows as ``shown``; raise ``ValueError`` where it is not on it."""
        low, high = (round(end * self.shown_per_unit, 6) for end in (self.low, self.high))
        if not low <= shown <= high:
            raise ValueError(f"{self.title} goes from {low:g} to {high:g}, got {shown:g}")
        return min(max(shown / self.shown_per_unit, self.low), self.high)


class Settings(Protocol):
    """What a task reads of ``train.config.TrainConfig``."""

    data: str
    noise: Sequence[Any]
    fresh_noise: bool
    augment: bool
    batch: int
    crop: int
    seed: int
    settings: dict


class Network(Protocol):
    """An opened network, called with a batch for each of its inputs by name."""

    size: int  # the side of its pictures, 0 for any
    channels: int
    multiple: int  # what both sides must be multiples of
    parts: Mapping[str, "Network"]  # smaller networks beside it, by name

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        """Return its answer, a batch too."""


@dataclass(frozen=True)
class Touch:
    """What can be done to an answer at once: ``apply(input, answer) -> answer``."""

    name: str
    title: str
    description: str
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]


Watch = Callable[[int, int], None]  # told how many parts of how many are done
Tensors = np.ndarray | tuple[np.ndarray, ...]  # in the order of the network's inputs


@dataclass(frozen=True)
class Task:
    """What there is to learn.

    ``words`` are what target, input and answer are called on screen.  The first of ``metrics``
    ranks, the first of ``losses`` is the default, both by their names in ``train``; ``watch``
    names the metrics that stream while it trains, ``inputs`` the tensors that a network takes, the
    picture first.

    ``batch(examples, chosen, settings, rng)`` makes one training batch, ``(tensors, target)``, of
    the examples with the numbers ``chosen``; ``validation(examples, settings, rng)`` makes the
    arrays that are looked at after each epoch.  ``walk`` is "whole" where an epoch is every
    example once, "crops" where it is ``epoch_batches`` batches of pieces of them.

    ``solve(network, input, hint, watch)`` returns the answer, like the target; an answer is
    ``scale`` times as large as its input.  Where an answer is decided from softer numbers that a
    screen can keep, ``soft(network, input, watch)`` returns these and ``decide(soft, hint)`` the
    answer at once.  ``fair(baseline, degradation, strength)`` is the
    baseline as it does best where the degradation is known.  ``picture(tensor)`` turns input,
    answer and target tensors of a network, ``(N, ...)``, into pictures to watch while it trains,
    ``(N, H, W, C)`` in [0, 1]; None where there is nothing to see.  ``reader`` names the model
    that reads answers where examples have labels, ``seen(input)`` what a network sees of a picture
    where that is less than there is, ``family`` what several tasks are called that a
    screen shows as one, ``variant`` what tells this one from the others.  ``headline`` is the
    degradation and strength at which models are ranked, ``networks`` the architectures of which
    visitors may make their own, and choose its noise, loss and data; without any they train what is
    in the recipes.  ``explanation`` is what a screen tells of it.
    ``degrade(clean, noise, rng)`` makes inputs of pictures ``(N, H, W, C)`` and a config's noise,
    where visitors may watch what becomes of a drawing of their own.
    """

    name: str
    title: str
    description: str
    input: Signal
    target: Signal
    words: tuple[str, str, str]
    metrics: tuple[Metric, ...]
    losses: tuple[str, ...]
    watch: tuple[str, ...]
    data: Mapping[str, DataSet]
    batch: Callable[
        [Examples, np.ndarray, Settings, np.random.Generator], tuple[Tensors, np.ndarray]
    ]
    validation: Callable[[Examples, Settings, np.random.Generator], tuple[Tensors, np.ndarray]]
    solve: Callable[[Network, np.ndarray, Any, Watch | None], np.ndarray]
    inputs: tuple[str, ...] = ("image",)
    walk: str = "whole"
    degradations: Mapping[str, NoiseKind] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    fair: Callable[[Baseline, str, float], Baseline] | None = None
    samples: Mapping[str, Sample] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    hint: Hint | None = None
    touches: Mapping[str, Touch] = field(default_factory=dict)
    scale: int = 1
    soft: Callable[[Network, np.ndarray, Watch | None], np.ndarray] | None = None
    decide: Callable[[np.ndarray, Any], np.ndarray] | None = None
    headline: tuple[str, float] = ("", 0.0)
    picture: Callable[[np.ndarray], np.ndarray] | None = None
    reader: str = ""
    seen: Callable[[np.ndarray], np.ndarray] | None = None
    family: str = ""
    variant: str = ""
    networks: tuple[str, ...] = ()
    explanation: Explanation | None = None
    degrade: Callable[[np.ndarray, tuple, np.random.Generator], np.ndarray] | None = None


def as_it_is(tensor: np.ndarray) -> np.ndarray:
    """Return what is a picture already, ``(N, H, W, C)``, within [0, 1]."""
    return np.clip(tensor, 0, 1)


def decided(
    soft: Callable[[Network, np.ndarray, Watch | None], np.ndarray],
    decide: Callable[[np.ndarray, Any], np.ndarray],
) -> dict[str, Any]:
    """Return ``solve``, ``soft`` and ``decide`` of a task that decides from softer numbers."""

    def solve(
        network: Network, input: np.ndarray, hint: Any = None, watch: Watch | None = None
    ) -> np.ndarray:
        return decide(soft(network, input, watch), hint)

    return {"solve": solve, "soft": soft, "decide": decide}


def drawn_sample(
    name: str, title: str, load: Callable[[], tuple[np.ndarray, np.ndarray | None]]
) -> Sample:
    """Return a sample that this program draws, which takes nothing from anybody."""
    return Sample(name, title, load, "Denoise Lab", "MIT", drawn=True)


def with_settings(config: Mapping[str, Any], **settings: object) -> dict[str, Any]:
    """Return the configuration of a recipe with other settings of its network."""
    return {**config, "settings": config["settings"] | settings}


def with_and_without_skips(recipe: Recipe, **changes: str) -> dict[str, Recipe]:
    """Return by name a recipe and that of the same network without skip connections.

    The second is called ``NAME-plain``; ``changes`` are what else it says of itself.
    """
    words = {
        "title": f"{recipe.title}, no skips",
        "purpose": "The same without skip connections: all detail passes the narrow middle.",
        "expect": "",
    }
    name, config = f"{recipe.name}-plain", with_settings(recipe.config, skips=False)
    return by_name([recipe, replace(recipe, name=name, config=config, **words | changes)])
