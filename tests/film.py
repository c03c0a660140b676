"""Make docs/live.webp: `python -m tests.film`.

A real drag of the strength slider on the Draw page, photographed after every step, so that the
film shows what is painted and not how fast this machine takes photographs.
"""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.app_server import ROOT, AppServer
from tests.chromium import find_chromium, launch, wait_until_idle

FILM = ROOT / "docs" / "live.webp"
WIDTH = 900
FRAMES = 48  # There and back.
MILLISECONDS = 50


def main() -> None:
    """Start the app, drag, and write the film."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = AppServer(ROOT / "app.py", Path(folder) / "log")
        try:
            server.wait_until_healthy()
            chromium = launch(playwright, find_chromium(playwright))
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{server.url}/?strength=0.05")
            page.locator(".viewer[data-live=ready]").wait_for()
            wait_until_idle(page)
            frames = _drag(page)
            chromium.close()
        finally:
            server.stop()
    first, *others = frames
    first.save(
        FILM,
        save_all=True,
        append_images=others,
        duration=MILLISECONDS,
        loop=0,
        quality=60,
        method=6,
    )


def _drag(page: Page) -> list[Image.Image]:
    slider = page.locator(".st-key-draw_strength input[type=range]")
    box = slider.bounding_box()
    track = page.locator(".st-key-draw_strength [data-testid=stSlider]").bounding_box()
    viewer = page.locator(".viewer").bounding_box()
    clip = {
        "x": viewer["x"] - 8,
        "y": viewer["y"] - 8,
        "width": viewer["width"] + 16,
        "height": track["y"] + track["height"] - viewer["y"] + 16,
    }
    y, left, width = box["y"] + box["height"] / 2, track["x"] + 28, track["width"] - 40
    page.mouse.move(box["x"], y)
    page.mouse.down()
    frames = []
    # Slow at the ends, as a hand is.
    for share in (1 - np.cos(np.linspace(0, 2 * np.pi, FRAMES, endpoint=False))) / 2:
        page.mouse.move(left + share * width, y)
        page.wait_for_timeout(60)
        frame = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        frames.append(frame.resize((WIDTH, round(WIDTH * frame.height / frame.width))))
    page.mouse.up()
    return frames


if __name__ == "__main__":
    main()
