import math

import pytest

from models.tasks.whole import MOST_PIXELS, seen_size


def test_a_usual_picture_is_reduced_by_the_share_alone():
    assert seen_size(400, 600, 0.32, 32) == (128, 192)
    assert seen_size(3, 5, 1.0, 32) == (3, 5)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1_000_000), (400_000, 1), (100, 40_000), (1, 1), (33, 300_000)]
)
@pytest.mark.parametrize(("multiple", "margin"), [(1, 0), (32, 0), (8, 8)])
def test_what_a_network_gets_of_a_long_and_thin_picture_has_a_limit(
    height, width, multiple, margin
):
    seen = seen_size(height, width, 1.0, multiple, margin)
    assert 1 <= seen[0] <= height
    assert 1 <= seen[1] <= width
    sides = [-(-(side + 2 * margin) // multiple) * multiple for side in seen]
    assert math.prod(sides) <= 1.1 * MOST_PIXELS
    # No smaller than it must be.
    assert seen == (height, width) or math.prod(sides) > MOST_PIXELS / 2
