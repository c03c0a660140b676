"""A U-Net: an encoder-decoder whose levels are joined by skip connections.

    image (S, S, C) -> double conv f1 ------------ skip 1 ------------> concat -> double conv f1
                         pool, dropout                                    up          |
                         double conv f2 --- skip 2 --> concat -> double conv f2      head
                            pool, dropout                up                           |
                            double conv f3 ---------------'               denoised (S, S, outputs)

A double convolution is twice (3x3 convolution, batch normalisation, ReLU).  Upwards a 2x2
transposed convolution of stride 2 doubles the maps: its kernels do not overlap, so it
leaves no checkerboard.  Odd sizes are pooled to the next larger size and cropped again on
the way back (28 -> 14 -> 7 -> 4).

With ``half`` all of this happens at half size: a learned 2x2 convolution of stride 2 comes first,
its transpose last, for a quarter of the work.

Source:
    Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.  We use "same"
    padding, batch normalisation, fewer filters, and a sigmoid for pictures in [0, 1].
"""

from collections.abc import Sequence

import keras
from keras import layers

from models.architectures.heads import add_head


def build(
    channels: int = 1,
    size: int | None = 28,
    filters: Sequence[int] = (16, 32, 64, 128),
    dropout: float = 0.1,
    skips: bool = True,
    outputs: int | None = None,
    head: str = "sigmoid",
    half: bool = False,
    hints: int = 0,
) -> keras.Model:
    """Build the network; ``filters`` runs from the finest level to the bottom.

    ``skips=False`` leaves the connections out: the plain encoder-decoder to compare with.
    ``size=None`` takes pictures whose sides are multiples of the bottom's.  ``outputs`` is how many
    maps the answer has, as many as ``channels`` where it is left out; ``head`` says what they mean.
    ``hints`` are the channels of a second input of the same sides, where there is one.
    """
    image = keras.Input((size, size, channels), name="image")
    hint = keras.Input((size, size, hints), name="hints") if hints else None
    *outer, bottom = filters
    x, kept = layers.Concatenate(name="with_hints")([image, hint]) if hints else image, []
    if half:
        x = layers.Conv2D(outer[0], 2, strides=2, padding="same", name="entry")(x)
    for level, count in enumerate(outer, start=1):
        x = _double_convolution(x, count, f"encoder_{level}")
        kept.append(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"encoder_{level}_pool")(x)
        x = layers.Dropout(dropout, name=f"encoder_{level}_dropout")(x)

    x = _double_convolution(x, bottom, "bottom")

    for level, count in reversed(list(enumerate(outer, start=1))):
        skip = kept[level - 1]
        x = layers.Conv2DTranspose(count, 2, strides=2, name=f"decoder_{level}_up")(x)
        surplus = x.shape[1] - skip.shape[1] if size else 0
        if surplus:
            x = layers.Cropping2D(((0, surplus), (0, surplus)), name=f"decoder_{level}_crop")(x)
        if skips:
            x = layers.Concatenate(name=f"skip_{level}")([x, skip])
        x = _double_convolution(x, count, f"decoder_{level}")
    denoised = add_head(x, outputs or channels, head, "denoised", double=half)
    return keras.Model([image, hint] if hints else image, denoised, name="unet")


def _double_convolution(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    for step in (1, 2):
        # Batch normalisation brings its own offset, so the convolution needs no bias.
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv_{step}")(x)
        x = layers.BatchNormalization(name=f"{name}_norm_{step}")(x)
        x = layers.ReLU(name=f"{name}_relu_{step}")(x)
    return x
