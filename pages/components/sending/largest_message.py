"""What a browser sends is refused while it is unpacked, once it is larger than anything of ours.

Streamlit takes in what has up to 200 MB, as large as what it may send, and looks at the size
afterwards (``server.maxWidgetStateSize``).  Messages are compressed: 150 kB became 150 MB, twice.
"""

from functools import wraps
from typing import Any

import streamlit as st
from uvicorn.config import Config
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

_begin = AutoWebSocketsProtocol.__init__  # type: ignore[misc]


def refuse_large_messages() -> None:
    """Refuse them on every connection that is opened from now on."""
    AutoWebSocketsProtocol.__init__ = _begin_with_limit  # type: ignore[misc, union-attr]


@wraps(_begin)
def _begin_with_limit(protocol: Any, config: Config, *args: Any, **named: Any) -> None:
    config.ws_max_size = st.get_option("server.maxWidgetStateSize") * 1_000_000
    _begin(protocol, config, *args, **named)
