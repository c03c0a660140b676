"""The pictures that a visitor has brought, whatever their way in: one list, kept for an hour.

They outlive a visit to another page and a reload of this one.  Their bytes lie in a cache with a
limit for all visitors; what had to give way, or was lost when the server was started again, is
asked for once more.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO

import streamlit as st

from imaging.files.limits import EMPTY, PhotoError
from imaging.files.reading import read_photo, require_known
from pages.components.cached import get_picture_cache, get_tabs, get_uploads, get_zips
from pages.components.link import quoted
from pages.components.long_work import give_up
from pages.components.picture_cache import Owner
from pages.components.tabs import Brought, Tab

MOST_FILES = 20
LARGEST_FILE = 20_000_000  # Bytes, as the uploader's.
MOST_BYTES = 80_000_000  # Of one visitor's pictures.
# Files up to this size are opened when they come, to refuse them there and then.
OPENED_AT_ONCE = 500_000
# What is in work for the page, by its place there.
DENOISED, ALL_FILES, ALL_METHODS = "photo_job", "photo_batch_job", "photo_all_job"
SLOTS = DENOISED, ALL_FILES, ALL_METHODS


def tab() -> Tab:
    """Return what belongs to this tab of the browser."""
    return st.session_state.setdefault("photo_tab", Tab())


def owner() -> Owner:
    """Return what stands for this visitor."""
    return tab().owner


def recognise(word: str) -> bool:
    """Go on with what the tab had before it was loaded again; return whether it is known."""
    mine = tab()
    found = get_tabs().find(word, mine)
    if found is mine:
        return False
    for picture in mine.pictures:  # Brought in the instant before it was recognised.
        content = get_uploads().get(mine.owner, picture.digest)
        if content is not None:
            _keep(found, picture, content)
    st.session_state.photo_tab = found
    return True


def use() -> None:
    """Note that the tab is looked at, so that what it has is kept for another hour."""
    word = st.session_state.get("photo_word")
    if word:
        recognise(word)
    mine = tab()
    for picture in mine.pictures:
        get_uploads().get(mine.owner, picture.digest)


def pictures() -> list[Brought]:
    """Return the visitor's pictures in the order in which they came."""
    return list(tab().pictures)


def labels() -> dict[str, str]:
    """Return what tells each picture from the others, by its digest: names may be equal."""
    counts, seen, told = Counter(each.name for each in tab().pictures), Counter(), {}
    for picture in tab().pictures:
        seen[picture.name] += 1
        number = f" ({seen[picture.name]})" if counts[picture.name] > 1 else ""
        told[picture.digest] = f"{picture.name}{number}, {_in_words(picture.size)}"
    return told


def bring(files: Iterable[BinaryIO]) -> tuple[list[Brought], list[str]]:
    """Take files in; return those that are pictures, and a sentence for each that is refused."""
    new, refused = [], []
    for file in files:
        file.seek(0)
        content = file.read(LARGEST_FILE + 1)
        try:
            picture = _require_fit(content, file.name)
        except PhotoError as problem:
            refused.append(f"{quoted(file.name)}: {problem}")
            continue
        _keep(tab(), picture, content)
        new.append(picture)
    return new, refused


def made_of(digest: str) -> str:
    """Return how the names of all begin that is made of a picture."""
    return f"file {digest}"


def remove(digest: str) -> None:
    """Forget a picture, and all that was made of it or is being made; a callback."""
    for slot in SLOTS:
        give_up(slot)
    mine = tab()
    mine.pictures = [each for each in mine.pictures if each.digest != digest]
    get_uploads().forget(mine.owner, digest)
    get_picture_cache().forget(mine.owner, made_of(digest))
    get_zips().forget(mine.owner, "")


def remove_all() -> None:
    """Forget all pictures of this visitor; a callback."""
    for picture in pictures():
        remove(picture.digest)


def _require_fit(content: bytes, name: str) -> Brought:
    if not content:
        raise PhotoError(EMPTY)
    if len(content) > LARGEST_FILE:
        raise PhotoError(
            f"This file has more than {LARGEST_FILE // 1_000_000} MB, which is the most that can "
            "be opened here. Make the picture smaller, or save it as JPEG."
        )
    if len(content) <= OPENED_AT_ONCE:
        read_photo(content, name)
    else:
        require_known(content, name)
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    others = [each for each in tab().pictures if each.digest != digest]
    if len(others) >= MOST_FILES:
        raise PhotoError(f"There are {MOST_FILES} pictures already. Remove some of them first.")
    if sum(each.size for each in others) + len(content) > MOST_BYTES:
        raise PhotoError(
            f"Together with the others it has more than {MOST_BYTES // 1_000_000} MB. "
            "Remove some of them first."
        )
    return Brought(digest, name, len(content))


def _keep(mine: Tab, picture: Brought, content: bytes) -> None:
    mine.pictures = [each for each in mine.pictures if each.digest != picture.digest]
    mine.pictures.append(picture)
    get_uploads().put(mine.owner, picture.digest, content, len(content))


def _in_words(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
