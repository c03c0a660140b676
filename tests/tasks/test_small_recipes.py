"""A job's small recipe, shortened, goes all the way: trained, shipped, run."""

import dataclasses
import math

import numpy as np
import pytest

from models.predictor import load_predictor
from models.tasks import TASKS
from train.export.ship import export
from train.fit.loop import train
from train.recipes import LIVE_JOBS, recipe
from train.run_folder import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_drawn")]


@pytest.mark.parametrize("name", [name for name in LIVE_JOBS if name.endswith("-small")])
def test_a_small_recipe_is_trained_shipped_and_run(name, tmp_path):
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
    # Where classes are decided, 8 bits are enough.
    stored, bytes_each = ("float16", 2) if task.target.kind == "image" else ("int8", 1.3)
    assert card.storage == stored
    assert card.weights.stat().st_size < bytes_each * card.parameters + 100_000
    picture = np.random.default_rng(1).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    answer = load_predictor(card).predict(picture)
    assert answer.shape[:2] == (70 * task.scale, 90 * task.scale)
