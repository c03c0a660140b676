"""A file that was made for a click is still there when the browser comes for it.

Streamlit makes the file, tells the browser its address, and deletes it at the end of the second run
of a page after that, whoever's it is.  With fifty visitors that is a twelfth of a second, and a
browser that is farther away than that was told that there is no such file.
"""

import time

from streamlit.runtime.media_file_manager import MediaFileMetadata

KEPT = 20.0  # seconds


def keep_made_files() -> None:
    """Keep them so long from now on, for every visitor of this server."""
    MediaFileMetadata.mark_for_delete = _note_when  # type: ignore[method-assign]
    MediaFileMetadata.is_marked_for_delete = property(_is_long_ago)  # type: ignore[assignment]


def _note_when(file: MediaFileMetadata) -> None:
    vars(file).setdefault("unused_since", time.monotonic())


def _is_long_ago(file: MediaFileMetadata) -> bool:
    return time.monotonic() - vars(file).get("unused_since", time.monotonic()) > KEPT
