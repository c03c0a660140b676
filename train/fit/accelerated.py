"""Trains the photo network and its level estimator on an accelerator, by the wall clock.

Where minutes are lent and the chip is fast, feeding it is what takes the time.  So the pictures
lie as ``uint8`` in its memory; crops, turns and white noise are made there, inside the compiled
step; what needs a codec comes from ``train.photo_pool``, made by other processes meanwhile.  Many
steps are one call.  The learning rate falls along a cosine over the seconds that are given, and
the weights are saved every minute.

This file needs Keras with the JAX backend.
"""

import json
import math
import shutil
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from models.architectures import build
from models.architectures.level_estimator import FLOOR, SMALLER
from train import photo_pool
from train.config import TrainConfig
from train.run_folder import Run, write_whole

# Shares of a batch: white noise, nothing, pairs of a camera; the rest is from the pool.
WHITE, NOTHING, PAIRS = 0.5, 0.05, 0.05
STEPS_A_CALL = 25
POOL_CROPS = 60_000
GREY_SHARE, CLIPPED_SHARE, DOTS_SHARE = 0.22, 0.5, 0.06
PERMUTED_SHARE, SATURATED_SHARE, MOST_SATURATED = 0.15, 0.25, 1.2
FILLED_LEVEL = 0.1  # As in imaging.impulses.
# Told less than this share of the noise, the network is to leave the rest of it in.
ALL_OF_IT = 0.8
SAVE_EVERY, WATCH_EVERY = 60, 90  # seconds
RESERVE = 8  # seconds at the end for saving
SLOWEST = 10e6  # pixels a second; a training below that is given up
GROUPS = ("white", "clean", "pairs", *photo_pool.KINDS)


@dataclass(frozen=True)
class Networks:
    """The two networks that are trained together."""

    photo: keras.Model
    level: keras.Model


def build_networks(config: TrainConfig) -> Networks:
    """Build both; the estimator works in float32, since half precision is worth two digits."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy("float32")
    level = build("level-estimator")
    keras.config.set_dtype_policy(config.precision)
    photo = build(config.architecture, **config.settings)
    keras.config.set_dtype_policy("float32")
    return Networks(photo, level)


def save_weights(path: Path, photo: list[np.ndarray], level: list[np.ndarray]) -> None:
    """Write the weights of both networks in half precision, in the order Keras keeps them."""
    arrays = {f"photo_{i:03}": each.astype(np.float16) for i, each in enumerate(photo)}
    arrays |= {f"level_{i:03}": each.astype(np.float16) for i, each in enumerate(level)}

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)

    write_whole(path, write)


def read_weights(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what ``save_weights`` wrote, as ``float32``."""
    with np.load(path) as file:
        return tuple(
            [file[name].astype(np.float32) for name in sorted(file.files) if name.startswith(which)]
            for which in ("photo_", "level_")
        )


def train_accelerated(
    run: Run,
    seconds: float,
    pictures: list[np.ndarray],
    chances: np.ndarray,
    watched: list[np.ndarray],
    pairs: list[tuple[np.ndarray, np.ndarray]],
    pool: Path,
    networks: Networks,
    started: float,
    most_steps: int | None = None,
    pool_crops: int = POOL_CROPS,
) -> str:
    """Train until ``seconds`` after ``started``; return "finished" or why it was given up.

    ``pictures`` are ``uint8 (H, W, 3)`` of any sizes, ``chances`` how often each is drawn,
    summing to 1; ``watched`` are photos kept back, ``pairs`` the truth and the noisy picture of
    one camera, all of one size.  Files of crops in ``pool`` are read and removed.
    """
    import jax
    import jax.numpy as jnp

    config = run.read_config()
    log = _Log(run.folder / "log.txt", started)
    log(f"{jax.devices()}, {len(pictures)} pictures, {len(pairs)} pairs")
    sizes = _batch_sizes(config.batch)
    source = _Source.of(pictures, chances, pairs, config.crop)
    step = _make_step(config, networks, sizes, source.shape)
    data = jax.device_put(source.arrays)

    side, capacity = config.crop, pool_crops // photo_pool.CROPS_A_FILE * photo_pool.CROPS_A_FILE
    ring = {
        "planes": jnp.zeros((capacity, side, side, 7), jnp.uint8),
        "kinds": jnp.zeros((capacity,), jnp.int32),
        "levels": jnp.zeros((capacity,), jnp.float32),
    }
    put = jax.jit(
        lambda ring, new, place: {
            name: jax.lax.dynamic_update_slice_in_dim(ring[name], new[name], place, 0)
            for name in ring
        },
        donate_argnums=0,
    )
    feed, waited_from = _Feed(pool, capacity), time.time()
    while feed.filled < min(2 * photo_pool.CROPS_A_FILE, capacity):
        if time.time() - waited_from > 120:
            raise OSError("the pool of crops stays empty")
        for new, place in feed.next(4):
            ring = put(ring, new, place)
        time.sleep(0.1)
    log(f"the pool has {feed.filled} crops")

    params = (
        [jnp.asarray(v.value) for v in networks.photo.trainable_variables],
        [jnp.asarray(v.value) for v in networks.level.trainable_variables],
    )
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = {
        "params": params,
        "first": zeros,
        "second": jax.tree.map(jnp.zeros_like, params),
        "mean": jax.tree.map(jnp.copy, params),
        "step": jnp.zeros((), jnp.float32),
    }
    call = jax.jit(step, donate_argnums=0)
    watch = _make_watch(watched, networks, config)
    key = jax.random.key(config.seed, impl="rbg")
    end = started + seconds - RESERVE

    def rate_at(now: float, first: float, factor: float) -> tuple[float, float]:
        done = min(max((now - first) / max(end - first, 1e-9), 0.0), 1.0)
        warm = min(done / 0.015, 1.0)
        return factor * config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done)), done

    def save(state: dict) -> None:
        try:
            photo, level = jax.device_get(state["mean"])
            save_weights(run.weights, photo, level)
        except Exception:  # A training must not end because a file could not be written.
            log(traceback.format_exc())

    first = last_save = last_watch = last_say = time.time()
    saver: threading.Thread | None = None
    calls, factor, typical, waiting, outcome = 0, 1.0, math.inf, None, "finished"
    kept = jax.tree.map(jnp.copy, state)
    kept_at = typical_since = 0
    history: list[dict[str, float]] = []
    pixels_a_call = STEPS_A_CALL * config.batch * side * side
    while True:
        now = time.time()
        if calls == 1:
            log(f"compiled in {now - first:.1f} s")
            first = last_save = last_watch = last_say = now
        rate, done = rate_at(now, first, factor)
        if now >= end or (most_steps and calls * STEPS_A_CALL >= most_steps):
            break
        state, report = call(
            state, data, ring, feed.filled, rate, float(done > 0.06), jax.random.fold_in(key, calls)
        )
        calls += 1
        try:
            for new, place in feed.next(3):
                ring = put(ring, new, place)
        except Exception:
            log(traceback.format_exc())
        # Read the report of the call before, so that the chip always has one to work on.
        if calls == 1:
            jax.block_until_ready(report)
        if waiting is not None:
            read = {name: np.asarray(value) for name, value in jax.device_get(waiting).items()}
            loss = float(read["loss"])
            history.append(read)
            if not math.isfinite(loss) or loss > 1.5 * typical + 0.3:
                log(f"loss {loss:.4f} after {typical:.4f}: back to call {kept_at}, half the rate")
                state, factor = jax.tree.map(jnp.copy, kept), factor / 2
                report, typical, typical_since = None, math.inf, calls
                if factor < 0.05:
                    outcome = "diverged"
                    break
            elif calls - typical_since > 20:
                typical = loss if typical == math.inf else 0.9 * typical + 0.1 * loss
                if calls - kept_at >= 60:
                    kept, kept_at = jax.tree.map(jnp.copy, state), calls
        waiting = report
        now = time.time()
        if now - last_say > (5 if now - first < 60 else 20):
            said = _words(history)
            speed = pixels_a_call * len(history) / (now - last_say)
            log(
                f"call {calls} step {calls * STEPS_A_CALL} rate {rate:.2e} "
                f"{speed / 1e6:.1f} Mpx/s pool {feed.made} {said}"
            )
            history, last_say = [], now
            if calls * STEPS_A_CALL > 100 and now - first > 25 and speed < SLOWEST:
                outcome = "too slow"
                if not most_steps:
                    break
        if now - last_save > SAVE_EVERY:
            if saver is None or not saver.is_alive():
                kept_mean = {"mean": jax.tree.map(jnp.copy, state["mean"])}
                saver = threading.Thread(target=save, args=(kept_mean,))
                saver.start()
            last_save = now
        if watch and now - last_watch > WATCH_EVERY:
            log(f"watched, sigma 15 / 25 / 50: {watch(state['mean'])}")
            last_watch = now
    jax.block_until_ready(state)
    steps = int(state["step"])
    log(f"{steps} steps, {steps * config.batch * side * side / 1e9:.2f} billion pixels")
    if saver:
        saver.join()
    save(state)
    log("saved")
    if watch:
        log(f"watched, sigma 15 / 25 / 50: {watch(state['mean'])}")
    about = {"steps": steps, "seconds": time.time() - started, "outcome": outcome}
    run.done.write_text(json.dumps(about))
    return outcome


class _Log:
    def __init__(self, path: Path, started: float) -> None:
        self._path, self._started = path, started

    def __call__(self, text: str) -> None:
        line = f"{time.time() - self._started:7.1f} s  {text}"
        print(line, flush=True)
        with self._path.open("a") as file:
            file.write(line + "\n")


class _Feed:
    """Reads the files of the pool and says where in the ring of crops each is to go."""

    def __init__(self, folder: Path, capacity: int) -> None:
        self._folder, self._capacity, self.made = folder, capacity, 0

    @property
    def filled(self) -> int:
        return min(self.made, self._capacity)

    def next(self, most: int) -> list[tuple[dict[str, np.ndarray], int]]:
        given = []
        for planes, kinds, levels in photo_pool.take(self._folder, most):
            new = {"planes": planes, "kinds": kinds.astype(np.int32), "levels": levels}
            given.append((new, self.made % self._capacity))
            self.made += len(kinds)
        return given


@dataclass(frozen=True)
class _Source:
    """All pictures in one row of bytes, where each begins, and how large it is."""

    arrays: dict[str, np.ndarray]
    shape: tuple[int, int]  # of a crop, and of the largest piece that is made smaller into one

    @classmethod
    def of(cls, pictures, chances, pairs, crop: int) -> "_Source":
        lengths = [picture.size for picture in pictures]
        # Filled up, so that a few pictures more do not mean another program to compile.
        count, size = -len(pictures) % 2048, -sum(lengths) % 2**27
        filled = np.zeros(size, np.uint8)
        arrays = {
            "bytes": np.concatenate([*(picture.reshape(-1) for picture in pictures), filled]),
            "starts": np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32),
            "heights": np.int32([picture.shape[0] for picture in pictures]),
            "widths": np.int32([picture.shape[1] for picture in pictures]),
            "chances": np.cumsum(chances).astype(np.float32),
        }
        for name in ("starts", "heights", "widths", "chances"):
            arrays[name] = np.pad(arrays[name], (0, count), mode="edge")
        arrays["pairs"] = np.stack([np.concatenate(pair, axis=2) for pair in pairs])
        return cls(arrays, (crop, round(crop * photo_pool.MOST_REDUCED)))


def _batch_sizes(batch: int) -> dict[str, int]:
    sizes = {
        "white": round(batch * WHITE),
        "clean": max(1, round(batch * NOTHING)),
        "pairs": max(1, round(batch * PAIRS)),
    }
    return sizes | {"pool": batch - sum(sizes.values())}


def _words(history: list[dict[str, np.ndarray]]) -> str:
    """Mean loss and PSNR of each group over these reports."""
    if not history:
        return ""
    counts = np.sum([each["counts"] for each in history], axis=0)
    parts = [f"loss {np.mean([each['loss'] for each in history]):.4f}"]
    parts.append(f"norm {np.mean([each['norm'] for each in history]):.2f}")
    for sums, form in (("decibels", "{:.2f}"), ("read", "{:.3f}")):
        total = np.sum([each[sums] for each in history], axis=0) / np.maximum(counts, 1)
        parts += [sums] + [
            f"{name} " + form.format(value) for name, value in zip(GROUPS, total, strict=True)
        ]
    return " ".join(parts)


def _make_watch(watched: list[np.ndarray], networks: Networks, config: TrainConfig):
    """Return a function that gives the PSNR on photos kept back."""
    import jax
    import jax.numpy as jnp

    if not watched:
        return None
    side = 128
    count = len(watched) // 2 * 2
    middles = [
        picture[(picture.shape[0] - side) // 2 :, (picture.shape[1] - side) // 2 :][:side, :side]
        for picture in watched[:count]
    ]
    clean = np.stack(middles).astype(np.float32) / 255
    normal = np.random.default_rng(config.seed).standard_normal(clean.shape, np.float32)
    clean, normal = jax.device_put((clean, normal))

    @jax.jit
    def decibels(photo, level, clean, normal, sigma):
        noisy = clean + sigma * normal
        told = jnp.full((*clean.shape[:3], 1), sigma)
        answer = _photo(networks, photo, noisy, told)
        read = networks.level.stateless_call(level, [], noisy)[0]
        error = jnp.mean(jnp.square(answer - clean), axis=(1, 2, 3))
        return jnp.mean(-10 * jnp.log10(error)), 255 * jnp.mean(
            jnp.abs(jnp.mean(read, axis=(1, 2, 3)) - sigma)
        )

    def watch(mean) -> str:
        try:
            both = [
                decibels(*mean, clean, normal, np.float32(sigma / 255)) for sigma in (15, 25, 50)
            ]
            return " / ".join(f"{psnr:.3f} (level off {off:.2f})" for psnr, off in both)
        except Exception:
            return traceback.format_exc()

    return watch


def _photo(networks: Networks, weights, noisy, told):
    return networks.photo.stateless_call(weights, [], [noisy, told], training=True)[0]


def _make_step(config: TrainConfig, networks: Networks, sizes: dict[str, int], shape):
    """Return the function that does ``STEPS_A_CALL`` steps."""
    import jax
    import jax.numpy as jnp

    side, region = shape
    total = sum(sizes.values())

    def uniform(key, count, low=0.0, high=1.0):
        return jax.random.uniform(key, (count, 1, 1, 1), minval=low, maxval=high)

    def turned(key, pictures):
        """Mirror and turn each picture of a batch at random."""
        flips = jax.random.bernoulli(key, 0.5, (3, len(pictures), 1, 1, 1))
        pictures = jnp.where(flips[0], pictures[:, ::-1], pictures)
        pictures = jnp.where(flips[1], pictures[:, :, ::-1], pictures)
        return jnp.where(flips[2], jnp.swapaxes(pictures, 1, 2), pictures)

    def resizing(scale, start):
        """Matrices (N, side, region) that make ``side`` pixels of ``side * scale``, bicubic."""
        out = (jnp.arange(side) + 0.5)[None, :, None] * scale + start - 0.5
        far = jnp.abs(jnp.arange(region)[None, None, :] - out) / scale
        near = 1 - 2.5 * far**2 + 1.5 * far**3
        middle = 2 - 4 * far + 2.5 * far**2 - 0.5 * far**3
        weights = jnp.where(far < 1, near, jnp.where(far < 2, middle, 0))
        inside = jnp.arange(region)[None, None, :] < jnp.ceil(side * scale - 1e-3)
        weights = weights * inside
        return weights / weights.sum(axis=2, keepdims=True)

    def live_crops(key, data, count):
        """Crops of the pictures, clean: turned, scaled, in part grey or with other colours."""
        keys = jax.random.split(key, 14)
        drawn = jax.random.uniform(keys[0], (count,)) * data["chances"][-1]
        chosen = jnp.clip(jnp.searchsorted(data["chances"], drawn), 0, data["chances"].shape[0] - 1)
        height, width = data["heights"][chosen], data["widths"][chosen]
        most = jnp.minimum(jnp.minimum(height, width) / side, photo_pool.MOST_REDUCED)
        scale = 1 + jax.random.uniform(keys[1], (count,)) * (most - 1)
        rescaled = jax.random.bernoulli(keys[2], photo_pool.RESCALED_SHARE, (count,))
        scale = jnp.where(rescaled, scale, 1.0)
        taken = jnp.ceil(side * scale - 1e-3).astype(jnp.int32)
        places = jax.random.uniform(keys[3], (2, count))
        top = jnp.floor(places[0] * (height - taken + 1)).astype(jnp.int32)
        left = jnp.floor(places[1] * (width - taken + 1)).astype(jnp.int32)
        along = jnp.arange(region)
        rows = jnp.minimum(top[:, None] + along, height[:, None] - 1)
        columns = jnp.minimum(left[:, None] + along, width[:, None] - 1)
        where = data["starts"][chosen][:, None, None] + 3 * (
            rows[:, :, None] * width[:, None, None] + columns[:, None, :]
        )
        pieces = data["bytes"][where[..., None] + jnp.arange(3)].astype(jnp.float32) / 255
        matrices = resizing(scale[:, None, None], 0.0)
        pieces = jnp.einsum("noy,nyxc->noxc", matrices, pieces)
        crops = jnp.clip(jnp.einsum("npx,noxc->nopc", matrices, pieces), 0, 1)
        crops = turned(keys[4], crops)

        order = jax.random.permutation(keys[5], jnp.arange(3))
        crops = jnp.where(uniform(keys[6], count) < PERMUTED_SHARE, crops[..., order], crops)
        grey = crops.mean(axis=3, keepdims=True)
        more = uniform(keys[7], count, -0.3, MOST_SATURATED)
        more = jnp.where(uniform(keys[8], count) < SATURATED_SHARE, more, 0)
        crops = jnp.clip(crops + more * (crops - grey), 0, 1)
        # Single white, black or coloured dots are a part of the picture: stars, print.
        density = jnp.exp(uniform(keys[9], count, math.log(3e-4), math.log(1e-2)))
        density = jnp.where(uniform(keys[10], count) < DOTS_SHARE, density, 0)
        dots = jax.random.uniform(keys[11], (*crops.shape[:3], 1)) < density
        colour = jnp.clip(uniform(keys[12], count, -0.5, 2.0), 0, 1)
        crops = jnp.where(dots, colour, crops)
        is_grey = uniform(keys[13], count) < GREY_SHARE
        return jnp.where(is_grey, crops.mean(axis=3, keepdims=True), crops), is_grey

    def white(key, clean, is_grey):
        """White noise of every level, half of it clipped to 8 bits."""
        count = len(clean)
        keys = jax.random.split(key, 5)
        high = jnp.where(uniform(keys[0], count) < 0.5, 75 / 255, 35 / 255)
        sigma = uniform(keys[1], count) * high
        normal = jax.random.normal(keys[2], clean.shape)
        normal = jnp.where(is_grey, normal[..., :1], normal)
        noisy = clean + sigma * normal
        clipped = jnp.round(jnp.clip(noisy, 0, 1) * 255) / 255
        return jnp.where(uniform(keys[3], count) < CLIPPED_SHARE, clipped, noisy), sigma

    def pair_crops(key, data, count):
        keys = jax.random.split(key, 3)
        chosen = jax.random.randint(keys[0], (count,), 0, data["pairs"].shape[0])
        height, width = data["pairs"].shape[1:3]
        places = jax.random.uniform(keys[1], (2, count))
        top = jnp.floor(places[0] * (height - side + 1)).astype(jnp.int32)
        left = jnp.floor(places[1] * (width - side + 1)).astype(jnp.int32)
        both = jax.vmap(
            lambda one, y, x: jax.lax.dynamic_slice(
                data["pairs"], (one, y, x, 0), (1, side, side, 6)
            )[0]
        )(chosen, top, left)
        both = turned(keys[2], both).astype(jnp.float32) / 255
        return both[..., :3], both[..., 3:]

    def pool_crops(key, ring, filled, count):
        chosen_key, turn_key = jax.random.split(key)
        drawn = jax.random.uniform(chosen_key, (count,))
        chosen = jnp.minimum((drawn * filled).astype(jnp.int32), filled - 1)
        planes = turned(turn_key, ring["planes"][chosen]).astype(jnp.float32) / 255
        clean, noisy = planes[..., photo_pool.CLEAN], planes[..., photo_pool.NOISY]
        lost = planes[..., photo_pool.LOST :] > 0.5
        return clean, noisy, lost, ring["kinds"][chosen], ring["levels"][chosen]

    def spread(cells):
        """A map (N, h, w, 1) averaged over its neighbours, 3x3."""
        padded = jnp.pad(cells, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
        return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9

    def enlarged(cells):
        count, height, width, _ = cells.shape
        return jax.image.resize(cells, (count, height * SMALLER, width * SMALLER, 1), "linear")

    def batch_of(key, data, ring, filled):
        keys = jax.random.split(key, 6)
        count = sizes["white"] + sizes["clean"]
        live, is_grey = live_crops(keys[0], data, count)
        spoiled, sigma = white(keys[1], live[: sizes["white"]], is_grey[: sizes["white"]])
        nothing = jnp.round(live[sizes["white"] :] * 255) / 255
        pair_clean, pair_noisy = pair_crops(keys[2], data, sizes["pairs"])
        clean, noisy, lost, kinds, levels = pool_crops(keys[3], ring, filled, sizes["pool"])
        group = jnp.concatenate(
            [
                jnp.full((sizes["white"],), 0),
                jnp.full((sizes["clean"],), 1),
                jnp.full((sizes["pairs"],), 2),
                3 + kinds,
            ]
        )
        noisy = jnp.concatenate([spoiled, nothing, pair_noisy, noisy])
        clean = jnp.concatenate([live[: sizes["white"]], nothing, pair_clean, clean])
        error = jnp.square(noisy - clean).mean(axis=3, keepdims=True)
        cells = error.reshape(total, side // SMALLER, SMALLER, side // SMALLER, SMALLER)
        true = jnp.sqrt(spread(cells.mean(axis=(2, 4))[..., None]))
        true = true.at[: sizes["white"]].set(jnp.broadcast_to(sigma, true[: sizes["white"]].shape))
        others = total - sizes["pool"]
        marked = jnp.concatenate([jnp.zeros((others,), bool), levels >= 0])
        lost = jnp.concatenate([jnp.zeros((others, side, side, 1), bool), lost])
        elsewhere = jnp.concatenate([jnp.zeros((others,)), jnp.maximum(levels, 0)])
        batch = {
            "clean": clean,
            "noisy": noisy,
            "true": true,
            "group": group,
            "marked": marked[:, None, None, None],
            "marks": jnp.where(
                lost,
                jnp.hypot(elsewhere[:, None, None, None], FILLED_LEVEL),
                elsewhere[:, None, None, None],
            ),
        }
        return batch, keys[4]

    impulses = 3 + photo_pool.KINDS.index("salt-and-pepper")

    def told_and_target(key, batch, read, trusted):
        """Draw what the network is told of the noise, and what it is to answer."""
        keys = jax.random.split(key, 6)
        true, group = batch["true"], batch["group"][:, None, None, None]
        is_white, is_clean, is_impulses = group == 0, group == 1, group == impulses
        read = jnp.where(trusted > 0.5, spread(jnp.maximum(read, 0)), true)
        level = jnp.sqrt(jnp.square(true).mean(axis=(1, 2, 3), keepdims=True))
        draw = uniform(keys[0], total)
        wrong = jnp.exp(0.12 * jax.random.normal(keys[1], (total, 1, 1, 1)))
        share = uniform(keys[2], total, 0, ALL_OF_IT)
        # White: mostly told exactly.  Others: as read, as it is where it is, and one for all.
        is_partial = jnp.where(is_white, draw > 0.93, draw > 0.86) & ~is_clean & ~is_impulses
        as_read = jnp.where(is_white, draw < 0.16, draw < 0.45)
        exact = jnp.where(is_white, draw >= 0.16, False)
        one_for_all = draw > 0.76
        told = jnp.where(one_for_all, level * jnp.ones_like(true), true) * wrong
        told = jnp.where(exact, true, told)
        told = jnp.where(as_read, read * jnp.where(is_white, 1.0, wrong**0.5), told)
        told = jnp.where(is_impulses, jnp.maximum(told, level), told)
        little = jnp.where(draw < 0.6, read, jnp.maximum(draw - 0.8, 0) * 10 / 255)
        told = jnp.where(is_clean, little, told)
        told = jnp.where(is_partial, true * share, told)
        told = jnp.where(batch["marked"], batch["marks"], enlarged(told))
        left = jnp.where(is_partial, 1 - share / ALL_OF_IT, 0)
        return told, batch["clean"] + left * (batch["noisy"] - batch["clean"]), is_partial

    def losses(params, batch, key, trusted):
        photo, level = params
        read = networks.level.stateless_call(level, [], jnp.clip(batch["noisy"], -1, 2))[0]
        off = jnp.abs(jnp.log((read + FLOOR) / (batch["true"] + FLOOR)))
        off = off.mean(axis=(1, 2, 3))
        means = [
            jnp.sqrt(jnp.square(cells + FLOOR).mean(axis=(1, 2, 3)))
            for cells in (read, batch["true"])
        ]
        off_all = jnp.abs(jnp.log(means[0] / means[1]))
        counts = jnp.where(batch["marked"][:, 0, 0, 0], 0.0, 1.0)
        told, target, is_partial = told_and_target(key, batch, jax.lax.stop_gradient(read), trusted)
        answer = _photo(networks, photo, batch["noisy"], told)
        error = jnp.square(answer - target).mean(axis=(1, 2, 3))
        loss = jnp.log1p(error / 1e-4)
        about = {
            "error": error,
            "read": off_all,
            "counted": jnp.where(is_partial[:, 0, 0, 0], 0.0, 1.0),
        }
        return loss.mean() + ((off + off_all) * counts).mean(), (loss.mean(), about)

    def norm(tree):
        return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))

    def one_step(state, key, data, ring, filled, rate, trusted):
        batch_key, told_key = jax.random.split(key)
        batch, _ = batch_of(batch_key, data, ring, filled)
        (_, (loss, about)), gradient = jax.value_and_grad(losses, has_aux=True)(
            state["params"], batch, told_key, trusted
        )
        norms = [norm(part) for part in gradient]
        fine = jnp.isfinite(loss) & jnp.isfinite(norms[0]) & jnp.isfinite(norms[1])
        gradient = tuple(
            jax.tree.map(
                lambda g, n=n, most=most: jnp.where(fine, g * jnp.minimum(1, most / (n + 1e-9)), 0),
                part,
            )
            for part, n, most in zip(gradient, norms, (config.clip, 1.0), strict=True)
        )
        count = state["step"] + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["first"], gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state["second"], gradient)
        rates = (rate, 2 * rate)
        params = tuple(
            jax.tree.map(
                lambda p, m, v, rate=each: (
                    p - rate * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
                ),
                *parts,
            )
            for each, *parts in zip(rates, state["params"], first, second, strict=True)
        )
        decay = jnp.minimum(config.average, (1 + count) / (10 + count))
        mean = jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, state["mean"], params)
        state = {"params": params, "first": first, "second": second, "mean": mean, "step": count}
        groups = jax.nn.one_hot(batch["group"], len(GROUPS)) * about["counted"][:, None]
        decibels = -10 * jnp.log10(jnp.maximum(about["error"], 1e-7))
        report = {
            "loss": loss,
            "norm": norms[0],
            "counts": groups.sum(axis=0),
            "decibels": decibels @ groups,
            "read": about["read"] @ groups,
        }
        return state, report

    def step(state, data, ring, filled, rate, trusted, key):
        state, reports = jax.lax.scan(
            lambda state, key: one_step(state, key, data, ring, filled, rate, trusted),
            state,
            jax.random.split(key, STEPS_A_CALL),
        )
        totals = {name: value.sum(axis=0) for name, value in reports.items()}
        return state, totals | {name: reports[name].mean() for name in ("loss", "norm")}

    step.parts = {"batch_of": batch_of, "told_and_target": told_and_target}
    return step


def run_accelerated(
    run: Run,
    seconds: float,
    start: Path | None,
    started: float,
    pool: tuple,
    most_steps: int | None = None,
    pool_crops: int = POOL_CROPS,
) -> str:
    """Start from shipped or saved weights and train; see ``train_accelerated``."""
    from models.tasks.data_folder import data_folder
    from models.tasks.denoise_photos.data import CAMERA_EVERY, load_pairs
    from train.export.compact import read_kernels, set_kernels

    folder, pictures, chances, watched = pool
    config = run.read_config()
    networks = build_networks(config)
    if start and start.suffix == ".npz":
        photo, level = read_weights(start)
        networks.photo.set_weights(photo)
        networks.level.set_weights(level)
    elif start:
        set_kernels(networks.photo, read_kernels(start))
    scenes = load_pairs(data_folder())
    names = [name for index, name in enumerate(sorted(scenes)) if index % CAMERA_EVERY]
    pairs = [pair for name in names for pair in scenes[name]]
    try:
        return train_accelerated(
            run,
            seconds,
            pictures,
            chances,
            watched,
            pairs,
            folder,
            networks,
            started,
            most_steps,
            pool_crops,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
