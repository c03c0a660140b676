"""Long work on photos: asked for by a page, done on the bench, kept on the shelf.

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
from models.picture_queue import Job, QueueFull, Watch
from models.tasks.contract import Network
from models.tasks.denoise_photos.level import AsFound, read_level
from models.tasks.denoise_photos.solve import level_of
from pages.components.cached import get_level_network, get_picture_cache, get_picture_queue
from pages.components.photo.own import owner
from pages.components.photo.source import Picture

Noise = tuple[NoiseKind, float, int]  # kind, strength, seed

SOON = 0.8  # seconds that a page waits before it shows progress
REFRESH = 0.5
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
    name = (picture.name, added, method.name, method.card and method.card.sha256, round(level, 6))
    return result_of("photo_job", name, lambda watch: method.run(noisy, level, watch))


def result_of(slot: str, name: Hashable, work: Callable[[Watch], Any]) -> Any | None:
    """Return what ``work`` makes; None, and progress on the page, while it is not there yet.

    Each ``slot`` has one job at a time: asking for another ``name`` gives the old one up.
    """
    kept = get_picture_cache().get(owner(), name)
    if kept is not None:
        return kept
    asked, job = st.session_state.get(slot, (None, None))
    if asked != name:
        cancel(slot)
        try:
            job = get_picture_queue().submit(work, owner())
        except QueueFull as problem:
            st.warning(str(problem), icon=":material/hourglass:")
            st.button("Try again", key=f"{slot}-again")
            return None
        st.session_state[slot] = name, job
    if job.pending:
        job.wait(SOON)
    if job.pending:
        _show_progress(slot, job)
        return None
    if job.state == "cancelled" and not st.session_state.get(_stopped(slot)):
        # Given up while another page was shown: nobody asked for that.
        cancel(slot)
        return result_of(slot, name, work)
    if job.state == "done":
        del st.session_state[slot]
        get_picture_cache().put(owner(), name, job.result, _size(job.result))
        return job.result
    if job.state == "failed":
        st.error(
            "This image could not be processed. Try another method or a smaller image.",
            icon=":material/error:",
        )
    else:
        st.info("Cancelled.", icon=":material/cancel:")
    st.button("Start again", key=f"{slot}-restart", on_click=cancel, args=(slot,))
    return None


def cancel(slot: str) -> None:
    """Cancel and forget the slot's job, if there is one; a callback."""
    st.session_state.pop(_stopped(slot), None)
    _, job = st.session_state.pop(slot, (None, None))
    if job is not None:
        job.cancel()


def _stop(slot: str, job: Job) -> None:
    """Cancel the job because the visitor says so; a callback."""
    st.session_state[_stopped(slot)] = True
    job.cancel()


def _stopped(slot: str) -> str:
    return f"{slot} stopped"


def _size(result: Any) -> int:
    """The bytes of pictures and files, in lists and pairs too."""
    if isinstance(result, list | tuple):
        return sum(map(_size, result))
    if isinstance(result, np.ndarray):
        return result.nbytes
    return len(result) if isinstance(result, bytes | str) else 8


def _show_progress(slot: str, job: Job) -> None:
    @st.fragment(run_every=REFRESH)
    def progress() -> None:
        if not job.pending:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.progress, _progress_text(job))
            st.button("Cancel", key=f"{slot}-cancel", on_click=_stop, args=(slot, job))

    progress()


def _progress_text(job: Job) -> str:
    if job.state == "waiting":
        ahead = job.place
        others = f"{ahead} before yours" if ahead else "yours is next"
        return f"Waiting for other images: {others}."
    left = job.seconds_left
    return "Denoising …" if left is None else f"Denoising … about {max(1, round(left))} s left"
