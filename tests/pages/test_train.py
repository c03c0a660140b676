"""The Train page without a browser: what is said where something is wrong."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from train import jobs
from train.config import TrainConfig
from train.runs import Run

PAGE = str(Path(__file__).parents[2] / "pages" / "train.py")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of somebody's that nobody works at."""
    run = Run.create(tmp_path / "a", TrainConfig(architecture="dense"))
    (run.folder / "owner.json").write_text('{"token": "", "name": "dense", "made": 0}')
    monkeypatch.setattr(jobs, "find", lambda run_id: run)
    monkeypatch.setattr(jobs, "runs_of", lambda token: [])
    return run


def visit() -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=30)
    page.query_params["run"] = "a"
    return page.run()


def test_a_worker_that_died_is_shown_with_what_is_known(run):
    page = visit()
    assert not page.exception
    assert any("out of memory" in box.value for box in page.error)


def test_settings_edited_into_nonsense_are_a_sentence(run):
    (run.folder / "config.json").write_text('{"architecture": "dense", "epochs": "many"}')
    page = visit()
    assert not page.exception
    assert any("settings of this run cannot be read" in box.value for box in page.error)
