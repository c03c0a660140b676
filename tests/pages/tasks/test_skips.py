"""The switches of skip connections, without a browser."""

from types import SimpleNamespace

import pytest

from pages.components.tasks import skips


@pytest.mark.parametrize(
    ("said", "off"),
    [
        ({"cut_a": True, "cut_b": False}, ["b"]),
        ({"cut_a": False, "cut_b": False}, ["a", "b"]),
        # A switch that is no longer drawn says nothing.
        ({"cut_a": True}, ["b"]),
        ({}, ["b"]),
    ],
)
def test_switches_that_say_nothing_stay_as_they_were(monkeypatch, said, off):
    state = {"cut": ["b"], **said}
    monkeypatch.setattr(skips, "st", SimpleNamespace(session_state=state))
    skips._take("cut", ("a", "b"))
    assert state["cut"] == off
