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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np

from models.architectures import build
from models.architectures.level_estimator import FLOOR
from train import photo_pool
from train.config import TrainConfig
from train.fit.accelerated_batch import GROUPS, Source, batch_of, batch_sizes, told_and_target
from train.run_folder import Run, write_whole

STEPS_A_CALL = 25
POOL_CROPS = 60_000
SAVE_EVERY, WATCH_EVERY = 60, 90  # seconds
RESERVE = 8  # seconds at the end for saving
SLOWEST = 10e6  # pixels a second; a training below that is given up


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

    config = run.read_config()
    log = _Log(run.folder / "log.txt", started)
    log(f"{jax.devices()}, {len(pictures)} pictures, {len(pairs)} pairs")
    source = Source.of(pictures, chances, pairs, config.crop)
    step = _make_step(config, networks, batch_sizes(config.batch), source.shape)
    data = jax.device_put(source.arrays)
    capacity = pool_crops // photo_pool.CROPS_A_FILE * photo_pool.CROPS_A_FILE
    feed, put = _Feed(pool, capacity), _make_put()
    ring = _first_ring(feed, put, capacity, config.crop)
    log(f"the pool has {feed.filled} crops")
    call = jax.jit(step, donate_argnums=0)
    keys = jax.random.key(config.seed, impl="rbg")

    def make_call(state: dict, calls: int, rate: float, done: float) -> tuple[dict, dict]:
        nonlocal ring
        key = jax.random.fold_in(keys, calls)
        state, report = call(state, data, ring, feed.filled, rate, float(done > 0.06), key)
        try:
            for new, place in feed.next(3):
                ring = put(ring, new, place)
        except Exception:
            log(traceback.format_exc())
        return state, report

    end = started + seconds - RESERVE
    keeper = _Keeper(run, log, _make_watch(watched, networks, config))
    state, outcome = _train_until(
        end, _first_state(networks), make_call, keeper, config, log, feed, most_steps
    )
    steps = _finish(state, keeper, config, log)
    about = {"steps": steps, "seconds": time.time() - started, "outcome": outcome}
    run.done.write_text(json.dumps(about))
    return outcome


def _train_until(
    end: float,
    state: dict,
    make_call: Callable[[dict, int, float, float], tuple[dict, dict]],
    keeper: "_Keeper",
    config: TrainConfig,
    log: "_Log",
    feed: "_Feed",
    most_steps: int | None,
) -> tuple[dict, str]:
    """Make calls until the time ``end``; return the last state and how it ended."""
    import jax
    import jax.numpy as jnp

    kept = Kept(state, partial(jax.tree.map, jnp.copy))
    speaker = _Speaker(log, config)
    first, calls, waiting = time.time(), 0, None
    while True:
        now = time.time()
        if calls == 1:
            log(f"compiled in {now - first:.1f} s")
            first = now
            keeper.restart(now)
            speaker.restart(now)
        done = min(max((now - first) / max(end - first, 1e-9), 0.0), 1.0)
        rate = kept.factor * config.learning_rate * _share_of_rate(done)
        if now >= end or (most_steps and calls * STEPS_A_CALL >= most_steps):
            return state, "finished" if not speaker.is_too_slow else "too slow"
        state, report = make_call(state, calls, rate, done)
        calls += 1
        # Read the report of the call before, so that the chip always has one to work on.
        if calls == 1:
            jax.block_until_ready(report)
        if waiting is not None and _has_leapt(speaker.listen(waiting), kept, state, calls, log):
            state, report = kept.go_back(calls), None
            if kept.factor < 0.05:
                return state, "diverged"
        waiting = report
        speaker.speak(calls, rate, first, feed.made)
        if speaker.is_too_slow and not most_steps:
            return state, "too slow"
        keeper.look_at(state)


def _share_of_rate(done: float) -> float:
    """Return how much of the learning rate there is, when this share of the time is over."""
    return min(done / 0.015, 1.0) * 0.5 * (1 + math.cos(math.pi * done))


def _has_leapt(loss: float, kept: "Kept", state: dict, calls: int, log: "_Log") -> bool:
    """Whether to go back to the state that was kept; otherwise this one may be kept."""
    if not kept.is_leap(loss):
        kept.look_at(loss, state, calls)
        return False
    leap = f"loss {loss:.4f} after {kept.typical:.4f}"
    log(f"{leap}: back to call {kept.at}, half the rate")
    return True


def _finish(state: dict, keeper: "_Keeper", config: TrainConfig, log: "_Log") -> int:
    """Save what was learned; return how many steps that took."""
    import jax

    jax.block_until_ready(state)
    steps = int(state["step"])
    log(f"{steps} steps, {steps * config.batch * config.crop**2 / 1e9:.2f} billion pixels")
    keeper.finish(state)
    return steps


class _Speaker:
    """Says in the log how the training goes: every five seconds, after a minute every twenty."""

    def __init__(self, log: "_Log", config: TrainConfig) -> None:
        self._log, self._history = log, []
        self._pixels_a_call = STEPS_A_CALL * config.batch * config.crop**2
        self.is_too_slow = False
        self.restart(time.time())

    def restart(self, now: float) -> None:
        """Begin to count the seconds."""
        self._said = now

    def listen(self, report: dict) -> float:
        """Read the report of a call; return its loss."""
        import jax

        read = {name: np.asarray(value) for name, value in jax.device_get(report).items()}
        self._history.append(read)
        return float(read["loss"])

    def speak(self, calls: int, rate: float, first: float, made: int) -> None:
        """Say how it goes, when it is time; ``first`` is when the training began."""
        now = time.time()
        if now - self._said <= (5 if now - first < 60 else 20):
            return
        speed = self._pixels_a_call * len(self._history) / (now - self._said)
        self._log(
            f"call {calls} step {calls * STEPS_A_CALL} rate {rate:.2e} "
            f"{speed / 1e6:.1f} Mpx/s pool {made} {_words(self._history)}"
        )
        self._history, self._said = [], now
        if calls * STEPS_A_CALL > 100 and now - first > 25 and speed < SLOWEST:
            self.is_too_slow = True


class _Keeper:
    """Saves the mean of the weights now and then, and measures it on photos kept back."""

    def __init__(self, run: Run, log: "_Log", watch: Callable | None) -> None:
        self._run, self._log, self._watch = run, log, watch
        self._saver: threading.Thread | None = None
        self.restart(time.time())

    def restart(self, now: float) -> None:
        """Begin to count the seconds."""
        self._saved = self._watched = now

    def look_at(self, state: dict) -> None:
        """Save and measure, when it is time."""
        import jax
        import jax.numpy as jnp

        now = time.time()
        if now - self._saved > SAVE_EVERY:
            if self._saver is None or not self._saver.is_alive():
                mean = jax.tree.map(jnp.copy, state["mean"])
                self._saver = threading.Thread(target=self._save, args=(mean,))
                self._saver.start()
            self._saved = now
        if now - self._watched > WATCH_EVERY:
            self._measure(state)
            self._watched = now

    def finish(self, state: dict) -> None:
        """Save and measure for the last time."""
        if self._saver:
            self._saver.join()
        self._save(state["mean"])
        self._log("saved")
        self._measure(state)

    def _save(self, mean: tuple) -> None:
        import jax

        try:
            save_weights(self._run.weights, *jax.device_get(mean))
        except Exception:  # A training must not end because a file could not be written.
            self._log(traceback.format_exc())

    def _measure(self, state: dict) -> None:
        if self._watch:
            self._log(f"watched, sigma 15 / 25 / 50: {self._watch(state['mean'])}")


def _make_put():
    """Return the function that puts crops into the ring, from a place on."""
    import jax

    return jax.jit(
        lambda ring, new, place: {
            name: jax.lax.dynamic_update_slice_in_dim(ring[name], new[name], place, 0)
            for name in ring
        },
        donate_argnums=0,
    )


def _first_ring(feed: "_Feed", put: Callable, capacity: int, side: int):
    """Return the ring of crops, by name, when there are enough in it to begin.

    Raises:
        OSError: if none come within two minutes.
    """
    import jax.numpy as jnp

    ring = {
        "planes": jnp.zeros((capacity, side, side, 7), jnp.uint8),
        "kinds": jnp.zeros((capacity,), jnp.int32),
        "levels": jnp.zeros((capacity,), jnp.float32),
    }
    waited_from = time.time()
    while feed.filled < min(2 * photo_pool.CROPS_A_FILE, capacity):
        if time.time() - waited_from > 120:
            raise OSError("the pool of crops stays empty")
        for new, place in feed.next(4):
            ring = put(ring, new, place)
        time.sleep(0.1)
    return ring


def _first_state(networks: Networks):
    """Return the weights of both networks, Adam's moments, the mean of the weights, the step."""
    import jax
    import jax.numpy as jnp

    params = (
        [jnp.asarray(v.value) for v in networks.photo.trainable_variables],
        [jnp.asarray(v.value) for v in networks.level.trainable_variables],
    )
    return {
        "params": params,
        "first": jax.tree.map(jnp.zeros_like, params),
        "second": jax.tree.map(jnp.zeros_like, params),
        "mean": jax.tree.map(jnp.copy, params),
        "step": jnp.zeros((), jnp.float32),
    }


class Kept:
    """The last good state, to go back to with half the rate when the loss leaps.

    What a loss typically is, is said from twenty calls after the begin or the last leap on; every
    sixty calls the state is put by, and kept once a call was heard that began with it.
    """

    def __init__(self, state: object, copy: Callable) -> None:
        self._state, self._copy = copy(state), copy
        self._put_by: tuple[object, int] | None = None
        self.at, self._since = 0, 0
        self.typical, self.factor = math.inf, 1.0

    def is_leap(self, loss: float) -> bool:
        """Whether the loss is far above the typical one, or no number."""
        return not math.isfinite(loss) or loss > 1.5 * self.typical + 0.3

    def go_back(self, calls: int) -> object:
        """Return the state that was kept, and forget what is typical."""
        self.factor, self.typical, self._since = self.factor / 2, math.inf, calls
        self._put_by = None
        return self._copy(self._state)

    def look_at(self, loss: float, state: object, calls: int) -> None:
        """Learn from the loss of the call before what is typical, and keep the state in time."""
        if self._put_by is not None and calls > self._put_by[1] + 1:
            self._state, self.at = self._put_by
            self._put_by = None
        if calls - self._since <= 20:
            return
        self.typical = loss if self.typical == math.inf else 0.9 * self.typical + 0.1 * loss
        if self._put_by is None and calls - self.at >= 60:
            self._put_by = self._copy(state), calls


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

    losses = partial(_losses, networks)

    def one_step(state, key, data, ring, filled, rate, trusted):
        batch_key, told_key = jax.random.split(key)
        batch = batch_of(batch_key, data, ring, filled, sizes, shape)
        (_, (loss, about)), gradient = jax.value_and_grad(losses, has_aux=True)(
            state["params"], batch, told_key, trusted
        )
        state, norm = _update(config, state, loss, gradient, rate)
        return state, _report(batch, loss, norm, about)

    def step(state, data, ring, filled, rate, trusted, key):
        state, reports = jax.lax.scan(
            lambda state, key: one_step(state, key, data, ring, filled, rate, trusted),
            state,
            jax.random.split(key, STEPS_A_CALL),
        )
        totals = {name: value.sum(axis=0) for name, value in reports.items()}
        return state, totals | {name: reports[name].mean() for name in ("loss", "norm")}

    return step


def _losses(networks: Networks, params, batch, key, trusted):
    """Return what is made small, and of it what is reported: the photo network's loss, and more."""
    import jax
    import jax.numpy as jnp

    photo, level = params
    read = networks.level.stateless_call(level, [], jnp.clip(batch["noisy"], -1, 2))[0]
    off = jnp.abs(jnp.log((read + FLOOR) / (batch["true"] + FLOOR)))
    off = off.mean(axis=(1, 2, 3))
    means = [
        jnp.sqrt(jnp.square(cells + FLOOR).mean(axis=(1, 2, 3))) for cells in (read, batch["true"])
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


def _update(config: TrainConfig, state, loss, gradient, rate):
    """Return the state after a step of Adam, and the norm of the photo network's gradient.

    Where anything is not finite, the gradient counts as nothing.
    """
    import jax
    import jax.numpy as jnp

    norms = [_norm(part) for part in gradient]
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
    return state, norms[0]


def _report(batch, loss, norm, about):
    """Return loss, norm, and for each group of pictures sums over those that count."""
    import jax
    import jax.numpy as jnp

    groups = jax.nn.one_hot(batch["group"], len(GROUPS)) * about["counted"][:, None]
    decibels = -10 * jnp.log10(jnp.maximum(about["error"], 1e-7))
    return {
        "loss": loss,
        "norm": norm,
        "counts": groups.sum(axis=0),
        "decibels": decibels @ groups,
        "read": about["read"] @ groups,
    }


def _norm(tree):
    """Return the length of all numbers of a tree together."""
    import jax
    import jax.numpy as jnp

    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))


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
