"""A chart is an SVG whose curves stand where the numbers say."""

import xml.etree.ElementTree as ET

import pytest

from train.evaluate import chart

SVG = "{http://www.w3.org/2000/svg}"
CURVE = [(1, 1.0), (2, 0.1), (4, 0.01)]


def drawn(*curves) -> ET.Element:
    batches, training, validation = (*curves, [], [], [])[:3]
    return ET.fromstring(chart.loss_chart("Loss of a & b <c>", batches, training, validation))


def points_of(svg: ET.Element, index: int) -> list[tuple[float, float]]:
    line = svg.findall(f"{SVG}polyline")[index].get("points")
    return [tuple(map(float, point.split(","))) for point in line.split()]


def test_equal_factors_are_equally_far_apart():
    (_, top), (_, middle), (_, bottom) = points_of(drawn(CURVE), 0)
    assert top < middle < bottom
    # Places are rounded to a tenth of a pixel.
    assert bottom - middle == pytest.approx(middle - top, abs=0.2)


def test_epochs_are_evenly_spread_and_the_last_is_at_the_right_edge():
    (first, _), (second, _), (last, _) = points_of(drawn(CURVE), 0)
    assert last == chart.WIDTH - chart.RIGHT
    assert second - first == pytest.approx((last - second) / 2, abs=0.2)


def test_all_curves_share_their_axes_and_lie_inside():
    svg = drawn([(0.1, 3.0)] * 2, CURVE, [(4, 0.002), (4, 0.003)])
    for index in range(3):
        for x, y in points_of(svg, index):
            assert chart.LEFT <= x <= chart.WIDTH - chart.RIGHT
            assert chart.TOP <= y <= chart.HEIGHT - chart.BOTTOM


def test_the_title_is_text_whatever_is_in_it():
    assert drawn(CURVE).find(f"{SVG}title").text == "Loss of a & b <c>"


@pytest.mark.parametrize("curves", [(), ([],), ([(0.1, 0.5)],), ([(1, 0.5), (2, 0.5)],)])
def test_hardly_any_points_are_no_error(curves):
    drawn(*curves)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.08, 0.75, [0.1, 0.2, 0.3, 0.5, 0.7]),
        (0.1, 0.12, [0.1, 0.11, 0.12]),
        (0.001, 900, [0.001, 0.01, 0.1, 1, 10, 100]),
        (1e-3, 1e20, [1e-3, 10, 1e5, 1e9, 1e13, 1e17]),
    ],
)
def test_an_axis_has_round_numbers(low, high, expected):
    assert chart.ticks(low, high) == pytest.approx(expected)
