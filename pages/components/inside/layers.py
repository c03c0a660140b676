"""The section "Layers": a network as a diagram, and what a chosen layer makes of the digit.

``clean, noisy (28, 28, 1) -> feature maps (2, H, W, C) -> a picture of both for each filter``

Digits are ``(28, 28, 1)`` and maps ``(H, W, C)``, ``float32``; digits are in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from models.catalogue import Card
from models.inspection.arithmetic import strongest_first
from models.inspection.layer import IMAGE, Layer
from models.inspection.network import OpenedNetwork
from pages.components import widgets
from pages.components.cached import get_inside
from pages.components.controls import keep_valid
from pages.components.explain import explain
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside.layer_diagram import numbers_of, show_diagram, title_of
from pages.components.inside.settings import write_link
from pages.components.inside.shared import (
    SCALES,
    default_layer,
    networks,
    pick_network,
    pick_noisy,
)
from pages.components.layout import flush_to_browser, show_chart
from pages.components.live import follow_layer

WORDS = (
    "A convolution is a set of filters, and each filter makes one map: it is bright where the "
    "filter finds what it looks for. The first layers look for edges and blobs of a few pixels, so "
    "their maps still look like the digit. Pooling then halves the maps, and every value further "
    "on sees a larger part of the picture: the receptive field grows. Compare the two halves of "
    "a map: where the right one is as calm as the left, this filter is not fooled by the noise. "
    "On the way back the maps get larger again, until the last layer mixes them into one picture."
)
DENSE_WORDS = (
    "This network has no maps, only lists of numbers. The picture is flattened to its 784 values, "
    "and each number of the code is a weighted sum of all of them: it sees the whole picture at "
    "once, and has its own weight for every pixel. The layout of the picture is lost, so nothing "
    "learned in one corner helps in another. The decoder makes 784 values of the code, again by "
    "weighted sums, and they are folded back into a picture. A convolution needs far fewer "
    "weights, because it uses the same few everywhere."
)
TERMS = {
    "Feature map": "The answers of one filter at all places of the picture, as a picture.",
    "Receptive field": "The square of the picture that one value depends on at most: 3 × 3 pixels "
    "after one 3 × 3 convolution, the whole picture after a dense layer.",
    "MACs": "Multiply-accumulate operations: how often a layer multiplies two numbers and adds "
    "the product to a sum. A measure of its work that does not depend on the machine.",
    "Parameters": "The numbers that the layer has learned, or, in a batch normalisation, partly "
    "measured.",
}
SOURCE = (
    "the scales are those of CNN Explainer (Wang et al., IEEE TVCG 2021, "
    "doi:10.1109/TVCG.2020.3030418), the receptive field is counted as by Araujo et al. (Distill "
    "2019, doi:10.23915/distill.00021)"
)
SCALE_WORDS = {
    "unit": "**Unit**: black is {low}, white is 1 in every layer; values outside are clipped.",
    "layer": "**Layer**: black is {low}, white the largest value of this layer, {limit:.3g}.",
    "global": "**Global**: black is {low}, white the largest value behind any activation of the "
    "network, {limit:.3g}.",
}
FEW, FEW_NUMBERS = 16, 32

WIDE = """
<style>
.st-key-feature-maps .lab-gallery {grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr))}
.st-key-feature-maps .lab-gallery img {aspect-ratio: auto}
</style>
"""


@dataclass(frozen=True)
class Shades:
    """How values become greys: from ``low``, black, to ``limit``, white."""

    low: float
    limit: float

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the values as greys in [0, 1]; values outside are clipped."""
        span = self.limit - self.low
        return np.clip((values - self.low) / (span or 1), 0, 1).astype(np.float32)


def show(digit: np.ndarray) -> None:
    """Write the section for this clean digit."""
    # Ask
    card = pick_network(networks())
    network = get_inside(card)
    layer = pick_layer(network, card.name)
    show_about(layer)

    # Show
    show_answers(card, network, layer, digit)
    explain(WORDS if has_filters(network) else DENSE_WORDS, TERMS, SOURCE)
    show_table(network)


def has_filters(network: OpenedNetwork) -> bool:
    """Whether the network has a layer that multiplies maps with a window, a convolution."""
    return any(layer.has_maps and layer.macs for layer in network.layers.values())


@st.fragment
def show_answers(card: Card, network: OpenedNetwork, layer: Layer, digit: np.ndarray) -> None:
    """Ask for a noise, and draw what the layer answers; all else stays as it is meanwhile."""
    # Ask
    noisy = pick_noisy(digit)
    as_bars = not layer.has_maps and layer.shape[0] <= FEW_NUMBERS
    scale = "layer" if as_bars else pick_scale()

    # Compute
    pictures = np.stack([digit, noisy.picture])
    wanted = [layer.name, *(network.stored if scale == "global" else ())]
    maps = network.feature_maps(pictures, wanted)
    shades = find_shades(scale, layer.name, maps)

    # Show
    values = maps[layer.name]
    if as_bars:
        show_numbers(values, layer, noisy.words)
    else:
        if layer.has_maps:
            shown = show_maps(values, layer, shades, noisy.words)
            looked_at = network.stored if scale == "global" else ()
            follow_layer(
                noisy, card, network, layer.name, scale, looked_at, shown,
                ".st-key-feature-maps .lab-gallery",
            )  # fmt: skip
        else:
            show_grid(values, layer, shades, noisy.words)
        low = "0" if shades.low == 0 else f"{shades.low:.3g}, grey is 0"
        with st.container(key="settled_scale"):
            st.caption(SCALE_WORDS[scale].format(low=low, limit=shades.limit))
    flush_to_browser()
    write_link()


def pick_layer(network: OpenedNetwork, name: str) -> Layer:
    """Let the visitor choose a layer, in the diagram or from a list."""
    chosen = keep_valid("inside_layer", list(network.layers), default_layer(network))
    show_diagram(network, chosen, key=f"inside-diagram-{name}", click_to="inside_layer")
    # Set again: a list shows the old words of its choice until it is told the choice again.
    st.session_state.inside_layer = chosen
    widgets.selectbox(
        "Layer",
        list(network.layers),
        format_func=lambda each: f"{each} · {title_of(network.layers[each])}",
        key="inside_layer",
        help="Or click on it in the diagram.",
    )
    return network.layers[st.session_state.inside_layer]


def pick_scale() -> str:
    """Ask which value is shown white."""
    return widgets.by_title(
        widgets.segmented_control,
        "Scale",
        SCALES,
        "inside_scale",
        help="Which value is shown white: 1 (unit), the largest of this layer, or the largest of "
        "all layers (global).",
    )


def show_about(layer: Layer) -> None:
    """Draw the numbers of a layer."""
    about = numbers_of(layer)
    with st.container(horizontal=True):
        st.metric("Shape", about["shape"], help="Rows × columns × maps of its output.")
        st.metric("Parameters", about["parameters"], help=TERMS["Parameters"])
        st.metric("Receptive field", about["field"], help=TERMS["Receptive field"])
        st.metric("MACs", about["macs"], help=TERMS["MACs"])


def show_maps(values: np.ndarray, layer: Layer, shades: Shades, noise: str) -> list[int]:
    """Draw the maps ``(2, H, W, C)`` of the clean and the noisy digit, the strongest first.

    Returns the numbers of those that are shown.
    """
    order = strongest_first(values)
    shown = order
    if len(order) > FEW and not widgets.toggle(
        f"All {len(order)} maps", key="inside_all", help=f"If off, only the {FEW} strongest."
    ):
        shown = order[:FEW]
    entries = []
    for index in shown:
        clean, noisy = values[..., index]
        means = f"{np.abs(clean).mean():.2f} → {np.abs(noisy).mean():.2f}"
        title = f"Map {index + 1}" if layer.name != IMAGE else "The picture"
        entries.append(
            Thumbnail(
                title,
                beside(shades.of(clean), shades.of(noisy)),
                (f"mean {means}",),
                f"{layer.name}, {title.lower()}: its map of the clean digit, left, and of the "
                f"digit with {noise}, right; mean {means}",
            )
        )
    with st.container(key="settled_maps"):
        st.caption(
            f"Each picture: the map of the clean digit, left, and of the digit with {noise}, "
            "right. The numbers are the means of their absolute values."
        )
    with st.container(key="feature-maps"):
        st.html(WIDE)
        show_gallery(entries)
    return shown


def show_numbers(values: np.ndarray, layer: Layer, noise: str) -> None:
    """Draw a short list of numbers ``(2, C)`` as bars."""
    names = ("clean", "noisy")
    table = pd.DataFrame(
        {"number": index + 1, "value": float(value), "digit": name}
        for name, row in zip(names, values, strict=True)
        for index, value in enumerate(row)
    )
    chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("number:O", title=f"number of {layer.name}", axis=alt.Axis(labelAngle=0)),
            xOffset="digit:N",
            y=alt.Y("value:Q", title="value"),
            color=alt.Color("digit:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=["number", "digit", alt.Tooltip("value", format=".3f")],
        )
        .properties(height=260)
    )
    listed = "; ".join(
        f"{name}: {', '.join(f'{value:.2f}' for value in row)}"
        for name, row in zip(names, values, strict=True)
    )
    show_chart(
        chart,
        key="inside-numbers",
        alt=f"The {len(values[0])} numbers of {layer.name}, with {noise} as noise. {listed}.",
    )


def show_grid(values: np.ndarray, layer: Layer, shades: Shades, noise: str) -> None:
    """Draw a long list of numbers ``(2, C)`` as two grids, row by row."""
    titles = {"Clean": "the clean digit", "Noisy": f"the digit with {noise}"}
    with st.container(width=420):
        show_gallery(
            Thumbnail(
                title,
                shades.of(as_grid(row)),
                (f"{len(row)} numbers, row by row",),
                f"The {len(row)} numbers of {layer.name} for {what}",
            )
            for (title, what), row in zip(titles.items(), values, strict=True)
        )


def show_table(network: OpenedNetwork) -> None:
    """Draw all layers with their numbers, behind a click."""
    with st.expander("All layers as a table", icon=":material/table:"):
        st.dataframe(
            pd.DataFrame(
                {
                    "layer": layer.name,
                    "kind": title_of(layer),
                    "shape": numbers_of(layer)["shape"],
                    "parameters": layer.parameters,
                    "receptive field": layer.field,
                    "MACs": layer.macs,
                    "activation": layer.activation if layer.activation != "linear" else "",
                }
                for layer in network.layers.values()
            ),
            hide_index=True,
            width="stretch",
        )


def find_shades(scale: str, name: str, maps: Mapping[str, np.ndarray]) -> Shades:
    """Return the greys of a scale; where a layer has negative values, grey is 0."""
    values = maps[name]
    if scale == "unit":
        limit = 1.0
    elif scale == "layer":
        limit = float(np.abs(values).max())
    else:
        limit = max(float(np.abs(each).max()) for each in maps.values())
    return Shades(-limit if values.min() < 0 else 0.0, limit)


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return two greys ``(H, W)`` as one picture ``(H, 2 W + gap, 1)``, with a grey gap."""
    gap = np.full((len(left), max(1, len(left) // 14)), 0.5, np.float32)
    return np.hstack([left, gap, right])[..., np.newaxis]


def as_grid(numbers: np.ndarray) -> np.ndarray:
    """Return a list as a picture ``(rows, columns, 1)`` that is nearly square; zeros fill it up."""
    columns = int(np.ceil(np.sqrt(len(numbers))))
    rows = -(-len(numbers) // columns)
    padded = np.zeros(rows * columns, np.float32)
    padded[: len(numbers)] = numbers
    return padded.reshape(rows, columns, 1)
