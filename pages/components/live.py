"""Says what the browser needs to follow a slider itself, between two answers of the server."""

import numpy as np
from scipy.special import ndtr

from imaging.noise import NoiseKind
from models.catalogue import PRETRAINED, Card
from models.live import STATIC, packed_name
from pages.components.cached import get_packed
from pages.components.viewer import Preview


def preview_of(
    slider: str,
    kind: NoiseKind,
    strength: float,
    seed: int,
    shape: tuple[int, ...],
    card: Card | None,
    reader: Card | None,
) -> Preview | None:
    """Return what previews noise and answer while the slider with this key moves.

    None where the browser cannot: a classical filter, or a network or noise that it does not know.
    ``shape`` is that of the picture; ``reader`` is the digit reader, None if there is none.
    """
    if card is None or kind.pattern is None:
        return None
    numbers = kind.pattern(shape, np.random.default_rng(seed))
    parts = {"numbers": numbers}
    if kind.name == "poisson":
        parts["quantiles"] = ndtr(numbers.astype(np.float64))
    network = _address(card)
    if network is None:
        packed = get_packed(card)
        if packed is None:
            return None
        parts["network"] = packed
    about = {
        "around": f".st-key-{slider}",
        "kind": kind.name,
        "strength": strength,
        "height": shape[0],
        "width": shape[1],
        "network": network or packed_name(card),
        "reader": reader and _address(reader),
    }
    return Preview(about, parts)


def _address(card: Card) -> str | None:
    """Return the name of the file of a network of the catalogue, None for a visitor's own.

    What a visitor trained is theirs alone: it is sent to them, never put where others could load
    it.
    """
    name = packed_name(card)
    ours = card.folder.parent == PRETRAINED and (STATIC / name).is_file()
    return name if ours else None
