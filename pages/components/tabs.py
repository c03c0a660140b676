"""What belongs to one tab of a visitor's browser, also when it is loaded again.

A reload, or a long break of the connection, begins a new session of Streamlit.  The tab says a
random word that only it knows, and finds its pictures again, while this server runs.
"""

import threading
import time
from dataclasses import dataclass, field

from pages.components.picture_cache import Owner

KEPT_UNUSED = 3600.0  # seconds
MOST_TABS = 500
LONGEST_WORD = 100


@dataclass(frozen=True)
class Brought:
    """A picture that a visitor has brought: its name, its size in bytes, and what it is."""

    digest: str
    name: str
    size: int


@dataclass(eq=False)
class Tab:
    """What a tab owns."""

    owner: Owner = field(default_factory=Owner)
    pictures: list[Brought] = field(default_factory=list)


class Tabs:
    """The tabs by their words; those that nobody has looked at for long are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tabs: dict[str, tuple[Tab, float]] = {}

    def find(self, word: str, new: Tab) -> Tab:
        """Return the tab that said this word before; from now on ``new`` if there was none."""
        now = time.monotonic()
        with self._lock:
            if word[:LONGEST_WORD] not in self._tabs:
                # A tab has one word: whoever says many takes no places of others.
                self._tabs = {said: each for said, each in self._tabs.items() if each[0] is not new}
            tab, _ = self._tabs.pop(word[:LONGEST_WORD], (new, now))
            self._tabs[word[:LONGEST_WORD]] = tab, now
            self._forget()
        return tab

    def forget_unused(self) -> None:
        """Forget the tabs that nobody has looked at for long."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        too_old = time.monotonic() - KEPT_UNUSED
        for word, (_, used) in list(self._tabs.items()):
            if used < too_old or len(self._tabs) > MOST_TABS:
                del self._tabs[word]
