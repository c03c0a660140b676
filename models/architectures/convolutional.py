"""A convolutional autoencoder: convolve and pool, then convolve and upsample.

    image (S, S, C) -> [conv f1, pool] -> [conv f2, pool] -> ... -> code
          -> ... -> [conv f2, upsample] -> [conv f1, upsample] -> conv C -> denoised (S, S, C)

Pooling rounds odd sizes up (28 -> 14 -> 7 -> 4); the way back crops what that added
(4 -> 8 -> 7 -> 14 -> 28).  With ``code`` the smallest maps are flattened into that many
numbers by a dense layer, and unfolded by another.

Source:
    The convolutional autoencoder of the Keras blog, "Building Autoencoders in Keras"
    (2016); Masci et al., ICANN 2011, doi:10.1007/978-3-642-21735-7_7.  We keep "same"
    padding everywhere and crop instead of using one "valid" convolution in the decoder.
"""

from collections.abc import Sequence

import keras
from keras import layers

from models.architectures.encoder import convolve, crop, encode


def build(
    channels: int = 1,
    size: int = 28,
    filters: Sequence[int] = (32, 32),
    code: int | None = None,
) -> keras.Model:
    """Build the network; ``filters`` has one entry a pooling level, from the outside in."""
    image = keras.Input((size, size, channels), name="image")
    x, sizes = encode(image, filters)
    if code is not None:
        maps = x.shape[1:]
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(code, name="code")(x)
        x = layers.Dense(maps[0] * maps[1] * maps[2], activation="relu", name="decoder_dense")(x)
        x = layers.Reshape(maps, name="unflatten")(x)

    for level, count in reversed(list(enumerate(filters, start=1))):
        x = convolve(x, count, f"decoder_conv_{level}")
        x = layers.UpSampling2D(2, name=f"decoder_upsample_{level}")(x)
        x = crop(x, sizes[level - 1], f"decoder_crop_{level}")
    denoised = layers.Conv2D(channels, 3, padding="same", activation="sigmoid", name="denoised")(x)
    return keras.Model(image, denoised, name="convolutional")
