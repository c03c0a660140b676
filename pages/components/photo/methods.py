"""Networks, filters and specialists for photos as one list, on pictures of 8 or 16 bits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imaging.filters import CLASSICAL
from imaging.pixels import to_image, to_pixels
from imaging.specialists import SPECIALISTS
from models.catalogue import Card
from models.tiles import Watch, in_tiles
from pages.components.cached import get_denoiser

FILTERS = CLASSICAL | SPECIALISTS
# Tiles begin where a block of JPEG does, so that a filter finds the blocks.
JPEG_BLOCK = 8


@dataclass(frozen=True)
class PhotoMethod:
    """A way to denoise: ``denoise(pixels, level, watch)`` returns pixels of the same shape."""

    name: str
    title: str
    explain: str
    denoise: Callable[[np.ndarray, float, Watch], np.ndarray]
    card: Card | None = None


def photo_method_names(cards: dict[str, Card]) -> list[str]:
    """Return the names of the networks for photos and of all filters."""
    return [name for name, card in cards.items() if card.for_photos] + list(FILTERS)


def photo_method_title(name: str, cards: dict[str, Card]) -> str:
    """Return what a method is called on screen."""
    if name in cards:
        return f"{cards[name].title} (network)"
    return f"{FILTERS[name].title} ({'specialist' if name in SPECIALISTS else 'classical'})"


def load_photo_method(name: str, cards: dict[str, Card]) -> PhotoMethod:
    """Return the method called ``name``.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    title = photo_method_title(name, cards)
    if name in cards:
        card = cards[name]
        return PhotoMethod(name, title, card.purpose, get_denoiser(card).denoise, card)
    filter = FILTERS[name]

    def denoise(pixels: np.ndarray, level: float, watch: Watch) -> np.ndarray:
        if pixels.dtype == np.uint16:
            return to_pixels(denoise(to_image(pixels), level, watch), np.uint16)
        return in_tiles(pixels, lambda tile: filter.denoise(tile, level), watch, JPEG_BLOCK)

    return PhotoMethod(name, title, filter.explain, denoise)
