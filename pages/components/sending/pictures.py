"""Pictures are sent as they are: they are packed already.

Every message is compressed where the browser knows how, by the one thread that answers all
visitors.  Of pictures that makes not a byte less, and takes time in which nobody is answered, and
their memory once more.
"""

from functools import wraps

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

LARGE = 100_000  # bytes, from which on compressing takes milliseconds
MARK = b"WEBPVP8"  # stands in each file of pages/components/viewer that is not small

_compress = PerMessageDeflate.encode


def send_pictures_as_they_are() -> None:
    """Compress everything else alone from now on, for every visitor of this server."""
    PerMessageDeflate.encode = _encode  # type: ignore[method-assign]


@wraps(_compress)
def _encode(extension: PerMessageDeflate, frame: Frame) -> Frame:
    whole = frame.fin and frame.opcode is Opcode.BINARY
    if whole and len(frame.data) >= LARGE and MARK in bytes(frame.data):
        return frame
    return _compress(extension, frame)
