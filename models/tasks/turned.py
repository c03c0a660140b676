"""A network that is asked several times, of the picture turned or mirrored, for the mean answer.

What depends on how a detail lies differs from answer to answer and is averaged away; what the
network knows stays.  Of the eight ways to turn and mirror a photo, the four of ``WAYS`` give
0.13 dB on noise of 15 to 50, all eight 0.15, for twice the time (``train evaluate --set careful``).

Source:
    Timofte et al., Seven ways to improve example-based single image super resolution, CVPR 2016,
    arXiv:1511.02228 (enhanced prediction, also called self-ensemble).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.tasks.contract import Network

Ways = Sequence[tuple[int, bool]]
WAYS: Ways = ((0, False), (2, False), (1, True), (3, True))  # quarters of a turn, mirrored before


@dataclass(frozen=True)
class Turned:
    """A network that is asked in several ways, used like the one it asks.

    ``together`` makes one answer of those to all ``ways``, along their first axis.
    """

    network: Network
    ways: Ways = WAYS
    together: Callable[..., np.ndarray] = np.mean

    @property
    def size(self) -> int:
        """The side of its pictures, 0 for any."""
        return self.network.size

    @property
    def channels(self) -> int:
        """The channels of its pictures."""
        return self.network.channels

    @property
    def multiple(self) -> int:
        """What both sides of its pictures must be multiples of."""
        return self.network.multiple

    @property
    def parts(self) -> Mapping[str, Network]:
        """The smaller networks beside it, asked once as before."""
        return self.network.parts

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        """Return what the answers to a batch ``(N, H, W, C)`` of each input are together."""
        answers = []
        for way in self.ways:
            seen = {name: turned(batch, *way) for name, batch in inputs.items()}
            answers.append(turned_back(self.network(**seen), *way))
        return self.together(answers, axis=0)


def turned(batch: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """Return pictures ``(N, H, W, C)``, mirrored if so wanted and then turned by quarters."""
    seen = batch[:, :, ::-1] if mirrored else batch
    return np.ascontiguousarray(np.rot90(seen, quarters, axes=(1, 2)))


def turned_back(batch: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """Return what ``turned`` made these pictures ``(N, H, W, C)`` of."""
    seen = np.rot90(batch, -quarters, axes=(1, 2))
    return seen[:, :, ::-1] if mirrored else seen
