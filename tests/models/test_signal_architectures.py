"""The networks that enlarge, paint and take hints."""

import keras
import numpy as np
import pytest

from models.architectures import build


def picture(height: int, width: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((1, height, width, channels), np.float32)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_enlarger_repeats_pixels(scale: int):
    model = build("subpixel", scale=scale, filters=8, blocks=1)
    small = picture(5, 7)
    repeated = small.repeat(scale, axis=1).repeat(scale, axis=2)
    assert np.allclose(model(small), repeated, atol=1e-6)


def test_the_enlarger_is_the_sub_pixel_convolution():
    """A convolution to s * s maps, whose values are then sorted into squares of s x s pixels."""
    model = build("subpixel", scale=3, filters=4, blocks=1)
    kernel = np.random.default_rng(1).standard_normal((3, 3, 1, 4)).astype(np.float32)
    model.get_layer("sub_pixels").set_weights([kernel])
    small = picture(4, 6)
    maps = keras.Model(model.input, model.get_layer("skip").output)(small)
    shuffled = np.einsum("nhwf,yxf->nhywx", maps, kernel[:, :, 0]).reshape(1, 12, 18, 1)
    repeated = small.repeat(3, axis=1).repeat(3, axis=2)
    assert np.allclose(model(small), repeated + shuffled, atol=1e-4)


def test_a_darker_picture_is_enlarged_into_a_darker_one():
    model = build("subpixel", filters=8, blocks=2)
    model.get_layer("sub_pixels").set_weights([np.full((2, 2, 1, 8), 0.1, np.float32)])
    small = picture(6, 6)
    assert np.allclose(model(small * 0.5), 0.5 * np.asarray(model(small)), atol=1e-5)


def test_the_small_enlarger_is_within_100_k_parameters_and_the_large_one_within_600_k():
    for scale in (2, 3, 4):
        assert build("subpixel", scale=scale, filters=32, blocks=4).count_params() < 100_000
        assert build("subpixel", scale=scale).count_params() < 600_000


@pytest.mark.parametrize(
    ("architecture", "skip"), [("subpixel", "block_1_add"), ("painter", "block_1_add")]
)
def test_without_skips_nothing_is_added(architecture: str, skip: str):
    names = [layer.name for layer in build(architecture, skips=False).layers]
    assert skip not in names
    assert not any(name.endswith("_add") for name in names)
    assert skip in [layer.name for layer in build(architecture).layers]


def test_the_painter_answers_in_colours_of_the_same_size():
    painted = np.asarray(build("painter", filters=4, blocks=1)(picture(16, 24, 3)))
    assert painted.shape == (1, 16, 24, 3)
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_the_painter_does_not_see_how_bright_a_picture_is():
    """Instance normalisation takes brightness and contrast out, but for edges of the picture."""
    model = build("painter", filters=4, blocks=1)
    inner = keras.Model(model.input, model.get_layer("down_2_norm").output)
    maps = np.asarray(inner(picture(64, 64, 3)))
    assert np.allclose(maps.mean(axis=(1, 2)), 0, atol=0.02)
    assert np.allclose(maps.std(axis=(1, 2)), 1, atol=0.1)


def test_hints_are_a_second_input_of_the_unet():
    model = build("unet", channels=1, hints=3, size=None, filters=(4, 8), outputs=2, head="tanh")
    assert [each.name for each in model.inputs] == ["image", "hints"]
    grey, none = picture(8, 12), np.zeros((1, 8, 12, 3), np.float32)
    told = none.copy()
    told[0, 4, 6] = 0.5, -0.5, 1
    answer, other = (np.asarray(model([grey, each])) for each in (none, told))
    assert answer.shape == (1, 8, 12, 2)
    assert np.abs(answer - other).max() > 1e-4
