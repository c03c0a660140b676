"""Transparency: what of an image is seen, and how it looks."""

import numpy as np
import pytest

from imaging import metrics
from imaging.pixels import to_image
from imaging.strips import measure_pixels
from imaging.visible import off_ground, on_checkerboard, on_ground, on_paper, visible_part


def pixels(seed=0, height=48, width=64, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def alpha_with_hole():
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 40:] = 0
    alpha[3, 5] = 0
    return alpha


def test_without_transparency_nothing_changes():
    image = pixels()
    assert on_checkerboard(image, None) is image
    assert on_paper(image, None) is image
    assert visible_part(None) == np.s_[:, :]
    assert visible_part(np.full((48, 64), 7, np.uint8)) == np.s_[:, :]


def test_a_checkerboard_shows_through_as_much_as_the_image_is_transparent():
    image, alpha = np.zeros((24, 24, 3), np.uint8), np.zeros((24, 24), np.uint8)
    alpha[:, :8] = 255
    alpha[:, 16:] = 102
    shown = on_checkerboard(image, alpha)
    assert np.all(shown[:, :8] == 0)
    # Squares of eight pixels: 255 and 204, of which 1 - 102 / 255 = 0.6 shines through.
    assert np.all(shown[:8, 8:16] == 204)
    assert np.all(shown[8:16, 8:16] == 255)
    assert np.all(shown[:8, 16:] == 153)


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (90, 255), (255, 0), (200, 0)])
def test_ink_is_put_on_the_paper_that_it_is_seen_on(ink, paper):
    alpha = np.zeros((8, 8), np.uint8)
    alpha[2:4] = 255
    drawn = on_paper(np.full((8, 8, 1), ink, np.uint8), alpha)
    assert np.all(drawn[2:4] == ink)
    assert np.all(drawn[4:] == paper)


def test_the_visible_part_hides_nothing_and_is_large():
    alpha = alpha_with_hole()
    rows, columns = visible_part(alpha)
    assert (alpha[rows, columns] > 0).all()
    # The hole in the first row of cells leaves 40 rows of 40 pixels below it.
    assert (rows, columns) == (slice(8, 48), slice(0, 40))


def test_of_an_image_of_which_hardly_anything_is_seen_all_is_measured():
    alpha = np.zeros((48, 64), np.uint8)
    alpha[::5, ::3] = 255
    assert visible_part(alpha) == np.s_[:, :]


def test_hidden_pixels_are_not_counted():
    clean, noisy = pixels(1), pixels(2)
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, :32] = 255
    noisy[:, 32:] = 255 - clean[:, 32:]
    measured = measure_pixels(clean, noisy, alpha)
    seen = metrics.measure(to_image(clean[:, :32]), to_image(noisy[:, :32]))
    assert measured.mse == pytest.approx(seen.mse, rel=1e-6)
    assert measured.psnr == pytest.approx(seen.psnr, abs=1e-5)
    # The windows of SSIM reach over the edge, on a strip of 5 of 32 columns.
    assert measured.ssim == pytest.approx(seen.ssim, abs=5 / 32)


@pytest.mark.parametrize("side", [48, 200])
def test_ssim_of_thin_lines_is_that_of_the_windows_around_them(side, rng):
    clean = np.full((side, side, 3), 128, np.uint8)
    noisy = np.clip(clean + rng.normal(0, 40, clean.shape), 0, 255).astype(np.uint8)
    alpha = np.zeros((side, side), np.uint8)
    alpha[::6] = 255
    measured = measure_pixels(clean, noisy, alpha)
    seen = np.where(alpha[..., np.newaxis] > 0, noisy, clean)
    similar = metrics.similarity(to_image(clean), to_image(seen))
    # The window's middle is 5 pixels from the edge at least.
    assert measured.ssim == pytest.approx(similar[1::6].mean(), abs=1e-5)
    assert 0.1 < measured.ssim < 0.5


@pytest.mark.parametrize("ground", [0, 255])
def test_colours_are_found_again_that_were_laid_on_paper(rng, ground):
    pixels = rng.integers(0, 256, (40, 30, 3), np.uint8)
    alpha = rng.integers(0, 256, (40, 30), np.uint8)
    laid = on_ground(pixels, alpha, ground)
    found = off_ground(laid, alpha, ground)
    # Half a grey of rounding there, and at most so much more of it here as little is seen.
    error = np.abs(found.astype(int) - pixels)[alpha > 0].max(axis=1)
    assert (error <= 0.5 + 0.5 * 255 / alpha[alpha > 0] + 0.01).all()
    assert (found[alpha == 0] == laid[alpha == 0]).all()


def test_what_is_sharper_than_its_opacity_gets_no_rim():
    # Ink of 60 on white, whose edge a network has made sharp, and whose opacity is still soft.
    shown = np.full((4, 24, 3), 255, np.uint8)
    shown[:, :12] = 60
    alpha = np.broadcast_to(np.interp(np.arange(24), [8, 16], [255, 0]), (4, 24)).astype(np.uint8)
    assert (off_ground(shown, alpha, 255)[:, 9:12] == 0).any()
    assert (off_ground(shown, alpha, 255, reach=12)[:, :12] == 60).all()
    assert (off_ground(shown, alpha, 255, reach=1)[:, 16:] == 255).all()
