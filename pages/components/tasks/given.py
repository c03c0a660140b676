"""What a visitor gave to a job; a sample is the first thing to give."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from models.tasks.contract import Task
from pages.components import widgets
from pages.components.cached import get_picture_cache
from pages.components.tasks.work import owner


@dataclass(frozen=True)
class Given:
    """An input with the name under which all that is made of it is kept, and the truth if known.

    ``note`` are sentences for the visitor about how it was taken, ``exif`` what a result made of
    it is to say too.  ``find`` is what finds a large input again, for work that waits.  A picture
    that is transparent has the opacity ``alpha``, ``uint8 (H, W)``, and lies on paper of the grey
    ``paper``; ``reduced_from`` is the size of one that was made smaller.
    """

    name: str
    title: str
    input: np.ndarray
    target: np.ndarray | None = None
    note: str = ""
    exif: bytes = b""
    find: Callable[[], np.ndarray] | None = None
    alpha: np.ndarray | None = None
    paper: int = 255
    reduced_from: tuple[int, int] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.input.nbytes + (0 if self.alpha is None else self.alpha.nbytes)


def sample_key(task_name: str, sample_name: str) -> str:
    """Return the name of a sample as a ``Given``."""
    return f"sample {task_name} {sample_name}"


def pick_sample(task: Task) -> Given:
    """Ask for one of the samples that the task brings."""
    titles = {name: sample.title for name, sample in task.samples.items()}
    name = widgets.chips("Sample", titles, f"tasks_sample_{task.name}")
    sample = task.samples[name]
    key = sample_key(task.name, name)
    # Some are drawn or worked out, which takes longer than all else on the page.
    input, target = get_picture_cache().get_or_make(
        owner(),
        key,
        sample.load,
        lambda made: sum(each.nbytes for each in made if each is not None),
    )
    st.caption(f"{sample.source}; {sample.licence}.")
    return Given(key, sample.title, input, target)
