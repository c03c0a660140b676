"""The section "Skip connections": the U-Net with a switch at each of its bridges.

``noisy (28, 28, 1), switches -> denoised, what is left of the error, PSNR``

Digits are ``(28, 28, 1)``, ``float32`` in [0, 1].
"""

from collections.abc import Sequence
from itertools import product

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging import metrics
from models.inspection.network import OpenedNetwork
from pages.components.cached import get_card, get_inside
from pages.components.controls import pick_skips
from pages.components.explain import PSNR, explain
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside.shared import SKIPS, pick_noisy
from pages.components.layout import GREY, flush_to_browser, show_chart
from pages.components.live import follow_skips
from pages.components.scores import decibel

NETWORK = "unet"
WORDS = (
    "On its way down a U-Net pools three times, so that its bottom sees the whole digit but only "
    "4 × 4 places of it. A skip connection takes the maps from before a pooling and hands them to "
    "the way back, where they are joined to the maps that come from below. Switch one off and "
    "zeros arrive in its place. The outermost one carries the fine detail: without it the strokes "
    "come out faint and blurred. The network was trained with all of them and never "
    "learned to do without, so what you see is how much it relies on each, not the best that a "
    "network without it could do."
)
TERMS = {
    "Skip connection": "A way around the middle of a network: maps of the way down are joined to "
    "the maps of the same size on the way up.",
    "Encoder and decoder": "The way down, on which maps get smaller and more, and the way back up.",
    "Residual": "The difference of two pictures. Here: the answer minus the original, that is, "
    "the error that is left. Grey means no error, white too bright, black too dark.",
    "PSNR": PSNR,
}
SOURCE = (
    "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; the "
    "network here is ours, with fewer filters"
)
SIZES = {"skip_1": "28 × 28, the finest", "skip_2": "14 × 14", "skip_3": "7 × 7, the coarsest"}


def show(digit: np.ndarray) -> None:
    """Write the section for this clean digit."""
    # Ask
    card = get_card(NETWORK)
    network = get_inside(card)
    st.markdown("**Skip connections**")
    off = set(SKIPS) - set(st.session_state.skips_on)
    on = pick_skips(SIZES, off, "inside", _take_switches)
    picked = pick_noisy(digit)
    noisy = picked.picture

    # Compute
    settings = list(product((True, False), repeat=len(SKIPS)))
    answers = {setting: _denoise(network, noisy, setting) for setting in settings}
    trained, chosen = settings[0], tuple(name in on for name in SKIPS)

    # Show
    with st.container(key="skips-answers"):
        show_answers(digit, noisy, answers[trained], answers[chosen], on, picked.words)
    switches = {name: (f"inside_{name}", name in on) for name in SKIPS}
    follow_skips(picked, card, switches, ".st-key-skips-answers .lab-gallery")
    flush_to_browser()
    with st.container(key="settled_ranking"):
        show_ranking({each: metrics.psnr(digit, made) for each, made in answers.items()}, chosen)
    explain(WORDS, TERMS, SOURCE)


def show_answers(
    clean: np.ndarray,
    noisy: np.ndarray,
    trained: np.ndarray,
    switched: np.ndarray,
    on: Sequence[str],
    noise: str,
) -> None:
    """Draw the digit, its noisy version, both answers, and the error of the second."""
    words = _words(on)
    gain = metrics.psnr(clean, switched) - metrics.psnr(clean, trained)
    error = np.clip(0.5 + (switched - clean) / 2, 0, 1)
    show_gallery(
        [
            Thumbnail("Original", clean, (), "The digit without noise"),
            Thumbnail("Noisy", noisy, (_quality(clean, noisy),), f"The digit with {noise}"),
            Thumbnail(
                "As trained",
                trained,
                (_quality(clean, trained),),
                f"What the U-Net makes of it with all skip connections, {_quality(clean, trained)}",
            ),
            Thumbnail(
                "With your settings",
                switched,
                (_quality(clean, switched), f"{gain:+.1f} dB" if len(on) < len(SKIPS) else ""),
                f"What the U-Net makes of it with {words}, {_quality(clean, switched)}",
                chosen=True,
            ),
            Thumbnail(
                "Residual",
                error.astype(np.float32),
                ("answer minus original", "grey: no error"),
                f"The error of the answer with {words}: grey is none, white too bright, black "
                "too dark",
            ),
        ]
    )


def show_ranking(quality: dict[tuple[bool, ...], float], chosen: tuple[bool, ...]) -> None:
    """Draw the PSNR of all eight settings of the switches, the best first."""
    table = pd.DataFrame(
        {
            "switches": _words([name for name, on in zip(SKIPS, each, strict=True) if on]),
            "psnr": psnr,
            "chosen": each == chosen,
        }
        for each, psnr in quality.items()
    ).sort_values("psnr", ascending=False)
    names = alt.Axis(labelLimit=220, labelOverlap=False)
    bars = alt.Chart(table).encode(
        x=alt.X("psnr:Q", title="PSNR on this picture, dB"),
        y=alt.Y("switches:N", sort=list(table["switches"]), title=None, axis=names),
        tooltip=["switches", alt.Tooltip("psnr", title="PSNR, dB", format=".2f")],
    )
    listed = "; ".join(
        f"{row.switches}: {row.psnr:.1f} dB" for row in table.itertuples(index=False)
    )
    show_chart(
        alt.layer(
            bars.transform_filter(alt.datum.chosen).mark_bar(),
            bars.transform_filter(~alt.datum.chosen).mark_bar(color=GREY),
        ).properties(height=alt.Step(30)),
        key="inside-skips",
        alt=f"PSNR of this picture with each setting of the switches, the best first. {listed}.",
    )


def _denoise(network: OpenedNetwork, noisy: np.ndarray, setting: Sequence[bool]) -> np.ndarray:
    factors = {name: float(on) for name, on in zip(SKIPS, setting, strict=True)}
    return network.denoise(noisy[np.newaxis], factors)[0]


def _quality(clean: np.ndarray, other: np.ndarray) -> str:
    return f"PSNR {decibel(metrics.psnr(clean, other))}"


def _words(on: Sequence[str]) -> str:
    """Which skip connections are on, in words."""
    if len(on) == len(SKIPS):
        return "all on"
    if not on:
        return "all off"
    return "only " + " and ".join(SIZES[name].split(",")[0] for name in on)


def _take_switches() -> None:
    """Keep what the switches say; a callback."""
    state, before = st.session_state, st.session_state.skips_on
    # A switch can be heard of when the others have left the screen with their section.
    state.skips_on = [name for name in SKIPS if state.get(f"inside_{name}", name in before)]
