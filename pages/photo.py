"""Denoise a photo: open it, corrupt it or take it as it is, restore, compare."""

from collections.abc import Callable

import streamlit as st

from imaging.pixels import blend
from models.catalogue import Card, ModelError
from models.methods import find_method
from models.tasks.denoise_photos import TASK
from pages.components import widgets
from pages.components.cached import get_picture_room, get_predictor
from pages.components.explain import show_about
from pages.components.layout import page_footer, page_setup
from pages.components.methods import usable_cards
from pages.components.photo import controls, results, settings
from pages.components.photo.batch import show_all_files
from pages.components.photo.downloads import pick_form, show_downloads
from pages.components.photo.source import Picture, pick_photo
from pages.components.photo.work import (
    bands,
    denoise,
    estimated_noise,
    qualities,
    residual,
    to_take_away,
    with_noise,
)
from pages.components.settings import forget_problems, reset, write_link

page_setup(
    "Denoise a photo",
    "Open a noisy photo, or add noise to a clean one, and compare a neural network with classical "
    "filters.",
)


def body(take: Callable[[int], None]) -> None:
    """The whole page, from the picture to the numbers; ``take`` waits for room for the picture."""
    cards = usable_cards()
    table = settings.settings(cards)
    settings.open_link(table)

    # Ask
    picture, files = pick_photo(take)
    if picture is None:
        st.info(
            "Choose a picture above, paste one, or drop it anywhere on this page. JPEG, PNG, "
            "TIFF, HEIC, WebP, AVIF, JPEG 2000, GIF, BMP and other formats can be opened.",
            icon=":material/add_photo_alternate:",
        )
        write_link(table)
        return
    adds_noise = controls.pick_task()
    clean = picture.photo.pixels if adds_noise else None
    viewer_box = st.container()
    noise, noisy, level, name, careful, shares = pick_how(picture, adds_noise, cards)
    write_link(table)

    # Compute
    try:
        method = find_method(TASK, name, cards, get_predictor, careful=careful)
    except ModelError as problem:
        viewer_box.error(f"{problem} Choose another one below.", icon=":material/heart_broken:")
        return
    with viewer_box:
        view_box = st.container()
        denoised = denoise(picture, noise, method, level)
    result = None if denoised is None else blend(noisy, denoised, *shares)

    # Show
    with view_box:
        place = results.show_pictures(picture.photo, clean, noisy, result, method, denoised, shares)
    if result is None:
        return
    forget_problems("photo")
    with st.container(key="settled_quality"):
        if clean is None:
            results.show_residual(residual(picture, method, level, shares, noisy, result))
        else:
            quality = qualities(picture, noise, method, level, shares, place, noisy, result)
            results.show_quality(*quality, method)
    with st.container(horizontal=True):
        show_about(method)
        form = pick_form(picture.photo, own_values=clean is None)
        show_downloads(picture, to_take_away(picture, noise, method, level, shares), form)
        widgets.reset_button(reset, table)
    show_all_files(files, method, *shares, form)
    results.show_all_methods(picture, clean, noisy, level, cards)


def pick_how(picture: Picture, adds_noise: bool, cards: dict[str, Card]) -> tuple:
    """Ask for noise, method and how much of its answer to take.

    Returns the noise, None where none is added; the noisy pixels and their level; the name of the
    method and whether it is to take care; and the shares for brightness and colour.
    """
    *noise_box, method_box, strength_box = st.columns(3 if adds_noise else 2, gap="large")
    if adds_noise:
        with noise_box[0]:
            noise = controls.pick_photo_noise()
            noisy, level = with_noise(picture, *noise)
    else:
        noise = None
        noisy, level = estimated_noise(picture)
    with method_box:
        name = controls.pick_photo_method(cards)
        careful = controls.pick_care(name in cards)
        how = controls.AS_ADDED if adds_noise else controls.ESTIMATED
        level = controls.pick_level(level, how, (picture.name, adds_noise))
        if not adds_noise:
            controls.say_bands(*bands(picture))
    with strength_box:
        shares = controls.pick_shares(picture.photo.pixels.shape[2])
    return noise, noisy, level, name, careful, shares


with get_picture_room().taking() as take_room:
    body(take_room)
page_footer(
    "Your pictures stay in the server's memory, at most an hour after they were last used, or "
    "until you remove them. They are never written to a disk, and nobody else can see them."
)
