"""Looks into a digit network: its layers, what they make of a picture, its code, its skips.

``load_inside(card).feature_maps(pictures) -> {layer: values}``

Everything comes from the one ``model.onnx``, written by ``train.export.inspectable``: its outputs
are the values of the layers, and it takes a few inputs that have a default and may be left out:

    code_values, code_switch   what the decoder gets in place of the code, and whether it does
    NAME_switch                the factor at the skip connection NAME, 1 as trained, 0 cut

Pictures are ``(N, 28, 28, 1)`` float32 in [0, 1]; maps are ``(N, H, W, C)``, channels last.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

from models.catalogue import Card, ModelError
from models.inspection.arithmetic import convolve
from models.inspection.layer import BETWEEN, IMAGE, SWITCH, TABLE, Layer
from models.predictor import BATCH
from models.session import open_session, run_session


class OpenedNetwork:
    """An opened network.  Stateless, hence safe to share between threads."""

    def __init__(self, session: ort.InferenceSession) -> None:
        about = json.loads(session.get_modelmeta().custom_metadata_map[TABLE])
        self._session = session
        self._planar = frozenset(about["planar"])
        self._outputs = {each.name for each in session.get_outputs()}
        self._answer = session.get_outputs()[0].name
        self.layers: dict[str, Layer] = {row["name"]: _layer(row) for row in about["layers"]}
        self.code: str | None = about["code"]
        switches = (each.name for each in session.get_overridable_initializers())
        self.skips: tuple[str, ...] = tuple(
            name.removesuffix(SWITCH)
            for name in switches
            if name.endswith(SWITCH) and name != f"code{SWITCH}"
        )
        # The layers that the file answers for; the others are worked out.
        self.stored: tuple[str, ...] = tuple(each for each in self.layers if each in self._outputs)
        self._nothing = np.zeros((1, *self.layers[IMAGE].shape), np.float32)
        self._weights = self._read_weights()

    def feature_maps(
        self, pictures: np.ndarray, names: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the values of the named layers, of all by default: ``(N, *shape)`` each.

        Raises:
            ValueError: if the shape of the pictures does not fit, or there is no such layer.
        """
        wanted = list(self.layers if names is None else names)
        for name in wanted:
            if name not in self.layers:
                raise ValueError(f"unknown layer {name!r}; known: {', '.join(self.layers)}")
        stored = sorted(set().union(*map(self._stored_for, wanted)))
        maps = {IMAGE: np.asarray(pictures, np.float32)}
        for name, values in zip(stored, self._run(stored, pictures), strict=True):
            maps[name] = values.transpose(0, 2, 3, 1) if name in self._planar else values
        return {name: self._values(name, maps) for name in wanted}

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Return the codes ``(N, *shape of the code layer)`` of these pictures.

        Raises:
            ValueError: if the network has no code: skip connections lead around its middle.
        """
        return self.feature_maps(pictures, [self._require_code()])[self.code]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the pictures that the decoder makes of ``(N, *shape of the code layer)``.

        Raises:
            ValueError: if the network has no code, or the shape does not fit.
        """
        shape = self.layers[self._require_code()].shape
        if codes.shape[1:] != shape:
            raise ValueError(f"expected codes of shape {('N', *shape)}, got {codes.shape}")
        if len(codes) > BATCH:
            parts = [codes[first : first + BATCH] for first in range(0, len(codes), BATCH)]
            return np.concatenate([self.decode(part) for part in parts])
        # The encoder runs too, on black pictures that nobody looks at.
        nothing = np.repeat(self._nothing, len(codes), axis=0)
        given = {"code_values": np.asarray(codes, np.float32), "code_switch": _one(1)}
        return np.clip(self._run([self._answer], nothing, given)[0], 0, 1)

    def denoise(self, pictures: np.ndarray, skips: Mapping[str, float] | None = None) -> np.ndarray:
        """Denoise with a factor at each named skip connection: 0 cuts it, 1 is as trained.

        Raises:
            ValueError: if the shape of the pictures does not fit, or there is no such connection.
        """
        skips = skips or {}
        for name in skips:
            if name not in self.skips:
                raise ValueError(f"unknown skip connection {name!r}; known: {self.skips}")
        given = {f"{name}{SWITCH}": _one(factor) for name, factor in skips.items()}
        return np.clip(self._run([self._answer], pictures, given)[0], 0, 1)

    def weights(self, name: str) -> dict[str, np.ndarray]:
        """Return what the layer has learned, in Keras's layout.

        Convolutions and dense layers have a ``kernel`` and mostly a ``bias``; a batch
        normalisation has ``scale`` and ``shift``, to which its four vectors come down.
        """
        return self._weights.get(name, {})

    def follower(self, name: str) -> Layer | None:
        """Return the only layer that takes this one's values, None where it is not the only one."""
        takers = [layer for layer in self.layers.values() if name in layer.inputs]
        return takers[0] if len(takers) == 1 else None

    def _read_weights(self) -> dict[str, dict[str, np.ndarray]]:
        names = sorted(name for name in self._outputs if BETWEEN in name)
        weights: dict[str, dict[str, np.ndarray]] = {}
        for name, value in zip(names, self._run(names, self._nothing), strict=True):
            layer, _, part = name.rpartition(BETWEEN)
            # From (out, in, H, W), and (in, out, H, W) where it is transposed.
            keras_layout = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
            weights.setdefault(layer, {})[part] = keras_layout
        return weights

    def _stored_for(self, name: str) -> set[str]:
        """The layers that the file has to answer for so that this one can be worked out."""
        if name in self._outputs:
            return {name}
        return {each for source in self.layers[name].inputs for each in self._stored_for(source)}

    def _values(self, name: str, maps: dict[str, np.ndarray]) -> np.ndarray:
        """Return the values of a layer; work out what onnxruntime joins or leaves out.

        Joined, convolution, batch normalisation and ReLU take half the time.
        """
        if name not in maps:
            layer, weights = self.layers[name], self.weights(name)
            source = self._values(layer.inputs[0], maps)
            if layer.kind == "Conv2D":
                source = convolve(
                    source, weights["kernel"], weights.get("bias"), layer.strides, layer.padding
                )
            elif layer.kind == "BatchNormalization":
                source = source * weights["scale"] + weights["shift"]
            # What is left is dropout, which passes everything on once the training is over.
            maps[name] = source
        return maps[name]

    def _require_code(self) -> str:
        if self.code is None:
            raise ValueError("this network has no code")
        return self.code

    def _run(
        self,
        outputs: list[str],
        pictures: np.ndarray,
        given: Mapping[str, np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        shape = self.layers[IMAGE].shape
        if pictures.shape[1:] != shape:
            raise ValueError(f"expected pictures of shape {('N', *shape)}, got {pictures.shape}")
        image = np.ascontiguousarray(pictures, np.float32)
        return (
            run_session(self._session, outputs, {IMAGE: image, **(given or {})}) if outputs else []
        )


def load_inside(card: Card, session: ort.InferenceSession | None = None) -> OpenedNetwork:
    """Open the network of a card; ``session`` as in ``load_predictor``.

    Raises:
        ModelError: if the file is missing, damaged, or cannot be looked into.
    """
    session = session or open_session(card)
    if TABLE not in session.get_modelmeta().custom_metadata_map:
        raise ModelError(
            f"The model {card.name} cannot be looked into: its file does not describe its layers."
        )
    return OpenedNetwork(session)


def _layer(row: dict) -> Layer:
    """Return the layer of one row of the table; JSON has lists where we have tuples."""
    return Layer(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})


def _one(value: float) -> np.ndarray:
    return np.full(1, value, np.float32)
