"""A picture from the clipboard, which Streamlit's own uploader does not take."""

import base64
import binascii
import io

from pages.components.component import component

LIMIT = 20_000_000  # bytes

_mount = component(__file__)


class Pasted(io.BytesIO):
    """A pasted picture, used like an uploaded file."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def paste_picture(key: str) -> Pasted | None:
    """Draw the button; return the picture in the run in which it arrives, else None."""
    given = _mount(key=key, data={"limit": LIMIT}, on_picture_change=lambda: None).picture
    if not isinstance(given, dict):
        return None
    _, _, text = str(given.get("content", "")).partition(",")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        content = b""
    return Pasted(content[:LIMIT], str(given.get("name", "")))
