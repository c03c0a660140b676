"""Measures photo networks on noise that is not white: demosaicked, enlarged, saved in lossy files.

Nobody tells the level; it is read from the picture.  The seeds are used nowhere else.  Sharp
pictures, every tenth of ``photos/sharp`` by name, have white noise and are told its level; so has
Kodak24 in grey, and where it is measured what care is worth.
"""

from collections.abc import Callable, Iterator

import numpy as np

from imaging import metrics
from imaging.camera import Camera, SavedAs, degrade
from imaging.noise import NOISE_KINDS
from models.catalogue import find_card
from models.predictor import Predictor, load_predictor
from models.tasks.data_folder import data_folder
from models.tasks.denoise_photos.data import SHARP_EVERY
from models.tasks.denoise_photos.level import read_level
from models.tasks.turned import WAYS, Ways
from train.evaluate.drawings import evaluate_drawings
from train.evaluate.measure_photos import degrade as add_noise
from train.evaluate.measure_photos import evaluate_auto, kodak24, open_photo
from train.evaluate.tables import PAPER_NOISE, PAPER_SIGMAS

SEED = 2_026_11
# Some of the ways to look at a picture: turned by quarters, mirrored before.
ANSWERS: tuple[Ways, ...] = (WAYS[:2], WAYS, [(q, m) for m in (False, True) for q in range(4)])
CAMERAS: dict[str, Camera] = {
    "clean": Camera(),
    "sigma 20, demosaicked": Camera(
        read=20 / 255, linear=False, demosaicked="bilinear", truth_too=True
    ),
    "sigma 20, demosaicked by Malvar": Camera(
        read=20 / 255, linear=False, demosaicked="malvar", truth_too=True
    ),
    "sigma 20, demosaicked, JPEG 90": Camera(
        read=20 / 255,
        linear=False,
        demosaicked="bilinear",
        truth_too=True,
        files=(SavedAs("JPEG", 90),),
    ),
    "sigma 15, enlarged x2": Camera(read=15 / 255, linear=False, scale=2.0),
    "sigma 15, JPEG 75": Camera(read=15 / 255, linear=False, files=(SavedAs("JPEG", 75),)),
    "sigma 25, JPEG 50": Camera(read=25 / 255, linear=False, files=(SavedAs("JPEG", 50),)),
    "sigma 20, JPEG 90": Camera(read=20 / 255, linear=False, files=(SavedAs("JPEG", 90),)),
    "sigma 20, WebP 90": Camera(read=20 / 255, linear=False, files=(SavedAs("WEBP", 90),)),
    "film grain": Camera(grain=14 / 255, grain_size=0.7),
    "film grain, JPEG 85": Camera(grain=14 / 255, grain_size=0.7, files=(SavedAs("JPEG", 85),)),
    "black and white print, yellowed, JPEG 85": Camera(
        grain=14 / 255, grain_size=0.7, tint=(1.0, 0.87, 0.7), files=(SavedAs("JPEG", 85),)
    ),
    "JPEG 20": Camera(files=(SavedAs("JPEG", 20),)),
}
# Clean pictures of something woven, saved in a file, and the pixels from thread to thread.
CLOTH = {
    "clean cloth of 3.1 pixels, JPEG 90": 3.1,
    "clean cloth of 5.3 pixels, JPEG 90": 5.3,
    "clean cloth of 9 pixels, JPEG 90": 9.0,
}
# Salt-and-pepper noise that is no longer white and black: the share of wrong pixels, and the file.
SPECKS = {
    "salt-and-pepper 2 %, JPEG 95": (0.02, SavedAs("JPEG", 95)),
    "salt-and-pepper 5 %, JPEG 85": (0.05, SavedAs("JPEG", 85)),
    "salt-and-pepper 10 %, JPEG 75": (0.1, SavedAs("JPEG", 75)),
}


def evaluate_camera(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Measure the named networks on Kodak24, or every nth picture of it.

    Returns, by network and camera, the PSNR of what went in and of the answer, and the level that
    was read over the true one; 1 where there is none.  Answers that are what went in, without an
    error, are counted apart and do not enter a mean, unless all are.
    """
    photos = kodak24()[::every]
    found = {}
    for name in names:
        predictor = load_predictor(find_card(name))
        for title in [*CAMERAS, *CLOTH, *SPECKS]:
            rows = []
            for index, clean in enumerate(photos):
                truth, noisy = _pair(clean, title, np.random.default_rng((SEED, index)))
                noisy = np.rint(noisy * 255).astype(np.uint8)
                seen = noisy.astype(np.float32) / 255
                answer = predictor.predict(noisy).astype(np.float32) / 255
                level = float(np.sqrt(metrics.mse(truth, seen)))
                read = read_level(predictor.network, noisy)
                # Of a clean picture the answer is compared with the rounded input.
                reference = truth if CAMERAS.get(title) != Camera() else seen
                rows.append(
                    (
                        metrics.psnr(reference, seen),
                        metrics.psnr(reference, answer),
                        read / level if level > 1 / 255 else 1,
                    )
                )
            before, after, ratio = (_mean(column) for column in zip(*rows, strict=True))
            alike = sum(np.isinf(row[1]) for row in rows)
            found[name, title] = before, after, ratio
            say(
                f"{name}, {title}: {before:.2f} -> {after:.2f} dB, level read {ratio:.2f} times, "
                f"least {min(row[1] for row in rows):.1f}, {len(rows)} photos"
                + (f", {alike} of them as they went in" if alike else "")
            )
    return found


def _pair(clean: np.ndarray, title: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return what should be seen, and what is, ``float32 (H, W, 3)`` in [0, 1] both."""
    if title in CAMERAS:
        if CAMERAS[title].tint != Camera.tint:  # Black and white is tinted, not what has colours.
            clean = clean.mean(axis=2, keepdims=True)
        return degrade(clean, CAMERAS[title], rng)
    if title in CLOTH:
        woven = _woven(clean, CLOTH[title])
        return woven, degrade(woven, Camera(files=(SavedAs("JPEG", 90),)), rng)[1]
    share, file = SPECKS[title]
    speckled = NOISE_KINDS["salt-and-pepper"].corrupt(clean, share, rng)
    return clean, degrade(speckled, Camera(files=(file,)), rng)[1]


def _woven(clean: np.ndarray, period: float) -> np.ndarray:
    """A fifth brighter on a thread than between two, slanted, ``float32 (H, W, 3)``."""
    rows, columns = np.indices(clean.shape[:2]) * (2 * np.pi / period)
    down, across = 0.96 * rows + 0.28 * columns, 0.96 * columns - 0.28 * rows
    threads = 0.1 * np.cos(down) * np.cos(across)
    return np.clip(clean * (1 + threads[..., np.newaxis]), 0, 1).astype(np.float32)


def _mean(values: tuple[float, ...]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite or values))


def evaluate_sharp(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, int], float]:
    """Measure on sharp pictures with white noise, unclipped, its level told; return the PSNR."""
    return _white(names, "sharp", list(_sharp())[::every], say)


def evaluate_grey(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, int], float]:
    """Measure on the brightness of Kodak24 with white noise, unclipped, its level told."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)  # As Pillow and OpenCV have it.
    pictures = [each @ weights[:, np.newaxis] for each in kodak24()[::every]]
    return _white(names, "grey", pictures, say)


def evaluate_careful(
    names: list[str], every: int = 1, say: Callable[[str], None] = print
) -> dict[tuple[str, int, int], float]:
    """Measure on Kodak24 what the mean of several answers gains over one, in dB.

    The noise is white and unclipped, its level told.  Returns the gain by network, sigma and number
    of answers.
    """
    photos = kodak24()[::every]
    found = {}
    for name in names:
        predictor = load_predictor(find_card(name))
        for sigma in PAPER_SIGMAS:
            level = sigma / 255
            noisy = [add_noise(each, PAPER_NOISE, level, i) for i, each in enumerate(photos)]
            once = _psnr(predictor, photos, noisy, level)
            for ways in ANSWERS:
                careful = _psnr(predictor.careful(ways), photos, noisy, level)
                found[name, sigma, len(ways)] = careful - once
                say(
                    f"{name}, sigma {sigma}, {len(ways)} answers: {careful:.2f} dB, "
                    f"{careful - once:+.2f} over one, {len(photos)} photos"
                )
    return found


def _white(
    names: list[str], title: str, pictures: list[np.ndarray], say: Callable[[str], None]
) -> dict[tuple[str, int], float]:
    found = {}
    for name in names:
        predictor = load_predictor(find_card(name))
        for sigma in PAPER_SIGMAS:
            values = []
            for index, clean in enumerate(pictures):
                rng = np.random.default_rng((SEED, sigma, index))
                noisy = clean + np.float32(sigma / 255) * rng.standard_normal(
                    clean.shape, np.float32
                )
                values.append(metrics.psnr(clean, predictor.predict(noisy, sigma / 255)))
            found[name, sigma] = float(np.mean(values))
            say(
                f"{name}, {title}, sigma {sigma}: {found[name, sigma]:.2f} dB, "
                f"{len(values)} pictures"
            )
    return found


def _psnr(
    predictor: Predictor, clean: list[np.ndarray], noisy: list[np.ndarray], level: float
) -> float:
    pairs = zip(clean, noisy, strict=True)
    return float(np.mean([metrics.psnr(a, predictor.predict(b, level)) for a, b in pairs]))


def _sharp() -> Iterator[np.ndarray]:
    folder = data_folder()
    files = sorted((folder / "photos" / "sharp").glob("*.*")) if folder else []
    if not files:
        raise OSError("sharp pictures are looked for in photos/sharp of DENOISE_DATA_DIR")
    for path in files[::SHARP_EVERY]:
        yield open_photo(path)


EVALUATIONS = {
    "camera": evaluate_camera,
    "sharp": evaluate_sharp,
    "grey": evaluate_grey,
    "careful": evaluate_careful,
    "drawings": evaluate_drawings,
    "auto": evaluate_auto,
}
