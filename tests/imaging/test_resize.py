"""Making pictures smaller and larger, against formulas, another library and published numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from imaging import resize


def picture(height: int = 24, width: int = 36) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


def keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -1/2: doi:10.1109/TASSP.1981.1163711, equation 15."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


def matrix(into: int, out: int) -> np.ndarray:
    """What each new pixel takes of each old one, as MATLAB's imresize documents it."""
    ratio = into / out
    width = max(ratio, 1)
    centres = (np.arange(out) + 0.5) * ratio - 0.5
    weights = keys((np.arange(into) - centres[:, None]) / width)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(12, 18), (8, 9), (48, 72)])
def test_resizing_is_the_blurred_cubic(height: int, width: int):
    image = picture()
    expected = np.einsum("ah,hwc,bw->abc", matrix(24, height), image, matrix(36, width))
    # Single precision over at most 16 x 16 products.
    assert np.abs(resize.resize(image, height, width) - expected).max() < 1e-5


def test_a_flat_picture_stays_flat():
    flat = np.full((12, 12, 1), 0.3, np.float32)
    for change in (resize.reduced, resize.enlarged, resize.back_projected):
        assert np.abs(change(flat, 3) - 0.3).max() < 1e-5


def test_nearest_repeats_each_pixel():
    image = picture(3, 5)
    assert np.array_equal(
        resize.enlarged(image, 2, "nearest"), image.repeat(2, axis=0).repeat(2, axis=1)
    )


def test_back_projection_made_small_is_the_small_picture():
    smooth = ndimage.gaussian_filter(picture(), (1, 1, 0)).astype(np.float32)
    error = [
        np.abs(resize.reduced(large, 2) - smooth).max()
        for large in (resize.enlarged(smooth, 2), resize.back_projected(smooth, 2))
    ]
    assert error[1] < error[0] / 10


def test_luma_of_the_corners_of_the_cube():
    # From MATLAB's documentation of rgb2ycbcr: T * [R G B]' + 16, with T = (65.481 128.553 24.966).
    corners = np.float32([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    assert resize.luma(corners)[0, :, 0] * 255 == pytest.approx(
        [16, 235, 81.481, 144.553, 40.966], abs=1e-4
    )


def test_a_border_is_left_out_of_the_score():
    target = picture()
    degraded = target.copy()
    degraded[:2], degraded[:, -2:] = 0, 1
    assert resize.luma_psnr(target, degraded, 2) == np.inf
    assert resize.luma_psnr(target, degraded, 1) < 30
    assert resize.luma_ssim(target, degraded, 2) == pytest.approx(1)


def test_sides_that_are_no_multiple_are_cut_or_refused():
    image = picture(7, 8)
    assert resize.cropped_to(image, 3).shape == (6, 6, 3)
    with pytest.raises(ValueError, match="multiples of 3, got 7 x 8"):
        resize.reduced(image, 3)


@pytest.mark.parametrize(("height", "kernel"), [(0, "bicubic"), (4, "sinc")])
def test_nonsense_is_refused(height: int, kernel: str):
    with pytest.raises(ValueError, match=r"got 0 x 4|unknown kernel 'sinc'"):
        resize.resize(picture(), height, 4, kernel)


@pytest.mark.parametrize(
    ("scale", "psnr", "ssim"), [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)]
)
def test_bicubic_scores_on_set5_what_papers_say(
    data_dir: Path, scale: int, psnr: float, ssim: float
):
    """The table in Kim et al., CVPR 2016, arXiv:1511.04587; MATLAB mirrors edges, Pillow not."""
    scores = []
    for path in sorted((data_dir / "superres" / "set5").glob("*.png")):
        with Image.open(path) as file:
            image = np.asarray(file.convert("RGB"), np.float32) / 255
        image = resize.cropped_to(image, scale)
        answer = resize.enlarged(resize.reduced(image, scale), scale)
        scores.append(
            (resize.luma_psnr(image, answer, scale), resize.luma_ssim(image, answer, scale))
        )
    assert np.mean(scores, axis=0) == pytest.approx([psnr, ssim], abs=0.011)
