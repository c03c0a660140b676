"""Nonsense by websocket, for a short time; `python -m tests.faults` does it for longer."""

import pytest

from tests.faults.fuzz import fuzz


@pytest.mark.slow
def test_nonsense_in_links_and_controls_breaks_no_page(tmp_path):
    found = fuzz(tmp_path, 150, pages=("", "photo", "train", "inside", "tasks", "learn"))
    assert found.messages >= 150
    assert found.wrong == []
