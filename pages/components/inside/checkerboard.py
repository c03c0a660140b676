"""The section "Checkerboard": two ways to enlarge maps, and the pattern that one of them leaves.

``noisy (28, 28, 1) -> last maps and answer of two networks -> spectra, energy at period 2``

Digits are ``(28, 28, 1)`` and maps ``(H, W, C)``, ``float32``; digits are in [0, 1].
"""

import numpy as np
import streamlit as st

from imaging.spectrum import period_two_share, period_two_shares, spectra
from models.inspection.arithmetic import strongest_first
from models.inspection.network import OpenedNetwork
from pages.components.cached import get_card, get_inside
from pages.components.explain import explain
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside.layers import find_shades
from pages.components.inside.shared import pick_noisy
from pages.components.layout import flush_to_browser

NETWORKS = {
    "conv-64-64-32": "Resize, then convolve",
    "conv-64-64-32-transposed": "Transposed convolution",
}
LAST_MAPS = "decoder_conv_1"  # The largest maps, right behind the last enlargement.
MAPS_SHOWN = 6
DECADES = 6.0  # From white to black in a spectrum.

WORDS = (
    "Both networks have the same layers and as many parameters; only the way to enlarge maps "
    "differs. A transposed convolution of stride 2 stamps its 3 × 3 kernel at every other pixel, "
    "so that some pixels are covered once, some twice and some four times: a checkerboard. "
    "Repeating every pixel and then convolving covers all pixels alike. In the spectrum the "
    "pattern is a bright corner and bright middles of the edges, because it repeats every two "
    "pixels. "
)
VERDICT = (
    "Here {transposed:.1%} of the energy in the last maps is at period 2, against {resized:.1%} "
    "without transposed convolution. In the finished picture it is {picture:.2%}: training has "
    "taught the last convolution to smooth the pattern away."
)
TERMS = {
    "Transposed convolution": "Every value of the small map is multiplied by the kernel, and the "
    "products are laid on the large map two pixels apart; where they overlap, they add up.",
    "Resize-convolution": "Each value is repeated as a 2 × 2 block, followed by an ordinary "
    "convolution.",
    "Spectrum": "How much of a picture is made of waves of each length and direction: slow changes "
    "in the middle, those from pixel to pixel at the edges. Brighter means stronger, on a "
    "logarithmic scale.",
    "Energy at period 2": "The share of a map's variance in the three patterns that repeat every "
    "two pixels: stripes across, stripes down, and the checkerboard.",
}
SOURCE = (
    "Odena, Dumoulin and Olah, Deconvolution and Checkerboard Artifacts, Distill 2016, "
    "doi:10.23915/distill.00003"
)


def show(digit: np.ndarray) -> None:
    """Write the section for this clean digit."""
    # Ask
    picked = pick_noisy(digit)
    noisy, noise = picked.picture, picked.words
    networks = {name: get_inside(get_card(name)) for name in NETWORKS}

    # Compute
    maps, answers = {}, {}
    for name, network in networks.items():
        maps[name], answers[name] = last_maps(network, noisy)

    # Show
    loudest = max(float(spectra(answer).max()) for answer in answers.values())
    loudest_map = max(float(spectra(each).mean(axis=-1).max()) for each in maps.values())
    for name, box in zip(NETWORKS, st.columns(2, gap="large"), strict=True):
        with box:
            st.header(NETWORKS[name], anchor=False)
            show_numbers(maps[name], answers[name])
            show_pictures(name, answers[name], maps[name], noise, loudest, loudest_map)
            show_last_maps(name, maps[name])
    flush_to_browser()
    resized, transposed = (period_two_share(maps[name]) for name in NETWORKS)
    picture = period_two_share(answers["conv-64-64-32-transposed"])
    verdict = VERDICT.format(transposed=transposed, resized=resized, picture=picture)
    explain(WORDS + verdict, TERMS, SOURCE)


def last_maps(network: OpenedNetwork, noisy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last maps ``(H, W, C)`` before the answer, and the answer ``(H, W, 1)``."""
    end = list(network.layers)[-1]
    found = network.feature_maps(noisy[np.newaxis], [LAST_MAPS, end])
    return found[LAST_MAPS][0], found[end][0]


def as_picture(energy: np.ndarray, loudest: float) -> np.ndarray:
    """Return a spectrum ``(H, W, 1)`` as greys: ``loudest`` is white, a millionth of it black."""
    share = np.maximum(energy / (loudest or 1), 10**-DECADES)
    return (1 + np.log10(share) / DECADES).astype(np.float32).clip(0, 1)


def show_numbers(maps: np.ndarray, answer: np.ndarray) -> None:
    """Draw how much energy lies at period 2."""
    with st.container(horizontal=True):
        st.metric(
            "Period 2, last maps",
            f"{period_two_share(maps):.1%}",
            help=TERMS["Energy at period 2"],
        )
        st.metric(
            "Period 2, finished picture",
            f"{period_two_share(answer):.2%}",
            help=TERMS["Energy at period 2"],
        )


def show_pictures(
    name: str,
    answer: np.ndarray,
    maps: np.ndarray,
    noise: str,
    loudest: float,
    loudest_map: float,
) -> None:
    """Draw the answer, its spectrum, and that of the last maps."""
    title = NETWORKS[name].lower()
    show_gallery(
        [
            Thumbnail(
                "Denoised",
                np.clip(answer, 0, 1),
                (),
                f"What the network with {title} makes of the digit with {noise}",
            ),
            Thumbnail(
                "Its spectrum",
                as_picture(spectra(answer), loudest),
                (f"period 2: {period_two_share(answer):.2%}",),
                f"Spectrum of the picture, {title}: {period_two_share(answer):.2%} at period 2",
            ),
            Thumbnail(
                "Spectrum of the last maps",
                as_picture(spectra(maps).mean(axis=-1, keepdims=True), loudest_map),
                (f"period 2: {period_two_share(maps):.1%}",),
                f"Mean spectrum of the last maps, {title}: {period_two_share(maps):.1%} at "
                "period 2",
            ),
        ]
    )


def show_last_maps(name: str, maps: np.ndarray) -> None:
    """Draw the strongest maps right behind the last enlargement."""
    shades = find_shades("layer", LAST_MAPS, {LAST_MAPS: maps})
    shares = period_two_shares(maps)
    st.caption(f"The {MAPS_SHOWN} strongest of the {maps.shape[-1]} last maps")
    show_gallery(
        Thumbnail(
            f"Map {index + 1}",
            shades.of(maps[..., index : index + 1]),
            (f"period 2: {shares[index]:.1%}",),
            f"Map {index + 1} of the last maps, {NETWORKS[name].lower()}: {shares[index]:.1%} of "
            "its energy at period 2",
        )
        for index in strongest_first(maps[np.newaxis])[:MAPS_SHOWN]
    )
