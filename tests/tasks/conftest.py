"""Little to learn from, where a task draws it itself."""

import pytest

from models.tasks import (
    colour_digits,
    segment_cells,
    segment_digits,
    segment_roads,
    segment_scenes,
    upscale_digits,
)

FEW = {"train": 8, "validation": 4, "test": 4}


@pytest.fixture
def few_drawn(monkeypatch):
    """Have the tasks draw few examples: thousands take seconds."""
    for task in (segment_cells, segment_roads, segment_scenes):
        monkeypatch.setattr(task, "DRAWN", tuple(FEW.values()))
    for counts in (segment_digits.SCENES, upscale_digits.DIGITS, colour_digits.SCENES):
        for split, count in FEW.items():
            monkeypatch.setitem(counts, split, count)
