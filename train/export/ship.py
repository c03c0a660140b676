"""Ships a run: makes ``models/pretrained/NAME`` of its network, with a card.

The numbers on the card are not written here but by ``train.evaluate.measure``.
"""

import dataclasses
import json
import math
import platform
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort

from imaging.pixels import to_image
from models.architectures import build
from models.catalogue import PRETRAINED, Card, read_card, sha256_of
from models.live import write_packed
from models.tasks import find_task
from models.tasks.contract import Task
from models.tasks.denoise_photos.level import PART
from train.config import TrainConfig
from train.evaluate.cards import write_card
from train.export.compact import EXACT, STORED, compact, to_stored_precision
from train.export.describe import macs
from train.export.folded import folded
from train.export.inspectable import make_inspectable, opened
from train.export.onnx_file import drop_idle_axes
from train.fit.accelerated import read_weights
from train.fit.data import load_pictures
from train.fit.losses import LOSSES
from train.fit.metrics import METRICS
from train.recipes import Recipe
from train.run_folder import Run, write_whole

AGREEMENT = 1e-4
KEEP_KERAS_BELOW = 4_000_000  # bytes


def export(run: Run, recipe: Recipe, folder: Path = PRETRAINED) -> Card:
    """Write ``model.onnx``, ``card.json`` and, where small, ``model.keras`` of a run.

    ``recipe`` gives its names, purpose and source; the settings come from the run itself.

    Raises:
        ValueError: if the run has no network or is of another recipe, or if the ONNX file does
            not answer as Keras does.  What was shipped before then stays as it is.
    """
    config = run.read_config()
    for name in ("architecture", "settings", "task", "data"):
        trained, wanted = getattr(config, name), getattr(recipe.config, name)
        if trained != wanted:
            raise ValueError(f"{recipe.name} has {name} {wanted}, {run.folder} has {trained}")
    model, epochs = _load_trained(run)
    target = folder / recipe.name
    target.mkdir(parents=True, exist_ok=True)

    weights = target / "model.onnx"
    write_whole(weights, lambda unfinished: _write_onnx(model, unfinished, config))
    if run.weights.exists():  # Of a training on an accelerator, which makes two networks.
        level = build("level-estimator")
        level.set_weights(read_weights(run.weights)[1])
        write_whole(target / f"{PART}.onnx", lambda unfinished: _write_level(level, unfinished))
    write_whole(target / "model.keras", model.save)
    keeps_norms = _storage(find_task(config.task)) != EXACT  # Its ONNX file has them folded in.
    if keeps_norms or (target / "model.keras").stat().st_size > KEEP_KERAS_BELOW:
        (target / "model.keras").unlink()
    told = ("name", "title", "purpose", "source", "gloss")
    about = {name: getattr(recipe, name) for name in told}
    card = _write_card(target, config, model, epochs, about)
    _pack_for_browser(card)
    return card


def refresh(card: Card) -> Card:
    """Write the ONNX file of a shipped digit model again from its ``model.keras``.

    The weights are the same, and so are the measured numbers, which stay on the card.

    Raises:
        ValueError: if the model has no ``model.keras`` or is for photos, or if the new file does
            not answer as Keras does.  What was shipped before then stays as it is.
    """
    path = card.folder / "model.keras"
    if card.storage != EXACT or not path.is_file():
        raise ValueError(f"only digit models with a model.keras can be written again: {card.name}")
    model = keras.saving.load_model(path, compile=False)

    def write(unfinished: Path) -> None:
        _write_inspectable(model, unfinished)
        require_agreement(model, unfinished, [_noisy_test_pictures(card.data)])

    write_whole(card.weights, write)
    card = dataclasses.replace(card, sha256=sha256_of(card.weights))
    write_card(card)
    _pack_for_browser(card)
    return card


def ship_part(card: Card, model: keras.Model) -> Card:
    """Write another estimator of the noise level beside the network of a card.

    Raises:
        ValueError: if the ONNX file does not answer as Keras does; the old one then stays.
    """
    part = card.folder / f"{PART}.onnx"
    write_whole(part, lambda unfinished: _write_level(model, unfinished))
    card = dataclasses.replace(card, parts=card.parts | {PART: sha256_of(part)})
    write_card(card)
    return card


def _pack_for_browser(card: Card) -> None:
    """Renew what the live preview loads of a shipped digit network."""
    if card.folder.parent == PRETRAINED and card.storage == EXACT:
        write_packed(card)


def can_export() -> bool:
    """Whether this backend can write ONNX: tf2onnx starts from TensorFlow's graphs."""
    return keras.backend.backend() == "tensorflow"


def make_usable(run: Run, title: str) -> Card:
    """Write ``model.onnx`` and ``card.json`` into the run folder, so that the screens can use it.

    Raises:
        ValueError: if the run has no network, or the ONNX file does not answer as Keras does.
    """
    config = run.read_config()
    model, epochs = _load_trained(run)
    write_whole(
        run.folder / "model.onnx", lambda unfinished: _write_onnx(model, unfinished, config)
    )
    about = {
        "name": run.folder.name,
        "title": title,
        "purpose": "A network that you trained here.",
        "source": "Denoise Lab",
    }
    return _write_card(run.folder, config, model, epochs, about)


def _load_trained(run: Run) -> tuple[keras.Model, int]:
    """Load the network of a run that is finished or stopped; also how many epochs it saw."""
    config = run.read_config()
    if run.weights.exists():
        model = build(config.architecture, **config.settings)
        model.set_weights(read_weights(run.weights)[0])
        steps = json.loads(run.done.read_text())["steps"]
        return model, steps // config.epoch_batches
    if run.model.exists():
        path = run.model
    elif run.checkpoint.exists():
        path = run.checkpoint  # Of a run that was stopped; the card says after how many epochs.
    else:
        raise ValueError(f"{run.folder} has no trained network yet")
    try:
        model = keras.saving.load_model(path, METRICS | LOSSES, compile=config.average > 0)
    except Exception as error:  # Keras, HDF5 and ZIP each raise types of their own.
        raise ValueError(f"{path} cannot be read: {error}") from error
    if config.average and path == run.checkpoint:
        # What Keras does itself at the end of a training.
        model.optimizer.finalize_variable_values(model.trainable_variables)
    if config.precision != "float32":
        keras.config.set_dtype_policy("float32")
        trained, model = model, build(config.architecture, **config.settings)
        model.set_weights(trained.get_weights())
    # Fewer than planned where it was stopped, or stopped early by itself.
    return model, _epochs_trained(run) or (config.epochs if path == run.model else 0)


def _write_onnx(model: keras.Model, path: Path, config: TrainConfig) -> None:
    stored = _storage(find_task(config.task))
    if stored == EXACT:
        _write_inspectable(model, path)
        inputs = [_noisy_test_pictures(config.data)]
    else:
        model = folded(model)
        to_stored_precision(model, stored)
        to_onnx(model, path)
        compact(path, model, stored)
        inputs = _random_inputs(model, _multiple(model))
    require_agreement(model, path, inputs)


def _storage(task: Task) -> str:
    """How the weights lie in the file: exact in small networks, whose layers can be looked into.

    In others, where classes are decided, 8 bits are enough.
    """
    if task.input.size:
        return EXACT
    return "int8" if task.target.kind in ("mask", "instances", "classes") else STORED


def _multiple(model: keras.Model) -> int:
    """What the sides of a picture must be multiples of: by how much the network shrinks it."""
    if model.inputs[0].shape[1]:
        return model.inputs[0].shape[1]
    shrinking = keras.layers.MaxPooling2D | keras.layers.Conv2D
    return math.prod(each.strides[0] for each in model.layers if isinstance(each, shrinking))


def _random_inputs(model: keras.Model, multiple: int) -> list[np.ndarray]:
    """Return a batch for each input: noise in the first, flat maps in the others."""
    rng = np.random.default_rng(0)
    side = model.inputs[0].shape[1] or multiple * max(1, 96 // multiple)
    shapes = [(4, side, side, each.shape[-1]) for each in model.inputs]
    flat = [rng.random((4, 1, 1, shape[-1]), np.float32) for shape in shapes[1:]]
    others = zip(flat, shapes[1:], strict=True)
    return [
        rng.random(shapes[0], np.float32),
        *(np.broadcast_to(values, shape).copy() for values, shape in others),
    ]


def _write_level(model: keras.Model, path: Path) -> None:
    to_stored_precision(model)
    to_onnx(model, path)
    compact(path, model)
    require_agreement(model, path, [np.random.default_rng(0).random((2, 96, 64, 3), np.float32)])


def _write_inspectable(model: keras.Model, path: Path) -> None:
    to_onnx(opened(model), path)
    make_inspectable(path, model)


def _write_card(
    folder: Path, config: TrainConfig, model: keras.Model, epochs: int, about: dict[str, str]
) -> Card:
    """Write the card of the network whose ``model.onnx`` is in the folder."""
    task = find_task(config.task)
    size, _, channels = model.inputs[0].shape[1:]
    multiple = 1 if size else _multiple(model)
    card = Card(
        **about,
        task=task.name,
        training=json.loads(config.to_json()) | {"epochs": epochs},
        size=size or 0,
        channels=channels,
        multiple=multiple,
        storage=_storage(task),
        notice=task.data[config.data].notice,
        parts={part.stem: sha256_of(part) for part in sorted(folder.glob(f"{PART}.onnx"))},
        parameters=model.count_params(),
        macs_per_pixel=round(macs(model, size or multiple) / (size or multiple) ** 2, 1),
        sha256=sha256_of(folder / "model.onnx"),
        made_with=_versions(),
    )
    write_whole(folder / "card.json", lambda path: path.write_text(card.to_json() + "\n"))
    return read_card(folder)


def to_onnx(model: keras.Model, path: Path) -> None:
    """Write the network as ONNX for batches of any size; the first input is ``image``."""
    names = ["image", *(each.name for each in model.inputs[1:])]
    signature = [
        keras.InputSpec(shape=each.shape, dtype="float32", name=name)
        for each, name in zip(model.inputs, names, strict=True)
    ]
    if len(signature) > 1:
        signature = [signature]  # Keras calls the model with one list.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras looks for np.object.
        model.export(path, format="onnx", verbose=False, input_signature=signature)
    file = onnx.load(path)
    drop_idle_axes(file.graph)
    onnx.save(file, path)


def require_agreement(model: keras.Model, weights: Path, inputs: list[np.ndarray]) -> float:
    """Return the largest difference between Keras and ONNX on ``inputs``, a batch for each input.

    Raises:
        ValueError: if it is above 1e-4, or the answers have different shapes.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3  # It warns of inputs that have a default: ours are meant to.
    session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    answer = session.get_outputs()[0].name
    (from_onnx,) = session.run([answer], dict(zip(names, inputs, strict=True)))
    given = inputs if len(inputs) > 1 else inputs[0]
    from_keras = keras.ops.convert_to_numpy(model(given, training=False))
    if from_onnx.shape != from_keras.shape:
        raise ValueError(
            f"ONNX and Keras must agree, they answer {from_onnx.shape} and {from_keras.shape}"
        )
    difference = float(np.abs(from_onnx - from_keras).max())
    if not difference <= AGREEMENT:  # NaN never is.
        raise ValueError(
            f"ONNX and Keras must agree to {AGREEMENT:g}, they differ by {difference:.2g}"
        )
    return difference


def _noisy_test_pictures(data: str) -> np.ndarray:
    pictures = to_image(load_pictures(data)[1][0][:256])
    noise = np.random.default_rng(0).standard_normal(pictures.shape, np.float32)
    return np.clip(pictures + np.float32(0.5) * noise, 0, 1)


def _epochs_trained(run: Run) -> int:
    return max((event["epoch"] for event in run.events() if event["event"] == "epoch"), default=0)


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    package = next(
        name for name in (f"{backend}-cpu", f"{backend}_cpu", backend) if _installed(name)
    )
    names = ("keras", package, "numpy", "onnx", "onnxruntime", "tf2onnx")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        **{name: version(name) for name in names if _installed(name)},
    }


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
