import json

import keras
import numpy as np
import onnxruntime as ort
import pytest

from models.architectures import ARCHITECTURES, build
from train.export import to_onnx
from train.recipes import RECIPES

# Every network that a recipe trains, once.
TRAINED = {
    json.dumps([recipe.config.architecture, recipe.config.settings]): recipe.config
    for recipe in RECIPES.values()
}
DENOISERS = [config for config in TRAINED.values() if config.target == "clean"]

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


@pytest.mark.parametrize("entry", SMALL, ids=named)
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


def test_an_unknown_architecture_is_refused_with_the_names():
    with pytest.raises(ValueError, match="unknown architecture 'transformer'") as caught:
        build("transformer")
    assert all(name in str(caught.value) for name in ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_unknown_setting_is_refused_with_the_names(architecture):
    with pytest.raises(ValueError, match=f"unknown setting 'depth' of '{architecture}'") as caught:
        build(architecture, depth=3)
    assert "channels, size" in str(caught.value)


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
