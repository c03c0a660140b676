"""Small photos, and what noise makes of them by the time they are stored."""

import numpy as np
from skimage import data

from imaging.noise import PHOTO_NOISE_KINDS

PHOTOS = {
    "astronaut": data.astronaut()[20:132, 160:288],
    "chelsea": data.chelsea()[60:172, 120:248],
    "coffee": data.coffee()[120:232, 200:328],
}
# Weak, usual and strong noise of each kind that a filter is a specialist for.
STRENGTHS = {
    "salt-and-pepper": (0.01, 0.1, 0.5),
    "poisson": (0.06, 0.2, 0.5),
    "speckle": (0.06, 0.25, 0.6),
    "jpeg": (60, 80, 90),
}


def clean_photo(name="astronaut"):
    return PHOTOS[name].astype(np.float32) / 255


def corrupt(clean, kind, strength, seed=3):
    """Spoil a picture, clip it and store it in 8 bits."""
    noisy = PHOTO_NOISE_KINDS[kind].corrupt(clean, strength, np.random.default_rng(seed))
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.float32) / 255
