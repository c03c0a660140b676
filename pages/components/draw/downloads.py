"""What a visitor can take away: pictures without loss, numbers, settings.

Digits are ``(28, 28, 1)``, ``float32`` in [0, 1].
"""

import csv
import dataclasses
import io
import json
from collections.abc import Callable

import numpy as np
import streamlit as st

from imaging import metrics
from pages.components.gallery import png
from pages.components.methods import Result

STRIP_SCALE = 8


def show_downloads(
    pictures: dict[str, np.ndarray],
    run_all: Callable[[], list[Result]],
    clean: np.ndarray | None,
    settings: dict[str, object],
) -> None:
    """Draw the download buttons behind one button; files are made when one is clicked."""
    with st.popover("Download", icon=":material/download:"):
        for title, picture in pictures.items():
            _button(f"{title} (PNG)", lambda p=picture: png(p), f"{title.lower()}.png", "image/png")
        _button("All side by side (PNG)", lambda: strip(pictures), "side-by-side.png", "image/png")
        _button(
            "Numbers of all methods (CSV)",
            lambda: numbers(run_all(), clean),
            "numbers.csv",
            "text/csv",
        )
        _button(
            "Settings (JSON)",
            lambda: json.dumps(settings, indent=2),
            "settings.json",
            "application/json",
        )


def strip(pictures: dict[str, np.ndarray]) -> bytes:
    """Return the pictures side by side as one PNG, eight pixels for each of theirs."""
    gap = np.ones((next(iter(pictures.values())).shape[0], 1, 1), np.float32)
    parts = [part for picture in pictures.values() for part in (gap, picture)][1:]
    return png(np.concatenate(parts, axis=1), STRIP_SCALE)


def numbers(results: list[Result], clean: np.ndarray | None) -> str:
    """Return a table of all methods as CSV; without a clean picture it has no quality."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["method", "psnr_db", "ssim", "mse", "milliseconds", "parameters"])
    for result in results:
        quality = ("", "", "")
        if clean is not None:
            quality = dataclasses.astuple(metrics.measure(clean, result.answer))
        card = result.method.card
        table.writerow(
            [
                result.method.name,
                *quality,
                round(result.milliseconds, 3),
                card.parameters if card else "",
            ]
        )
    return file.getvalue()


def _button(label: str, make, file_name: str, mime: str) -> None:
    st.download_button(
        label,
        make,
        file_name,
        mime,
        on_click="ignore",
        key=f"download-{file_name}",
        width="stretch",
    )
