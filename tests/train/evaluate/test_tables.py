"""The tables hold what was measured, and nothing else of their page changes."""

from pathlib import Path

import pytest

from train.evaluate import tables


def test_only_what_is_between_the_markers_changes(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nz\n")
    tables.write_between("benchmarks", "new", readme)
    assert readme.read_text() == "a\n<!-- benchmarks -->\nnew\n<!-- /benchmarks -->\nz\n"
    assert tables.read_between("benchmarks", readme) == "new"


def test_a_readme_without_markers_is_left_alone(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing here")
    with pytest.raises(ValueError, match="once each"):
        tables.write_between("benchmarks", "new", readme)
    assert readme.read_text() == "nothing here"


def row(method: str, family: str, psnr: float, noise: str = "gaussian", strength: float = 0.5):
    return {
        "method": method,
        "family": family,
        "noise": noise,
        "strength": strength,
        "psnr": psnr,
        "ssim": 0.5,
        "read": 0.9,
    }


def test_the_better_of_two_filters_is_the_one_to_beat():
    rows = [
        row("noisy", "none", 9.0),
        row("median", "filter", 14.0),
        row("median+curve", "filter", 17.0),
        row("dense", "network", 16.5),
        row("unet", "network", 21.0),
    ]
    assert tables.against_filters(rows).splitlines()[2] == (
        "| gaussian | 0.5 | 9.00 | 17.00 (`median+curve`) | 21.00 (`unet`) | +4.00 |"
    )


def test_a_network_that_loses_is_shown_to_lose():
    rows = [
        row("noisy", "none", 9.0),
        row("median", "filter", 14.0),
        row("dense", "network", 13.5),
    ]
    assert tables.against_filters(rows).endswith("| -0.50 |")


def test_methods_are_listed_the_worst_first_with_what_is_read():
    rows = [row("unet", "network", 21.0), row("noisy", "none", 9.0)]
    names = [line.split("|")[1].strip() for line in tables.at_half(rows).splitlines()[2:]]
    assert names == ["`noisy`", "`unet`"]
    assert "90.0%" in tables.at_half(rows)


def test_filters_that_leave_a_photo_as_it_is_come_behind_it():
    rows = [
        {"method": name, "pictures": 2, "psnr": psnr, "ssim": 0.9}
        for name, psnr in [("better", 36.5), ("same", 36.3301), ("noisy", 36.3302), ("worse", 36.1)]
    ]
    listed = [line.split(" | ")[0].strip("| ") for line in tables.on_camera(rows).splitlines()[2:]]
    assert listed == ["worse", "noisy", "same", "better"]
