"""A small convolutional classifier: which digit is in the picture?

    image (28, 28, 1) -> [conv f, conv f, pool] -> [conv 2f, conv 2f, pool]
          -> dense -> digit probabilities (10)

Source:
    The shape of LeCun et al., Proc. IEEE 1998, doi:10.1109/5.726791, with today's batch
    normalisation, ReLU, and dropout.
"""

import keras
from keras import layers


def build(
    channels: int = 1, size: int = 28, filters: int = 16, units: int = 128, classes: int = 10
) -> keras.Model:
    """Build the classifier for ``(size, size, channels)`` pictures."""
    image = keras.Input((size, size, channels), name="image")
    x = image
    for level, count in enumerate((filters, 2 * filters), start=1):
        for step in (1, 2):
            name = f"level_{level}_conv_{step}"
            x = layers.Conv2D(count, 3, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(name=f"level_{level}_norm_{step}")(x)
            x = layers.ReLU(name=f"level_{level}_relu_{step}")(x)
        x = layers.MaxPooling2D(2, name=f"level_{level}_pool")(x)
        x = layers.Dropout(0.25, name=f"level_{level}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dense_dropout")(x)
    digit = layers.Dense(classes, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digit_reader")
