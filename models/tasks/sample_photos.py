"""Photos that come with scikit-image, as samples of the tasks."""

from collections.abc import Callable, Sequence

import numpy as np

from imaging.named import by_name
from imaging.pixels import to_image
from imaging.samples.photo_samples import PhotoSample
from models.tasks.contract import Sample

Pair = tuple[np.ndarray, np.ndarray | None]


def sample_photos(
    photos: Sequence[PhotoSample], pair: Callable[[np.ndarray], Pair]
) -> dict[str, Sample]:
    """Return the photos as samples by name.

    ``pair`` makes input and target of a photo, ``float32 (H, W, C)`` in [0, 1].
    """

    def sample(photo: PhotoSample) -> Sample:
        return Sample(
            photo.name,
            photo.title,
            lambda: pair(to_image(photo.load())),
            photo.source,
            photo.licence,
        )

    return by_name([sample(photo) for photo in photos])
