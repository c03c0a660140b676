"""The segments of a JPEG: what Pillow does not say, or stumbles over, is read from them.

Source:
    ITU-T T.81, annex B.
"""

import re
from collections.abc import Iterator
from itertools import islice, takewhile

END = b"\xff\xd9"
_START, _SCAN = b"\xff\xd8", b"\xff\xda"
_JPEG_LS = 0xF7
# Between compressed data, whose own bytes 0xff a zero follows, or the number of a restart.
_MARKER = re.compile(rb"\xff([^\x00\xff\x01\xd0-\xd7])")
_MOST_SEGMENTS = 50_000
_MOST_BEFORE_A_SCAN = 5_000  # A colour profile takes 255 at most, each further image as many.


def rare_kind(jpeg: bytes) -> str | None:
    """Return what a JPEG is that no decoder here knows, by its frame header; None if it is not."""
    at = len(_START)
    while jpeg[at : at + 1] == b"\xff" and jpeg[at : at + 2] != _SCAN and at < len(jpeg) - 4:
        marker = jpeg[at + 1]
        if marker == _JPEG_LS:
            return "A JPEG-LS file"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and jpeg[at + 4] != 8:
            return f"A JPEG of {jpeg[at + 4]} bits per channel"
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None


def without_metadata(jpeg: bytes) -> bytes:
    """Return the file without the segments of EXIF, XMP, colour profile and further images."""
    kept, at = [_START], len(_START)
    while jpeg[at : at + 1] == b"\xff" and jpeg[at : at + 2] != _SCAN and at < len(jpeg) - 4:
        following = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] not in (0xE1, 0xE2):
            kept.append(jpeg[at:following])
        at = following
    return b"".join([*kept, jpeg[at:]])


def has_many_segments(jpeg: bytes) -> bool:
    """Return whether there are more segments before the first scan than in any image."""
    before = takewhile(lambda each: each not in (_SCAN[1:], END[1:]), _markers(jpeg))
    return len(list(islice(before, _MOST_BEFORE_A_SCAN))) == _MOST_BEFORE_A_SCAN


def count_scans(jpeg: bytes) -> int:
    """Return how many scans a decoder would read: those before the end of the first image.

    A phone may keep a film behind it, and in the metadata there is a small image.  Of a file with
    more segments than any image has, all that might be scans are counted.
    """
    image = list(islice(takewhile(lambda each: each != END[1:], _markers(jpeg)), _MOST_SEGMENTS))
    return image.count(_SCAN[1:]) if len(image) < _MOST_SEGMENTS else jpeg.count(_SCAN)


def _markers(jpeg: bytes) -> Iterator[bytes]:
    """Yield the second byte of each segment's marker, as a decoder meets them."""
    at = len(_START)
    while found := _MARKER.search(jpeg, at):
        yield found[1]
        at = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
