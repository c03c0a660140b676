import json
from itertools import pairwise

import keras
import numpy as np
import onnxruntime as ort
import pytest

from models.architectures import ARCHITECTURES, build
from train.export.ship import to_onnx
from train.recipes import RECIPES

pytestmark = pytest.mark.slow

# Every network that a recipe trains, once.
TRAINED = {
    json.dumps([recipe.config.architecture, recipe.config.settings]): recipe.config
    for recipe in RECIPES.values()
}
DENOISERS = [config for config in TRAINED.values() if config.task == "denoise-digits"]

# Each architecture in each of its shapes, small.
SMALL = [
    ("dense", {"hidden": 5}),
    ("convolutional", {"filters": [4, 3]}),
    ("convolutional", {"filters": [4, 3, 2], "code": 6}),
    ("resize-convolution", {"filters": [4, 3, 2], "upsampling": "resize"}),
    ("resize-convolution", {"filters": [4, 3, 2], "upsampling": "transposed"}),
    ("unet", {"filters": [3, 4, 5, 6]}),
    ("unet", {"filters": [3, 4, 5], "skips": False}),
    ("digit-reader", {"filters": 3, "units": 7}),
]
SMALL_DENOISERS = SMALL[:-1]
# For photos of any size: their networks take a level beside the picture.
FOR_PHOTOS = ("residual-unet", {"filters": [4, 6, 5], "blocks": [1, 2, 1]})


# For pictures of any size, or of one, that answer with a share for each class of each pixel.
SEGMENTERS = [
    ("unet", {"filters": [4, 6, 8], "size": None}),
    ("unet", {"filters": [4, 6, 8], "size": None, "half": True}),
    ("unet", {"filters": [4, 6], "size": None, "half": True, "skips": False}),
    ("encoder-decoder", {"filters": [3, 4, 5], "size": None}),
    ("encoder-decoder", {"filters": [3, 4, 5], "size": 32}),
]


def named(entry) -> str:
    architecture, settings = entry
    return " ".join([architecture, *map(str, settings.values())])


def of(config) -> str:
    return named((config.architecture, config.settings))


# Parameters by hand, from the definition of each layer.


def dense(inputs, outputs):
    return inputs * outputs + outputs


def conv(inputs, outputs, kernel=3):
    return kernel * kernel * inputs * outputs + outputs


def norm(channels):
    return 4 * channels  # scale, offset, mean, variance


def double_conv(inputs, outputs):
    first = conv(inputs, outputs) - outputs + norm(outputs)  # without bias
    return first + conv(outputs, outputs) - outputs + norm(outputs)


def unet_16_32_64():
    down = double_conv(1, 16) + double_conv(16, 32) + double_conv(32, 64)
    up = conv(64, 32, kernel=2) + double_conv(64, 32) + conv(32, 16, kernel=2) + double_conv(32, 16)
    return down + up + conv(16, 1, kernel=1)


def residual_unet(filters, blocks, channels=3):
    into = [channels + 1, *filters]
    down = sum(4 * a * b for a, b in pairwise(into))
    up = sum(4 * a * b for a, b in pairwise([channels, *filters]))
    # Two convolutions a block, on the way down and, but for the bottom, up; nothing has a bias.
    both_ways = [2] * (len(filters) - 1) + [1]
    return (
        down
        + up
        + sum(
            ways * count * 2 * 9 * f * f
            for f, count, ways in zip(filters, blocks, both_ways, strict=True)
        )
    )


BY_HAND = [
    ("dense", {"hidden": 64}, 101_200),
    ("dense", {"hidden": 64}, dense(784, 64) + dense(64, 784)),
    ("dense", {"hidden": 8, "channels": 3, "size": 14}, dense(588, 8) + dense(8, 588)),
    ("convolutional", {"filters": [32, 32]}, 28_353),
    (
        "convolutional",
        {"filters": [16, 8, 8]},
        conv(1, 16) + conv(16, 8) + 3 * conv(8, 8) + conv(8, 16) + conv(16, 1),
    ),
    (
        "convolutional",
        {"filters": [16, 8, 8], "code": 10},
        # The smallest maps are 4x4x8.
        conv(1, 16) + conv(16, 8) + 3 * conv(8, 8) + conv(8, 16) + conv(16, 1)
        + dense(128, 10) + dense(10, 128),
    ),
    ("resize-convolution", {"filters": [64, 64, 32], "upsampling": "resize"}, 121_281),
    ("resize-convolution", {"filters": [64, 64, 32], "upsampling": "transposed"}, 121_281),
    ("unet", {"filters": [16, 32, 64]}, unet_16_32_64()),
    ("residual-unet", {"filters": [32, 64, 128, 256], "blocks": 2}, 4_252_544),
    ("residual-unet", {"filters": [4, 6, 5], "blocks": [1, 2, 1]},
     residual_unet([4, 6, 5], [1, 2, 1])),
    ("residual-unet", {"filters": [8], "blocks": 0, "channels": 1}, 4 * 2 * 8 + 4 * 8),
    (
        "digit-reader",
        {"filters": 16, "units": 128},
        double_conv(1, 16) + double_conv(16, 32) + dense(7 * 7 * 32, 128) + dense(128, 10),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "settings", "parameters"), BY_HAND)
def test_the_parameters_are_those_counted_by_hand(architecture, settings, parameters):
    assert build(architecture, **settings).count_params() == parameters


@pytest.mark.parametrize("config", DENOISERS, ids=of)
def test_every_denoiser_answers_with_a_picture_of_the_same_shape_in_0_to_1(config, rng):
    model = build(config.architecture, **config.settings)
    randomise(model, rng)  # Fresh weights are so small that any last layer would do.
    noisy = rng.random((3, 28, 28, 1), np.float32)
    denoised = keras.ops.convert_to_numpy(model(noisy, training=False))
    assert denoised.shape == noisy.shape
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    assert len(np.unique(denoised)) > 100  # It is not one grey.


@pytest.mark.parametrize("size", [5, 27, 30, 33])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("entry", SMALL_DENOISERS, ids=named)
def test_odd_sizes_and_colour_come_back_in_their_shape(entry, channels, size):
    architecture, settings = entry
    model = build(architecture, size=size, channels=channels, **settings)
    assert model.input_shape == (None, size, size, channels)
    assert model.output_shape == model.input_shape


@pytest.mark.parametrize(
    ("architecture", "settings", "names"),
    [
        ("convolutional", {"filters": [4, 4, 4]}, ["encoder_pool_{}", "decoder_conv_{}"]),
        ("resize-convolution", {"filters": [4, 4, 4]}, ["encoder_pool_{}", "decoder_conv_{}"]),
        ("unet", {"filters": [4, 4, 4, 4]}, ["encoder_{}_pool", "decoder_{}_relu_2"]),
    ],
)
def test_28_pixels_go_through_14_7_and_4_and_back(architecture, settings, names):
    model = build(architecture, **settings)
    down, up = (
        [model.get_layer(name.format(n)).output.shape[1] for n in (1, 2, 3)] for name in names
    )
    assert down == [14, 7, 4]
    # The plain network convolves before it upsamples, the others after.
    assert up == ([14, 7, 4] if architecture == "convolutional" else [28, 14, 7])
    assert model.output_shape[1:3] == (28, 28)


def test_cropping_cuts_below_and_right_so_that_nothing_is_shifted():
    model = build("convolutional", filters=[1], size=3)
    for layer in model.layers:
        if layer.weights:
            kernel = np.zeros((3, 3, 1, 1))
            kernel[1, 1] = 1
            layer.set_weights([kernel, np.zeros(1)])
    picture = np.array([[9, 0, 5], [0, 0, 0], [3, 0, 1]], np.float32).reshape(1, 3, 3, 1)
    denoised = keras.ops.convert_to_numpy(model(picture))[0, :, :, 0]
    # Each 2x2 block, cut off at the right and below, becomes its maximum; then the sigmoid.
    expected = 1 / (1 + np.exp(-np.array([[9, 9, 5], [9, 9, 5], [3, 3, 1]])))
    np.testing.assert_allclose(denoised, expected, rtol=1e-6)


@pytest.mark.parametrize("entry", [*SMALL, FOR_PHOTOS], ids=named)
def test_layers_have_fixed_names_that_can_be_looked_up(entry):
    architecture, settings = entry
    model, again = (build(architecture, **settings) for _ in range(2))
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    # Not numbered through by Keras: the second network has the same.
    assert [layer.name for layer in again.layers] == names
    assert names[0] == "image"
    assert names[-1] == ("digit" if architecture == "digit-reader" else "denoised")


@pytest.mark.parametrize(
    ("architecture", "settings", "numbers"),
    [("dense", {"hidden": 64}, 64), ("convolutional", {"filters": [16, 8, 8], "code": 10}, 10)],
)
def test_the_narrow_middle_is_called_code(architecture, settings, numbers):
    model = build(architecture, **settings)
    assert model.get_layer("code").output.shape == (None, numbers)


def test_skip_connections_carry_what_the_middle_cannot(rng):
    def reaction(skips):
        model = build("unet", filters=[4, 4, 4], skips=skips)
        model.get_layer("bottom_norm_2").set_weights([np.zeros(4)] * 3 + [np.ones(4)])
        pictures = rng.random((2, 28, 28, 1), np.float32)
        first, second = keras.ops.convert_to_numpy(model(pictures, training=False))
        return np.abs(first - second).max()

    # With the bottom silenced, the picture can reach the answer by the skips alone.
    assert reaction(skips=False) == 0
    assert reaction(skips=True) > 1e-4


def test_transposed_convolution_leaves_a_checkerboard_on_flat_grey_and_resizing_does_not():
    def pattern(upsampling):
        model = build("resize-convolution", filters=[4], size=16, upsampling=upsampling)
        for layer in model.layers:
            if layer.weights:
                kernel, bias = layer.get_weights()
                layer.set_weights([np.full_like(kernel, 0.1), bias])
        grey = np.full((1, 16, 16, 1), 0.5, np.float32)
        upsampled = keras.Model(model.input, model.get_layer("decoder_conv_1").output)
        return np.ptp(keras.ops.convert_to_numpy(upsampled(grey))[0, 4:-4, 4:-4])

    assert pattern("resize") < 1e-6
    assert pattern("transposed") > 0.01


def test_a_reader_answers_with_probabilities(rng):
    model = build("digit-reader", filters=2, units=4)
    answer = keras.ops.convert_to_numpy(model(rng.random((5, 28, 28, 1), np.float32)))
    assert answer.shape == (5, 10)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("head", "outputs"), [("softmax", 5), ("sigmoid", 2), ("tanh", 2)])
@pytest.mark.parametrize("entry", SEGMENTERS, ids=named)
def test_a_head_answers_for_each_pixel_in_its_range(entry, head, outputs, rng):
    architecture, settings = entry
    model = build(architecture, channels=3, outputs=outputs, head=head, **settings)
    randomise(model, rng)
    height = settings["size"] or 16
    pictures = rng.random((2, height, 32, 3), np.float32)
    answer = keras.ops.convert_to_numpy(model(pictures, training=False))
    assert answer.shape == (2, height, 32, outputs)
    if head == "softmax":
        np.testing.assert_allclose(answer.sum(axis=3), 1, atol=1e-5)
    assert answer.min() >= (-1 if head == "tanh" else 0)
    assert answer.max() <= 1
    assert (answer.min() < 0) == (head == "tanh")
    assert len(np.unique(answer)) > 100


def test_half_size_work_is_a_quarter():
    whole, half = (build("unet", size=32, channels=3, half=half) for half in (False, True))
    first = "encoder_1_conv_2"
    assert whole.get_layer(first).output.shape[1:3] == (32, 32)
    assert half.get_layer(first).output.shape[1:3] == (16, 16)
    assert half.output_shape == whole.output_shape
    # Entry 2x2x3 and exit 2x2 with biases, for a first convolution of 3 maps and a 1x1 exit.
    change = conv(3, 16, 2) + conv(16, 3, 2) + 9 * 16 * 16 - 9 * 3 * 16 - conv(16, 3, 1)
    assert half.count_params() - whole.count_params() == change


def test_an_unknown_head_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"head must be one of sigmoid, softmax, .* got 'relu'"):
        build("unet", head="relu")


def test_an_unknown_architecture_is_refused_with_the_names():
    with pytest.raises(ValueError, match="unknown architecture 'transformer'") as caught:
        build("transformer")
    assert all(name in str(caught.value) for name in ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_unknown_setting_is_refused_with_the_names(architecture):
    with pytest.raises(ValueError, match=f"unknown setting 'depth' of '{architecture}'") as caught:
        build(architecture, depth=3)
    assert "known: channels, " in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        (["dense"], {}),
        (None, {}),
        ("dense", {"hidden": "many"}),
        ("dense", {"hidden": 0}),
        ("convolutional", {"filters": 16}),
        ("convolutional", {"filters": [16, None]}),
        ("resize-convolution", {"upsampling": "bicubic"}),
        ("unet", {"filters": []}),
        ("unet", {"dropout": 2}),
        ("residual-unet", {"filters": []}),
        ("residual-unet", {"filters": [4, 6], "blocks": [1]}),
        ("residual-unet", {"filters": 4}),
    ],
)
def test_settings_that_make_no_sense_are_a_value_error(architecture, settings):
    with pytest.raises(ValueError, match=r".+"):
        build(architecture, **settings)


def randomise(model: keras.Model, rng: np.random.Generator) -> None:
    """Give all weights values that a training could have left, normalisation statistics too."""
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, weight.shape)
        elif weight.name in ("beta", "bias", "moving_mean"):
            value = rng.normal(0, 0.3, weight.shape)
        else:
            fan_in = np.prod(weight.shape[:-1])
            value = rng.normal(0, np.sqrt(2 / fan_in), weight.shape)
        weight.assign(value)


@pytest.mark.parametrize("entry", SMALL, ids=named)
def test_the_onnx_file_answers_as_the_keras_model(entry, tmp_path, rng):
    architecture, settings = entry
    model = build(architecture, **settings)
    randomise(model, rng)
    to_onnx(model, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.shape[1:]) == ("image", [28, 28, 1])
    for count in (1, 5):  # Batches of any size.
        noisy = rng.random((count, 28, 28, 1), np.float32)
        (from_onnx,) = session.run(None, {"image": noisy})
        from_keras = keras.ops.convert_to_numpy(model(noisy, training=False))
        assert np.ptp(from_keras) > 0.01  # There is something to agree on.
        np.testing.assert_allclose(from_onnx, from_keras, atol=1e-4)


# Networks for photos


@pytest.fixture(scope="module")
def for_photos():
    """A small network for photos with weights as after a training; tests leave it as it is."""
    architecture, settings = FOR_PHOTOS
    model = build(architecture, **settings)
    randomise(model, np.random.default_rng(1))
    return model


def photos(rng, *shape):
    """Pictures and an even level for each."""
    noisy = rng.random((*shape, 3), np.float32)
    level = rng.uniform(0, 0.3, (shape[0], 1, 1, 1)).astype(np.float32)
    return noisy, np.broadcast_to(level, (*shape, 1)).copy()


def answer(model, noisy, level):
    return keras.ops.convert_to_numpy(model([noisy, level], training=False))


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (64, 24)], ids=str)
def test_photos_of_all_sizes_that_can_be_halved_come_back_in_their_shape(for_photos, size, rng):
    noisy, level = photos(rng, 2, *size)
    denoised = answer(for_photos, noisy, level)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == np.float32
    assert np.abs(denoised - noisy).max() > 0.01


@pytest.mark.parametrize("factor", [0.25, 3.0, 100.0])
def test_the_answer_scales_with_picture_and_level(for_photos, factor, rng):
    noisy, level = photos(rng, 2, 32, 40)
    scaled = answer(for_photos, np.float32(factor) * noisy, np.float32(factor) * level)
    # Sums of some hundred products in single precision.
    expected = factor * answer(for_photos, noisy, level)
    np.testing.assert_allclose(scaled, expected, atol=1e-5 * np.abs(expected).max())


def test_the_level_counts_where_it_is(for_photos, rng):
    noisy, level = photos(rng, 1, 128, 128)
    told_more = level.copy()
    told_more[:, :8, :8] += 0.3
    changed = np.abs(answer(for_photos, noisy, told_more) - answer(for_photos, noisy, level))[0]
    assert changed[:8, :8].max() > 0.001
    # It looks 4 + 16 + 16 + 16 + 4 pixels far, and up to 8 more as it halves three times.
    assert changed[100:, 100:].max() == 0


def silenced(model, name):
    """Return a copy of the network in which one layer answers with nothing."""
    architecture, settings = FOR_PHOTOS
    copy = build(architecture, **settings)
    copy.set_weights(model.get_weights())
    copy.get_layer(name).set_weights([np.zeros(copy.get_layer(name).kernel.shape)])
    return copy


def test_what_a_network_for_photos_learns_is_the_noise(for_photos, rng):
    noisy, level = photos(rng, 1, 16, 16)
    without = answer(silenced(for_photos, "noise"), noisy, level)
    np.testing.assert_array_equal(without, noisy)


@pytest.mark.parametrize("name", ["decoder_1_up", "decoder_2_up"])
def test_skips_carry_past_what_lies_below(for_photos, name, rng):
    noisy, level = photos(rng, 1, 16, 16)
    without = answer(silenced(for_photos, name), noisy, level)
    # What lies below counts, and the rest goes on without it, as it is added.
    assert np.abs(without - answer(for_photos, noisy, level)).max() > 1e-3
    assert np.abs(without - noisy).max() > 1e-3


def test_photos_are_worked_on_at_half_their_size_and_below(for_photos):
    noisy, level = keras.Input((64, 64, 3)), keras.Input((64, 64, 1))
    for name, side in (("encoder_1", 32), ("encoder_2", 16), ("bottom", 8), ("decoder_1", 32)):
        inner = for_photos.get_layer(f"{name}_block_1_add").output
        shown = keras.Model(for_photos.inputs, inner)([noisy, level])
        assert shown.shape[1:3] == (side, side)


def test_a_network_for_photos_comes_back_from_its_file(for_photos, tmp_path, rng):
    for_photos.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    given = photos(rng, 2, 16, 24)
    np.testing.assert_array_equal(answer(loaded, *given), answer(for_photos, *given))


def test_the_onnx_file_of_a_network_for_photos_answers_as_it_does(for_photos, tmp_path, rng):
    to_onnx(for_photos, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(each.name, each.shape[-1]) for each in session.get_inputs()] == [
        ("image", 3),
        ("level", 1),
    ]
    for shape in ((1, 8, 8), (3, 16, 40)):
        noisy, level = photos(rng, *shape)
        (from_onnx,) = session.run(None, {"image": noisy, "level": level})
        np.testing.assert_allclose(from_onnx, answer(for_photos, noisy, level), atol=1e-4)
