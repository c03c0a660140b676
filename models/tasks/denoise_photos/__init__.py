"""Noise out of photos of any size, in colour or grey.

    clean (H, W, 3) --noise--> noisy, its level (H, W, 1) --network--> denoised (H, W, 3)

Source:
    That the network is told the level is FFDNet's (Zhang et al., IEEE TIP 2018,
    doi:10.1109/TIP.2018.2839891) and DRUNet's (Zhang et al., IEEE TPAMI 2021,
    doi:10.1109/TPAMI.2021.3088914).
"""

import numpy as np

from imaging.filters import CLASSICAL, Classical
from imaging.named import by_name
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.pixels import to_image, to_pixels
from imaging.specialists import SPECIALISTS
from models.tasks.contract import COLOUR_IMAGE, Baseline, Hint, Task, Watch, as_it_is
from models.tasks.denoise_digits import PSNR, SSIM
from models.tasks.denoise_photos.data import PHOTO_SETS, batch, validation
from models.tasks.denoise_photos.solve import solve
from models.tiles import in_tiles

# Tiles begin where a block of JPEG does, so that a filter finds the blocks.
JPEG_BLOCK = 8


def _baseline(filter: Classical) -> Baseline:
    def run(
        noisy: np.ndarray, sigma: float | None = None, watch: Watch | None = None
    ) -> np.ndarray:
        if noisy.dtype == np.uint16:
            return to_pixels(run(to_image(noisy), sigma, watch), np.uint16)
        # Told of no level, it finds that of each tile.
        fitted = filter.fitted_to(noisy) if sigma else filter
        return in_tiles(noisy, lambda tile: fitted.denoise(tile, sigma), watch, JPEG_BLOCK)

    family = "specialist" if filter.name in SPECIALISTS else "classical"
    return Baseline(
        filter.name, filter.title, filter.description, run, family, source=filter.source
    )


TASK = Task(
    name="denoise-photos",
    title="Denoise photos",
    description="Takes noise out of a photo of any size.",
    input=COLOUR_IMAGE,
    target=COLOUR_IMAGE,
    words=("Original", "Noisy", "Denoised"),
    metrics=(PSNR, SSIM),
    losses=("psnr", "mse", "mae", "ssim"),
    watch=("mse", "psnr"),
    data=PHOTO_SETS,
    batch=batch,
    validation=validation,
    solve=solve,
    inputs=("image", "level"),
    walk="crops",
    degradations=PHOTO_NOISE_KINDS,
    baselines=by_name([_baseline(each) for each in (CLASSICAL | SPECIALISTS).values()]),
    picture=as_it_is,
    hint=Hint(
        "sigma",
        "Noise level",
        low=0,
        high=75 / 255,
        default=25 / 255,
        step=1 / 255,
        description="The standard deviation of the noise, on the scale 0 to 255.",
        shown_per_unit=255,
    ),
)
