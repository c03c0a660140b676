import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.crops import Moves, jitter, random_crop

SIDES = st.integers(1, 40)


def numbered(height, width):
    """A picture whose pixels are their own labels."""
    labels = np.arange(height * width, dtype=np.int32).reshape(height, width) % 251
    return np.repeat(labels[..., None], 3, 2).astype(np.uint8), labels


def test_a_crop_without_moves_is_a_piece_of_the_picture_or_of_its_mirror_image(rng):
    picture, labels = numbered(30, 40)
    for _ in range(20):
        crop, marks = random_crop(picture, labels, (8, 12), Moves(upright=True), rng)
        assert (crop[..., 0] == marks).all()
        windows = np.lib.stride_tricks.sliding_window_view(labels, (8, 12))
        windows = np.concatenate([windows, windows[..., ::-1]])
        assert (windows == marks).all(axis=(2, 3)).any()


def test_quarter_turns_move_picture_and_labels_alike(rng):
    picture, labels = numbered(30, 40)
    for _ in range(20):
        crop, marks = random_crop(picture, labels, (8, 8), Moves(), rng)
        assert (crop[..., 0] == marks).all()


def test_the_whole_picture_is_seen_in_all_eight_positions(rng):
    picture, labels = numbered(9, 9)
    seen = {random_crop(picture, labels, (9, 9), Moves(), rng)[1].tobytes() for _ in range(100)}
    turned = [np.rot90(each, k) for each in (labels, labels[:, ::-1]) for k in range(4)]
    assert seen == {np.ascontiguousarray(each).tobytes() for each in turned}


@settings(max_examples=50, deadline=None)
@given(SIDES, SIDES, st.integers(1, 60), st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_any_picture_gives_a_crop_of_any_size(height, width, side, channels, seed):
    picture, labels = numbered(height, width)
    moves = Moves(0.5, 2, turn=180, stretch=1.5)
    crop, marks = random_crop(
        picture[..., :channels], labels, (side, side + 1), moves, np.random.default_rng(seed)
    )
    assert crop.shape == (side, side + 1, channels)
    assert crop.dtype == np.uint8
    assert np.isin(marks, labels).all()


def test_beyond_the_edges_labels_are_void_where_that_is_asked_for(rng):
    picture, labels = numbered(10, 10)
    _, marks = random_crop(picture, labels, (20, 20), Moves(upright=True), rng, beyond=999)
    assert (marks == 999).sum() == 300
    assert not (random_crop(picture, labels, (20, 20), Moves(), rng)[1] == 999).any()


def test_a_larger_factor_shows_less(rng):
    picture, labels = numbered(100, 100)
    labels = np.arange(10_000, dtype=np.int32).reshape(100, 100)
    _, near = random_crop(picture, labels, (40, 40), Moves(2, 2), rng)
    # Doubled, 40 pixels show 20 of the picture, each twice.
    assert len(np.unique(near)) == pytest.approx(400, abs=41)


def test_jitter_of_no_strength_only_divides(rng):
    picture, _ = numbered(20, 20)
    assert jitter(picture, 0, rng) == pytest.approx(picture / 255)


def test_jitter_stays_in_range_and_changes_colours(rng):
    grey = np.full((20, 20, 3), 128, np.uint8)
    crops = np.stack([jitter(grey, 0.5, rng, noise=0.3) for _ in range(50)])
    assert crops.dtype == np.float32
    assert 0 <= crops.min() < crops.max() <= 1
    means = crops.mean(axis=(1, 2))
    assert np.std(means[:, 0] - means[:, 2]) > 0.02  # colours
    assert np.std(means.mean(axis=1)) > 0.05  # brightness


def test_the_same_seed_gives_the_same_crop():
    picture, labels = numbered(50, 50)
    moves = Moves(0.5, 2, turn=180, stretch=1.5)
    a, b = (random_crop(picture, labels, (32, 32), moves, np.random.default_rng(3)) for _ in "ab")
    assert (a[0] == b[0]).all()
    assert (a[1] == b[1]).all()
