"""A decoded image as it lies in its file: not turned upright, in the file's own colours."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Stored:
    """What every decoder returns.

    ``rows(first, last)`` are pixels ``(n, width, channels)``, ``uint8`` or, where ``deep``,
    ``uint16``, followed by one channel of opacity where ``has_alpha``.  ``profile`` is the colour
    profile of these values.  ``orientation`` is EXIF's.  ``planes`` counts the images to choose
    from; ``faint`` says that the values use a small part of their range.  ``whole`` is the size in
    the file where it was decoded at a smaller one.  ``cut`` says that some of it was missing.
    """

    width: int
    height: int
    channels: int
    rows: Callable[[int, int], np.ndarray]
    has_alpha: bool = False
    deep: bool = False
    profile: bytes | None = None
    orientation: int = 1
    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    planes: int = 1
    plane: int = 0
    faint: bool = False
    whole: tuple[int, int] | None = None
    cut: bool = False
    notes: list[str] = field(default_factory=list)
