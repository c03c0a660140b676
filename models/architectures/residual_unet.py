"""A residual U-Net for photos of any size and any level of noise.

    noisy (H, W, C), level (H, W, 1)
      -> 2x2 down, blocks f1 ---------------- + --> blocks f1, 2x2 up -> noise (H, W, C)
           -> 2x2 down, blocks f2 ---- + --> blocks f2, 2x2 up
                -> 2x2 down, blocks f3, 2x2 up
    denoised (H, W, C) = noisy - noise

All work is done at half size and below: the first layer is a learned 2x2 convolution of
stride 2, the last its transpose, whose kernels do not overlap and so leave no checkerboard.
A block is twice a 3x3 convolution, ReLU between, added to what came in; skips are added, not
concatenated.  Nothing has a bias or a norm: scale picture and level together and the answer
scales with them, so that the network keeps its head at levels it was never trained on.

``H`` and ``W`` must be multiples of ``2 ** len(filters)``.  ``level`` is the standard
deviation of the noise at each pixel, in the units of the picture.

Source:
    The U-Net with residual blocks and the level as a map are DRUNet's (Zhang et al., TPAMI
    2021, doi:10.1109/TPAMI.2021.3088914), the map and the half size FFDNet's (Zhang et al.,
    IEEE TIP 2018, doi:10.1109/TIP.2018.2839891), the missing biases of Mohan et al., ICLR
    2020.  We use fewer filters and blocks, and subtract the answer from the picture.
"""

from collections.abc import Sequence

import keras
from keras import layers


def build(
    channels: int = 3,
    filters: Sequence[int] = (32, 64, 128, 256),
    blocks: int | Sequence[int] = 2,
) -> keras.Model:
    """Build the network; ``filters`` runs from half size to the bottom.

    ``blocks`` are the residual blocks a level has on its way down, and again on its way up.
    """
    per_level = [blocks] * len(filters) if isinstance(blocks, int) else list(blocks)
    if len(per_level) != len(filters):
        raise ValueError(f"blocks needs a number for each of {len(filters)} levels, got {blocks}")
    noisy = keras.Input((None, None, channels), name="image")
    level = keras.Input((None, None, 1), name="level")
    x = layers.Concatenate(name="with_level")([noisy, level])
    kept = []
    *outer, (bottom, bottom_blocks) = zip(filters, per_level, strict=True)
    for depth, (count, repeats) in enumerate(outer, start=1):
        x = _halve(x, count, f"encoder_{depth}_down")
        x = _residual_blocks(x, count, repeats, f"encoder_{depth}")
        kept.append(x)
    x = _halve(x, bottom, "bottom_down")
    x = _residual_blocks(x, bottom, bottom_blocks, "bottom")
    for depth, (count, repeats) in reversed(list(enumerate(outer, start=1))):
        x = _double(x, count, f"decoder_{depth}_up")
        x = layers.Add(name=f"skip_{depth}")([x, kept[depth - 1]])
        x = _residual_blocks(x, count, repeats, f"decoder_{depth}")
    noise = _double(x, channels, "noise")
    denoised = layers.Subtract(dtype="float32", name="denoised")([noisy, noise])
    return keras.Model([noisy, level], denoised, name="residual_unet")


def _halve(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    return layers.Conv2D(filters, 2, strides=2, use_bias=False, name=name)(x)


def _double(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    return layers.Conv2DTranspose(filters, 2, strides=2, use_bias=False, name=name)(x)


def _residual_blocks(
    x: keras.KerasTensor, filters: int, blocks: int, name: str
) -> keras.KerasTensor:
    for index in range(1, blocks + 1):
        prefix = f"{name}_block_{index}"
        inner = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, activation="relu", name=f"{prefix}_conv_1"
        )(x)
        inner = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{prefix}_conv_2")(
            inner
        )
        x = layers.Add(name=f"{prefix}_add")([x, inner])
    return x
