"""The order of pixels: shuffle them all, and see which network needs them to be neighbours.

``digit -> noise -> shuffle -> network for shuffled digits -> shuffle undone -> picture``

Digits are ``(28, 28, 1)``, ``float32`` in [0, 1].
"""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging import metrics
from models.studies.pixel_order import ORDERS, Order
from pages.components.cached import get_measured, get_order
from pages.components.explain import PSNR, explain, measured_on
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside import shared
from pages.components.inside.settings import write_link
from pages.components.layout import show_chart
from pages.components.scores import decibel, read_thumbnails
from train.config import count_parameters

NETWORKS = {"dense": "Dense", "convolutional": "Convolutional"}
ORDER_TITLES = {"ordered": "in order", "shuffled": "shuffled"}
SOURCE = (
    "LeCun et al., Proc. IEEE 1998, doi:10.1109/5.726791, section II: a fully connected network "
    "ignores the topology of its input. The shuffled digits are known as permuted MNIST "
    "(Goodfellow et al., arXiv:1312.6211)."
)

STYLE = """
<style>
.st-key-order-inputs .lab-gallery, .st-key-order-answers .lab-gallery {
  grid-template-columns: repeat(4, minmax(0, 11rem))}
@media (max-width: 640px) {
  .st-key-order-inputs .lab-gallery, .st-key-order-answers .lab-gallery {
    grid-template-columns: repeat(2, minmax(0, 1fr))}}
</style>
"""


def show(digit: np.ndarray) -> None:
    """Draw four denoisers' answers to a clean digit ``(28, 28, 1)`` with noise."""
    order, measured = get_order(), get_measured("order")
    neighbours = measured["neighbours"]
    parameters = {
        name: count_parameters(training["architecture"], training["settings"])
        for name, training in measured["training"].items()
    }
    st.html(STYLE)
    _show_answers(order, digit)
    explain(
        "Here all 784 pixels of every digit change places, always in the same way, and two of the "
        "four networks are trained on nothing else. To us the digit is gone. The dense network "
        "does not mind: its first layer flattens the picture into a list and ties every pixel to "
        "every hidden unit, so it never knew which pixels were neighbours. A convolution looks "
        "through a window of 3 × 3 pixels for edges and corners, and there are none left: in a "
        "digit, a pixel and its right neighbour have a correlation of "
        f"{neighbours['ordered']:.2f}, in a shuffled one of {neighbours['shuffled']:.2f}. This "
        "network also halves the picture twice, so that neighbours share what they know, and "
        "shuffled ones have nothing to share: it answers with a grey cloud. Flattening throws "
        "away where things are. Convolution is built on that, and so it does as well here with "
        f"{parameters['convolutional']:,} parameters as the dense network with "
        f"{parameters['dense']:,}.",
        {
            "Flattening": "Writing the rows of a picture one after another, as one long list.",
            "Dense": "A layer in which every input is tied to every output, each by a weight.",
            "Convolution": "The same small window of weights, moved over the whole picture.",
            "Permutation": "A change of order in which nothing is lost: it can be undone exactly.",
            "Correlation": "How closely two numbers rise and fall together; 1 is exactly.",
            "PSNR": PSNR,
        },
        SOURCE,
    )
    st.header("Measured on all test digits", anchor=False)
    _show_measured(measured)


@st.fragment
def _show_answers(order: Order, digit: np.ndarray) -> None:
    noisy = shared.pick_noisy(digit).picture
    show_inputs(order, digit, noisy)
    answers = {
        f"{title}, {ORDER_TITLES[name]}": order.denoise(noisy[np.newaxis], network, name)[0]
        for network, title in NETWORKS.items()
        for name in ORDERS
    }
    st.caption(
        "What each network answers. Those for shuffled digits were given the shuffled picture, and "
        "the pixels of their answer were put back into place, so that we can see it."
    )
    with st.container(key="order-answers"):
        show_gallery(read_thumbnails(answers, digit))
    write_link()


def show_inputs(order: Order, digit: np.ndarray, noisy: np.ndarray) -> None:
    """Draw the digit and its noisy version as they are and as the other networks see them."""
    shuffled = order.arrange(np.stack([digit, noisy]), "shuffled")
    lines = (f"noisy: {decibel(metrics.psnr(digit, noisy))}",)
    with st.container(key="order-inputs"):
        show_gallery(
            [
                Thumbnail("This digit", digit, ("784 pixels",), "The digit"),
                Thumbnail("Shuffled", shuffled[0], ("the same 784",), "The digit, pixels shuffled"),
                Thumbnail("With noise", noisy, lines, "The digit with noise"),
                Thumbnail("With noise, shuffled", shuffled[1], lines, "The same, pixels shuffled"),
            ]
        )


def _show_measured(measured: dict) -> None:
    rows = pd.DataFrame(measured["rows"])
    rows = rows.assign(
        title=rows["network"].map(NETWORKS),
        pixels="pixels " + rows["order"].map(ORDER_TITLES),
        gain=rows["psnr"] - measured["noisy_psnr"],
    )
    st.markdown(summary(rows))
    bars = alt.Chart(rows).encode(
        y=alt.Y("title:N", title=None, sort=list(NETWORKS.values())),
        yOffset=alt.YOffset("pixels:N"),
        x=alt.X("gain:Q", title="gain in PSNR over the noisy digits (dB)"),
        color=alt.Color("pixels:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("title:N", title="network"),
            alt.Tooltip("pixels:N", title="trained on"),
            *shared.PSNR_AND_READ,
        ],
    )
    labels = bars.mark_text(align="left", dx=6, fontSize=13).encode(
        text=alt.Text("gain:Q", format="+.2f")
    )
    show_chart(
        (bars.mark_bar() + labels).properties(height=240),
        key="order-measured",
        alt=summary(rows),
    )
    epochs = {name: training["epochs"] for name, training in measured["training"].items()}
    st.caption(
        f"Mean over {measured['pictures']:,} test digits with Gaussian noise of strength "
        f"{measured['noise'][1]:g}; the noisy digits themselves have "
        f"{measured['noisy_psnr']:.2f} dB. Both networks of a kind were trained alike: "
        f"{epochs['dense']} epochs for the dense ones, {epochs['convolutional']} for the "
        f"convolutional ones. {measured_on(measured)}"
    )


def summary(rows: pd.DataFrame) -> str:
    """Return what shuffling costs each network, in a sentence."""
    psnr = rows.set_index(["network", "order"])["psnr"]
    lost = {name: psnr[name, "ordered"] - psnr[name, "shuffled"] for name in NETWORKS}
    dense = f"{lost['dense']:.2f} dB" if lost["dense"] >= 0.005 else "nothing"
    return (
        f"Shuffling costs the convolutional network {lost['convolutional']:.2f} dB and the dense "
        f"one {dense}."
    )
