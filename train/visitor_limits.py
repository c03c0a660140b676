"""What a visitor may take of the host, and sentences for whoever asks for more."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.tasks import TASKS
from train.config import TrainConfig, count_parameters
from train.memory import free_megabytes, needed_megabytes
from train.owners import all_runs
from train.recipes import is_live
from train.run_status import WAITING, status


@dataclass(frozen=True)
class Limits:
    """What one visitor may take of the host.

    ``waiting`` runs may stand in line, each trains at most ``epochs`` and ``minutes`` a network
    of at most ``parameters``; the worker of the smallest network needs ``megabytes`` of memory,
    larger ones more (see ``train.memory``), and leaves ``disk_megabytes`` free.  Runs are deleted
    after ``days``, and the oldest ones when all of them together exceed ``kept_megabytes``; those
    that are pinned last, and never by age.
    """

    waiting: int = 4
    epochs: int = 100
    minutes: float = 30
    parameters: int = 2_000_000
    megabytes: int = 520
    disk_megabytes: int = 100
    days: float = 7
    kept_megabytes: int = 500


DEFAULT_LIMITS = Limits()


class Refused(Exception):
    """A run that cannot be started now; the text is a sentence for the visitor."""


def require_allowed(config: TrainConfig, limits: Limits) -> None:
    """Raise ``Refused`` where the settings ask for more than one visitor may take."""
    if config.epochs > limits.epochs:
        raise Refused(f"At most {limits.epochs} epochs are possible here, not {config.epochs}.")
    if not is_live(config):
        raise Refused(
            "Only networks for 28 × 28 greyscale images, and the small recipes of other jobs, can "
            "be trained here."
        )
    if not TASKS[config.task].networks:
        return  # Its network is that of a recipe.
    try:
        parameters = count_parameters(config.architecture, config.settings)
    except ValueError as problem:
        raise Refused(f"There is no such network: {problem}.") from problem
    if parameters > limits.parameters:
        raise Refused(
            f"This network would have {parameters:,} parameters; at most {limits.parameters:,} "
            "are possible here. Use fewer filters or levels."
        )


def require_room(
    limits: Limits, runs: Path, configs: Sequence[TrainConfig], held: float = 0
) -> None:
    """Raise ``Refused`` where queue, memory or disk have no room for the runs, all of one page.

    ``held`` megabytes are in use already by the worker that will train them.
    """
    waiting = sum(status(run).state == WAITING for run in all_runs(runs))
    if waiting + len(configs) - 1 >= limits.waiting:
        raise Refused(
            f"The queue is full ({waiting} runs are waiting). Try again in a few minutes, or run "
            "the app on your own machine; it takes two commands."
        )
    for config in configs:
        require_memory(config, limits, held)
    runs.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(runs).free / 1e6
    if free < limits.disk_megabytes:
        raise Refused(
            f"The disk of this host is nearly full: {free:.0f} MB are left, and a training needs "
            f"{limits.disk_megabytes}. Delete runs that you no longer need."
        )


def require_memory(config: TrainConfig, limits: Limits, held: float = 0) -> None:
    """Raise ``Refused`` where the host has less memory left than the training needs.

    ``held`` megabytes of that its worker has already.
    """
    needed, free = needed_megabytes(config, limits.megabytes), free_megabytes() + held
    if free < needed:
        smaller = " take a smaller batch or network," if free >= limits.megabytes else ""
        raise Refused(
            f"This training needs about {round(needed, -1):.0f} MB of memory, and this host has "
            f"{free:.0f} MB left. Try again later,{smaller} or run the app on your own machine."
        )
