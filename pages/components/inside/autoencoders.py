"""PCA beside the dense autoencoder: how much of a digit is left in 2, 4, ... 128 numbers.

``digit (28, 28, 1) -> PCA with k components, network with k hidden units -> two pictures``
"""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging.digit_fit import SIDE
from models.studies.autoencoders import WIDTHS, Pca
from models.studies.storage import DenseNetwork
from pages.components import widgets
from pages.components.cached import get_autoencoders, get_measured
from pages.components.explain import PSNR, explain, measured_on
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside.settings import write_link
from pages.components.inside.shared import PSNR_AND_READ
from pages.components.layout import show_chart
from pages.components.scores import read_thumbnails

TITLES = {"pca": "PCA", "dense": "Autoencoder"}
MEASURES = {"lost": ("lost", "{:.1%}"), "psnr": ("PSNR", "{:.1f} dB"), "read": ("read", "{:.1%}")}
SHOWN = 8  # components, and hidden units, that are drawn
SOURCE = (
    "Jolliffe and Cadima, Phil. Trans. R. Soc. A 2016, doi:10.1098/rsta.2015.0202; Baldi and "
    "Hornik, Neural Networks 1989, doi:10.1016/0893-6080(89)90014-2."
)

STYLE = """
<style>
.st-key-pca-one .lab-gallery {grid-template-columns: repeat(3, minmax(0, 11rem))}
[class*="st-key-pca-row"] .lab-gallery {grid-template-columns: repeat(7, minmax(0, 1fr));
  gap: .6rem}
[class*="st-key-pca-parts"] .lab-gallery {grid-template-columns: repeat(8, minmax(0, 1fr));
  gap: .6rem}
@media (max-width: 640px) {
  [class*="st-key-pca-row"] .lab-gallery, [class*="st-key-pca-parts"] .lab-gallery {
    grid-template-columns: repeat(4, minmax(0, 1fr))}}
</style>
"""


def show(digit: np.ndarray) -> None:
    """Draw what PCA and autoencoders of every width keep of a clean digit ``(28, 28, 1)``."""
    (networks, pca), measured = get_autoencoders(), get_measured("autoencoders")
    st.html(STYLE)
    _show_one(networks, pca, digit)
    explain(
        "Both methods keep only a few numbers of the 784 pixels and rebuild the digit from them. "
        "PCA finds the best flat subspace: a digit is the mean digit plus a certain amount of "
        "each component. The autoencoder learns its way down and back, and may bend it. Without "
        "its ReLU and sigmoid, and trained for the least squared error, it would end in PCA's own "
        "subspace, as was proved in 1989. The gap between the two curves below is what bending "
        "gains, minus what training failed to find. The fewer numbers are kept, the more digits "
        "turn into one another.",
        {
            "PCA": "Principal component analysis: the directions in which digits differ most, one "
            "at right angles to the other. It is computed in one step, without any training.",
            "Component": "One such direction: a picture that is added to the mean with a weight.",
            "Hidden unit": "One number in the middle of the network. Each is tied to all pixels.",
            "ReLU": "Passes positive numbers on and turns negative ones into 0.",
            "Sigmoid": "Squeezes any number into the range 0 to 1, as pixels need it.",
            "PSNR": PSNR,
        },
        SOURCE,
    )
    st.header("This digit at every width", anchor=False)
    _show_every(networks, pca, digit)
    st.header("Hidden units against information lost", anchor=False)
    _show_lost(measured)


@st.fragment
def _show_one(networks: Mapping[int, DenseNetwork], pca: Pca, digit: np.ndarray) -> None:
    width = widgets.select_slider(
        "Numbers to keep",
        WIDTHS,
        key="pca_width",
        help="Components of PCA, and hidden units of the autoencoder.",
    )
    batch = digit[np.newaxis]
    pictures = {
        "This digit": digit,
        f"PCA, {width} components": pca.rebuild(batch, width)[0],
        f"Autoencoder, {width} hidden units": networks[width].rebuild(batch)[0],
    }
    with st.container(key="pca-one"):
        show_gallery(read_thumbnails(pictures, digit))
    st.caption(
        f"What they are made of, the first {min(SHOWN, width)} of {width}: grey adds nothing, "
        "white adds light, black takes it away. The components are above; below is what each "
        "hidden unit adds when it is on."
    )
    parts = {
        "Component": pca.components[:width][:SHOWN],
        "Hidden unit": networks[width].decoder[:SHOWN],
    }
    for name, rows in parts.items():
        with st.container(key=f"pca-parts-{name.split()[0].lower()}"):
            show_gallery(
                Thumbnail(f"{index}", as_picture(row), (), f"{name} {index} as a picture")
                for index, row in enumerate(rows, start=1)
            )
    write_link()


def _show_every(networks: Mapping[int, DenseNetwork], pca: Pca, digit: np.ndarray) -> None:
    batch = digit[np.newaxis]
    rows = {
        "pca": {width: pca.rebuild(batch, width)[0] for width in WIDTHS},
        "dense": {width: network.rebuild(batch)[0] for width, network in networks.items()},
    }
    for method, pictures in rows.items():
        st.caption(TITLES[method])
        with st.container(key=f"pca-row-{method}"):
            by_width = {str(width): picture for width, picture in pictures.items()}
            show_gallery(read_thumbnails(by_width, digit))


def _show_lost(measured: dict) -> None:
    """Draw the share of what tells digits apart that did not come back, against the width."""
    rows = pd.DataFrame(measured["rows"])
    rows["title"] = rows["method"].map(TITLES)
    base = alt.Chart(rows).encode(
        x=alt.X(
            "width:Q",
            title="numbers kept",
            scale=alt.Scale(type="log", base=2, nice=False, padding=12),
            axis=alt.Axis(values=list(WIDTHS), grid=False),
        ),
        y=alt.Y("lost:Q", title="information lost", axis=alt.Axis(format="%")),
        color=alt.Color("title:N", title=None, legend=alt.Legend(orient="top")),
    )
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        shape=alt.Shape("title:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("title:N", title="method"),
            alt.Tooltip("width:Q", title="numbers kept"),
            alt.Tooltip("lost:Q", title="information lost", format=".1%"),
            alt.Tooltip("mse:Q", title="MSE", format=".4f"),
            *PSNR_AND_READ,
        ],
    )
    listed = "; ".join(f"{row.title} with {row.width}: {row.lost:.1%}" for row in rows.itertuples())
    show_chart(
        (base.mark_line() + points).properties(height=340),
        key="pca-lost",
        alt=f"Information lost against the numbers kept. {listed}.",
    )
    st.dataframe(as_table(rows), hide_index=True, width="stretch")
    training = measured["training"]
    st.caption(
        f"Measured on all {measured['pictures']:,} test digits of MNIST. Information lost is the "
        "mean squared error as a share of what it is if every digit is answered by the mean digit. "
        "“Read” says how many rebuilt digits the digit reader still reads. The autoencoders were "
        f"trained for {training['epochs']} epochs{dead_words(measured['dead'])}. "
        f"{measured_on(measured)}"
    )


def dead_words(dead: Mapping[str, int]) -> str:
    """Return how many hidden units are dead, as the end of a sentence; nothing where none is."""
    listed = [f"{count} of {width}" for width, count in dead.items() if count]
    return f", and of their hidden units {', '.join(listed)} never open" if listed else ""


def as_picture(row: np.ndarray) -> np.ndarray:
    """Return 784 weights as ``(28, 28, 1)`` in [0, 1]: 0 becomes grey, the largest white or black.

    The pictures are for the shape only: each is on a scale of its own.
    """
    largest = max(float(np.abs(row).max()), 1e-9)
    return (0.5 + row.reshape(SIDE, SIDE, 1) / (2 * largest)).astype(np.float32)


def as_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the measured numbers, a line for each width, with PCA and autoencoder beside."""
    table = rows.pivot(index="width", columns="title", values=list(MEASURES))
    shown = {"numbers kept": table.index}
    for measure, (name, pattern) in MEASURES.items():
        for title in TITLES.values():
            shown[f"{title}: {name}"] = table[measure][title].map(pattern.format)
    return pd.DataFrame(shown)
