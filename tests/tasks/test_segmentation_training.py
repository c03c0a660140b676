"""A job's small recipe, shortened, goes all the way: trained, shipped, run."""

import dataclasses
import math

import numpy as np
import pytest

from models.predictor import load_predictor
from models.tasks import TASKS, segment_cells, segment_roads, segment_scenes
from train.export.ship import export
from train.fit.loop import train
from train.recipes import recipe
from train.run_folder import Run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("cells-small", segment_cells),
        ("roads-small", segment_roads),
        ("streets-small", segment_scenes),
    ],
)
def test_a_small_recipe_is_trained_shipped_and_run(name, module, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DRAWN", (8, 4, 4))
    whole = recipe(name)
    short = {"epochs": 1, "epoch_batches": 2, "batch": 2, "crop": 80 if "streets" in name else 64}
    chosen = dataclasses.replace(whole, config=dataclasses.replace(whole.config, **short))
    run = Run.create(tmp_path / "run", chosen.config)
    assert train(run) == "finished"
    (epoch,) = [event for event in run.events() if event["event"] == "epoch"]
    task = TASKS[chosen.config.task]
    for watched in ("loss", "val_loss", *task.watch, *(f"val_{each}" for each in task.watch)):
        assert math.isfinite(epoch["logs"][watched] if "logs" in epoch else epoch[watched])

    card = export(run, chosen, tmp_path / "shipped")
    assert card.task == task.name
    assert card.storage == "int8"
    assert card.weights.stat().st_size < 1.3 * card.parameters + 100_000
    picture = np.random.default_rng(1).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    answer = load_predictor(card).predict(picture)
    assert answer.shape[:2] == (70, 90)
