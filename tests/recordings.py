"""Recordings that are made up, and what is not one, with the sentence that refuses it."""

import numpy as np

from imaging.audio import wav

NO_RECORDINGS = {
    "text": (b"This is not a sound. " * 50, "is not a recording, or it is damaged"),
    "nothing": (b"", "This recording is empty."),
    "silence": (wav(np.zeros(16_000, np.float32), 16_000), "This recording is silent."),
}


def beeps(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Half a second of a clear tone in each second."""
    place = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * 440 * place) * (place % 1 < 0.5)).astype(np.float32)
