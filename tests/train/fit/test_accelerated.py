import math

import numpy as np
import pytest

from train.fit.accelerated import Kept, read_weights, save_weights


def test_a_loss_that_leaps_goes_back_to_the_state_that_was_kept_at_half_the_rate():
    kept = Kept(["first"], list)
    for calls in range(1, 101):
        assert not kept.is_leap(1.0)
        kept.look_at(1.0, [calls], calls)
    assert kept.typical == pytest.approx(1)
    assert not kept.is_leap(1.79)
    assert kept.is_leap(1.81)  # More than half as much again and 0.3.
    assert kept.is_leap(math.nan)
    assert kept.go_back(100) == [60]
    assert kept.factor == 0.5
    assert not kept.is_leap(50)  # What is typical has to be learned again.


@pytest.mark.parametrize("ruined", [58, 59, 60, 61])
def test_a_state_is_kept_only_once_a_loss_was_heard_that_began_with_it(ruined):
    kept, weights, waiting = Kept([0.0], list), [0.0], None
    for calls in range(1, 70):
        # The loss of a call is heard after the next, and the last step of a call may ruin it.
        loss = 1.0 if weights[0] >= 0 else 50.0
        weights = [-1e9] if calls == ruined else [weights[0]]
        if waiting is not None:
            if kept.is_leap(waiting):
                weights, waiting = kept.go_back(calls), None
                break
            kept.look_at(waiting, weights, calls)
        waiting = loss
    assert weights == [0.0]


def test_before_twenty_calls_only_what_is_no_number_goes_back_to_the_start():
    kept = Kept(["first"], list)
    for calls in range(1, 21):
        kept.look_at(0.1, [calls], calls)
    assert not kept.is_leap(1e9)
    assert kept.is_leap(math.inf)
    assert kept.go_back(20) == ["first"]


def test_a_kept_state_is_not_the_one_that_goes_on_changing():
    state = ["first"]
    kept = Kept(state, list)
    state.append("later")
    again = kept.go_back(1)
    again.append("later still")
    assert kept.go_back(2) == ["first"]


def test_weights_come_back_in_their_order_in_half_precision(tmp_path, rng):
    photo = [rng.random((3, 3), np.float32) for _ in range(12)]
    level = [rng.random(4, np.float32)]
    save_weights(tmp_path / "weights.npz", photo, level)
    for before, after in zip((photo, level), read_weights(tmp_path / "weights.npz"), strict=True):
        for one, other in zip(before, after, strict=True):
            assert other.dtype == np.float32
            np.testing.assert_array_equal(other, one.astype(np.float16))
