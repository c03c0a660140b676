"""A picture as it comes to be, from the sensor to the file, and what noise becomes on the way.

Noise that is added to a finished picture is white: alike in no two pixels.  A camera's is not.  It
arises on the sensor, where each pixel sees one colour, and then everything that is done to the
picture is done to it too.  ``Camera`` says what is done, ``draw_camera`` draws one at random for
training, and ``low_light`` is the one that the Photo page offers.

    clean (H, W, C) -> linear light -> noise, on a Bayer mosaic -> demosaicked -> display values
      -> blurred or denoised -> made smaller or larger -> sharpened -> 8 bits -> file -> file again

Film has grain in place of the sensor's noise, alike in all colours where it is black and white, and
is scanned, often in colours though it has one.

The truth of such a picture is what the same camera would have given without noise and without
loss in the file: ``degrade`` returns both.  To denoise is not to sharpen.

Source:
    Degradations drawn and composed at random: BSRGAN (Zhang et al., ICCV 2021,
    doi:10.1109/ICCV48922.2021.00475) and SCUNet (Zhang et al., Machine Intelligence Research
    2023, doi:10.1007/s11633-023-1466-0); they shuffle the steps, here they keep a camera's order.
    Noise: the normal approximation of Foi et al., IEEE TIP 2008, doi:10.1109/TIP.2008.2001399.
    Unprocessing: Brooks et al., CVPR 2019, doi:10.1109/CVPR.2019.01129.  Grain: the variance of
    Newson et al., Computer Graphics Forum 2017, doi:10.1111/cgf.13159, the Boolean model's.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from imaging.pixels import strips

# Electrons of a white pixel at ISO 100, and the noise of reading one out; a small sensor's.
FULL_WELL, READ_NOISE = 10_000, 3.0
_BILINEAR = np.float32([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
_CROSS = np.float32([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
# Malvar's kernels, in eighths: green at red or blue; red or blue at green, with its own colour
# to the left and right; red at blue and blue at red.
_GREEN = (
    np.float32(
        [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
    )
    / 8
)
_BESIDE = (
    np.float32(
        [
            [0, 0, 0.5, 0, 0],
            [0, -1, 0, -1, 0],
            [-1, 4, 5, 4, -1],
            [0, -1, 0, -1, 0],
            [0, 0, 0.5, 0, 0],
        ]
    )
    / 8
)
_ACROSS = (
    np.float32(
        [
            [0, 0, -1.5, 0, 0],
            [0, 2, 0, 2, 0],
            [-1.5, 0, 6, 0, -1.5],
            [0, 2, 0, 2, 0],
            [0, 0, -1.5, 0, 0],
        ]
    )
    / 8
)
_DOT = 33  # pixels, of a picture of one dot that holds any blur of it
_LUMA = np.float32([0.299, 0.587, 0.114])
SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}  # As Pillow numbers them.
_RESAMPLINGS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class SavedAs:
    """A lossy file: "JPEG" or "WEBP", its quality, and for JPEG how colour is subsampled."""

    format: str
    quality: int
    subsampling: str = "4:2:0"


@dataclass(frozen=True)
class Camera:
    """What is done to a picture, in this order; everything left out is not done.

    ``shot`` and ``read`` give the noise: its variance at a sensor value ``v`` is
    ``shot * v + read ** 2``, in linear light, or, where ``linear`` is off, in display values.
    ``demosaicked`` is "bilinear", "malvar", or empty for a sensor that sees all colours in each
    pixel.  ``truth_too`` sends the clean picture through the mosaic as well; else it is taken to
    have been there.  ``balance`` multiplies red and blue, ``saturation`` takes from each colour
    so much of the mean.

    ``smoothed`` and ``colour_smoothed`` are the widths, in pixels, of the blur of a denoiser that
    spares all edges, hence of the noise alone, and of its colour; ``kept`` is the share of the
    noise that it leaves as it was.

    ``grain`` is the standard deviation of a film's grain in a mid-tone, ``grain_size`` the width in
    pixels of the blur that makes it alike in neighbours, and ``grain_alike`` the share of its
    variance that all colours have in common.  ``blur``, ``scale`` and ``sharpened`` are done to the
    whole picture, and ``tint`` multiplies its colours: a grey picture then has three.
    """

    shot: float = 0.0
    read: float = 0.0
    linear: bool = True
    demosaicked: str = ""
    truth_too: bool = False
    balance: tuple[float, float] = (1.0, 1.0)
    saturation: float = 0.0
    smoothed: float = 0.0
    colour_smoothed: float = 0.0
    kept: float = 0.0
    grain: float = 0.0
    grain_size: float = 0.0
    grain_alike: float = 1.0
    blur: float = 0.0
    scale: float = 1.0
    resampling: str = "bicubic"
    sharpened: float = 0.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    files: tuple[SavedAs, ...] = ()


def degrade(
    clean: np.ndarray, camera: Camera, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(truth, noisy)`` of ``clean`` (H, W, 1 or 3), in [0, 1].

    Both have the same size, which is another where the camera scales.  ``noisy`` is clipped, and
    rounded to 8 bits if it was saved in a file.
    """
    truth = clean
    if camera.truth_too and clean.shape[2] == 3:
        truth = np.clip(demosaic(mosaic(clean), camera.demosaicked), 0, 1)
    noisy = sensor(truth, camera, rng)
    if camera.smoothed or camera.colour_smoothed:
        noisy -= truth
        noisy = truth + _smoothed(noisy, camera)
    if camera.grain:
        noisy = noisy + film_grain(truth, camera, rng)
    truth, noisy = (_processed(picture, camera) for picture in (truth, noisy))
    truth, noisy = np.clip(truth, 0, 1), np.clip(noisy, 0, 1)
    for file in camera.files:
        noisy = saved(noisy, file)
    return truth, noisy


def sensor(clean: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return ``clean`` with the noise of the sensor, demosaicked: display values, clipped to white.

    The same generator gives the same pattern, whatever the strength.
    """
    channels = clean.shape[2]
    red, blue = camera.balance
    gains = np.float32([red, 1, blue] if channels == 3 else [1])
    light = _curved(to_linear, clean) if camera.linear else clean
    # In place: a copy of a large picture is large.
    noise = np.clip(light / gains, 0, None)
    noise *= np.float32(camera.shot)
    noise += np.float32(camera.read**2)
    np.sqrt(noise, out=noise)
    noise *= rng.standard_normal(clean.shape, np.float32)
    if camera.demosaicked and channels == 3:
        noise = mosaic(noise)
        noise = demosaic(noise, camera.demosaicked)
    noise *= gains
    if camera.saturation and channels == 3:
        noise += np.float32(camera.saturation) * (noise - noise.mean(axis=2, keepdims=True))
    if not camera.linear:
        return clean + noise
    # So that no noise leaves the picture exactly as it was.
    noise += light
    np.clip(noise, 0, 1, out=noise)
    return clean + (_curved(to_display, noise) - _curved(to_display, light))


def film_grain(clean: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return the grain ``(H, W, C)`` of a film that shows ``clean``, most of it in mid-tones."""
    height, width, channels = clean.shape
    alike, apart = (
        rng.standard_normal((height, width, count), np.float32) for count in (1, channels)
    )
    share = np.float32(camera.grain_alike)
    grain = np.sqrt(share) * alike + np.sqrt(1 - share) * apart
    if camera.grain_size:
        dot = np.zeros((_DOT, _DOT, 1), np.float32)
        dot[_DOT // 2, _DOT // 2] = 1
        left = np.square(_blurred(dot, camera.grain_size)).sum()  # of the variance, by the blur
        grain = _blurred(grain, camera.grain_size) / np.sqrt(left)
    # None at all in black and white, but the scanner adds a little.
    grain *= np.float32(camera.grain) * np.sqrt(0.1 + 3.6 * clean * (1 - clean))
    return grain


def _curved(curve: Callable[[np.ndarray], np.ndarray], picture: np.ndarray) -> np.ndarray:
    """Return ``curve`` of the picture, some rows at a time: it takes the memory of a few copies."""
    return np.concatenate([curve(picture[rows]) for rows in strips(*picture.shape[:2])])


def mosaic(picture: np.ndarray) -> np.ndarray:
    """Return what a Bayer sensor sees of ``(H, W, 3)``: one colour a pixel, ``(H, W)``, RGGB."""
    seen = picture[..., 1].copy()
    seen[::2, ::2] = picture[::2, ::2, 0]
    seen[1::2, 1::2] = picture[1::2, 1::2, 2]
    return seen


def demosaic(seen: np.ndarray, method: str) -> np.ndarray:
    """Return all colours ``(H, W, 3)`` of a Bayer mosaic ``(H, W)``, RGGB; not clipped.

    ``method`` is "bilinear" or "malvar".

    Raises:
        ValueError: if the method is unknown.

    Source:
        Malvar, He and Cutler, ICASSP 2004, doi:10.1109/ICASSP.2004.1326587.
    """
    if method == "bilinear":
        return _demosaic_bilinear(seen)
    if method == "malvar":
        return _demosaic_malvar(seen)
    raise ValueError(f"demosaicking is bilinear or malvar, got {method!r}")


def _demosaic_bilinear(seen: np.ndarray) -> np.ndarray:
    colours = []
    for place in range(3):
        alone = np.zeros_like(seen)
        for rows, columns, colour in _SITES:
            if colour == place:
                alone[rows, columns] = seen[rows, columns]
        colours.append(_correlate(alone, _CROSS if place == 1 else _BILINEAR))
    return np.stack(colours, axis=2)


_EVEN, _ODD = slice(0, None, 2), slice(1, None, 2)
_SITES = ((_EVEN, _EVEN, 0), (_EVEN, _ODD, 1), (_ODD, _EVEN, 1), (_ODD, _ODD, 2))


def _demosaic_malvar(seen: np.ndarray) -> np.ndarray:
    green, across = _correlate(seen, _GREEN), _correlate(seen, _ACROSS)
    beside, above = _correlate(seen, _BESIDE), _correlate(seen, _BESIDE.T)
    colours = np.empty((*seen.shape, 3), seen.dtype)
    for rows, columns, (red, middle, blue) in (
        (_EVEN, _EVEN, (seen, green, across)),
        (_EVEN, _ODD, (beside, seen, above)),
        (_ODD, _EVEN, (above, seen, beside)),
        (_ODD, _ODD, (across, green, seen)),
    ):
        for place, source in enumerate((red, middle, blue)):
            colours[rows, columns, place] = source[rows, columns]
    return colours


def _correlate(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return ndimage.correlate(plane, kernel, mode="mirror")


def to_linear(display: np.ndarray) -> np.ndarray:
    """Return the light of sRGB display values in [0, 1], IEC 61966-2-1."""
    display = np.clip(display, 0, 1)
    return np.where(
        display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** np.float32(2.4)
    ).astype(np.float32)


def to_display(light: np.ndarray) -> np.ndarray:
    """Return the sRGB display values of light in [0, 1], the inverse of ``to_linear``."""
    powered = np.maximum(light, 1e-6) ** np.float32(1 / 2.4)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * powered - 0.055).astype(np.float32)


def _smoothed(noise: np.ndarray, camera: Camera) -> np.ndarray:
    """What a denoiser that spares all edges leaves of the noise."""
    left = noise
    if camera.smoothed:
        left = _blurred(left, camera.smoothed)
    if camera.colour_smoothed and noise.shape[2] == 3:
        grey = left @ _LUMA[:, np.newaxis]
        left = _blurred(left - grey, camera.colour_smoothed)
        left += grey
    rest = noise - left
    rest *= np.float32(camera.kept)
    rest += left
    return rest


def _processed(picture: np.ndarray, camera: Camera) -> np.ndarray:
    if camera.blur:
        picture = _blurred(picture, camera.blur)
    if camera.scale != 1:
        picture = resized(picture, camera.scale, camera.resampling)
    if camera.sharpened:
        picture = picture + np.float32(camera.sharpened) * (picture - _blurred(picture, 1.0))
    if camera.tint != Camera.tint:
        picture = picture * np.float32(camera.tint)
    return picture


def resized(picture: np.ndarray, scale: float, resampling: str = "bicubic") -> np.ndarray:
    """Return ``picture`` with its sides multiplied by ``scale``, at least one pixel each."""
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    planes = [
        Image.fromarray(np.ascontiguousarray(picture[..., place])).resize(
            (width, height), _RESAMPLINGS[resampling]
        )
        for place in range(picture.shape[2])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def saved(picture: np.ndarray, file: SavedAs) -> np.ndarray:
    """Return ``picture`` (H, W, 1 or 3), clipped, as it comes back from the file.

    A grey picture is stored as a grey JPEG; WebP has none, so the mean of its colours comes back.

    Raises:
        ValueError: if the format is neither "JPEG" nor "WEBP".
    """
    if file.format not in ("JPEG", "WEBP"):
        raise ValueError(f"a lossy file is a JPEG or a WEBP, got {file.format!r}")
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    grey = picture.shape[2] == 1
    stored = io.BytesIO()
    image = Image.fromarray(pixels.squeeze(2) if grey else pixels)
    if file.format == "JPEG":
        image.save(stored, "JPEG", quality=file.quality, subsampling=SUBSAMPLINGS[file.subsampling])
    else:
        image.convert("RGB").save(stored, "WEBP", quality=file.quality, method=2)
    with Image.open(stored) as opened:
        decoded = np.asarray(opened, np.float32) / np.float32(255)
    if grey and decoded.ndim == 3:
        decoded = decoded.mean(axis=2)
    return decoded.reshape(picture.shape)


def _blurred(picture: np.ndarray, width: float) -> np.ndarray:
    return ndimage.gaussian_filter(picture, width, axes=(0, 1), mode="mirror", truncate=3)


def low_light(image: np.ndarray, iso: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the picture with a small sensor in dim light: grain, coloured blotches, a JPEG file.

    ``iso`` is the sensitivity in units of ISO 100: 32 is ISO 3200.  A white pixel holds
    ``FULL_WELL / iso`` electrons.  The picture is demosaicked by Malvar's method, its coloured
    noise smoothed as cameras do, and it is saved as a JPEG of quality 92.

    Raises:
        ValueError: if ``iso`` is negative, or the picture has neither one channel nor three.
    """
    if not np.all(np.asarray(iso) >= 0):
        raise ValueError(f"iso must not be negative, got {iso}")
    if image.ndim > 3:
        each = np.broadcast_to(iso, (len(image), 1, 1, 1))
        return np.stack(
            [low_light(one, one_of.item(), rng) for one, one_of in zip(image, each, strict=True)]
        )
    if image.shape[2] not in (1, 3):
        raise ValueError(f"a camera takes 1 or 3 channels, got {image.shape[2]}")
    iso = float(np.asarray(iso).item())
    if iso == 0:
        return image.astype(np.float32)
    camera = Camera(
        shot=iso / FULL_WELL,
        read=READ_NOISE * iso / FULL_WELL,
        demosaicked="malvar",
        balance=(2.0, 1.6),
        saturation=0.3,
        colour_smoothed=1.0,
        files=(SavedAs("JPEG", 92),),
    )
    return degrade(image, camera, rng)[1]


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw what may have been done to a picture, from nothing but a file to all of it.

    Of twenty, six have the noise of a sensor in linear light, one that of a mosaic in display
    values, four white noise, five grain, and four are only scaled, sharpened or saved.
    """
    source = rng.choice(5, p=(0.3, 0.05, 0.2, 0.2, 0.25))
    if source == 4:
        return draw_film(rng)
    noise: dict = {}
    if source == 0:
        iso = np.exp(rng.uniform(np.log(2), np.log(256)))
        noise = {
            "shot": iso / FULL_WELL,
            "read": rng.uniform(1, 6) * iso / FULL_WELL,
            "balance": (rng.uniform(1.2, 2.4), rng.uniform(1.2, 2.2)),
            "saturation": rng.uniform(0, 0.6),
        }
    elif source in (1, 2):
        noise = {"read": rng.uniform(1, 50) / 255, "linear": False}
    if source == 1 or (source == 0 and rng.random() < 0.85):
        noise["demosaicked"] = str(rng.choice(["bilinear", "malvar"]))
        noise["truth_too"] = bool(rng.random() < 0.35)
    if source == 0 and rng.random() < 0.6:
        noise["smoothed"] = rng.uniform(0.3, 1.5) if rng.random() < 0.5 else 0.0
        noise["colour_smoothed"] = rng.uniform(0.5, 3) if rng.random() < 0.7 else 0.0
        noise["kept"] = rng.uniform(0, 0.7)
    return _draw_rest(noise, rng)


def draw_film(rng: np.random.Generator) -> Camera:
    """Draw a film that was scanned: grain, in three of ten with a tint, and what is done then."""
    noise: dict = {
        "grain": np.exp(rng.uniform(np.log(2), np.log(40))) / 255,
        "grain_size": rng.uniform(0.3, 1.5) if rng.random() < 0.8 else 0.0,
        "grain_alike": 1.0 if rng.random() < 0.7 else rng.uniform(0, 1),
    }
    if rng.random() < 0.3:
        noise["tint"] = (1.0, rng.uniform(0.8, 1.0), rng.uniform(0.55, 1.0))
    return _draw_rest(noise, rng)


def _draw_rest(noise: dict, rng: np.random.Generator) -> Camera:
    """Draw what is done to a picture once it has its noise; one without is saved more often."""
    done: dict = {}
    if rng.random() < 0.15:
        done["blur"] = rng.uniform(0.3, 0.8)
    if rng.random() < 0.35:
        done["scale"] = float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
        if rng.random() < 0.4:
            done["scale"] = float(rng.choice([0.5, 1.5, 2.0, 3.0, 4.0]))
        done["resampling"] = str(rng.choice(list(_RESAMPLINGS)))
    if rng.random() < 0.2:
        done["sharpened"] = rng.uniform(0.1, 1.0)
    files = rng.choice(3, p=(0.3, 0.55, 0.15) if noise else (0.1, 0.75, 0.15))
    return Camera(**noise, **done, files=tuple(_draw_file(rng) for _ in range(files)))


def _draw_file(rng: np.random.Generator) -> SavedAs:
    quality = int(rng.integers(50, 99))
    if rng.random() < 0.15:
        return SavedAs("WEBP", quality)
    return SavedAs("JPEG", quality, str(rng.choice(list(SUBSAMPLINGS), p=(0.3, 0.15, 0.55))))
