"""The probes of a training: sheets are read, thinned and turned into a film."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pages.components.training.probes import evenly_spaced, read_sheet, to_gif
from train.config import TrainConfig
from train.run_folder import Run


@pytest.fixture
def run(tmp_path: Path, rng: np.random.Generator) -> Run:
    """A run with the pictures of five epochs."""
    run = Run.create(tmp_path / "run", TrainConfig("dense"))
    (run.folder / "probes").mkdir()
    for epoch in range(1, 6):
        sheet = rng.integers(0, 256, (84, 56), np.uint8)
        Image.fromarray(sheet).save(run.folder / "probes" / f"epoch-{epoch:04d}.png")
    return run


def test_a_sheet_is_three_rows(run):
    sheet = read_sheet(run, 2)
    with Image.open(run.folder / "probes" / "epoch-0002.png") as file:
        whole = np.asarray(file)
    assert np.array_equal(np.concatenate([sheet.clean, sheet.noisy, sheet.denoised]), whole)
    assert sheet.epoch == 2


def test_a_sheet_that_is_gone_or_torn_is_left_out(run):
    assert read_sheet(run, 9) is None
    path = run.folder / "probes" / "epoch-0001.png"
    path.write_bytes(path.read_bytes()[:100])
    assert read_sheet(run, 1) is None


def test_few_epochs_are_all_shown_and_many_are_thinned_between_first_and_last():
    assert evenly_spaced([1, 2, 5]) == [1, 2, 5]
    many = evenly_spaced(range(1, 101), most=40)
    assert len(many) == 40
    assert (many[0], many[-1]) == (1, 100)
    assert many == sorted(set(many))


def test_the_film_has_a_frame_for_each_epoch_and_stays_on_the_last(run):
    with Image.open(io.BytesIO(to_gif(run, [1, 2, 3, 4, 5]))) as film:
        assert film.n_frames == 5
        assert film.size == (2 * 56, 2 * 84 + 16)
        assert film.info["loop"] == 0
        durations = []
        for frame in range(5):
            film.seek(frame)
            durations.append(film.info["duration"])
        assert durations[-1] > durations[0] > 0


def test_a_film_of_nothing_is_empty(run):
    assert to_gif(run, [9]) == b""
