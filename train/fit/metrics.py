"""Metrics that stream while a network trains, beside those that Keras knows by name."""

import keras


@keras.saving.register_keras_serializable(package="denoise_lab")
def psnr(clean, denoised):
    """Peak signal-to-noise ratio of each picture in dB, for values in [0, 1]."""
    error = keras.ops.mean(keras.ops.square(clean - denoised), axis=(1, 2, 3))
    return -10.0 * keras.ops.log10(keras.ops.maximum(error, 1e-10))


@keras.saving.register_keras_serializable(package="denoise_lab")
def mask_dice(target, share):
    """Dice coefficient of each mask ``(N, H, W, 1)``, full where the share is above 0.5."""
    answer = keras.ops.cast(share > 0.5, share.dtype)
    both = keras.ops.sum(target * answer, axis=(1, 2, 3))
    total = keras.ops.sum(target, axis=(1, 2, 3)) + keras.ops.sum(answer, axis=(1, 2, 3))
    return (2 * both + 1) / (total + 1)


@keras.saving.register_keras_serializable(package="denoise_lab")
def mean_iou(target, shares):
    """Mean IoU of the classes that occur in a batch, averaged over batches while it trains.

    ``target (N, H, W, 2)`` is class and weight of each pixel, weight 0 for void, which does not
    count; ``shares`` is ``(N, H, W, K)``.
    """
    ops, classes = keras.ops, shares.shape[-1]
    known = ops.cast(target[..., 1] > 0, "float32")[..., None]
    wanted, given = (
        ops.one_hot(ops.cast(each, "int32"), classes, dtype="float32") * known
        for each in (target[..., 0], ops.argmax(shares, axis=-1))
    )
    both = ops.sum(wanted * given, axis=(0, 1, 2))
    union = ops.sum(wanted + given, axis=(0, 1, 2)) - both
    there = ops.cast(union > 0, "float32")
    return ops.sum(there * both / ops.maximum(union, 1)) / ops.maximum(ops.sum(there), 1)


METRICS = {"psnr": psnr, "mask_dice": mask_dice, "mean_iou": mean_iou}
