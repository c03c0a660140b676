import pytest

from tests.train.made_runs import MINE, YOURS, finished
from train import owners


def test_a_visitor_sees_and_steers_only_their_own_runs(tmp_path):
    mine, yours = finished(tmp_path, "a", MINE), finished(tmp_path, "b", YOURS)
    assert [run.folder for run in owners.runs_of(MINE, tmp_path)] == [mine.folder]
    assert owners.controls(MINE, mine)
    assert not owners.controls(MINE, yours)


def test_no_path_is_taken_for_the_id_of_a_run(tmp_path):
    finished(tmp_path / "runs", "a")
    finished(tmp_path, "outside")
    assert owners.find("a", tmp_path / "runs").folder.name == "a"
    for run_id in ("", ".", "..", "../outside", str(tmp_path / "outside"), "b", "a/"):
        assert owners.find(run_id, tmp_path / "runs") is None


def test_a_run_is_renamed_but_not_to_nothing(tmp_path):
    run = finished(tmp_path, "a")
    owners.rename(run, "  my\n best   one ")
    assert owners.name_of(run) == "my best one"
    owners.rename(run, " ")
    assert owners.name_of(run) == "my best one"
    owners.rename(run, "x" * 1000)
    assert len(owners.name_of(run)) == owners.LONGEST_NAME
    assert owners.controls(MINE, run)


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '{"token": 3}', '{"token": "é"}'])
def test_an_owner_that_makes_no_sense_owns_nothing(tmp_path, content):
    run = finished(tmp_path, "a")
    (run.folder / "owner.json").write_text(content)
    assert not owners.controls(MINE, run)
    assert owners.name_of(run) == "a"
    assert owners.race_of(run) == []


def test_a_run_that_is_being_deleted_is_in_no_list(tmp_path):
    deleted = finished(tmp_path, ".deleted-20260101-120000-abcdef")
    assert owners.find(deleted.folder.name, tmp_path) is None
    kept = finished(tmp_path, "20260101-130000-abcdef")
    assert [run.folder for run in owners.all_runs(tmp_path)] == [kept.folder]
    assert [run.folder for run in owners.runs_of(MINE, tmp_path)] == [kept.folder]
