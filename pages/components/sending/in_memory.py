"""A file on its way from a browser stays in memory: pages say that it reaches no disk.

Starlette, below Streamlit, writes what has more than 1 MB into a file of the system's folder for
temporary ones, and reads it back when all of it is there.
"""

import streamlit as st
from starlette.formparsers import MultiPartParser

AROUND_IT = 1_000_000  # bytes, more than what stands around a file in a request


def keep_uploads_in_memory() -> None:
    """Keep whatever may be sent in memory from now on, for every visitor of this server."""
    largest = st.get_option("server.maxUploadSize") * 2**20
    MultiPartParser.spool_max_size = largest + AROUND_IT
