"""Workers and servers killed at random moments; `python -m tests.faults` does it for longer."""

import pytest

from tests.faults import kills
from tests.faults.visited_servers import kill_visited_servers


@pytest.mark.slow
def test_a_worker_killed_at_any_moment_leaves_a_run_that_can_go_on(tmp_path):
    assert kills.kill_workers(tmp_path, 6).wrong == []


@pytest.mark.slow
def test_a_server_killed_at_any_moment_leaves_runs_that_can_be_listed_and_deleted(tmp_path):
    assert kills.kill_servers(tmp_path, 4).wrong == []


@pytest.mark.slow
def test_a_server_killed_while_its_visitors_upload_and_take_files_away_loses_nothing(tmp_path):
    outcome = kill_visited_servers(tmp_path, 2, pretend=True)
    assert outcome.wrong == []
    assert outcome.done.total() > 0
