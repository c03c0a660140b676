"""Which values of a file are black and white: integers of any size, signed ones, floats.

No image is stretched by itself to the range of its values: that would make a dull result look
perfect.  Where black and white cannot be known, the range is used, and a note says so.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from imaging.files.limits import NO_NUMBERS, PhotoError
from imaging.pixels import strips

# A float image may go a little beyond [0, 1]: noise does, and resampling.
_SLIGHT, _SLIGHT_SHARE = 0.5, 0.2
_FAINT = 16  # An image that uses less than this part of its range is called faint.
_MUCH = 4  # Signed values that use this part of the range of their type are shown over all of it.
_USUAL_WHITES = (255, 65535)


@dataclass(frozen=True)
class Range:
    """The values of black and white; ``faint`` where the image uses a small part of them."""

    low: float
    high: float
    inverted: bool = False
    faint: bool = False
    notes: list[str] = field(default_factory=list)

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Return values of any shape as float64, 0 for black and 1 for white; gaps are black."""
        low, high = self.low, self.high
        known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        share = (known - low) / (high - low)
        return 1 - share if self.inverted else share


def in_whole_numbers(shares: np.ndarray, deep: bool) -> np.ndarray:
    """Return shares of any shape as uint8, or uint16 where ``deep``, clipped and rounded."""
    white = 65535 if deep else 255
    return np.rint(np.clip(shares, 0, 1) * white).astype(np.uint16 if deep else np.uint8)


def full_range(kind: str, bits: int) -> tuple[float, float]:
    """Return the range of a NumPy kind, "u", "i" or "f", with this many bits."""
    if kind == "f":
        return 0.0, 1.0
    if kind == "i":
        return float(-(2 ** (bits - 1))), float(2 ** (bits - 1) - 1)
    return 0.0, float(2**bits - 1)


def find_range(
    values: np.ndarray,
    full: tuple[float, float],
    hidden: np.ndarray | None = None,
    named: tuple[float, float] | None = None,
    clipped: bool = False,
    stretch: bool = False,
) -> Range:
    """Return the range of the values ``(H, W, C)``.

    ``full`` is that of their type, ``hidden`` ``(H, W)`` says which do not count, and ``named`` is
    the range that the file names; where values lie beyond it, it is a mistake, unless ``clipped``.
    With ``stretch`` the values of a faint image are the range.

    Raises:
        PhotoError: if there are no finite values.
    """
    is_float = values.dtype.kind == "f"
    lowest, highest, gaps, outside, count = math.inf, -math.inf, 0, 0, 0
    for rows in strips(*values.shape[:2]):
        some = values[rows] if hidden is None else values[rows][~hidden[rows]]
        if is_float:
            finite = some[np.isfinite(some)]
            gaps += some.size - finite.size
            outside += np.count_nonzero((finite < 0) | (finite > 1))
            some = finite
        count += some.size
        if some.size:
            lowest, highest = min(lowest, float(some.min())), max(highest, float(some.max()))
    if lowest > highest:
        raise PhotoError(NO_NUMBERS)
    notes = [f"{gaps:,} of its values were not finite and were replaced."] if gaps else []
    if named is not None and (clipped or named[1] >= highest):
        low = named[0] if clipped or named[0] <= lowest else min(full[0], lowest)
        notes.append(f"Black is {low:g} and white {named[1]:g}, as the file says.")
        return Range(low, named[1], notes=notes)
    if is_float:
        low, high, more = _float_range(lowest, highest, outside / count)
    else:
        low, high, more = _integer_range(lowest, highest, full)
    notes += more
    if high == low:  # All one value, outside of the normal range.
        return Range(low - (low > 0), low + (low <= 0), notes=notes)
    faint = not more and highest > lowest and (highest - low) * _FAINT < high - low
    if faint and stretch:
        low, high = lowest, highest
        notes.append(f"Its values from {low:g} to {high:g} were stretched to black and white.")
    elif faint:
        notes.append(
            f"It is very dark: its values go from {lowest:g} to {highest:g}, and white is {high:g}."
        )
    return Range(low, high, faint=faint, notes=notes)


def _float_range(lowest: float, highest: float, outside: float) -> tuple[float, float, list[str]]:
    if lowest >= 0 and highest <= 1:
        return 0.0, 1.0, []
    if lowest >= -_SLIGHT and highest <= 1 + _SLIGHT and outside <= _SLIGHT_SHARE:
        return 0.0, 1.0, ["Some of its values lie a little below 0 or above 1 and were clipped."]
    for white in _USUAL_WHITES:
        if lowest >= 0 and white / 2 < highest <= white:
            return 0.0, float(white), [f"Its values go up to {highest:g}; white is {white}."]
    return lowest, highest, [_scaled(lowest, highest)]


def _integer_range(
    lowest: float, highest: float, full: tuple[float, float]
) -> tuple[float, float, list[str]]:
    low, high = full
    if high >= 2**31 - 1 and lowest >= 0:
        # Numbers of 32 bits mostly hold what 8 or 16 had.
        if highest <= 255:
            return 0.0, 255.0, ["Its values fit into 8 bits: white is 255."]
        if highest <= 65535:
            return 0.0, 65535.0, []
        if highest * _FAINT < high:
            return lowest, highest, [_scaled(lowest, highest)]
    if lowest >= 0:
        return 0.0, high, []
    if high <= 127 or (highest - lowest) * _MUCH >= high - low:
        return low, high, ["Its values are signed: the middle of their range is grey."]
    return lowest, highest, [_scaled(lowest, highest)]


def _scaled(lowest: float, highest: float) -> str:
    return f"Its values from {lowest:g} to {highest:g} were scaled to black and white."
