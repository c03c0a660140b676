import dataclasses
import time

import pytest

from tests.train.made_runs import CONFIG, LONG, MINE, finished
from train import jobs, owners
from train.config import TrainConfig
from train.recipes import LIVE_JOBS
from train.visitor_limits import Limits, Refused

SMALL_CELLS = vars(LIVE_JOBS["cells-small"].config)


def test_a_full_line_and_too_many_epochs_and_too_little_memory_are_refused(tmp_path, monkeypatch):
    with pytest.raises(Refused, match="0 runs are waiting"):
        jobs.start(CONFIG, MINE, "a", Limits(waiting=0), tmp_path)
    with pytest.raises(Refused, match="At most 99 epochs"):
        jobs.start(LONG, MINE, "a", Limits(epochs=99), tmp_path)
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 300.0)
    with pytest.raises(Refused, match="needs about 520 MB of memory, and this host has 300"):
        jobs.start(CONFIG, MINE, "a", runs=tmp_path)
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 1500.0)
    large = TrainConfig("unet", {"filters": [128, 64]}, batch=512)
    with pytest.raises(Refused, match=r"this host has 1500 MB left\..* a smaller batch"):
        jobs.start(large, MINE, "a", runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full_is_refused(tmp_path):
    with pytest.raises(Refused, match="disk of this host is nearly full"):
        jobs.start(CONFIG, MINE, "a", Limits(disk_megabytes=10**9), tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"settings": {"hidden": 10**6}}, "There is no such network: hidden must be .* 1 to 512"),
        ({"architecture": "transformer"}, "There is no such network: architecture must be one of"),
        (
            {"architecture": "unet", "settings": {"filters": [64, 128, 256]}},
            r"would have 1,8\d\d,\d\d\d parameters; at most 1,000,000 are possible",
        ),
        (
            {"task": "denoise-photos", "data": "photos", "loss": "psnr"},
            "Only networks for 28 × 28 greyscale images",
        ),
        (
            {"task": "read-digits", "loss": "sparse_categorical_crossentropy"},
            "Only networks for 28 × 28 greyscale images",
        ),
        ({"data": "own"}, "Your pictures are no longer here"),
        ({**SMALL_CELLS, "crop": 512}, "the small recipes of other jobs"),
        ({**SMALL_CELLS, "data": "cells"}, "the small recipes of other jobs"),
        (
            {**SMALL_CELLS, "settings": SMALL_CELLS["settings"] | {"filters": [256, 512, 512]}},
            "the small recipes of other jobs",
        ),
    ],
    ids=str,
)
def test_settings_that_ask_for_too_much_are_refused_without_keras(tmp_path, changes, says):
    config = dataclasses.replace(CONFIG, **changes)
    with pytest.raises(Refused, match=says):
        jobs.start(config, MINE, "a", Limits(parameters=1_000_000), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_are_too_old_or_take_too_much_room_are_deleted(tmp_path):
    old = finished(tmp_path, "a", made=time.time() - 8 * 86_400)
    big, new = finished(tmp_path, "b"), finished(tmp_path, "c")
    big.model.write_bytes(bytes(2_000_000))
    new.model.write_bytes(bytes(1_500_000))
    jobs.clear_old(Limits(days=7, kept_megabytes=2), tmp_path)
    assert [run.folder.exists() for run in (old, big, new)] == [False, False, True]


def test_pinned_runs_outlive_their_days_and_go_last(tmp_path):
    old = finished(tmp_path, "a", made=time.time() - 8 * 86_400)
    owners.change_owner(old, pinned=True)
    young = finished(tmp_path, "b")
    for run in (old, young):
        run.model.write_bytes(bytes(1_500_000))
    jobs.clear_old(Limits(days=7, kept_megabytes=2), tmp_path)
    assert [run.folder.exists() for run in (old, young)] == [True, False]
    assert [run.folder.name for run in owners.runs_of(MINE, tmp_path)] == ["a"]
