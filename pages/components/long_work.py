"""Long work for a visitor: asked for by a page, done in the queue, kept in the picture cache."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import streamlit as st

from models.picture_queue import Job, QueueFull, Watch
from models.tasks.contract import InputError
from pages.components.cached import get_picture_cache, get_picture_queue
from pages.components.picture_cache import Owner, PictureCache

SOON = 0.8  # seconds that a page waits before it shows progress
REFRESH = 0.5


def result_of(
    slot: str,
    owner: Owner,
    name: Hashable,
    work: Callable[[Watch], Any],
    *,
    doing: str,
    failed: str,
    cache: PictureCache | None = None,
    keeper: Owner | None = None,
) -> Any | None:
    """Return what ``work`` makes; None, and progress on the page, while it is not there yet.

    Each ``slot`` has one job at a time: asking for another ``name`` gives the old one up.  The
    page says that it is ``doing`` it, and why it could not be done: a sentence of the task's, or
    ``failed``.  It is kept with the pictures in work, or in another ``cache``, for its ``owner`` or
    for a ``keeper`` who stands for more visitors than this one, from the instant in which it is
    done: of visitors who look at another page meanwhile, it would be more than fits.
    """
    cache = get_picture_cache() if cache is None else cache
    keeper = owner if keeper is None else keeper

    def work_and_keep(watch: Watch) -> None:
        made = work(watch)
        watch(1, 1)  # Of what was given up meanwhile, nothing is kept.
        cache.put(keeper, name, made, size_of(made))

    kept = cache.get(keeper, name)
    if kept is not None:
        if st.session_state.get(slot, (None, None))[0] == name:
            del st.session_state[slot]
        return kept
    try:
        job = _find_job(slot, owner, name, work_and_keep)
    except QueueFull as problem:
        st.warning(str(problem), icon=":material/hourglass:")
        st.button("Try again", key=f"{slot}-again")
        return None
    if job.pending:
        job.wait(SOON)
    if job.pending:
        _show_progress(slot, job, doing)
        return None
    if job.state == "done" and (kept := cache.get(keeper, name)) is not None:
        del st.session_state[slot]
        return kept
    if job.state == "done" or (
        job.state == "cancelled" and not st.session_state.get(_stopped(slot))
    ):
        # It had to give way to what others made, or was given up while another page was shown:
        # nobody asked for that.
        give_up(slot)
        owner.jobs.pop(name, None)
        return result_of(
            slot, owner, name, work, doing=doing, failed=failed, cache=cache, keeper=keeper
        )
    if job.state == "failed":
        said = str(job.error) if isinstance(job.error, InputError) else failed
        st.error(said, icon=":material/error:")
    else:
        st.info("Cancelled.", icon=":material/cancel:")
    st.button("Start again", key=f"{slot}-restart", on_click=give_up, args=(slot,))
    return None


def _find_job(slot: str, owner: Owner, name: Hashable, work: Callable[[Watch], Any]) -> Job:
    """Return the slot's job: the one in work, also from before a reload, or a new one.

    Raises:
        QueueFull: if there is no room for a new one.
    """
    asked, job = st.session_state.get(slot, (None, None))
    known = owner.jobs.get(name)
    if known is not None and known.state in ("cancelled", "failed"):
        known = None
    if asked == name and known in (None, job):
        return job
    give_up(slot)
    # Not the owner, which may outlive the session: nobody waits for the job then.
    visitor = st.session_state.setdefault("long_work_visitor", Owner())
    if known is None:
        known = owner.jobs[name] = get_picture_queue().submit(work, visitor)
    else:
        known.join(visitor)
    st.session_state[slot] = name, known
    return known


def give_up(slot: str) -> None:
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


def size_of(result: Any) -> int:
    """Return the bytes of pictures and files, in lists and pairs too."""
    if isinstance(result, list | tuple):
        return sum(map(size_of, result))
    if isinstance(result, np.ndarray):
        return result.nbytes
    return len(result) if isinstance(result, bytes | str) else 8


def _show_progress(slot: str, job: Job, doing: str) -> None:
    @st.fragment(run_every=REFRESH)
    def progress() -> None:
        if not job.pending:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.progress, _progress_text(job, doing))
            st.button("Cancel", key=f"{slot}-cancel", on_click=_stop, args=(slot, job))

    progress()


def _progress_text(job: Job, doing: str) -> str:
    if job.state == "waiting":
        ahead = job.place
        others = f"{ahead} before yours" if ahead else "yours is next"
        return f"Waiting for other pictures: {others}."
    left = job.seconds_left
    return f"{doing} …" if left is None else f"{doing} … about {max(1, round(left))} s left"
