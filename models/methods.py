"""Networks and baselines of a task as one list: whatever turns its input into an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from models.catalogue import Card
from models.predictor import Predictor, load_predictor
from models.tasks.contract import Network, Task
from models.tasks.turned import Turned

NETWORK = "network"


@dataclass(frozen=True)
class Method:
    """A way to do a task: ``run(input, hint=None, watch=None)`` returns the answer.

    ``family`` is "network", or what the kind of a baseline is called; ``card`` and ``network`` are
    those of a network, and ``careful`` says that it is asked four times, for the mean answer.
    ``takes_hint`` says whether another hint can change the answer, ``source`` who found a baseline.
    """

    name: str
    title: str
    family: str
    description: str
    run: Callable[..., np.ndarray]
    card: Card | None = None
    network: Network | None = None
    careful: bool = False
    takes_hint: bool = True
    source: str = ""


def method_names(task: Task, cards: Mapping[str, Card]) -> list[str]:
    """Return the names of the task's networks, in the order of the cards, and of its baselines."""
    return [name for name, card in cards.items() if card.task == task.name] + list(task.baselines)


def method_title(task: Task, name: str, cards: Mapping[str, Card]) -> str:
    """Return what a method is called; a baseline's family follows its title."""
    if name in cards:
        return cards[name].title
    return f"{task.baselines[name].title} ({task.baselines[name].family})"


def title_in_lists(task: Task, name: str, cards: Mapping[str, Card]) -> str:
    """Return what a method is called where one of several is chosen: what it is stands behind."""
    return cards[name].title_in_lists if name in cards else method_title(task, name, cards)


def find_method(
    task: Task,
    name: str,
    cards: Mapping[str, Card],
    load: Callable[[Card], Predictor] = load_predictor,
    condition: tuple[str, float] | None = None,
    careful: bool = False,
) -> Method:
    """Return the method called ``name``; ``load`` opens the network of a card.

    Where the degradation and its strength are known, a baseline is adapted to them.  ``careful``
    has a network asked four times; a baseline answers as before.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    if name in cards:
        card = cards[name]
        predictor = load(card)
        return network_method(card, predictor.careful() if careful else predictor)
    baseline = task.baselines[name]
    run = task.fair(baseline, *condition).run if condition and task.fair else baseline.run
    title = method_title(task, name, cards)
    return Method(
        name,
        title,
        baseline.family,
        baseline.description,
        run,
        takes_hint=baseline.takes_hint,
        source=baseline.source,
    )


def network_method(card: Card, predictor: Predictor, name: str = "", title: str = "") -> Method:
    """Return a network as a method, called as its card says where nothing else is said."""
    return Method(
        name or card.name,
        title or card.title,
        NETWORK,
        card.purpose,
        predictor.predict,
        card,
        predictor.network,
        isinstance(predictor.network, Turned),
    )
