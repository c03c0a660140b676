import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from onnx import helper

from imaging import metrics
from imaging.impulses import FILLED_LEVEL
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from imaging.pixels import to_image, to_pixels
from imaging.samples.photo_samples import PHOTO_SAMPLES
from imaging.specialists import SPECIALISTS, switching
from imaging.strips import corrupt_pixels
from models import session as sessions
from models.catalogue import ModelError, find_card, load_catalogue
from models.predictor import Predictor, load_predictor
from models.session import open_large, open_small, run_session
from models.tasks.denoise_photos import TASK
from models.tasks.denoise_photos.solve import STRONGEST, level_of, solve
from models.tiles import TILE_PIXELS
from tests.models.networks import identity, ship
from tests.models.photo_networks import average, minus_level, network, smoother, tinted

pytestmark = pytest.mark.slow

FOR_PHOTOS = {"task": "denoise-photos", "size": 0, "channels": 3, "multiple": 16}
SHIPPED = [card for card in load_catalogue().values() if card.task == "denoise-photos"]
SIZES = [(1, 1), (7, 5), (1, 40), (641, 333)]
SIGMA = 25 / 255
TILE = 192**2  # Small tiles, so that small pictures have many.

every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_type = pytest.mark.parametrize("dtype", [np.uint8, np.float32])
every_flat = pytest.mark.parametrize(
    ("size", "grey"),
    [((1, 1), 128), ((7, 5), 220), ((1, 40), 30), ((64, 64), 128), ((641, 333), 220)],
    ids=str,
)
every_channels = pytest.mark.parametrize("channels", [1, 3])


def load(folder, name, made, multiple=16) -> Predictor:
    return load_predictor(ship(folder, name, made, **FOR_PHOTOS | {"multiple": multiple}))


@pytest.fixture(scope="module", params=["smoother", *(card.name for card in SHIPPED)])
def denoiser(request, tmp_path_factory) -> Predictor:
    """A network made by hand, and each that ships."""
    for card in SHIPPED:
        if card.name == request.param:
            return load_predictor(card)
    return load(tmp_path_factory.mktemp("models"), "smoother", smoother())


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    """A photo ``(300, 451, 3)`` with noise, clipped and rounded to 8 bits as on the page."""
    clean = PHOTO_SAMPLES["cat"].load()
    noise = np.random.default_rng(1).normal(0, 25, clean.shape)
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def noise_of(size, channels, dtype, rng) -> np.ndarray:
    pixels = rng.integers(0, 256, (*size, channels), dtype=np.uint8)
    return pixels if dtype == np.uint8 else pixels.astype(np.float32) / 255


# The contract, for every network


@every_size
@every_type
@every_channels
def test_any_size_comes_back_in_its_shape_and_type(denoiser, size, dtype, channels, rng):
    noisy = noise_of(size, channels, dtype, rng)
    before = noisy.copy()
    denoised = denoiser.predict(noisy, SIGMA)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == dtype
    assert 0 <= denoised.min() <= denoised.max() <= (255 if dtype == np.uint8 else 1)
    np.testing.assert_array_equal(noisy, before)


@every_flat
@every_channels
def test_flat_grey_stays_what_it_is(denoiser, size, grey, channels):
    flat = np.full((*size, channels), grey, np.uint8)
    # It is seen to have no noise.
    np.testing.assert_array_equal(solve(denoiser.network, flat, tile_pixels=TILE), flat)


@every_flat
def test_seams_and_edges_are_not_seen_on_flat_grey(denoiser, size, grey):
    def denoised(height, width, **settings):
        flat = np.full((height, width, 1), grey / 255, np.float32)
        return solve(denoiser.network, flat, 5 / 255, **settings)

    # Told of noise that is not there, a network may be a little wrong, but everywhere in the same
    # way: what it makes of 16 x 16 pixels in the midst of a large picture is repeated.
    middle = denoised(272, 272)[128:144, 128:144]
    expected = np.tile(middle, (size[0] // 16 + 1, size[1] // 16 + 1, 1))[: size[0], : size[1]]
    # Measured: at most 1.3 levels, in a twentieth of a percent of the pixels at an edge.
    np.testing.assert_allclose(denoised(*size, tile_pixels=TILE), expected, atol=1.5 / 255)


def test_noisy_grey_keeps_its_brightness(denoiser, rng):
    noisy = np.rint(rng.normal(128, 25, (200, 200, 1))).astype(np.uint8)
    denoised = denoiser.predict(noisy, SIGMA)
    assert denoised.mean() == pytest.approx(noisy.mean(), abs=1)
    assert denoised.std() < noisy.std()


def test_a_picture_in_tiles_is_the_one_in_one_piece(denoiser, noisy):
    tiles = []
    in_tiles = solve(
        denoiser.network,
        noisy,
        SIGMA,
        watch=lambda done, total: tiles.append(total),
        tile_pixels=TILE,
    )
    whole = denoiser.predict(noisy, SIGMA)
    assert tiles[-1] >= 8
    assert np.abs(in_tiles.astype(int) - whole).max() <= 2


@pytest.mark.parametrize("sigma", [0, SIGMA, None])
def test_grey_in_three_channels_gets_no_colour_and_is_that_in_one(denoiser, noisy, sigma):
    one, three = noisy[..., :1], np.repeat(noisy[..., :1], 3, axis=2)
    denoised = denoiser.predict(three, sigma)
    np.testing.assert_array_equal(denoised, np.repeat(denoised[..., :1], 3, axis=2))
    if sigma is not None:
        np.testing.assert_array_equal(denoised[..., :1], denoiser.predict(one, sigma))


@every_type
@every_channels
def test_at_level_0_the_picture_comes_back_as_it_is(denoiser, dtype, channels, rng):
    noisy = noise_of((70, 90), channels, dtype, rng)
    np.testing.assert_array_equal(denoiser.predict(noisy, 0), noisy)
    assert denoiser.predict(noisy, 0.0) is not noisy


def test_8_bits_and_floats_agree(denoiser, noisy):
    from_floats = denoiser.predict(noisy.astype(np.float32) / 255, SIGMA)
    assert np.abs(denoiser.predict(noisy, SIGMA) - 255 * from_floats).max() <= 0.5 + 1e-3


def test_it_brings_the_picture_nearer_to_the_clean_one(denoiser, noisy):
    clean = PHOTO_SAMPLES["cat"].load() / np.float32(255)
    denoised = denoiser.predict(noisy, SIGMA) / np.float32(255)
    assert metrics.psnr(clean, denoised) > metrics.psnr(clean, noisy / np.float32(255)) + 0.5


def test_without_a_level_it_is_estimated(denoiser, noisy):
    told = denoiser.predict(noisy, estimate_level(noisy))
    alone = denoiser.predict(noisy)
    # A network with a reader of its own has a level for each place, and comes to nearly the same.
    assert np.abs(alone.astype(int) - told).max() <= 4
    np.testing.assert_array_equal(denoiser.predict(noisy, hint=None), alone)
    assert not np.array_equal(told, noisy)


def test_one_denoiser_serves_several_threads_with_the_same_results(denoiser, noisy):
    parts = [noisy[top : top + 50, :200] for top in range(0, 300, 50)]
    alone = [denoiser.predict(part, SIGMA) for part in parts]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda part: denoiser.predict(part, SIGMA), parts))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_network_of_the_page_is_shipped():
    if not SHIPPED:
        pytest.skip("there is no models/pretrained/photo yet")
    assert "photo" in {card.name for card in SHIPPED}


# What the network is told


def test_the_level_reaches_every_pixel_in_units_of_the_full_range(tmp_path, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    grey = np.full((50, 70, 3), 0.75, np.float32)
    np.testing.assert_allclose(denoiser.predict(grey, 0.25), 0.5, atol=1e-6)
    assert np.all(denoiser.predict(np.full((50, 70, 1), 153, np.uint8), 0.2) == 102)


@pytest.mark.parametrize("sigma", [STRONGEST, 0.7, 10, float("inf")])
def test_a_level_above_those_trained_is_told_as_the_strongest(tmp_path, sigma):
    denoiser = load(tmp_path, "minus", minus_level())
    white = np.ones((20, 20, 1), np.float32)
    np.testing.assert_allclose(denoiser.predict(white, sigma), 1 - STRONGEST, atol=1e-6)


# Lost pixels


def with_lost_pixels(clean, rng, share=0.1):
    """Half of the lost pixels are white, half black; also return where they are."""
    lost = rng.random(clean.shape[:2]) < share
    values = rng.integers(2, size=clean.shape[:2])[..., np.newaxis].astype(np.float32)
    return np.where(lost[..., np.newaxis], values, clean), lost


@every_channels
def test_lost_pixels_are_filled_in_and_told_and_the_others_kept(tmp_path, channels, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    clean = np.full((100, 90, channels), 0.5, np.float32)
    noisy, lost = with_lost_pixels(clean, rng)
    denoised = denoiser.predict(noisy, metrics.rms(clean, noisy))
    np.testing.assert_array_equal(denoised[~lost], 0.5)
    np.testing.assert_allclose(denoised[lost], 0.5 - FILLED_LEVEL, atol=1e-3)


@pytest.mark.parametrize("estimated", [False, True])
def test_beside_lost_pixels_other_noise_is_told_too(tmp_path, estimated, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    clean = np.full((200, 200, 3), 0.5, np.float32)
    even = clean + 0.1 * rng.standard_normal(clean.shape, np.float32)
    noisy, lost = with_lost_pixels(even, rng)
    sigma = None if estimated else metrics.rms(clean, noisy)
    taken = even - denoiser.predict(noisy, sigma)
    assert taken[~lost].mean() == pytest.approx(0.1, rel=0.1)
    assert taken[lost].mean() == pytest.approx(np.hypot(0.1, FILLED_LEVEL), rel=0.1)


@pytest.mark.parametrize("paper", [0.8, 0.92, 0.96])
def test_lost_pixels_on_even_paper_are_filled_in_however_strong_they_look(tmp_path, paper, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    page = np.full((200, 240, 3), paper, np.float32)
    page[20::40, 10:-10] = page[21::40, 10:-10] = 0.08  # Lines on it.
    noisy, lost = with_lost_pixels(page, rng, 0.02)
    denoised = denoiser.predict(noisy)
    np.testing.assert_array_equal(denoised[~lost], page[~lost])
    assert metrics.psnr(page, denoised) > metrics.psnr(page, noisy) + 5


def test_more_than_lost_pixels_account_for_smooths_the_others(tmp_path, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    clean = np.full((100, 90, 3), 0.5, np.float32)
    noisy, lost = with_lost_pixels(clean, rng)
    levels = [0.5 - denoiser.predict(noisy, sigma)[~lost].mean() for sigma in (0.2, 0.3, 0.4)]
    assert 0 < levels[0] < levels[1] < levels[2]


def test_noise_that_is_not_of_lost_pixels_is_told_as_it_is(tmp_path, rng):
    denoiser = load(tmp_path, "minus", minus_level())
    noisy = np.clip(0.5 + 0.2 * rng.standard_normal((100, 90, 3)), 0, 1).astype(np.float32)
    taken = noisy - denoiser.predict(noisy, 0.2)
    np.testing.assert_allclose(taken[noisy > 0.2], 0.2, atol=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
def test_the_network_fills_lost_pixels_better_than_the_filter(share, rng):
    clean = PHOTO_SAMPLES["astronaut"].load()[:256, :256].astype(np.float32) / 255
    noisy, _ = with_lost_pixels(clean, rng, share)
    denoiser = load_predictor(find_card("photo"))
    network = denoiser.predict(noisy, metrics.rms(clean, noisy))
    assert metrics.psnr(clean, network) > metrics.psnr(clean, switching(noisy, 0))


def mirrored(length: int, margin: int) -> list[int]:
    """``margin`` places before and after, and what is missing, back from the last of them."""
    there_and_back = [*range(length), *range(length - 2, 0, -1)]
    around = range(-margin, length + margin)
    places = [there_and_back[place % len(there_and_back)] for place in around]
    return places + places[-2 : -2 - (-length % 16) : -1]


@pytest.mark.parametrize(
    ("size", "margin"),
    [
        *(((height, 16), 48) for height in (1, 2, 5, 15, 16, 17)),
        ((127, 200), 48),
        ((128, 130), 16),
    ],
    ids=str,
)
def test_around_the_picture_its_mirror_image_is_shown_up_to_a_multiple(tmp_path, size, margin, rng):
    """More of it around a narrow picture, where both ends are near."""
    denoiser = load(tmp_path, "average", average())
    picture = rng.random((*size, 3), np.float32)
    rows, columns = (mirrored(length, margin) for length in size)
    assert len(rows) % 16 == len(columns) % 16 == 0
    expected = picture[rows][:, columns].mean(axis=(0, 1))
    # A sum of some thousand values in single precision.
    denoised = denoiser.predict(picture, 0.1)
    np.testing.assert_allclose(denoised, np.broadcast_to(expected, picture.shape), atol=1e-5)


def test_grey_stays_grey_whatever_the_network_does_to_colours(tmp_path):
    denoiser = load(tmp_path, "tinted", tinted())
    # Red is added and blue taken in equal parts: the mean stays.
    grey = np.full((20, 30, 1), 0.5, np.float32)
    np.testing.assert_allclose(denoiser.predict(grey, 0.2), 0.5, atol=1e-6)
    np.testing.assert_allclose(denoiser.predict(np.repeat(grey, 3, axis=2), 0.2), 0.5, atol=1e-6)
    one_pixel_apart = np.repeat(grey, 3, axis=2)
    one_pixel_apart[7, 9, 2] += 0.01
    colour = denoiser.predict(one_pixel_apart, 0.2)
    np.testing.assert_allclose(colour[0, 0], [0.7, 0.5, 0.3], atol=1e-6)


def test_tiles_begin_where_the_network_halves(tmp_path):
    """A network that halves at other pixels would answer otherwise."""
    checks = np.indices((16, 16)).sum(0)[None, ..., None] % 7 / np.float32(20)
    node = helper.make_node
    made = network(
        node("Shape", ["image"], ["shape"], start=1, end=3),
        node("Div", ["shape", "sixteen"], ["times"]),
        node("Concat", ["one", "times", "one"], ["repeats"], axis=0),
        node("Tile", ["checks", "repeats"], ["pattern"]),
        node("Add", ["image", "pattern"], ["denoised"]),
        sixteen=np.int64([16, 16]),
        one=np.int64([1]),
        checks=checks.astype(np.float32),
    )
    denoiser = load(tmp_path, "checks", made)
    black = np.zeros((400, 304, 3), np.float32)
    expected = np.tile(checks[0], (25, 19, 3))
    np.testing.assert_allclose(
        solve(denoiser.network, black, 0.1, tile_pixels=TILE), expected, atol=1e-6
    )


# Progress


def test_whoever_watches_is_told_of_every_tile_and_may_end_the_work(tmp_path):
    class Enough(Exception):
        """Raised by the watch, and by nothing else."""

    def watch(done, total):
        told.append((done, total))
        if done == stop:
            raise Enough

    denoiser, picture = load(tmp_path, "minus", minus_level()), np.zeros((280, 280, 1), np.uint8)
    told, stop = [], None
    solve(denoiser.network, picture, 0.1, watch, tile_pixels=TILE)
    assert told == [(done, 4) for done in range(5)]
    told, stop = [], 2
    with pytest.raises(Enough):
        solve(denoiser.network, picture, 0.1, watch, tile_pixels=TILE)
    assert told == [(0, 4), (1, 4), (2, 4)]


# Refusals


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 2), (5, 5, 4), (1, 5, 5, 3), (0, 5, 3)], ids=str)
def test_a_picture_of_another_shape_is_refused_with_the_shape(tmp_path, shape):
    denoiser = load(tmp_path, "minus", minus_level())
    with pytest.raises(ValueError, match="expected a picture of shape") as caught:
        denoiser.predict(np.zeros(shape, np.float32), 0.1)
    assert str(shape) in str(caught.value)


def test_pixels_of_another_type_are_refused(tmp_path):
    denoiser = load(tmp_path, "minus", minus_level())
    with pytest.raises(ValueError, match="got float64"):
        denoiser.predict(np.zeros((5, 5, 1)), 0.1)


@pytest.mark.parametrize("sigma", [-0.1, float("nan")])
def test_a_level_that_makes_no_sense_is_refused(tmp_path, sigma):
    denoiser = load(tmp_path, "minus", minus_level())
    with pytest.raises(ValueError, match=f"sigma must not be negative, got {sigma}"):
        denoiser.predict(np.zeros((5, 5, 1), np.uint8), sigma)


# Loading


def test_the_network_knows_what_its_card_says(tmp_path):
    photo = load(tmp_path, "photo", minus_level(), multiple=32)
    assert photo.task.name == "denoise-photos"
    assert (photo.network.multiple, photo.network.size, photo.network.channels) == (32, 0, 3)


def test_weights_of_digits_do_not_pass_for_those_of_photos_nor_the_reverse(tmp_path):
    with pytest.raises(ModelError, match="do not belong to its card"):
        load_predictor(ship(tmp_path, "a", identity(channels=3), **FOR_PHOTOS))
    with pytest.raises(ModelError, match="do not belong to its card"):
        load_predictor(ship(tmp_path, "b", minus_level(), channels=3))
    with pytest.raises(ModelError, match="do not belong to its card"):
        load_predictor(ship(tmp_path, "c", minus_level(), **FOR_PHOTOS | {"channels": 1}))


def test_damaged_weights_are_refused_with_the_name(tmp_path):
    card = ship(tmp_path, "photo", minus_level(), **FOR_PHOTOS)
    card.weights.write_bytes(card.weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match="weights of the model photo are damaged"):
        load_predictor(card)


def test_what_is_no_network_fails_where_it_is_loaded(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(Exception, match=r"(?i)protobuf"):
        open_large(path)


# Other visitors


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of single threads")
def test_the_threads_of_a_network_give_way_and_the_one_that_loaded_it_does_not(tmp_path):
    def threads():
        return {int(name) for name in os.listdir("/proc/self/task")}

    def priorities(some):
        for thread in some:
            with suppress(ProcessLookupError):  # One that loads is about to end.
                yield os.getpriority(os.PRIO_PROCESS, thread)

    (mine,), before = priorities([0]), threads()
    path = tmp_path / "model.onnx"
    path.write_bytes(minus_level().SerializeToString())
    session = open_large(path)
    assert set(priorities(threads() - before)) <= {max(mine, 10)}
    assert len(threads() - before) >= session.get_session_options().intra_op_num_threads - 1
    assert list(priorities([0])) == [mine]
    assert session.get_session_options().enable_cpu_mem_arena is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of single threads")
def test_whoever_asks_a_large_network_waits_asleep_while_threads_of_low_priority_work(tmp_path):
    """A caller of onnxruntime works along, and spins at the end of each layer for the others."""

    class Watched:
        def __init__(self, session):
            self._session = session
            self.priorities = []

        def __getattr__(self, name):
            return getattr(self._session, name)

        def run(self, *given):
            self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return self._session.run(*given)

    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    path = tmp_path / "model.onnx"
    path.write_bytes(minus_level().SerializeToString())
    inputs = {
        "image": np.ones((2, 8, 8, 3), np.float32),
        "level": np.full((2, 1, 1, 1), 0.25, "f4"),
    }
    for open_network, priority in ((open_large, max(mine, 10)), (open_small, mine)):
        session = Watched(open_network(path))
        (answer,) = run_session(session, ["denoised"], inputs)
        assert set(session.priorities) == {priority}
        np.testing.assert_array_equal(answer, np.full((2, 8, 8, 3), 0.75, "f4"))
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_large_networks_take_turns_as_their_threads_keep_all_processors_busy(tmp_path, monkeypatch):
    class Watched:
        def __init__(self, session):
            self._session = session

        def __getattr__(self, name):
            return getattr(self._session, name)

        def run(self, *given):
            at_work.append(1)
            most.append(len(at_work))
            time.sleep(0.02)
            at_work.pop()
            return self._session.run(*given)

    monkeypatch.setattr(sessions, "_turns", threading.BoundedSemaphore(1))
    at_work, most = [], []
    path = tmp_path / "model.onnx"
    path.write_bytes(minus_level().SerializeToString())
    session = Watched(open_large(path))
    inputs = {"image": np.ones((1, 8, 8, 3), np.float32), "level": np.ones((1, 1, 1, 1), "f4")}
    with ThreadPoolExecutor(3) as visitors:
        list(visitors.map(lambda _: run_session(session, ["denoised"], inputs), range(6)))
    assert most == [1] * 6


# The level of added noise


def test_the_level_told_of_added_noise_is_that_of_the_training(rng):
    clean = np.full((64, 64, 1), 100, np.uint8)
    noisy = clean + np.uint8(51)
    # 51 of 255 is a fifth.
    for noise in ("poisson", "speckle", "salt-and-pepper", "jpeg"):
        assert level_of(noise, 0.05, clean, noisy) == pytest.approx(0.2)
    # Not what clipping left of it.
    assert level_of("gaussian", 0.05, clean, noisy) == 0.05


@pytest.mark.parametrize(("name", "kind"), [("anscombe", "poisson"), ("log-wavelet", "speckle")])
def test_a_specialist_does_as_well_in_tiles_as_on_the_whole_picture(name, kind):
    """Dark on the left, bright on the right: no tile has the noise level of the picture."""
    photo = to_image(PHOTO_SAMPLES["astronaut"].load())
    ramp = np.linspace(0.05, 1, 1600, dtype=np.float32)[:, np.newaxis]
    clean = np.tile(photo, (1, 4, 1))[:300, :1600] * ramp
    noisy = corrupt_pixels(PHOTO_NOISE_KINDS[kind], to_pixels(clean), 0.2, 0)
    assert clean.shape[0] * clean.shape[1] > TILE_PIXELS
    sigma = metrics.rms(clean, to_image(noisy))
    tiled = TASK.baselines[name].run(noisy, sigma)
    whole = SPECIALISTS[name].denoise(to_image(noisy), sigma)
    # At the seams a tile sees less; elsewhere the two are the same.
    assert metrics.psnr(clean, to_image(tiled)) > metrics.psnr(clean, whole) - 0.05
