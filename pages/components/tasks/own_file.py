"""The file that a visitor chose last, kept while they see another source, job or page."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.components import widgets
from pages.components.cached import get_picture_cache, get_uploads
from pages.components.link import quoted
from pages.components.long_work import give_up
from pages.components.picture_cache import Owner
from pages.components.sending.uploads import Content, release_given_up
from pages.components.tasks.work import JOB, owner


@dataclass(frozen=True)
class OwnFile:
    """A file of the visitor's own: the control that it came from, its name, and what it is.

    ``id`` is Streamlit's word for it, another one each time that it is sent.
    """

    key: str
    name: str
    digest: str
    id: str
    owner: Owner

    def content(self) -> bytes | None:
        """Return its bytes, None where it had to give way."""
        kept: Content | None = get_uploads().get(self.owner, self.key)
        return None if kept is None else kept.bytes


def pick_file(ask: Callable[..., Any], key: str) -> OwnFile | None:
    """Ask for a file by ``ask``, a control of Streamlit; return the last one, None before.

    A control that was away comes back empty: then the name of the file stands below it.
    """
    file = ask(key=key, on_change=_forget, args=(key,))
    if file is not None:
        _keep(key, file)
    chosen: OwnFile | None = st.session_state.get(_kept(key))
    if chosen is not None:
        chosen.content()  # Asking counts as using: it is kept for another hour.
    if chosen is not None and file is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(quoted(chosen.name), width="content")
            forgets = "Removes this file and everything made from it."
            widgets.remove_button(_forget, key, help=forgets, key=f"{key}_remove")
    return chosen


def _keep(key: str, file: Any) -> None:
    chosen: OwnFile | None = st.session_state.get(_kept(key))
    if chosen is not None and chosen.id == file.file_id and chosen.content() is not None:
        return
    content = Content(file)
    digest = hashlib.blake2b(content.bytes, digest_size=8).hexdigest()
    get_uploads().put(owner(), key, content, len(content.bytes))
    st.session_state[_kept(key)] = OwnFile(key, file.name, digest, file.file_id, owner())
    release_given_up()


def _forget(key: str) -> None:
    """Forget the file, and all that was made on this page or is being made; a callback."""
    give_up(JOB)
    st.session_state.pop(_kept(key), None)
    get_uploads().forget(owner(), key)
    get_picture_cache().forget(owner(), "")


def _kept(key: str) -> str:
    return f"{key}_kept"
