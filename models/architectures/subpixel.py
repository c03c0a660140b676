"""A residual network that enlarges: all its work is done on the small picture.

    image (H, W, C) -> conv, residual blocks --- + --> conv -> sub-pixels (sH, sW, C)
           |                |                    |                 |
           |                '---------- skip ----'                 + --> enlarged (sH, sW, C)
           '---------------- each pixel repeated s x s ------------'

The last layer gives every pixel a square of ``scale`` x ``scale`` finer ones: a transposed
convolution whose kernel is as wide as its stride, which is the sub-pixel convolution written in
one layer, and leaves no checkerboard.  What it learns is what is missing from repeated pixels.
``skips=False`` takes the three kinds of addition away: the plain network to compare with.

Nothing has a bias or a norm: a darker picture is enlarged into a darker one.

Source:
    Shi et al., CVPR 2016, arXiv:1609.05158 and arXiv:1609.07009 (sub-pixel convolution); residual
    blocks without norms are EDSR's (Lim et al., CVPRW 2017, arXiv:1707.02921).  Ours is narrower.
"""

import keras
from keras import layers


def build(
    channels: int = 1, scale: int = 2, filters: int = 48, blocks: int = 8, skips: bool = True
) -> keras.Model:
    """Build the network for pictures of any size."""
    image = keras.Input((None, None, channels), name="image")
    first = x = _convolution(image, filters, "entry")
    for index in range(1, blocks + 1):
        inner = _convolution(x, filters, f"block_{index}_conv_1", "relu")
        inner = _convolution(inner, filters, f"block_{index}_conv_2", None if skips else "relu")
        x = layers.Add(name=f"block_{index}_add")([x, inner]) if skips else inner
    x = _convolution(x, filters, "exit")
    if skips:
        x = layers.Add(name="skip")([x, first])
    finer = layers.Conv2DTranspose(
        channels,
        scale,
        strides=scale,
        use_bias=False,
        # Begin with repeated pixels rather than with noise on them.
        kernel_initializer="zeros" if skips else "glorot_uniform",
        name="sub_pixels",
    )(x)
    if not skips:
        enlarged = layers.Activation("linear", dtype="float32", name="enlarged")(finer)
    else:
        repeated = layers.UpSampling2D(scale, dtype="float32", name="repeated")(image)
        enlarged = layers.Add(dtype="float32", name="enlarged")([repeated, finer])
    return keras.Model(image, enlarged, name="subpixel")


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, activation: str | None = None
) -> keras.KerasTensor:
    return layers.Conv2D(
        filters, 3, padding="same", use_bias=False, activation=activation, name=name
    )(x)
