"""Which networks of more jobs are measured."""

import pytest

from models.catalogue import load_catalogue
from models.tasks import TASKS
from tests.benchmarks import measure_jobs


@pytest.fixture
def asked(monkeypatch):
    """The names of the networks that were measured; nothing is."""
    names = []

    def measured_alone(name, size, runs):
        names.append(name)
        return [1.0] * runs, 100.0 * len(names)

    monkeypatch.setattr(measure_jobs, "_measured_alone", measured_alone)
    return names


def test_a_task_that_is_named_is_measured_alone(asked):
    rows = measure_jobs.jobs(["segment-roads"])

    assert set(asked) == {"roads", "roads-plain"}
    *seconds, memory = rows
    assert [row.unit for row in seconds] == ["s"] * 4
    # Two sizes of two networks; the larger of the last is the fourth of all.
    assert memory.what == "memory above idle, `segment-roads`, 12 megapixels"
    assert memory.samples == [400.0]


def test_every_network_of_more_jobs_is_measured(asked):
    measure_jobs.jobs()

    shown = {card.name for card in load_catalogue().values() if TASKS[card.task].samples}
    assert set(asked) == shown
    assert {"cells", "upscale-3-small", "speech-plain"} <= shown
