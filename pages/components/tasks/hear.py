"""What a network that knows spoken digits hears in sounds."""

from collections.abc import Mapping

import numpy as np

from models.catalogue import ModelError
from models.tasks.contract import Task
from models.tasks.hear_digits import MOST_WORDS, words_in
from pages.components.cached import get_cards, get_predictor
from pages.components.scores import SURE, Reading, as_text


def hear_digits(
    task: Task, signals: Mapping[str, np.ndarray], clearest: np.ndarray
) -> dict[str, list[Reading]]:
    """Return the digit at each word of each sound; empty where there are none, or no listener.

    Sounds are samples ``(N,)`` in [-1, 1].  The words are where those of the ``clearest`` are, so
    that all are asked the same; where there are more than ``MOST_WORDS``, one of them more.
    """
    try:
        listener = get_predictor(get_cards()[0][task.reader])
    except (KeyError, ModelError):
        return {}
    words = words_in(clearest, MOST_WORDS + 1)
    heard: dict[str, list[Reading]] = {}
    for title, samples in signals.items():
        answers = [listener.predict(samples[first:last]) for first, last in words]
        heard[title] = [(int(row.argmax()), float(row.max())) for row in answers]
    return heard if words else {}


def heard_text(readings: list[Reading]) -> str:
    """Return readings as text: "7 (98 %), ?"; a guess has a question mark."""
    words = [as_text(each) if each[1] >= SURE else "?" for each in readings[:MOST_WORDS]]
    more = f" … (the first {MOST_WORDS} words)" if len(readings) > MOST_WORDS else ""
    return ", ".join(words) + more
