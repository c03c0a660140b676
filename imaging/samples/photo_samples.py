"""Sample photos, all of which come with scikit-image; nothing is downloaded.

``uint8 (H, W, 1)`` or ``(H, W, 3)``.  Most are clean, so that noise can be added to them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage import data

from imaging.named import by_name


@dataclass(frozen=True)
class PhotoSample:
    """A photo by name; ``noisy`` says whether it is noisy itself.

    ``source`` says who took it and where it comes from.
    """

    name: str
    title: str
    description: str
    open: Callable[[], np.ndarray]
    source: str
    licence: str
    noisy: bool = False

    def load(self) -> np.ndarray:
        """Return the pixels, ``uint8 (H, W, C)``."""
        pixels = self.open()
        return pixels.reshape(*pixels.shape[:2], -1)


PHOTO_SAMPLES: dict[str, PhotoSample] = by_name(
    [
        PhotoSample(
            "cat",
            "Cat",
            "Fine fur: the first thing a filter takes away.",
            data.chelsea,
            "S. van der Walt, scikit-image",
            "CC0",
        ),
        PhotoSample(
            "astronaut",
            "Astronaut",
            "A portrait, by NASA.",
            data.astronaut,
            "NASA, scikit-image",
            "public domain",
        ),
        PhotoSample(
            "coffee",
            "Coffee",
            "Smooth porcelain and grainy wood.",
            data.coffee,
            "R. Michel, scikit-image",
            "CC0",
        ),
        PhotoSample(
            "rocket",
            "Rocket",
            "A dark scene with a glow, by SpaceX.",
            data.rocket,
            "SpaceX, scikit-image",
            "CC0",
        ),
        PhotoSample(
            "cameraman",
            "Cameraman",
            "A grey picture, a classic of the field.",
            data.camera,
            "L. Varshney, scikit-image",
            "CC0",
        ),
        PhotoSample(
            "galaxies",
            "Galaxies",
            "Hubble's deep field. It is noisy itself, and no clean original exists.",
            data.hubble_deep_field,
            "NASA, scikit-image",
            "public domain",
            noisy=True,
        ),
    ]
)
PAGE = PhotoSample("text", "Page", "A printed page.", data.page, "scikit-image", "public domain")
