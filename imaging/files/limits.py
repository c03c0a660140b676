"""What is refused of the files that strangers upload, and what a visitor is told.

A host of 1 GB opens one file at a time.  Everything here is checked on the header of a file,
before anything is decoded.
"""

import math

OPENED_PIXELS = 12_000_000  # Larger images are opened reduced.
DEEP_PIXELS = 6_000_000  # Larger ones are opened with 8 bits: 16 take twice the memory.
LARGEST_PIXELS = 100_000_000  # Larger ones are refused.
LARGEST_FILE = 100_000_000  # In bytes.
# Bytes that decoding may take: with its result and the app itself, what the host has.
LARGEST_MEMORY = 400_000_000
MOST_SCANS = 200  # Of a progressive JPEG: encoders write about ten; thousands take hours.
MOST_VISITS = 4_000_000_000  # Its pixels times its scans, each of which visits all of them.
MOST_CHUNKS = 50_000  # Of a PNG: the smallest that programs write hold 8 kB of pixels.
LARGEST_PROFILE = 10_000_000  # Bytes of a colour profile; those of printers have up to 5 MB.
MOST_PAGES = 10_000  # Of a TIFF
MOST_TAGS = 1_000  # Of a page of it
MOST_TAGS_OF_ALL = 1_000_000  # Of its pages, which may share their tags.
LARGEST_TAG = 16_000_000  # In bytes, as the offsets of a million strips
LARGEST_TAGS = 64_000_000  # Bytes of all tags of the pages that are looked at
LARGEST_EXIF = 60_000  # Bytes; a JPEG takes 65,533.

NO_PICTURE = (
    "This file is not an image, or it is damaged. "
    "Try opening it in an image editor and saving it as PNG."
)
CUT_OFF = "This image is cut off: its end is missing. Copy or download the file again."
EMPTY = "This file is empty. Choose another one."
UNREADABLE = "This file cannot be read. Choose another one."
PHONE_FORMAT = (
    "This HEIC or AVIF file holds no image, or it is damaged. "
    "Convert it to JPEG or PNG and try again."
)
NO_NUMBERS = "This image contains only NaN values. Save it again with values from 0 to 1."
OTHER_KIND = (
    "{} cannot be opened here. Open it in the program that it is from, and save it as PNG, TIFF or "
    "JPEG."
)
ARCHIVE = "This is an archive. Unpack it, and add the pictures in it."
RAW = (
    "This is a camera's raw file, which has to be developed first. "
    "Open it in a raw converter and save it as TIFF or JPEG."
)
NO_MEMORY = (
    "This image takes more memory than there is at the moment. "
    "Make it smaller, or try again in a minute."
)


class PhotoError(ValueError):
    """A file that cannot be opened; the text says why, and what the visitor can do."""


def too_many_pixels(count: int) -> PhotoError:
    """Return the refusal of an image of ``count`` pixels."""
    return PhotoError(
        f"This image has {millions(count)} megapixels, and at most "
        f"{millions(LARGEST_PIXELS)} can be opened here. Make it smaller and try again."
    )


def require_affordable(count: int, needed: int) -> None:
    """Refuse an image of ``count`` pixels if decoding takes too many bytes.

    Raises:
        PhotoError: for a visitor to read.
    """
    if count <= 0:
        raise PhotoError(NO_PICTURE)
    if count > LARGEST_PIXELS:
        raise too_many_pixels(count)
    if needed > LARGEST_MEMORY:
        raise PhotoError(
            f"This image has {millions(count)} megapixels, and at most "
            f"{count * LARGEST_MEMORY // needed // 1_000_000} can be opened here from a file of "
            "its kind. Make it smaller, or save it as a plain JPEG, and try again."
        )


def millions(count: int) -> str:
    """Return the count in millions, rounded up."""
    return f"{math.ceil(count / 1e6):,}"
