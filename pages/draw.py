"""Denoise a drawn digit: draw, corrupt, restore, compare."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from imaging import metrics
from imaging.noise import NoiseKind
from models.catalogue import Card, ModelError
from models.tasks.denoise_digits import TASK
from pages.components import controls, scores
from pages.components.cached import get_cards
from pages.components.draw import controls as pickers
from pages.components.draw import settings
from pages.components.draw.canvas import CANVAS_SIDE
from pages.components.draw.downloads import show_downloads
from pages.components.layout import flush_to_browser, page_footer, page_setup
from pages.components.live import preview_noise
from pages.components.methods import load_method, run_all
from pages.components.model_card import show_model_card
from pages.components.seen import seen
from pages.components.settings import Setting, write_link
from pages.components.viewer import compare

page_setup(
    "Draw a digit",
    "Draw on the black square, add noise, and see how a neural network removes it. The network "
    "learned from 58,000 handwritten digits, none of them yours.",
)


@st.fragment
def body() -> None:
    """The whole bench, as a fragment: a slider redraws it without the page around it."""
    cards, problems = get_cards()
    table = settings.settings(cards)
    settings.open_link(table)
    for problem in problems:
        st.warning(f"{problem} It is left out.", icon=":material/heart_broken:")

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
    noisy = np.clip(kind.corrupt(clean, strength, np.random.default_rng(seed)), 0, 1)
    sigma = metrics.rms(clean, noisy)
    try:
        method = load_method(TASK, name, cards, (kind.name, strength))
    except ModelError as problem:
        viewer_box.error(f"{problem} Choose another one below.", icon=":material/heart_broken:")
        show_controls(controls_box, cards, table)
        return
    denoised = method.run(noisy, sigma)

    # Show
    pictures = {"Original": clean, "Noisy": noisy, "Denoised": denoised}
    readings = scores.read_digits(pictures, cards)
    reference = clean
    if source == "nothing":
        reference = None
        del pictures["Original"]
    with viewer_box:
        noise = f"{kind.title} noise, strength {strength:g}"
        alt = {"Noisy": f"The same with {noise}", "Denoised": f"The result of {method.title}"}
        preview = preview_noise(
            "draw_strength",
            kind,
            strength,
            seed,
            clean.shape,
            method.card,
            cards.get(scores.READER),
        )
        compare(
            pictures,
            key="viewer",
            captions=scores.captions(pictures, readings),
            alt=alt,
            preview=preview,
        )
    flush_to_browser()
    show_controls(controls_box, cards, table)
    with view_box.container(key="settled_quality"):
        if reference is not None:
            scores.show_quality(reference, noisy, denoised)
        scores.show_warnings(method, kind, strength, reference, noisy, denoised, readings)
    chosen = {
        "picture": source,
        "noise": kind.name,
        "strength": strength,
        "seed": seed,
        "model": name,
    }
    with view_box, st.container(horizontal=True):
        show_model_card(method.card)
        show_downloads(
            pictures,
            lambda: run_all(TASK, cards, (kind.name, strength), noisy, sigma),
            reference,
            chosen,
        )
        st.button("Reset", icon=":material/restart_alt:", on_click=pickers.reset, args=(table,))
    with st.container(key="settled_methods"):
        all_methods(cards, kind, strength, noisy, sigma, reference, name)


@st.fragment
def all_methods(
    cards: dict[str, Card],
    kind: NoiseKind,
    strength: float,
    noisy: np.ndarray,
    sigma: float,
    clean: np.ndarray | None,
    chosen: str,
) -> None:
    """What every method makes of the picture, computed once somebody scrolls there."""
    st.subheader("All methods on this image", anchor=False)
    st.caption(
        "For a fair comparison, the classical filters are given the true noise level, and the "
        "brightness bias that clipping adds to dark areas is removed."
    )
    if seen("draw_methods"):
        results = run_all(TASK, cards, (kind.name, strength), noisy, sigma)
        scores.show_all_methods(results, clean, noisy, chosen)


def show_controls(box: DeltaGenerator, cards: dict[str, Card], table: list[Setting]) -> None:
    """Draw what stands below the pictures, and put it into the link."""
    with box:
        controls.pick_noise(settings.PREFIX)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            controls.pick_seed(settings.PREFIX)
            controls.pick_method(cards, settings.PREFIX)
    write_link(table)


body()
page_footer(
    "Your drawing is deleted when you leave, unless you train a network: its run keeps the "
    "drawing to show progress on it. The address of this page contains every setting and the "
    "drawing: share it to show exactly this."
)
