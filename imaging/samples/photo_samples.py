"""Sample photos, all of which come with scikit-image; nothing is downloaded.

``uint8 (H, W, 1)`` or ``(H, W, 3)``.  Most are clean, so that noise can be added to them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage import data


@dataclass(frozen=True)
class PhotoSample:
    """A photo by name; ``noisy`` says whether it is noisy itself."""

    name: str
    title: str
    description: str
    open: Callable[[], np.ndarray]
    noisy: bool = False

    def load(self) -> np.ndarray:
        """Return the pixels."""
        pixels = self.open()
        return pixels.reshape(*pixels.shape[:2], -1)


PHOTO_SAMPLES: dict[str, PhotoSample] = {
    sample.name: sample
    for sample in (
        PhotoSample("cat", "Cat", "Fine fur: the first thing a filter takes away.", data.chelsea),
        PhotoSample("astronaut", "Astronaut", "A portrait, by NASA.", data.astronaut),
        PhotoSample("coffee", "Coffee", "Smooth porcelain and grainy wood.", data.coffee),
        PhotoSample("rocket", "Rocket", "A dark scene with a glow, by SpaceX.", data.rocket),
        PhotoSample(
            "cameraman", "Cameraman", "A grey picture, a classic of the field.", data.camera
        ),
        PhotoSample(
            "galaxies",
            "Galaxies",
            "Hubble's deep field. It is noisy itself, and no clean original exists.",
            data.hubble_deep_field,
            noisy=True,
        ),
    )
}
