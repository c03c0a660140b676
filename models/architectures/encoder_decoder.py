"""The tutorial's plain encoder-decoder for scenes: no skips, every level halves the picture.

    image (H, W, C) -> conv f1, pool -> ... -> conv fn, pool -> up, conv fn -> ... -> up, conv f1
                                                                                     |
                                                                answer (H, W, outputs), softmax

One 3x3 convolution, batch normalisation and ReLU a level; upwards pixels are repeated and
convolved.  Everything the answer knows has passed the small middle: of a 256x256 picture and the
tutorial's eight filters a single pixel of 512 numbers.

``H`` and ``W``, or ``size``, must be multiples of ``2 ** len(filters)``.

Source:
    The tutorials' segmentation of street scenes: 256x256x3 -> 16-32-64-64-128-128-256-512 and
    back.  Ours may be narrower, and has batch normalisation.
"""

from collections.abc import Sequence

import keras
from keras import layers

from models.architectures.heads import add_head


def build(
    channels: int = 3,
    size: int | None = 256,
    filters: Sequence[int] = (16, 32, 64, 64, 128, 128, 256, 512),
    outputs: int | None = None,
    head: str = "softmax",
) -> keras.Model:
    """Build the network; ``filters`` runs from the finest level to the bottom."""
    image = keras.Input((size, size, channels), name="image")
    x = image
    for level, count in enumerate(filters, start=1):
        x = _convolution(x, count, f"encoder_{level}")
        x = layers.MaxPooling2D(2, name=f"encoder_{level}_pool")(x)
    for level, count in reversed(list(enumerate(filters, start=1))):
        x = layers.UpSampling2D(2, name=f"decoder_{level}_up")(x)
        x = _convolution(x, count, f"decoder_{level}")
    answer = add_head(x, outputs or channels, head, "denoised")
    return keras.Model(image, answer, name="encoder_decoder")


def _convolution(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
