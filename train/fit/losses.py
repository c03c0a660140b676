"""Losses that Keras does not have."""

import keras
import numpy as np
from keras import ops

WINDOW, SIGMA = 11, 1.5
# Keep quotients of two small numbers calm; for pictures in [0, 1].
C1, C2 = 0.01**2, 0.03**2
FLOOR = 1e-4  # Squared errors far below it, that is above 40 dB, hardly count any more.


@keras.saving.register_keras_serializable(package="denoise_lab")
def psnr_loss(clean, denoised):
    """Return ``log(1 + MSE / FLOOR)`` of each picture ``(N, H, W, C)`` in [0, 1].

    A decibel counts the same whether a picture had little noise or much, while the mean of errors
    looks almost only at those that had much.

    Source:
        Chen et al., Simple Baselines for Image Restoration, ECCV 2022, arXiv:2204.04676, train
        with the negative PSNR; the floor keeps loss and gradient calm where nearly all is right.
    """
    error = ops.mean(ops.square(clean - denoised), axis=(1, 2, 3))
    return ops.log1p(error / FLOOR)


@keras.saving.register_keras_serializable(package="denoise_lab")
def ssim_loss(clean, denoised):
    """Return 1 - SSIM of each picture ``(N, H, W, C)`` in [0, 1], its channels averaged.

    Only windows that lie inside the picture count, so its sides must have 11 pixels or more.

    Source:
        Wang et al., IEEE TIP 2004, doi:10.1109/TIP.2003.819861: a Gaussian window of standard
        deviation 1.5.
    """
    height, width = clean.shape[1:3]
    # One channel after the other, as if each were a picture.
    x, y = (
        ops.reshape(ops.transpose(each, (0, 3, 1, 2)), (-1, height, width, 1))
        for each in (clean, denoised)
    )
    means = _blur(ops.concatenate([x, y, x * x, y * y, x * y], axis=3))
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (means[..., i : i + 1] for i in range(5))
    variance_x, variance_y = mean_xx - mean_x * mean_x, mean_yy - mean_y * mean_y
    covariance = mean_xy - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    likeness = likeness / (mean_x * mean_x + mean_y * mean_y + C1)
    likeness = likeness / (variance_x + variance_y + C2)
    each = ops.reshape(ops.mean(likeness, axis=(1, 2, 3)), (-1, clean.shape[3]))
    return 1 - ops.mean(each, axis=1)


def _blur(maps):
    """Blur each of the five maps on its own, along one side and then along the other."""
    place = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(place**2) / (2 * SIGMA**2))
    window = np.tile((window / window.sum()).astype(np.float32)[:, None, None, None], (1, 1, 5, 1))
    for kernel in (window, window.transpose(1, 0, 2, 3)):
        maps = ops.depthwise_conv(maps, ops.cast(kernel, maps.dtype), padding="valid")
    return maps


@keras.saving.register_keras_serializable(package="denoise_lab")
def pixel_classes_loss(target, shares):
    """Return weighted cross-entropy plus 1 - Dice of ``shares (N, H, W, K)``, one for each picture.

    ``target (N, H, W, 2)`` is the class of each pixel and its weight, 0 for void.  Cross-entropy
    looks at pixels, Dice at each class as a whole, be it ever so small; classes that a picture
    does not have do not count there.

    Source:
        Ronneberger et al., MICCAI 2015 (weights); Milletari et al., V-Net, 3DV 2016,
        doi:10.1109/3DV.2016.79 (Dice).
    """
    weight = target[..., 1]
    wanted = ops.one_hot(ops.cast(target[..., 0], "int32"), shares.shape[-1], dtype=shares.dtype)
    likely = ops.sum(wanted * shares, axis=-1)
    entropy = -ops.log(ops.maximum(likely, 1e-6))
    entropy = ops.sum(entropy * weight, axis=(1, 2)) / (ops.sum(weight, axis=(1, 2)) + 1e-6)
    known = ops.cast(weight > 0, shares.dtype)[..., None]
    # Over the batch: a class with a handful of pixels in one picture would only jump.
    both = ops.sum(wanted * shares * known, axis=(0, 1, 2))
    total = ops.sum((wanted + shares) * known, axis=(0, 1, 2))
    there = ops.cast(ops.sum(wanted * known, axis=(0, 1, 2)) > 0, shares.dtype)
    dice = ops.sum(there * 2 * both / (total + 1)) / (ops.sum(there) + 1e-6)
    return entropy + 1 - dice


@keras.saving.register_keras_serializable(package="denoise_lab")
def mask_loss(target, share):
    """Return cross-entropy plus 1 - Dice of a mask's ``share (N, H, W, 1)``, one for each picture.

    Source:
        Milletari et al., V-Net, 3DV 2016, doi:10.1109/3DV.2016.79.
    """
    entropy = ops.mean(ops.binary_crossentropy(target, share), axis=(1, 2, 3))
    both = ops.sum(target * share, axis=(1, 2, 3))
    total = ops.sum(target, axis=(1, 2, 3)) + ops.sum(share, axis=(1, 2, 3))
    return entropy + 1 - (2 * both + 1) / (total + 1)
