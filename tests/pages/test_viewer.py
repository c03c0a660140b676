"""What the comparison viewer sends to the browser is what it was given."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from pages.components.viewer import Classes, Preview, to_bytes


def unpack(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Read the header and the pictures as the documentation of `to_bytes` says."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    offset, pixels = 4 + length, {}
    for picture in header["pictures"]:
        content = data[offset : offset + picture["length"]]
        offset += picture["length"]
        shape = header["height"], header["width"], picture["channels"]
        if picture["encoding"] == "raw":
            pixels[picture["title"]] = np.frombuffer(content, np.uint8).reshape(shape)
        else:
            with Image.open(io.BytesIO(content)) as file:
                assert file.get_format_mimetype() == picture["encoding"]
                decoded = np.asarray(file.convert("L" if shape[2] == 1 else "RGB"))
            pixels[picture["title"]] = decoded.reshape(shape)
    assert offset == len(data)
    return header, pixels


def unpack_all(data: bytes) -> tuple[dict, list[bytes]]:
    """Read the header and all contents, those of the preview's parts too."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    offset, content = 4 + length, []
    for part in [
        *header["pictures"],
        *header.get("classes", {}).get("maps", []),
        *header.get("preview", {}).get("parts", []),
    ]:
        content.append(data[offset : offset + part["length"]])
        offset += part["length"]
    assert offset == len(data)
    return header, content


@pytest.mark.parametrize(
    ("shape", "encoding"),
    [
        ((28, 28, 1), "raw"),
        ((3, 5, 3), "raw"),
        ((1, 1, 1), "raw"),
        ((256, 256, 3), "raw"),
        ((256, 257, 3), "image/webp"),
        ((300, 280, 1), "image/webp"),
        ((5, 17000, 3), "image/png"),  # wider than a WebP file may be
    ],
)
def test_every_pixel_arrives(shape, encoding, rng):
    levels = rng.integers(0, 256, shape)
    images = {"Original": (levels / 255).astype(np.float32), "Noisy": np.ones(shape, np.float32)}
    header, pixels = unpack(to_bytes(images))
    assert [picture["encoding"] for picture in header["pictures"]] == [encoding] * 2
    assert np.array_equal(pixels["Original"], levels)
    assert np.array_equal(pixels["Noisy"], np.full(shape, 255))


def test_values_are_rounded_to_the_nearest_level():
    # 0.5 / 255 is half a level; a little less is black, a little more is the first level.
    image = np.array([[[0.49 / 255], [0.51 / 255], [1 - 0.51 / 255], [1]]], np.float32)
    _, pixels = unpack(to_bytes({"Noisy": image}))
    assert pixels["Noisy"].ravel().tolist() == [0, 1, 254, 255]


def test_pictures_are_not_stretched_to_their_range():
    dull = np.linspace(0.4, 0.6, 12, dtype=np.float32).reshape(3, 4, 1)
    _, pixels = unpack(to_bytes({"Noisy": dull}))
    assert (pixels["Noisy"].min(), pixels["Noisy"].max()) == (102, 153)


def test_words_travel_beside_the_pictures_in_their_order():
    images = {title: np.zeros((2, 3, 1), np.float32) for title in ["Zebra", "<b>Ä</b>"]}
    data = to_bytes(
        images,
        key="k",
        alt={"Zebra": "Stripes"},
        captions={"<b>Ä</b>": "21.2 dB"},
        height=300,
        zoom=1,
    )
    header, _ = unpack(data)
    assert [picture["title"] for picture in header["pictures"]] == ["Zebra", "<b>Ä</b>"]
    assert [picture["alt"] for picture in header["pictures"]] == [
        "Stripes",
        "<b>Ä</b>, 3 by 2 pixels",
    ]
    assert [picture["caption"] for picture in header["pictures"]] == ["", "21.2 dB"]
    assert (header["key"], header["areaHeight"], header["zoom"]) == ("k", 300, 1)


def test_classes_are_sent_once_and_again_when_they_change():
    images = {"Picture": np.zeros((3, 5, 1), np.float32), "Found": np.ones((3, 5, 1), np.float32)}
    numbers = np.arange(15, dtype=np.uint8).reshape(3, 5)

    def sent(found: np.ndarray, known=()) -> tuple[dict, bytes]:
        data = to_bytes(images, classes=Classes(["sky", "road"], {"Found": found}), known=known)
        header, content = unpack_all(data)
        return header["classes"], content[2]

    about, content = sent(numbers)
    assert (about["labels"], content) == (["sky", "road"], numbers.tobytes())
    (row,) = about["maps"]
    assert (row["title"], row["encoding"], row["length"]) == ("Found", "raw", 15)
    assert sent(numbers, known=[row["version"]])[1] == b""
    assert sent(numbers + 1, known=[row["version"]])[1] == (numbers + 1).tobytes()


def test_grey_and_colour_may_be_compared(rng):
    grey, colour = rng.random((4, 4, 1), np.float32), rng.random((4, 4, 3), np.float32)
    _, pixels = unpack(to_bytes({"Original": colour, "Denoised": grey}))
    assert pixels["Original"].shape == (4, 4, 3)
    assert pixels["Denoised"].shape == (4, 4, 1)


def test_the_version_is_that_of_the_pixels(rng):
    image = rng.random((4, 4, 1), np.float32)

    def version(image, **words):
        return unpack(to_bytes({"Noisy": image}, **words))[0]["version"]

    other = image.copy()
    other[0, 0] = 1 - other[0, 0]
    assert version(image) == version(image.copy(), captions={"Noisy": "new words"})
    assert version(image) != version(other)
    assert version(image) != version(image.reshape(2, 8, 1))


GOOD = np.zeros((4, 4, 1), np.float32)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        ({}, r"got \{\}"),
        ({"A": GOOD.astype(np.float64)}, "got float64"),
        ({"A": [[0.0]]}, "got list"),
        ({"A": GOOD[..., 0]}, r"got \(4, 4\)"),
        ({"A": np.zeros((4, 4, 4), np.float32)}, r"got \(4, 4, 4\)"),
        ({"A": np.zeros((0, 4, 1), np.float32)}, r"got \(0, 4, 1\)"),
        ({"A": GOOD, "B": np.zeros((4, 5, 1), np.float32)}, r"got \(4, 5\)"),
        ({"A": GOOD + 2}, "got 2 to 2"),
        ({"A": GOOD - 0.5}, "got -0.5 to -0.5"),
        ({"A": GOOD + np.float32(np.nan)}, "got nan to nan"),
    ],
    ids=["none", "float64", "list", "2-D", "RGBA", "no rows", "sizes", "high", "low", "NaN"],
)
def test_what_cannot_be_shown_is_refused_with_what_was_received(images, received):
    with pytest.raises(ValueError, match=received):
        to_bytes(images)


def test_a_part_of_the_preview_that_is_one_of_the_pictures_is_sent_once():
    picture, other = (np.full((2, 3, 1), value, np.uint8) for value in (10, 20))
    preview = Preview({"what": "blend"}, {"noisy": picture, "other": other, "file": b"abc"})
    header, content = unpack_all(to_bytes({"Noisy": picture}, preview=preview))
    assert content == [picture.tobytes(), b"", other.tobytes(), b"abc"]
    versions = [part["version"] for part in header["preview"]["parts"]]
    assert versions[0] == header["pictures"][0]["version"] != versions[1]
