"""Noise out of digits, and of anything else of 28 x 28 grey pixels.

    clean (28, 28, 1) --noise, clipped--> noisy --network--> denoised (28, 28, 1)

Source:
    Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders, ICML 2008,
    doi:10.1145/1390156.1390294.
"""

import numpy as np

from imaging import metrics
from imaging.digit_fit import SIDE
from imaging.filters import CLASSICAL, Classical, with_digit_curve
from imaging.named import by_name
from imaging.noise import NOISE_KINDS
from models.tasks.contract import Baseline, Metric, Network, Signal, Task, Watch, as_it_is
from models.tasks.digits import DIGIT_SETS, degrade, noisy_and_clean, validation
from models.tiles import in_tiles


def solve(
    network: Network, noisy: np.ndarray, hint: float | None = None, watch: Watch | None = None
) -> np.ndarray:
    """Denoise one picture ``(H, W, C)``; these networks find the noise level by themselves.

    A larger picture is seen as overlapping squares of the network's size, a smaller one with its
    edge repeated.

    Raises:
        ValueError: if the shape or the number of channels does not fit.
    """
    if noisy.ndim != 3 or noisy.shape[2] != network.channels or 0 in noisy.shape:
        raise ValueError(
            f"expected a picture of shape (H, W, {network.channels}), got {noisy.shape}"
        )
    noisy = np.asarray(noisy, np.float32)
    height, width = noisy.shape[:2]
    missing = [(0, max(0, network.size - side)) for side in (height, width)]
    padded = np.pad(noisy, (*missing, (0, 0)), mode="edge")
    denoised = in_tiles(
        padded, lambda tile: network(image=tile[np.newaxis])[0], watch, side=network.size
    )
    return denoised[:height, :width]


def _baseline(filter: Classical) -> Baseline:
    def run(
        noisy: np.ndarray, sigma: float | None = None, watch: Watch | None = None
    ) -> np.ndarray:
        return filter.denoise(noisy, sigma)

    return Baseline(filter.name, filter.title, filter.description, run, source=filter.source)


def fair(baseline: Baseline, degradation: str, strength: float) -> Baseline:
    """Return the filter with the bias undone that clipping leaves in the blacks."""
    return _baseline(with_digit_curve(CLASSICAL[baseline.name], degradation, strength))


PICTURE = Signal("image", channels=1, size=SIDE)
PSNR = Metric(
    "psnr",
    "PSNR",
    "dB",
    metrics.psnr,
    "Peak signal-to-noise ratio: more is better, and 3 dB more is half the squared error.",
)
SSIM = Metric(
    "ssim",
    "SSIM",
    "",
    metrics.ssim,
    "Structural similarity: 1 means identical, as people see it rather than pixel by pixel.",
    decimals=3,
)

TASK = Task(
    name="denoise-digits",
    title="Denoise digits",
    description="Takes noise out of a handwritten digit.",
    input=PICTURE,
    target=PICTURE,
    words=("Original", "Noisy", "Denoised"),
    metrics=(PSNR, SSIM),
    losses=("binary_crossentropy", "mse", "mae", "psnr", "ssim"),
    watch=("mse", "psnr"),
    data=DIGIT_SETS,
    batch=noisy_and_clean,
    validation=validation,
    solve=solve,
    degradations=NOISE_KINDS,
    baselines=by_name([_baseline(each) for each in CLASSICAL.values()]),
    fair=fair,
    headline=("gaussian", 0.5),
    picture=as_it_is,
    reader="digit-reader",
    networks=("dense", "convolutional", "resize-convolution", "unet"),
    degrade=degrade,
)
