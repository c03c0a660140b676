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
