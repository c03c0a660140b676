"""Losses that Keras does not have."""

from functools import lru_cache

import keras
import numpy as np
from keras import ops

WINDOW, SIGMA = 11, 1.5
# Keep quotients of two small numbers calm; for pictures in [0, 1].
C1, C2 = 0.01**2, 0.03**2
SPREAD = 0.5  # How much the spread of colours counts beside their error.
COMPRESSION, EAR = 0.3, 20.0  # Of magnitudes, and how much they count beside the decibels.
FILTERS, FILTER_SIDE, SCALES = 64, 7, 4
STYLE, ROUGH, CONTENT_POOL = 1.0, 0.2, 4
_LIGHT = np.float32([[0.299], [0.587], [0.114]])
FLOOR = 1e-4  # Squared errors far below it, that is above 40 dB, hardly count.


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
    """Return weighted cross-entropy of each of ``shares (N, H, W, K)`` plus 1 - Dice of them all.

    ``target (N, H, W, 2)`` is the class of each pixel and its weight, 0 for void.  Cross-entropy
    looks at pixels, Dice at each class as a whole, be it ever so small; classes that no
    picture has do not count.

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


@keras.saving.register_keras_serializable(package="denoise_lab")
def colour_loss(target, answer):
    """Return the mean error of a and b and of how far each spreads, one for each picture.

    Whoever only fears errors paints a grey brown, because it is never far off: the second part
    asks for as much colour as there was.
    """
    error = ops.mean(ops.abs(target - answer), axis=(1, 2, 3))
    spreads = [ops.sqrt(ops.var(each, axis=(1, 2)) + 1e-6) for each in (target, answer)]
    return error + SPREAD * ops.mean(ops.abs(spreads[0] - spreads[1]), axis=1)


@keras.saving.register_keras_serializable(package="denoise_lab")
def masked_spectrum_loss(target, mask):
    """Return how far noisy speech, multiplied by ``mask (N, F, T, 1)``, is from clean speech.

    ``target (N, F, T, 3)`` is the noisy magnitude and the part of the clean spectrum in phase with
    it and out of phase.  One half is the signal-to-distortion ratio, the other the magnitudes as
    the ear compresses them.

    Source:
        Phase-sensitive: Erdogan et al., ICASSP 2015, doi:10.1109/ICASSP.2015.7178061; compressed:
        Braun and Tashev, 2020, arXiv:2009.12286.
    """
    noisy, inphase, across = target[..., 0], target[..., 1], target[..., 2]
    masked = mask[..., 0] * noisy
    squared = ops.square(inphase) + ops.square(across)
    missed = ops.sum(ops.square(masked - inphase) + ops.square(across), axis=(1, 2))
    ratio = ops.log((missed + 1e-2) / (ops.sum(squared, axis=(1, 2)) + 1e-2) + 1e-3)
    loud, wanted = (ops.power(each + 1e-2, COMPRESSION) for each in (masked, ops.sqrt(squared)))
    return ratio + EAR * ops.mean(ops.square(loud - wanted), axis=(1, 2))


@keras.saving.register_keras_serializable(package="denoise_lab")
def paint_loss(target, painted):
    """Return the distance in style to a painting and in content to a photo, one for each picture.

    ``target (N, H, W, 6)`` is the photo and a piece of a painting.  Style is which of many random
    filters answer together, at four sizes; content is the lightness, a little blurred, so that
    strokes are free.

    Source:
        Gatys et al., 2015, arXiv:1505.07376 (Gram matrices); that random filters will do:
        Ustyuzhaninov et al., 2016, arXiv:1606.00021.
    """
    photo, painting = target[..., :3], target[..., 3:]
    style = 0.0
    for a, each in zip(_grams(painted), _grams(painting), strict=True):
        # The mean of the batch: what one piece of one painting happens to show is not the style.
        b = ops.mean(each, axis=0, keepdims=True)
        style = style + ops.mean(ops.abs(a - b), axis=(1, 2)) / (ops.mean(ops.abs(b)) + 1e-6)
    light = [ops.matmul(each, _LIGHT) for each in (photo, painted)]
    light = [ops.average_pool(each, CONTENT_POOL, CONTENT_POOL) for each in light]
    # Contrast may be the painting's: only the pattern of light and dark counts.
    light = [_standardised(each) for each in light]
    content = ops.mean(ops.square(light[0] - light[1]), axis=(1, 2, 3))
    # Alike in all directions: the sum of both would let strokes lie along rows and columns.
    down = painted[:, 1:, :-1] - painted[:, :-1, :-1]
    across = painted[:, :-1, 1:] - painted[:, :-1, :-1]
    steps = ops.sum(ops.square(down) + ops.square(across), axis=3)
    rough = ops.mean(ops.sqrt(steps + 1e-6), axis=(1, 2))
    return STYLE * style + content + ROUGH * rough


def _standardised(maps):
    mean = ops.mean(maps, axis=(1, 2), keepdims=True)
    return (maps - mean) / ops.sqrt(ops.var(maps, axis=(1, 2), keepdims=True) + 1e-3)


def _grams(pictures):
    """Yield the Gram matrices ``(N, F, F)`` of random filters on the picture at each size."""
    for scale in range(SCALES):
        if scale:
            pictures = ops.average_pool(pictures, 2, 2)
        # In half precision where the network is: these take longer than it.
        half = keras.config.dtype_policy().compute_dtype
        given, filters = (ops.cast(each, half) for each in (pictures - 0.45, _filters()))
        maps = ops.cast(ops.relu(ops.conv(given, filters, padding="valid")), pictures.dtype)
        # The colours themselves belong to the style too.
        inner = FILTER_SIDE // 2
        maps = ops.concatenate([maps, pictures[:, inner:-inner, inner:-inner]], axis=-1)
        height, width, count = maps.shape[1:]
        flat = ops.reshape(maps, (-1, height * width, count))
        yield ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (height * width)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """Random filters: three quarters sum to zero and see edges, the others see colours."""
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((FILTER_SIDE, FILTER_SIDE, 3, FILTERS))
    place = np.arange(FILTER_SIDE) - FILTER_SIDE // 2
    window = np.exp(-(place**2) / (2 * 1.5**2))
    filters *= (window[:, None] * window)[..., None, None]
    filters[..., : FILTERS * 3 // 4] -= filters[..., : FILTERS * 3 // 4].mean(axis=(0, 1))
    return (filters / np.sqrt((filters**2).sum(axis=(0, 1, 2)))).astype(np.float32)


# Those that Keras knows by name are not here.
LOSSES = {
    "psnr": psnr_loss,
    "ssim": ssim_loss,
    "pixel_classes": pixel_classes_loss,
    "mask": mask_loss,
    "colour": colour_loss,
    "masked_spectrum": masked_spectrum_loss,
    "paint": paint_loss,
}
# How many numbers a pixel of their targets has, where that is not as many as the network answers.
TARGET_CHANNELS = {"masked_spectrum": 3, "paint": 6}
