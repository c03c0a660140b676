"""Trains the estimator of the noise level alone, on a CPU, in minutes.

It goes on from the weights that a training on an accelerator left, on crops of the same kinds, with
more of what it misread there: pictures without noise, and text, lines and screens with and
without it.
"""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import ops

from imaging.camera import draw_film
from models.architectures import build
from models.architectures.level_estimator import FLOOR, SMALLER
from train import photo_pool
from train.export.compact import read_biases, read_kernels, set_kernels

CROP, BATCH = 96, 24
# Shares of a batch: white noise, no noise; the rest is from the pool, of which so much is of film:
# grain that is alike in all colours is learned last.
WHITE, NOTHING, FILM = 0.15, 0.25, 0.35
# To read too little leaves noise in, which is seen; too much smooths a little.
TOO_LOW, TOO_HIGH = 1.2, 0.8
POOL_CROPS = 8000


@keras.saving.register_keras_serializable(package="denoise_lab")
def level_loss(true, read):
    """Return the mean absolute error of the logarithm of maps ``(N, h, w, 1)`` and of their mean.

    Source:
        The asymmetry is CBDNet's (Guo et al., CVPR 2019, doi:10.1109/CVPR.2019.00181).
    """
    off = _uneven(ops.log((ops.maximum(read, -0.9 * FLOOR) + FLOOR) / (true + FLOOR)))
    means = [ops.sqrt(ops.mean(ops.square(each + FLOOR), axis=(1, 2, 3))) for each in (read, true)]
    return ops.mean(off, axis=(1, 2, 3)) + _uneven(ops.log(means[0] / means[1]))


def _uneven(off):
    return ops.where(off < 0, -TOO_LOW * off, TOO_HIGH * off)


def true_levels(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Return the root mean square of the noise ``(N, H, W, 3)`` around each place, one in 16x16."""
    count, height, width, _ = clean.shape
    squares = np.square(noisy - clean).mean(axis=3)
    cells = squares.reshape(count, height // SMALLER, SMALLER, width // SMALLER, SMALLER)
    cells = np.pad(cells.mean(axis=(2, 4)), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = cells[:, :-2] + cells[:, 1:-1] + cells[:, 2:]
    return np.sqrt((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9)[..., np.newaxis]


def open_estimator(path: Path) -> keras.Model:
    """Return the estimator whose weights are in an ONNX file that was shipped.

    Raises:
        ValueError: if it is another network's.
    """
    model = build("level-estimator")
    set_kernels(model, read_kernels(path))
    for name, bias in read_biases(path).items():
        layer = model.get_layer(name)
        layer.set_weights([layer.get_weights()[0], bias])
    return model


def train_level(
    model: keras.Model,
    seconds: float,
    seed: int = 0,
    learning_rate: float = 5e-4,
    say: Callable[[str], None] = print,
    pool_crops: int = POOL_CROPS,
) -> None:
    """Train the estimator, what ``open_estimator`` or ``build`` returned, for this many seconds.

    Raises:
        OSError: if the photos cannot be had.
    """
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    pictures, chances, _ = photo_pool.load_pictures(CROP)
    drawn = _drawn_or_screens(len(pictures))
    start = time.monotonic()
    pool = []
    for _ in range(pool_crops):
        picture = pictures[rng.choice(len(pictures), p=chances)]
        if rng.random() < FILM:
            pool.append(photo_pool.taken_crop(picture, draw_film(rng), CROP, rng))
            continue
        made = photo_pool.degraded_crop(picture, CROP, rng)
        if photo_pool.KINDS[made[1]] != "salt-and-pepper":  # Filled in before a level is read.
            pool.append(made[0])
    planes = np.stack(pool)
    say(f"{len(planes)} crops in {time.monotonic() - start:.0f} s")
    model.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0), level_loss)
    start, losses, step = time.monotonic(), [], 0
    while (done := (time.monotonic() - start) / seconds) < 1:
        noisy, level = _batch(pictures, chances, drawn, planes, rng)
        model.optimizer.learning_rate = learning_rate * 0.5 * (1 + np.cos(np.pi * done))
        losses.append(float(model.train_on_batch(noisy, level)))
        step += 1
        if step % 100 == 0:
            say(f"step {step}, {100 * done:.0f} %, loss {np.mean(losses[-100:]):.4f}")


def _drawn_or_screens(count: int) -> np.ndarray:
    """Which of the pictures, as ``load_pictures`` lists them, are drawn or of a screen."""
    names = photo_pool.training_files()
    marks = [path.match("drawn/*") or path.match("screen_*") for path in names]
    if len(marks) != count:
        raise ValueError(f"{len(marks)} files, but {count} pictures")
    return np.flatnonzero(marks)


def _batch(pictures, chances, drawn, planes, rng) -> tuple[np.ndarray, np.ndarray]:
    white, nothing = round(BATCH * WHITE), round(BATCH * NOTHING)
    clean = np.empty((BATCH, CROP, CROP, 3), np.float32)
    for place in range(white + nothing):
        if rng.random() < 0.35:
            picture = pictures[rng.choice(drawn)]
        else:
            picture = pictures[rng.choice(len(pictures), p=chances)]
        clean[place] = photo_pool.clean_crop(picture, CROP, rng)
    noisy = clean.copy()
    sigma = np.zeros((white, 1, 1, 1), np.float32)
    for place in range(white):
        sigma[place] = rng.uniform(0, (75 if rng.random() < 0.5 else 35) / 255)
        grains = rng.standard_normal((CROP, CROP, 3), np.float32)
        if np.array_equal(clean[place, ..., 0], clean[place, ..., 1]):
            grains = grains[..., :1]
        noisy[place] += sigma[place] * grains
    eight = rng.random(white + nothing) < 0.8
    noisy[: white + nothing][eight] = (
        np.rint(np.clip(noisy[: white + nothing][eight], 0, 1) * 255) / 255
    )
    chosen = planes[rng.integers(len(planes), size=BATCH - white - nothing)]
    chosen = chosen.astype(np.float32) / 255
    clean[white + nothing :] = chosen[..., photo_pool.CLEAN]
    noisy[white + nothing :] = chosen[..., photo_pool.NOISY]
    level = true_levels(clean, noisy)
    level[:white] = sigma
    level[white : white + nothing] = 0
    for place in range(BATCH):
        turns, mirrored = rng.integers(4), rng.random() < 0.5
        for each in (noisy, level):
            one = np.rot90(each[place], turns)
            each[place] = one[:, ::-1] if mirrored else one
    return noisy, level
