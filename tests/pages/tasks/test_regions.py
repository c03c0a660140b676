"""How regions are drawn over a picture."""

import numpy as np

from pages.components.tasks.regions import overlay, table_of, without_void


def test_what_is_of_no_class_stays_as_it_is_and_the_rest_is_coloured():
    picture = np.full((1, 3, 3), 100, np.uint8)
    classes = np.array([[0, 1, 2]])
    marked = without_void(classes, 2)
    assert marked.tolist() == [[0, 1, -1]]
    shown = overlay(picture, marked, table_of(["#ff0000", "#00ff00"]), 0.5, contour=False)
    # Half 100 and half 255, or half of 0; even halves are rounded to even.
    assert shown.tolist() == [[[178, 50, 50], [50, 178, 50], [100, 100, 100]]]


def test_a_line_around_regions_is_in_their_colour_at_no_strength_too():
    picture = np.zeros((5, 5, 3), np.uint8)
    square = np.full((5, 5), -1)
    square[1:4, 1:4] = 0
    shown = overlay(picture, square, table_of(["#ffffff"]), 0.0, contour=True)
    assert shown[1, 1].tolist() == [255, 255, 255]
    assert shown[2, 2].tolist() == [0, 0, 0]
    assert not shown[0].any()
