"""Show pictures of one scene so that they can be compared pixel by pixel.

``images (H, W, C) each -> 8-bit pixels -> one bytes value -> the browser``

The pixels travel without loss, and no picture is stretched: 0 is black and 1 is white
in all of them.  What the visitor chose (mode, zoom, position) stays in the browser, so a
new set of pictures under the same key appears in the same view.
"""

import hashlib
import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

RAW_PIXELS = 256 * 256
"""Pictures up to this size are sent as they are: encoding would take longer than sending."""

WEBP_SIDE = 16383
"""The longest side that WebP can hold."""

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "denoise_lab_viewer",
    html=(HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(HERE / "viewer.js").read_text(encoding="utf-8"),
)


def compare(
    images: Mapping[str, np.ndarray],
    *,
    key: str,
    alt: Mapping[str, str] | None = None,
    captions: Mapping[str, str] | None = None,
    height: int | None = None,
) -> None:
    """Draw the comparison viewer with these pictures, in this order.

    ``images`` maps a title to an array of shape (H, W, C), C 1 or 3, ``float32`` in [0, 1]
    or ``uint8``, H and W the same in all.  A picture called Original is the reference of the
    difference; without one it is the first.  ``alt`` describes a picture to people who
    cannot see it, ``captions`` is a small line beside its title; both are keyed by title
    and may leave titles out.  ``height`` fixes the height of the picture area in CSS
    pixels; by default it follows from the width and the shape of the pictures.

    Raises:
        ValueError: if there are no images, or one has another shape, type or range.
    """
    _mount(key=key, data=to_bytes(images, key=key, alt=alt, captions=captions, height=height))


def to_bytes(
    images: Mapping[str, np.ndarray],
    *,
    key: str = "",
    alt: Mapping[str, str] | None = None,
    captions: Mapping[str, str] | None = None,
    height: int | None = None,
) -> bytes:
    """Pack the arguments of `compare` into one value, in the form that viewer.js reads.

    The form is: length of the header (4 bytes, little-endian), header (JSON, UTF-8), then
    the pictures, one after the other, each ``raw`` (8-bit, row by row, channels
    interleaved) or an ``image/webp`` or ``image/png`` file.  Equal pictures give an equal
    ``version`` in the header, whatever their captions.

    Raises:
        ValueError: as in `compare`.
    """
    pixels = _quantised(images)
    first = next(iter(pixels.values()))
    alt, captions = alt or {}, captions or {}
    pictures, payload, version = [], [], hashlib.blake2b(digest_size=8)
    for title, picture in pixels.items():
        encoding, content = _encoded(picture)
        version.update(f"{title}{picture.shape}".encode())
        version.update(np.ascontiguousarray(picture))
        payload.append(content)
        pictures.append(
            {
                "title": title,
                "alt": alt.get(title) or f"{title}, {first.shape[1]} by {first.shape[0]} pixels",
                "caption": captions.get(title, ""),
                "channels": picture.shape[2],
                "encoding": encoding,
                "length": len(content),
            }
        )
    header = json.dumps(
        {
            "key": key,
            "version": version.hexdigest(),
            "width": first.shape[1],
            "height": first.shape[0],
            "areaHeight": height,
            "pictures": pictures,
        }
    ).encode()
    return b"".join([struct.pack("<I", len(header)), header, *payload])


def _quantised(images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each image as 8-bit pixels, after checking what was promised about it."""
    if not images:
        raise ValueError(f"compare needs at least one image, got {images!r}")
    size, pixels = None, {}
    for title, image in images.items():
        if not isinstance(image, np.ndarray) or image.dtype not in (np.float32, np.uint8):
            got = getattr(image, "dtype", type(image).__name__)
            raise ValueError(f"{title!r} must be a float32 or uint8 array, got {got}")
        if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
            raise ValueError(f"{title!r} must have shape (H, W, 1 or 3), got {image.shape}")
        if size is not None and image.shape[:2] != size:
            raise ValueError(f"all images must be {size} like the first, got {image.shape[:2]}")
        size = image.shape[:2]
        if image.dtype == np.uint8:
            pixels[str(title)] = image
            continue
        levels = np.round(image * 255)
        # Written this way round, the condition is also false for NaN.
        if not (levels.min() >= 0 and levels.max() <= 255):
            raise ValueError(
                f"{title!r} must lie in [0, 1], got {image.min():.4g} to {image.max():.4g}"
            )
        pixels[str(title)] = levels.astype(np.uint8)
    return pixels


def _encoded(picture: np.ndarray) -> tuple[str, bytes]:
    """Return the encoding chosen for these 8-bit pixels, and the pixels in it."""
    if picture.shape[0] * picture.shape[1] <= RAW_PIXELS:
        return "raw", picture.tobytes()
    file = io.BytesIO()
    photo = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    if max(photo.size) > WEBP_SIDE:
        photo.save(file, "PNG", compress_level=1)
        return "image/png", file.getvalue()
    # The least effort: noise does not get smaller with more, and a megapixel takes 50 ms.
    photo.save(file, "WEBP", lossless=True, quality=0, method=0)
    return "image/webp", file.getvalue()
