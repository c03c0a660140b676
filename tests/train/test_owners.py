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


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Dense, batch 512", "Dense, batch 512"),
        # 59 characters of it end in "filters 4-4", which is another network than 4-4-4-4.
        ("No skips: U-Net, as in the tutorial, seed 123, filters 4-4-4-4",
         "No skips: U-Net, as in the tutorial, seed 123, …"),
        ("Convolutional, clean to clean, as in the tutorial, batch 5120",
         "Convolutional, clean to clean, as in the tutorial, …"),
        ("A name, " + "of words " * 9, "A name, of words of words of words of words of words of…"),
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
    ],
)  # fmt: skip
def test_a_name_that_is_too_long_is_cut_where_no_number_is_and_says_so(tmp_path, name, kept):
    assert owners.shortened(name) == kept
    assert len(kept) <= owners.LONGEST_NAME
    run = finished(tmp_path, "a")
    owners.rename(run, name)
    assert owners.name_of(run) == kept


def test_the_newest_run_is_the_one_made_last_when_clocks_were_put_back_too(tmp_path):
    before = finished(tmp_path, "20261025-025900-abcdef", made=1_792_889_940.0)
    after = finished(tmp_path, "20261025-020100-abcdef", made=1_792_890_060.0)
    newest_first = [after.folder, before.folder]
    assert [run.folder for run in owners.runs_of(MINE, tmp_path)] == newest_first
    owners.change_owner(before, pinned=True)
    assert [run.folder for run in owners.runs_of(MINE, tmp_path)] == newest_first[::-1]


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
