"""What a step on an accelerator learns from; JAX, which it is written in, need not be there."""

import numpy as np
import pytest

from imaging.resize import resize
from train import photo_pool
from train.fit.accelerated_batch import (
    FILLED_LEVEL,
    GROUPS,
    Source,
    batch_of,
    batch_sizes,
    resizing,
    spread,
    turned,
)

jax = pytest.importorskip("jax")

SIDE = 32


@pytest.fixture(scope="module")
def batch():
    """A batch by name, of noise drawn here: 10 white, 1 clean, 1 pair, 8 of the pool."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (60 + i, 80, 3), dtype=np.uint8) for i in range(3)]
    truth = np.zeros((70, 70, 3), np.uint8)  # A black one, so that the pair is known in a batch.
    source = Source.of(pictures, np.full(3, 1 / 3), [(truth, truth + 51)], SIDE)
    planes = np.full((4, SIDE, SIDE, 7), 255, np.uint8)  # White, wholly lost.
    ring = {"planes": planes, "kinds": np.full(4, 2), "levels": np.full(4, 0.2, np.float32)}
    ring = {name: jax.numpy.asarray(each) for name, each in ring.items()}
    sizes = batch_sizes(20)
    # As in the step: compiled as one, not each operation for itself.
    make = jax.jit(lambda key, data, ring: batch_of(key, data, ring, 4, sizes, source.shape))
    made = make(jax.random.key(1), source.arrays, ring)
    return {name: np.asarray(each) for name, each in made.items()}


def test_the_parts_of_a_batch_are_all_of_it():
    assert sum(batch_sizes(96).values()) == 96
    assert batch_sizes(96)["white"] == 48


def test_pictures_lie_in_a_row_and_are_found_again():
    pictures = [np.full((2, 3, 3), 7, np.uint8), np.full((4, 5, 3), 9, np.uint8)]
    source = Source.of(pictures, np.array([0.25, 0.75]), [(pictures[0], pictures[0])], SIDE).arrays
    start = source["starts"][1]
    assert start == pictures[0].size
    assert (source["bytes"][start : start + pictures[1].size] == 9).all()
    assert (source["heights"][1], source["widths"][1]) == (4, 5)
    np.testing.assert_allclose(source["chances"][:2], [0.25, 1])


def test_a_batch_knows_what_was_done_to_each_picture(batch):
    groups = [GROUPS[number] for number in batch["group"]]
    assert groups == ["white"] * 10 + ["clean"] + ["pairs"] + [photo_pool.KINDS[2]] * 8
    assert batch["clean"].shape == (20, SIDE, SIDE, 3)
    clean, noisy, true = batch["clean"], batch["noisy"], batch["true"]
    # White noise is as strong as it says, where nothing was clipped away: 3072 numbers each.
    found = np.std((noisy - clean)[:10], axis=(1, 2, 3))
    said = true[:10, 0, 0, 0]
    assert (true[:10] == said[:, None, None, None]).all()
    assert (found <= 1.1 * said).all()
    assert np.isclose(found, said, rtol=0.1).sum() >= 2
    np.testing.assert_allclose(noisy[10], clean[10], atol=1 / 510 + 1e-6)
    assert (clean[11] == 0).all()
    np.testing.assert_allclose(noisy[11], 0.2)
    np.testing.assert_allclose(true[11], 0.2, rtol=1e-5)


def test_lost_pixels_are_marked_with_the_level_elsewhere_and_their_own(batch):
    assert batch["marked"][:12].sum() == 0
    assert batch["marked"][12:].all()
    np.testing.assert_allclose(batch["marks"][12:], np.hypot(0.2, FILLED_LEVEL), rtol=1e-6)


def test_pictures_made_smaller_are_as_an_antialiased_cubic_makes_them(rng):
    large = rng.random((2 * SIDE, 2 * SIDE, 1), np.float32)
    (matrix,) = np.asarray(resizing(np.full((1, 1, 1), 2.0), 0.0, SIDE, 2 * SIDE))
    small = matrix @ large[..., 0] @ matrix.T
    np.testing.assert_allclose(small, resize(large, SIDE, SIDE)[..., 0], atol=1e-5)
    (same,) = np.asarray(resizing(np.ones((1, 1, 1)), 0.0, SIDE, SIDE))
    np.testing.assert_allclose(same, np.eye(SIDE), atol=1e-6)


def test_turning_moves_pixels_and_changes_none(rng):
    pictures = rng.random((6, 8, 8, 3), np.float32)
    moved = np.asarray(turned(jax.random.key(2), pictures))
    for one, other in zip(pictures, moved, strict=True):
        ways = [np.rot90(each, k) for each in (one, one[:, ::-1]) for k in range(4)]
        assert any(np.array_equal(other, way) for way in ways)
    assert not np.array_equal(moved, pictures)


def test_a_map_is_averaged_over_its_neighbours():
    cells = np.zeros((1, 5, 5, 1), np.float32)
    cells[0, 2, 2] = 9
    np.testing.assert_allclose(spread(cells)[0, 1:4, 1:4, 0], 1, rtol=1e-6)
