"""What a file says about its image that a result should say too: EXIF, date, place."""

from PIL import Image

from imaging.files.limits import LARGEST_EXIF

ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
# Description, maker, model, resolution with its unit, date, artist, host, copyright.  Software
# and all that describes how the old file was stored is left out.
_KEPT = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0132, 0x013B, 0x013C, 0x8298)
# Private notes of the camera, whose inner offsets would break; the old size; what follows.
_LEFT_OUT = (0x927C, 0xA002, 0xA003, 0xA005)
_HOW_STORED = ("ImageJ=", "{", "<?xml", "<OME")  # A description of the file, not of the image.


def open_exif(content: bytes) -> Image.Exif:
    """Return the EXIF of a file; an empty one where it cannot be read."""
    exif = Image.Exif()
    try:
        exif.load(content)
        len(exif)
    except Exception:  # Metadata never cause an image to be refused, whatever is wrong with them.
        return Image.Exif()
    return exif


def orientation_of(exif: Image.Exif) -> int:
    """Return how the image is to be turned, 1 to 8; 1 where EXIF makes no sense."""
    try:
        value = exif.get(ORIENTATION)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def kept(exif: Image.Exif, location: bool = True) -> bytes:
    """Return what a result keeps: upright, without a thumbnail; empty if there is nothing.

    The place where it was taken is kept if ``location``.
    """
    copy, size = Image.Exif(), 0
    parts = [(None, _KEPT), (_EXIF_IFD, None), *([(_GPS_IFD, None)] if location else [])]
    for group, wanted in parts:
        try:
            tags = dict(exif if group is None else exif.get_ifd(group))
        except Exception:
            continue
        for tag, value in tags.items():
            if (wanted is not None and tag not in wanted) or tag in _LEFT_OUT:
                continue
            if tag == 0x010E and str(value).startswith(_HOW_STORED):
                continue
            needed = _size(group, tag, value)
            if needed is not None and size + needed <= LARGEST_EXIF:
                (copy if group is None else copy.get_ifd(group))[tag] = as_written(value)
                size += needed
    if not len(copy) and not copy.get_ifd(_EXIF_IFD) and not copy.get_ifd(_GPS_IFD):
        return b""
    copy[ORIENTATION] = 1
    return copy.tobytes()


def as_written(value: object) -> object:
    """Return the value of a tag as Pillow writes it unchanged.

    It reads each byte of a text as a character, of UTF-8 too, and writes those of ASCII alone.
    """
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value


def has_location(exif: bytes) -> bool:
    """Return whether EXIF says where the image was taken."""
    try:
        return bool(open_exif(exif).get_ifd(_GPS_IFD))
    except Exception:
        return False


def dpi_of(exif: Image.Exif) -> tuple[float, float] | None:
    """Return pixels per inch across and down; None where EXIF does not say them."""
    try:
        across, down = float(exif[0x011A]), float(exif[0x011B])
        scale = {2: 1.0, 3: 2.54}[exif.get(0x0128, 2)]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(1 < value * scale < 100_000 for value in (across, down))
    return (across * scale, down * scale) if sensible else None


def _size(group: int | None, tag: int, value) -> int | None:
    """Bytes of an EXIF that holds this tag alone; None where it cannot be written."""
    alone = Image.Exif()
    (alone if group is None else alone.get_ifd(group))[tag] = as_written(value)
    try:
        return len(alone.tobytes())
    except Exception:
        return None
