"""Runs a model on what its task takes: one call for every task.

``load_predictor(card).predict(noisy)`` returns the answer; how it comes about, in tiles or at once,
is the task's ``solve``.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import numpy as np
import onnxruntime as ort

from models.catalogue import Card
from models.session import open_parts, open_session, run_session, skips_of
from models.tasks import find_task
from models.tasks.contract import Network, Watch
from models.tasks.turned import WAYS, Turned, Ways

# Pictures in one go: onnxruntime keeps the memory of the largest batch for each network.
BATCH = 8
CLIPPED = ("image", "mask")  # The kinds of signals whose values lie in [0, 1].


class Session:
    """An opened network, as ``models.tasks.contract.Network`` describes it."""

    def __init__(
        self,
        session: ort.InferenceSession,
        card: Card,
        parts: Mapping[str, "Session"] | None = None,
    ) -> None:
        self._session = session
        self.parts: Mapping[str, Network] = parts or {}
        self.size, self.channels, self.multiple = card.size, card.channels, card.multiple
        self._answer = session.get_outputs()[0].name

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        """Return the answer to a batch, the arrays of its inputs by name."""
        return run_session(self._session, [self._answer], inputs)[0]


class Predictor:
    """A network with its task; holds no state, hence safe to share between threads.

    ``skips`` are the skip connections that ``open_session`` can leave out.
    """

    def __init__(self, session: ort.InferenceSession, card: Card) -> None:
        parts = {name: Session(part, card) for name, part in open_parts(card).items()}
        self.network: Network = Session(session, card, parts)
        self.task = find_task(card.task)
        self.skips = skips_of(session)

    def careful(self, ways: Ways = WAYS) -> "Predictor":
        """Return one that asks the network once in each of ``ways``, for the mean answer.

        Raises:
            ValueError: if the network is for pictures of one size, digits, which stand upright.
        """
        if self.network.size:
            raise ValueError("only networks for pictures of any size can be asked carefully")
        other = copy(self)
        other.network = Turned(self.network, ways)
        return other

    def predict(
        self, input: np.ndarray, hint: Any = None, watch: Watch | None = None
    ) -> np.ndarray:
        """Return the answer to one input, as the task's ``solve`` does.

        Input and answer are what the task's signals say: for photos ``(H, W, C)``, 8 or 16 bits or
        ``float32`` in [0, 1].  ``hint`` is what the visitor tells besides, for photos the noise
        level; None lets the task find it.  ``watch`` is told how many parts of how many are done.

        Raises:
            ValueError: if the input or the hint makes no sense.
        """
        return self.task.solve(self.network, input, hint, watch)

    def predict_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the answers to ``(N, size, size, C)`` pictures of the network's own size.

        Raises:
            ValueError: if the shape does not fit.
        """
        size = self.network.size
        if inputs.shape[1:] != (size, size, self.network.channels):
            wanted = ("N", size, size, self.network.channels)
            raise ValueError(f"expected pictures of shape {wanted}, got {inputs.shape}")
        answers = in_batches(lambda image: self.network(image=image), inputs)
        return np.clip(answers, 0, 1) if self.task.target.kind in CLIPPED else answers


def in_batches(network: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Run a network on any number of pictures ``(N, H, W, C)``, a batch at a time."""
    inputs = np.ascontiguousarray(inputs, np.float32)
    return np.concatenate(
        [
            network(inputs[start : start + BATCH])
            # An empty batch is run too: it has the right shape.
            for start in range(0, max(len(inputs), 1), BATCH)
        ]
    )


def load_predictor(card: Card, session: ort.InferenceSession | None = None) -> Predictor:
    """Load the network of a card; ``session`` is what ``open_session`` returned, where it did.

    Raises:
        ModelError: if the file is missing, damaged, or that of another network.

    Example:
        >>> from models.catalogue import find_card
        >>> digit = np.zeros((28, 28, 1), np.float32)
        >>> load_predictor(find_card("unet")).predict(digit).shape
        (28, 28, 1)
    """
    return Predictor(session or open_session(card), card)
