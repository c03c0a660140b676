"""Show pictures of one scene so that they can be compared pixel by pixel.

``images (H, W, C) each -> 8-bit pixels -> one bytes value -> the browser``

The pixels travel without loss, and no picture is stretched: 0 is black and 1 is white
in all of them.  What the visitor chose (mode, zoom, position) stays in the browser, so a
new set of pictures under the same key appears in the same view.  What the browser has from the
time before is not sent again.  The scripts are in ``static/viewer``.
"""

import hashlib
import io
import json
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np
import streamlit as st
from PIL import Image

from models.host import a_turn
from pages.components.component import STATIC, is_blocked, joined, loader, note_blocked

RAW_PIXELS = 256 * 256
"""Pictures up to this size are sent as they are: encoding would take longer than sending."""

WEBP_SIDE = 16383
"""The longest side that WebP can hold."""

SCRIPTS = [f"viewer/{name}.js" for name in ("pixels", "geometry", "gestures", "viewer")]

_mount = st.components.v2.component(
    "denoise_lab_viewer",
    html='<div class="place-of-viewer" style="min-height: 12rem"></div>',
    js=loader("viewer/viewer.js"),
)

# For a browser that cannot get the files.
_mount_inline = st.components.v2.component(
    "denoise_lab_viewer_inline",
    html=(STATIC / "viewer" / "viewer.html").read_text(encoding="utf-8"),
    css=(STATIC / "viewer" / "viewer.css").read_text(encoding="utf-8"),
    js=joined(SCRIPTS),
)


@dataclass(frozen=True)
class Classes:
    """What is at each pixel, to be read out under the mouse in place of its values.

    ``numbers`` are ``uint8 (H, W)`` by the title of a picture, each the place of a word in
    ``labels``; other numbers stand for nothing that has a name.
    """

    labels: Sequence[str]
    numbers: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Preview:
    """What static/live/preview.js needs to draw the pictures itself while a slider is dragged.

    ``about`` is read there; ``parts`` are arrays and files by name, sent when they change.
    """

    about: Mapping[str, object]
    parts: Mapping[str, np.ndarray | bytes]


class Details(TypedDict, total=False):
    """What may be said of pictures besides their titles.

    ``alt`` describes a picture to people who cannot see it, ``captions`` is a small line beside
    its title; both are keyed by title and may leave titles out.  ``height`` fixes the height of
    the picture area in CSS pixels; by default it follows from the width and the shape of the
    pictures.  ``zoom`` is where pictures of a new size begin, in pixels of the screen for each; by
    default they fit.
    """

    alt: Mapping[str, str] | None
    captions: Mapping[str, str] | None
    height: int | None
    zoom: float | None
    classes: Classes | None
    preview: Preview | None


def compare(images: Mapping[str, np.ndarray], *, key: str, **details: Unpack[Details]) -> None:
    """Draw the comparison viewer with these pictures, in this order.

    ``images`` maps a title to an array of shape (H, W, C), C 1 or 3, ``float32`` in [0, 1]
    or ``uint8``, H and W the same in all.  A picture called Original is the reference of the
    difference; without one it is the first.

    Raises:
        ValueError: if there are no images, or one has another shape, type or range.
    """
    sent = f"{key}_sent"  # The versions that this visitor's browser has by now.
    inline = is_blocked()
    if inline:
        details["preview"] = None  # Its scripts are files too.
    data = to_bytes(images, key=key, known=st.session_state.get(sent, ()), **details)
    (_mount_inline if inline else _mount)(
        key=f"{key}_inline" if inline else key,
        data=data,
        on_missing_change=lambda: st.session_state.pop(sent, None),
        on_blocked_change=lambda: _go_inline(sent),
    )
    st.session_state[sent] = _versions(data)


def to_bytes(
    images: Mapping[str, np.ndarray],
    *,
    key: str = "",
    known: Collection[str] = (),
    **details: Unpack[Details],
) -> bytes:
    """Pack the arguments of `compare` into one value, in the form that viewer.js reads.

    The form is: length of the header (4 bytes, little-endian), header (JSON, UTF-8), then
    the pictures, one after the other, each ``raw`` (8-bit, row by row, channels
    interleaved) or an ``image/webp`` or ``image/png`` file, then the numbers of classes, as
    grey pictures, then the parts of the preview.
    Equal pictures give an equal ``version`` in the header, whatever their captions.  A picture
    or part whose own version is ``known`` to the browser is left out: its length is 0.

    Raises:
        ValueError: as in `compare`.
    """
    alt, captions = details.get("alt") or {}, details.get("captions") or {}
    classes, preview = details.get("classes"), details.get("preview")
    pixels, known, content = _quantised(images), frozenset(known), []

    def packed(part: np.ndarray | bytes) -> dict:
        about, file = _part(part, known)
        content.append(file)
        return about | {"length": len(file)}

    rows, columns = next(iter(pixels.values())).shape[:2]
    pictures = []
    for title, picture in pixels.items():
        words = alt.get(title) or f"{title}, {columns} by {rows} pixels"
        about = {"title": title, "alt": words, "caption": captions.get(title, "")}
        pictures.append(about | packed(picture))
    versions = [picture["version"] for picture in pictures]
    header = {
        "key": key,
        "version": _hash("".join(versions).encode(), list(pixels)),
        "width": columns,
        "height": rows,
        "areaHeight": details.get("height"),
        "zoom": details.get("zoom"),
        "pictures": pictures,
    }
    if classes is not None:
        maps = [
            {"title": title, **packed(numbers[..., np.newaxis])}
            for title, numbers in classes.numbers.items()
        ]
        header["classes"] = {"labels": list(classes.labels), "maps": maps}
    if preview is not None:
        known |= {*versions}
        parts = [{"name": name, **packed(part)} for name, part in preview.parts.items()]
        header["preview"] = {**preview.about, "parts": parts}
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join([struct.pack("<I", len(text)), text, *content])


def _go_inline(sent: str) -> None:
    """Send the script with the pictures from now on; a callback."""
    note_blocked()
    st.session_state.pop(sent, None)


def _versions(data: bytes) -> frozenset[str]:
    """Return the versions of all pictures and parts that packed data speaks of."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    parts = [
        *header["pictures"],
        *header.get("classes", {}).get("maps", ()),
        *header.get("preview", {}).get("parts", ()),
    ]
    return frozenset(part["version"] for part in parts)


def _part(part: np.ndarray | bytes, known: Collection[str]) -> tuple[dict, bytes]:
    """Return what there is to say of a picture or a part of the preview, and what is sent of it."""
    if isinstance(part, np.ndarray) and part.dtype == np.uint8 and part.ndim == 3:
        encoding = _encoding(part)
        about = {
            "version": _hash(np.ascontiguousarray(part), part.shape),
            "encoding": encoding,
            "channels": part.shape[2],
        }
        return about, b"" if about["version"] in known else _encoded(part, encoding)
    about = {} if isinstance(part, bytes) else {"type": part.dtype.name}
    file = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
    about["version"] = _hash(file, "part")
    return about, b"" if about["version"] in known else file


def _hash(content: bytes | np.ndarray, about: object) -> str:
    made = hashlib.blake2b(str(about).encode(), digest_size=8)
    made.update(content)
    return made.hexdigest()


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


def _encoding(picture: np.ndarray) -> str:
    """Return how these 8-bit pixels travel."""
    height, width = picture.shape[:2]
    if height * width <= RAW_PIXELS:
        return "raw"
    return "image/png" if max(height, width) > WEBP_SIDE else "image/webp"


def _encoded(picture: np.ndarray, encoding: str) -> bytes:
    if encoding == "raw":
        return picture.tobytes()
    file = io.BytesIO()
    with a_turn():
        _write(picture, encoding, file)
    return file.getvalue()


def _write(picture: np.ndarray, encoding: str, file: io.BytesIO) -> None:
    photo = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    if encoding == "image/png":
        photo.save(file, "PNG", compress_level=1)
    else:
        # The least effort: noise does not get smaller with more, and a megapixel takes 50 ms.
        photo.save(file, "WEBP", lossless=True, quality=0, method=0)
