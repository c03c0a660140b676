"""Where a photo comes from: a sample, a file, the clipboard, the camera."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from imaging.files.limits import PhotoError
from imaging.files.reading import Photo, read_photo
from imaging.samples.photo_samples import PHOTO_SAMPLES
from pages.components import widgets
from pages.components.cached import get_picture_cache, get_uploads
from pages.components.link import quoted
from pages.components.photo import own
from pages.components.photo.bring import watch_tab
from pages.components.picture_cache import GAVE_WAY, Owner
from pages.components.sending.uploads import release
from pages.components.tabs import Brought

# What is made of a sample is the same for all who set the same: it is made and kept once.
EVERYBODY = Owner()
SOURCES = {"sample": "Sample", "upload": "Upload", "camera": "Camera"}
LOST = "A file was lost on its way here because the server restarted. Add it again."
RESTARTED = (
    "The server restarted in the meantime, and {} lost: pictures are never written to a disk. "
    "Add {} again."
)
FORGOTTEN = "{} unused for an hour, or the server needed the room for other visitors. Add {} again."
LARGE = 12_000_000  # bytes
# What a page makes of a picture to show it, beside it and in bytes: some of the whole, most of no
# more than a section.
MADE_OF_IT, MOST_MADE = 9, 40_000_000
MOST_REFUSALS = 5  # sentences; a folder that was dropped may hold hundreds of files


@dataclass(frozen=True)
class Picture:
    """An opened photo, and the name and the owner under which all that is made of it is kept.

    ``open`` opens it again, where it had to give way meanwhile.
    """

    photo: Photo
    name: str
    owner: Owner
    open: Callable[[], Photo]


@dataclass(frozen=True)
class ChosenFile:
    """One of the visitor's pictures, and what they chose for it: which of several, stretched.

    It holds no content: whatever waits with it would hold more than all may bring.
    """

    digest: str
    name: str
    owner: Owner
    plane: int = 0
    stretch: bool = False

    @property
    def made_of(self) -> str:
        """How the names of all begin that is made of it."""
        return f"{own.made_of(self.digest)} {self.plane} {self.stretch}"

    def open(self) -> Photo:
        """Open it; raise ``PhotoError`` with a sentence where that cannot be done."""
        content = get_uploads().get(self.owner, self.digest)
        if content is None:
            raise PhotoError(GAVE_WAY)
        return read_photo(content, self.name, plane=self.plane, stretch=self.stretch)


@dataclass(frozen=True)
class Before:
    """What was shown before pictures came, as settings and in words, and which ones there were."""

    settings: dict
    words: str | None
    pictures: tuple[Brought, ...]

    @property
    def shown(self) -> tuple:
        """The source, and which of the visitor's pictures."""
        return self.settings["photo_source"], self.settings["photo_shown"]


@dataclass
class Taking:
    """The names of the files that were taken, by Streamlit's word for each.

    ``before`` is not None while some are being taken.  ``showing`` are the picture that was shown
    before and the one that is now, until the browser has heard of it: what it sends earlier, such
    as that the uploader is empty, may name the one of before once more.
    """

    names: dict[str, str] = field(default_factory=dict)
    before: Before | None = None
    showing: tuple[str, str] | None = None


def pick_photo(take: Callable[[int], None]) -> tuple[Picture | None, list[Brought]]:
    """Ask for a picture; return it, None while there is none, and all that were brought.

    ``take`` waits until there is room for the bytes of one that the visitor has brought.
    """
    own.use()
    _take_what_came()
    _show_what_came()
    source = widgets.segments("Picture", SOURCES, "photo_source", on_change=_change_source)
    _draw_uploader(source)
    if source == "camera":
        st.camera_input("A picture from your camera", key="photo_shot")
    _say_what_happened(source)
    if source == "sample":
        return _pick_sample(), []
    brought = own.pictures()
    if not brought:
        return None, []
    return _open(_pick_own(brought), take), brought


def choose(picture: Brought) -> ChosenFile:
    """Return the picture with what the visitor chose for it, shown or not."""
    return ChosenFile(
        picture.digest,
        picture.name,
        own.owner(),
        st.session_state.get(_plane_key(picture), 1) - 1,
        st.session_state.get(_stretch_key(picture), False),
    )


def _draw_uploader(source: str) -> None:
    """Draw the uploader, which takes what is pasted and dropped too, wherever one is."""
    # The same elements in the same place, seen or not: an upload on its way must not be lost.
    display = "flex" if source == "upload" else "none"
    st.html(f"<style>.st-key-photo-uploader {{display: {display}}}</style>")
    with st.container(key="photo-uploader"):
        st.file_uploader(
            "Add pictures",
            accept_multiple_files=True,
            key="photo_files",
            help="Several files can be denoised at once and downloaded as one ZIP. They can also "
            "be pasted or dropped anywhere on the page.",
        )
        said = watch_tab(
            "photo_bring",
            own.LARGEST_FILE,
            source == "upload",
            "photo_word" in st.session_state,
            st.session_state.get("photo_found", False),
            len(own.tab().pictures),
            "photo_gone" in st.session_state,
            _taken_in_uploader(),
        )
    if said.word and st.session_state.get("photo_word") != said.word:
        st.session_state.photo_found = own.recognise(said.word)
        st.session_state.photo_word = said.word
        st.rerun()  # What it had, or that it has lost it, is to be said above.
    if said.too_large != st.session_state.get("photo_said_too_large", ()):
        st.session_state.photo_too_large = [
            f"{quoted(name)}: {why}"
            for name, _, why in (s.rpartition(": ") for s in said.too_large[1:])
        ]
        st.session_state.photo_said_too_large = said.too_large
    if said.gone:
        st.session_state.photo_gone = _loss(said.gone, said.restarted)


def _say_what_happened(source: str) -> None:
    """Say what was refused, what is gone, and what is shown now in place of what."""
    refused = chain(*(st.session_state.get(f"photo_{why}", []) for why in ("too_large", "refused")))
    if sentences := list(refused):
        said, more = sentences[:MOST_REFUSALS], len(sentences) - MOST_REFUSALS
        said += [f"… and {more} more."] if more > 0 else []
        st.error("\n\n".join(said), icon=":material/broken_image:")
    gone = st.session_state.get("photo_gone")
    if gone and source != "sample":
        st.warning(gone, icon=":material/restart_alt:")
    undo = st.session_state.get("photo_undo")
    if undo is not None and source != "sample":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(undo[0])
            st.button("Undo", icon=":material/undo:", on_click=_undo, key="photo_undo_button")


def _loss(gone: int, restarted: bool) -> str:
    """Say how many pictures are gone, and why."""
    one = gone == 1
    if restarted:
        words = ("your picture was", "it") if one else (f"your {gone} pictures were", "them")
        return RESTARTED.format(*words)
    mine = "Your picture was" if one else f"Your {gone} pictures were"
    return FORGOTTEN.format(mine, "it" if one else "them")


def _pick_sample() -> Picture:
    titles = {name: sample.title for name, sample in PHOTO_SAMPLES.items()}
    name = widgets.chips("Sample", titles, "photo_sample", on_change=_change_sample)
    st.caption(PHOTO_SAMPLES[name].description)
    made_of = f"sample {name}"
    opened = partial(_opened, EVERYBODY, made_of, lambda: Photo(PHOTO_SAMPLES[name].load(), name))
    return Picture(opened(), made_of, EVERYBODY, opened)


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
            on_change=_change_shown,
        )
        forgets = "Removes this picture and everything made from it."
        widgets.remove_button(_remove, shown, help=forgets, key="photo_remove")
        if len(brought) > 1:
            st.button("Remove all", on_click=_remove, key="photo_remove_all")
    return by_digest[shown]


def _open(shown: Brought, take: Callable[[int], None]) -> Picture | None:
    """Open the picture, and ask which of several it is to be, and whether it is to be stretched."""
    chosen = choose(shown)
    opened = partial(_opened, own.owner(), chosen.made_of, chosen.open)
    try:
        size = opened().size  # Whoever waits for room holds no pixels meanwhile.
        with st.spinner("Waiting for other pictures …") if size > LARGE else nullcontext():
            take(size + min(MADE_OF_IT * size, MOST_MADE))
        photo = opened()
    except PhotoError as problem:
        st.error(f"{quoted(shown.name)}: {problem}", icon=":material/broken_image:")
        return None
    if photo.planes > 1:
        widgets.slider("Image in this file", 1, photo.planes, key=_plane_key(shown))
    if photo.faint:
        widgets.toggle(
            "Stretch it to its range",
            key=_stretch_key(shown),
            help="The darkest value becomes black and the brightest white, as ImageJ shows it.",
        )
    for note in photo.notes:
        st.caption(f":material/info: {note}")
    return Picture(photo, chosen.made_of, own.owner(), opened)


def _opened(owner: Owner, name: str, open: Callable[[], Photo]) -> Photo:
    """Return a photo that is opened, now or before."""
    return get_picture_cache().get_or_make(
        owner, name, open, lambda photo: photo.size, soon_made=True
    )


def _plane_key(picture: Brought) -> str:
    return f"photo_plane_{picture.digest}"


def _stretch_key(picture: Brought) -> str:
    return f"photo_stretch_{picture.digest}"


def _take_what_came() -> None:
    """Take over what the uploader and the camera hold, before what shows it is drawn.

    No callback does this: where the browser sends something during a run, Streamlit breaks it
    off, and a callback that it breaks off is never called again.  A run is: what was not taken
    to the end is taken then, from the beginning.
    """
    taking = _taking()
    files = [file for file in _uploaded() if file.file_id not in taking.names]
    if files:
        _take(files, taking)
    shot = st.session_state.get("photo_shot")
    if shot is not None and shot.file_id not in taking.names:
        _take([shot], taking, "camera")


def _show_what_came() -> None:
    """Show it still where the browser, which has not heard of it yet, has sent what was before."""
    taking = _taking()
    if taking.showing is not None:
        before, now = taking.showing
        stale = st.session_state.get("photo_shown") == before
        if stale:
            st.session_state.photo_shown = now  # This run tells the browser again.
        if stale or not _taken_in_uploader():
            taking.showing = None


def _taking() -> Taking:
    return st.session_state.setdefault("photo_taking", Taking())


def _uploaded() -> list:
    """The files that the uploader shows, those too that Streamlit has forgotten."""
    return st.session_state.get("photo_files") or []


def _taken_in_uploader() -> list[tuple[str, str]]:
    """What can leave the uploader: Streamlit's words for the files, and their names."""
    names = _taking().names
    return [(file.file_id, names[file.file_id]) for file in _uploaded() if file.file_id in names]


def _take(files: list, taking: Taking, source: str = "upload") -> None:
    """Keep the files, show the first of them, and remember what was shown before."""
    before = taking.before = taking.before or _before()
    there = [file for file in files if not isinstance(file, DeletedFile)]
    if source == "camera":
        shots = sum(each.name.startswith("camera") for each in before.pictures)
        for number, shot in enumerate(there, shots + 1):
            shot.name = f"camera-{number}.jpg"
    new, refused = own.bring(there)
    st.session_state.photo_refused = refused + [LOST] * (len(there) < len(files))
    _forget_gone()
    if new and (source, new[0].digest) != before.shown:
        st.session_state.photo_source = source
        st.session_state.photo_shown = new[0].digest
        _forget_undo()
        _expect_noise()
        had = {each.digest for each in before.pictures}
        arrived = [each.digest for each in new if each.digest not in had]
        if before.words:
            label = quoted(own.labels()[new[0].digest])
            text = f"{label} is shown now, in place of {before.words}."
            st.session_state.photo_undo = text, before.settings, arrived
    was, now = before.settings["photo_shown"], st.session_state.get("photo_shown")
    # From here on nothing asks for the session, where a run may be broken off.
    taking.names.update({file.file_id: getattr(file, "name", "") for file in files})
    taking.before, taking.showing = None, (was, now) if was and was != now else None
    release(there)  # What is kept is in the visitor's own list.


def _before() -> Before:
    names = ("photo_source", "photo_shown", "photo_sample", "photo_task")
    settings = {name: st.session_state.get(name) for name in names}
    if settings["photo_source"] == "sample":
        words = f"the sample {PHOTO_SAMPLES[settings['photo_sample']].title}"
    else:
        label = own.labels().get(settings["photo_shown"])
        words = None if label is None else quoted(label)
    return Before(settings, words, tuple(own.pictures()))


def _undo() -> None:
    """Show again what was shown before the last pictures came, and forget these; a callback."""
    _, before, arrived = st.session_state.photo_undo
    _taking().showing = None
    for name, value in before.items():
        if value is not None:
            st.session_state[name] = value
    for digest in arrived:
        own.remove(digest)
    _forget_undo()  # Last: where this is broken off, the button is still there.


def _remove(digest: str | None = None) -> None:
    """Forget a picture, or all; a callback."""
    own.remove_all() if digest is None else own.remove(digest)
    if not own.pictures():
        st.session_state.photo_batch = False  # What comes next is another errand.
    st.session_state.photo_refused = st.session_state.photo_too_large = []
    _forget_gone()
    _forget_undo()


def _forget_gone() -> None:
    """Say no more of what is gone; that it was said stays known."""
    if "photo_gone" in st.session_state:
        st.session_state.photo_gone = ""


def _forget_undo() -> None:
    """Something else was chosen since; a callback."""
    st.session_state.pop("photo_undo", None)


def _change_source() -> None:
    """Another source was chosen; a callback.

    Or the browser has sent the one of before, as it has not heard yet that a picture came: until
    it has, what came can be undone.
    """
    if not _taken_in_uploader():
        _forget_undo()
    _expect_noise()


def _change_shown() -> None:
    """Another picture was chosen, or the browser has sent the one of before; a callback."""
    if _taking().showing is None:
        _forget_undo()


def _change_sample() -> None:
    """Another sample was chosen; a callback."""
    _forget_undo()
    _expect_noise()


def _expect_noise() -> None:
    """Somebody's own picture is noisy already, most samples are clean."""
    sample = PHOTO_SAMPLES.get(st.session_state.photo_sample)
    noisy = sample is not None and sample.noisy
    clean = st.session_state.photo_source == "sample" and not noisy
    st.session_state.photo_task = "add" if clean else "noisy"
