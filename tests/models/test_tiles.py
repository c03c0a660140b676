from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from models.tiles import FADE, OVERLAP, in_tiles, spans, squares

# Small tiles, so that small pictures have many: 128 pixels a side.
TILE = 128**2
# A tile's outermost pixels are never used: those of an overlap that are not faded, halved.
UNUSED = (OVERLAP - FADE) // 2
SIZES = [(1, 1), (7, 5), (641, 333), (1, 1000), (1000, 1), (129, 128), (300, 400)]

every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_type = pytest.mark.parametrize("dtype", [np.uint8, np.float32])


def itself(tile):
    return tile


def blur(tile):
    """A filter that looks at most 9 pixels far."""
    return ndimage.gaussian_filter(tile, (2, 2, 0), mode="mirror", radius=9)


def picture_of(size, rng, dtype=np.float32, channels=3):
    pixels = rng.integers(0, 256, (*size, channels), dtype=np.uint8)
    return pixels if dtype == np.uint8 else pixels.astype(np.float32) / 255


# Stretches


@settings(deadline=None, max_examples=300)
@given(
    length=st.integers(1, 20_000),
    longest=st.integers(1, 2_000),
    multiple=st.sampled_from([1, 2, 16, 32]),
)
@example(length=10_000, longest=724, multiple=16)
@example(length=100, longest=1, multiple=1)
@example(length=20, longest=2, multiple=32)
def test_stretches_cover_everything_overlap_and_begin_where_the_network_halves(
    length, longest, multiple
):
    stretches = spans(length, longest, multiple)
    assert stretches[0][0] == 0
    assert stretches[-1][1] == length
    for start, end in stretches:
        assert start % multiple == 0
        assert 0 <= start < end <= length
        assert end - start < longest + multiple or end - start == length <= longest
    for (start, end), (next_start, next_end) in pairwise(stretches):
        assert start <= next_start <= end
        assert end <= next_end
        assert end - next_start == min(OVERLAP, longest // 2)


@given(
    length=st.integers(1, 20_000),
    longest=st.integers(256, 2_000),
    multiple=st.sampled_from([1, 16, 32]),
)
def test_stretches_are_about_equally_long_and_as_few_as_can_be(length, longest, multiple):
    stretches = spans(length, longest, multiple)
    lengths = [end - start for start, end in stretches]
    # Each end and each start is moved down by less than ``multiple``.
    assert max(lengths) - min(lengths) < 2 * multiple
    fewer = len(stretches) - 1
    if fewer:
        assert fewer * longest - (fewer - 1) * OVERLAP < length


def test_what_fits_into_one_tile_is_one():
    assert spans(724, 724, 16) == [(0, 724)]
    assert len(spans(725, 724, 16)) == 2


# Pictures


@every_size
@every_type
def test_what_the_work_leaves_as_it_is_comes_back_as_it_was(size, dtype, rng):
    picture = picture_of(size, rng, dtype)
    before = picture.copy()
    result = in_tiles(picture, itself, tile_pixels=TILE)
    assert result.dtype == dtype
    assert result is not picture
    np.testing.assert_array_equal(result, picture)
    np.testing.assert_array_equal(picture, before)


@every_size
def test_flat_grey_stays_flat_across_all_seams(size):
    grey = np.full((*size, 1), 100, np.uint8)
    darker = in_tiles(grey, lambda tile: tile * np.float32(0.7), tile_pixels=TILE)
    np.testing.assert_array_equal(darker, 70)


@every_size
def test_in_tiles_is_what_is_made_of_the_whole_where_the_work_does_not_look_far(size, rng):
    picture = picture_of(size, rng)
    assert UNUSED > 9
    tiled = in_tiles(picture, blur, multiple=16, tile_pixels=TILE)
    # A mixture of two values that are the same but for rounding.
    np.testing.assert_allclose(tiled, blur(picture), atol=1e-6)


@every_type
def test_what_a_tile_makes_of_its_edges_is_never_seen(dtype, rng):
    picture = picture_of((400, 520), rng, dtype)

    def fails_at_edges(tile):
        failing = np.zeros_like(tile)
        inside = np.s_[UNUSED:-UNUSED, UNUSED:-UNUSED]
        failing[inside] = tile[inside]
        return failing

    # Large enough for the full overlap.
    result = in_tiles(picture, fails_at_edges, multiple=16, tile_pixels=256**2)
    expected = np.zeros_like(picture)
    inside = np.s_[UNUSED:-UNUSED, UNUSED:-UNUSED]
    expected[inside] = picture[inside]
    np.testing.assert_array_equal(result, expected)


def test_a_seam_is_a_slope_where_two_tiles_disagree():
    picture = np.zeros((64, 400, 1), np.float32)
    levels = iter([0.0, 1.0])
    result = in_tiles(picture, lambda tile: tile + next(levels), tile_pixels=64 * 300)
    ((_, end), (start, _)) = spans(400, 300, 1)
    middle = (start + end) // 2
    row = result[0, :, 0]
    assert not row[: middle - FADE // 2].any()
    assert np.all(row[middle + FADE // 2 :] == 1)
    slope = (np.arange(FADE) + 0.5) / FADE
    np.testing.assert_allclose(row[middle - FADE // 2 : middle + FADE // 2], slope, atol=1e-6)
    assert np.ptp(result, axis=0).max() == 0


def test_where_four_tiles_meet_their_shares_are_products_and_add_up_to_one():
    picture = np.zeros((180, 180, 1), np.float32)
    (_, end), (start, _) = spans(180, 128, 1)
    middle = (start + end) // 2
    slope = np.clip((np.arange(180) - middle + FADE / 2 + 0.5) / FADE, 0, 1)
    for corner in range(4):
        answers = iter([float(number == corner) for number in range(4)])
        result = in_tiles(picture, lambda tile: tile + next(answers), tile_pixels=TILE)  # noqa: B023
        down, right = (slope if part else 1 - slope for part in divmod(corner, 2))
        np.testing.assert_allclose(result[..., 0], np.outer(down, right), atol=1e-6)


def test_8_bit_pictures_come_back_rounded_to_the_nearest(rng):
    picture = picture_of((200, 300), rng, np.uint8)
    in_8_bits = in_tiles(picture, blur, multiple=16, tile_pixels=TILE)
    exact = in_tiles(picture.astype(np.float32) / 255, blur, multiple=16, tile_pixels=TILE)
    # Rounded once, and where two tiles are mixed once more.
    assert np.abs(in_8_bits - 255 * exact).max() <= 1 + 1e-3
    one_tile = in_tiles(picture, blur)
    np.testing.assert_array_equal(one_tile, np.rint(255 * blur(picture.astype(np.float32) / 255)))


@every_type
def test_what_leaves_0_to_1_is_clipped(dtype):
    white = 255 if dtype == np.uint8 else 1
    grey = np.full((200, 150, 3), 0.6 * white, dtype)
    for factor, expected in ((2, white), (-1, 0)):
        result = in_tiles(grey, lambda tile: tile * np.float32(factor), tile_pixels=TILE)  # noqa: B023
        np.testing.assert_array_equal(result, expected)


@every_type
def test_the_work_gets_float32_tiles_of_limited_size_that_begin_at_multiples(dtype):
    height, width, multiple = 700, 500, 16
    # Each pixel says where it is.
    places = np.arange(height * width, dtype=np.float32).reshape(height, width, 1)
    picture = (places % 256).astype(dtype) if dtype == np.uint8 else places
    seen = []

    def look(tile):
        assert tile.dtype == np.float32
        seen.append(tile)
        return tile

    in_tiles(picture, look, multiple=multiple, tile_pixels=TILE)
    for tile in seen:
        assert tile.shape[0] < 128 + multiple
        assert tile.shape[1] < 128 + multiple
        if dtype == np.float32:
            top, left = divmod(int(tile[0, 0, 0]), width)
            assert top % multiple == left % multiple == 0
        else:
            assert 0 <= tile.min() <= tile.max() <= 1


@pytest.mark.parametrize("size", [(10_000, 1), (1, 10_000), (10_000, 20)])
def test_tiles_of_a_narrow_picture_are_long_as_their_area_allows(size):
    areas = []

    def look(tile):
        areas.append(tile.shape[0] * tile.shape[1])
        return tile

    in_tiles(np.zeros((*size, 1), np.uint8), look, multiple=16, tile_pixels=TILE)
    # In work they are as wide as the next multiple of 16.
    across = -(-min(size) // 16) * 16
    longest = TILE // across
    assert len(areas) == -(-(10_000 - OVERLAP) // (longest - OVERLAP))
    assert max(areas) < (longest + 16) * min(size)


@every_type
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (100, 100), (300, 180)], ids=str)
def test_a_margin_of_mirror_image_is_seen_beyond_the_edges_and_cut_off_again(size, dtype, rng):
    picture = picture_of(size, rng, dtype)
    in_floats = picture if dtype == np.float32 else picture.astype(np.float32) / 255
    mirrored = np.pad(in_floats, ((32, 32), (32, 32), (0, 0)), mode="reflect")
    seen = []

    def look(tile):
        seen.append(tile)
        return tile

    result = in_tiles(picture, look, multiple=16, tile_pixels=TILE, margin=32)
    np.testing.assert_array_equal(result, picture)
    for corner, tile in (((0, 0), seen[0]), ((-1, -1), seen[-1])):
        there = mirrored[: tile.shape[0], : tile.shape[1]]
        if corner == (-1, -1):
            there = mirrored[-tile.shape[0] :, -tile.shape[1] :]
        np.testing.assert_array_equal(tile, there)


def test_a_margin_hides_what_the_work_does_to_edges():
    grey = np.full((300, 180, 1), 100, np.uint8)

    def fails_at_edges(tile):
        failing = np.zeros_like(tile)
        failing[16:-16, 16:-16] = tile[16:-16, 16:-16]
        return failing

    result = in_tiles(grey, fails_at_edges, multiple=16, tile_pixels=TILE, margin=16)
    np.testing.assert_array_equal(result, grey)


def test_whoever_watches_is_told_of_every_tile():
    told = []
    picture = np.zeros((300, 180, 1), np.float32)
    in_tiles(
        picture, itself, watch=lambda done, total: told.append((done, total)), tile_pixels=TILE
    )
    # Four steps of 59 pixels down and two of 58 across, each with 64 more.
    assert told == [(done, 8) for done in range(9)]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_the_watch_raises_ends_the_work(after):
    class Enough(Exception):
        """Raised by the watch, and by nothing else."""

    worked = []

    def watch(done, total):
        if done == after:
            raise Enough

    with pytest.raises(Enough):
        in_tiles(
            np.zeros((300, 200, 1), np.uint8),
            lambda tile: worked.append(1) or tile,
            watch,
            tile_pixels=TILE,
        )
    assert len(worked) == after


@pytest.mark.parametrize("margin", [0, 8])
def test_enlarged_tiles_lie_where_they_belong_whatever_is_mirrored_around_them(rng, margin):
    picture = picture_of((60, 90), rng)
    enlarged = in_tiles(
        picture,
        lambda tile: tile.repeat(2, axis=0).repeat(2, axis=1),
        multiple=4,
        tile_pixels=40**2,
        margin=margin,
        scale=2,
    )
    expected = picture.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(enlarged, expected, atol=1e-6)


@pytest.mark.parametrize("length", [28, 29, 42, 43, 56, 57, 300])
def test_squares_cover_a_length_evenly_and_overlap_by_half_or_more(length):
    stretches = squares(length, 28)
    assert (stretches[0][0], stretches[-1][1]) == (0, length)
    assert {end - start for start, end in stretches} == {28}
    steps = {after[0] - before[0] for before, after in pairwise(stretches)}
    assert not steps or (max(steps) <= 14 and max(steps) - min(steps) <= 1)


def test_a_network_of_one_size_sees_squares_of_it_alone_and_no_less(rng):
    picture, seen = rng.random((28, 71, 1), np.float32), set()

    def work(tile):
        seen.add(tile.shape)
        return tile

    np.testing.assert_allclose(in_tiles(picture, work, side=28), picture, atol=1e-6)
    assert seen == {(28, 28, 1)}
    with pytest.raises(ValueError, match="28 pixels or more to a side, got 27"):
        in_tiles(picture[:27], work, side=28)


@pytest.mark.parametrize("shape", [(5, 5), (0, 5, 1), (5, 0, 3), (5, 5, 0), (1, 5, 5, 3)])
def test_what_is_no_picture_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match=r"shape \(H, W, C\), got \(") as caught:
        in_tiles(np.zeros(shape, np.float32), itself)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("dtype", ["float64", "int16", "bool", "float16"])
def test_other_types_of_pixels_are_refused_by_name(dtype):
    with pytest.raises(ValueError, match=f"8-bit or float32 pixels, got {dtype}"):
        in_tiles(np.zeros((3, 3, 1), dtype), itself)
