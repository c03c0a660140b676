"""Several files at once: each denoised by itself, all taken away as one ZIP."""

import io
import logging
import zipfile

import streamlit as st

from imaging.files.limits import PhotoError
from imaging.pixels import blend
from models.methods import Method
from models.picture_queue import Cancelled, Watch
from models.tasks.contract import Network
from pages.components import widgets
from pages.components.cached import get_level_network, get_zips
from pages.components.link import quoted
from pages.components.photo.downloads import DEFAULT_FORM, FileForm
from pages.components.photo.own import ALL_FILES
from pages.components.photo.source import ChosenFile, choose
from pages.components.photo.work import estimated_level, result_of
from pages.components.tabs import Brought

MOST_MEGAPIXELS = 60
STEPS = 1000  # A picture counts as this many steps of the progress, whatever its tiles.


def show_all_files(
    brought: list[Brought], method: Method, brightness: float, colour: float, form: FileForm
) -> None:
    """Offer to denoise all files as they are; each gets the level that is estimated for it."""
    if len(brought) < 2:
        return
    st.header(f"All {len(brought)} files", anchor=False)
    wanted = widgets.toggle(
        f"Denoise all with {method.title}",
        key="photo_batch",
        help="Each file is denoised as it is, with its own estimated noise level and the amount "
        "of denoising set above. Names and sizes are kept.",
    )
    if not wanted:
        return
    # The name of its own content, so that it outlives a visit to another page.
    files = [choose(each) for each in brought]
    contents = tuple((each.made_of, each.name) for each in files)
    name = ("batch", contents, method.name, method.careful, brightness, colour, form)
    network = get_level_network()
    made = result_of(
        ALL_FILES,
        name,
        lambda watch: denoise_all(files, method, brightness, colour, watch, form, network),
        get_zips(),
    )
    if made is None:
        return
    content, problems = made
    for problem in problems:
        st.warning(problem, icon=":material/broken_image:")
    if content:
        st.download_button(
            f"Download {len(brought) - len(problems)} pictures (ZIP)",
            content,
            "denoised.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            type="primary",
        )


def denoise_all(
    files: list[ChosenFile],
    method: Method,
    brightness: float,
    colour: float,
    watch: Watch,
    form: FileForm = DEFAULT_FORM,
    network: Network | None = None,
) -> tuple[bytes, list[str]]:
    """Return a ZIP of denoised pictures, empty if there are none, and a sentence a failure.

    ``network`` reads the level of each.
    """
    packed, problems, megapixels = io.BytesIO(), [], 0.0
    names: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for index, file in enumerate(files):
            begun = index * STEPS
            watch(begun, len(files) * STEPS)
            try:
                photo = file.open()
            except PhotoError as problem:
                problems.append(f"{quoted(file.name)}: {problem}")
                continue
            megapixels += photo.pixels.shape[0] * photo.pixels.shape[1] / 1e6
            if megapixels > MOST_MEGAPIXELS:
                problems.append(
                    f"{quoted(file.name)} and the files after it are left out: together they have "
                    f"more than {MOST_MEGAPIXELS} megapixels. Denoise them in a second round."
                )
                problems += [f"{quoted(other.name)}: left out." for other in files[index + 1 :]]
                break

            def tell(done: int, total: int, begun: int = begun) -> None:
                watch(begun + STEPS * done // total, len(files) * STEPS)

            try:
                level = estimated_level(photo, network)
                pixels = blend(photo.best, method.run(photo.best, level, tell), brightness, colour)
                content = form.write(photo, pixels)
            except Cancelled:
                raise
            except ValueError as problem:
                problems.append(f"{quoted(file.name)}: {problem}.")
                continue
            except Exception:  # One picture that cannot be processed does not cost the others.
                logging.getLogger(__name__).exception("A picture of several failed.")
                problems.append(f"{quoted(file.name)} could not be processed: left out.")
                continue
            archive.writestr(f"{_unlike(photo.name, names)}{form.ending}", content)
    return (packed.getvalue() if len(problems) < len(files) else b""), problems


def _unlike(name: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken; from now on it is."""
    unique, number = name, 1
    while unique.casefold() in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(unique.casefold())
    return unique
