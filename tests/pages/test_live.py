"""What the browser is told so that it can follow a slider itself."""

import dataclasses
import gzip
import shutil

import numpy as np
import pytest
from scipy.special import ndtr

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.catalogue import find_card, read_card
from models.live import pack_card, packed_name
from pages.components.live import preview_blend, preview_noise
from pages.components.viewer import to_bytes
from tests.pages.test_viewer import unpack_all

SHAPE = 28, 28, 1


def noise_preview(kind="gaussian", card="unet", strength=0.3, seed=4):
    card = find_card(card) if isinstance(card, str) else card
    kind = NOISE_KINDS[kind] if isinstance(kind, str) else kind
    return preview_noise("draw_strength", kind, strength, seed, SHAPE, card, None)


def test_the_pattern_of_the_seed_is_sent_and_nothing_of_the_strength():
    preview = noise_preview()
    numbers = np.random.default_rng(4).standard_normal(SHAPE, np.float32)
    np.testing.assert_array_equal(preview.parts["numbers"], numbers)
    assert list(preview.parts) == ["numbers"]
    assert preview.about["network"] == packed_name(find_card("unet"))
    assert preview.about["sliders"]["strength"] == {"around": ".st-key-draw_strength", "value": 0.3}
    for name, part in noise_preview(strength=0.9).parts.items():
        np.testing.assert_array_equal(part, preview.parts[name])


def test_photon_counts_come_with_the_quantiles_of_their_numbers():
    parts = noise_preview("poisson").parts
    assert parts["quantiles"].dtype == np.float64
    np.testing.assert_array_equal(parts["quantiles"], ndtr(parts["numbers"].astype(np.float64)))


def test_a_filter_and_a_noise_that_the_browser_does_not_know_are_not_previewed():
    assert noise_preview(card=None) is None
    assert noise_preview(kind=PHOTO_NOISE_KINDS["jpeg"]) is None


def test_what_a_visitor_trained_is_sent_to_them_alone(tmp_path):
    name = "conv-16-8-8"
    shutil.copytree(find_card(name).folder, tmp_path / name)
    own = read_card(tmp_path / name)
    parts = noise_preview(card=own).parts
    assert gzip.decompress(parts["network"]) == pack_card(own)
    # Not even the name of a file that others could ask for is told.
    broken = dataclasses.replace(own, sha256="0" * 64)
    assert noise_preview(card=broken) is None


def test_what_the_browser_has_is_not_sent_again(rng):
    image = {"Noisy": rng.random(SHAPE, np.float32)}
    preview = noise_preview()
    header, content = unpack_all(to_bytes(image, preview=preview))
    versions = {part["version"] for part in [*header["pictures"], *header["preview"]["parts"]]}
    assert list(map(len, content)) == [784, 4 * 784]
    again, nothing = unpack_all(to_bytes(image, preview=preview, known=versions))
    assert list(map(len, nothing)) == [0, 0]
    assert again["version"] == header["version"]
    other = {"Noisy": 1 - image["Noisy"]}
    assert list(map(len, unpack_all(to_bytes(other, preview=preview, known=versions))[1])) == [
        784,
        0,
    ]


@pytest.mark.parametrize("side", [28, 300])
def test_a_photo_at_full_strength_is_sent_once_for_screen_and_preview(side, rng):
    denoised = rng.integers(0, 256, (side, side, 3), np.uint8)
    _, content = unpack_all(
        to_bytes({"Denoised": denoised}, preview=preview_blend(denoised, 1, 1, None))
    )
    assert content[0]
    assert not content[1]
    _, content = unpack_all(
        to_bytes({"Denoised": denoised // 2}, preview=preview_blend(denoised, 0.5, 0.5, None))
    )
    assert all(content)


def test_a_grey_photo_has_one_slider():
    about = preview_blend(np.zeros((9, 9, 1), np.uint8), 0.35, 0.35, 4).about
    assert about["sliders"] == {"brightness": {"around": ".st-key-photo_brightness", "value": 35}}
    assert about["gain"] == 4
