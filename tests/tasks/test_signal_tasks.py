"""The tasks that enlarge, colour, paint and listen, with networks whose answer is known."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import audio, cielab
from imaging.resize import enlarged, reduced
from models.answers import as_png, at_rate_of
from models.tasks import colour_photos, denoise_speech, paint, upscale_photos
from models.tasks.contract import Signal
from models.tasks.spoken_digits import Voices
from models.tasks.turned import turned
from tests.tasks.known_network import Known

ALL = (*upscale_photos.TASKS, *colour_photos.TASKS, paint.TASK, denoise_speech.TASK)
PICTURES = [task for task in ALL if task.input.kind == "image"]


@dataclass
class Settings:
    """What the batches read of a training's settings."""

    crop: int = 32
    settings: dict = field(default_factory=dict)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def photo(height: int = 48, width: int = 60) -> np.ndarray:
    """A smooth picture in colours that every screen can show."""
    y, x = np.mgrid[:height, :width] / 20
    channels = [0.5 + 0.3 * np.sin(x + y * k + k) for k in (0.5, 1, 1.7)]
    return np.stack(channels, axis=2).astype(np.float32)


def repeat(scale: int):
    return lambda image: image.repeat(scale, axis=1).repeat(scale, axis=2)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_every_sample_names_source_and_licence_and_fits_the_signal(task):
    for sample in task.samples.values():
        given, target = sample.load()
        assert sample.source
        assert sample.licence
        assert given.dtype == np.float32
        assert given.ndim == (1 if task.input.kind == "audio" else 3)
        assert -1.001 <= given.min() <= given.max() <= 1.001
        if target is not None and task.input.kind == "image":
            assert target.shape[0] == task.scale * given.shape[0]


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_every_baseline_answers_in_the_shape_of_the_target(task):
    given = photo() if task.input.kind == "image" else tone()
    for baseline in task.baselines.values():
        answer = baseline.run(given, None, None)
        # Recordings keep their length, pictures their sides, or have them enlarged.
        assert answer.shape[:2] == tuple(side * task.scale for side in given.shape[:2])
        assert answer.dtype == np.float32
        assert -1 <= answer.min() <= answer.max() <= 1


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_a_perfect_answer_scores_better_than_a_spoiled_one(task):
    target = photo() if task.input.kind == "image" else tone()
    degraded = target + 0.1 * rng().standard_normal(target.shape).astype(np.float32)
    for metric in task.metrics:
        if metric.name != "palette":  # Which knows no single truth.
            perfect, worse = metric.score(target, target), metric.score(target, degraded)
            assert metric.better * (perfect - worse) > 0


# Enlarge.


@pytest.mark.parametrize("task", upscale_photos.TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_enlarged_picture_is_the_factor_times_as_large(task, channels: int):
    image = photo(20, 30)[..., :channels]
    network = Known(repeat(task.scale))
    answer = task.solve(network, image, None, None)
    assert answer.shape == (20 * task.scale, 30 * task.scale, channels)
    # Grey is the network's answer; colours are those of the small picture, but for rounding.
    grey = repeat(task.scale)(upscale_photos.brightness(image)[None])[0]
    assert np.abs(upscale_photos.brightness(answer) - grey).max() < 0.02


def test_8_bits_and_floats_are_enlarged_alike():
    pixels = (photo() * 255).astype(np.uint8)
    answers = [
        upscale_photos.TASKS[0].solve(Known(repeat(2)), each, None, None)
        for each in (pixels, pixels.astype(np.float32) / 255)
    ]
    assert np.abs(answers[0] - answers[1]).max() < 1e-5


def test_a_single_pixel_can_be_enlarged():
    answer = upscale_photos.TASKS[2].solve(Known(repeat(4)), photo(1, 1), None, None)
    assert np.allclose(answer, photo(1, 1), atol=1e-5)
    assert answer.shape == (4, 4, 3)


def test_too_large_a_picture_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r"12000 x 8000 pixels; 16 million are the most"):
        upscale_photos.require_room(np.empty((2000, 3000, 3), np.uint8), 4)


def test_small_crops_are_the_large_ones_made_small():
    examples = upscale_photos.Examples([(photo(120, 140) * 255).astype(np.uint8)])
    small, large = upscale_photos.TASKS[1].batch(examples, np.zeros(4, int), Settings(16), rng())
    assert small.shape == (4, 16, 16, 1)
    assert large.shape == (4, 48, 48, 1)
    for one, other in zip(small, large, strict=True):
        inner = slice(2, -2)  # The cubic sees two small pixels beyond its own.
        # Half a step of 8 bits.
        assert np.abs(reduced(other, 3) - one)[inner, inner].max() < 0.5 / 255 + 1e-5


def test_photos_smaller_than_a_crop_are_continued():
    examples = upscale_photos.Examples([(photo(20, 150) * 255).astype(np.uint8)])
    small, large = upscale_photos.TASKS[0].batch(examples, np.zeros(2, int), Settings(24), rng())
    assert small.shape == (2, 24, 24, 1)
    assert large.shape == (2, 48, 48, 1)


# Colour.


def truth(image: np.ndarray) -> np.ndarray:
    return cielab.rgb_to_lab(image)[..., 1:] / colour_photos.SPAN


@pytest.mark.parametrize("task", colour_photos.TASKS, ids=lambda task: task.name)
def test_true_colours_make_the_photo(task):
    image = photo(128, 128)
    grey = cielab.in_grey(image)
    lightness = cielab.rgb_to_lab(grey)[np.newaxis, ..., :1] / np.float32(100)

    def knowing(image, hints=None):
        # The truth, whichever way up the photo is asked about.
        (way,) = (way for way in colour_photos.SEEN if np.allclose(turned(lightness, *way), image))
        return turned(truth(photo(128, 128))[np.newaxis], *way)

    network = Known(knowing)
    answer = task.solve(network, grey, 1.0 if task.hint else None, None)
    assert np.abs(answer - image).max() < 2e-3
    assert set(network.seen[0]) == set(task.inputs)


def test_vivid_colours_are_multiples_of_the_guess():
    network = Known(lambda image: np.full((*image.shape[:3], 2), 0.1, np.float32))
    grey = np.full((64, 64, 3), 0.5, np.float32)
    for hint, factor in ((None, colour_photos.VIVID), (0.0, 0), (1.5, 1.5)):
        answer = cielab.rgb_to_lab(colour_photos.FACES.solve(network, grey, hint, None))
        assert answer[..., 1:].mean() == pytest.approx(11 * factor, abs=0.1)


def test_single_pixels_of_an_answer_that_go_astray_are_left_out():
    def speckled(image):
        answer = np.full((*image.shape[:3], 2), 0.1, np.float32)
        answer[:, 1:40:2, ::2] = -1
        return answer

    even = Known(lambda image: np.full((*image.shape[:3], 2), 0.1, np.float32))
    grey = cielab.in_grey(photo(128, 128))
    wanted, answer = (
        colour_photos.FACES.solve(network, grey, None, None) for network in (even, Known(speckled))
    )
    assert np.array_equal(answer, wanted)


@pytest.mark.parametrize("shape", [(1, 1), (40, 300), (700, 500)])
def test_a_picture_of_any_size_keeps_its_lightness(shape: tuple[int, int]):
    image = cielab.in_grey(photo(*shape))
    network = Known(
        lambda image, hints: np.zeros((*image.shape[:3], 2), np.float32) + 0.01, multiple=32
    )
    answer = colour_photos.PHOTOS.solve(network, image, None, None)
    assert answer.shape == (*shape, 3)
    light = [cielab.rgb_to_lab(each)[..., 0] for each in (image, answer)]
    assert np.abs(light[0] - light[1]).max() < 0.05
    assert all(side % 32 == 0 for side in network.seen[0]["image"][1:3])


def test_a_hint_is_told_where_the_visitor_put_it():
    told = []

    def network(image: np.ndarray, hints: np.ndarray) -> np.ndarray:
        told.append(hints[0])
        return np.zeros((*image.shape[:3], 2), np.float32)

    colour_photos.PHOTOS.solve(Known(network), photo(256, 512), [(100, 400, 55, -11)], None)
    strongest = np.unravel_index(told[0][..., 2].argmax(), told[0].shape[:2])
    assert strongest == (50, 200)  # At half the size.
    assert told[0][50, 200] == pytest.approx([0.5, -0.1, 1], abs=0.02)


def test_where_one_of_three_answers_goes_wrong_the_middle_one_counts():
    def spotted(image, hints):
        answer = np.full((*image.shape[:3], 2), 0.25, np.float32)
        answer[:, -20:-10, -14:] = -0.9  # Always in the same corner, whatever is there.
        return answer

    colours = cielab.rgb_to_lab(colour_photos.PHOTOS.solve(Known(spotted), photo(128, 160), None))
    grey = np.full((128, 160, 3), 0.5, np.float32)
    even = cielab.with_colour(grey, np.full((128, 160, 2), 0.25 * 110, np.float32))
    expected = cielab.rgb_to_lab(even)[0, 0, 1:]
    middling = np.abs(cielab.rgb_to_lab(photo(128, 160))[..., 0] - 50) < 10
    assert np.abs(colours[middling][:, 1:] - expected).max() < 8
    assert (colours[..., 1] > -5).all()


def test_random_hints_tell_the_truth():
    ab = np.moveaxis(np.mgrid[:64, :64] / np.float32(640), 0, 2)
    counts = []
    for seed in range(40):
        dots = colour_photos.random_dots(ab, np.random.default_rng(seed))
        counts.append(len(dots))
        for y, x, *colour in dots:
            # The mean of nine pixels to a side is that of the middle one; at an edge less.
            assert np.abs(colour - ab[y, x]).max() <= 6.01 / 640
    assert min(counts) == 0 < 10 < max(counts) <= 100
    assert not colour_photos.true_dots(photo(), 0, rng())
    row, column, a, b = colour_photos.true_dots(photo(), 1, rng())[0]
    assert [a, b] == pytest.approx(cielab.rgb_to_lab(photo())[row, column, 1:], abs=5)


def test_photos_to_measure_have_twenty_true_hints_each_and_those_to_learn_from_none(data_dir):
    examples = colour_photos.load_hinted_photos(data_dir, "test")
    assert [len(each) for each in examples.hints] == [20] * 24
    truth = cielab.rgb_to_lab(examples.targets[5])
    # A hint is the mean of 25 pixels around its place.
    far = [np.abs(truth[row, column, 1:] - (a, b)).max() for row, column, a, b in examples.hints[5]]
    assert np.median(far) < 5
    assert colour_photos.load_hinted_photos(data_dir, "validation").hints is None


def test_a_network_is_told_the_hint_where_it_is_and_how_far_to_believe_it():
    lightness = np.full((128, 128), 0.5, np.float32)
    lightness[:, 64:] = 1
    assert not colour_photos.spread([], lightness).any()
    hints = colour_photos.spread([(30, 40, 55, -22)], lightness)
    assert hints.dtype == np.float32
    assert hints[30, 40] == pytest.approx([0.5, -0.2, 1], abs=0.02)
    assert 0.3 < hints[30, 60, 2] < 1
    # Across an edge of lightness, and far away.
    assert hints[30, 70, 2] < 1e-6
    assert hints[127, 40, 2] < 1e-3


def test_hints_spread_to_what_is_near_and_alike():
    halves = np.zeros((64, 64, 3), np.float32)
    halves[:, :32], halves[:, 32:] = 0.3, 0.8
    answer = cielab.rgb_to_lab(
        colour_photos.spread_hints(halves, [(32, 10, 40, 0), (32, 50, 0, -40)])
    )
    assert answer[32, 14, 1] > 25
    assert abs(answer[32, 14, 2]) < 10
    assert answer[32, 46, 2] < -25


# Paint.


def test_strength_and_own_colours_are_obeyed():
    image = photo()
    network = Known(lambda image: np.clip(1 - image, 0, 1))
    solve = paint.TASK.solve
    assert np.allclose(solve(network, image, 0.0, None), image, atol=1e-6)
    whole = solve(network, image, 1.0, None)
    assert np.allclose(solve(network, image, 0.5, None), (image + whole) / 2, atol=1e-5)
    own = paint.TASK.touches["own-colours"].apply(image, whole)
    own, painted, given = (cielab.rgb_to_lab(each) for each in (own, whole, image))
    inside = (own[..., 0] > 30) & (own[..., 0] < 70)  # Where the screen can show the colours.
    assert np.abs(own - painted)[inside][:, 0].mean() < 2
    assert np.abs(own - given)[inside][:, 1:].mean() < 5


def test_strokes_are_the_network_s_and_colours_those_of_monet():
    image = photo() * np.float32(0.5) + np.float32(0.25)
    # It answers without the grain that it is given.
    answer = np.pad(image[..., ::-1], [(paint.MARGIN, paint.MARGIN)] * 2 + [(0, 0)])[None]
    painted = paint.TASK.solve(Known(lambda image: answer), image, 1.0, None)
    light, colours, answer = (
        cielab.rgb_to_lab(each) for each in (image[..., ::-1], paint.reinhard(image, 1.0), painted)
    )
    assert np.abs(answer - light)[..., 0].mean() < 2
    assert np.abs(answer - colours)[..., 1:].mean() < 2


@pytest.mark.parametrize("shape", [(1, 1), (30, 50), (900, 1100)])
def test_a_painting_has_the_size_of_the_photo(shape: tuple[int, int]):
    network = Known(lambda image: image, multiple=8)
    answer = paint.TASK.solve(network, photo(*shape), None, None)
    assert answer.shape == (*shape, 3)
    height, width = network.seen[0]["image"][1:3]
    assert height % 8 == width % 8 == 0
    assert height * width < 700 * 700


def test_a_painting_is_the_same_in_one_step_or_two():
    network = Known(lambda image: image[:, ::-1], channels=3, multiple=4)
    both = paint.soft(network, photo())
    kept = both.copy()
    for hint in (None, 0.0, 0.4, 1.0):
        whole = paint.solve(network, photo(), hint)
        np.testing.assert_allclose(paint.decide(both, hint), whole, atol=1e-6)
    np.testing.assert_array_equal(both, kept)


def test_a_photo_is_given_grain_that_is_grey_and_always_the_same():
    seen = []
    network = Known(lambda image: seen.append(image) or image, multiple=4)
    flat = np.full((400, 300, 3), 0.5, np.float32)
    for _ in range(2):
        paint.solve(network, flat)
    first, again = seen
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[..., 0], first[..., 2])
    assert first.mean() == pytest.approx(0.5, abs=0.001)
    assert first.std() == pytest.approx(paint.GRAIN, rel=0.02)


def test_reinhard_brings_the_mean_of_monet():
    mean, _ = cielab.statistics(paint.reinhard(photo(100, 100) * 0.5 + 0.25, 1.0))
    # Colours that no screen can show are clipped.
    assert mean == pytest.approx(paint.MONET[0], abs=2)


# Listen.


def tone(seconds: float = 1.5) -> np.ndarray:
    time = np.arange(int(seconds * audio.RATE)) / audio.RATE
    return (0.4 * np.sin(2 * np.pi * 500 * time)).astype(np.float32)


@pytest.mark.parametrize("length", [500, 8000, 12_345, 60 * 8000])
def test_a_mask_of_ones_changes_nothing_and_of_zeros_leaves_silence(length: int):
    samples = np.resize(tone(), length)
    whole = denoise_speech.solve(Known(lambda image: np.ones_like(image)), samples, None, None)
    assert whole.shape == samples.shape
    # The last samples may lie beyond the last whole frame.
    assert np.abs(whole - samples)[: length - 64].max() < 1e-3
    nothing = Known(lambda image: np.zeros_like(image))
    assert not denoise_speech.solve(nothing, samples, None, None).any()
    half = denoise_speech.solve(nothing, samples, 0.5, None)
    assert np.abs(half - whole / 2).max() < 1e-3
    assert all(shape["image"][2] % 16 == 0 for shape in nothing.seen)


def test_silence_stays_silence_without_asking_the_network():
    network = Known(lambda image: np.ones_like(image))
    assert not denoise_speech.solve(network, np.zeros(4000, np.float32), None, None).any()
    assert not network.seen


def test_a_recording_of_any_rate_comes_back_at_its_rate_and_length():
    given = audio.Recording(audio.resampled(tone(), 8000, 44_100)[:66_001], 44_100)
    answer = at_rate_of(given, 8000, lambda samples: samples)
    assert (answer.rate, answer.samples.shape) == (44_100, (66_001,))
    inside = slice(2000, -2000)
    assert np.abs(answer.samples - given.samples)[inside].max() < 0.02


@pytest.mark.parametrize("kind", denoise_speech.NOISES.values(), ids=lambda kind: kind.name)
def test_a_louder_noise_is_the_same_noise(kind):
    clean = tone()
    quiet, loud = (
        kind.corrupt(clean, strength, np.random.default_rng(5)) - clean for strength in (0.2, 0.8)
    )
    assert np.allclose(loud, 4 * quiet, atol=1e-4)
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(0.8 * np.sqrt(np.mean(clean**2)), rel=1e-3)
    assert np.allclose(kind.corrupt(clean, 0, rng()), clean)


def voices() -> Voices:
    digits = [(tone(0.3 + 0.1 * k) * 20_000).astype(np.int16) for k in range(4)]
    noises = [(rng().standard_normal(9000) * 3000).astype(np.int16)]
    return Voices(digits, labels=np.array([0, 0, 1, 1]), noises=noises)


def test_the_target_of_a_batch_is_the_clean_spectrum_turned_to_the_noisy_one():
    pictures, target = denoise_speech.batch(voices(), np.arange(4), Settings(), rng())
    assert pictures.shape == (4, 128, 128, 1)
    assert target.shape == (4, 128, 128, 3)
    assert np.allclose(pictures[..., 0], denoise_speech.to_picture(target[..., 0]), atol=1e-5)
    assert (target[..., 2] >= 0).all()
    # Some of what is heard is noise.
    assert (np.square(target[..., 0]).sum() > np.square(target[..., 1:]).sum() * 0.9).all()


def test_the_fixed_mixtures_are_as_noisy_as_published(data_dir: Path):
    """The mean over them was measured when they were made: 5.01 dB."""
    pairs = denoise_speech.load(data_dir, "test")
    assert len(pairs) == 120
    scores = [audio.si_sdr(*pair) for pair in zip(pairs.targets, pairs.inputs, strict=True)]
    assert np.mean(scores) == pytest.approx(5.01, abs=0.02)


@pytest.mark.parametrize("task", PICTURES, ids=lambda task: task.name)
def test_data_that_are_not_there_are_a_sentence(task, tmp_path: Path):
    for data in task.data.values():
        with pytest.raises(OSError, match="DENOISE_DATA_DIR"):
            data.load(None, "train")
        with pytest.raises(OSError, match=r"no |No "):
            data.load(tmp_path, "train")


def test_back_projection_is_told_nothing_but_the_picture():
    image = photo(16, 16)
    answer = upscale_photos.TASKS[0].baselines["bicubic"].run(image, None, None)
    assert np.allclose(answer, np.clip(enlarged(image, 2), 0, 1))


@pytest.mark.parametrize(
    ("kind", "answer", "wanted"),
    [
        ("instances", np.array([[0, 300], [2, 0]]), [[0, 300], [2, 0]]),
        ("instances", np.array([[False, True], [True, False]]), [[0, 255], [255, 0]]),
        ("mask", np.float32([[[0.4], [0.6]], [[0.0], [1.0]]]), [[0, 255], [0, 255]]),
        ("classes", np.array([[0, 1], [1, 0]]), [[0, 1], [1, 0]]),
    ],
)
def test_an_answer_is_read_from_its_file_again(kind: str, answer: np.ndarray, wanted: list):
    file = as_png(Signal(kind, colours=("#000000", "#ff8000")), answer)
    with Image.open(io.BytesIO(file)) as picture:
        assert np.array_equal(np.asarray(picture), wanted)
