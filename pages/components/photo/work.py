"""The work on photos: noise, its level, denoising; what takes long is done in the queue.

Photos are ``(H, W, C)``, 8-bit, or as fine as their file; levels count the full range as 1.
"""

from collections.abc import Callable, Hashable
from contextlib import nullcontext
from typing import Any

import numpy as np
import streamlit as st

from imaging.files.reading import Photo
from imaging.noise import NoiseKind
from imaging.noise_level import estimate_level
from imaging.pixels import to_image
from imaging.strips import corrupt_pixels
from imaging.visible import visible_part
from models.methods import Method
from models.picture_queue import Watch
from models.tasks.contract import Network
from models.tasks.denoise_photos.level import AsFound, read_level
from models.tasks.denoise_photos.solve import level_of
from pages.components import long_work
from pages.components.cached import get_level_network, get_picture_cache
from pages.components.photo.own import owner
from pages.components.photo.source import Picture

Noise = tuple[NoiseKind, float, int]  # kind, strength, seed

SLOW = 4_000_000  # values, from which on noise takes a time that one notices


def with_noise(
    picture: Picture, kind: NoiseKind, strength: float, seed: int
) -> tuple[np.ndarray, float]:
    """Return the picture with noise, and its level in units of the full range."""
    clean, alpha = picture.photo.pixels, picture.photo.alpha

    def make() -> tuple[np.ndarray, float]:
        noisy = corrupt_pixels(kind, clean, strength, seed)
        if alpha is not None:
            noisy[alpha == 0] = clean[alpha == 0]
        part = visible_part(alpha)
        return noisy, level_of(kind.name, strength, clean[part], noisy[part])

    with st.spinner("Adding noise …") if clean.size > SLOW else nullcontext():
        return get_picture_cache().get_or_make(
            owner(),
            (picture.name, kind.name, strength, seed),
            make,
            lambda made: made[0].nbytes,
        )


def estimated_noise(picture: Picture) -> tuple[np.ndarray, float]:
    """Return the picture as it is, and the level of its noise as estimated."""
    photo, network = picture.photo, get_level_network()
    level = get_picture_cache().get_or_make(
        owner(), (picture.name, "level"), lambda: estimated_level(photo, network), lambda level: 8
    )
    return photo.best, level


def estimated_level(photo: Photo, network: Network | None) -> AsFound:
    """Return the level of the noise in what is seen of a photo, as ``network`` reads it.

    Without a network it is estimated as if the noise were white.
    """
    seen = photo.best[visible_part(photo.alpha)]
    if network is not None:
        return AsFound(read_level(network, seen))
    return AsFound(estimate_level(seen if seen.dtype == np.uint8 else to_image(seen)))


def denoise(
    picture: Picture,
    noise: Noise | None,
    noisy: np.ndarray,
    method: Method,
    level: float,
) -> np.ndarray | None:
    """Return the denoised pixels; None while they are worked on, which the page then shows."""
    added = noise and (noise[0].name, *noise[1:])
    version = method.card and method.card.sha256
    name = (picture.name, added, method.name, version, method.careful, round(level, 6))
    return result_of("photo_job", name, lambda watch: method.run(noisy, level, watch))


def result_of(slot: str, name: Hashable, work: Callable[[Watch], Any]) -> Any | None:
    """Return what ``work`` makes of the visitor's photos; None while the page shows progress."""
    return long_work.result_of(
        slot,
        owner(),
        name,
        work,
        doing="Denoising",
        failed="This image could not be processed. Try another method or a smaller image.",
    )
