"""What there is to see and to say about a denoised photo.

Photos are ``(H, W, C)``, 8-bit, or as fine as their file.
"""

import time

import numpy as np
import streamlit as st

from imaging.files.reading import Photo
from imaging.metrics import Quality
from imaging.pixels import to_8_bits, to_image
from imaging.residual import (
    CORRELATED,
    EXPLAIN,
    NOTHING,
    PATTERNED,
    SHIFTED,
    STRUCTURED,
    UNKNOWN,
    WHITE,
    ResidualCheck,
    residual_picture,
)
from imaging.strips import measure_pixels
from imaging.visible import on_checkerboard
from models.catalogue import Card
from models.methods import Method
from models.picture_queue import Watch
from models.tasks.denoise_photos import TASK
from pages.components import widgets
from pages.components.gallery import Thumbnail, show_photos
from pages.components.live import preview_blend
from pages.components.methods import load_methods
from pages.components.photo.own import ALL_METHODS
from pages.components.photo.source import Picture
from pages.components.photo.work import result_of
from pages.components.scores import decibel, gained, show_measured, warn_if_worse
from pages.components.viewer import compare

# More pixels than these are shown as a section: three pictures without loss are many megabytes.
SHOWN_PIXELS = 2_000_000
SECTION = 900, 1300
# All methods on so much of a picture take a few seconds.
SAMPLE = 384, 512
REMOVED_GAIN = 4
VERDICT_ICONS = {
    NOTHING: "check_indeterminate_small",
    WHITE: "verified",
    CORRELATED: "grain",
    STRUCTURED: "warning",
    PATTERNED: "warning",
    SHIFTED: "warning",
    UNKNOWN: "help",
}


def show_pictures(
    photo: Photo,
    clean: np.ndarray | None,
    noisy: np.ndarray,
    denoised: np.ndarray | None,
    method: Method,
    full: np.ndarray | None = None,
    shares: tuple[float, float] = (1, 1),
) -> tuple[slice, slice]:
    """Draw the viewer; of a very large picture a section that the visitor chooses.  Return it.

    ``denoised`` is blended by ``shares``, for brightness and colour, from noisy and ``full``.
    What is transparent lies on a checkerboard.
    """
    place = _pick_section(noisy)
    waiting = denoised is None
    show = photo.shown if clean is None else to_8_bits
    noisy = show(noisy[place])
    denoised = noisy // 3 if waiting else show(denoised[place])
    pictures = {"Original": clean[place]} if clean is not None else {}
    pictures |= {"Noisy": noisy, "Denoised": denoised}
    if clean is None:
        pictures["Removed"] = residual_picture(noisy, noisy if waiting else denoised, REMOVED_GAIN)
    captions = {"Denoised": "in progress …" if waiting else method.title}
    alt = {"Denoised": "In progress" if waiting else f"The result of {method.title}"}
    if clean is None:
        captions["Removed"] = f"noisy minus denoised, {REMOVED_GAIN} times as strong, around grey"
        alt["Removed"] = "What was removed, around mid-grey; it should look like plain grain"
    preview = None
    if photo.alpha is not None:
        alpha = photo.alpha[place]
        pictures = {title: on_checkerboard(each, alpha) for title, each in pictures.items()}
    elif full is not None and full.dtype == np.uint8 and (photo.own is None or clean is not None):
        # The browser blends what it shows: of 16 bits or other colours that would differ.
        preview = preview_blend(full[place], *shares, None if clean is not None else REMOVED_GAIN)
    compare(pictures, key="photo-viewer", captions=captions, alt=alt, preview=preview)
    return place


def show_quality(before: Quality, after: Quality, method: Method) -> None:
    """Draw the numbers of what is shown and seen, and say so if it became worse."""
    show_measured(before, after)
    warn_if_worse(method, before.mse, after.mse)


def show_residual(check: ResidualCheck) -> None:
    """Say whether what was removed looks like noise: nothing else can be said without original."""
    with st.container(border=True):
        st.markdown(f":material/{VERDICT_ICONS[check.verdict]}: {EXPLAIN[check.verdict]}")
        st.caption(
            f"Removed: {check.rms * 255:.1f} of 255 (root mean square). Correlation of "
            f"neighbouring pixels in it: {check.correlation:+.2f}. Edges softened as by a blur of "
            f"{check.structure:.2f} pixels. Fine texture that vanished completely looks like "
            "noise to this check. PSNR and SSIM need a clean original, and there is none."
        )


def show_all_methods(
    picture: Picture,
    clean: np.ndarray | None,
    noisy: np.ndarray,
    level: float,
    cards: dict[str, Card],
) -> None:
    """On request, draw what every method makes of the middle of the picture, with its time."""
    st.header("All methods on this picture", anchor=False)
    if not widgets.toggle(
        "Run all of them",
        key="photo_all",
        help=f"On the middle {SAMPLE[1]} × {SAMPLE[0]} pixels. The level is the one set above.",
    ):
        return
    photo, place = picture.photo, _middle(noisy, SAMPLE)
    noisy = noisy[place].copy()  # What waits for its turn would hold the whole picture.
    methods, _ = load_methods(TASK, cards)  # The picker says what is broken.
    name = (picture.name, "all", hash(noisy.tobytes()), round(level, 6))
    answers = result_of(ALL_METHODS, name, lambda watch: _run_all(methods, noisy, level, watch))
    if answers is None:
        return
    before = None if clean is None else measure_pixels(clean[place], noisy)
    entries = []
    for method, (denoised, seconds) in zip(methods, answers, strict=True):
        after = None if clean is None else measure_pixels(clean[place], denoised)
        megapixels = noisy.shape[0] * noisy.shape[1] / 1e6
        lines = [*_gain(before, after), f"{seconds / megapixels:.1f} s per megapixel"]
        shown = on_checkerboard(
            photo.shown(denoised) if clean is None else denoised,
            None if photo.alpha is None else photo.alpha[place],
        )
        entry = Thumbnail(
            method.title, to_image(shown), tuple(lines), alt=f"Denoised by {method.title}"
        )
        entries.append((after.psnr if after else 0, entry))
    entries.sort(key=lambda pair: -pair[0])
    show_photos(entry for _, entry in entries)


def _run_all(
    methods: list[Method], noisy: np.ndarray, level: float, watch: Watch
) -> list[tuple[np.ndarray, float]]:
    answers = []
    for index, method in enumerate(methods):
        watch(index, len(methods))
        start = time.perf_counter()
        denoised = method.run(noisy, level)
        answers.append((denoised, time.perf_counter() - start))
    return answers


def _gain(before: Quality | None, after: Quality | None) -> list[str]:
    if before is None or after is None:
        return []
    gain = gained(before.psnr, after.psnr)
    return [f"{decibel(after.psnr)} ({gain})" if gain else decibel(after.psnr)]


def _pick_section(pixels: np.ndarray) -> tuple[slice, slice]:
    """Ask which part of a very large picture to show."""
    height, width = pixels.shape[:2]
    if height * width <= SHOWN_PIXELS:
        return np.s_[:, :]
    rows, columns = min(SECTION[0], height), min(SECTION[1], width)
    # Of a narrow picture a longer piece.
    rows, columns = (
        min(height, SHOWN_PIXELS // max(columns, 1)) if columns == width else rows,
        min(width, SHOWN_PIXELS // max(rows, 1)) if rows == height else columns,
    )
    st.caption(
        f"The picture has {width:,} × {height:,} pixels. A section of {columns:,} × {rows:,} is "
        "shown at full size and used for the scores; downloads contain the whole picture."
    )
    with st.container(horizontal=True):
        across = _pick_place("From the left", "photo_across") if columns < width else 0
        down = _pick_place("From the top", "photo_down") if rows < height else 0
    top, left = round((height - rows) * down / 100), round((width - columns) * across / 100)
    return np.s_[top : top + rows, left : left + columns]


def _pick_place(label: str, key: str) -> int:
    return widgets.slider(label, 0, 100, 50, step=5, format="%d %%", key=key)


def _middle(pixels: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    starts = [
        max(0, (side - wanted) // 2) for side, wanted in zip(pixels.shape, size, strict=False)
    ]
    return tuple(slice(start, start + wanted) for start, wanted in zip(starts, size, strict=True))
