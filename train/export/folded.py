"""Folds batch normalisation into the convolution before it: fewer weights, the same answer."""

import keras
import numpy as np
from keras import layers

Convolution = layers.Conv2D | layers.Conv2DTranspose


def folded(model: keras.Model) -> keras.Model:
    """Return a network that answers as ``model`` does, without its batch normalisations.

    What is left of one is a layer of its name that changes nothing.

    Raises:
        ValueError: if a normalisation does not follow a convolution that nothing else reads.
    """
    before = {norm.name: _convolution_before(norm) for norm in model.layers if _is_norm(norm)}
    absorbed = {convolution.name for convolution in before.values()}

    def without_norms(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if _is_norm(layer):
            return layers.Activation("linear", name=layer.name)
        if layer.name in absorbed:
            config["use_bias"] = True
        return type(layer).from_config(config)

    twin = keras.models.clone_model(
        model,
        clone_function=without_norms,
        call_function=lambda layer, *inputs, **_: layer(*inputs),  # Masks are for norms only.
    )
    norms = {convolution.name: model.get_layer(name) for name, convolution in before.items()}
    for layer in model.layers:
        if layer.weights and not _is_norm(layer):
            weights = layer.get_weights()
            if layer.name in norms:
                weights = _absorb(layer, norms[layer.name])
            twin.get_layer(layer.name).set_weights(weights)
    return twin


def _absorb(convolution: Convolution, norm: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and offset of the convolution followed by the normalisation."""
    kernel, *offset = (weights.astype(np.float64) for weights in convolution.get_weights())
    scale, shift, mean, variance = (weights.astype(np.float64) for weights in norm.get_weights())
    gain = scale / np.sqrt(variance + norm.epsilon)
    maps = gain[:, None] if isinstance(convolution, layers.Conv2DTranspose) else gain
    offset = offset[0] if offset else 0.0
    return [(kernel * maps).astype(np.float32), ((offset - mean) * gain + shift).astype(np.float32)]


def _convolution_before(norm: layers.BatchNormalization) -> Convolution:
    source = norm.input._keras_history.operation
    readers = len(source._outbound_nodes)
    if not isinstance(source, Convolution) or source.activation != keras.activations.linear:
        raise ValueError(f"{norm.name} must follow a convolution, follows {source.name}")
    if readers > 1:
        raise ValueError(f"only {norm.name} may read {source.name}, {readers} layers do")
    return source


def _is_norm(layer: layers.Layer) -> bool:
    return isinstance(layer, layers.BatchNormalization)
