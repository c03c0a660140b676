"""From the colours of a file to those of a screen: colour profiles, and a PNG's own numbers."""

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from imaging.files.limits import LARGEST_PROFILE

_SRGB_GAMMA = 0.45455  # What programs write into a PNG whose colours are sRGB.
_SRGB_PLACES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_LEAST_TRIANGLE = 0.01  # That of sRGB has 0.22.
_CURVE_POINTS = 1024
# From the white of a chromaticity to that of profiles, D50.  Bradford's matrix, ICC.1:2022, E.1.
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])

Convert = Callable[[np.ndarray], np.ndarray]


def to_srgb(profile: bytes | None, channels: int) -> Convert | None:
    """Return what turns uint8 ``(H, W, channels)`` into sRGB by a colour profile.

    None without a profile, where it does not fit the image, and where it changes nothing.
    """
    if not profile or len(profile) > LARGEST_PROFILE or len(profile) < 128:
        return None
    # The library is optional, and a profile is a program of a stranger: without, colours are a
    # little off, but there is an image.
    try:
        from PIL import ImageCms

        space = profile[16:20]
        if space != (b"RGB " if channels == 3 else b"GRAY"):
            return None  # As browsers do.
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "RGB" if channels == 3 else "L",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # Grey is worked out once for each of its 256 values, and to the last digit.
            ImageCms.Flags.BLACKPOINTCOMPENSATION
            | (ImageCms.Flags.NOOPTIMIZE if channels == 1 else ImageCms.Flags.NONE),
        )
        return _of_grey(transform) if channels == 1 else _of_colour(transform)
    except Exception:
        return None


def _of_grey(transform) -> Convert | None:
    levels = np.arange(256, dtype=np.uint8)[np.newaxis]
    moved = np.asarray(transform.apply(Image.fromarray(levels)))[0, :, 1]
    if np.abs(moved.astype(int) - levels[0]).max() <= 1:
        return None
    return lambda pixels: moved[pixels]


def _of_colour(transform) -> Convert | None:
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)

    def convert(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(transform.apply(Image.fromarray(np.ascontiguousarray(pixels))))

    moved = convert(colours)
    return None if np.abs(moved.astype(int) - colours).max() <= 1 else convert


def cmyk_to_rgb(profile: bytes | None) -> Callable[[Image.Image], Image.Image]:
    """Return what turns an image of printing colours into sRGB, by their profile if it fits."""
    try:
        from PIL import ImageCms

        if not profile or len(profile) > LARGEST_PROFILE:
            raise ValueError
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "CMYK",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return transform.apply
    except Exception:
        return lambda image: image.convert("RGB")


# By their codes (ITU-T H.273): primaries and white, and the gamma of transfers that are a power.
_PLACES_OF_CODE = {
    1: _SRGB_PLACES,
    9: (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    12: (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_GAMMA_OF_CODE = {4: 1 / 2.2, 5: 1 / 2.8, 8: 1.0, 13: None}


def profile_of_code(primaries: int, transfer: int, channels: int) -> bytes | None:
    """Return the colour profile of a PNG's cICP: empty for sRGB, None where it is of another kind.

    Source: ITU-T H.273, tables 2 and 3.
    """
    if primaries not in _PLACES_OF_CODE or transfer not in _GAMMA_OF_CODE:
        return None
    places, gamma = _PLACES_OF_CODE[primaries], _GAMMA_OF_CODE[transfer]
    return _profile(gamma, places, channels) or b""


def profile_of_png(
    gamma: float | None, places: tuple[float, ...] | None, channels: int
) -> bytes | None:
    """Return the colour profile that a PNG's gAMA and cHRM stand for, None where it is sRGB.

    ``places`` are x and y of white, red, green and blue; without a gamma browsers ignore them.
    """
    return None if gamma is None else _profile(gamma, places, channels)


def _profile(gamma: float | None, places: tuple[float, ...] | None, channels: int) -> bytes | None:
    """Return a colour profile, None where it is that of sRGB.

    Source:
        The file's layout: ICC.1:2022, chapters 7 to 10.
    """
    standard_gamma = gamma is None or abs(gamma - _SRGB_GAMMA) < 0.01
    if channels == 1 or places is None or not _sensible(places):
        places = _SRGB_PLACES
    standard_places = np.allclose(places, _SRGB_PLACES, atol=0.005)
    if (standard_gamma and standard_places) or (gamma is not None and not 0.1 <= gamma <= 10):
        return None
    power = _curve(gamma)
    tags = {b"desc": _description(), b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": _xyz(_D50)}
    if channels == 1:
        tags[b"kTRC"] = power
    else:
        for name, column in zip("rgb", _primaries(places).T, strict=True):
            tags[f"{name}XYZ".encode()] = _xyz(column)
            tags[f"{name}TRC".encode()] = power
    table, body = struct.pack(">I", len(tags)), b""
    first = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, first + len(body), len(content))
        body += content
    header = struct.pack(
        ">I4sI4s4s4s12s4s28xIII48x",
        first + len(body),
        b"\0\0\0\0",
        0x02100000,
        b"mntr",
        b"GRAY" if channels == 1 else b"RGB ",
        b"XYZ ",
        b"\x07\xd0\0\1\0\1" + bytes(6),
        b"acsp",
        *(round(value * 65536) for value in _D50),
    )
    return header + table + body


def _curve(gamma: float | None) -> bytes:
    """The light of each value: its power, or without one that of sRGB (IEC 61966-2-1)."""
    if gamma is not None:
        return struct.pack(">4sIIH2x", b"curv", 0, 1, round(256 / gamma))
    values = np.linspace(0, 1, _CURVE_POINTS)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    table = np.rint(light * 65535).astype(">u2").tobytes()
    return struct.pack(">4sII", b"curv", 0, _CURVE_POINTS) + table


def _sensible(places: tuple[float, ...]) -> bool:
    """Whether all are colours, and red, green and blue the corners of a triangle."""
    _, red, green, blue = zip(places[::2], places[1::2], strict=True)
    twice_its_area = np.linalg.det([[x, y, 1] for x, y in (red, green, blue)])
    in_range = all(0 <= value <= 1 for value in places) and all(y > 0.01 for y in places[1::2])
    return in_range and abs(twice_its_area) > _LEAST_TRIANGLE


def _primaries(places: tuple[float, ...]) -> np.ndarray:
    """The columns of red, green and blue in XYZ under D50."""
    white, *colours = (
        np.array([x / y, 1, (1 - x - y) / y])
        for x, y in zip(places[::2], places[1::2], strict=True)
    )
    columns = np.stack(colours, 1)
    columns = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    return np.linalg.solve(_BRADFORD, scale @ _BRADFORD @ columns)


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(float(v) * 65536) for v in values))


def _description() -> bytes:
    text = b"of a PNG\0"
    return struct.pack(">4sII", b"desc", 0, len(text)) + text + bytes(8 + 3 + 67 + 3 - 1)
