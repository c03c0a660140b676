"""The code of a digit: its 10 numbers on sliders, a walk between two digits, a map of 2,000.

``digit (28, 28, 1) -> encoder -> 10 numbers -> decoder -> picture``

Digits are ``(28, 28, 1)``, ``float32`` in [0, 1]; codes are ``(10,)``, of many digits ``(N, 10)``.
"""

import numpy as np
import pandas as pd
import streamlit as st

from imaging.noise import NOISE_KINDS, NoiseKind
from models.catalogue import Card
from models.inspection.network import OpenedNetwork
from models.studies.codes import CodeMap
from pages.components import widgets
from pages.components.cached import (
    get_card,
    get_cards,
    get_code_map,
    get_inside,
    get_measured,
    get_thumbnails,
)
from pages.components.controls import ready_digit
from pages.components.explain import explain
from pages.components.gallery import show_gallery
from pages.components.inside import shared
from pages.components.inside.code_map import draw_map
from pages.components.inside.settings import MAPS, NUMBERS, code_from_text, code_to_text, write_link
from pages.components.live import follow_code
from pages.components.scores import READER, read_thumbnails

MODEL = "conv-code-10"
STEPS = 9  # of the walk, both ends included
SHARES = np.linspace(0, 1, 11)  # of the strongest noise, along the way on the map
HINTON = "Hinton and Salakhutdinov, Science 2006, doi:10.1126/science.1127647."
TSNE = "van der Maaten and Hinton, JMLR 9, 2008; nearest neighbours as in Cover and Hart, 1967."

STYLE = """
<style>
.st-key-code-decoded .lab-gallery, .st-key-code-noisy .lab-gallery {
  grid-template-columns: repeat(3, minmax(0, 10rem))}
[class*="st-key-code-walk"] .lab-gallery {grid-template-columns: repeat(9, minmax(0, 1fr));
  gap: .6rem}
@media (max-width: 640px) {
  /* The pictures stay in sight while a slider below them moves. */
  .stColumn:has(.st-key-code-decoded) {position: sticky; top: 3.75rem; z-index: 2;
    background: light-dark(#ffffff, #111716)}
  [class*="st-key-code-walk"] .lab-gallery {grid-template-columns: repeat(3, minmax(0, 1fr))}}
</style>
"""


def show(digit: np.ndarray) -> None:
    """Draw all that there is to do with the code of a clean digit ``(28, 28, 1)``."""
    card, code_map = get_card(MODEL), get_code_map()
    network = get_inside(card)
    st.html(STYLE)
    _show_sliders(card, digit, code_map)
    explain(
        "This network pushes every digit through 10 numbers, its code. The encoder turns the 784 "
        "pixels into these numbers, and the decoder has nothing else to draw the digit from. What "
        "the code has no number for, a serif or a tremble of the hand, is lost; what stays is what "
        "digits have in common. Move a slider and see what a number stands for. None of them was "
        "given a meaning: the network chose them so that most digits come out well.",
        {
            "Code": "The few numbers in the narrow middle of an autoencoder; also called the "
            "bottleneck, or the latent vector.",
            "Encoder": "The first half of the network: picture in, code out.",
            "Decoder": "The second half: code in, picture out. It never sees the picture.",
        },
        HINTON,
    )
    st.header("A walk from one digit to another", anchor=False)
    _show_walk(network, digit)
    st.header("A map of 2,000 codes", anchor=False)
    _show_map(card, digit, code_map, get_measured("codes"))


@st.fragment
def _show_sliders(card: Card, digit: np.ndarray, code_map: CodeMap) -> None:
    network = get_inside(card)
    own = network.encode(digit[np.newaxis])[0]
    low, high = slider_ends(code_map.codes, own)
    _begin_with(own, digit, low, high)
    picture_box, slider_box = st.columns([2, 3], gap="large")
    with slider_box:
        columns = st.columns(2, gap="medium")
        code = []
        for index in range(NUMBERS):
            with columns[index * 2 // NUMBERS]:
                code.append(
                    widgets.slider(
                        f"Number {index + 1}",
                        float(low[index]),
                        float(high[index]),
                        step=0.1,
                        format="%.1f",
                        key=f"code_{index}",
                        help=f"{own[index]:.1f} in this digit, {low[index]:.1f} to "
                        f"{high[index]:.1f} in 2,000 test digits.",
                    )
                )
        with st.container(horizontal=True):
            widgets.reset_button(_set_code, own, label="Back to this digit", key="code_back")
            st.button(
                "Random code",
                icon=":material/casino:",
                key="code_chance",
                help="Ten random numbers, spread and correlated as in the test digits. Most "
                "decode to something like a digit, though no one wrote it.",
                on_click=_set_chance,
                args=(code_map,),
            )
    decoded = network.decode(np.stack([own, np.array(code, np.float32)]))
    pictures = {"This digit": digit, "From its code": decoded[0], "From the sliders": decoded[1]}
    with picture_box, st.container(key="code-decoded"):
        show_gallery(read_thumbnails(pictures))
    follow_code(
        {f"code_{index}": value for index, value in enumerate(code)},
        ".st-key-code-decoded .lab-gallery > :last-child",
        card,
        network.code,
        get_cards()[0].get(READER),
    )
    shown = code_to_text(code)
    st.session_state.code_values = None if shown == code_to_text(own) else shown
    write_link()


@st.fragment
def _show_walk(network: OpenedNetwork, digit: np.ndarray) -> None:
    goal = widgets.pills(
        "Walk to",
        [*"0123456789"],
        key="code_goal",
        wrap=True,
    )
    end = ready_digit(goal)
    ways = {
        "through the code": walk(network, digit, end),
        "through the pixels": fade(digit, end),
    }
    st.markdown(
        "Both rows go from this digit to the other in equal steps. The upper one takes the steps "
        "in the 10 numbers and decodes each stop; the lower one fades one picture into the other. "
        "A fade shows two digits at once, each half as bright. On the way through the code strokes "
        "bend and close instead, and most stops could be somebody's digit."
    )
    for way, stops in ways.items():
        st.caption(f"The way {way}, with what the digit reader sees")
        with st.container(key=f"code-walk-{way.split()[-1]}"):
            show_gallery(
                read_thumbnails({_percent(i): stop for i, stop in enumerate(stops)}, what=way)
            )
    write_link()


@st.fragment
def _show_map(card: Card, digit: np.ndarray, code_map: CodeMap, measured: dict) -> None:
    network = get_inside(card)
    picked = shared.pick_noisy(digit)
    noisy, noise = picked.picture, picked.words
    method = widgets.by_title(widgets.segmented_control, "Map", MAPS, "code_map")
    kind = NOISE_KINDS[st.session_state.inside_noise]
    way = with_rising_noise(digit, kind, st.session_state.inside_seed)
    *codes, here = network.encode(np.concatenate([way, noisy[np.newaxis]]))
    decoded = network.decode(here[np.newaxis])[0]
    with st.container(key="code-noisy"):
        show_gallery(
            read_thumbnails({"This digit": digit, "With noise": noisy, "Decoded": decoded})
        )
    trail = pd.DataFrame(code_map.place(np.stack([*codes, here]), method), columns=["x", "y"])
    trail["strength"] = [*(kind.low + SHARES * (kind.high - kind.low)), np.nan]
    draw_map(code_map, get_thumbnails(card, method), method, trail, noise)
    nearest = measured["same_digit_nearest"]
    explain(
        "Each mark is one of 2,000 test digits, put where its 10 numbers are, flattened to two. "
        "The small pictures are decoded from the codes, so they show what the network kept, not "
        "what was written. PCA is a shadow of the ten dimensions and keeps "
        f"{sum(measured['variance_kept']):.0%} of their spread; t-SNE only cares that neighbours "
        "stay neighbours, and distances between its islands mean little. In all 10 numbers the "
        f"nearest code belongs to the same digit in {nearest['code']:.0%} of the cases, on the "
        f"t-SNE map in {nearest['tsne']:.0%}, on the PCA map in {nearest['pca']:.0%}. The orange "
        "line is this digit as the noise above rises to its strongest, the ring where it is now: "
        "the encoder sees through the noise and the digit stays where it is, until it does not.",
        {
            "PCA": "Principal component analysis: looks along the directions in which the codes "
            "differ most. New codes are projected exactly.",
            "t-SNE": "Arranges points in the plane so that near ones stay near. It has no rule for "
            "new points, so this digit is placed between its five nearest codes on the map.",
            "Nearest neighbour": "Of all other digits the one whose numbers differ least.",
            "Test digits": "Digits of MNIST that no network here has seen in training.",
        },
        TSNE,
    )
    write_link()


def walk(network: OpenedNetwork, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the pictures ``(STEPS, 28, 28, 1)`` on the straight way between the two codes."""
    first, last = network.encode(np.stack([start, end]))
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[:, np.newaxis]
    return network.decode((1 - share) * first + share * last)


def fade(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return ``(STEPS, 28, 28, 1)`` mixtures of the two pictures."""
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[:, np.newaxis, np.newaxis, np.newaxis]
    return (1 - share) * start + share * end


def with_rising_noise(digit: np.ndarray, kind: NoiseKind, seed: int) -> np.ndarray:
    """Return the digit with the same pattern of noise from weakest to strongest, clipped.

    What comes back is ``(11, 28, 28, 1)``.
    """
    strengths = kind.low + SHARES * (kind.high - kind.low)
    return np.stack([shared.corrupt(digit, kind, float(each), seed) for each in strengths])


def slider_ends(codes: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lowest and highest value of each number, to tenths; ``own`` is within them."""
    every = np.vstack([codes, own]).astype(float)  # A float32 tenth can lie below a slider's.
    return np.floor(every.min(axis=0) * 10) / 10, np.ceil(every.max(axis=0) * 10) / 10


def _begin_with(own: np.ndarray, digit: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Set the sliders to the code of a new digit, or at first to what the link says."""
    if st.session_state.get("code_of") != digit.tobytes():
        linked = None if "code_of" in st.session_state else st.session_state.code_values
        st.session_state.code_of = digit.tobytes()
        wanted = np.array(code_from_text(linked)) if linked else own
        reached = np.clip(wanted, low, high)
        if np.abs(wanted - reached).max() > 0.05:  # More than is lost to tenths.
            st.warning(
                "The code in the link is beyond the range of the sliders. They are set as close "
                "to it as possible.",
                icon=":material/link_off:",
            )
        _set_code(reached)


def _set_code(code: np.ndarray | list[float]) -> None:
    for index, value in enumerate(code):
        st.session_state[f"code_{index}"] = round(float(value), 1)


def _set_chance(code_map: CodeMap) -> None:
    st.session_state.code_draws = draw = st.session_state.get("code_draws", 0) + 1
    _set_code(code_map.draw(np.random.default_rng(draw)))


def _percent(step: int) -> str:
    return f"{100 * step / (STEPS - 1):.0f} %"
