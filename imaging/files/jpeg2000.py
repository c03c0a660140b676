"""JPEG 2000 of more than 8 bits in colour, of which Pillow takes white for black.

It rounds values to 8 bits, keeps one byte of 256, and so the brightest become 0.
"""

import re
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from imaging.files.limits import PhotoError, require_affordable

_START = b"\xff\x4f\xff\x51"  # Of the codestream, in whatever boxes it lies.
_CODING, _QUANTIZATION, _TILE = 0xFF52, 0xFF5C, 0xFF90
_OF_A_COMPONENT = (0xFF53, 0xFF5D)
_SIZES = 8  # Where the sizes of the image and its tiles stand in the codestream.
_BYTES_OF_A_TILE = 10_000  # As measured.
_BITS = 42  # Where the depth of the first component stands; the next is 3 bytes further on.
_UNKNOWN = (
    "A JPEG 2000 of more than 8 bits of this kind cannot be opened here. "
    "Save it as PNG or TIFF and try again."
)


def tile_memory(content: bytes) -> int:
    """Return the bytes that decoding reserves for the tiles of a file, however small they are."""
    most = 0
    for found in re.finditer(_START, content):
        sizes = content[found.start() + _SIZES :][:24]
        if len(sizes) == 24:
            across, down, _, _, tile_across, tile_down = struct.unpack(">6I", sizes)
            tiles = -(-across // max(tile_across, 1)) * -(-down // max(tile_down, 1))
            most = max(most, tiles * _BYTES_OF_A_TILE)
    return most


def put_white_back(
    image: Image.Image, content: bytes, decoded: Callable[[bytes], Image.Image]
) -> bool:
    """Make white again, in place, what Pillow has made black; return whether it has rounded.

    ``decoded`` decodes a codestream.  Source: ISO/IEC 15444-1, annex A.

    Raises:
        PhotoError: where black and white cannot be told apart.
    """
    at = content.find(_START)
    if at < 0 or image.mode not in ("LA", "RGB", "RGBA"):
        return False
    stream = content[at:]
    channels = int.from_bytes(stream[_BITS - 2 : _BITS])
    if max(stream[_BITS : _BITS + 3 * min(channels, 4) : 3], default=0) % 128 < 8:
        return False
    values = np.array(image)
    black = values == 0
    if black.any():
        halved = _halved(bytearray(stream), channels)
        if halved is None:
            raise PhotoError(_UNKNOWN)
        # Beside the decoder's memory there are two images and two arrays.
        count = image.width * image.height
        require_affordable(count, count * (8 + 10 * values.shape[2]))
        values[black & (np.asarray(decoded(halved)) > 127)] = 255
        image.frombytes(values.tobytes())
    return True


def _halved(stream: bytearray, channels: int) -> bytes | None:
    """The same image with its values in the middle half of their range: 0 is 64, and 255 is 192.

    With steps of the same size, one more bit of range does it; where the steps grow with the
    range, these are halved.
    """
    coding = quantization = None
    at = 2
    while at + 4 <= len(stream):
        marker, size = int.from_bytes(stream[at : at + 2]), int.from_bytes(stream[at + 2 : at + 4])
        if marker == _TILE:
            break
        if marker in _OF_A_COMPONENT or marker < 0xFF00:
            return None
        if marker == _CODING:
            coding = at
        if marker == _QUANTIZATION:
            quantization = at
        at += 2 + size
    if coding is None or quantization is None:
        return None
    reversible = stream[coding + 13 : coding + 14] == b"\1"
    if reversible:
        for place in range(_BITS, _BITS + 3 * channels, 3):
            stream[place] += 1
        return bytes(stream)
    style, guard = stream[quantization + 4] & 31, stream[quantization + 4] >> 5
    steps = range(
        quantization + 5, quantization + 2 + int.from_bytes(stream[quantization + 2 :][:2]), 2
    )
    if guard == 0 or style == 0 or any(stream[step] >> 3 == 31 for step in steps):
        return None
    stream[quantization + 4] -= 32
    for step in steps:
        stream[step] += 8
    return bytes(stream)
