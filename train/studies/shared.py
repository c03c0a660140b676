"""What the studies share: their seed, their files, the training of a run, and quality.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1].
"""

import json
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from imaging import metrics
from models.catalogue import find_card
from models.digit_scores import evenly
from models.host import cores
from models.predictor import load_predictor
from models.studies.anomaly import rebuild_error
from models.studies.storage import DenseNetwork
from train.config import TrainConfig
from train.evaluate.tables import processor
from train.fit.loop import train
from train.run_folder import Run, write_whole

SEED = 20_261_121


MAPPED = READ = 2_000  # test digits on the map, and of those that the digit reader is shown


BATCH = 200


def principal_axes(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean ``(D,)``, axes ``(count, D)`` and their shares of the variance of ``(N, D)``.

    An axis may point either way; here its largest entry is positive.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, dtype=np.float64))
    axes = vectors[:, ::-1][:, :count].T
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1))
    shares = variances[::-1][:count] / variances.sum()
    return mean.astype(np.float32), axes.astype(np.float32), shares


def quality(
    clean: np.ndarray, answer: np.ndarray, labels: np.ndarray, variance: float | None = None
) -> dict[str, float]:
    """Return mean error, mean PSNR, and the share that the digit reader still reads.

    ``variance`` is the mean error of a picture that is always the mean digit; with it, ``lost`` is
    the share of what tells digits apart that did not come back.
    """
    mse = rebuild_error(clean, answer).mean()
    reader = load_predictor(find_card("digit-reader"))
    spread = evenly(READ, np.arange(len(clean)))
    found = {
        "mse": rounded(mse),
        "psnr": rounded(metrics.batch_psnr(clean, answer).mean()),
        "read": rounded(
            np.mean(reader.predict_batch(answer[spread]).argmax(axis=1) == labels[spread])
        ),
    }
    return found if variance is None else found | {"lost": rounded(mse / variance)}


def in_batches(run: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return what ``run`` makes of the rows, some at a time, as all maps are in memory at once."""
    return np.concatenate([run(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH)])


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as ``.npz``, real numbers in half precision."""
    stored = {
        name: values.astype(np.float16) if np.asarray(values).dtype.kind == "f" else values
        for name, values in arrays.items()
    }
    write_whole(path, lambda unfinished: np.savez_compressed(unfinished, **stored))


def write_numbers(folder: Path, part: str, numbers: dict) -> None:
    """Put the numbers of a part into ``card.json``, with what they were made and measured on."""
    path = folder / "card.json"
    card = json.loads(path.read_text()) if path.exists() else {}
    made_with = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": cores(),
        "seed": SEED,
        "python": platform.python_version(),
        **{name: version(name) for name in ("keras", "numpy", "onnxruntime")},
    }
    if part == "codes":
        made_with["scikit-learn"] = version("scikit-learn")
    card[part] = {**numbers, "made_with": made_with}
    write_whole(path, lambda unfinished: unfinished.write_text(json.dumps(card, indent=1) + "\n"))


def trained(run: Run) -> keras.Model:
    """Train a run to its end, and return its network."""
    if not run.model.exists() and train(run, show_progress=True) != "finished":
        raise ValueError(f"{run.folder} was stopped; the same command goes on from there")
    return keras.saving.load_model(run.model, compile=False)


def training_of(config: TrainConfig) -> dict:
    """What a card says of a training."""
    names = (
        "architecture",
        "settings",
        "loss",
        "optimizer",
        "learning_rate",
        "batch",
        "epochs",
        "seed",
    )
    return {name: getattr(config, name) for name in names}


def parameters_of(network: DenseNetwork) -> int:
    """Return how many numbers a network has learned."""
    return sum(values.size for values in vars(network).values())


def rounded(value: float) -> float:
    """Return a number with five digits, as the card keeps it."""
    return float(f"{value:.5g}")
