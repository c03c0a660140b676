import numpy as np
import pytest

from train.patterns import draw_pattern, with_pattern


def test_patterns_repeat_differ_and_stay_in_range(rng):
    patterns = [draw_pattern(64, 80, rng) for _ in range(30)]
    assert len({pattern.tobytes() for pattern in patterns}) == 30
    for pattern in patterns:
        assert pattern.shape == (64, 80)
        assert np.abs(pattern).max() == pytest.approx(1, abs=1e-6)
        # A few waves have most of what there is; of noise 1 in 100 frequencies has a tenth.
        energy = np.sort(np.abs(np.fft.fft2(pattern - pattern.mean())).ravel() ** 2)
        assert energy[-64 * 80 // 100 :].sum() > 0.25 * energy.sum()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_with_a_pattern_stays_in_range_and_is_the_picture_still(channels, rng):
    picture = np.broadcast_to(np.linspace(0, 1, 48, dtype=np.float32), (40, 48))[..., np.newaxis]
    picture = np.repeat(picture, channels, axis=2)
    for _ in range(20):
        drawn = with_pattern(picture, rng)
        assert (drawn.shape, drawn.dtype) == (picture.shape, np.float32)
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert np.abs(drawn - picture).max() > 0.005
        assert np.corrcoef(drawn.ravel(), picture.ravel())[0, 1] > 0.5
