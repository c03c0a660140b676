import time

import numpy as np
import pytest
from scipy import stats

from train.config import TrainConfig, gaussian_only
from train.fit import data
from train.fit.quick_noise import quick_generator

COUNT = 1_000_000


@pytest.fixture(scope="module")
def drawn():
    return quick_generator(7).standard_normal(COUNT, np.float32).astype(np.float64)


def test_the_numbers_are_normal(drawn):
    # Kolmogorov-Smirnov: exceeded by chance once in a million.
    assert stats.kstest(drawn, "norm").statistic < 2.7 / np.sqrt(COUNT)
    # Standard errors: of a mean 1 / sqrt(n), a standard deviation 1 / sqrt(2 n); allow four.
    assert drawn.mean() == pytest.approx(0, abs=4 / np.sqrt(COUNT))
    assert drawn.std() == pytest.approx(1, abs=4 / np.sqrt(2 * COUNT))
    assert stats.kurtosis(drawn) == pytest.approx(0, abs=4 * np.sqrt(24 / COUNT))


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 28, 784])
def test_a_number_says_nothing_of_another(drawn, apart):
    together = np.mean(drawn[apart:] * drawn[:-apart])
    assert together == pytest.approx(0, abs=4 / np.sqrt(COUNT))


def test_a_seed_always_gives_the_same_and_another_seed_others():
    one, again, other = (
        quick_generator(*seed).standard_normal((4, 5), np.float32)
        for seed in [(1, 2), (1, 2), (1, 3)]
    )
    assert np.array_equal(one, again)
    assert not np.isin(one, other).any()


@pytest.mark.parametrize("shape", [(), (0, 3), 5, (2, 3, 3, 1)])
def test_they_come_in_every_shape_as_float32(shape):
    drawn = quick_generator(1).standard_normal(shape, np.float32)
    assert drawn.shape == np.empty(shape).shape
    assert drawn.dtype == np.float32


def test_everything_else_is_what_numpy_draws():
    ours, numpys = quick_generator(3, 1), np.random.default_rng((3, 1))
    for draw in (
        lambda rng: rng.random(5, np.float32),
        lambda rng: rng.choice(3, 7, p=[0.2, 0.3, 0.5]),
        lambda rng: rng.uniform(0.2, 0.8, (3, 1)),
        lambda rng: rng.standard_normal(4),
        lambda rng: rng.standard_normal(),
        lambda rng: rng.standard_normal(dtype=np.float32, out=np.empty(3, np.float32)),
        lambda rng: rng.normal(0, 2, 3),
    ):
        assert np.array_equal(draw(ours), draw(numpys))


def test_they_take_less_time_than_numpys():
    def seconds(rng):
        began = time.thread_time()
        for _ in range(30):
            rng.standard_normal((128, 28, 28, 1), np.float32)
        return time.thread_time() - began

    ours, numpys = quick_generator(1), np.random.default_rng(1)
    seconds(ours)  # The first makes the table.
    pairs = [(seconds(ours), seconds(numpys)) for _ in range(5)]
    # How much less depends on the machine.
    assert min(our for our, _ in pairs) < min(their for _, their in pairs)


@pytest.mark.usefixtures("strokes")
def test_a_training_draws_its_noise_with_it(monkeypatch):
    def noting(*seed):
        asked.append(seed)
        return quick_generator(*seed)

    asked: list[tuple] = []
    monkeypatch.setattr(data, "quick_generator", noting)
    batches, _ = data.split(TrainConfig("dense", noise=gaussian_only(0.5), seed=3))
    batches.epoch = 2
    batches[1]
    assert asked == [(3, data.DEGRADE, 2, 1)]
