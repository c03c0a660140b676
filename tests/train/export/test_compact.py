import gc

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.architectures import build
from models.session import open_large, skips_of
from train.export.compact import compact, read_kernels, set_kernels, to_stored_precision
from train.export.folded import folded
from train.export.ship import to_onnx

SETTINGS = {"filters": [6, 8, 10], "blocks": 1}


@pytest.fixture(scope="module")
def model():
    """A network whose weights have the precision of the file; tests leave it as it is."""
    keras.utils.set_random_seed(1)
    model = build("residual-unet", **SETTINGS)
    to_stored_precision(model)
    return model


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    """The ONNX file as tf2onnx writes it."""
    path = tmp_path_factory.mktemp("onnx") / "plain.onnx"
    to_onnx(model, path)
    return path


@pytest.fixture(scope="module")
def small(plain, model):
    """The same file made compact."""
    path = plain.with_name("small.onnx")
    path.write_bytes(plain.read_bytes())
    compact(path, model)
    return path


def given(rng, *shape):
    noisy, level = rng.random((*shape, 3), np.float32), rng.random((*shape, 1), np.float32)
    return {"image": noisy, "level": level}


def run(path, inputs):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def from_keras(model, inputs):
    return keras.ops.convert_to_numpy(model(list(inputs.values()), training=False))


def layers_of(model):
    return [layer.name for layer in model.layers if layer.weights]


def kinds(path):
    return {node.op_type for node in onnx.load(path).graph.node}


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 16, 40), (1, 128, 72)], ids=str)
def test_a_compact_file_answers_as_the_model(small, model, shape, rng):
    inputs = given(rng, *shape)
    answer = run(small, inputs)
    # Sums of some hundred products in single precision; not the 5e-4 of half precision.
    np.testing.assert_allclose(answer, from_keras(model, inputs), atol=2e-6)
    assert np.abs(answer - inputs["image"]).max() > 0.01


def test_a_compact_file_answers_as_the_file_it_was_made_of(small, plain, rng):
    inputs = given(rng, 1, 24, 32)
    np.testing.assert_allclose(run(small, inputs), run(plain, inputs), atol=1e-6)


def test_weights_take_half_the_room(small, model):
    stored = [each for each in onnx.load(small).graph.initializer if len(each.dims) == 4]
    assert {each.data_type for each in stored} == {onnx.TensorProto.FLOAT16}
    assert sum(int(np.prod(each.dims)) for each in stored) == model.count_params()
    sizes = sum(len(each.raw_data) for each in stored)
    assert sizes == 2 * model.count_params()


def test_weights_bear_the_names_of_their_layers(small, model):
    with_weights = {layer.name for layer in model.layers if layer.weights}
    assert set(read_kernels(small)) == with_weights


def test_crops_that_cut_nothing_off_are_gone(small, plain):
    assert {"Slice", "Pad"} <= kinds(plain)  # Or else there is nothing to make compact.
    assert not {"Slice", "Pad"} & kinds(small)
    nodes = onnx.load(small).graph.node
    needed = {name for node in nodes for name in node.input} | {"denoised"}
    outputs = {each.name for each in onnx.load(small).graph.output}
    assert all(needed.union(outputs).intersection(node.output) for node in nodes)


def test_kernels_read_from_a_file_make_the_same_network_of_another(small, model, rng):
    keras.utils.set_random_seed(2)
    other = build("residual-unet", **SETTINGS)
    inputs = given(rng, 1, 16, 16)
    before = from_keras(other, inputs)
    set_kernels(other, read_kernels(small))
    assert not np.array_equal(from_keras(other, inputs), before)
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "settings",
    [
        {"filters": [6, 8, 9], "blocks": 1},
        {"filters": [5, 8, 20], "blocks": 1},
        {"filters": [6, 8], "blocks": 1},
        {"filters": [6, 8, 10], "blocks": 1, "channels": 1},
    ],
)
def test_kernels_of_a_network_that_is_built_otherwise_are_refused(small, settings):
    other = build("residual-unet", **settings)
    before = other.get_weights()
    with pytest.raises(ValueError, match="built otherwise"):
        set_kernels(other, read_kernels(small))
    for ours, theirs in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_grey_weights_do_not_grow_into_a_network_for_colour():
    grey = build("residual-unet", filters=[2, 2], blocks=1, channels=1)
    weights = zip(layers_of(grey), grey.get_weights(), strict=True)
    kernels = {name: kernel.transpose(3, 2, 0, 1) for name, kernel in weights}
    colour = build("residual-unet", filters=[4, 4], blocks=1)
    with pytest.raises(ValueError, match="built otherwise"):
        set_kernels(colour, kernels)


@pytest.mark.parametrize("filters", [[6, 8, 16], [9, 8, 10], [12, 16, 20]], ids=str)
def test_a_wider_network_begins_as_the_narrower_one_and_can_learn_more(small, model, filters, rng):
    keras.utils.set_random_seed(4)
    wider = build("residual-unet", filters=filters, blocks=1)
    set_kernels(wider, read_kernels(small))
    inputs = given(rng, 2, 16, 24)
    np.testing.assert_allclose(from_keras(wider, inputs), from_keras(model, inputs), atol=1e-5)

    before = [weights.copy() for weights in wider.get_weights()]
    wider.compile(keras.optimizers.SGD(0.1), "mse")
    clean = rng.random((2, 16, 24, 3), np.float32)
    for _ in range(2):  # The first step lets the others read the new maps, the second changes them.
        wider.train_on_batch([*inputs.values()], clean)
    for layer, was, now in zip(layers_of(wider), before, wider.get_weights(), strict=True):
        # Not every one: a ReLU may be silent, a step too small for the number.
        assert np.mean(was != now) > 0.8, layer


def test_a_file_of_another_network_is_refused_with_the_layer_and_stays_as_it_is(plain, tmp_path):
    keras.utils.set_random_seed(3)
    other = build("residual-unet", **SETTINGS)
    path = tmp_path / "model.onnx"
    path.write_bytes(plain.read_bytes())
    with pytest.raises(ValueError, match="has no weights of the layer encoder_1_down"):
        compact(path, other)
    assert path.read_bytes() == plain.read_bytes()


def test_two_layers_of_equal_weights_are_refused(tmp_path):
    """Files keep such weights once; a training never ends so."""
    model = build("residual-unet", filters=[4, 4], blocks=1)
    for name in ("encoder_1_block_1_conv_1", "encoder_1_block_1_conv_2"):
        model.get_layer(name).set_weights([np.full((3, 3, 4, 4), 0.5, np.float32)])
    to_onnx(model, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="has no weights of the layer encoder_1_block_1_conv_2"):
        compact(tmp_path / "model.onnx", model)


def test_weights_are_rounded_to_half_precision_once_and_for_all():
    keras.utils.set_random_seed(4)
    model = build("residual-unet", filters=[4], blocks=1)
    exact = model.get_weights()
    to_stored_precision(model)
    rounded = model.get_weights()
    for before, after in zip(exact, rounded, strict=True):
        assert after.dtype == np.float32
        # Eleven binary digits; below 6e-5 fewer.
        np.testing.assert_allclose(after, before, rtol=2**-11, atol=2**-25)
        assert not np.array_equal(after, before)
    to_stored_precision(model)
    for once, twice in zip(rounded, model.get_weights(), strict=True):
        np.testing.assert_array_equal(once, twice)


@pytest.fixture(scope="module", params=["float16", "int8"])
def unet(request, tmp_path_factory):
    """A U-Net with two skip connections, and its file."""
    keras.utils.set_random_seed(2)
    model = folded(build("unet", size=None, filters=[4, 6, 8], dropout=0.0))
    to_stored_precision(model, request.param)
    path = tmp_path_factory.mktemp("unet") / "model.onnx"
    to_onnx(model, path)
    compact(path, model, request.param)
    return model, path


@pytest.mark.parametrize("cut", [("skip_1",), ("skip_2",), ("skip_1", "skip_2")], ids=str)
def test_a_skip_connection_that_is_cut_hands_over_zeros(unet, cut, rng):
    model, path = unet
    picture = rng.random((1, 16, 24, 1), np.float32)
    skips = skips_of(open_large(path))
    assert skips == {"skip_1": (4, 4), "skip_2": (6, 6)}
    session = open_large(path, {name: skips[name] for name in cut})
    gc.collect()  # onnxruntime does not keep what it was given.

    def call(layer, given, **_):
        if layer.name in cut:
            given = [given[0], keras.ops.zeros_like(given[1])]
        return layer(given)

    zeros = keras.models.clone_model(model, call_function=call, clone_function=lambda each: each)
    expected = keras.ops.convert_to_numpy(zeros(picture, training=False))
    (answer,) = session.run(None, {"image": picture})
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    assert np.abs(answer - run(path, {"image": picture})).max() > 1e-3


def test_networks_without_concatenated_skips_have_none_to_cut(small):
    assert skips_of(open_large(small)) == {}
