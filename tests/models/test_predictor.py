from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.catalogue import load_catalogue
from models.predictor import BATCH, load_predictor
from tests.models.networks import identity, means, ship, times

SHIPPED = [card for card in load_catalogue().values() if card.task == "denoise-digits"]
# Smaller than a tile, a tile, odd, many tiles, and more tiles than a batch holds.
SIZES = [(1, 1), (7, 5), (28, 28), (27, 29), (61, 33), (200, 130)]


@pytest.fixture
def echo(tmp_path):
    """A denoiser that answers with the picture itself, tile by tile."""
    return load_predictor(ship(tmp_path, "echo", identity()))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_any_size_comes_back_as_float32_of_the_same_shape_in_0_to_1(card, size, rng):
    noisy = rng.random((*size, card.channels), np.float32)
    before = noisy.copy()
    denoised = load_predictor(card).predict(noisy)
    assert denoised.dtype == np.float32
    assert denoised.shape == noisy.shape
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    assert np.array_equal(noisy, before)


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_the_noise_level_may_be_told_and_changes_nothing(card, rng):
    denoiser = load_predictor(card)
    noisy = rng.random((28, 28, card.channels), np.float32)
    told = denoiser.predict(noisy, 0.5)
    assert np.array_equal(told, denoiser.predict(noisy))
    assert np.array_equal(told, denoiser.predict(noisy, hint=None))


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_a_batch_is_denoised_as_its_pictures_are(card, rng):
    denoiser = load_predictor(card)
    noisy = rng.random((BATCH + 3, 28, 28, card.channels), np.float32)
    one_by_one = np.stack([denoiser.predict(picture) for picture in noisy])
    # The same sums in another order: some hundred float32 roundings of 6e-8.
    np.testing.assert_allclose(denoiser.predict_batch(noisy), one_by_one, atol=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_seams_leave_no_trace_in_a_picture_that_the_network_returns_as_it_is(echo, size, rng):
    noisy = rng.random((*size, 1), np.float32)
    assert np.array_equal(echo.predict(noisy), noisy)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_flat_grey_stays_flat_across_all_seams(tmp_path, size):
    half = load_predictor(ship(tmp_path, "half", times(np.float32(0.5))))
    denoised = half.predict(np.full((*size, 1), 0.75, np.float32))
    assert np.array_equal(denoised, np.full((*size, 1), 0.375, np.float32))


def test_where_tiles_disagree_the_one_whose_middle_is_nearer_counts_more(tmp_path):
    gain = np.zeros((28, 28, 1), np.float32)
    gain[1:-1, 1:-1] = 1  # This network fails on the outermost pixel of its tile.
    fails = load_predictor(ship(tmp_path, "fails", times(gain)))
    denoised = fails.predict(np.ones((42, 28, 1), np.float32))[:, 14, 0]
    # Tiles begin in rows 0 and 14.  Over the 14 rows that both know, the second is faded in by 1/14
    # a row, beginning with half of that: row 14, where it fails, is worth 1/28 of it.
    expected = np.ones(42)
    expected[[0, 41]] = 0
    expected[[14, 27]] = 1 - 1 / 28
    np.testing.assert_allclose(denoised, expected, atol=1e-6)


def test_colour_is_denoised_by_networks_for_colour(tmp_path, rng):
    card = ship(tmp_path, "colour", identity(channels=3), channels=3)
    noisy = rng.random((40, 50, 3), np.float32)
    assert np.array_equal(load_predictor(card).predict(noisy), noisy)


def test_what_a_network_answers_outside_0_to_1_is_clipped(tmp_path):
    doubles = load_predictor(ship(tmp_path, "doubles", times(np.float32(2))))
    for size in ((28, 28, 1), (40, 30, 1)):
        assert np.array_equal(doubles.predict(np.full(size, 0.75, np.float32)), np.ones(size))


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_floats_are_taken_and_float32_is_given(echo, dtype):
    for size in ((28, 28, 1), (40, 30, 1)):
        denoised = echo.predict(np.full(size, 0.5, dtype))
        assert denoised.dtype == np.float32
        assert np.array_equal(denoised, np.full(size, 0.5, np.float32))


def test_a_picture_that_is_a_view_of_another_is_taken(echo, rng):
    noisy = rng.random((28, 56, 1), np.float32)[:, ::-2]
    assert np.array_equal(echo.predict(noisy), noisy)


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (1, 28, 28, 1), (0, 5, 1), (5, 0, 1)])
def test_a_picture_of_another_shape_is_refused_with_the_shape(echo, shape):
    with pytest.raises(ValueError, match=r"expected .*\(H, W, 1\), got \(") as caught:
        echo.predict(np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value)


def test_a_batch_of_another_shape_is_refused_with_the_shape(echo):
    with pytest.raises(ValueError, match=r"28, 28, 1\), got \(2, 14, 14, 1\)"):
        echo.predict_batch(np.zeros((2, 14, 14, 1), np.float32))


def test_an_empty_batch_gives_an_empty_batch(echo):
    assert echo.predict_batch(np.zeros((0, 28, 28, 1), np.float32)).shape == (0, 28, 28, 1)


@pytest.mark.parametrize("card", SHIPPED[:1], ids=lambda card: card.name)
def test_one_denoiser_serves_several_threads_with_the_same_results(card, rng):
    denoiser = load_predictor(card)
    pictures = [rng.random((40, 28, card.channels), np.float32) for _ in range(40)]
    alone = [denoiser.predict(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(denoiser.predict, pictures))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_reader_answers_with_one_row_a_picture(tmp_path):
    reader = load_predictor(ship(tmp_path, "reader", means(), task="read-digits"))
    levels = np.linspace(0, 1, BATCH + 5, dtype=np.float32)
    pictures = np.broadcast_to(levels[:, None, None, None], (len(levels), 28, 28, 1))
    expected = np.stack([1 - levels, levels], axis=1)
    # A mean of 784 float32 numbers.
    np.testing.assert_allclose(reader.predict_batch(pictures), expected, atol=784 * 6e-8)


def test_a_reader_refuses_pictures_of_another_shape(tmp_path):
    reader = load_predictor(ship(tmp_path, "reader", means(), task="read-digits"))
    with pytest.raises(ValueError, match=r"got \(28, 28, 1\)"):
        reader.predict_batch(np.zeros((28, 28, 1), np.float32))


def test_a_network_for_one_picture_is_run_once_for_each(tmp_path, rng):
    network = times(np.float32(0.5))
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    half = load_predictor(ship(tmp_path, "one", network))
    pictures = rng.random((11, 28, 28, 1)).astype(np.float32)
    np.testing.assert_array_equal(half.predict_batch(pictures), pictures / 2)
    assert half.predict_batch(pictures[:0]).shape == (0, 28, 28, 1)
    np.testing.assert_array_equal(half.predict(pictures[0]), pictures[0] / 2)
