"""What a worker does while it waits for a run, so that the first batch comes soon after."""

import keras
import numpy as np

from models.architectures import build
from train.fit import loop


def rehearse() -> None:
    """Train a small network for two batches, and forget it: Keras loads much at its first use."""
    model = build("dense", hidden=1)
    model.compile("adam", "binary_crossentropy", jit_compile=loop.use_xla())
    pictures = np.zeros((2, 28, 28, 1), np.float32)
    model.fit(pictures, pictures, batch_size=1, verbose=0)
    model.evaluate(pictures, pictures, verbose=0)
    # Or the layers of the network to come would get other names.
    keras.utils.clear_session()
