"""PFM, and PPM of 16 bits: floats and deep colours in the simplest of all files.

The other kinds of PNM are opened by Pillow.

Source:
    https://netpbm.sourceforge.net/doc/pfm.html and ppm.html
"""

import io
import re
from typing import BinaryIO

import numpy as np

from imaging.files.limits import NO_PICTURE, PhotoError, require_affordable
from imaging.files.stored import Stored
from imaging.files.value_range import find_range, full_range, in_whole_numbers

_LONGEST_HEADER = 4096
# One space after the other: with \s+ a header of spaces alone would be tried in 2**n ways.
_HEADER = re.compile(
    rb"(P[fF56])(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+"
    rb"([-+0-9.eE]{1,20})[\s]"
)


def read_pnm(file: BinaryIO, stretch: bool) -> Stored | None:
    """Decode a PFM, or a PGM or PPM of 16 bits; None where Pillow is the one to do it.

    Raises:
        PhotoError: if it is damaged or too large.
    """
    file.seek(0)
    header = _HEADER.match(file.read(_LONGEST_HEADER))
    if header is None:
        return None
    kind, width, height, last = header.groups()
    width, height = int(width), int(height)
    channels = 3 if kind in (b"PF", b"P6") else 1
    is_float = kind in (b"Pf", b"PF")
    try:
        last = float(last)
    except ValueError:
        raise PhotoError(NO_PICTURE) from None
    if not is_float and not 256 <= last <= 65535:
        return None
    dtype = np.dtype(("<f4" if last < 0 else ">f4") if is_float else ">u2")
    needed = width * height * channels * dtype.itemsize
    require_affordable(width * height, 2 * needed)
    file.seek(header.end(), io.SEEK_SET)
    content = file.read(needed)
    values = np.frombuffer(content.ljust(needed, b"\0"), dtype).reshape(height, width, channels)
    values = values.astype(dtype.newbyteorder("="))
    if is_float:
        values = values[::-1]  # The lowest row comes first.
    full = full_range("f", 32) if is_float else (0.0, last)
    found = find_range(values, full, stretch=stretch)
    return Stored(
        width,
        height,
        channels,
        lambda first, last: in_whole_numbers(found.shares(values[first:last]), deep=True),
        deep=True,
        faint=found.faint,
        notes=[*found.notes],
        cut=len(content) < needed,
    )
