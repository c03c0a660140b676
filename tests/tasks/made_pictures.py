"""Pictures that tasks are tried on."""

import numpy as np

KINDS = (np.uint8, np.uint16, np.float32)


def random_picture(shape: tuple[int, ...], kind: type, rng: np.random.Generator) -> np.ndarray:
    """Return random pixels of 8 or 16 bits, or ``float32`` in [0, 1]."""
    picture = rng.random(shape, np.float32)
    return picture if kind is np.float32 else (picture * np.iinfo(kind).max).astype(kind)
