"""Keeps what came of each recipe: its curve, its final numbers, where and with what it ran.

The finished run of a recipe becomes a record, ``train/results/NAME.json``, and a chart
in ``docs/recipes``.  ``docs/recipes.md`` is written from the records, so that it can be made again
where the runs are gone.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import keras
import numpy as np

from imaging.pixels import to_image
from models.host import cores
from models.tasks import denoise_digits, read_digits
from train.config import TrainConfig, differences
from train.evaluate.chart import Points, loss_chart
from train.evaluate.measure import ALL_DIGITS, HEADLINE, Method, measure
from train.evaluate.tables import ROOT, processor
from train.fit.data import load_pictures
from train.recipes import RECIPES, TRAPS, Recipe
from train.recorded import RECORDS
from train.run_folder import RUNS, Run, write_whole

CHARTS = ROOT / "docs" / "recipes"
POINTS = 150  # of the curve of all batches; more cannot be told apart in so small a chart
OF_AN_EPOCH = (
    "epoch",
    "seconds",
    "loss",
    "val_loss",
    "psnr",
    "val_psnr",
    "val_accuracy",
    "learning_rate",
)


def train_missing(names: Iterable[str], runs: Path = RUNS, say: Callable = print) -> None:
    """Train, one after the other, the recipes that have no ended run yet.

    Each runs in its own process, as ``python -m train recipe NAME``; one that was stopped
    goes on.
    """
    for name in names:
        if not has_ended(Run(runs / name)):
            say(f"training: {name}")
            command = [sys.executable, "-m", "train", "recipe", name, "--out", str(runs / name)]
            subprocess.run(command, cwd=ROOT, check=False)


def update(names: Iterable[str], runs: Path = RUNS, say: Callable = print) -> list[str]:
    """Write the records of all ended runs that are new; return the recipes without a record."""
    missing = []
    for name in names:
        recipe, run, path = (RECIPES | TRAPS)[name], Run(runs / name), RECORDS / f"{name}.json"
        if has_ended(run) and not _is_newer(path, run.progress):
            write(make_record(recipe, run), RECORDS)
            say(f"{name}: recorded")
        elif not path.exists():
            missing.append(name)
    return missing


def has_ended(run: Run) -> bool:
    """Whether the run reached its end, or diverged on its way there."""
    last = _last_word(run)
    return last.get("status") == "finished" or last.get("outcome") == "diverged"


def make_record(recipe: Recipe, run: Run) -> dict:
    """Return all that is kept of an ended run, measured on test pictures too."""
    config, last = run.read_config(), _last_word(run)
    epochs = {event["epoch"]: event for event in run.events() if event["event"] == "epoch"}
    diverged = last.get("outcome") == "diverged"
    model = None if diverged else keras.saving.load_model(run.model, compile=False)
    measured = MEASURED.get(config.task)
    return {
        "recipe": recipe.name,
        "outcome": "diverged" if diverged else "finished",
        "why": last.get("reason", ""),
        "config": json.loads(config.to_json()),
        "otherwise": _otherwise(recipe.config, config),
        "parameters": model.count_params() if model else None,
        "epochs": [{n: e[n] for n in OF_AN_EPOCH if e.get(n) is not None} for e in epochs.values()],
        "batches": thinned(_batches(run)),
        "test": measured(model, config) if model and measured else {},
        "made": _circumstances(run),
    }


def write(record: dict, folder: Path) -> None:
    """Write a record."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{record['recipe']}.json"
    write_whole(path, lambda unfinished: unfinished.write_text(_compact(record)))


def draw(record: dict, folder: Path = CHARTS) -> None:
    """Write the chart of a record."""
    name, epochs = record["recipe"], record["epochs"]
    chart = loss_chart(
        f"Loss of {name}",
        [tuple(point) for point in record["batches"]],
        [(each["epoch"], each["loss"]) for each in epochs if "loss" in each],
        [(each["epoch"], each["val_loss"]) for each in epochs if "val_loss" in each],
    )
    write_whole(folder / f"{name}.svg", lambda path: path.write_text(chart))


def thinned(points: Points, most: int = POINTS) -> list[tuple[float, float]]:
    """Return at most ``most`` points ``(epoch, loss)``: means of as many neighbours each."""
    groups = np.array_split(np.array(points, float).reshape(-1, 2), min(most, max(1, len(points))))
    means = [group.mean(axis=0) for group in groups if len(group)]
    return [(round(float(place), 3), float(f"{loss:.4g}")) for place, loss in means]


def _batches(run: Run) -> list[tuple[float, float]]:
    """Epoch and loss of each batch; the last word counts where some were trained twice."""
    losses = {e["step"]: e["loss"] for e in run.events() if e["event"] == "batch"}
    told = [e["batches_an_epoch"] for e in run.events() if "batches_an_epoch" in e]
    told += [e["step"] / e["epoch"] for e in run.events() if e["event"] == "epoch"]
    an_epoch = told[-1] if told else max(losses, default=1)
    return [(step / an_epoch, loss) for step, loss in sorted(losses.items()) if loss is not None]


def _how_well_read(model: keras.Model, config: TrainConfig) -> dict:
    """How many labels of the test pictures are read."""
    _, (pictures, labels) = load_pictures(config.data)
    read = model.predict(to_image(pictures), batch_size=500, verbose=0).argmax(axis=1)
    return {"pictures": len(labels), "accuracy": round(float(np.mean(read == labels)), 4)}


def _how_well_denoised(model: keras.Model, config: TrainConfig) -> dict:
    """Quality on test pictures at the tutorials' noise."""

    def denoise(noisy: np.ndarray, _clean: np.ndarray) -> np.ndarray:
        return model.predict(noisy, batch_size=500, verbose=0)

    method = Method(model.name, "network", denoise)
    (row,) = measure([method], config.data, *HEADLINE, ALL_DIGITS)
    return {"pictures": row.pictures, "psnr": row.psnr, "ssim": row.ssim, "read": row.read}


# How networks are measured that are trained in minutes and not hours, by their task.
MEASURED = {read_digits.TASK.name: _how_well_read, denoise_digits.TASK.name: _how_well_denoised}


def _otherwise(recipe: TrainConfig, config: TrainConfig) -> dict:
    """The settings in which the run differs from its recipe as it stands today."""
    return {name: value for name, (_, value) in differences([recipe, config]).items()}


def _circumstances(run: Run) -> dict:
    """When, on what and with which versions the run was made."""
    backend = next((e["backend"] for e in run.events() if "backend" in e), "tensorflow")
    saved = {}
    if run.model.exists():
        with zipfile.ZipFile(run.model) as archive:
            saved = json.loads(archive.read("metadata.json"))
    return {
        "date": saved.get("date_saved", "").partition("@")[0],
        "processor": processor(),
        "cores": cores(),
        "keras": saved.get("keras_version", keras.__version__),
        "backend": f"{backend} {_version_of(backend)}".strip(),
    }


def _version_of(backend: str) -> str:
    for package in (backend, f"{backend}-cpu"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def _last_word(run: Run) -> dict:
    words = [event for event in run.events() if event["event"] in ("status", "stop", "error")]
    return words[-1] if words else {}


def _is_newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= than.stat().st_mtime


def _compact(record: dict) -> str:
    """Return JSON with one line for each epoch, and one for all batches."""
    parts = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items()
             if name != "epochs"]  # fmt: skip
    epochs = ",\n".join(f"    {json.dumps(each)}" for each in record["epochs"])
    parts.insert(-3, f'  "epochs": [\n{epochs}\n  ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def digit_recipes() -> list[str]:
    """Return the names of the recipes that take minutes and not hours."""
    return [name for name, each in (RECIPES | TRAPS).items() if each.config.task in MEASURED]
