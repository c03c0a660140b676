"""How a link carries settings: what reads the text of one, and what writes it.

A drawing travels as its 784 grey values, compressed: the same link gives the same pixels in any
browser.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from streamlit.runtime.scriptrunner import get_script_run_ctx

from imaging.digit_fit import SIDE
from imaging.pixels import to_image, to_pixels

LONGEST = 1600  # characters; incompressible grey values take 1,066

# Returns the value that stands for the text, or raises ValueError with a sentence.
Parser = Callable[[str], Any]


def is_history_navigation() -> bool:
    """Whether the browser's Back or Forward has led to this address."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def one_of(what: str, known: Mapping[str, Any] | list[str]) -> Parser:
    """Return a parser for a choice."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(
                f"The link asks for the {what} {quoted(text)}, which does not exist. The default "
                f"{what} is shown instead."
            )
        return text

    return parse


def number(what: str, low: float, high: float, kind: type = float) -> Parser:
    """Return a parser for a number of the type ``kind`` from ``low`` to ``high``."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
            if low <= value <= high:
                return value
        except ValueError:
            value = None
        raise ValueError(
            f"The link asks for the {what} {quoted(text)}, but it goes from {low:g} to {high:g}. "
            f"The default {what} is used instead."
        )

    return parse


def truth(what: str) -> Parser:
    """Return a parser for something that is on or off, as ``str`` writes a ``bool``."""
    parse = one_of(what, ["True", "False"])
    return lambda text: parse(text) == "True"


def several(parse: Parser, between: str) -> Parser:
    """Return a parser for a choice of several, which ``between`` separates."""
    return lambda text: [parse(part) for part in text.split(between)]


def one_of_numbers(what: str, known: Sequence[float]) -> Parser:
    """Return a parser for a choice of numbers."""
    by_text = {f"{value:g}": value for value in known}
    parse = one_of(what, by_text)
    return lambda text: by_text[parse(text)]


def drawing(text: str) -> np.ndarray:
    """Read a drawing ``(28, 28, 1)`` from the link, as ``drawing_from_text`` does; a parser."""
    try:
        return drawing_from_text(text)
    except ValueError as error:
        raise ValueError(
            "The drawing in the link is damaged, so a sample is shown instead. Perhaps the link "
            "was cut off when it was copied."
        ) from error


def drawing_to_text(digit: np.ndarray) -> str:
    """Return a ``(28, 28, 1)`` picture in [0, 1] as text that is safe in a link."""
    pixels = to_pixels(digit).tobytes()
    return base64.urlsafe_b64encode(zlib.compress(pixels, 9)).decode().rstrip("=")


def drawing_from_text(text: str) -> np.ndarray:
    """Return the ``(28, 28, 1)`` float32 picture that ``drawing_to_text`` wrote.

    Raises:
        ValueError: if the text is not such a picture.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters")
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        # A limit, because a text can unpack to a thousand times its length.
        unpacker = zlib.decompressobj()
        pixels = unpacker.decompress(packed, SIDE * SIDE + 1)
        if not unpacker.eof:
            raise ValueError("it does not end")
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"not a drawing: {error}") from error
    if len(pixels) != SIDE * SIDE:
        raise ValueError(f"a drawing has {SIDE * SIDE} pixels, got {len(pixels)}")
    return to_image(np.frombuffer(pixels, np.uint8)).reshape(SIDE, SIDE, 1)


def quoted(value: str) -> str:
    """Return the value as inline code, short and with nothing that Markdown would interpret."""
    kept = "".join(c for c in value[:40] if c.isprintable() and c != "`").strip()
    return f"`{kept}`" if kept else "(nothing)"
