"""Pasting and dropping anywhere on the page, and what this tab of the browser had before."""

import secrets
from dataclasses import dataclass

from pages.components.component import component

_SERVER = secrets.token_hex(8)  # Another one after each start.
_LONGEST = 500  # characters of a sentence

_mount = component(__file__)


@dataclass(frozen=True)
class Said:
    """What the browser says: the tab's word, and how many pictures it had that are gone.

    ``too_large`` begins with a number that is another one each time, and has a sentence for each
    file that was not sent.  ``restarted`` says that the pictures went with the server, which was
    started again; else they were forgotten.
    """

    word: str | None
    too_large: tuple[str, ...]
    gone: int
    restarted: bool


def watch_tab(
    key: str,
    limit: int,
    shown: bool,
    known: bool,
    found: bool,
    count: int,
    told: bool,
    taken: list[tuple[str, str]],
) -> Said:
    """Draw the button, where it is ``shown``, and return what the browser says.

    ``limit`` is the largest size of a file in bytes.  ``known`` says that the tab's word was
    heard, ``found`` that it was known from before, ``count`` how many pictures are here for it,
    and ``told`` that it lost some.  ``taken`` are the files that can leave the uploader: a word of
    its own for each, and its name.
    """
    data = {
        "limit": limit,
        "shown": shown,
        "known": known,
        "found": found,
        "count": count,
        "told": told,
        "taken": taken,
        "server": _SERVER,
    }
    given = _mount(
        key=key,
        data=data,
        on_word_change=lambda: None,
        on_too_large_change=lambda: None,
        on_gone_change=lambda: None,
    )
    word = given.word if isinstance(given.word, str) and given.word else None
    too_large = given.too_large if isinstance(given.too_large, list) else []
    gone, restarted = given.gone if _is_loss(given.gone) else (0, False)
    return Said(word, tuple(str(each)[:_LONGEST] for each in too_large[:20]), gone, restarted)


def _is_loss(given: object) -> bool:
    """Whether it is a number of pictures, and why they are gone."""
    return isinstance(given, list) and [type(each) for each in given] == [int, bool]
