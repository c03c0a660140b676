"""Runs a model file on pictures, with onnxruntime.

``load_denoiser(card).denoise(noisy)`` takes and returns ``float32 (H, W, C)`` in [0, 1],
the same call as that of the classical filters.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime as ort

from models.catalogue import Card, ModelError
from models.photo_predictor import PhotoDenoiser, open_for_photos

# Overlap between neighbouring tiles, as a share of a tile: each seam is faded over it.
OVERLAP = 0.5
# Pictures in one go: onnxruntime keeps the memory of the largest batch for each network.
BATCH = 8


class Denoiser:
    """A denoising network for pictures of any size.

    A network with a fixed picture size sees larger pictures as overlapping tiles that are
    faded into each other, and smaller ones with their edge repeated.  Stateless, hence
    safe to share between threads.
    """

    def __init__(self, session: ort.InferenceSession, size: int, channels: int) -> None:
        self._session, self.size, self.channels = session, size, channels

    def denoise(self, noisy: np.ndarray, sigma: float | None = None) -> np.ndarray:
        """Denoise one picture ``(H, W, C)``; ``sigma`` is not needed by these networks.

        Raises:
            ValueError: if the shape or the number of channels does not fit.
        """
        if noisy.ndim != 3 or noisy.shape[2] != self.channels or 0 in noisy.shape:
            raise ValueError(
                f"expected a picture of shape (H, W, {self.channels}), got {noisy.shape}"
            )
        noisy = np.asarray(noisy, np.float32)
        if noisy.shape[:2] == (self.size, self.size):
            return self.denoise_batch(noisy[None])[0]
        return self._denoise_tiled(noisy)

    def denoise_batch(self, noisy: np.ndarray) -> np.ndarray:
        """Denoise ``(N, size, size, C)`` pictures of the network's own size.

        Raises:
            ValueError: if the shape does not fit.
        """
        _require_shape(noisy, (self.size, self.size, self.channels))
        return np.clip(_run(self._session, noisy), 0, 1)

    def _denoise_tiled(self, noisy: np.ndarray) -> np.ndarray:
        height, width = noisy.shape[:2]
        missing = [(0, max(0, self.size - side)) for side in (height, width)]
        padded = np.pad(noisy, (*missing, (0, 0)), mode="edge")
        corners = [
            (top, left)
            for top in _tile_starts(padded.shape[0], self.size)
            for left in _tile_starts(padded.shape[1], self.size)
        ]
        window = _feathered_window(self.size)
        # In double precision what is the same in all tiles comes back to the last bit.
        total = np.zeros(padded.shape)
        weight = np.zeros((*padded.shape[:2], 1))
        for first in range(0, len(corners), BATCH):
            places = [
                np.s_[top : top + self.size, left : left + self.size]
                for top, left in corners[first : first + BATCH]
            ]
            tiles = self.denoise_batch(np.stack([padded[place] for place in places]))
            for place, tile in zip(places, tiles, strict=True):
                total[place] += tile * window
                weight[place] += window
        return (total / weight)[:height, :width].astype(np.float32)


class DigitReader:
    """The digit classifier: which digit is in the picture, and how sure is it?"""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._picture = tuple(session.get_inputs()[0].shape[1:])

    def read(self, pictures: np.ndarray) -> np.ndarray:
        """Return the probabilities ``(N, 10)`` of the digits for ``(N, 28, 28, 1)`` pictures.

        Raises:
            ValueError: if the shape does not fit.
        """
        _require_shape(pictures, self._picture)
        return _run(self._session, pictures)


def load_denoiser(
    card: Card, session: ort.InferenceSession | None = None
) -> Denoiser | PhotoDenoiser:
    """Load the network of a card: one for its size of picture, or one for photos of any size.

    ``session`` is that of ``open_network``, where the network is open already.

    Raises:
        ModelError: if the file is missing, damaged, or no denoiser.
    """
    if not card.denoises:
        raise ModelError(f"The model {card.name} reads digits, it does not denoise.")
    session = session or open_network(card)
    if card.for_photos:
        return PhotoDenoiser(session, card.multiple)
    return Denoiser(session, card.size, card.channels)


def load_reader(card: Card, session: ort.InferenceSession | None = None) -> DigitReader:
    """Load the digit classifier of a card; ``session`` as in ``load_denoiser``.

    Raises:
        ModelError: if the file is missing, damaged, or no classifier.
    """
    if card.denoises:
        raise ModelError(f"The model {card.name} denoises, it does not read digits.")
    return DigitReader(session or open_network(card))


def open_network(card: Card) -> ort.InferenceSession:
    """Open the weights of a card, after a check that they are the ones it describes.

    Raises:
        ModelError: if they are missing, damaged, or those of another network.
    """
    try:
        weights = card.weights.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"The weights of the model {card.name} are missing.") from None
    except OSError as error:
        raise ModelError(f"The weights of the model {card.name} cannot be read: {error}") from error
    if hashlib.sha256(weights).hexdigest() != card.sha256:
        raise ModelError(
            f"The weights of the model {card.name} are damaged: "
            "their SHA-256 is not the one on its card."
        )
    try:
        session = (open_for_photos if card.for_photos else open_for_digits)(card.weights)
    except Exception as error:  # onnxruntime raises many types that share no base class.
        raise ModelError(
            f"The weights of the model {card.name} cannot be loaded: {error}"
        ) from error
    channels = [each.shape[-1] for each in session.get_inputs()]
    shapes = [each.shape[1:] for each in session.get_inputs()]
    if card.for_photos:
        belongs = channels == [card.channels, 1]
    else:
        belongs = shapes == [[card.size, card.size, card.channels]]
    if not belongs:
        raise ModelError(
            f"The weights of the model {card.name} do not belong to its card: they take {shapes}."
        )
    return session


def open_for_digits(weights: Path) -> ort.InferenceSession:
    """Open the ONNX file of a digit network; onnxruntime's own errors come through.

    By its path: given the bytes, onnxruntime would keep them beside what it makes of them.
    """
    options = ort.SessionOptions()
    # These networks answer in well under a millisecond; waking a second thread takes longer.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # It warns of inputs that have a usual value: ours are meant.
    return ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, pictures: np.ndarray) -> np.ndarray:
    """Run a network on any number of pictures, a batch at a time."""
    name, answer = session.get_inputs()[0].name, session.get_outputs()[0].name
    pictures = np.ascontiguousarray(pictures, np.float32)
    return np.concatenate(
        [
            session.run([answer], {name: pictures[start : start + BATCH]})[0]
            # An empty batch is run too: it has the right shape.
            for start in range(0, max(len(pictures), 1), BATCH)
        ]
    )


def _require_shape(pictures: np.ndarray, one: tuple[int, ...]) -> None:
    if pictures.shape[1:] != one:
        raise ValueError(f"expected pictures of shape {('N', *one)}, got {pictures.shape}")


def _tile_starts(length: int, size: int) -> list[int]:
    """Where tiles begin so that they cover ``length``, evenly, overlapping by ``OVERLAP``."""
    if length <= size:
        return [0]
    stride = size * (1 - OVERLAP)
    count = int(np.ceil((length - size) / stride)) + 1
    return [int(start) for start in np.rint(np.linspace(0, length - size, count))]


def _feathered_window(size: int) -> np.ndarray:
    """Weights ``(size, size, 1)`` that fall towards the edges but never to zero."""
    ramp = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (size / 2)
    ramp = np.clip(ramp, 0.01, 1)
    return (ramp[:, None] * ramp[None, :])[..., None]
