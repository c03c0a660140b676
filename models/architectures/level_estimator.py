"""A small network that says how strong the noise of a photo is, and where.

    noisy (H, W, C) -> 2x2 down -> f1 -> 3x3 down -> f2 -> 3x3 down -> f3 -> 3x3 down -> f4
      -> level (H / 16, W / 16, 1)

Each step down is followed by one 3x3 convolution.  ``level`` is the root mean square of the noise
around that place, in the units of the picture, less at most ``FLOOR`` below 0 where there is none.
The last layer answers with a logarithm: to be wrong by a tenth is as bad at every level.

``H`` and ``W`` must be multiples of 16.

Source:
    A network that estimates a map of the noise for another is CBDNet's (Guo et al., CVPR 2019,
    doi:10.1109/CVPR.2019.00181).  There it works at full size; ours has a sixteenth of the side,
    so that it costs little.
"""

from collections.abc import Sequence

import keras
from keras import layers

FLOOR = 0.5 / 255  # Levels far below it are all alike.
SMALLER = 16  # The sides of the picture over those of the map.


def build(channels: int = 3, filters: Sequence[int] = (16, 32, 64, 64)) -> keras.Model:
    """Build the network; ``filters`` has one number for each of the four steps down."""
    if len(filters) != 4:
        raise ValueError(f"filters needs a number for each of 4 steps down, got {filters}")
    noisy = keras.Input((None, None, channels), name="image")
    x = noisy
    for depth, count in enumerate(filters, start=1):
        side = 2 if depth == 1 else 3
        x = layers.Conv2D(
            count, side, strides=2, padding="same", activation="relu", name=f"down_{depth}"
        )(x)
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"look_{depth}")(x)
    logarithm = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-3), name="log")(x)
    above_floor = layers.Activation("exponential", name="above_floor")(logarithm)
    level = layers.Rescaling(1.0, offset=-FLOOR, name="level")(above_floor)
    return keras.Model(noisy, level, name="level_estimator")
