"""What must hold for every model that ships; a new one is tested without a new test."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from imaging import metrics
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.architectures import build
from models.catalogue import Score, load_catalogue, sha256_of
from models.digit_scores import noisy_pictures
from models.predictor import load_predictor
from models.tasks import find_task
from train.evaluate.cards import card_for_people
from train.recipes import JOBS, RECIPES

pytestmark = pytest.mark.slow

SHIPPED = list(load_catalogue().values())
DENOISERS = [card for card in SHIPPED if card.task == "denoise-digits"]
FOR_PHOTOS = [card for card in SHIPPED if card.task == "denoise-photos"]
OF_ANY_SIZE = [card for card in SHIPPED if not card.size]
READERS = [card for card in SHIPPED if card.task == "read-digits"]
# The Keras model ships where it is small.
WITH_KERAS = [card for card in SHIPPED if (card.folder / "model.keras").is_file()]
WITH_GAUSSIAN = [
    card
    for card in DENOISERS
    if card.trained_ranges.get("gaussian", (1, 0))[0] <= 0.5
    and card.trained_ranges.get("gaussian", (1, 0))[1] >= 0.5
]

# Multiply-accumulates a pixel, by hand: kernel x inputs x outputs, times the share of pixels that
# the layer has.  A dense layer of 784 to n spends n on each pixel, and so does one of n to 784.
MACS_BY_HAND = {
    "dense": 64 + 64,
    "dense-reconstruct": 64 + 64,
    "conv-32-32": 9 * (32 + 32 * 32 / 4 + 32 * 32 / 16 + 32 * 32 / 4 + 32),
}


def by_name(cards):
    return pytest.mark.parametrize("card", cards, ids=lambda card: card.name)


def assert_keras_agrees(card, pictures):
    model = keras.saving.load_model(card.folder / "model.keras", compile=False)
    from_keras = keras.ops.convert_to_numpy(model(pictures, training=False))
    # The agreement that is promised for every model.
    from_onnx = load_predictor(card).predict_batch(pictures)
    np.testing.assert_allclose(from_onnx, from_keras, atol=1e-4)


@by_name(SHIPPED)
def test_the_weights_are_those_that_the_card_describes(card):
    assert sha256_of(card.weights) == card.sha256


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (70, 3), (33, 90)], ids=str)
@by_name([card for card in OF_ANY_SIZE if find_task(card.task).input.kind == "image"])
def test_a_picture_of_any_shape_gets_an_answer_of_its_size(card, size, rng):
    task = find_task(card.task)
    picture = rng.integers(0, 256, (*size, task.input.channels)).astype(np.uint8)
    answer = load_predictor(card).predict(picture)
    assert answer.shape[:2] == tuple(task.scale * side for side in size)


@by_name([card for card in OF_ANY_SIZE if card.architecture == "unet"])
def test_each_skip_connection_of_a_unet_can_be_cut(card):
    *outer, _ = card.settings["filters"] if card.settings.get("skips", True) else [None]
    expected = {f"skip_{level}": (count, count) for level, count in enumerate(outer, start=1)}
    assert load_predictor(card).skips == expected


@by_name(WITH_KERAS)
def test_keras_and_onnx_agree_on_strokes_and_on_noise(card, rng):
    blurred = gaussian_filter(rng.random((64, 28, 28, 1)), (0, 2, 2, 0))
    strokes = (blurred > np.median(blurred)).astype(np.float32)
    noise = rng.standard_normal(strokes.shape, np.float32)
    levels = np.linspace(0, 1, len(strokes), dtype=np.float32).reshape(-1, 1, 1, 1)
    assert_keras_agrees(card, np.clip(strokes + levels * noise, 0, 1))


@by_name(WITH_KERAS)
def test_keras_and_onnx_agree_on_real_digits(card, mnist_test):
    clean = mnist_test[0][:128]
    assert_keras_agrees(card, clean)
    assert_keras_agrees(card, noisy_pictures(clean, "gaussian", 0.5))


@by_name(SHIPPED)
def test_the_card_describes_the_network(card):
    model = build(card.architecture, **card.settings)
    assert card.parameters == model.count_params()
    picture = model.inputs[0].shape
    if card.size:
        sides = (card.size, card.size)
    else:  # Of any size, or a square to which the task brings every picture.
        sides = picture[1:3]
        assert sides in ((None, None), (card.multiple, card.multiple))
    assert picture == (None, *sides, card.channels)
    if card in DENOISERS + FOR_PHOTOS:
        assert model.output_shape == picture
    if card in READERS:
        assert model.output_shape != picture
    assert tuple(each.name for each in model.inputs) == find_task(card.task).inputs


@by_name([card for card in SHIPPED if card.name in MACS_BY_HAND])
def test_the_work_a_pixel_is_that_counted_by_hand(card):
    assert card.macs_per_pixel == MACS_BY_HAND[card.name]


@by_name(DENOISERS)
def test_lists_say_in_a_few_words_what_a_network_for_digits_is(card):
    assert card.gloss == RECIPES[card.name].gloss
    assert 1 <= len(card.gloss.split()) <= 4
    assert card.title_in_lists == f"{card.title} · {card.gloss}"


@by_name(SHIPPED)
def test_the_card_is_complete(card):
    assert card.name in RECIPES | JOBS
    training = card.training
    for text in (card.title, card.purpose, card.source, training["loss"], training["optimizer"]):
        assert text.strip()
    assert card.purpose.endswith(".")
    assert card.macs_per_pixel > 0
    assert training["epochs"] > 0
    assert {"date", "keras", "onnx", "onnxruntime"} <= set(card.made_with)
    kinds = find_task(card.task).degradations or NOISE_KINDS
    for kind, (low, high) in card.trained_ranges.items():
        assert kinds[kind].low <= low <= high <= kinds[kind].high


def is_better(score: Score) -> bool:
    """Whether the answer is better than the input by every measure of pictures."""
    return all(score.answer[name] > score.input[name] for name in ("psnr", "ssim"))


@by_name(DENOISERS)
def test_the_card_says_how_good_the_model_is_over_every_slider(card):
    for score in card.scores:
        assert score.examples >= 1000
        assert ("read" in score.answer) == (card.data == "mnist")
    for kind in NOISE_KINDS.values():
        strengths = [each.strength for each in card.scores if each.degradation == kind.name]
        assert len(strengths) >= 5
        assert max(strengths) == pytest.approx(kind.high)
    assert card.score_at("gaussian", 0.5).examples == 10_000


@by_name([card for card in FOR_PHOTOS if card.data == "photos"])
def test_the_card_says_how_good_a_photo_network_is_over_every_slider(card):
    for kind in PHOTO_NOISE_KINDS.values():
        scores = [each for each in card.scores if each.clipped and each.degradation == kind.name]
        assert len(scores) >= 5
        assert max(each.strength for each in scores) == pytest.approx(kind.high, abs=1e-5)
        for score in scores:
            assert score.examples >= 8
            assert is_better(score)


@by_name([card for card in FOR_PHOTOS if card.data == "polyu"])
def test_the_card_says_how_good_a_camera_network_is_on_a_camera_s_noise(card):
    score = card.score_at("camera", 0)
    assert score.answer["psnr"] > score.input["psnr"]


@by_name(OF_ANY_SIZE)
def test_a_network_for_any_size_has_a_small_file(card):
    # Half of what single precision takes, and a little for the graph.
    assert card.weights.stat().st_size < 2.1 * card.parameters + 60_000


@by_name(READERS)
def test_a_reader_says_how_well_it_reads(card):
    assert card.score_at("", 0).answer["accuracy"] > 0.99


@by_name(WITH_GAUSSIAN)
def test_a_trained_denoiser_is_better_than_the_noise_it_was_trained_on(card):
    assert is_better(card.score_at("gaussian", 0.5))


@by_name([card for card in DENOISERS if card.data == "mnist"])
def test_the_measured_quality_is_found_again(card, mnist_test):
    clean = mnist_test[0][::20]  # The first digits alone are easier than the rest.
    noisy = noisy_pictures(clean, "gaussian", 0.5)
    denoised, score = load_predictor(card).predict_batch(noisy), card.score_at("gaussian", 0.5)
    for found, claimed in (
        (metrics.batch_psnr(clean, noisy), score.input["psnr"]),
        (metrics.batch_psnr(clean, denoised), score.answer["psnr"]),
        (metrics.batch_ssim(clean, denoised), score.answer["ssim"]),
    ):
        # A mean of 500 of the digits: four standard errors.
        assert found.mean() == pytest.approx(claimed, abs=4 * found.std() / np.sqrt(500))


@by_name([card for card in READERS if card.data == "mnist"])
def test_the_accuracy_on_the_card_is_found_again(card, mnist_test):
    images, labels = mnist_test
    read = load_predictor(card).predict_batch(images).argmax(axis=1)
    assert np.mean(read == labels) == pytest.approx(
        card.score_at("", 0).answer["accuracy"], abs=1e-4
    )


@by_name(SHIPPED)
def test_the_card_for_people_tells_the_same(card):
    text = (card.folder / "card.md").read_text()
    assert text == card_for_people(card)
    assert text.startswith(f"# {card.title}\n")
    assert f"{card.parameters:,} parameters" in text
    assert card.sha256 in text
    for score in card.scores:
        if "psnr" in score.answer:
            assert f"{score.answer['psnr']:.2f}" in text
