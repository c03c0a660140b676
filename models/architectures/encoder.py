"""Convolve and pool, level by level, and crop on the way back: what two autoencoders share.

    image (S, S, C) -> [conv f1, pool] -> [conv f2, pool] -> ... -> maps

Pooling rounds odd sizes up (28 -> 14 -> 7 -> 4); the way back crops what that added.
"""

from collections.abc import Sequence

import keras
from keras import layers


def encode(image: keras.KerasTensor, filters: Sequence[int]) -> tuple[keras.KerasTensor, list[int]]:
    """Return the smallest maps, and the side of the maps before each pooling."""
    x, sizes = image, []
    for level, count in enumerate(filters, start=1):
        sizes.append(x.shape[1])
        x = convolve(x, count, f"encoder_conv_{level}")
        x = layers.MaxPooling2D(2, padding="same", name=f"encoder_pool_{level}")(x)
    return x, sizes


def convolve(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Return maps of the same size, by kernels of 3 x 3 and a ReLU."""
    return layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)


def crop(x: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """Cut away what pooling an odd size added at the lower and right edge."""
    surplus = x.shape[1] - size
    if not surplus:
        return x
    return layers.Cropping2D(((0, surplus), (0, surplus)), name=name)(x)
