"""Read back what a page has painted."""

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page


def canvas_of(page: Page, title: str) -> Locator:
    return page.locator(f'canvas[data-title="{title}"]')


def painted(page: Page, title: str) -> np.ndarray:
    """The pixels of a canvas, (H, W, 3); PNG is lossless, and a canvas of ours is opaque."""
    return painted_on(canvas_of(page, title))


def painted_on(canvas: Locator) -> np.ndarray:
    """The same of a canvas that was found otherwise."""
    url = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    png = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
