"""Several workers on one training: real processes on small data, where JAX is installed."""

import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from models.tasks.contract import Examples
from train import replicas
from train.__main__ import main
from train.config import TrainConfig
from train.fit.data import Batches
from train.fit.distributed import SharedBatches, StopTogether, Team, WorkerError, on_every_device
from train.fit.loop import resume_or_build
from train.recipes import recipe
from train.replicas import require_place
from train.run_folder import Run

ROOT = Path(__file__).resolve().parents[3]
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="needs JAX: pip install -r requirements-jax.txt",
)


def team_of(count: int, index: int = 0, devices: int | None = None) -> Team:
    """A team that was never joined: it can share, but not talk."""
    team = Team(index, count)
    team.devices = devices or count
    return team


# Shares


@pytest.mark.parametrize(("rows", "count"), [(12, 1), (12, 2), (12, 3), (12, 4)])
def test_the_shares_of_all_workers_are_the_batch(rows, count):
    batch = np.arange(rows * 2).reshape(rows, 2)
    shares = [team_of(count, index).shard(batch) for index in range(count)]
    assert {len(share) for share in shares} == {rows // count}
    assert np.array_equal(np.concatenate(shares), batch)


def test_rows_that_do_not_divide_go_to_nobody_and_all_shares_are_equal():
    shares = [team_of(3, index).shard(np.arange(11)) for index in range(3)]
    assert [list(share) for share in shares] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_worker_with_two_devices_gets_a_share_that_both_can_halve():
    shares = [team_of(2, index, devices=4).shard(np.arange(11)) for index in range(2)]
    assert [list(share) for share in shares] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_nested_arrays_are_shared_alike():
    (noisy, level), clean = team_of(2, 1).shard(((np.arange(4), np.arange(4) * 10), np.arange(4)))
    assert (list(noisy), list(level), list(clean)) == ([2, 3], [20, 30], [2, 3])


def batches_of(pictures: int, batch: int) -> Batches:
    empty = np.zeros((pictures, 2, 2, 1), np.uint8)
    return Batches(Examples(empty), TrainConfig("dense", batch=batch))


def test_shared_batches_are_the_parts_of_the_same_batches():
    batches = batches_of(10, 4)
    batches.examples.targets[:] = np.arange(10, dtype=np.uint8).reshape(-1, 1, 1, 1)
    parts = [SharedBatches(batches, team_of(2, index)) for index in range(2)]
    assert [len(part) for part in parts] == [3, 3]
    for index in range(3):
        for part_of, whole in zip(range(2), batches[index], strict=True):
            shares = [part[index][part_of] for part in parts]
            assert np.array_equal(np.concatenate(shares), whole)


@pytest.mark.parametrize(
    ("pictures", "batch", "count"), [(100, 10, 3), (101, 10, 2), (4, 10, 5), (8, 10, 10)]
)
def test_batches_that_cannot_be_shared_evenly_are_refused(pictures, batch, count):
    with pytest.raises(ValueError, match=f"shared evenly by {count} workers .* batches of {batch}"):
        team_of(count).require_even_shards(batches_of(pictures, batch))


@pytest.mark.parametrize(("pictures", "batch", "count"), [(58_000, 128, 16), (102, 10, 2)])
def test_batches_that_can_be_shared_are_not_refused(pictures, batch, count):
    team_of(count).require_even_shards(batches_of(pictures, batch))


def test_a_lonely_worker_takes_all_and_asks_nobody(tmp_path):
    team = Team()
    assert list(team.shard(np.arange(5))) == [0, 1, 2, 3, 4]
    assert team.all_agree(True, 3) == (True, 3)
    assert team.broadcast(b"x") == b"x"
    with team.folder(Run(tmp_path)) as run:
        assert run.folder == tmp_path
    assert on_every_device("anything") == "anything"


def test_a_worker_has_one_of_the_numbers():
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        Team(2, 2)


# Stopping together


def answering(*answers):
    """A team of two that gives these answers, and what it was asked."""
    asked, left = [], list(answers)

    def all_agree(stop, interval):
        asked.append((stop, interval))
        return left.pop(0)

    return SimpleNamespace(count=2, all_agree=all_agree), asked


def test_workers_ask_each_other_about_twice_a_second():
    now = iter(np.arange(0, 100, 0.1)).__next__  # What is asked takes a tenth of a second, too.
    team, asked = answering((False, 1), (False, 5), (True, 5))
    together = StopTogether(team, now)
    assert [together(False) for _ in range(7)] == [False] * 6 + [True]
    # Two readings of the clock between the first two questions: one batch of 0.1 seconds.
    assert asked == [(False, 1), (False, 5), (False, 25)]


def test_one_wish_stops_all_at_the_next_question_only():
    team, _ = answering((False, 3), (True, 3))
    together = StopTogether(team, lambda: 0.0)
    assert [together(stop) for stop in (False, True, True, False)] == [False, False, False, True]


def test_what_libraries_say_of_a_lost_worker_becomes_a_sentence():
    with (
        pytest.raises(WorkerError, match="another worker was lost"),
        team_of(2).translate_lost_peer(),
    ):
        raise ValueError("UNKNOWN: Gloo AllReduce failed: Connection closed by peer")
    with pytest.raises(ValueError, match="something else"), team_of(2).translate_lost_peer():
        raise ValueError("something else")


# The command line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((None, 0, None), "workers must be from 1 to"),
        ((None, -2, None), "workers must be from 1 to"),
        ((2, 2, "a:1"), "worker must be from 0 to 1, got 2"),
        ((0, 2, None), "--worker needs --coordinator HOST:PORT, got None"),
        ((0, 2, "somewhere"), "got 'somewhere'"),
        ((0, 2, ":80"), "got ':80'"),
        ((None, 2, "a:1"), "--coordinator needs --worker"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        require_place(*arguments)


def test_a_worker_without_the_number_of_workers_is_refused(capsys):
    assert main(["recipe", "dense", "--worker", "1"]) == 2
    assert "--worker and --coordinator need --workers" in capsys.readouterr().err


def test_without_jax_the_command_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    out = tmp_path / "run"
    assert main(["recipe", "dense", "--workers", "2", "--out", str(out)]) == 2
    assert "pip install -r requirements-jax.txt" in capsys.readouterr().err
    assert not out.exists()


# Workers of a few lines, which train nothing


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Run two workers of these lines, which know their ``worker``; return the status of all."""

    def run(lines: str) -> int:
        head = "import os, signal, sys, tempfile, time\nworker = int(sys.argv[-3])\n"
        (tmp_path / "train.py").write_text(head + lines)
        return replicas.run_together([], 2)

    monkeypatch.setattr(replicas, "ROOT", tmp_path)
    return run


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(worker)", 0),
        ("sys.exit(3 * worker)", 2),
        ("if worker == 1: os.kill(os.getpid(), signal.SIGKILL)", 2),
        ("if worker == 0: os.kill(os.getpid(), signal.SIGKILL)", 2),
    ],
)
def test_nothing_temporary_is_left_however_workers_end(pretend, tmp_path, monkeypatch, end, status):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    made = tmp_path / "made"
    assert pretend(f"open({str(made)!r}, 'a').write(tempfile.mkdtemp() + ' ')\n{end}") == status
    assert len(made.read_text().split()) == 2
    assert list(temporary.iterdir()) == []


def test_a_worker_that_leaves_late_is_waited_for(pretend, monkeypatch):
    monkeypatch.setattr(replicas, "STOPPED_AFTER_S", 0.1)
    assert pretend("if worker == 0: time.sleep(1)") == 0


def test_the_others_do_not_go_on_long_when_one_has_failed(pretend, monkeypatch, capfd):
    monkeypatch.setattr(replicas, "STOPPED_AFTER_S", 0.1)
    assert pretend("if worker == 0: time.sleep(600)\nsys.exit(3)") == 2
    assert "worker 1 ended with status 3, and the others cannot go on" in capfd.readouterr().err


def test_the_one_that_was_killed_is_named_not_the_one_that_lost_it_in_the_same_moment(
    pretend, tmp_path, capfd
):
    number = str(tmp_path / "number")
    lines = f"""
if worker == 1:
    with open({number!r}, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(0.5)  # seconds; by then the other looks
    os.kill(os.getpid(), signal.SIGKILL)
while not os.path.exists({number!r}) or not (killed := open({number!r}).read()):
    time.sleep(0.01)
while " Z " not in open(f"/proc/{{killed}}/stat").read():
    time.sleep(0.001)
sys.exit(2)
"""
    assert pretend(lines) == 2
    assert "worker 1 ended with SIGKILL, and the others cannot go on" in capfd.readouterr().err


# Real workers

SMALL = ("recipe", "dense", "--seed", "5", "--out")
EPOCHS, STEPS = 3, 3 * 5  # 600 pictures in batches of 128
ONE, TWO = ("--workers", "1"), ("--workers", "2")


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers find what an earlier one has compiled, which is half of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def command(folder: Path, *more: str, epochs: int = EPOCHS) -> list[str]:
    return [sys.executable, "-m", "train", *SMALL, str(folder), "--epochs", str(epochs), *more]


def trained(folder: Path, *more: str, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command(folder, *more), cwd=ROOT, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == status, done.stderr
    return done


def epochs_of(folder: Path, name: str) -> np.ndarray:
    return np.array([event[name] for event in Run(folder).events() if event["event"] == "epoch"])


def weights_of(folder: Path) -> list[np.ndarray]:
    model = keras.saving.load_model(Run(folder).model, compile=False)
    return model.get_weights()


@pytest.fixture(scope="module")
def untrained(strokes, tmp_path_factory) -> Callable[[str], Path]:
    """Make a run that nobody has trained yet; all have the same first weights.

    Another backend would draw other weights from the same seed.
    """
    folder = tmp_path_factory.mktemp("runs")
    config = dataclasses.replace(recipe("dense").config, epochs=EPOCHS, seed=5)
    keras.utils.set_random_seed(5)
    model = resume_or_build(Run(folder), config, batches_an_epoch=5)
    model.optimizer.build(model.trainable_variables)

    def make(name: str) -> Path:
        run = Run.create(folder / name, config)
        model.save(run.checkpoint)
        return run.folder

    return make


@pytest.fixture(scope="module")
def together(untrained) -> Path:
    """A run of two workers; tests look, and leave it as it is."""
    folder = untrained("together")
    trained(folder, *TWO)
    return folder


@needs_jax
@pytest.mark.slow
def test_two_workers_learn_what_one_learns_and_load_no_other_engine(
    together, untrained, monkeypatch
):
    alone = untrained("alone")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    loaded = {line.rpartition("|")[2].strip() for line in trained(alone, *ONE).stderr.splitlines()}
    assert "jax" in loaded
    assert "tensorflow" not in loaded
    for name in ("loss", "val_loss", "psnr", "val_psnr"):
        # The same sums in another order, in float32, over fifteen steps.
        np.testing.assert_allclose(epochs_of(together, name), epochs_of(alone, name), rtol=1e-4)
    for one, two in zip(weights_of(alone), weights_of(together), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


@needs_jax
@pytest.mark.slow
def test_the_curve_is_that_of_the_plain_command_from_the_same_first_weights(together, untrained):
    plain = untrained("plain")
    assert main([*SMALL, str(plain), "--epochs", str(EPOCHS)]) == 0
    for name in ("loss", "val_loss"):
        # Two engines round otherwise, and Adam divides by small numbers.
        np.testing.assert_allclose(epochs_of(together, name), epochs_of(plain, name), rtol=0.01)


@needs_jax
@pytest.mark.slow
def test_the_run_folder_of_several_workers_is_like_any_other(together):
    assert {path.name for path in together.iterdir()} == {
        "config.json",
        "progress.jsonl",
        "checkpoint.keras",
        "model.keras",
        "probes",
    }
    events = [json.loads(line) for line in (together / "progress.jsonl").read_text().splitlines()]
    steps = [event["step"] for event in events if event["event"] == "batch"]
    assert steps == list(range(1, STEPS + 1))
    assert events[0]["backend"] == "jax"
    assert len(list((together / "probes").iterdir())) == 3


def wait_for(holds, seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.05)


def steps_of(folder: Path) -> int:
    return sum(event["event"] == "batch" for event in Run(folder).events())


@needs_jax
@pytest.mark.slow
def test_workers_stopped_in_the_middle_of_an_epoch_go_on_exactly(together, untrained):
    run = Run(untrained("stopped"))
    worker = subprocess.Popen(command(run.folder, *TWO), cwd=ROOT)
    # They have met, and the first batch takes seconds: JAX translates the network for it.
    wait_for(lambda: any(run.events()))
    run.stop.touch()
    assert worker.wait(300) == 1
    (stop,) = (event for event in run.events() if event["event"] == "stop")
    assert 0 < stop["step"] < STEPS / EPOCHS
    trained(run.folder, *TWO)
    for one, two in zip(weights_of(run.folder), weights_of(together), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def process_of(folder: Path, worker: int) -> int:
    """The process of one worker."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if str(folder) in said and f"--worker {worker} " in " ".join(said):
            return int(process.name)
    raise AssertionError("no such worker")


def last_step(run: Run) -> int:
    return max(event["step"] for event in run.events())


@needs_jax
@pytest.mark.slow
def test_workers_that_are_interrupted_or_die_end_the_run_and_it_goes_on(
    strokes, tmp_path, monkeypatch
):
    run, temporary = Run(tmp_path / "run"), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    arguments = command(run.folder, *TWO, epochs=2000)

    worker = subprocess.Popen(arguments, cwd=ROOT)
    wait_for(lambda: steps_of(run.folder) > 5)
    worker.send_signal(signal.SIGINT)
    assert worker.wait(300) == 1
    (stop,) = (event for event in run.events() if event["event"] == "stop")
    assert stop["reason"] == "interrupted"
    kept = last_step(run)
    assert stop["step"] == kept

    for victim in (0, 1):
        team = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        wait_for(lambda before=kept: last_step(run) > before + 10)
        os.kill(process_of(run.folder, victim), signal.SIGKILL)
        _, said = team.communicate(timeout=300)
        assert team.returncode == 2
        ours = [line for line in said.splitlines() if line.startswith("train: ")]
        assert f"worker {victim} ended with SIGKILL, and the others cannot go on" in ours[-1]
        # It has gone on from what was kept.
        resumed = [event["step"] for event in run.events() if event["event"] == "batch"]
        assert kept + 1 in resumed
        assert run.checkpoint.exists()
        assert not run.model.exists()
        assert list(temporary.iterdir()) == []
        kept = max(event["step"] for event in run.events() if event["event"] == "epoch")


@needs_jax
@pytest.mark.slow
def test_a_worker_that_cannot_start_ends_the_others_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_text("no archive")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    done = trained(tmp_path / "run", *TWO, status=2)
    assert "mnist.npz cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
