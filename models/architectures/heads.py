"""The last layer of a network: what its answer means, by name.

A head takes the last maps ``(N, H, W, F)`` and returns the answer ``(N, H, W, outputs)``, always
in float32, whatever precision the layers before it compute in.  ``double`` lets it also double
the maps, by a 2x2 kernel of stride 2 that leaves no checkerboard.
"""

import keras
from keras import layers

HEADS = ("sigmoid", "softmax", "tanh", "linear")


def add_head(
    x: keras.KerasTensor, outputs: int, head: str, name: str, double: bool = False
) -> keras.KerasTensor:
    """Return ``outputs`` maps made of ``x``: each pixel's share, classes, or plain numbers.

    "sigmoid" answers in [0, 1], "softmax" with shares of classes that sum to 1, "tanh" in
    [-1, 1], "linear" with any number.

    Raises:
        ValueError: if the head is unknown.
    """
    if head not in HEADS:
        raise ValueError(f"head must be one of {', '.join(HEADS)}, got {head!r}")
    if double:
        x = layers.Conv2DTranspose(outputs, 2, strides=2, name=f"{name}_up")(x)
    elif head == "softmax":
        x = layers.Conv2D(outputs, 1, name=f"{name}_conv")(x)
    else:
        return layers.Conv2D(outputs, 1, activation=head, dtype="float32", name=name)(x)
    return layers.Activation(head, dtype="float32", name=name)(x)
