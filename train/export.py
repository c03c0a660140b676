"""Ships a run: makes ``models/pretrained/NAME`` of its network, with a card.

The numbers on the card are not written here but by ``train.evaluate``.
"""

import platform
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import onnxruntime as ort

from models.catalogue import PRETRAINED, Card, read_card, sha256_of
from train.config import TrainConfig
from train.data import load_pictures, to_unit
from train.recipes import Recipe
from train.runs import Run, write_whole

AGREEMENT = 1e-4
KEEP_KERAS_BELOW = 4_000_000  # bytes


def export(run: Run, recipe: Recipe, folder: Path = PRETRAINED) -> Card:
    """Write ``model.onnx``, ``card.json`` and, where small, ``model.keras`` of a run.

    ``recipe`` gives name, title, purpose and source; the settings come from the run itself.

    Raises:
        ValueError: if the run has no network or is of another recipe, or if the ONNX file does
            not answer as Keras does.  What was shipped before then stays as it is.
    """
    config = run.read_config()
    for name in ("architecture", "settings", "data", "target"):
        trained, wanted = getattr(config, name), getattr(recipe.config, name)
        if trained != wanted:
            raise ValueError(f"{recipe.name} has {name} {wanted}, {run.folder} has {trained}")
    model, epochs = _load_trained(run)
    target = folder / recipe.name
    target.mkdir(parents=True, exist_ok=True)

    weights = target / "model.onnx"
    write_whole(weights, lambda unfinished: _write_onnx(model, unfinished, config))
    write_whole(target / "model.keras", model.save)
    if (target / "model.keras").stat().st_size > KEEP_KERAS_BELOW:
        (target / "model.keras").unlink()
    about = {name: getattr(recipe, name) for name in ("name", "title", "purpose", "source")}
    return _write_card(target, config, model, epochs, about)


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
    if run.model.exists():
        path = run.model
    elif run.checkpoint.exists():
        path = run.checkpoint  # Of a run that was stopped; the card says after how many epochs.
    else:
        raise ValueError(f"{run.folder} has no trained network yet")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras, HDF5 and ZIP each raise types of their own.
        raise ValueError(f"{path} cannot be read: {error}") from error
    return model, config.epochs if path == run.model else _epochs_trained(run)


def _write_onnx(model: keras.Model, path: Path, config: TrainConfig) -> None:
    to_onnx(model, path)
    require_agreement(model, path, config.data)


def _write_card(
    folder: Path, config: TrainConfig, model: keras.Model, epochs: int, about: dict[str, str]
) -> Card:
    """Write the card of the network whose ``model.onnx`` lies in the folder."""
    height, _, channels = model.input_shape[1:]
    card = Card(
        **about,
        architecture=config.architecture,
        settings=config.settings,
        size=height,
        channels=channels,
        target=config.target,
        noise=tuple(vars(entry) for entry in config.noise),
        fresh_noise=config.fresh_noise,
        data=config.data,
        loss=config.loss,
        optimizer=config.optimizer,
        learning_rate=config.learning_rate,
        schedule=config.schedule,
        batch=config.batch,
        epochs=epochs,
        seed=config.seed,
        parameters=model.count_params(),
        macs_per_pixel=round(macs(model) / height**2, 1),
        sha256=sha256_of(folder / "model.onnx"),
        made_with=_versions(),
    )
    write_whole(folder / "card.json", lambda path: path.write_text(card.to_json() + "\n"))
    return read_card(folder)


def to_onnx(model: keras.Model, path: Path) -> None:
    """Write the network as ONNX for batches of any size; input ``image``, one output."""
    signature = [
        keras.InputSpec(shape=(None, *model.input_shape[1:]), dtype="float32", name="image")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras looks for np.object.
        model.export(path, format="onnx", verbose=False, input_signature=signature)


def require_agreement(model: keras.Model, weights: Path, data: str) -> float:
    """Return the largest difference between Keras and ONNX on 256 test pictures with noise.

    Raises:
        ValueError: if it is above 1e-4.
    """
    pictures = to_unit(load_pictures(data)[1][0][:256])
    noise = np.random.default_rng(0).standard_normal(pictures.shape, np.float32)
    noisy = np.clip(pictures + np.float32(0.5) * noise, 0, 1)
    session = ort.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    from_onnx = session.run(None, {session.get_inputs()[0].name: noisy})[0]
    from_keras = keras.ops.convert_to_numpy(model(noisy, training=False))
    difference = float(np.abs(from_onnx - from_keras).max())
    if difference > AGREEMENT:
        raise ValueError(
            f"ONNX and Keras must agree to {AGREEMENT:g}, they differ by {difference:.2g}"
        )
    return difference


def macs(model: keras.Model) -> int:
    """Count the multiply-accumulate operations of convolutions and dense layers for one picture."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            # Each input position is multiplied with the whole kernel.
            total += int(np.prod(layer.input.shape[1:3])) * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Conv2D):
            total += int(np.prod(layer.output.shape[1:3])) * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total


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
