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


def build(
    channels: int = 1,
    size: int = 28,
    filters: Sequence[int] = (32, 32),
    code: int | None = None,
) -> keras.Model:
    """Build the network; ``filters`` has one entry a pooling level, from the outside in."""
    image = keras.Input((size, size, channels), name="image")
    x, sizes = image, []
    for level, count in enumerate(filters, start=1):
        sizes.append(x.shape[1])
        x = _convolve(count, f"encoder_conv_{level}")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"encoder_pool_{level}")(x)

    if code is not None:
        maps = x.shape[1:]
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(code, name="code")(x)
        x = layers.Dense(maps[0] * maps[1] * maps[2], activation="relu", name="decoder_dense")(x)
        x = layers.Reshape(maps, name="unflatten")(x)

    for level, count in reversed(list(enumerate(filters, start=1))):
        x = _convolve(count, f"decoder_conv_{level}")(x)
        x = layers.UpSampling2D(2, name=f"decoder_upsample_{level}")(x)
        surplus = x.shape[1] - sizes[level - 1]
        if surplus:
            x = layers.Cropping2D(((0, surplus), (0, surplus)), name=f"decoder_crop_{level}")(x)
    denoised = layers.Conv2D(channels, 3, padding="same", activation="sigmoid", name="denoised")(x)
    return keras.Model(image, denoised, name="convolutional")


def _convolve(filters: int, name: str) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)
