"""The visitor's pictures: a ZIP of images becomes small grey patches to train on.

Nothing in the archive is trusted: names are never used as paths, nothing is unpacked to disk,
and sizes, counts, pixels and time have limits, because a few kilobytes can unpack to gigabytes.
"""

import io
import re
import struct
import time
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import streamlit as st
from PIL import Image, ImageOps
from streamlit.runtime.uploaded_file_manager import UploadedFile

from imaging.digit_fit import SIDE
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo
from imaging.pixels import as_picture
from imaging.visible import on_paper
from models.host import a_turn
from pages.components import widgets
from pages.components.cached import get_uploads
from pages.components.picture_cache import GAVE_WAY, Owner
from pages.components.sending.uploads import release
from train.config import FEWEST_USER_PICTURES

# What systems leave in archives beside the files of their owners.
LEFT_BY_SYSTEMS = ("._", ".DS_Store", "Thumbs.db", "desktop.ini")
MOST_FILES = 2_000
LONGEST_ENTRY = 1_000  # bytes in the list of files, in the mean
_LONGEST_END = 2**16 + 22 + 20 + 56  # bytes: a comment, and the ends of the list in both forms
MOST_BYTES = 200_000_000  # of all files, unpacked
MOST_BYTES_A_FILE = 20_000_000
HIGHEST_RATIO = 200  # Pictures are packed already; what shrinks more than this is a trap.
MOST_PIXELS = 12_000_000  # of one picture; larger ones are reduced
MOST_SECONDS = 10.0  # of a processor, for all pictures
MOST_PATCHES = 10_000
MOST_PATCHES_A_PICTURE = 200
LIGHT = 160  # of 255: an edge that is lighter is paper
_PATCHES = "patches"
FLATTEST = 8  # of 255: a patch with less between its darkest and brightest pixel shows nothing


@dataclass(frozen=True)
class UserPictures:
    """Patches ``uint8 (N, 28, 28, 1)``, and from how many files they are.

    ``dark_on_light`` says that they look like ink on paper, which networks here do not know.
    The last ``unread`` files were left out, as reading the others had taken so long.
    """

    patches: np.ndarray
    used: int
    skipped: int
    dark_on_light: bool = False
    unread: int = 0


def pick_pictures() -> None:
    """Ask for a ZIP and keep what is in it for this session."""
    file = st.file_uploader(
        "A ZIP of pictures",
        type="zip",
        key="own-zip",
        help="PNG, JPEG and the like, at most 20 MB. They are turned grey, halved in size and cut "
        "into patches of 28 by 28 pixels; small pictures are used whole.",
    )
    if file is not None and st.session_state.get("own_zip") != file.file_id:
        _take(file)
    pictures = uploaded_pictures()
    if pictures is None and st.session_state.get("user_pictures") is not None:
        st.error(GAVE_WAY)
    elif words := st.session_state.get("own_words"):
        (st.error if pictures is None else st.success)(words)
    if pictures is not None:
        if st.session_state.get("own_dark_on_light"):
            widgets.toggle(
                "Your digits are dark on light. Invert them?",
                key="own_turned",
                help="The digits that networks here know are light on dark. Inverted, yours look "
                "like them.",
            )
            pictures = uploaded_pictures()
        sheet = pictures[:: max(1, len(pictures) // 16)][:16, ..., 0]
        st.image(np.concatenate(list(sheet), axis=1), "Some of them.", width="stretch")


def _take(file: UploadedFile) -> None:
    """Read a ZIP that came, and keep what is in it or why nothing is."""
    state = st.session_state
    try:
        own = read_zip(file)
    except ValueError as problem:
        state.user_pictures, state.own_words = None, str(problem)
    else:
        state.user_pictures, state.own_dark_on_light = keep(own.patches), own.dark_on_light
        state.own_turned, state.own_words = False, _what_was_taken(own)
    # Last: a run may be broken off wherever it asks for the session, and reads it once more then.
    state.own_zip = file.file_id
    release([file])


def keep(patches: np.ndarray) -> Owner:
    """Keep pictures beside what other visitors have brought; return what they live with."""
    owner = Owner()
    get_uploads().put(owner, _PATCHES, patches, patches.nbytes)
    return owner


def _what_was_taken(own: UserPictures) -> str:
    pictures = f"{own.used} pictures" if own.used > 1 else "1 picture"
    said = [f"{len(own.patches):,} patches from {pictures}."]
    if own.skipped:
        said.append(
            f"{own.skipped:,} files were not pictures."
            if own.skipped > 1
            else "1 file was not a picture."
        )
    if own.unread:
        last = f"The last {own.unread:,} files were" if own.unread > 1 else "The last file was"
        said.append(f"{last} left out, as reading all takes too long: make them smaller.")
    return " ".join(said)


def uploaded_pictures() -> np.ndarray | None:
    """Return the visitor's pictures, ``uint8 (N, 28, 28, 1)``, None while there are none."""
    owner = st.session_state.get("user_pictures")
    patches = None if owner is None else get_uploads().get(owner, _PATCHES)
    turned = patches is not None and st.session_state.get("own_turned", False)
    return 255 - patches if turned else patches


def read_zip(file: BinaryIO) -> UserPictures:
    """Cut the pictures of a ZIP into patches.

    Pictures are made grey; small ones become one patch, large ones are halved and cut into
    patches side by side.  What is not a picture is skipped, and what is left when the time is
    over is not read.

    Raises:
        ValueError: a sentence for the visitor, if it is not a ZIP, too large, locked, or has
            too few pictures in it, or too few that could be read in time.
    """
    try:
        with a_turn():
            _require_short_list(file)
            archive = zipfile.ZipFile(file)
        with archive:
            return _read(archive)
    # zipfile raises NotImplementedError for ways of packing that it does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise ValueError("This file is not a ZIP archive, or it is damaged.") from error


def _read(archive: zipfile.ZipFile) -> UserPictures:
    entries = [entry for entry in archive.infolist() if _is_its_owners(entry)]
    _require_harmless(entries)
    patches, total, used, skipped, unread = [], 0, 0, 0, 0
    began = time.thread_time()
    for number, entry in enumerate(entries):
        if time.thread_time() - began > MOST_SECONDS:
            unread = len(entries) - number
            break
        with a_turn():
            found = _patches_of(archive, entry)
        if len(found):
            used += 1
            patches.append(found[: MOST_PATCHES - total])
            total += len(patches[-1])
        else:
            skipped += 1
        if total >= MOST_PATCHES:
            break
    if total < FEWEST_USER_PICTURES and unread:
        raise ValueError("These pictures take too long to read. Make them smaller.")
    if total < FEWEST_USER_PICTURES:
        raise ValueError(
            f"At least {FEWEST_USER_PICTURES} patches of {SIDE} by {SIDE} pixels are needed, and "
            f"the {used} pictures in this archive give {total}. Add more or larger pictures."
        )
    every = np.concatenate(patches)
    dark_on_light = len(every) == used and _is_dark_on_light(every)
    return UserPictures(every, used, skipped, dark_on_light, unread)


def _is_its_owners(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a file that somebody packed, not one that a system left there."""
    *folders, name = entry.filename.split("/")
    return not entry.is_dir() and "__MACOSX" not in folders and not name.startswith(LEFT_BY_SYSTEMS)


def _is_dark_on_light(patches: np.ndarray) -> bool:
    """Whether most of the patches, each a whole picture, are light all around."""
    around = np.concatenate(
        [patches[:, 0, :, 0], patches[:, -1, :, 0], patches[:, :, 0, 0], patches[:, :, -1, 0]], 1
    )
    return float(np.mean(np.median(around, axis=1) > LIGHT)) > 0.5


def _require_short_list(file: BinaryIO) -> None:
    """Refuse an archive whose list of files takes long to read, before it is read.

    Source:
        APPNOTE.TXT of PKWARE, 4.3.14 and 4.3.16: the ends of the list, where its size stands.
    """
    file.seek(max(0, file.seek(0, io.SEEK_END) - _LONGEST_END))
    end = file.read()
    for start, at, form in ((b"PK\5\6", 12, "<I"), (b"PK\6\6", 40, "<Q")):
        for found in re.finditer(start, end):
            place = found.start() + at
            size = end[place : place + struct.calcsize(form)]
            # Where the short form has no room for it, the long one says it.
            if len(size) < struct.calcsize(form) or size == b"\xff\xff\xff\xff":
                continue
            if struct.unpack(form, size)[0] > MOST_FILES * LONGEST_ENTRY:
                raise ValueError(
                    f"There are too many files in this archive; at most {MOST_FILES:,} can be read."
                )


def _require_harmless(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES:
        raise ValueError(
            f"There are {len(entries):,} files in this archive; at most {MOST_FILES:,} can be read."
        )
    size = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if size > MOST_BYTES or any(entry.file_size > MOST_BYTES_A_FILE for entry in entries):
        raise ValueError(
            f"Unpacked, this archive would have {size / 1e6:,.0f} MB; at most "
            f"{MOST_BYTES / 1e6:.0f} MB are allowed, and {MOST_BYTES_A_FILE / 1e6:.0f} MB a file."
        )
    if size > 1_000_000 and size > HIGHEST_RATIO * packed:
        raise ValueError(
            "This archive unpacks to far more than pictures do; it is not read. Pack the pictures "
            "themselves, as PNG or JPEG."
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise ValueError("This archive is locked with a password. Pack the pictures without one.")


def _patches_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """The patches of one file, ``(0, 28, 28, 1)`` where it is not a picture."""
    nothing = np.empty((0, SIDE, SIDE, 1), np.uint8)
    try:
        with archive.open(entry) as packed:
            content = packed.read(MOST_BYTES_A_FILE + 1)
        if len(content) > MOST_BYTES_A_FILE:
            return nothing  # The archive said something else of it.
        photo = read_photo(content, entry.filename, MOST_PIXELS, stretch=True)
    except (PhotoError, zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError):
        return nothing
    if min(photo.pixels.shape[:2]) < 4:
        return nothing
    return _cut(np.asarray(_to_grey(on_paper(photo.pixels, photo.alpha))))


def _to_grey(pixels: np.ndarray) -> Image.Image:
    """Grey, at the size at which it is cut."""
    grey = as_picture(pixels).convert("L")
    if min(grey.size) >= 4 * SIDE:
        return grey.reduce(2)
    if min(grey.size) > 2 * SIDE:
        return grey
    return ImageOps.fit(grey, (SIDE, SIDE), Image.Resampling.BOX)  # A small picture is one patch.


def _cut(grey: np.ndarray) -> np.ndarray:
    """Patches side by side around the middle, evenly chosen where there are too many."""
    rows, columns = grey.shape[0] // SIDE, grey.shape[1] // SIDE
    top, left = (grey.shape[0] - rows * SIDE) // 2, (grey.shape[1] - columns * SIDE) // 2
    whole = grey[top : top + rows * SIDE, left : left + columns * SIDE]
    patches = whole.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 1)
    patches = patches[np.ptp(patches, axis=(1, 2, 3)) >= FLATTEST]
    if len(patches) > MOST_PATCHES_A_PICTURE:
        chosen = np.linspace(0, len(patches) - 1, MOST_PATCHES_A_PICTURE).round().astype(int)
        patches = patches[chosen]
    return patches
