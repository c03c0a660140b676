"""Pasting and dropping anywhere on the page, and what this tab of the browser had before."""

import secrets
from dataclasses import dataclass

from pages.components.component import component

_SERVER = secrets.token_hex(8)  # Another one after each start.
_LONGEST = 500  # characters of a sentence

_mount = component(__file__)


@dataclass(frozen=True)
class Said:
    """What the browser says: the tab's word, what it refused, and how many pictures it had."""

    word: str | None
    refused: tuple[str, ...]
    gone: int


def watch_tab(
    key: str, limit: int, shown: bool, known: bool, count: int, gone: int, taken: int
) -> Said:
    """Draw the button, where it is ``shown``, and return what the browser says.

    ``limit`` is the largest size of a file in bytes.  ``known`` says that the tab's word was
    heard, ``count`` how many pictures are here for it, and ``gone`` how many it lost.
    ``taken`` is another number each time that files were taken from the uploader.
    """
    data = {
        "limit": limit,
        "shown": shown,
        "known": known,
        "count": count,
        "gone": gone,
        "taken": taken,
        "server": _SERVER,
    }
    given = _mount(
        key=key,
        data=data,
        on_word_change=lambda: None,
        on_refused_change=lambda: None,
        on_gone_change=lambda: None,
    )
    word = given.word if isinstance(given.word, str) and given.word else None
    refused = given.refused if isinstance(given.refused, list) else []
    gone = given.gone if isinstance(given.gone, int) else 0
    return Said(word, tuple(str(each)[:_LONGEST] for each in refused[:20]), gone)
