"""What a network shows of its inside, against Keras's own values, for every model that has one."""

import keras
import numpy as np
import pytest

from models.catalogue import ModelError, find_card, load_catalogue
from models.inspection import window
from models.inspection.arithmetic import convolve, pool, strongest_first
from models.inspection.network import load_inside
from models.inspection.window import (
    Place,
    convolution_at,
    convolution_layers,
    moved_convolution,
    pooling_at,
    pooling_layers,
)
from models.tasks import find_task

CARDS = [card for card in load_catalogue().values() if find_task(card.task).input.size]
NETWORKS = {card.name: load_inside(card) for card in CARDS}
WITH_CODE = [name for name, network in NETWORKS.items() if network.code]

every_model = pytest.mark.parametrize("name", NETWORKS)
every_model_with_a_code = pytest.mark.parametrize("name", WITH_CODE)


@pytest.fixture
def pictures(rng) -> np.ndarray:
    """Blobs, lines and noise; one picture is black."""
    made = rng.random((4, 28, 28, 1), np.float32)
    made[0] = 0
    made[1, 5:20, 12:15] = 1
    return made


def in_keras(name: str) -> keras.Model:
    return keras.saving.load_model(find_card(name).folder / "model.keras", compile=False)


def test_a_map_with_a_pattern_is_stronger_than_one_that_is_bright_everywhere():
    maps = np.zeros((2, 4, 4, 3), np.float32)
    maps[..., 0] = np.array([2, 3]).reshape(2, 1, 1)  # What differs is not in a picture.
    maps[:, :2, :, 1], maps[:, :2, :, 2] = 0.1, -0.9
    assert strongest_first(maps) == [2, 1, 0]


@every_model
def test_the_values_of_every_layer_are_those_of_keras(name, pictures):
    model, network = in_keras(name), NETWORKS[name]
    assert list(network.layers) == [layer.name for layer in model.layers]
    maps = network.feature_maps(pictures)
    outputs = [layer.output for layer in model.layers]
    for layer, value in zip(model.layers, keras.Model(model.input, outputs)(pictures), strict=True):
        expected = keras.ops.convert_to_numpy(value)
        np.testing.assert_allclose(maps[layer.name], expected, atol=1e-4, err_msg=layer.name)


@every_model
def test_the_table_describes_the_layers_of_keras(name):
    model = in_keras(name)
    for layer in model.layers:
        row = NETWORKS[name].layers[layer.name]
        assert row.kind == type(layer).__name__
        assert row.shape == layer.output.shape[1:]
        assert row.parameters == layer.count_params()
    card = find_card(name)
    layers = NETWORKS[name].layers.values()
    assert sum(layer.parameters for layer in layers) == card.parameters
    assert sum(layer.macs for layer in layers) / 784 == pytest.approx(card.macs_per_pixel, abs=0.05)


@every_model
def test_one_layer_alone_has_the_values_that_it_has_among_all(name, pictures):
    network = NETWORKS[name]
    together = network.feature_maps(pictures)
    for layer in network.layers:
        alone = network.feature_maps(pictures, [layer])
        assert list(alone) == [layer]
        np.testing.assert_allclose(alone[layer], together[layer], atol=1e-5)


@every_model_with_a_code
def test_encoder_and_decoder_make_the_whole_model(name, pictures):
    network = NETWORKS[name]
    codes = network.encode(pictures)
    assert codes.shape == (4, *network.layers[network.code].shape)
    # Clipping cannot hide anything: the last activation is a sigmoid.
    whole = network.denoise(pictures)
    np.testing.assert_allclose(network.decode(codes), whole, atol=1e-4)
    np.testing.assert_allclose(network.decode(codes[2:3]), whole[2:3], atol=1e-4)


@every_model_with_a_code
def test_the_decoder_never_sees_the_picture(name, pictures):
    network = NETWORKS[name]
    moved = network.encode(pictures)[::-1]
    np.testing.assert_allclose(network.decode(moved), network.denoise(pictures)[::-1], atol=1e-4)


def test_the_codes_are_where_a_network_is_narrowest():
    widths = {name: NETWORKS[name].layers[NETWORKS[name].code].shape for name in WITH_CODE}
    assert widths["conv-code-10"] == (10,)
    assert widths["dense"] == (64,)
    assert widths["conv-32-32"] == (7, 7, 32)
    assert widths["conv-64-64-32-transposed"] == (4, 4, 32)


@pytest.mark.parametrize("name", ["unet", "digit-reader"])
def test_where_nothing_is_a_code_nobody_can_ask_for_it(name, pictures):
    network = NETWORKS[name]
    assert network.code is None
    with pytest.raises(ValueError, match="no code"):
        network.encode(pictures)


def test_a_cut_skip_connection_hands_on_zeros(pictures):
    model, network = in_keras("unet"), NETWORKS["unet"]
    assert sorted(network.skips) == ["skip_1", "skip_2", "skip_3"]
    names = ["skip_2", "decoder_2_up", "encoder_2_relu_2"]
    outputs = [model.get_layer(name).output for name in names]
    joined, below, around = map(
        keras.ops.convert_to_numpy, keras.Model(model.input, outputs)(pictures)
    )
    np.testing.assert_allclose(joined, np.concatenate([below, around], axis=-1), atol=1e-6)
    # The rest of the network on the maps from below and zeros.
    around = model.get_layer("encoder_1_relu_2").output
    rest = keras.Model([model.get_layer("skip_2").output, around], model.output)
    finest = keras.ops.convert_to_numpy(keras.Model(model.input, around)(pictures))
    cut = np.concatenate([below, np.zeros_like(below)], axis=-1)
    expected = keras.ops.convert_to_numpy(rest([cut, finest]))
    np.testing.assert_allclose(network.denoise(pictures, {"skip_2": 0.0}), expected, atol=1e-4)


def test_switches_that_are_left_alone_are_on(pictures):
    network = NETWORKS["unet"]
    all_on = dict.fromkeys(network.skips, 1.0)
    np.testing.assert_array_equal(network.denoise(pictures), network.denoise(pictures, all_on))


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda network, it: network.feature_maps(it, ["nowhere"]), "unknown layer 'nowhere'"),
        (lambda network, it: network.feature_maps(it[0]), r"expected pictures of shape \('N', 28"),
        (lambda network, it: network.denoise(it, {"skip_9": 0.0}), "unknown skip connection"),
        (lambda network, it: network.decode(it), "expected codes of shape"),
    ],
)
def test_what_cannot_be_answered_is_said(ask, match, pictures):
    with pytest.raises(ValueError, match=match):
        ask(NETWORKS["conv-code-10"], pictures)


@pytest.mark.parametrize("name", ["photo", "digit-listener"])
def test_a_network_whose_file_does_not_describe_its_layers_cannot_be_opened(name):
    with pytest.raises(ModelError, match=f"{name} cannot be looked into"):
        load_inside(find_card(name))


# How far a value sees


def dependence(model: keras.Model, layer: str) -> int:
    """The side of the square of pixels that change any value in the middle of a layer's map."""
    probe = keras.Model(model.input, model.get_layer(layer).output)
    flat = np.full((1, 28, 28, 1), 0.5, np.float32)
    spots = np.repeat(flat, 28, axis=0)
    spots[np.arange(28), np.arange(28)] = 1  # One row is brighter in each picture.
    before, after = (keras.ops.convert_to_numpy(probe(each)) for each in (flat, spots))
    changed = np.abs(after - before) > 0
    if changed.ndim == 2:
        return int(changed.sum(axis=0).max())
    seen = changed.any(axis=(2, 3))  # (bright row, row of the map)
    return int(seen.sum(axis=0).max())


@pytest.mark.parametrize("name", ["conv-32-32", "conv-64-64-32-transposed", "conv-code-10"])
def test_the_receptive_field_is_what_changes_a_value_where_all_weights_are_positive(name):
    model = in_keras(name)
    # Without negative numbers nothing cancels, and ReLU hides nothing; pooling shows what is
    # brighter than the rest.
    weights = model.get_weights()
    means = [9 * (each.ndim > 1) / max(1, np.prod(each.shape[:-1])) for each in weights]
    model.set_weights([np.full_like(*both) for both in zip(weights, means, strict=True)])
    fields = {}
    for layer in model.layers[1:-1]:
        fields[layer.name] = dependence(model, layer.name)
    table = {each: NETWORKS[name].layers[each].field for each in fields}
    assert fields == table


def test_the_receptive_field_of_known_layers_is_that_counted_by_hand():
    layers = NETWORKS["conv-32-32"].layers
    by_hand = {"encoder_conv_1": 3, "encoder_pool_1": 4, "encoder_conv_2": 8, "encoder_pool_2": 10}
    assert {name: layers[name].field for name in by_hand} == by_hand
    assert NETWORKS["dense"].layers["code"].field == 28


# One window


def places(network, names, count, rng):
    """Corners and other places in the maps of each named layer."""
    for name in names:
        rows, columns, filters = network.layers[name].shape
        yield Place(name, 0, 0, 0)
        yield Place(name, rows - 1, columns - 1, filters - 1)
        for _ in range(count):
            yield Place(name, *(int(rng.integers(each)) for each in (rows, columns, filters)))


def end_of(network, layer):
    """The layer that holds what a convolution comes to after norm and activation."""
    return window._activation(network, layer)[0]


def worked_out(network, picture, names, at, rng):
    """Places in the maps of the named layers, each with what is worked out there and all maps."""
    maps = network.feature_maps(picture[np.newaxis])
    for place in places(network, names, 4, rng):
        yield place, at(network, picture, place), maps


@every_model
def test_a_convolution_worked_out_is_the_value_in_the_feature_map(name, pictures, rng):
    network = NETWORKS[name]
    layers = convolution_layers(network)
    for place, worked, maps in worked_out(network, pictures[2], layers, convolution_at, rng):
        there = maps[end_of(network, place.layer)][0, place.row, place.column, place.filter]
        assert worked.value == pytest.approx(there, abs=1e-4)
        before = maps[place.layer][0, place.row, place.column, place.filter]
        if network.layers[place.layer].activation == "linear":
            assert worked.total == pytest.approx(before, abs=1e-4)


@every_model
def test_a_convolution_moved_as_in_the_network_gives_its_map(name, pictures, rng):
    network = NETWORKS[name]
    picture = pictures[2][np.newaxis]
    maps = network.feature_maps(picture)
    for place in places(network, convolution_layers(network), 1, rng):
        layer = network.layers[place.layer]
        before = maps[layer.inputs[0]]
        moved = moved_convolution(network, before, place, layer.strides, layer.padding)
        expected = maps[end_of(network, place.layer)][0, ..., place.filter]
        np.testing.assert_allclose(moved, expected, atol=1e-4)


@every_model
def test_a_pooling_worked_out_is_the_value_in_the_feature_map(name, pictures, rng):
    network = NETWORKS[name]
    layers = pooling_layers(network)
    for place, worked, maps in worked_out(network, pictures[3], layers, pooling_at, rng):
        there = maps[place.layer][0, place.row, place.column, place.filter]
        assert worked.value == pytest.approx(there, abs=1e-5)


def test_every_network_with_convolutions_offers_them():
    for name, network in NETWORKS.items():
        kinds = [layer.kind for layer in network.layers.values()]
        assert len(convolution_layers(network)) == kinds.count("Conv2D")
        assert len(pooling_layers(network)) == kinds.count("MaxPooling2D"), name


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [7, 8])
def test_windows_move_as_those_of_keras(padding, stride, side, rng):
    maps = rng.random((2, side, side, 3), np.float32) - 0.5
    kernel, bias = rng.random((3, 3, 3, 4), np.float32), rng.random(4, np.float32)
    np.testing.assert_allclose(
        convolve(maps, kernel, bias, (stride, stride), padding),
        keras.ops.convert_to_numpy(keras.ops.conv(maps, kernel, stride, padding)) + bias,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        pool(maps, (2, 2), (stride, stride), padding),
        keras.ops.convert_to_numpy(keras.ops.max_pool(maps, 2, stride, padding)),
    )


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match='padding must be "same" or "valid"'):
        convolve(np.zeros((1, 4, 4, 1)), np.zeros((3, 3, 1, 1)), padding="full")
