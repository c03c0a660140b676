"""How much memory a training will take, known before anything is loaded.

What a layer answers is kept until its gradient is known, so memory grows with the batch.  The
numbers that all layers answer for one picture are counted here; the factors were measured.
"""

from itertools import accumulate, repeat

from train.config import TrainConfig, with_usual

SIDE = 28
VALIDATION_BATCH = 500  # as the loop has it
# From the peaks of real trainings, TensorFlow 2.21, which tests/train/test_memory.py names.  While
# it validates, only few maps are there at a time.
KEPT = {"dense": 2.0, "convolutional": 2.0, "resize-convolution": 2.0, "unet": 1.5}
PASSING = 0.5


def needed_megabytes(config: TrainConfig, to_start: float) -> float:
    """Return what a training needs, in 10^6 bytes; ``to_start`` is what the smallest needs."""
    settings = with_usual(config.architecture, config.settings)
    values = _COUNTS[config.architecture](**settings)
    pictures = max(KEPT[config.architecture] * config.batch, PASSING * VALIDATION_BATCH)
    return to_start + 4 * values * pictures / 1e6


def sides(levels: int) -> list[int]:
    """Return the sides of the maps at each level and below the last: 28, 14, 7, 4."""
    return list(accumulate(repeat(2, levels), lambda side, _: -(-side // 2), initial=SIDE))


def _dense(hidden: int) -> int:
    return 2 * SIDE**2 + hidden


def _convolutional(filters: list[int], code: int | None) -> int:
    side = sides(len(filters))
    inward = sum(f * (side[i] ** 2 + side[i + 1] ** 2) for i, f in enumerate(filters))
    return 2 * inward + SIDE**2 + (code or 0)


def _resize_convolution(filters: list[int], upsampling: str) -> int:
    side = sides(len(filters))
    inward = sum(f * (side[i] ** 2 + side[i + 1] ** 2) for i, f in enumerate(filters))
    # What is repeated comes from the level below, with its number of features.
    below = [*filters[1:], filters[-1]]
    repeated = sum(f * side[i] ** 2 for i, f in enumerate(below)) if upsampling == "resize" else 0
    return inward + repeated + sum(f * side[i] ** 2 for i, f in enumerate(filters)) + SIDE**2


def _unet(filters: list[int], dropout: float, skips: bool) -> int:
    *outer, bottom = filters
    side = sides(len(outer))
    double = 6  # convolution, normalisation and ReLU, twice
    total = double * bottom * side[-1] ** 2
    for level, count in enumerate(outer):
        joined = 2 if skips else 0
        total += count * side[level] ** 2 * (2 * double + 1 + joined)
        total += 2 * count * side[level + 1] ** 2  # pooled, and with dropout
    return total + SIDE**2


_COUNTS = {
    "dense": _dense,
    "convolutional": _convolutional,
    "resize-convolution": _resize_convolution,
    "unet": _unet,
}
