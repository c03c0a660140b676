"""What single layers compute, worked out with NumPy, to be shown and checked.

Maps are ``(N, H, W, C)``, kernels ``(H, W, in, out)`` as in Keras.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def convolve(
    maps: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    strides: tuple[int, int] = (1, 1),
    padding: str = "same",
) -> np.ndarray:
    """Return the convolution of the maps with the kernel, without an activation.

    As in every network library the kernel is not flipped, so that it is a correlation.
    """
    size = kernel.shape[:2]
    padded = _padded(maps, paddings(maps.shape[1:3], size, strides, padding))
    rows, columns = (
        (whole - window) // stride + 1
        for whole, window, stride in zip(padded.shape[1:3], size, strides, strict=True)
    )
    answer = np.zeros((len(maps), rows, columns, kernel.shape[3]), np.float32)
    # One matrix product for each place in the window: much less to copy than all the windows.
    for row, column in np.ndindex(*size):
        under = padded[:, row :: strides[0], column :: strides[1]][:, :rows, :columns]
        answer += under @ kernel[row, column]
    return answer if bias is None else answer + bias


def pool(
    maps: np.ndarray,
    size: tuple[int, int] = (2, 2),
    strides: tuple[int, int] = (2, 2),
    padding: str = "same",
) -> np.ndarray:
    """Return the largest value of each window, map by map."""
    return windows_of(maps, size, strides, padding, -np.inf).max(axis=(4, 5))


def strongest_first(values: np.ndarray) -> list[int]:
    """Return the numbers of the maps ``(N, H, W, C)``, that of the largest variance first.

    It is that of a picture, in the mean over all: a map that is bright everywhere found nothing.
    """
    strength = values.var(axis=(1, 2)).mean(axis=0)
    return np.argsort(-strength, kind="stable").tolist()


def windows_of(
    maps: np.ndarray,
    size: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    padding: str = "same",
    beyond: float = 0.0,
) -> np.ndarray:
    """Return the windows ``(N, H', W', C, *size)`` that a layer sees, ``beyond`` the edge padded.

    Raises:
        ValueError: if ``padding`` is neither "same" nor "valid".
    """
    padded = _padded(maps, paddings(maps.shape[1:3], size, strides, padding), beyond)
    return sliding_window_view(padded, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def paddings(
    sides: tuple[int, int], size: tuple[int, int], strides: tuple[int, int], padding: str
) -> list[tuple[int, int]]:
    """Return how many pixels are added before and after, in both directions.

    "same" adds as many as are needed for a window at every stride, the odd one after.

    Raises:
        ValueError: if ``padding`` is neither "same" nor "valid".
    """
    if padding not in ("same", "valid"):
        raise ValueError(f'padding must be "same" or "valid", got {padding!r}')
    if padding == "valid":
        return [(0, 0), (0, 0)]
    missing = [
        max(0, (-(-side // stride) - 1) * stride + window - side)
        for side, window, stride in zip(sides, size, strides, strict=True)
    ]
    return [(each // 2, each - each // 2) for each in missing]


def _padded(maps: np.ndarray, around: list[tuple[int, int]], beyond: float = 0) -> np.ndarray:
    return np.pad(maps, ((0, 0), *around, (0, 0)), constant_values=beyond)
