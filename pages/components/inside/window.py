"""The section "One window": how a convolution, or a pooling, comes to one of its values.

``digit (28, 28, 1) -> maps before the layer -> patch x kernel -> sum -> bias -> ReLU -> value``

Digits are ``(28, 28, 1)`` and maps ``(H, W)``, ``float32``; digits are in [0, 1].
"""

from html import escape

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from imaging.noise import NOISE_KINDS
from models.inspection.arithmetic import pool
from models.inspection.layer import Layer
from models.inspection.network import OpenedNetwork
from models.inspection.window import (
    Convolution,
    Place,
    convolution_at,
    moved_convolution,
    pooling_at,
)
from pages.components import widgets
from pages.components.cached import get_inside
from pages.components.controls import keep_valid, keep_within
from pages.components.explain import explain
from pages.components.gallery import Thumbnail, enlarged, show_gallery
from pages.components.inside.shared import MOST, WINDOWS_OF, corrupt, networks, pick_network
from pages.components.layout import flush_to_browser

WORDS = (
    "A convolution slides a small window over the maps that come in. At each place it multiplies "
    "the values under the window by the numbers of its kernel, adds up the products and a bias, "
    "and ReLU turns what is below zero into zero. The result is one value of the map that goes "
    "out, and the same kernel is used at every place. Max pooling has no numbers to learn: it "
    "keeps the largest value of its window. With padding “same” the edge is filled up so that a "
    "window fits everywhere, with “valid” it stays inside and the map shrinks; a stride of 2 "
    "skips every other place and halves the map."
)
TERMS = {
    "Kernel": "The numbers by which a filter multiplies what is under its window. Training found "
    "them.",
    "Bias": "A number that is added to the sum, whatever the picture shows.",
    "ReLU": "Rectified linear unit: the value itself where it is above zero, else zero.",
    "Padding": "Values outside of the map, taken as zero, so that a window can stand at the edge.",
    "Stride": "By how many pixels the window moves on.",
    "Batch normalisation": "Brings a filter's answers to a common range. After training it is "
    "one factor and one offset for each map.",
}
SOURCE = (
    "Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, "
    "arXiv:1603.07285"
)
IN_THE_MAP = "In the feature map, by onnxruntime"
KINDS = {"convolution": "Convolution", "pooling": "Max pooling"}
PIXEL = 8  # Screen pixels of a value in the two maps.
FRAME = np.array((0.98, 0.45, 0.09), np.float32)  # Orange: seen on black, grey and white.

STYLE = """
<style>
.win {display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .75rem; margin: .25rem 0}
.win figure {margin: 0} .win figcaption {font-size: .8125rem; opacity: .8; margin-bottom: .25rem}
.win table {border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem}
.win td {border: 1px solid rgb(128 128 128 / .4); padding: .3rem .45rem; text-align: right;
  min-width: 3.4rem}
.win td.largest {outline: 2px solid currentColor; font-weight: 650}
.win > b {font-size: 1.25rem}
.steps {border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums}
.steps td {padding: .2rem .9rem .2rem 0} .steps td:last-child {text-align: right}
.steps tr.end td {border-top: 1px solid rgb(128 128 128 / .6); font-weight: 650}
.st-key-window-maps .lab-gallery {grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr))}
</style>
"""


def show(digit: np.ndarray) -> None:
    """Write the section for this clean digit."""
    # Ask
    cards = {name: card for name, card in networks().items() if card.architecture != "dense"}
    network_box, picture_box = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with network_box:
        network = get_inside(pick_network(cards))
    with picture_box:
        picture = pick_picture(digit)
    kinds = [kind for kind in KINDS if WINDOWS_OF[kind](network)]
    if not kinds:
        st.info(
            "This network has no convolution or pooling whose window can be worked out here.",
            icon=":material/grid_off:",
        )
        return
    place = pick_place(network, kinds)
    layer = network.layers[place.layer]

    # Compute and show
    if layer.kind == "MaxPooling2D":
        show_pooling(network, picture, place)
    else:
        show_convolution(network, picture, place)
    flush_to_browser()
    st.header("How the window moves", anchor=False)
    show_moves(network, picture, place)
    explain(WORDS, TERMS, SOURCE)


def pick_picture(digit: np.ndarray) -> np.ndarray:
    """Ask whether the digit is to have the noise of the other sections."""
    state = st.session_state
    kind = NOISE_KINDS[state.inside_noise]
    if not widgets.toggle(
        "With noise",
        key="window_noisy",
        help=f"{kind.title}, strength {state.inside_strength:g}, as in the section Layers.",
    ):
        return digit
    return corrupt(digit, kind, state.inside_strength, state.inside_seed)


def pick_place(network: OpenedNetwork, kinds: list[str]) -> Place:
    """Ask for a layer of one of these kinds, one of its filters, and a pixel of its map."""
    keep_valid("window_kind", kinds)
    kind_box, layer_box, filter_box = st.columns([3, 4, 2], gap="medium")
    with kind_box:
        kind = widgets.segmented_control(
            "Window of a",
            kinds,
            format_func=KINDS.get,
            key="window_kind",
        )
    names = WINDOWS_OF[kind](network)
    keep_valid("window_layer", names)
    with layer_box:
        name = widgets.selectbox(
            "Layer",
            names,
            key="window_layer",
        )
    rows, columns, count = network.layers[name].shape
    with filter_box:
        number = widgets.number_input(
            "Filter",
            1,
            count,
            key=keep_within("window_filter", 1, count),
            help=f"One of the {count} maps of the layer.",
        )
    row_box, column_box = st.columns(2, gap="medium")
    row, column = (
        _pick_number(box, title, key, most)
        for box, title, key, most in (
            (row_box, "Row", "window_row", rows),
            (column_box, "Column", "window_column", columns),
        )
    )
    return Place(name, row - 1, column - 1, number - 1)


def show_convolution(network: OpenedNetwork, picture: np.ndarray, place: Place) -> None:
    """Draw where the window is, its products, and the way from there to the value."""
    worked = convolution_at(network, picture, place)
    layer = network.layers[place.layer]
    source = pick_source(worked)
    maps = network.feature_maps(picture[np.newaxis], [*layer.inputs, worked.end])
    before, after = maps[layer.inputs[0]][0, ..., source], maps[worked.end][0, ..., place.filter]
    squares = [
        _square("Under the window", worked.patch[..., source]),
        "<b>×</b>",
        _square("Kernel", worked.kernel[..., source]),
        "<b>=</b>",
        _square("Products", worked.products[..., source]),
    ]
    there = float(after[place.row, place.column])
    places_box, numbers_box = st.columns([2, 3], gap="large")
    with places_box:
        show_places(before, after, layer, (worked.top, worked.left), place)
    with numbers_box:
        show_sums(squares, steps_of(worked, source, there))


def pick_source(worked: Convolution) -> int:
    """Ask which of the maps that come in to show, by default the one that matters most."""
    order = np.argsort(-np.abs(worked.sums), kind="stable").tolist()
    if len(order) == 1:
        return 0
    # Set again: a list shows the old sum of its choice until it is told the choice again.
    keep_valid("window_source", [MOST, *order])
    st.session_state.window_source = st.session_state.window_source
    chosen = widgets.selectbox(
        f"Map that comes in, of {len(order)}",
        [MOST, *order],
        format_func=lambda each: (
            f"The one that matters most here, map {order[0] + 1}"
            if each == MOST
            else f"Map {each + 1}: its products add up to {worked.sums[each]:+.3f}"
        ),
        key="window_source",
    )
    return order[0] if chosen == MOST else chosen


def steps_of(worked: Convolution, source: int, there: float) -> list[tuple[str, str]]:
    """Return the way from the products of one map to the value, a line each: text and number.

    ``there`` is the value that onnxruntime has in the feature map.
    """
    sums = worked.sums
    steps = [(f"Sum of the {worked.kernel[..., 0].size} products", f"{sums[source]:+.4f}")]
    if len(sums) > 1:
        others = float(sums.sum() - sums[source])
        steps.append((f"+ the same of the {len(sums) - 1} other maps", f"{others:+.4f}"))
    if worked.scale is None:
        steps.append(("+ bias", f"{worked.bias:+.4f}"))
    if len(steps) > 1:
        steps.append(("= sum", f"{worked.total:+.4f}"))
    if worked.scale is not None:
        steps.append(
            (
                f"Batch normalisation: × {worked.scale:.4f}, then {worked.shift:+.4f}",
                f"{worked.normalised:+.4f}",
            )
        )
    if worked.activation == "relu":
        words = "above zero, it stays" if worked.normalised > 0 else "not above zero, so zero"
        steps.append((f"ReLU: {words}", f"{worked.value:.4f}"))
    elif worked.activation == "sigmoid":
        steps.append(("Sigmoid: brings it between 0 and 1", f"{worked.value:.4f}"))
    steps.append((IN_THE_MAP, f"{there:.4f}"))
    return steps


def show_pooling(network: OpenedNetwork, picture: np.ndarray, place: Place) -> None:
    """Draw where the window is, and which of its values is the largest."""
    worked = pooling_at(network, picture, place)
    layer = network.layers[place.layer]
    maps = network.feature_maps(picture[np.newaxis], [*layer.inputs, layer.name])
    before, after = (maps[name][0, ..., place.filter] for name in (*layer.inputs, layer.name))
    there = float(after[place.row, place.column])
    places_box, numbers_box = st.columns([2, 3], gap="large")
    with places_box:
        show_places(before, after, layer, (worked.top, worked.left), place)
    with numbers_box:
        show_sums(
            [_square("Under the window", worked.patch, largest=True)],
            [("The largest", f"{worked.value:.4f}"), (IN_THE_MAP, f"{there:.4f}")],
        )


def show_sums(squares: list[str], steps: list[tuple[str, str]]) -> None:
    """Draw squares of numbers in a row, and below them the way to the value, a line each."""
    *others, (end, value) = steps
    lines = "".join(f"<tr><td>{escape(text)}</td><td>{number}</td></tr>" for text, number in others)
    st.html(
        f'{STYLE}<div class="win">{"".join(squares)}</div><table class="steps">{lines}'
        f'<tr class="end"><td>{escape(end)}</td><td>{value}</td></tr></table>'
    )


def show_places(
    before: np.ndarray, after: np.ndarray, layer: Layer, corner: tuple[int, int], place: Place
) -> None:
    """Draw the map before the layer with the window, and the one after it with the value."""
    place_words = f"row {place.row + 1}, column {place.column + 1}"
    entries = [
        Thumbnail(
            "What comes in",
            framed(before, corner, layer.kernel),
            (f"{_size(before)}, the window framed",),
            f"A map before {layer.name}, {_size(before)}; the window around {place_words} framed",
        ),
        Thumbnail(
            "What goes out",
            framed(after, (place.row, place.column), (1, 1)),
            (f"{_size(after)}, the value framed",),
            f"Map {place.filter + 1} of {layer.name}, {_size(after)}; the value in {place_words} "
            "framed",
        ),
    ]
    with st.container(key="window-maps"):
        show_gallery(entries)


def show_moves(network: OpenedNetwork, picture: np.ndarray, place: Place) -> None:
    """Draw the same window with both paddings and strides."""
    layer = network.layers[place.layer]
    (source,) = layer.inputs
    before = network.feature_maps(picture[np.newaxis], [source])[source]
    entries = []
    for padding in ("same", "valid"):
        for stride in (1, 2):
            moved = _moved(network, before, place, (stride, stride), padding)
            same = layer.padding == padding and layer.strides == (stride, stride)
            entries.append(
                Thumbnail(
                    f"{padding}, stride {stride}",
                    on_canvas(_as_grey(moved), before.shape[1:3]),
                    (_size(moved), "as in this network" if same else ""),
                    f"Filter {place.filter + 1} with padding {padding} and stride {stride}: "
                    f"{_size(moved)}",
                    chosen=same,
                )
            )
    st.caption(
        f"What the layer makes of the {_size(before[0])} map with each padding and stride, in "
        "true proportion; the grey around it is nothing."
    )
    show_gallery(entries)


def framed(values: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Return a map ``(H, W)`` as a large picture ``(., ., 3)``, with a frame around a window.

    Around the map is a grey edge, because windows stick out.
    """
    edge = max(size) // 2 + 1  # The frame is as wide as a part of a pixel.
    grey = np.pad(_as_grey(values), edge, constant_values=0.5)
    picture = enlarged(grey[..., np.newaxis].repeat(3, axis=2), PIXEL)
    top, left = (PIXEL * (each + edge) for each in corner)
    bottom, right = top + PIXEL * size[0], left + PIXEL * size[1]
    for width in (1, 2, 3):
        picture[top - width, left - width : right + width] = FRAME
        picture[bottom + width - 1, left - width : right + width] = FRAME
        picture[top - width : bottom + width, left - width] = FRAME
        picture[top - width : bottom + width, right + width - 1] = FRAME
    return picture


def on_canvas(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a grey map in the middle of a grey canvas ``(H, W, 1)`` of this size."""
    canvas = np.full(size, 0.5, np.float32)
    top, left = ((whole - part) // 2 for whole, part in zip(size, grey.shape, strict=True))
    canvas[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return canvas[..., np.newaxis]


def _moved(
    network: OpenedNetwork, before: np.ndarray, place: Place, strides: tuple[int, int], padding: str
) -> np.ndarray:
    """What the layer makes ``(H, W)`` of the maps before it, moved otherwise."""
    layer = network.layers[place.layer]
    if layer.kind == "MaxPooling2D":
        one = before[..., place.filter : place.filter + 1]
        return pool(one, layer.kernel, strides, padding)[0, ..., 0]
    return moved_convolution(network, before, place, strides, padding)


def _as_grey(values: np.ndarray) -> np.ndarray:
    """Return a map as greys: black is 0 and white its largest value; negative ones from grey."""
    limit = float(np.abs(values).max()) or 1.0
    low = -limit if values.min() < 0 else 0.0
    return ((values - low) / (limit - low)).astype(np.float32)


def _pick_number(box: DeltaGenerator, title: str, key: str, most: int) -> int:
    with box:
        return widgets.slider(title, 1, most, key=_moved_along(key, most))


def _moved_along(key: str, highest: int) -> str:
    """Keep a row or column at the same part of the picture when maps get smaller or larger."""
    before = st.session_state.get(f"{key}_of", highest)
    st.session_state[key] = -(-st.session_state[key] * highest // before)
    st.session_state[f"{key}_of"] = highest
    return keep_within(key, 1, highest)


def _size(values: np.ndarray) -> str:
    return f"{values.shape[0]} × {values.shape[1]}"


def _square(title: str, values: np.ndarray, largest: bool = False) -> str:
    """A square of numbers with its title, the largest one marked if that matters."""
    limit = float(np.nanmax(np.abs(values))) or 1.0
    best = np.unravel_index(np.nanargmax(values), values.shape) if largest else None
    cells = [
        "".join(_cell(value, limit, (row, column) == best) for column, value in enumerate(line))
        for row, line in enumerate(values)
    ]
    rows = "".join(f"<tr>{line}</tr>" for line in cells)
    return f"<figure><figcaption>{escape(title)}</figcaption><table>{rows}</table></figure>"


def _cell(value: float, limit: float, largest: bool) -> str:
    if np.isnan(value):
        return "<td>edge</td>"
    # The sign is in the number; the colour only repeats it.
    colour = "20 150 136" if value >= 0 else "234 88 12"
    share = 0.4 * abs(value) / limit
    mark = ' class="largest"' if largest else ""
    return f'<td{mark} style="background: rgb({colour} / {share:.2f})">{value:z.3f}</td>'
