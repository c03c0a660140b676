"""Components of the browser: each stands in files of one name, ``.js`` and where needed more."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st


def component(file: str, html: str = "<span hidden></span>") -> Callable:
    """Return what mounts the component whose ``.js``, ``.css`` and ``.html`` stand beside ``file``.

    ``html`` is for one without an ``.html``; by default it shows nothing.
    """
    path = Path(file)
    parts = {
        suffix: path.with_suffix(f".{suffix}").read_text(encoding="utf-8")
        for suffix in ("html", "css", "js")
        if path.with_suffix(f".{suffix}").is_file()
    }
    return st.components.v2.component(f"denoise_lab_{path.stem}", **{"html": html} | parts)
