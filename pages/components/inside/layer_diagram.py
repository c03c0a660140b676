"""The layers of a network as a diagram, from left to right, in which one can be clicked.

A layer is as high as its maps have rows, and a convolution as wide as it has filters, on a
logarithmic scale.  Connections that skip layers are drawn over the ones that they skip.
"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from imaging.digit_fit import SIDE
from models.inspection.layer import Layer
from models.inspection.network import OpenedNetwork
from pages.components.component import component

# What a Keras class is called here, and how the diagram colours it.
KINDS = {
    "InputLayer": ("Picture", "other"),
    "Conv2D": ("Convolution", "convolution"),
    "Conv2DTranspose": ("Transposed convolution", "upsampling"),
    "UpSampling2D": ("Upsampling by repetition", "upsampling"),
    "MaxPooling2D": ("Max pooling", "pooling"),
    "Dense": ("Dense", "dense"),
    "BatchNormalization": ("Batch normalisation", "other"),
    "ReLU": ("ReLU", "other"),
    "Dropout": ("Dropout (inactive after training)", "other"),
    "Concatenate": ("Skip connection joins", "skip"),
    "Cropping2D": ("Cropping", "other"),
    "Flatten": ("Flatten to a list", "other"),
    "Reshape": ("Fold into maps", "other"),
    # Those of networks that visitors bring: an operator of ONNX where Keras has no such layer.
    "Conv": ("Convolution", "convolution"),
    "ConvTranspose": ("Transposed convolution", "upsampling"),
    "MaxPool": ("Max pooling", "pooling"),
    "AveragePool": ("Average pooling", "pooling"),
    "GlobalAveragePool": ("Average of each map", "pooling"),
    "GlobalMaxPool": ("Largest value of each map", "pooling"),
    "MatMul": ("Matrix product", "dense"),
    "Gemm": ("Matrix product", "dense"),
    "Add": ("Sum", "skip"),
    "Mul": ("Product", "other"),
    "Concat": ("Joined", "skip"),
    "BatchNorm": ("Batch normalisation", "other"),
    "LeakyRelu": ("Leaky ReLU", "other"),
    "Resize": ("Resized", "upsampling"),
    "Move": ("Moved or cropped", "other"),
    "FlattenByMap": ("Flatten to a list, map after map", "other"),
    "FoldByMap": ("Fold into maps, map after map", "other"),
    "Limit": ("Clipped", "other"),
    "Clip": ("Clipped to 0 and 1", "other"),
}
LEGEND = {
    "convolution": "Convolution",
    "pooling": "Pooling",
    "upsampling": "Enlarging",
    "dense": "Dense",
    "skip": "Skip connection",
    "other": "Other",
}
GAP = 0.25
ROW = 0.5  # How high a row of a map is drawn, beside the width of a layer without filters, 0.6.
TALLEST = SIDE * ROW
MANY = 30  # Layers that fill the width of a page.

_mount = component(
    __file__,
    '<div class="frame" role="group" aria-label="Diagram of the layers"></div><div class="legend">'
    + "".join(f'<span><i class="{group}"></i>{title}</span>' for group, title in LEGEND.items())
    + "</div>",
)


@dataclass(frozen=True)
class Box:
    """Where a layer is drawn: its left edge, its width and its height around the middle line."""

    layer: Layer
    x: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The place between its left and its right edge."""
        return self.x + self.width / 2


def show_diagram(network: OpenedNetwork, chosen: str, key: str, click_to: str) -> None:
    """Draw the network with one layer marked; a click puts another one's name under a key."""

    def take_click() -> None:
        clicked = st.session_state[key].layer
        if clicked in network.layers:
            st.session_state[click_to] = clicked

    boxes = boxes_of(network)
    bridges = bridges_of(network, boxes)
    top = min([-TALLEST / 2 - 2, *(each["over"] - 0.5 for each in bridges)])
    right = max(box.x + box.width for box in boxes.values())
    data = {
        "view": [
            -0.2,
            round(top, 2),
            round(right + 0.4, 2),
            round(TALLEST / 2 + 0.5 - top, 2),
        ],
        "alt": f"The {len(boxes)} layers of the network from left to right, {chosen} marked; the "
        "list below has the same layers.",
        "bridges": bridges,
        "boxes": [
            {
                "layer": name,
                "words": words_of(box.layer),
                "group": KINDS.get(box.layer.kind, ("", "other"))[1],
                "x": round(box.x, 2),
                "width": round(box.width, 2),
                "height": round(box.height, 2),
                "chosen": name == chosen,
            }
            for name, box in boxes.items()
        ],
    }
    _mount(key=key, data=data, on_layer_change=take_click)


def boxes_of(network: OpenedNetwork) -> dict[str, Box]:
    """Return where each layer is drawn, side by side.

    A list of numbers is drawn as high as it has digits: 784 are as high as the picture.  A
    network of few layers is stretched.
    """
    stretch = max(1.0, MANY / len(network.layers))
    boxes, x = {}, 0.0
    for name, layer in network.layers.items():
        count = layer.shape[-1]
        filters = layer.has_maps and layer.macs > 0
        width = stretch * (0.6 + 0.25 * np.log2(count) if filters else 0.6)
        high = layer.shape[0] * ROW if layer.has_maps else TALLEST * np.log(count) / np.log(SIDE**2)
        boxes[name] = Box(layer, x, float(width), min(float(high), TALLEST + 1))
        x += float(width) + stretch * GAP
    return boxes


def bridges_of(network: OpenedNetwork, boxes: dict[str, Box]) -> list[dict[str, float]]:
    """Return a line for each connection that skips layers, the longest on top."""
    pairs = [
        (boxes[source], boxes[layer.name])
        for layer in network.layers.values()
        for source in layer.inputs[1:]
    ]
    pairs.sort(key=lambda pair: pair[1].x - pair[0].x)
    return [
        {
            "from": round(start.middle, 2),
            "to": round(end.middle, 2),
            "start": -start.height / 2,
            "end": -end.height / 2,
            "over": -TALLEST / 2 - 1.5 - 0.7 * rank,
        }
        for rank, (start, end) in enumerate(pairs)
    ]


def title_of(layer: Layer) -> str:
    """Return what a layer does, in words, with the size of its window."""
    title = KINDS.get(layer.kind, (layer.kind, ""))[0]
    return f"{title} {layer.kernel[0]} × {layer.kernel[1]}" if layer.kernel else title


def numbers_of(layer: Layer) -> dict[str, str]:
    """Return shape, parameters, receptive field and work of a layer, as text."""
    return {
        "shape": " × ".join(map(str, layer.shape)),
        "parameters": f"{layer.parameters:,}",
        "field": f"{layer.field} × {layer.field}",
        "macs": f"{layer.macs:,}",
    }


def words_of(layer: Layer) -> str:
    """Return all that the diagram says of a layer when it is pointed at."""
    about = numbers_of(layer)
    return (
        f"{layer.name}: {title_of(layer)}\n"
        f"{about['shape']}, {about['parameters']} parameters\n"
        f"receptive field {about['field']}, {about['macs']} MACs"
    )
