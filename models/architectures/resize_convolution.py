"""Resize-convolution beside its foil, transposed convolution.

    image (S, S, C) -> [conv f1, pool] -> [conv f2, pool] -> [conv f3, pool] -> code
          -> [up, conv f3] -> [up, conv f2] -> [up, conv f1] -> conv C -> denoised (S, S, C)

``upsampling="resize"`` doubles the maps by nearest neighbour and then convolves;
``"transposed"`` does both in one 3x3 transposed convolution of stride 2, whose overlapping
kernels leave a checkerboard.  Both have the same number of parameters.

Source:
    Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016,
    doi:10.23915/distill.00003.
"""

from collections.abc import Sequence

import keras
from keras import layers

from models.architectures.encoder import convolve, crop, encode


def build(
    channels: int = 1,
    size: int = 28,
    filters: Sequence[int] = (64, 64, 32),
    upsampling: str = "resize",
) -> keras.Model:
    """Build the network; ``filters`` has one entry a pooling level, from the outside in.

    Raises:
        ValueError: if ``upsampling`` is neither "resize" nor "transposed".
    """
    if upsampling not in ("resize", "transposed"):
        raise ValueError(f'upsampling must be "resize" or "transposed", got {upsampling!r}')
    image = keras.Input((size, size, channels), name="image")
    x, sizes = encode(image, filters)
    for level, count in reversed(list(enumerate(filters, start=1))):
        if upsampling == "resize":
            x = layers.UpSampling2D(2, name=f"decoder_upsample_{level}")(x)
            x = crop(x, sizes[level - 1], f"decoder_crop_{level}")
            x = convolve(x, count, f"decoder_conv_{level}")
        else:
            x = layers.Conv2DTranspose(
                count,
                3,
                strides=2,
                padding="same",
                activation="relu",
                name=f"decoder_conv_{level}",
            )(x)
            x = crop(x, sizes[level - 1], f"decoder_crop_{level}")
    denoised = layers.Conv2D(channels, 3, padding="same", activation="sigmoid", name="denoised")(x)
    return keras.Model(image, denoised, name="resize_convolution")
