import fcntl
import json
import tracemalloc
from types import SimpleNamespace

from tests.train.made_runs import finished
from train import jobs, run_status
from train.fit.loop import _in_words
from train.run_folder import Run
from train.turns import lock


def last_words(run: Run, *, log: str = "", ended: str = "", **event) -> run_status.Status:
    """What is said of a dead run with this last event, log and exit status."""
    line = {"event": "batch", "time": 1, "step": 1} | event
    run.progress.write_text(json.dumps(line) + "\n")
    (run.folder / "worker.log").write_text(log)
    (run.folder / "ended").write_text(ended)
    return run_status.status(run)


def test_what_is_known_of_a_dead_worker_is_said(tmp_path, tmp_path_factory, monkeypatch):
    run = finished(tmp_path, "a")
    assert "out of memory or was restarted" in last_words(run).detail
    assert "The system killed the worker" in last_words(run, ended="-9").detail
    said = last_words(run, log="loading\ntrain: mnist cannot be downloaded\n", ended="2")
    assert said.detail == "mnist cannot be downloaded"
    assert "Last log line: Segmentation fault" in last_words(run, log="Segmentation fault").detail
    path = run.folder / "checkpoint.keras"
    said = last_words(run, event="error", message=f"ValueError: {path} cannot be read; remove it")
    assert said == run_status.Status(
        run_status.FAILED, detail="checkpoint.keras cannot be read; remove it"
    )
    pictures = tmp_path_factory.mktemp("pictures")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(pictures))
    said = last_words(run, event="error", message=f"OSError: {pictures}/mnist.npz is torn")
    assert said.detail == "mnist.npz is torn"
    said = last_words(run, event="error", message=_in_words(ValueError(9_000 * "\u00fc")))
    assert said.detail.startswith("\u00fc\u00fc\u00fc")
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert "The disk of this host is full" in last_words(run).detail


def test_a_stop_is_told_from_a_pause_and_from_a_training_that_diverged(tmp_path):
    run = finished(tmp_path, "a")
    assert last_words(run, event="stop", reason="paused").state == run_status.PAUSED
    assert last_words(run, event="stop", reason="asked").state == run_status.STOPPED
    said = last_words(run, event="stop", reason="no number", outcome="diverged")
    assert said == run_status.Status(run_status.DIVERGED, detail="no number")
    early = last_words(run, event="status", status="finished", reason="patience")
    assert early == run_status.Status(run_status.FINISHED, detail="patience")


def test_looking_whether_a_run_lives_leaves_nothing_in_its_folder(tmp_path):
    run = finished(tmp_path, "a")
    before = set(run.folder.iterdir())
    assert not run_status.is_alive(run)
    assert set(run.folder.iterdir()) == before


def test_who_looks_at_a_run_is_not_taken_for_its_worker(tmp_path):
    run = finished(tmp_path, "a")
    with (run.folder / "alive").open("a+") as worker, (run.folder / "alive").open() as watcher:
        fcntl.flock(watcher, fcntl.LOCK_SH)
        assert not run_status.is_alive(run)
        fcntl.flock(watcher, fcntl.LOCK_UN)
        lock(worker, run)
        assert run_status.is_alive(run)


def test_events_are_read_once_and_only_when_whole(tmp_path):
    run = finished(tmp_path, "a")
    reader = run_status.EventReader(run)
    assert len(list(reader.read_new())) == 1
    with run.progress.open("a") as file:
        file.write('{"event": "batch", "step": 1}\n{"event": "ba')
        file.flush()
        assert [event["step"] for event in reader.read_new()] == [1]
        file.write('tch", "step": 2}\n')
    assert [event["step"] for event in reader.read_new()] == [2]
    assert list(reader.read_new()) == []


def test_a_long_run_is_read_in_pieces_and_never_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(run_status, "PIECE", 1_000)
    run = finished(tmp_path, "a")
    lines = [json.dumps({"event": "batch", "step": step}) for step in range(5_000)]
    run.progress.write_text("\n".join(lines) + "\n")
    reader = run_status.EventReader(run)
    tracemalloc.start()
    try:
        steps = sum(1 for _ in reader.read_new())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert steps == 5_000
    assert peak < run.progress.stat().st_size / 2
    assert list(reader.read_new()) == []
