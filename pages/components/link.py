"""The link of a page: every setting of its controls, by stable names.

A page opened by a link starts with what the link says.  What the link says wrong is replaced
by the usual value, and said in a sentence.  A drawing travels as its 784 grey values,
compressed: the same link gives the same pixels in any browser.

(Streamlit's own ``bind="query-params"`` writes the titles that controls show, so that a link
would break with every better title, and drops a wrong value without a word.)
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

SIDE = 28
LONGEST = 1600  # characters; incompressible grey values take 1,066

# Returns the value that stands for the text, or raises ValueError with a sentence.
Parser = Callable[[str], Any]


def came_back() -> bool:
    """Whether the browser's Back or Forward has led to this address."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def open_link(
    parsers: Mapping[str, Parser], usual: Callable[[], Mapping[str, Any]], again: bool = False
) -> list[str]:
    """Start this visitor's session with the settings of the link.

    ``parsers`` reads each setting, in this order; ``usual`` says what stands where the link
    says nothing and no other page has set anything, given the settings that were read before.
    Settings become entries of ``st.session_state``, and a control with that key shows them.
    Returns a sentence for each setting that makes no sense.  Later calls in the same session do
    nothing, but ``again``: then the link is read once more, and it alone counts.
    """
    opened = f"link opened: {' '.join(parsers)}"  # Each page has settings of its own.
    if opened in st.session_state and not again:
        return []
    st.session_state[opened] = True
    problems = []
    for name, parse in parsers.items():
        value = usual()[name] if again else st.session_state.get(name, usual()[name])
        if name in st.query_params:
            try:
                value = parse(st.query_params[name])
            except ValueError as problem:
                problems.append(str(problem))
        st.session_state[name] = value
    return problems


def write_link(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Put the settings that differ from the usual ones into the address of the page."""
    others = {name: v for name, v in st.query_params.to_dict().items() if name not in settings}
    ours = {name: str(v) for name, v in settings.items() if v is not None and v != usual[name]}
    if others | ours != st.query_params.to_dict():
        st.query_params.from_dict(others | ours)


def one_of(what: str, known: Mapping[str, Any] | list[str]) -> Parser:
    """Return a parser for a choice."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(
                f"The link asks for the {what} {quoted(text)}, which does not exist here. "
                f"The usual {what} is shown instead."
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
            f"The usual {what} is set instead."
        )

    return parse


def drawing(text: str) -> np.ndarray:
    """Read a drawing from the link, as ``drawing_from_text`` does; a parser."""
    try:
        return drawing_from_text(text)
    except ValueError as error:
        raise ValueError(
            "The drawing in the link is damaged, so a sample is shown instead. "
            "Was the link cut off when it was copied?"
        ) from error


def drawing_to_text(digit: np.ndarray) -> str:
    """Return a ``(28, 28, 1)`` picture in [0, 1] as text that is safe in a link."""
    pixels = np.rint(digit * 255).astype(np.uint8).tobytes()
    return base64.urlsafe_b64encode(zlib.compress(pixels, 9)).decode().rstrip("=")


def drawing_from_text(text: str) -> np.ndarray:
    """Return the ``(28, 28, 1)`` float32 picture that ``drawing_to_text`` wrote.

    Raises:
        ValueError: if the text is no such picture.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters")
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        # A limit, because a few bytes can unpack to gigabytes.
        unpacker = zlib.decompressobj()
        pixels = unpacker.decompress(packed, SIDE * SIDE + 1)
        if not unpacker.eof:
            raise ValueError("it does not end")
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"not a drawing: {error}") from error
    if len(pixels) != SIDE * SIDE:
        raise ValueError(f"a drawing has {SIDE * SIDE} pixels, got {len(pixels)}")
    grey = np.frombuffer(pixels, np.uint8).astype(np.float32) / 255
    return grey.reshape(SIDE, SIDE, 1)


def quoted(value: str) -> str:
    """Return the value as inline code, short and with nothing that Markdown would interpret."""
    kept = "".join(c for c in value[:40] if c.isprintable() and c != "`").strip()
    return f"`{kept}`" if kept else "(nothing)"
