"""Denoise a drawn digit: draw, corrupt, restore, compare."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from models.catalogue import Card, ModelError
from pages.components import controls, scores, widgets
from pages.components.canvas import CANVAS_SIDE
from pages.components.draw import controls as pickers
from pages.components.draw import settings
from pages.components.draw.bring_network import show_bring
from pages.components.draw.downloads import show_downloads
from pages.components.draw.restored import Restored, restore
from pages.components.draw.seen import seen
from pages.components.explain import show_about
from pages.components.layout import flush_to_browser, page_footer, page_setup
from pages.components.live import preview_noise
from pages.components.methods import usable_cards
from pages.components.settings import Setting, write_link
from pages.components.viewer import compare

page_setup(
    "Draw a digit",
    "Draw on the black square, add noise, and see how a neural network removes it. It learned from "
    "58,000 handwritten digits, none of them yours. New to this? "
    '<a href="./learn" target="_self">Start with lesson 1.</a>',
)


@st.fragment
def body() -> None:
    """The whole page, as a fragment: a slider redraws it without the page around it."""
    cards = usable_cards()
    table = settings.settings(cards)
    settings.open_link(table)

    # Ask
    with st.container(horizontal=True, gap="large"):
        draw_box = st.container(width=CANVAS_SIDE + 2)
        view_box = st.container(width="stretch")
    with draw_box:
        source, clean = pickers.pick_picture()
    viewer_box = view_box.container()
    controls_box = view_box.container()
    kind, strength, seed, name = pickers.chosen(cards)
    if clean is None:
        viewer_box.info(
            "The canvas is empty. Draw a digit on it, or start from one of the ready ones.",
            icon=":material/draw:",
        )
        show_controls(controls_box, cards, table)
        return

    # Compute
    try:
        restored = restore(source, clean, (kind, strength, seed), name, cards)
    except ModelError as problem:
        viewer_box.error(f"{problem} Choose another one below.", icon=":material/heart_broken:")
        show_controls(controls_box, cards, table)
        return
    readings = scores.read_digits(restored.pictures, cards)

    # Show
    with viewer_box:
        show_pictures(restored, readings, cards)
    flush_to_browser()
    show_controls(controls_box, cards, table)
    with view_box.container(key="settled_quality"):
        show_verdict(restored, readings)
    with view_box, st.container(horizontal=True):
        show_about(restored.method)
        show_downloads(
            restored.pictures,
            lambda: restored.by_every_method(cards),
            restored.reference,
            restored.settings,
        )
        widgets.reset_button(pickers.reset, table)
    with st.container(key="settled_methods"):
        show_all_methods(restored, cards)


def show_pictures(
    restored: Restored, readings: dict[str, scores.Reading], cards: dict[str, Card]
) -> None:
    """Draw the viewer, which previews in the browser while the slider moves."""
    noise = f"{restored.kind.title} noise, strength {restored.strength:g}"
    compare(
        restored.pictures,
        key="viewer",
        captions=scores.captions(restored.pictures, readings),
        alt={
            "Noisy": f"The same with {noise}",
            "Denoised": f"The result of {restored.method.title}",
        },
        preview=preview_noise(
            "draw_strength",
            restored.kind,
            restored.strength,
            restored.seed,
            restored.clean.shape,
            restored.method.card,
            cards.get(scores.READER),
        ),
    )


def show_verdict(restored: Restored, readings: dict[str, scores.Reading]) -> None:
    """Draw how good the result is, and say what is wrong with it."""
    if restored.reference is not None:
        scores.show_quality(restored.reference, restored.noisy, restored.denoised)
    scores.show_warnings(
        restored.method,
        restored.kind,
        restored.strength,
        restored.reference,
        restored.noisy,
        restored.denoised,
        readings,
    )


@st.fragment
def show_all_methods(restored: Restored, cards: dict[str, Card]) -> None:
    """Draw what every method makes of the picture, computed once somebody scrolls there."""
    st.header("All methods on this picture", anchor=False)
    st.caption(
        "For a fair comparison, the classical filters are given the true noise level, and the "
        "brightness bias that clipping adds to dark areas is removed."
    )
    if seen("draw_methods"):
        scores.show_all_methods(
            restored.by_every_method(cards),
            restored.reference,
            restored.noisy,
            restored.method.name,
        )


def show_controls(box: DeltaGenerator, cards: dict[str, Card], table: list[Setting]) -> None:
    """Draw what stands below the pictures, and put it into the link."""
    with box:
        controls.pick_noise(settings.PREFIX)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            controls.pick_seed(settings.PREFIX)
            controls.pick_method(cards, settings.PREFIX)
            show_bring(cards)
    write_link(table)


body()
page_footer(
    "Your drawing is deleted when you leave, unless you train a network: its run keeps the "
    "drawing to show progress on it. The address of this page contains every setting and the "
    "drawing: share it to show exactly this."
)
