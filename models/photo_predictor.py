"""Runs a network for photos: any size, colour or grey, any level of noise.

The same call as that of the classical filters, ``denoise(noisy, sigma)``; without a sigma the
level is estimated from the picture.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from imaging.impulses import impulse_levels, map_of_levels, without_impulses
from imaging.noise_level import estimate_level
from imaging.pixels import to_image, to_pixels
from imaging.strips import rms_pixels
from models.tiles import TILE_PIXELS, Watch, Work, in_tiles

_M_MMAP_THRESHOLD = -3  # From glibc's malloc.h.
# Lost pixels are filled in where they make this share of the level, and more than other noise
# does; other noise that has less than the second share is taken for the picture's own texture.
_MADE_BY_IMPULSES, _NOTHING_ELSE = 0.5, 0.35
# A network sees where a picture ends; in a narrow one both ends are near, so they are moved away.
NARROW, FARTHER = 128, 3  # pixels, times as far
STRONGEST = 0.5  # A network is told no higher level than this: it was trained up to there.


class PhotoDenoiser:
    """A denoising network for photos; holds no state, hence safe to share between threads."""

    def __init__(self, session: ort.InferenceSession, multiple: int) -> None:
        self._session, self.multiple = session, multiple

    def denoise(
        self,
        noisy: np.ndarray,
        sigma: float | None = None,
        watch: Watch | None = None,
        tile_pixels: int = TILE_PIXELS,
    ) -> np.ndarray:
        """Denoise one picture, ``float32`` in [0, 1] or of 8 or 16 bits, ``(H, W, 1 or 3)``.

        The result has the type and shape of the picture and is clipped to [0, 1].  ``sigma`` is
        the standard deviation of the noise, in units of the full range; at 0 the picture comes
        back as it is.  Grey stays grey.  ``watch`` is told of progress, as in ``in_tiles``.

        Where much of the noise is white and black pixels out of place, as in salt-and-pepper,
        these are filled in and the network is told where; if they are all of it, no other pixel
        is changed.

        Raises:
            ValueError: if shape, type or sigma make no sense.
        """
        if noisy.ndim != 3 or noisy.shape[2] not in (1, 3) or 0 in noisy.shape:
            raise ValueError(f"expected a picture of shape (H, W, 1 or 3), got {noisy.shape}")
        if noisy.dtype == np.uint16:
            denoised = self.denoise(to_image(noisy), sigma, watch, tile_pixels)
            return to_pixels(denoised, np.uint16)
        if sigma is None:
            sigma = estimate_level(noisy)
        if not sigma >= 0:
            raise ValueError(f"sigma must not be negative, got {sigma}")
        if noisy.shape[2] == 3 and _is_grey(noisy):
            one = self.denoise(noisy[..., :1], sigma, watch, tile_pixels)
            return np.repeat(one, 3, axis=2)
        margin = self.multiple * (FARTHER if min(noisy.shape[:2]) < NARROW else 1)
        work = self._work(noisy, sigma)
        return in_tiles(noisy, work, watch, self.multiple, tile_pixels, margin)

    def _work(self, noisy: np.ndarray, sigma: float) -> Work:
        """Choose what is done with each tile of the picture."""
        if sigma == 0:
            return lambda tile: tile
        impulses, rest = impulse_levels(noisy)
        if impulses < max(rest, _MADE_BY_IMPULSES * sigma):
            level = np.float32(min(sigma, STRONGEST))
            return lambda tile: self._run(tile, np.full((*tile.shape[:2], 1), level))
        # Told of more than the lost pixels account for, it smooths the others by the difference.
        rest = max(min(rest, sigma), max(sigma**2 - impulses**2, 0) ** 0.5)
        rest = min(rest, STRONGEST) if rest > _NOTHING_ELSE * sigma else 0.0
        return partial(self._mend, level=rest)

    def _mend(self, tile: np.ndarray, level: float) -> np.ndarray:
        """Fill lost pixels in and denoise; where ``level`` is 0, leave the others alone."""
        filled, lost = without_impulses(tile)
        denoised = self._run(filled, map_of_levels(lost, level))
        return denoised if level else np.where(lost[..., np.newaxis], denoised, tile)

    def _run(self, tile: np.ndarray, levels: np.ndarray) -> np.ndarray:
        height, width, channels = tile.shape
        missing = [(0, -side % self.multiple) for side in (height, width)]
        padded, levels = (
            np.pad(each, (*missing, (0, 0)), mode="reflect") for each in (tile, levels)
        )
        if channels == 1:
            padded = np.repeat(padded, 3, axis=2)
        denoised = self._session.run(None, {"image": padded[None], "level": levels[None]})[0][0]
        denoised = denoised[:height, :width]
        return denoised if channels == 3 else denoised.mean(axis=2, keepdims=True)


def _is_grey(picture: np.ndarray) -> bool:
    first = picture[..., 0]
    return all(np.array_equal(first, picture[..., other]) for other in (1, 2))


def level_of(noise: str, strength: float, clean: np.ndarray, noisy: np.ndarray) -> float:
    """Return the level to tell of noise that was added: the one that the training told, too."""
    return strength if noise == "gaussian" else rms_pixels(clean, noisy)


def open_for_photos(weights: Path) -> ort.InferenceSession:
    """Load a network whose work takes seconds, so that other visitors do not notice it.

    Its threads have a low priority, do not spin while they wait, and give the memory of a tile
    back after it.
    """
    keep_large_blocks_apart()
    options = ort.SessionOptions()
    options.intra_op_num_threads = min(2, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    session = _at_low_priority(
        lambda: ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    )
    give_memory_back()
    return session


def _at_low_priority(make: Callable[[], ort.InferenceSession]) -> ort.InferenceSession:
    """Run ``make`` in a thread of low priority: threads that it starts inherit that."""
    outcome: list = []

    def run() -> None:
        lower_priority()
        try:
            outcome.append(make())
        except Exception as error:  # Carried over to the thread that waits for it.
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def keep_large_blocks_apart() -> None:
    """Let glibc return large blocks to the system when they are freed.

    By itself it learns from large blocks to keep ever larger ones, and a server that once worked
    on a photo stays large: 130 MB for four tiles, where 10 MB are left this way.
    """
    _ask_glibc("mallopt", _M_MMAP_THRESHOLD, 2**20)


def give_memory_back() -> None:
    """Return what is free of small blocks too, a few megabytes after a network was made ready."""
    _ask_glibc("malloc_trim", 0)


def _ask_glibc(function: str, *values: int) -> None:
    """Call a function that only glibc has; another C library is left alone."""
    with suppress(AttributeError, OSError, TypeError):
        getattr(ctypes.CDLL(None), function)(*values)


def lower_priority() -> None:
    """Let this thread give way to others; only Linux knows priorities of single threads."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with suppress(OSError):  # A host may forbid it; the work matters more.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
