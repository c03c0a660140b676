"""The work on photos: noise, its level, denoising; what takes long is done in the queue.

Photos are ``(H, W, C)``, 8-bit, or as fine as their file; levels count the full range as 1.
"""

from collections.abc import Callable, Hashable
from contextlib import nullcontext
from typing import Any

import numpy as np
import streamlit as st

from imaging.files.reading import Photo
from imaging.metrics import Quality
from imaging.noise import NoiseKind
from imaging.noise_level import band_levels, estimate_level
from imaging.pixels import blend, to_image
from imaging.residual import ResidualCheck, check_residual
from imaging.strips import corrupt_pixels, measure_pixels
from imaging.visible import visible_part
from models.host import a_turn
from models.methods import Method
from models.picture_queue import Watch
from models.tasks.contract import Network
from models.tasks.denoise_photos.level import AsFound, read_level
from models.tasks.denoise_photos.solve import level_of
from pages.components import long_work
from pages.components.cached import get_level_network, get_picture_cache
from pages.components.photo.own import DENOISED, owner
from pages.components.photo.source import Picture
from pages.components.picture_cache import Owner, PictureCache

Noise = tuple[NoiseKind, float, int]  # kind, strength, seed

SLOW = 4_000_000  # values, from which on noise takes a time that one notices


def with_noise(
    picture: Picture, kind: NoiseKind, strength: float, seed: int
) -> tuple[np.ndarray, float]:
    """Return the picture with noise, and its level in units of the full range."""
    slow = picture.photo.pixels.size > SLOW
    with st.spinner("Adding noise …") if slow else nullcontext():
        return _with_noise(picture.owner, picture.name, picture.open, (kind, strength, seed))


def _with_noise(
    owner: Owner, name: str, open: Callable[[], Photo], noise: Noise
) -> tuple[np.ndarray, float]:
    kind, strength, seed = noise

    def make() -> tuple[np.ndarray, float]:
        photo = open()
        clean, alpha = photo.pixels, photo.alpha
        with a_turn():
            noisy = corrupt_pixels(kind, clean, strength, seed)
            if alpha is not None:
                noisy[alpha == 0] = clean[alpha == 0]
            part = visible_part(alpha)
            return noisy, level_of(kind.name, strength, clean[part], noisy[part])

    return get_picture_cache().get_or_make(
        owner,
        (name, kind.name, strength, seed),
        make,
        lambda made: made[0].nbytes,
        soon_made=True,
    )


def estimated_noise(picture: Picture) -> tuple[np.ndarray, float]:
    """Return the picture as it is, and the level of its noise as estimated."""
    photo, network = picture.photo, get_level_network()
    return photo.best, _once(picture, ("level",), lambda: estimated_level(photo, network))


def estimated_level(photo: Photo, network: Network | None) -> AsFound:
    """Return the level of the noise in what is seen of a photo, as ``network`` reads it.

    Without a network it is estimated as if the noise were white.
    """
    seen = photo.best[visible_part(photo.alpha)]
    if network is not None:
        return read_level(network, seen)
    return AsFound(estimate_level(seen if seen.dtype == np.uint8 else to_image(seen)))


def bands(picture: Picture) -> tuple[float, float]:
    """Return how much whole rows of a photo differ in brightness at random, and columns."""
    photo = picture.photo
    return _once(picture, ("bands",), lambda: band_levels(photo.best[visible_part(photo.alpha)]))


def denoise(
    picture: Picture, noise: Noise | None, method: Method, level: float
) -> np.ndarray | None:
    """Return the denoised pixels; None while they are worked on, which the page then shows.

    What waits for its turn holds no pixels: a dozen photos would be more than the cache may hold.
    """
    noisy = _noisy(picture, noise)
    name = (picture.name, *_made_by(noise, method, level))
    return result_of(
        DENOISED, name, lambda watch: method.run(noisy(), level, watch), keeper=picture.owner
    )


def _noisy(picture: Picture, noise: Noise | None) -> Callable[[], np.ndarray]:
    """Return what makes the noisy pixels, and holds none."""
    keeper, made_of, open = picture.owner, picture.name, picture.open
    if noise is None:
        return lambda: open().best
    return lambda: _with_noise(keeper, made_of, open, noise)[0]


def to_take_away(
    picture: Picture, noise: Noise | None, method: Method, level: float, shares: tuple[float, float]
) -> dict[str, Callable[[], np.ndarray]]:
    """Return what makes the pixels that can be taken away, by their names, and holds none."""
    keeper, open, noisy = picture.owner, picture.open, _noisy(picture, noise)
    name = (picture.name, *_made_by(noise, method, level))

    def denoised() -> np.ndarray:
        before = noisy()

        def work() -> np.ndarray:  # It had to give way meanwhile.
            with a_turn():
                return method.run(before, level)

        after = get_picture_cache().get_or_make(keeper, name, work, lambda made: made.nbytes)
        return blend(before, after, *shares)

    original = {} if noise is None else {"original": lambda: open().pixels}
    return {"denoised": denoised, **original, "noisy": noisy}


def qualities(
    picture: Picture,
    noise: Noise,
    method: Method,
    level: float,
    shares: tuple[float, float],
    place: tuple[slice, slice],
    noisy: np.ndarray,
    result: np.ndarray,
) -> tuple[Quality, Quality]:
    """Return the quality of what is shown and seen, with noise and without, each measured once."""
    clean, alpha = picture.photo.pixels[place], picture.photo.alpha
    seen = None if alpha is None else alpha[place]
    what = "quality", tuple((each.start, each.stop) for each in place)
    how = _made_by(noise, method, level)
    before = _once(picture, (*what, how[0]), lambda: measure_pixels(clean, noisy[place], seen))
    after = _once(
        picture, (*what, *how, shares), lambda: measure_pixels(clean, result[place], seen)
    )
    return before, after


def residual(
    picture: Picture,
    method: Method,
    level: float,
    shares: tuple[float, float],
    noisy: np.ndarray,
    result: np.ndarray,
) -> ResidualCheck:
    """Return what can be said of that which was removed, looked at once."""

    def look() -> ResidualCheck:
        part = visible_part(picture.photo.alpha)
        pair = (each[part] for each in (noisy, result))
        return check_residual(
            *(each if each.dtype == np.uint8 else to_image(each) for each in pair)
        )

    return _once(picture, ("residual", *_made_by(None, method, level), shares), look)


def _once(picture: Picture, what: tuple, work: Callable[[], Any]) -> Any:
    """Return what ``work`` finds out about a picture, in its turn; the second time it is known."""

    def in_turn() -> Any:
        with a_turn():
            return work()

    name = (picture.name, *what)
    return get_picture_cache().get_or_make(picture.owner, name, in_turn, lambda found: 100)


def _made_by(noise: Noise | None, method: Method, level: float) -> tuple:
    """What tells an answer from all others for the same picture."""
    added = noise and (noise[0].name, *noise[1:])
    version = method.card and method.card.sha256
    return added, method.name, version, method.careful, round(level, 6)


def result_of(
    slot: str,
    name: Hashable,
    work: Callable[[Watch], Any],
    cache: PictureCache | None = None,
    keeper: Owner | None = None,
) -> Any | None:
    """Return what ``work`` makes of the visitor's photos; None while the page shows progress.

    It is kept with the pictures in work, or in another ``cache``, for the visitor or a ``keeper``.
    """
    return long_work.result_of(
        slot,
        owner(),
        name,
        work,
        doing="Denoising",
        failed="This picture could not be processed. Try another method or a smaller picture.",
        cache=cache,
        keeper=keeper,
    )
