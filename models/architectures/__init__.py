"""The builders, one network family a file; importing one loads Keras.

``build(architecture, **settings)`` is the one way in: it finds the builder by name and
says which names there are when it does not.
"""

import inspect
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

ARCHITECTURES = {
    "encoder-decoder": "encoder_decoder",
    "dense": "dense",
    "convolutional": "convolutional",
    "resize-convolution": "resize_convolution",
    "unet": "unet",
    "residual-unet": "residual_unet",
    "subpixel": "subpixel",
    "painter": "painter",
    "level-estimator": "level_estimator",
    "digit-reader": "digit_reader",
}


def build(architecture: str, **settings: object) -> "keras.Model":
    """Build an untrained model: ``build("unet", filters=(16, 32))``.

    Raises:
        ValueError: if the architecture or one of its settings is unknown.
    """
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ValueError(
            f"unknown architecture {architecture!r}; known: {', '.join(ARCHITECTURES)}"
        )
    builder = import_module(f"models.architectures.{ARCHITECTURES[architecture]}").build
    known = inspect.signature(builder).parameters
    for name in settings:
        if name not in known:
            raise ValueError(
                f"unknown setting {name!r} of {architecture!r}; known: {', '.join(known)}"
            )
    try:
        return builder(**settings)
    except TypeError as error:
        raise ValueError(f"settings of {architecture!r}: {error}") from error
