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
class MeanIou(keras.metrics.Metric):
    """Mean IoU of the classes that occur, over all pixels of an epoch; void does not count.

    The target is ``(N, H, W, 2)``: class and weight of each pixel, weight 0 for void.
    """

    def __init__(self, classes: int = 32, name: str = "mean_iou", **settings) -> None:
        super().__init__(name=name, **settings)
        self.classes = classes
        self.counts = self.add_weight(shape=(3, classes), initializer="zeros", name="counts")

    def update_state(self, target, shares, sample_weight=None) -> None:
        """Count pixels of each class: in both, in the truth, in the answer."""
        known = keras.ops.cast(target[..., 1] > 0, "float32")
        wanted, given = (
            keras.ops.one_hot(keras.ops.cast(each, "int32"), self.classes, dtype="float32")
            * known[..., None]
            for each in (target[..., 0], keras.ops.argmax(shares, axis=-1))
        )
        parts = (wanted * given, wanted, given)
        sums = [keras.ops.sum(part, axis=(0, 1, 2)) for part in parts]
        self.counts.assign(self.counts + keras.ops.stack(sums))

    def result(self):
        """Return the mean IoU so far."""
        both, wanted, given = (self.counts[i] for i in range(3))
        union = wanted + given - both
        there = keras.ops.cast(union > 0, "float32")
        each = keras.ops.where(union > 0, both / keras.ops.maximum(union, 1), 0.0)
        return keras.ops.sum(each) / keras.ops.maximum(keras.ops.sum(there), 1)

    def get_config(self) -> dict:
        """Return what the metric is made with."""
        return {**super().get_config(), "classes": self.classes}


METRICS = {"psnr": psnr, "mask_dice": mask_dice, "mean_iou": MeanIou}
