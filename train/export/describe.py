"""What each layer of a digit network is: its size, its work, how much of the picture it sees."""

import keras
import numpy as np

# For each row of a map, the first and the last row of the picture that it depends on.
Span = tuple[np.ndarray, np.ndarray]


def describe(model: keras.Model) -> list[dict]:
    """Return a row for each layer, in order, with the fields of ``inspection.network.Layer``.

    What has its default value is left out.  The network takes one square picture.
    """
    spans = receptive_spans(model)
    work = layer_macs(model)
    rows = []
    for layer in model.layers:
        first, last = spans[layer.output.name]
        row = {
            "name": layer.name,
            "kind": type(layer).__name__,
            "inputs": [] if is_input(layer) else [each.name for each in _sources(model, layer)],
            "shape": list(layer.output.shape[1:]),
            "parameters": layer.count_params(),
            "macs": work.get(layer.name, 0),
            "field": int((last - first).max()) + 1,
        }
        rows.append(row | _window(layer))
    return rows


def code_layer(model: keras.Model) -> str | None:
    """Return the layer with the fewest values, the first of several; all that follows needs it.

    None where a layer has several inputs, so that something leads around the middle, and for a
    network that does not answer with a picture.
    """
    inner = [layer for layer in model.layers[:-1] if not is_input(layer)]
    if any(isinstance(layer.input, list) for layer in inner):
        return None
    if model.output_shape != model.input_shape:
        return None
    return min(inner, key=lambda layer: int(np.prod(layer.output.shape[1:]))).name


def macs(model: keras.Model, side: int | None = None) -> int:
    """Count the multiply-accumulate operations of convolutions and dense layers for one picture.

    ``side`` is that of the square picture, None where the network knows it.
    """
    return sum(layer_macs(model, side).values())


def layer_macs(model: keras.Model, side: int | None = None) -> dict[str, int]:
    """Count them for each layer that multiplies its inputs with a kernel."""
    side = side or model.inputs[0].shape[1]
    positions = _positions(model, side)
    work = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            # Each input position is multiplied with the whole kernel.
            work[layer.name] = positions[layer.input.name] * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Conv2D):
            work[layer.name] = positions[layer.output.name] * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            work[layer.name] = int(np.prod(layer.kernel.shape))
    return work


def receptive_spans(model: keras.Model) -> dict[str, Span]:
    """Return the rows of the picture that each row of a map depends on, by the tensor's name.

    Counted from the windows of the layers, through every way that leads there; columns are
    like rows.  A list of numbers that a dense layer made depends on all.

    Source:
        Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks", Distill
        2019, doi:10.23915/distill.00021; worked out row by row, so that it is exact at the edges
        and after upsampling too.
    """
    side = model.inputs[0].shape[1]
    spans = {model.inputs[0].name: (np.arange(side), np.arange(side))}
    for layer in model.layers:
        if is_input(layer):
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        given = [spans[each.name] for each in inputs]
        spans[layer.output.name] = _seen_through(layer, given)
    return spans


def is_input(layer: keras.Layer) -> bool:
    """Whether it only stands for the picture that comes in."""
    return isinstance(layer, keras.layers.InputLayer)


def _seen_through(layer: keras.Layer, given: list[Span]) -> Span:
    first, last = given[0]
    rows = len(first)
    kinds = keras.layers
    if isinstance(layer, kinds.Dense):
        return np.full(1, first.min()), np.full(1, last.max())
    if isinstance(layer, kinds.Reshape):  # Unfolds a list, which depends on all.
        return tuple(np.full(layer.output.shape[1], each[0]) for each in (first, last))
    if isinstance(layer, kinds.Concatenate | kinds.Add):
        return (
            np.min([each for each, _ in given], axis=0),
            np.max([each for _, each in given], axis=0),
        )
    if isinstance(layer, kinds.UpSampling2D):
        size = layer.size[0]
        return first.repeat(size), last.repeat(size)
    if isinstance(layer, kinds.Cropping2D):
        before, after = layer.cropping[0]
        return first[before : rows - after], last[before : rows - after]
    if isinstance(layer, kinds.Conv2DTranspose | kinds.Conv2D | kinds.MaxPooling2D):
        from_row, to_row = _windows(layer, rows)
        return (
            np.array([first[a:b].min() for a, b in zip(from_row, to_row, strict=True)]),
            np.array([last[a:b].max() for a, b in zip(from_row, to_row, strict=True)]),
        )
    return first, last


def _windows(layer: keras.Layer, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows, from and up to, of what comes in that each row of what goes out is made of."""
    pooling = isinstance(layer, keras.layers.MaxPooling2D)
    size = (layer.pool_size if pooling else layer.kernel_size)[0]
    stride = layer.strides[0]
    out = np.arange(layer.output.shape[1])
    same = layer.padding == "same"
    if isinstance(layer, keras.layers.Conv2DTranspose):
        before = max(size - stride, 0) // 2 if same else 0
        # Row p is spread over the rows from p * stride - before, as many as the kernel has.
        from_row = -((size - 1 - out - before) // stride)
        to_row = (out + before) // stride + 1
    else:
        before = max(0, (len(out) - 1) * stride + size - rows) // 2 if same else 0
        from_row = out * stride - before
        to_row = from_row + size
    return np.clip(from_row, 0, rows - 1), np.clip(to_row, 1, rows)


def _window(layer: keras.Layer) -> dict:
    """What there is to say of the window and the activation of a layer."""
    about = {}
    if isinstance(layer, keras.layers.MaxPooling2D):
        about["kernel"] = list(layer.pool_size)
    elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
        about["kernel"] = list(layer.kernel_size)
    if about and tuple(layer.strides) != (1, 1):
        about["strides"] = list(layer.strides)
    if about and layer.padding != "same":
        about["padding"] = layer.padding
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation != "linear":
        about["activation"] = activation
    return about


def _sources(model: keras.Model, layer: keras.Layer) -> list[keras.Layer]:
    """The layers that a layer gets its values from."""
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    by_output = {each.output.name: each for each in model.layers}
    return [by_output[each.name] for each in inputs]


def _positions(model: keras.Model, side: int) -> dict[str, int]:
    """How many pixels the maps of each convolution have, by the name of the tensor."""
    inputs = [keras.Input((side, side, each.shape[-1])) for each in model.inputs]
    sizes = {each.name: side * side for each in model.inputs}
    inner = [t for layer in model.layers for t in (layer.input, layer.output) if _is_map(t)]
    outer = keras.Model(model.inputs, inner)(inputs if len(inputs) > 1 else inputs[0])
    return sizes | {a.name: int(np.prod(b.shape[1:3])) for a, b in zip(inner, outer, strict=True)}


def _is_map(tensor: object) -> bool:
    return isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4
