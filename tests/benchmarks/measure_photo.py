"""What the photo network costs: its speed beside DnCNN's, and the memory of a large picture."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
from PIL import Image
from playwright.sync_api import Browser, expect

from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import find_card
from models.predictor import open_session
from models.session import open_large
from tests.benchmarks.measure import resident_megabytes, serving
from tests.benchmarks.report import Budget, Row
from tests.chromium import wait_until_idle

TILE = (512, 768)  # pixels
RUNS = 8
LARGE = (4000, 3000)  # pixels: width and height
SIGMA = 15
PATIENCE = 300_000  # ms


def photo_speed() -> list[Row]:
    """Seconds per megapixel of the photo network, and of DnCNN for colour in the same minutes.

    DnCNN has random weights: what it takes does not depend on them.

    Source:
        Zhang et al., IEEE TIP 2017, arXiv:1608.03981; 20 layers for noise of unknown level.
    """
    rng = np.random.default_rng(0)
    image = rng.random((1, *TILE, 3), np.float32)
    level = np.full((1, *TILE, 1), SIGMA / 255, np.float32)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dncnn.onnx"
        _write_dncnn(path)
        dncnn = open_large(path)
    ours = open_session(find_card("photo"))
    seconds = {"ours": [], "dncnn": []}
    for _ in range(RUNS + 1):
        seconds["ours"].append(_time(ours, {"image": image, "level": level}))
        seconds["dncnn"].append(_time(dncnn, {dncnn.get_inputs()[0].name: image}))
    megapixels = TILE[0] * TILE[1] / 1e6
    ours, theirs = (np.array(each[1:]) / megapixels for each in seconds.values())  # Warm.
    ratio = 100 * float(np.median(ours) / np.median(theirs))
    what = f"one tile of {TILE[1]} x {TILE[0]}"
    return [
        Row(f"`photo`, {what}, a megapixel", "s", ours, Budget(median=1.2)),
        Row(f"DnCNN for colour, {what}, a megapixel", "s", theirs),
        Row("time of `photo` against DnCNN", "%", [ratio], Budget(median=25)),
    ]


def _time(session: ort.InferenceSession, inputs: dict[str, np.ndarray]) -> float:
    began = time.perf_counter()
    session.run(None, inputs)
    return time.perf_counter() - began


def _write_dncnn(path: Path) -> None:
    # Loaded here alone: TensorFlow would take memory and time from what else is measured.
    import keras
    from keras import layers

    from train.export.ship import to_onnx

    image = keras.Input((None, None, 3), name="image")
    values = layers.Conv2D(64, 3, padding="same", activation="relu")(image)
    for _ in range(18):
        values = layers.Conv2D(64, 3, padding="same", activation="relu")(values)
    noise = layers.Conv2D(3, 3, padding="same")(values)
    to_onnx(keras.Model(image, layers.Subtract()([image, noise])), path)


def photo_memory(browser: Browser) -> list[Row]:
    """Megabytes above the idle server while a photo of 12 megapixels is worked on.

    It is opened and denoised as it is, taken away, and denoised again under more noise.
    """
    with TemporaryDirectory() as folder, serving() as server:
        photo = noisy_photo(Path(folder) / "large.jpg")
        server.wait_until_healthy()
        page = browser.new_page()
        page.goto(server.url)
        wait_until_idle(page)
        page.goto(f"{server.url}/photo")
        taken_away = page.get_by_test_id("stDownloadButton").first
        expect(taken_away).to_be_visible(timeout=PATIENCE)
        wait_until_idle(page)
        idle = resident_megabytes(server.pid)
        page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
        wait_until_idle(page)
        with watching(server.pid) as seen:
            began = time.perf_counter()
            page.get_by_test_id("stFileUploader").locator("input").set_input_files(photo)
            expect(page.get_by_text("estimated")).to_be_visible(timeout=PATIENCE)
            expect(taken_away).to_be_visible(timeout=PATIENCE)
            seconds = time.perf_counter() - began
            with page.expect_download(timeout=PATIENCE) as download:
                page.get_by_text("Denoised (PNG)").click()
            download.value.path()
            page.get_by_text("Add noise to it").click()
            expect(page.get_by_text("as added")).to_be_visible(timeout=PATIENCE)
            expect(page.get_by_test_id("stMetric").first).to_be_visible(timeout=PATIENCE)
            wait_until_idle(page, timeout=PATIENCE / 1000)
        page.close()
    above = [max(seen) - idle]
    return [
        Row("photo of 12 megapixels, upload to denoised", "s", [seconds]),
        Row("the same, memory above the idle server at its peak", "MB", above, Budget(median=400)),
    ]


def noisy_photo(path: Path) -> Path:
    """Write a noisy photo of 12 megapixels; return its path."""
    photo = Image.fromarray(PHOTO_SAMPLES["coffee"].load()).resize(LARGE)
    noise = np.random.default_rng(0).normal(0, SIGMA, (*photo.size[::-1], 3))
    Image.fromarray(np.clip(photo + noise, 0, 255).astype(np.uint8)).save(path, quality=92)
    return path


@contextmanager
def watching(pid: int) -> Iterator[list[float]]:
    """Collect, twenty times a second, the megabytes that a process keeps in memory."""
    seen, over = [resident_megabytes(pid)], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.append(resident_megabytes(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
