"""Makes pictures smaller and larger, and measures how well a larger one was guessed.

Pictures are ``float32 (H, W, C)`` in [0, 1].  Made smaller, a picture is blurred by a kernel as
wide as the new pixels, so that fine patterns do not turn into coarse ones: MATLAB's ``imresize``,
which every paper on super-resolution uses.
"""

import numpy as np
from PIL import Image

from imaging import metrics

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,  # Keys' cubic of -1/2, as in MATLAB.
    "lanczos": Image.Resampling.LANCZOS,
}
STEPS = 10  # of back-projection; more bring less than 0.05 dB and ring at edges.
# ITU-R BT.601 in its "studio" range: black is 16, white 235.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_BLACK = 16 / 255


def resize(image: np.ndarray, height: int, width: int, kernel: str = "bicubic") -> np.ndarray:
    """Return the picture with new sides; values may leave [0, 1] by a little, as cubics do.

    Raises:
        ValueError: if a side is not positive or the kernel is unknown.
    """
    if height < 1 or width < 1:
        raise ValueError(f"sides must be positive, got {height} x {width}")
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}; known: {', '.join(KERNELS)}")
    resized = np.empty((height, width, image.shape[2]), np.float32)
    for index, channel in enumerate(np.moveaxis(image, 2, 0)):
        picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))
        resized[..., index] = np.asarray(picture.resize((width, height), KERNELS[kernel]))
    return resized


def reduced(image: np.ndarray, scale: int) -> np.ndarray:
    """Return the picture ``scale`` times smaller; its sides must be multiples of it."""
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"sides must be multiples of {scale}, got {height} x {width}")
    return resize(image, height // scale, width // scale)


def enlarged(image: np.ndarray, scale: int, kernel: str = "bicubic") -> np.ndarray:
    """Return the picture ``scale`` times larger."""
    height, width = image.shape[:2]
    return resize(image, height * scale, width * scale, kernel)


def back_projected(image: np.ndarray, scale: int, steps: int = STEPS) -> np.ndarray:
    """Enlarge the picture so that, made small again, it is what it was.

    Each step enlarges what is still wrong with the small picture and adds it.  It knows how the
    picture was made small; one that was small from the start it only sharpens.

    Source:
        Irani and Peleg, CVGIP 1991, doi:10.1016/1049-9652(91)90045-L.
    """
    large = enlarged(image, scale)
    for _ in range(steps):
        large = large + enlarged(image - reduced(large, scale), scale)
    return large


def cropped_to(image: np.ndarray, multiple: int) -> np.ndarray:
    """Return the upper left part whose sides are multiples of ``multiple``."""
    height, width = (side // multiple * multiple for side in image.shape[:2])
    return image[:height, :width]


def luma(image: np.ndarray) -> np.ndarray:
    """Return Y ``(H, W, 1)`` of MATLAB's ``rgb2ycbcr``: black 16/255, white 235/255.

    A picture of one channel is taken for Y already.
    """
    if image.shape[2] == 1:
        return np.asarray(image, np.float64)
    return np.asarray(image, np.float64) @ _LUMA[:, np.newaxis] + _BLACK


def luma_psnr(target: np.ndarray, answer: np.ndarray, scale: int) -> float:
    """Return the PSNR in dB that papers on super-resolution report.

    That of Y, in 8 bits, without ``scale`` pixels at each border.
    """
    return metrics.psnr(*_as_papers_compare(target, answer, scale))


def luma_ssim(target: np.ndarray, answer: np.ndarray, scale: int) -> float:
    """Return the SSIM that papers on super-resolution report, of the same pixels."""
    return metrics.ssim(*_as_papers_compare(target, answer, scale))


def _as_papers_compare(
    target: np.ndarray, answer: np.ndarray, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    if target.shape != answer.shape:
        raise ValueError(f"pictures must have one shape, got {target.shape} and {answer.shape}")
    inside = slice(scale, -scale)
    return tuple(
        np.rint(luma(_in_8_bits(each))[inside, inside] * 255) / 255 for each in (target, answer)
    )


def _in_8_bits(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255) / 255
