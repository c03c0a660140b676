"""Pictures in work, kept for their visitors within one limit of memory for the whole server.

What no longer fits is removed, the longest unused first, and before all else what is soon made
again; all can be made again from what the visitor uploaded.  What belongs to a visitor is forgotten
with the visitor's session.
"""

import fcntl
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.picture_queue import Job

LIMIT = 160_000_000  # bytes: one visitor's photo of 12 megapixels, with noise and without
# Bytes, beyond which each visitor keeps only the few values that were used last: what the page
# shows; and nothing is kept for others that is soon made again.  Alone on a server one finds
# everything that was made before.
COMFORT = 50_000_000
# On Photo the picture, noisy, denoised, the quality of both, and what all methods make of it.
FEW = 6
# Bytes that are kept for others, from which on pixels are kept packed: fewer, and soon unpacked.
CROWDED = 25_000_000
WEBP_SIDE = 16383  # pixels, the longest that WebP can hold
KEPT_UNUSED = 900.0  # seconds
TO_BE_LOCKED = 30.0  # seconds from when a folder is made
GAVE_WAY = (
    "It was unused for an hour, or the server needed the room for other visitors. Remove it and "
    "add it again."
)
_NAME = re.compile(r"own-[0-9a-f]{16}")


class Owner:
    """Stands for a visitor; it lives in the session, and what it owns goes with it.

    On Photo it outlives the session, for an hour: there a reload finds what was made before.
    ``jobs`` are the visitor's in the queue, by the name of what they make, while somebody has them.
    """

    def __init__(self) -> None:
        self.jobs: weakref.WeakValueDictionary[Hashable, Job] = weakref.WeakValueDictionary()


class KeptFolder:
    """A folder that is deleted with this object; then ``deleted`` is called.

    It is locked as long as the object lives, and the system takes the lock back when the server is
    killed: so other servers know which folders are in use.
    """

    def __init__(self, path: Path, deleted: Callable[[], None]) -> None:
        lock = os.open(path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        weakref.finalize(self, _delete, path, lock, deleted)

    @staticmethod
    def new_path() -> Path:
        """Return where one can be made, under a name that nobody can guess."""
        return Path(tempfile.gettempdir()) / f"own-{secrets.token_hex(8)}"


def clear_left_over() -> None:
    """Delete the folders of ``KeptFolder`` that killed servers have left."""
    for folder in Path(tempfile.gettempdir()).glob("own-*"):
        with suppress(OSError):
            about = folder.lstat()
            ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
            if _NAME.fullmatch(folder.name) and ours and not _is_in_use(folder, about.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


class Packed:
    """A picture ``uint8 (H, W, 1 or 3)`` without loss, in fewer bytes."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._channels, file = pixels.shape[2], io.BytesIO()
        one = pixels[..., 0] if self._channels == 1 else pixels
        Image.fromarray(one).save(file, "WEBP", lossless=True, quality=0, method=0)
        self._content = file.getvalue()
        self.nbytes = len(self._content)

    def unpacked(self) -> np.ndarray:
        """Return the picture."""
        with Image.open(io.BytesIO(self._content)) as picture:
            pixels = np.array(picture.convert("L" if self._channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], self._channels)

    @staticmethod
    def takes(value: object) -> bool:
        """Whether it is such a picture."""
        return (
            isinstance(value, np.ndarray)
            and value.dtype == np.uint8
            and value.ndim == 3
            and value.shape[2] in (1, 3)
            and max(value.shape) <= WEBP_SIDE
        )


# A value, its bytes, when it was used last, and whether it is soon made again.
_Entry = tuple[Any, int, float, bool]


class PictureCache:
    """Values with their size in bytes, by owner and name."""

    def __init__(
        self,
        limit: int = LIMIT,
        kept_unused: float = KEPT_UNUSED,
        comfort: int | None = None,
        few: int = FEW,
    ) -> None:
        self._limit, self._kept_unused, self._lock = limit, kept_unused, threading.Lock()
        self._comfort, self._few = limit if comfort is None else comfort, few
        self._entries: OrderedDict[tuple[int, Hashable], _Entry] = OrderedDict()
        self._owners: set[int] = set()
        self._gone: deque[int] = deque()  # Owners whose values are still to be forgotten.

    def get(self, owner: Owner, name: Hashable) -> Any | None:
        """Return the value, None where it was never there or was put away."""
        with self._lock:
            self._forget_gone()
            entry = self._entries.pop((id(owner), name), None)
            if entry is None:
                return None
            self._entries[id(owner), name] = (*entry[:2], time.monotonic(), entry[3])
        return entry[0].unpacked() if isinstance(entry[0], Packed) else entry[0]

    def put(
        self, owner: Owner, name: Hashable, value: Any, size: int, soon_made: bool = False
    ) -> None:
        """Keep the value; others are put away where it does not fit beside them.

        One that is ``soon_made`` again gives way before all others.  Pixels that are not are kept
        ``Packed`` where much is kept for others.
        """
        if not soon_made and Packed.takes(value) and self._is_crowded(id(owner)):
            value = Packed(value)
            size = value.nbytes
        with self._lock:
            self._forget_gone()
            if id(owner) not in self._owners:
                self._owners.add(id(owner))
                weakref.finalize(owner, self._owner_is_gone, id(owner))
            self._entries.pop((id(owner), name), None)
            self._entries[id(owner), name] = (value, size, time.monotonic(), soon_made)
            self._make_room(id(owner))

    def forget(self, owner: Owner, begins: str) -> None:
        """Put away all whose name, or its first part, begins so."""
        with self._lock:
            for key in list(self._entries):
                if key[0] == id(owner) and _first(key[1]).startswith(begins):
                    del self._entries[key]

    def forget_unused(self) -> None:
        """Put away all that nobody has asked for since ``kept_unused`` seconds."""
        too_old = time.monotonic() - self._kept_unused
        with self._lock:
            self._forget_gone()
            for name, (_, _, used, _) in list(self._entries.items()):
                if used < too_old:
                    del self._entries[name]

    def get_or_make(
        self,
        owner: Owner,
        name: Hashable,
        make: Callable[[], Any],
        size: Callable[[Any], int],
        soon_made: bool = False,
    ) -> Any:
        """Return the value, made and kept where it is not there; see ``put``."""
        value = self.get(owner, name)
        if value is None:
            value = make()
            self.put(owner, name, value, size(value), soon_made)
        return value

    @property
    def size(self) -> int:
        """The bytes of all that is kept."""
        with self._lock:
            self._forget_gone()
            return self._size()

    def _is_crowded(self, owner: int) -> bool:
        with self._lock:
            entries = self._entries.items()
            return sum(each[1] for name, each in entries if name[0] != owner) > CROWDED

    def _size(self) -> int:
        return sum(size for _, size, _, _ in self._entries.values())

    def _make_room(self, owner: int) -> None:
        """Put away what is too much, for what this owner has put here."""
        too_old = time.monotonic() - self._kept_unused
        size, counts = self._size(), Counter(owner for owner, _ in self._entries)
        for soon_made_first in (True, False):
            for name, (_, bytes_of_it, used, soon_made) in list(self._entries.items()):
                of_others = size > self._comfort and name[0] != owner
                goes = soon_made and (size > self._limit or of_others)
                if not soon_made_first:
                    more = size > self._comfort and counts[name[0]] > self._few
                    goes = used < too_old or size > self._limit or more
                if goes and len(self._entries) > 1:
                    del self._entries[name]
                    size, counts[name[0]] = size - bytes_of_it, counts[name[0]] - 1

    def _owner_is_gone(self, owner: int) -> None:
        """Forget what it owned, at once or, where the cache is in use, at the next occasion.

        The garbage collector calls this at any moment, even in the middle of a method of the same
        thread.
        """
        self._gone.append(owner)
        if self._lock.acquire(blocking=False):
            try:
                self._forget_gone()
            finally:
                self._lock.release()

    def _forget_gone(self) -> None:
        while self._gone:
            owner = self._gone.popleft()
            self._owners.discard(owner)
            for name in [name for name in self._entries if name[0] == owner]:
                del self._entries[name]


def _delete(path: Path, lock: int, deleted: Callable[[], None]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)
    deleted()


def _is_in_use(folder: Path, made: float) -> bool:
    """Whether a server has locked a folder, or may be about to."""
    if made > time.time() - TO_BE_LOCKED:
        return True
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _first(name: Hashable) -> str:
    return str(name[0] if isinstance(name, tuple) and name else name)
