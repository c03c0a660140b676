"""What a browser is taken to know is what it cannot have forgotten in the meantime.

A large message that was sent before is named by its hash.  With each click the browser says which
it has; some runs after its last use it forgets one (``global.maxCachedMessageAge``).  A run that
ends while a click is under way makes it forget what the click said it had: named then, it stops
with "Cached ForwardMsg MISS", and the page is dead.  Streamlit knows it from people who click fast
(github.com/streamlit/streamlit/issues/11357).  So a hash is used only for what the browser was sent
in one of the last two runs that it was sent anything of.
"""

from collections import deque
from collections.abc import Iterable
from functools import wraps
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

_reset, _flush = ScriptRunContext.reset, AppSession.flush_browser_queue


class Sent:
    """The hashes of what one browser was sent in its last two runs; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: deque[set[str]] = deque([set(), set()], maxlen=2)

    def note(self, messages: Iterable[ForwardMsg]) -> None:
        """Note what is sent now."""
        with self._lock:
            for message in messages:
                if message.HasField("new_session"):
                    self._runs.append(set())
                elif message.HasField("ref_hash"):
                    self._runs[-1].add(message.ref_hash)
                elif message.metadata.cacheable:
                    self._runs[-1].add(message.hash)

    def still_there(self, known: Iterable[str]) -> frozenset[str]:
        """Return what of ``known`` the browser has when it reads what follows."""
        with self._lock:
            return frozenset(known) & set.union(*self._runs)


# A visitor's pages are there as long as the visitor.
_sent: WeakKeyDictionary[PagesManager, Sent] = WeakKeyDictionary()


def name_only_what_is_known() -> None:
    """Use a hash for nothing else from now on, for every visitor of this server."""
    ScriptRunContext.reset = _reset_to_what_is_known  # type: ignore[method-assign]
    AppSession.flush_browser_queue = _note_and_flush  # type: ignore[method-assign]


@wraps(_reset)
def _reset_to_what_is_known(context: ScriptRunContext, *args: Any, **named: Any) -> None:
    _reset(context, *args, **named)
    sent = _sent.get(context.pages_manager)
    known = context.cached_message_hashes
    context.cached_message_hashes = sent.still_there(known) if sent else frozenset()


@wraps(_flush)
def _note_and_flush(session: AppSession) -> list[ForwardMsg]:
    messages = _flush(session)
    if messages:
        _sent.setdefault(session._pages_manager, Sent()).note(messages)
    return messages
