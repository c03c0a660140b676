import json

import numpy as np
import pytest

from imaging import metrics
from imaging.filters import CLASSICAL, Classical, apply_curve
from imaging.noise import NOISE_KINDS, NoiseKind
from train.evaluate import output_curves
from train.evaluate.output_curves import KNOTS, fit_curve, fit_curves, write_curves

LEVELS = np.linspace(0, 1, KNOTS)


def test_a_curve_with_bends_at_the_knots_is_found_again(rng):
    truth = np.cumsum(rng.random(KNOTS))
    truth = (truth - truth[0]) / np.ptp(truth)
    denoised = rng.random((50, 28, 28, 1))
    # The weak wish for small steps, 0.01, stands against some 800 pixels at each knot.
    curve = fit_curve(denoised, apply_curve(denoised, truth))
    np.testing.assert_allclose(curve, truth, atol=1e-4)


def test_a_lifted_background_is_put_back_to_black(rng):
    clean = (rng.random((40, 28, 28, 1)) < 0.2).astype(np.float32)
    denoised = np.clip(0.2 + 0.6 * clean + 0.03 * rng.standard_normal(clean.shape), 0, 1)
    restored = apply_curve(denoised, fit_curve(denoised, clean))
    # Seven standard deviations to either side of the middle between 0.2 and 0.8.
    assert metrics.mse(clean, restored) < 1e-4


def test_a_curve_never_falls_even_where_the_data_do(rng):
    denoised = rng.random((20, 28, 28, 1))
    curve = fit_curve(denoised, 1 - denoised)
    assert np.all(np.diff(curve) >= 0)
    # The best rising function of a falling relation is its mean.
    np.testing.assert_allclose(curve, 0.5, atol=0.02)


def test_many_pixels_count_for_more_than_few_where_a_curve_would_fall():
    denoised = np.float32([0.25] * 900 + [0.75] * 100)
    clean = np.float32([0.6] * 900 + [0.1] * 100)
    curve = fit_curve(denoised, clean)
    # One level for all: 0.9 * 0.6 + 0.1 * 0.1, but for the faint pull of unseen knots.
    np.testing.assert_allclose(curve[[8, 24]], 0.55, atol=0.002)


def test_a_curve_is_defined_where_no_pixel_was_seen(rng):
    denoised = 0.4 + 0.2 * rng.random((20, 28, 28, 1))
    curve = fit_curve(denoised, denoised)
    assert np.isfinite(curve).all()
    # It goes on level from the next knot outside, at most 1/32 away.
    assert curve[0] == pytest.approx(0.4, abs=1 / 32)
    assert curve[-1] == pytest.approx(0.6, abs=1 / 32)


def test_a_curve_never_makes_the_digits_it_was_fitted_on_worse(rng):
    clean = np.zeros((30, 28, 28, 1), np.float32)
    clean[:, 8:20, 12:15] = 1
    noisy = np.clip(clean + 0.4 * rng.standard_normal(clean.shape), 0, 1)
    # Knots are 1/32 apart: what happens between them costs far less than the noise.
    assert metrics.mse(clean, apply_curve(noisy, fit_curve(noisy, clean))) < metrics.mse(
        clean, noisy
    )


@pytest.fixture
def two_noises_and_a_filter(monkeypatch):
    """Two noises at two strengths, and a filter that takes away exactly what it is told."""
    kinds = {
        name: NoiseKind(
            name, name, lambda image, lift, rng: image + lift / 2, "", high, 0.1, "Lifts."
        )
        for name, high in (("lift", 0.4), ("small-lift", 0.2))
    }
    subtract = Classical("subtract", "", "", "", lambda noisy, sigma: noisy - sigma / 2)
    monkeypatch.setattr(output_curves, "NOISE_KINDS", kinds)
    monkeypatch.setattr(output_curves, "CLASSICAL", {"subtract": subtract})
    monkeypatch.setattr(output_curves, "STRENGTHS", 2)


@pytest.fixture
def stripes():
    digits = np.zeros((3, 28, 28, 1), np.float32)
    digits[:, :, 10:14] = 0.5
    return digits


@pytest.mark.usefixtures("two_noises_and_a_filter")
def test_every_noise_is_fitted_at_equal_steps_up_to_its_highest_strength(stripes):
    lines = []
    fitted = fit_curves(stripes, lines.append)
    assert fitted["lift"]["subtract"]["strengths"] == [0.2, 0.4]
    assert fitted["small-lift"]["subtract"]["strengths"] == [0.1, 0.2]
    assert [line.split(":")[0] for line in lines] == [
        "lift 0.2", "lift 0.4", "small-lift 0.1", "small-lift 0.2",
    ]  # fmt: skip


@pytest.mark.usefixtures("two_noises_and_a_filter")
def test_a_filter_is_told_the_noise_level_at_which_it_does_best(stripes, monkeypatch):
    only_at_a_tenth = Classical(
        "picky", "", "", "", lambda noisy, sigma: noisy if abs(sigma - 0.1) < 1e-3 else 0 * noisy
    )
    monkeypatch.setattr(output_curves, "CLASSICAL", {"picky": only_at_a_tenth})
    monkeypatch.setattr(output_curves, "BOOSTS", (0.5, 1.0, 2.0))
    fitted = fit_curves(stripes, lambda line: None)
    # The lift, and so the noise level, is half the strength.
    assert fitted["lift"]["picky"]["boosts"] == [1.0, 0.5]
    assert fitted["small-lift"]["picky"]["boosts"] == [2.0, 1.0]


@pytest.mark.usefixtures("two_noises_and_a_filter")
def test_the_written_file_holds_what_was_fitted(stripes, tmp_path):
    path = tmp_path / "curves.json"
    assert write_curves(path, stripes, report=lambda line: None) == path
    written = json.loads(path.read_text())
    assert written == fit_curves(stripes, lambda line: None)
    assert len(written["lift"]["subtract"]["curves"][0]) == KNOTS
    assert list(tmp_path.iterdir()) == [path]


def test_the_shipped_curves_belong_to_the_filters_and_noises_there_are():
    shipped = json.loads(output_curves.CURVES.read_text())
    assert set(shipped) == set(NOISE_KINDS)
    assert all(set(filters) == set(CLASSICAL) for filters in shipped.values())
    boosts = {b for filters in shipped.values() for e in filters.values() for b in e["boosts"]}
    assert boosts <= set(output_curves.BOOSTS)
