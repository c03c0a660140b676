import json

import numpy as np
import pytest
from scipy.spatial import KDTree

from imaging.digit_fit import fit_drawing
from imaging.samples import strokes
from imaging.samples.strokes import STROKES, fabric_drawing, outline, render

SIZE = 280
WIDTH = SIZE * strokes.PEN
DIGITS = [str(digit) for digit in range(10)]

every_drawing = pytest.mark.parametrize("name", STROKES)


def painted_by_discs(drawing, size, width, finer=8):
    """Paint what a canvas is told as a row of discs, edges smoothed by counting finer pixels."""
    places = []
    for item in drawing["objects"]:
        (_, *here), *curves = item["path"]
        for _, *numbers in curves:
            points = np.array([here, *np.reshape(numbers, (3, 2))])[:, np.newaxis]
            t = np.linspace(0, 1, 300)[:, np.newaxis]
            while len(points) > 1:  # de Casteljau
                points = (1 - t) * points[:-1] + t * points[1:]
            places.append(points[0])
            here = places[-1][-1]
    y, x = (np.indices((size * finer, size * finer)) + 0.5) / finer
    distance, _ = KDTree(np.vstack(places)).query(np.stack([x, y], axis=-1))
    inside = distance <= width / 2
    return inside.reshape(size, finer, size, finer).mean(axis=(1, 3))


def test_there_is_a_drawing_of_every_digit_and_a_first_one():
    assert set(DIGITS) <= set(STROKES)
    assert strokes.FIRST in DIGITS


@every_drawing
def test_a_drawing_stays_on_the_canvas(name):
    picture = render(name, SIZE, WIDTH)
    assert picture.shape == (SIZE, SIZE, 1)
    assert picture.dtype == np.float32
    assert (picture.min(), picture.max()) == (0, 1)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert not edge.any()


@every_drawing
def test_the_server_paints_what_the_canvas_is_told(name):
    ours = render(name, 70, 7)[..., 0]
    canvas = painted_by_discs(fabric_drawing(name, 70, 7), 70, 7)
    # On a slanting edge the covered share and the distance of the centre differ by 0.09 at most
    # (an edge at 45 degrees, touching a corner); 0.03 for 8x8 finer pixels and for chords.
    smooth = np.abs(ours - canvas) < 0.12
    # Where two strokes or a stroke with itself make a hollow corner, less is known.
    assert np.mean(smooth) > 0.995
    assert np.abs(ours - canvas).max() < 0.5
    assert np.abs(ours - canvas).mean() < 0.004


@every_drawing
def test_a_canvas_can_read_the_drawing(name):
    drawing = json.loads(json.dumps(fabric_drawing(name, SIZE, WIDTH)))
    assert len(drawing["objects"]) == len(STROKES[name])
    for item in drawing["objects"]:
        (start, *curves) = item["path"]
        assert item["type"] == "Path"
        assert item["stroke"] == "#ffffff"
        assert item["fill"] is None
        assert item["strokeWidth"] == WIDTH
        assert item["strokeLineCap"] == item["strokeLineJoin"] == "round"
        assert (start[0], len(start)) == ("M", 3)
        assert all((command, len(numbers)) == ("C", 6) for command, *numbers in curves)


def test_a_drawing_scales_with_the_canvas():
    small, large = outline("5", 100), outline("5", 250)
    np.testing.assert_allclose(large[0], 2.5 * small[0])


def test_a_curve_runs_through_the_points_of_the_stroke(monkeypatch):
    monkeypatch.setitem(STROKES, "hook", ("10,20 40,25 40,60 80,90",))
    (chain,) = outline("hook", 200)
    np.testing.assert_allclose(chain[::3], [[20, 40], [80, 50], [80, 120], [160, 180]])


def test_a_straight_stroke_is_a_straight_line_of_the_width_of_the_pen(monkeypatch):
    monkeypatch.setitem(STROKES, "bar", ("20,50 50,50 80,50",))
    picture = render("bar", 100, 10)[..., 0]
    column = np.zeros(100)
    column[45:55] = 1
    np.testing.assert_allclose(picture[:, 50], column, atol=1e-6)
    # A round cap adds half a disc at each end.
    assert picture.sum() == pytest.approx(60 * 10 + np.pi * 25, rel=0.005)


def test_a_point_given_twice_is_a_corner(monkeypatch):
    monkeypatch.setitem(STROKES, "corner", ("10,10 50,10 50,10 50,60",))
    (chain,) = outline("corner", 100)
    # Both curves are straight: their handles lie on the lines.
    assert np.all(chain[:4, 1] == 10)
    assert np.all(chain[3:, 0] == 50)


def test_a_closed_stroke_has_no_corner_where_it_closes(monkeypatch):
    monkeypatch.setitem(STROKES, "ring", ("50,10 90,50 50,90 10,50 50,10",))
    (chain,) = outline("ring", 100)
    np.testing.assert_allclose(chain[1] - chain[0], chain[-1] - chain[-2])


def test_an_unknown_drawing_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"unknown drawing '12'; known: 0, 1, 2"):
        fabric_drawing("12", SIZE, WIDTH)


@pytest.mark.parametrize("name", DIGITS)
def test_a_drawn_digit_is_nearest_to_real_digits_of_its_kind(name, mnist_test):
    fitted = fit_drawing(render(name, SIZE, WIDTH))
    images, labels = mnist_test
    nearest = np.argsort(np.sum((images - fitted) ** 2, axis=(1, 2, 3)))[:5]
    # Nearest neighbours read 97 % of MNIST right: a well-drawn digit is no hard case.
    assert labels[nearest].tolist() == [int(name)] * 5


@pytest.mark.parametrize("name", DIGITS)
def test_a_drawn_digit_has_as_much_ink_as_real_ones(name, mnist_test):
    images, labels = mnist_test
    real = images[labels == int(name)].mean(axis=(1, 2, 3))
    low, high = np.percentile(real, [10, 90])
    assert low < fit_drawing(render(name, SIZE, WIDTH)).mean() < high
