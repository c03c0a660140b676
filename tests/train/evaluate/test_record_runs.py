"""Finished runs become records, charts and a page that say what happened, and nothing else."""

import dataclasses
import json
import re

import pytest

from train.evaluate import recipes_page, record_runs
from train.fit import loop
from train.recipes import RECIPES, TRAPS, recipe
from train.recorded import read_records
from train.run_folder import Run

pytestmark = pytest.mark.usefixtures("strokes")

DENSE = dataclasses.replace(recipe("dense").config, epochs=2)


@pytest.fixture(scope="module")
def runs(strokes, tmp_path_factory):
    """A folder with one finished run, of the recipe ``dense``."""
    folder = tmp_path_factory.mktemp("runs")
    assert loop.train(Run.create(folder / "dense", DENSE)) == "finished"
    return folder


def diverged(folder) -> Run:
    """A run that ended in its third batch."""
    run = Run.create(folder, recipe("trap-rate-too-high").config)
    events = [
        {"event": "status", "step": 0, "status": "loading", "backend": "tensorflow"},
        {"event": "status", "step": 0, "status": "training", "batches_an_epoch": 100},
        *({"event": "batch", "step": step, "loss": loss} for step, loss in enumerate((1, 9, None))),
        {"event": "stop", "step": 3, "reason": "the loss became NaN", "outcome": "diverged"},
    ]
    run.progress.write_text("".join(json.dumps(event) + "\n" for event in events))
    return run


def test_a_record_holds_the_curve_and_is_measured_on_test_pictures(runs):
    record = record_runs.make_record(recipe("dense"), Run(runs / "dense"))
    epochs = [event for event in Run(runs / "dense").events() if event["event"] == "epoch"]
    assert [each["val_loss"] for each in record["epochs"]] == [e["val_loss"] for e in epochs]
    assert len(record["batches"]) == 10
    assert record["batches"][-1][0] == 2
    assert record["parameters"] == 101_200
    assert record["test"]["pictures"] == 300
    # Two epochs on made-up strokes do not denoise, but the number is one.
    assert 5 < record["test"]["psnr"] < 25
    assert record["made"]["backend"].startswith("tensorflow 2.")
    assert record["otherwise"] == {"epochs": 2}


def test_only_runs_that_have_ended_are_recorded_and_the_others_are_named(
    runs, tmp_path, monkeypatch
):
    monkeypatch.setattr(record_runs, "RECORDS", tmp_path)
    Run.create(runs / "unet", recipe("unet").config)
    missing = record_runs.update(["dense", "unet", "fashion"], runs, say=lambda _: None)
    assert missing == ["unet", "fashion"]
    assert [path.name for path in tmp_path.iterdir()] == ["dense.json"]
    before = (tmp_path / "dense.json").stat().st_mtime_ns
    record_runs.update(["dense"], runs, say=lambda _: None)
    assert (tmp_path / "dense.json").stat().st_mtime_ns == before
    (record,) = read_records(tmp_path).values()
    assert record["recipe"] == "dense"


def test_a_run_that_diverged_is_kept_with_its_reason(tmp_path):
    run = diverged(tmp_path / "run")
    assert record_runs.has_ended(run)
    record = record_runs.make_record(recipe("trap-rate-too-high"), run)
    assert (record["outcome"], record["why"]) == ("diverged", "the loss became NaN")
    assert record["epochs"] == []
    assert record["batches"] == [(0, 1), (0.01, 9)]
    record_runs.write(record, tmp_path)
    record_runs.draw(record, tmp_path)
    assert "polyline" in (tmp_path / "trap-rate-too-high.svg").read_text()
    page = written({"trap-rate-too-high": record}, [], tmp_path)
    assert "`trap-rate-too-high` diverged: the loss became NaN." in page


def test_only_recipes_without_an_ended_run_are_trained(runs, monkeypatch):
    asked = []
    monkeypatch.setattr(record_runs.subprocess, "run", lambda command, **_: asked.append(command))
    record_runs.train_missing(["dense", "conv-32-32", "fashion"], runs, say=lambda _: None)
    assert [command[4] for command in asked] == ["conv-32-32", "fashion"]


@pytest.mark.parametrize(("count", "left"), [(0, 0), (1, 1), (7, 7), (1000, 150)])
def test_a_thinned_curve_has_the_same_mean(count, left):
    points = [(place / 10, place % 5 + 1.0) for place in range(count)]
    thin = record_runs.thinned(points)
    assert len(thin) == left
    if count == 1000:  # In equal groups of at most seven, rounded to four digits.
        assert sum(v for _, v in thin) / left == pytest.approx(3, abs=0.02)


# The page


def written(records, missing, folder) -> str:
    page = folder / "recipes.md"
    recipes_page.write_page(records, missing, page)
    return page.read_text()


def test_every_recipe_has_a_place_on_the_page():
    listed = [name for system in recipes_page.SYSTEMS for name in system.recipes]
    assert sorted(listed) == sorted(RECIPES | TRAPS)


def test_reported_is_what_others_say_and_what_is_ours_stands_apart(tmp_path):
    _, *sections, _ = written({}, ["dense"], tmp_path).split("\n## ")
    lines = {section.split("\n")[0]: section.split("\n") for section in sections}
    reported = {title: each[2].removeprefix("**Reported:** ") for title, each in lines.items()}
    assert len(reported) == len(recipes_page.SYSTEMS)
    for said in reported.values():
        assert not re.search(r"README|\.md|\bhere\b|\bours?\b|Train page|Keras 3", said)
    assert [title for title, said in reported.items() if said == "–"] == ["Traps"]
    # Zhang et al., TPAMI 2021.
    assert "DRUNet 35.31 / 32.89 / 29.86 dB" in reported["Photos"]
    assert lines["Photos"][4].startswith("**Ours:** Its results on Kodak24 are in the [meas")


def test_the_page_shows_numbers_charts_and_what_is_missing(runs, tmp_path):
    record = record_runs.make_record(recipe("dense"), Run(runs / "dense"))
    page = written({"dense": record}, ["unet"], tmp_path)
    (row,) = (line for line in page.splitlines() if line.startswith("| `dense`"))
    assert "| gaussian 0.2 to 0.8 | adam 0.002, cosine | 101,200 | 2 |" in row
    assert f" {record['test']['psnr']:.2f} |" in row
    assert "![Loss of dense](recipes/dense.svg)" in page
    assert "`dense` ran with other settings than its recipe has today: epochs 2." in page
    assert "python -m train recipe unet" in page
    assert "traces of noise remain" in page


def test_the_page_that_is_kept_is_the_one_its_records_give(tmp_path):
    records = read_records()
    if not records:
        pytest.skip("no recipe has been recorded yet")
    missing = [name for name in RECIPES | TRAPS if name not in records]
    assert written(records, missing, tmp_path) == recipes_page.PAGE.read_text()
    for name in records:
        assert (record_runs.CHARTS / f"{name}.svg").exists()
