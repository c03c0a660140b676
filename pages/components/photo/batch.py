"""Several files at once: each denoised by itself, all taken away as one ZIP."""

import io
import zipfile
from collections.abc import Iterator

import streamlit as st

from imaging.files import Photo
from imaging.limits import PhotoError
from imaging.noise_level import estimate_level
from imaging.pixels import blend, png
from models.picture_queue import Watch
from pages.components.link import quoted
from pages.components.photo.methods import PhotoMethod
from pages.components.photo.source import open_file
from pages.components.photo.work import ask_for

MOST_MEGAPIXELS = 60
STEPS = 1000  # A picture is so many steps of the progress, whatever its tiles.


def show_all_files(files: list, method: PhotoMethod, brightness: float, colour: float) -> None:
    """Offer to denoise all files as they are; each gets the level that is estimated for it."""
    if len(files) < 2:
        return
    st.subheader(f"All {len(files)} files", anchor=False)
    wanted = st.toggle(
        f"Denoise all with {method.title}",
        key="photo_batch",
        help="As they are, no noise is added. The level is estimated for each; the strength is the "
        "one set above. Names and sizes stay.",
    )
    if not wanted:
        return
    ids = tuple(getattr(file, "file_id", id(file)) for file in files)
    name = ("batch", ids, method.name, brightness, colour)
    made = ask_for(
        "photo_batch_job",
        name,
        lambda watch: denoise_all(files, method, brightness, colour, watch),
    )
    if made is None:
        return
    content, problems = made
    for problem in problems:
        st.warning(problem, icon=":material/broken_image:")
    if content:
        st.download_button(
            f"Download {len(files) - len(problems)} pictures (ZIP)",
            content,
            "denoised.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            type="primary",
        )


def denoise_all(
    files: list, method: PhotoMethod, brightness: float, colour: float, watch: Watch
) -> tuple[bytes, list[str]]:
    """Return a ZIP of denoised PNGs, empty if there are none, and a sentence for each failure."""
    packed, problems, names = io.BytesIO(), [], _unique_names()
    next(names)
    megapixels = 0.0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for index, file in enumerate(files):
            begun = index * STEPS
            watch(begun, len(files) * STEPS)
            try:
                photo = open_file(file)
            except PhotoError as problem:
                problems.append(f"{quoted(file.name)}: {problem}")
                continue
            megapixels += photo.pixels.shape[0] * photo.pixels.shape[1] / 1e6
            if megapixels > MOST_MEGAPIXELS:
                problems.append(
                    f"{quoted(file.name)} and what follows are left out: together they have more "
                    f"than {MOST_MEGAPIXELS} megapixels. Denoise them in a second round."
                )
                problems += [f"{quoted(other.name)}: left out." for other in files[index + 1 :]]
                break

            def tell(done: int, total: int, begun: int = begun) -> None:
                watch(begun + STEPS * done // total, len(files) * STEPS)

            pixels = _denoised(photo, method, brightness, colour, tell)
            archive.writestr(f"{names.send(photo.name)}.png", png(pixels, photo.alpha))
    return (packed.getvalue() if len(problems) < len(files) else b""), problems


def _denoised(photo: Photo, method: PhotoMethod, brightness: float, colour: float, tell: Watch):
    denoised = method.denoise(photo.pixels, estimate_level(photo.pixels), tell)
    return blend(photo.pixels, denoised, brightness, colour)


def _unique_names() -> Iterator[str]:
    """A generator that is sent names and gives each back, with a number where it was there."""
    taken: set[str] = set()
    unique = ""
    while True:
        name = yield unique
        unique, number = name, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique.casefold())
