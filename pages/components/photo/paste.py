"""A picture from the clipboard, which Streamlit's own uploader does not take."""

import base64
import binascii
import io
from pathlib import Path

import streamlit as st

LIMIT = 20_000_000  # bytes

_mount = st.components.v2.component(
    "denoise_lab_paste",
    html='<button type="button">Paste a picture</button> <span role="status"></span>',
    css="""
button {font: 400 1rem/1.6 var(--st-font); color: var(--st-text-color); cursor: pointer;
  background: var(--st-background-color); padding: .25rem .75rem;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius)}
button:hover, button:focus-visible {border-color: var(--st-primary-color);
  color: var(--st-primary-color)}
span {font: 400 .875rem var(--st-font); color: var(--st-text-color); margin-left: .5rem}
""",
    js=Path(__file__).with_name("paste.js").read_text(encoding="utf-8"),
)


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
