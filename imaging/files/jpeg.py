"""The segments of a JPEG: what Pillow does not say, or stumbles over, is read from them.

Source:
    ITU-T T.81, annex B.
"""

import re

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
    at = len(_START)
    for _ in range(_MOST_BEFORE_A_SCAN):
        found = _MARKER.search(jpeg, at)
        if found is None or found[1] in (_SCAN[1:], END[1:]):
            return False
        at = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
    return True


def count_scans(jpeg: bytes) -> int:
    """Return how many scans a decoder would read: those before the end of the first image.

    A phone may keep a film behind it, and in the metadata there is a small image.  Of a file with
    more segments than any image has, all that might be scans are counted.
    """
    at, scans = len(_START), 0
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(jpeg, at)
        if found is None or found[1] == END[1:]:
            return scans
        at = found.end()
        scans += found[1] == _SCAN[1:]
        at += int.from_bytes(jpeg[at : at + 2])
    return jpeg.count(_SCAN)
