"""What a visitor gave to a job."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Given:
    """An input with the name under which all that is made of it is kept, and the truth if known.

    ``note`` is a sentence for the visitor about how it was taken.
    """

    name: str
    title: str
    input: np.ndarray
    target: np.ndarray | None = None
    note: str = ""
