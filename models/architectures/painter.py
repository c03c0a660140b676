"""A network that repaints a picture in one style, in one pass.

    image (H, W, 3) -> conv 9x9, two strided convs -> residual blocks at quarter size
                    -> two times (repeat pixels, smooth, conv) -> conv 9x9 -> painted (H, W, 3)

Without the smoothing strokes lie along the edges of the repeated pixels.  Instance normalisation
takes each picture's own contrast out before the style's is put in.  ``H`` and ``W`` must be
multiples of 4.  ``skips=False`` leaves the additions of the blocks out.

Source:
    Johnson et al., ECCV 2016, arXiv:1603.08155, with the instance normalisation of Ulyanov et al.,
    arXiv:1607.08022, and repeated pixels instead of transposed convolutions (Odena et al., 2016,
    doi:10.23915/distill.00003).  Ours has about a quarter of the parameters.
"""

import keras
from keras import layers


def build(channels: int = 3, filters: int = 16, blocks: int = 3, skips: bool = True) -> keras.Model:
    """Build the network; the blocks have four times as many filters."""
    image = keras.Input((None, None, channels), name="image")
    x = _normed(image, filters, 9, "entry")
    x = _normed(x, 2 * filters, 3, "down_1", strides=2)
    x = _normed(x, 4 * filters, 3, "down_2", strides=2)
    for index in range(1, blocks + 1):
        inner = _normed(x, 4 * filters, 3, f"block_{index}_1")
        inner = _normed(inner, 4 * filters, 3, f"block_{index}_2", activation=not skips)
        x = layers.Add(name=f"block_{index}_add")([x, inner]) if skips else inner
    for index, count in ((1, 2 * filters), (2, filters)):
        x = layers.UpSampling2D(2, name=f"up_{index}_repeat")(x)
        x = layers.AveragePooling2D(3, strides=1, padding="same", name=f"up_{index}_smooth")(x)
        x = _normed(x, count, 3, f"up_{index}")
    painted = layers.Conv2D(
        channels, 9, padding="same", activation="sigmoid", dtype="float32", name="painted"
    )(x)
    return keras.Model(image, painted, name="painter")


def _normed(
    x: keras.KerasTensor,
    filters: int,
    side: int,
    name: str,
    strides: int = 1,
    activation: bool = True,
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, side, strides=strides, padding="same", name=f"{name}_conv")(x)
    # One group for each map: instance normalisation.
    x = layers.GroupNormalization(groups=-1, epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x
