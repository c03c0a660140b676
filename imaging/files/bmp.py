"""BMP whose pixels have their colours at places of their own, which Pillow does not open."""

import struct
from typing import BinaryIO

import numpy as np

from imaging.files.limits import CUT_OFF, NO_PICTURE, PhotoError, require_affordable
from imaging.files.stored import Stored

_MASKS = (3, 6)  # Of compression: with masks, and with one of opacity.
_HEADER = 14  # Bytes before that of the image.


def read_masks(file: BinaryIO) -> Stored:
    """Decode a BMP of 16 or 32 bits with masks.

    Source: the documentation of BITMAPV4HEADER.

    Raises:
        PhotoError: if it is none, damaged or too large.
    """
    file.seek(0)
    head = file.read(_HEADER + 56)
    if len(head) < _HEADER + 56:
        raise PhotoError(CUT_OFF)
    first, size, width, height, _, bits, compression = struct.unpack_from("<10xIIiiHHI", head)
    if compression not in _MASKS or bits not in (16, 32) or width <= 0:
        raise PhotoError(NO_PICTURE)
    *colours, opacity = struct.unpack_from("<4I", head, _HEADER + 40)
    if size < 56 and compression == 3:
        opacity = 0
    lines = abs(height)
    require_affordable(width * lines, 8 * width * lines)
    row = (width * bits // 8 + 3) // 4 * 4
    file.seek(first)
    content = file.read(row * lines)
    cut = len(content) < row * lines
    values = np.frombuffer(content.ljust(row * lines, b"\0"), np.uint8).reshape(lines, row)
    values = values[:, : width * bits // 8].view(f"<u{bits // 8}")
    if height > 0:
        values = values[::-1]

    def rows(top: int, bottom: int) -> np.ndarray:
        masks = [*colours, opacity] if opacity else colours
        return np.stack([_channel(values[top:bottom], mask) for mask in masks], axis=-1)

    return Stored(width, lines, 3, rows, has_alpha=bool(opacity), cut=cut)


def _channel(values: np.ndarray, mask: int) -> np.ndarray:
    if not mask:
        return np.zeros(values.shape, np.uint8)
    lowest = (mask & -mask).bit_length() - 1
    share = ((values & values.dtype.type(mask)) >> lowest) / (mask >> lowest)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
