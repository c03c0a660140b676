"""Metrics that stream while a network trains, beside those that Keras knows by name."""

import keras


@keras.saving.register_keras_serializable(package="denoise_lab")
def psnr(clean, denoised):
    """Peak signal-to-noise ratio of each picture in dB, for values in [0, 1]."""
    error = keras.ops.mean(keras.ops.square(clean - denoised), axis=(1, 2, 3))
    return -10.0 * keras.ops.log10(keras.ops.maximum(error, 1e-10))


METRICS = {"psnr": psnr}
