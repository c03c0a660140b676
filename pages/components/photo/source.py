"""Where a photo comes from: a sample, a file, the clipboard, the camera."""

import hashlib
from dataclasses import dataclass

import streamlit as st

from imaging.files import Photo, read_photo
from imaging.limits import PhotoError
from imaging.photo_samples import PHOTO_SAMPLES
from pages.components import widgets
from pages.components.cached import get_shelf
from pages.components.link import quoted
from pages.components.photo.paste import paste_picture
from pages.components.picture_cache import Owner

SOURCES = {"sample": "Sample", "upload": "Upload", "camera": "Camera"}
TYPES = ["jpg", "jpeg", "jfif", "png", "webp", "tif", "tiff", "bmp", "gif"]
MOST_FILES = 20


@dataclass(frozen=True)
class Picture:
    """An opened photo and the name under which all that is made of it is kept."""

    photo: Photo
    name: str


def owner() -> Owner:
    """Return what stands for this visitor; it goes with the session."""
    return st.session_state.setdefault("photo_owner", Owner())


def pick_photo() -> tuple[Picture | None, list]:
    """Ask for a picture; return it, None while there is none, and all files that were given."""
    source = widgets.segmented_control(
        "Picture",
        list(SOURCES),
        format_func=SOURCES.get,
        key="photo_source",
        label_visibility="collapsed",
        on_change=_expect_noise,
    )
    if source == "sample":
        return _pick_sample(), []
    files = _pick_files() if source == "upload" else _take_picture()
    if not files:
        return None, []
    chosen = files[0]
    if len(files) > 1:
        chosen = st.selectbox(
            f"Shown, of {len(files)} files",
            files,
            format_func=lambda file: file.name,
            key="photo_shown",
        )
    return _open(chosen), files


def open_file(file) -> Photo:
    """Open an uploaded file; raise ``PhotoError`` with a sentence where that cannot be done."""
    file.seek(0)
    return read_photo(file, file.name)


def _pick_sample() -> Picture:
    name = widgets.pills(
        "Sample",
        list(PHOTO_SAMPLES),
        format_func=lambda name: PHOTO_SAMPLES[name].title,
        key="photo_sample",
        wrap=True,
        label_visibility="collapsed",
        on_change=_expect_noise,
    )
    st.caption(PHOTO_SAMPLES[name].explain)
    pixels = get_shelf().get_or_make(
        owner(), ("sample", name), PHOTO_SAMPLES[name].load, lambda pixels: pixels.nbytes
    )
    return Picture(Photo(pixels, name), f"sample {name}")


def _pick_files() -> list:
    files = st.file_uploader(
        "Your pictures",
        TYPES,
        accept_multiple_files=True,
        key="photo_files",
        on_change=_take_files,
        help="Several files can be denoised at once and taken away as one ZIP.",
    )
    pasted = paste_picture("photo_paste")
    if pasted is not None:
        st.session_state.photo_pasted = pasted
        _expect_noise()
    if st.session_state.get("photo_pasted") is not None:
        files = [st.session_state.photo_pasted, *files]
        st.button("Remove the pasted picture", on_click=_take_files)
    if len(files) > MOST_FILES:
        st.warning(
            f"{len(files)} files were given; the first {MOST_FILES} are taken.",
            icon=":material/filter_none:",
        )
    return files[:MOST_FILES]


def _take_picture() -> list:
    shot = st.camera_input("A picture from your camera", key="photo_shot", on_change=_expect_noise)
    return [] if shot is None else [shot]


def _open(file) -> Picture | None:
    file.seek(0)
    name = f"file {hashlib.file_digest(file, 'blake2b').hexdigest()[:32]}"
    try:
        photo = get_shelf().get_or_make(
            owner(), name, lambda: open_file(file), lambda photo: photo.size
        )
    except PhotoError as problem:
        st.error(f"{quoted(file.name)}: {problem}", icon=":material/broken_image:")
        return None
    for note in photo.notes:
        st.caption(f":material/info: {note}")
    return Picture(photo, name)


def _take_files() -> None:
    """What was uploaded last is shown, not what was pasted before; a callback."""
    st.session_state.pop("photo_pasted", None)
    _expect_noise()


def _expect_noise() -> None:
    """Somebody's own picture is noisy already, most samples are clean; a callback."""
    sample = PHOTO_SAMPLES[st.session_state.photo_sample]
    clean = st.session_state.photo_source == "sample" and not sample.noisy
    st.session_state.photo_task = "add" if clean else "noisy"
