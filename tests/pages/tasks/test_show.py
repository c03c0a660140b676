"""What the page of more jobs shows and gives away of a picture, beside the answers."""

import numpy as np
import pytest

from pages.components.tasks import show
from tests.pages.tasks.test_bad_input import picture


@pytest.mark.parametrize("task", ["colour-faces", "colour-photos", "colour-digits"])
def test_the_picture_called_grey_is_grey_where_a_coloured_one_was_brought(monkeypatch, task):
    shown = {}
    monkeypatch.setattr(show, "compare", lambda images, **_: shown.update(images))
    page = picture(np.full((60, 80, 3), [200, 90, 30], np.uint8), task)
    assert len(page.table) == 1
    grey = shown["Grey"]
    # To a level: the lightness goes through Lab and back.
    assert int(np.ptp(grey, axis=2).max()) <= 1


def test_the_brightness_of_a_cell_is_that_of_the_picture_not_of_the_lighter_one_shown(monkeypatch):
    measured = []
    monkeypatch.setattr(show, "download_instances", lambda *given: measured.append(given[2]))
    rows, columns = np.mgrid[:96, :96]
    cell = np.hypot(rows - 48, columns - 48) < 12
    picture(np.where(cell, 40, 5).astype(np.uint8), "segment-cells")
    brightness = measured[-1][:, -1]
    # The edge of what is found may lie a pixel beyond the cell.
    assert 30 < brightness.max() <= 40
