"""What browsers send: kept in memory alone, as pages say, and let go once it was taken over.

Starlette, below Streamlit, writes a file of more than 1 MB into one of the system's folder for
temporary files, and reads it back when all of it is there.  Streamlit keeps each for as long as its
visitor is there.
"""

import weakref
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

AROUND_IT = 1_000_000  # bytes, more than what stands around a file in a request

_given_up: deque[Callable[[], None]] = deque()


class Content:
    """What is in a file that came, while its uploader shows it.

    Once this is gone, Streamlit may forget its own copy too, see ``release_given_up``.
    """

    def __init__(self, file: UploadedFile) -> None:
        self.bytes = file.getvalue()
        context = get_script_run_ctx()
        if context is not None:
            let_go = context.uploaded_file_mgr.remove_file
            # Not at once: this may happen while the same thread works on what Streamlit keeps.
            forget = partial(let_go, context.session_id, file.file_id)
            weakref.finalize(self, _given_up.append, forget).atexit = False


def release_given_up() -> None:
    """Let Streamlit forget its copies of all ``Content`` that is gone."""
    while True:
        try:
            let_go = _given_up.popleft()
        except IndexError:  # Another thread may have taken the last one.
            return
        let_go()


def keep_uploads_in_memory() -> None:
    """Keep whatever may be sent in memory from now on, for every visitor of this server."""
    largest = st.get_option("server.maxUploadSize") * 2**20
    MultiPartParser.spool_max_size = largest + AROUND_IT


def release(files: Iterable[UploadedFile]) -> None:
    """Let Streamlit forget its copies; from the next run on their uploader is empty to us."""
    context = get_script_run_ctx()
    if context is not None:
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
