"""What the browser is sent of a network; that it answers alike is tested in tests/browser."""

import dataclasses
import json
import struct

import numpy as np
import pytest

from models.catalogue import find_card, load_catalogue
from models.inspection.network import load_inside
from models.live import FORMAT, make_plan, pack, packed_name, step_names, write_packed
from models.tasks.digits import DIGIT_SETS


@pytest.fixture(scope="module")
def unet():
    return load_inside(find_card("unet"))


def changed(network, name, **fields):
    """The network with another row for one layer in its table."""
    copy = object.__new__(type(network))
    copy.__dict__ |= network.__dict__
    layer = dataclasses.replace(network.layers[name], **fields)
    copy.layers = network.layers | {name: layer}
    return copy


def steps_of(network):
    return {step["name"]: step for step in make_plan(network)[0]["steps"]}


def test_what_follows_a_convolution_is_folded_into_it(unet):
    steps = steps_of(unet)
    assert not [name for name in steps if "norm" in name or "dropout" in name or "_conv_" in name]
    folded = steps["encoder_1_relu_1"]
    assert (folded["op"], folded["activation"]) == ("conv", "relu")
    (phase,) = folded["phases"]
    _, weights = make_plan(unet)
    scale = unet.weights("encoder_1_norm_1")["scale"]
    kernel = unet.weights("encoder_1_conv_1")["kernel"] * scale
    # Two blocks of eight of the sixteen outputs, each of nine taps of one input channel.
    packed = weights[phase["weights"] :][: 2 * 9 * 8].reshape(2, 9, 8)
    np.testing.assert_array_equal(packed[1], kernel.reshape(9, 16)[:, 8:])
    shift = unet.weights("encoder_1_norm_1")["shift"]
    np.testing.assert_array_equal(weights[phase["bias"] :][:16], shift)


def test_the_taps_of_a_window_are_the_places_around_its_pixel(unet):
    (phase,) = steps_of(unet)["encoder_1_relu_1"]["phases"]
    assert phase["taps"] == [[y, x] for y in (-1, 0, 1) for x in (-1, 0, 1)]


def test_a_transposed_convolution_makes_even_and_odd_pixels_on_their_own():
    network = load_inside(find_card("conv-64-64-32-transposed"))
    phases = steps_of(network)["decoder_conv_3"]["phases"]
    assert [phase["at"] for phase in phases] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    # A 3x3 kernel of stride 2: output 2 p + a comes from input p by kernel row a, and output
    # 2 p also from input p - 1 by row 2.
    assert [len(phase["taps"]) for phase in phases] == [4, 2, 2, 1]
    assert phases[0]["taps"] == [[0, 0], [0, -1], [-1, 0], [-1, -1]]


def test_the_packed_form_can_be_read_back(unet):
    for floats, bytes_each in (("float32", 4), ("float16", 2)):
        packed = pack(unet, floats)
        (length,) = struct.unpack("<I", packed[:4])
        plan = json.loads(packed[4 : 4 + length])
        assert plan["floats"] == floats
        assert (4 + length) % 4 == 0
        _, weights = make_plan(unet)
        assert len(packed) == 4 + length + bytes_each * len(weights)
        stored = np.frombuffer(packed[4 + length :], f"<f{bytes_each}")
        np.testing.assert_array_equal(stored, weights.astype(floats))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("encoder_1_pool", {"kind": "AveragePooling2D"}),
        ("encoder_1_pool", {"strides": (1, 1)}),
        ("encoder_2_conv_1", {"strides": (2, 2)}),
        ("decoder_1_up", {"strides": (1, 1)}),
        ("skip_1", {"kind": "Add"}),
        ("skip_1", {"inputs": ("decoder_1_up", "encoder_1_relu_2", "encoder_1_relu_1")}),
        ("denoised", {"activation": "tanh"}),
        # Of rows of two or three pixels the engine would make four of the first one.
        ("encoder_2_conv_1", {"shape": (2, 2, 32)}),
        ("decoder_1_up", {"shape": (6, 6, 32)}),
    ],
)
def test_a_layer_that_the_browser_has_no_step_for_is_an_error(unet, name, fields):
    with pytest.raises(ValueError, match=r"the browser has steps for .*, got Layer"):
        make_plan(changed(unet, name, **fields))


def test_an_activation_that_nothing_can_take_is_an_error(unet):
    # The values before the ReLU are asked for as well: it cannot be folded.
    between = changed(unet, "skip_1", inputs=("decoder_1_up", "encoder_1_norm_2"))
    with pytest.raises(ValueError, match="must follow a convolution that nothing else follows"):
        make_plan(between)


def test_another_network_has_another_name(tmp_path):
    card = find_card("conv-16-8-8")
    other = dataclasses.replace(card, sha256="0" * 64)
    assert packed_name(card) != packed_name(other)
    assert packed_name(card).startswith("conv-16-8-8-")
    assert FORMAT == 1  # A new one asks for new files: python -m models pack.


def test_packing_again_replaces_what_was_there_and_nothing_else(tmp_path):
    card = find_card("conv-16-8-8")
    old = tmp_path / "conv-16-8-8-0123456789ab.gz"
    longer = tmp_path / "conv-16-8-8-again-0123456789ab.gz"
    for path in (old, longer):
        path.write_bytes(b"old")
    path = write_packed(card, tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {path.name, longer.name}


@pytest.mark.parametrize(
    "card",
    [each for each in load_catalogue().values() if each.data in DIGIT_SETS],
    ids=lambda card: card.name,
)
def test_the_names_of_the_steps_are_known_without_their_weights(card):
    network = load_inside(card)
    plan, _ = make_plan(network)
    assert step_names(network) == {step["name"] for step in plan["steps"]}


def test_values_below_zero_are_not_pooled_with_the_zeros_beyond_the_edge():
    network = load_inside(find_card("conv-16-8-8"))
    pools = [layer for layer in network.layers.values() if layer.kind == "MaxPooling2D"]
    (odd,) = (layer for layer in pools if network.layers[layer.inputs[0]].shape[0] % 2)
    make_plan(network)  # What comes before is never below zero.
    with pytest.raises(ValueError, match="MaxPooling2D"):
        make_plan(changed(network, odd.inputs[0], activation="linear"))
    even = pools[0].inputs[0]
    make_plan(changed(network, even, activation="linear"))
