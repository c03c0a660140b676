"""What a host sets is checked, and is the same for the processes that are started elsewhere."""

import os
import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from models import environment
from models.environment import READY_WORKER, RUNS_AT_ONCE
from tests.app_server import ROOT


@pytest.mark.parametrize(("text", "number"), [("", 1), (" 2 ", 2), ("100", 100)])
def test_a_whole_number_is_taken(monkeypatch, text, number):
    monkeypatch.setenv(RUNS_AT_ONCE, text)
    assert environment.number(RUNS_AT_ONCE) == number


def test_nothing_set_is_the_default(monkeypatch):
    monkeypatch.delenv(RUNS_AT_ONCE, raising=False)
    assert environment.number(RUNS_AT_ONCE) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((RUNS_AT_ONCE, text) for text in ("0", "-1", "1.5", "two", "101", "²", "9" * 5000)),
        (READY_WORKER, "no"),
        (READY_WORKER, "2"),
    ],
    ids=lambda text: text[:20],
)
def test_what_makes_no_sense_is_refused_by_its_name(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=rf"{name} must be a whole number from . to \d+, got"):
        environment.number(name)


def test_a_server_that_is_set_up_wrong_says_so_on_every_page(monkeypatch, caplog):
    monkeypatch.setenv(RUNS_AT_ONCE, "two")
    app = AppTest.from_file(str(ROOT / "pages" / "_train.py"), default_timeout=60).run()
    assert not app.exception
    (error,) = app.error
    assert "DENOISE_RUNS_AT_ONCE must be a whole number from 1 to 100, got 'two'." in error.value
    assert not app.button
    assert "DENOISE_RUNS_AT_ONCE" in caplog.text


def test_home_is_known_and_an_unknown_one_is_a_folder_like_any_other(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for named, found in (("~/runs", "runs"), ("~nobody-at-all/runs", "~nobody-at-all/runs")):
        monkeypatch.setenv("DENOISE_RUNS_DIR", named)
        assert environment.folder("DENOISE_RUNS_DIR") == tmp_path / found
        assert os.environ["DENOISE_RUNS_DIR"] == str(tmp_path / found)


PROGRAM = """
import os, subprocess, sys
from train.run_folder import RUNS
told = "from train.run_folder import RUNS; from models.tasks.data_folder import data_folder; "
told += "print(RUNS); print(data_folder())"
print(RUNS)
subprocess.run([sys.executable, "-c", told], cwd="/", check=True)
"""


def test_relative_folders_are_the_same_for_workers_that_start_in_another_folder(tmp_path):
    (tmp_path / "data").mkdir()
    folders = {"DENOISE_RUNS_DIR": "runs", "DENOISE_DATA_DIR": "./data"}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | folders,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [*[str(tmp_path / "runs")] * 2, str(tmp_path / "data")]
