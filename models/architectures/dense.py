"""A dense autoencoder: one hidden layer that is narrower than the picture.

    image (28, 28, C) -> flatten 784 C -> code (hidden) -> 784 C -> image (28, 28, C)

Source:
    Hinton and Salakhutdinov, Science 2006, doi:10.1126/science.1127647, reduced to a
    single hidden layer as in the Keras blog, "Building Autoencoders in Keras" (2016).
"""

import keras
from keras import layers


def build(channels: int = 1, size: int = 28, hidden: int = 64) -> keras.Model:
    """Build the network for ``(size, size, channels)`` pictures with ``hidden`` code units."""
    values = size * size * channels
    image = keras.Input((size, size, channels), name="image")
    x = layers.Flatten(name="flatten")(image)
    code = layers.Dense(hidden, activation="relu", name="code")(x)
    x = layers.Dense(values, activation="sigmoid", name="decoder_dense")(code)
    denoised = layers.Reshape((size, size, channels), name="denoised")(x)
    return keras.Model(image, denoised, name="dense")
