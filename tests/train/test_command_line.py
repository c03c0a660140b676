import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.command_lines import assert_refused
from train.__main__ import main
from train.config import TrainConfig, gaussian_only
from train.recipes import JOBS, RECIPES, TRAPS
from train.run_folder import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("strokes")]

ROOT = Path(__file__).resolve().parents[2]
CONFIG = TrainConfig("dense", {"hidden": 4}, noise=gaussian_only(0.5), batch=200, epochs=1)


@pytest.fixture
def run(capfd):
    """Run a command in this process; returns (exit status, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        # TensorFlow's own log lines are not ours.
        ours = "".join(line for line in err.splitlines(True) if line.startswith("train: "))
        assert "Traceback" not in err
        return status, out, ours

    return run


def test_list_names_every_recipe_with_its_purpose(run):
    status, out, err = run("list")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    known = RECIPES | JOBS | TRAPS
    assert set(lines) == set(known)
    for name, line in lines.items():
        assert line.endswith(known[name].purpose)


def test_a_recipe_is_trained_into_the_folder_that_is_asked_for(run, tmp_path):
    folder = tmp_path / "run"
    status, out, err = run("recipe", "dense", "--epochs", 1, "--seed", 7, "--out", folder)
    assert (status, err) == (0, "")
    assert f"finished: {folder}" in out
    config = Run(folder).read_config()
    assert (config.epochs, config.seed) == (1, 7)
    assert config.settings == RECIPES["dense"].config.settings
    assert (folder / "model.keras").exists()

    # Again: it is finished, and stays as it is.
    before = (folder / "checkpoint.keras").read_bytes()
    status, out, _ = run("recipe", "dense", "--epochs", 1, "--seed", 7, "--out", folder)
    assert status == 0
    assert f"finished: {folder}" in out
    assert (folder / "checkpoint.keras").read_bytes() == before

    # Other settings are another run.
    outcome = run("recipe", "dense", "--epochs", 2, "--seed", 7, "--out", folder)
    assert_refused(outcome, folder, "other settings")


def test_a_stop_file_that_is_left_over_does_not_stop_the_next_start(run, tmp_path):
    folder = Run.create(tmp_path / "run", CONFIG).folder
    (folder / "stop").touch()
    assert run("run", folder)[0] == 0


def test_a_stopped_run_says_how_it_goes_on_and_does(run, tmp_path):
    folder = Run.create(tmp_path / "run", CONFIG).folder
    status, out, err = run("run", folder, "--minutes", 1e-9)
    assert (status, err) == (1, "")
    assert f"stopped: {folder}" in out
    assert "same command goes on" in out
    assert run("run", folder)[0] == 0
    steps = [event["step"] for event in Run(folder).events() if event["event"] == "batch"]
    assert steps == [1, 2, 3]


def test_a_run_that_diverged_says_what_to_try(run, tmp_path, monkeypatch):
    from train.fit import loop

    folder = Run.create(tmp_path / "run", CONFIG).folder
    monkeypatch.setattr(loop, "train", lambda *_, **__: "diverged")
    status, out, _ = run("run", folder)
    assert status == 1
    assert "lower learning rate" in out
    assert "goes on" not in out


def test_ctrl_c_while_loading_ends_with_a_sentence(run, tmp_path, monkeypatch):
    from train.fit import loop

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", interrupt)
    status, _, err = run("run", Run.create(tmp_path / "run", CONFIG).folder)
    assert (status, err) == (130, "train: interrupted\n")


def test_an_unknown_recipe_is_refused_with_the_names(run):
    assert_refused(run("recipe", "soup"), "'soup'", "conv-16-8-8")


@pytest.mark.parametrize("arguments", [("--epochs", 0), ("--epochs", -3), ("--seed", -1)])
def test_numbers_that_make_no_sense_are_refused(run, tmp_path, arguments):
    outcome = run("recipe", "dense", *arguments, "--out", tmp_path / "run")
    assert_refused(outcome, arguments[0].strip("-"), arguments[1])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"epochs": "ten"}, {"learning_rate": -1}, {"surprise": 1}])
def test_settings_that_were_edited_into_nonsense_are_refused(run, tmp_path, changes):
    folder = Run.create(tmp_path / "run", CONFIG).folder
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert_refused(run("run", folder), path, *changes)


def test_settings_that_no_network_fits_are_refused(run, tmp_path):
    folder = Run.create(tmp_path / "run", TrainConfig("dense", {"depth": 3})).folder
    assert_refused(run("run", folder), "unknown setting 'depth'")


def test_a_damaged_checkpoint_is_refused(run, tmp_path):
    folder = Run.create(tmp_path / "run", CONFIG).folder
    (folder / "checkpoint.keras").write_text("no archive")
    assert_refused(run("run", folder), folder / "checkpoint.keras", "remove it to start over")


def test_a_folder_that_is_no_run_is_refused(run, tmp_path):
    assert_refused(run("run", tmp_path / "nowhere"), "no settings in")


def test_damaged_data_is_refused(run, tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_text("no archive")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    folder = Run.create(tmp_path / "run", CONFIG).folder
    assert_refused(run("run", folder), tmp_path / "mnist.npz")


@pytest.mark.parametrize("missing", ["jax", "data"])
def test_an_accelerated_training_makes_no_folder_where_something_is_missing(
    run, tmp_path, monkeypatch, missing
):
    monkeypatch.delenv("DENOISE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # Else it would stay what it becomes.
    found = None if missing == "jax" else "somewhere"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    outcome = run("accelerated", "photo", "--seconds", "60", "--out", tmp_path / "run")
    assert_refused(outcome, {"jax": "JAX", "data": "DENOISE_DATA_DIR"}[missing])
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_network_cannot_be_exported(run, tmp_path):
    folder = Run.create(tmp_path / "run", RECIPES["dense"].config).folder
    assert_refused(run("export", folder, "dense"), folder, "no trained network")


def test_a_run_is_exported_under_the_name_of_a_recipe_only(run, tmp_path):
    folder = Run.create(tmp_path / "run", CONFIG).folder
    assert_refused(run("export", folder, "soup"), "unknown recipe 'soup'")


def test_results_are_those_of_known_recipes_only(run):
    assert_refused(run("results", "soup"), "unknown recipe 'soup'")


@pytest.mark.parametrize("name", ["segment-cells", "cells", "cells-plain"])
def test_a_task_is_measured_by_its_name_or_that_of_a_network_of_it(run, monkeypatch, name):
    measured = []
    where = "train.evaluate.measure_task"
    monkeypatch.setattr(f"{where}.evaluate_task", lambda task, *_: measured.append(task.name) or [])
    monkeypatch.setattr(f"{where}.write_measurements", lambda rows: None)
    monkeypatch.setattr(f"{where}.write_table", lambda task: measured.append(task.name))
    assert run("evaluate", "--task", name)[0] == 0
    assert measured == ["segment-cells", "segment-cells"]


@pytest.mark.parametrize(("split", "written"), [("test", 1), ("validation", 0)])
def test_another_split_than_that_of_the_tables_is_only_printed(run, monkeypatch, split, written):
    rows, where = [], "train.evaluate.measure_task"
    row = {"data": "faces", "split": split}
    monkeypatch.setattr(f"{where}.evaluate_task", lambda *_: [row])
    monkeypatch.setattr(f"{where}.write_measurements", rows.extend)
    monkeypatch.setattr(f"{where}.write_table", lambda task: None)
    assert run("evaluate", "--task", "colour-faces", "--split", split)[0] == 0
    assert rows == [row] * written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--every 2", "--every does not go with --set digits"),
        ("--set kodak24 --every 2", "--every does not go with --set kodak24"),
        ("--set camera --filters", "--filters does not go with --set camera"),
        ("--split test", "--split does not go with --set digits"),
        ("--set polyu --data faces", "--data does not go with --set polyu"),
        ("--task cells --every 2", "--every does not go with --task cells"),
        ("--task cells --set kodak24", "--set does not go with --task cells"),
        ("--task cells --filters", "--filters does not go with --task cells"),
        ("--task cells roads", "--task cells measures all networks of the task, got roads"),
        ("--set drawings dense", "dense is not a network for drawings: its job is Denoise digits"),
        ("photo", "photo is not a network for digits"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(run, arguments, said):
    assert_refused(run("evaluate", *arguments.split()), said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *((f"evaluate --every {text}", "a whole number, 1 or more") for text in ("0", "-2", "x")),
        ("accelerated photo --out run --seconds 8", "10 or more"),
        ("run run --minutes nan", "0 or more"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_with_the_limits(arguments, said, capsys):
    with pytest.raises(SystemExit):
        main(arguments.split())
    assert f"expected {said}, got '{arguments.split()[-1]}'" in capsys.readouterr().err


def test_an_unknown_model_cannot_be_evaluated(run):
    assert_refused(run("evaluate", "nope"), "no model 'nope'", "dense")


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["recipe"], ["recipe", "dense", "--epochs", "x"]]
)
def test_a_command_that_is_not_understood_explains_itself(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m train" in capsys.readouterr().err


def test_what_tensorflow_writes_for_a_moment_lies_in_the_run_and_goes_with_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("train.memory.load_less", lambda: None)
    run, places = Run.create(tmp_path / "a", TrainConfig("dense")), []
    monkeypatch.setattr("train.turns.require_memory", lambda *_: None)
    monkeypatch.setattr("train.__main__._make_usable", lambda run: None)
    monkeypatch.setattr(
        "train.__main__._train", lambda *_: places.append(tempfile.gettempdir()) or 0
    )
    assert main(["run", str(run.folder), "--queue"]) == 0
    assert places == [str(run.folder)]


def test_nonsense_is_refused_before_the_seconds_that_keras_takes(tmp_path):
    (tmp_path / "config.json").write_text("{")
    program = (
        "import sys\n"
        "from train.__main__ import main\n"
        "status = main(sys.argv[1:])\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"train: {tmp_path / 'config.json'}: settings are not JSON: Expecting property name "
        "enclosed in double quotes: line 1 column 2 (char 1)\n"
    )
