"""Where a photo comes from: a sample, a file, the clipboard, the camera."""

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from imaging.files.limits import PhotoError
from imaging.files.reading import Photo, read_photo
from imaging.samples.photo_samples import PHOTO_SAMPLES
from pages.components import widgets
from pages.components.cached import get_picture_cache
from pages.components.link import quoted
from pages.components.photo import own
from pages.components.photo.bring import watch_tab
from pages.components.tabs import Brought

SOURCES = {"sample": "Sample", "upload": "Upload", "camera": "Camera"}
GONE = (
    "The server was started again in the meantime, and {} with it: pictures are never written "
    "to a disk. Add {} once more."
)


@dataclass(frozen=True)
class Picture:
    """An opened photo and the name under which all that is made of it is kept."""

    photo: Photo
    name: str


def pick_photo() -> tuple[Picture | None, list[Brought]]:
    """Ask for a picture; return it, None while there is none, and all that were brought."""
    source = widgets.segmented_control(
        "Picture",
        list(SOURCES),
        format_func=SOURCES.get,
        key="photo_source",
        label_visibility="collapsed",
        on_change=_expect_noise,
    )
    _take_what_comes(source)
    if source == "camera":
        st.camera_input("A picture from your camera", key="photo_shot", on_change=_take_shot)
    _say_what_happened(source)
    if source == "sample":
        return _pick_sample(), []
    brought = own.pictures()
    if not brought:
        return None, []
    return _open(_pick_own(brought)), brought


def open_file(file) -> Photo:
    """Open an uploaded file; raise ``PhotoError`` with a sentence where that cannot be done."""
    file.seek(0)
    return read_photo(file, file.name)


def _take_what_comes(source: str) -> None:
    """Draw the uploader, which takes what is pasted and dropped too, wherever one is."""
    # The same elements in the same place, seen or not: an upload on its way must not be lost.
    display = "flex" if source == "upload" else "none"
    st.html(f"<style>.st-key-photo-uploader {{display: {display}}}</style>")
    with st.container(key="photo-uploader"):
        st.file_uploader(
            "Add pictures",
            accept_multiple_files=True,
            key="photo_files",
            on_change=_take_files,
            help="Several files can be denoised at once and taken away as one ZIP. They can be "
            "pasted and dropped anywhere on the page, too.",
        )
        said = watch_tab(
            "photo_bring",
            own.LARGEST_FILE,
            source == "upload",
            "photo_word" in st.session_state,
            len(own.tab().pictures),
            st.session_state.get("photo_gone", 0),
            len(st.session_state.get("photo_taken", ())),
        )
    if said.word and st.session_state.get("photo_word") != said.word:
        st.session_state.photo_word = said.word
        own.recognise(said.word)
        st.rerun()  # What it had, or that it has lost it, is to be said above.
    if said.refused:
        st.session_state.photo_refused = [
            f"{quoted(name)}: {why}" for name, _, why in (s.rpartition(": ") for s in said.refused)
        ]
    if said.gone:
        st.session_state.photo_gone = said.gone


def _say_what_happened(source: str) -> None:
    """Say what was refused, what is gone, and what is shown now in place of what."""
    for sentence in st.session_state.get("photo_refused", []):
        st.error(sentence, icon=":material/broken_image:")
    gone = st.session_state.get("photo_gone", 0)
    if gone and source != "sample" and not own.pictures():
        words = ("your picture went", "it") if gone == 1 else (f"your {gone} pictures went", "them")
        st.warning(GONE.format(*words), icon=":material/restart_alt:")
    undo = st.session_state.get("photo_undo")
    if undo is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(undo[0])
            st.button("Undo", icon=":material/undo:", on_click=_undo, key="photo_undo_button")


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
    st.caption(PHOTO_SAMPLES[name].description)
    pixels = get_picture_cache().get_or_make(
        own.owner(), ("sample", name), PHOTO_SAMPLES[name].load, lambda pixels: pixels.nbytes
    )
    return Picture(Photo(pixels, name), f"sample {name}")


def _pick_own(brought: list[Brought]) -> Brought:
    """Ask which of the visitor's pictures to show, and offer to remove it."""
    by_digest = {picture.digest: picture for picture in brought}
    if st.session_state.get("photo_shown") not in by_digest:
        st.session_state.photo_shown = brought[0].digest
    labels = own.labels()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = widgets.selectbox(
            "Your picture" if len(brought) == 1 else f"Shown, of your {len(brought)} pictures",
            list(by_digest),
            format_func=lambda digest: labels.get(digest, digest),
            key="photo_shown",
            on_change=_forget_undo,
        )
        st.button(
            "Remove",
            icon=":material/delete:",
            on_click=_remove,
            args=(shown,),
            help="Forgets this picture and all that was made of it.",
            key="photo_remove",
        )
        if len(brought) > 1:
            st.button("Remove all", on_click=_remove, key="photo_remove_all")
    return by_digest[shown]


def _open(chosen: Brought) -> Picture | None:
    """Open the picture with what the visitor chose for it: which of several, stretched."""
    plane_key, stretch_key = (f"photo_{what}_{chosen.digest}" for what in ("plane", "stretch"))
    plane = st.session_state.get(plane_key, 1) - 1
    stretch = st.session_state.get(stretch_key, False)
    name = f"{own.made_of(chosen.digest)} {plane} {stretch}"

    def read() -> Photo:
        file = own.open_file(chosen)
        if file is None:
            raise PhotoError(
                "It had to give way to pictures of other visitors. Remove it and add it once more."
            )
        return read_photo(file, file.name, plane=plane, stretch=stretch)

    try:
        photo = get_picture_cache().get_or_make(own.owner(), name, read, lambda photo: photo.size)
    except PhotoError as problem:
        st.error(f"{quoted(chosen.name)}: {problem}", icon=":material/broken_image:")
        return None
    if photo.planes > 1:
        widgets.slider("Image in this file", 1, photo.planes, key=plane_key)
    if photo.faint:
        widgets.toggle(
            "Stretch it to its range",
            key=stretch_key,
            help="The darkest value becomes black and the brightest white, as ImageJ shows it.",
        )
    for note in photo.notes:
        st.caption(f":material/info: {note}")
    return Picture(photo, name)


def _take_files() -> None:
    """Take over what the uploader was given; a callback."""
    taken = st.session_state.setdefault("photo_taken", set())
    files = [file for file in st.session_state.photo_files or [] if file.file_id not in taken]
    if files:
        taken.update(file.file_id for file in files)
        _take(files)
        _release(files)


def _release(files: list) -> None:
    """Let Streamlit forget its copies: what is kept is in the visitor's own list."""
    context = get_script_run_ctx()
    if context is not None:
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def _take_shot() -> None:
    """Take over a picture from the camera; a callback."""
    shot = st.session_state.photo_shot
    if shot is not None:
        taken = sum(each.name.startswith("camera") for each in own.pictures())
        shot.name = f"camera-{taken + 1}.jpg"
        _take([shot], "camera")


def _take(files: list, source: str = "upload") -> None:
    """Keep the files, show the first of them, and remember what was shown before."""
    before = {
        name: st.session_state.get(name)
        for name in ("photo_source", "photo_shown", "photo_sample", "photo_task")
    }
    had, instead = {each.digest for each in own.pictures()}, _shown_in_words(before)
    new, refused = own.bring(files)
    st.session_state.photo_refused = refused
    st.session_state.photo_gone = 0
    if not new:
        return
    st.session_state.photo_source = source
    st.session_state.photo_shown = new[0].digest
    _expect_noise()
    arrived = [each.digest for each in new if each.digest not in had]
    if instead:
        text = f"{quoted(own.labels()[new[0].digest])} is shown now, in place of {instead}."
        st.session_state.photo_undo = text, before, arrived
    else:
        _forget_undo()


def _shown_in_words(before: dict) -> str | None:
    """What was on the screen, None where that was nothing."""
    if before["photo_source"] == "sample":
        return f"the sample {PHOTO_SAMPLES[before['photo_sample']].title}"
    label = own.labels().get(before["photo_shown"])
    return None if label is None else quoted(label)


def _undo() -> None:
    """Show again what was shown before the last pictures came, and forget these; a callback."""
    _, before, arrived = st.session_state.pop("photo_undo")
    for digest in arrived:
        own.remove(digest)
    for name, value in before.items():
        if value is not None:
            st.session_state[name] = value


def _remove(digest: str | None = None) -> None:
    """Forget a picture, or all; a callback."""
    own.remove_all() if digest is None else own.remove(digest)
    st.session_state.photo_refused = []
    _forget_undo()


def _forget_undo() -> None:
    """Something else was chosen since; a callback."""
    st.session_state.pop("photo_undo", None)


def _expect_noise() -> None:
    """Somebody's own picture is noisy already, most samples are clean; a callback."""
    _forget_undo()
    sample = PHOTO_SAMPLES[st.session_state.photo_sample]
    clean = st.session_state.photo_source == "sample" and not sample.noisy
    st.session_state.photo_task = "add" if clean else "noisy"
