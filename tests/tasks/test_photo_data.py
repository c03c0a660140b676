import dataclasses

import numpy as np
import pytest
from PIL import Image

from imaging import metrics
from imaging.impulses import FILLED_LEVEL
from imaging.noise import PHOTO_NOISE_KINDS
from imaging.noise_level import estimate_level
from models.tasks.contract import Examples
from models.tasks.data_folder import data_folder
from models.tasks.denoise_photos import data
from models.tasks.denoise_photos.data import (
    LEVEL_ERROR,
    degrade_photos,
    held_out_pairs,
    load_pairs,
    load_photos,
    random_crop,
)
from tests.train.made_photos import (
    CAMERA_SIGMA,
    CROPS,
    SCENES,
    made_photo,
    make_pairs,
    make_photos,
)
from train.config import Noise, TrainConfig
from train.fit.data import Batches, split
from train.recipes import RECIPES

CONFIG = TrainConfig(
    "residual-unet",
    {"channels": 3, "filters": [4, 4], "blocks": 1},
    task="denoise-photos",
    data="photos",
    noise=(Noise("gaussian", 0.0, 0.3, 3.0), Noise("salt-and-pepper", 0.1, 0.2)),
    loss="mae",
    batch=6,
    crop=32,
    epoch_batches=4,
    seed=3,
)
CAMERA = dataclasses.replace(CONFIG, data="polyu")
COUNT = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ``COUNT`` photos and pairs of camera noise."""
    folder = tmp_path_factory.mktemp("data")
    make_photos(folder, COUNT)
    return make_pairs(folder)


@pytest.fixture(autouse=True)
def looked_for(folder, monkeypatch):
    forget()
    monkeypatch.setenv("DENOISE_DATA_DIR", str(folder))
    yield
    forget()


def forget() -> None:
    """Let every test read the files for itself."""
    for cached in (load_photos, load_pairs, data._levels_of_pairs):
        cached.cache_clear()


def same(one, other) -> bool:
    """Whether two batches ``((noisy, level), clean)`` are the same."""
    (noisy, level), clean = one
    (other_noisy, other_level), other_clean = other
    pairs = ((noisy, other_noisy), (level, other_level), (clean, other_clean))
    return all(np.array_equal(a, b) for a, b in pairs)


def only(kind, low=0.0) -> TrainConfig:
    """Return settings with one kind of noise up to the end of its slider."""
    noise = (Noise(kind, low, PHOTO_NOISE_KINDS[kind].high),)
    return dataclasses.replace(CONFIG, noise=noise)


def never(monkeypatch, *shares) -> None:
    for share in shares:
        monkeypatch.setattr(data, share, 0)


# Loading


def test_photos_come_in_the_order_of_their_names_as_8_bit_colour(folder):
    loaded = load_photos(data_folder())
    assert len(loaded) == COUNT
    for path, photo in zip(sorted((folder / "photos/train").iterdir()), loaded, strict=True):
        assert (photo.dtype, photo.shape) == (np.uint8, (150, 140, 3))
        with Image.open(path) as file:
            np.testing.assert_array_equal(photo, np.asarray(file))


def test_a_grey_photo_is_loaded_in_three_channels(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISE_DATA_DIR", str(make_photos(tmp_path, 0)))
    Image.new("L", (40, 30), 77).save(tmp_path / "photos/train/grey.jpg")
    (photo,) = load_photos(data_folder())
    assert photo.shape == (30, 40, 3)
    assert np.all(photo == 77)


@pytest.mark.parametrize("load", [load_photos, load_pairs, held_out_pairs])
def test_where_there_are_no_photos_it_says_where_they_are_looked_for(load, tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISE_DATA_DIR", str(tmp_path))
    with pytest.raises(OSError, match=r"there are no photos in .*(train|polyu)"):
        load(data_folder())
    monkeypatch.delenv("DENOISE_DATA_DIR")
    with pytest.raises(OSError, match="DENOISE_DATA_DIR"):
        load(data_folder())


def test_pairs_are_loaded_by_scene_the_truth_first():
    scenes = load_pairs(data_folder())
    assert sorted(scenes) == SCENES
    for pairs in scenes.values():
        assert len(pairs) == CROPS
        for truth, noisy in pairs:
            assert truth.shape == noisy.shape == (150, 140, 3)
            # The noise that was added, less clipping; what JPEG did to both is little.
            assert np.std(noisy.astype(float) - truth) == pytest.approx(CAMERA_SIGMA, rel=0.15)
            # The truth is the smooth one.
            assert (
                np.diff(truth.astype(int), axis=0).std()
                < 8
                < np.diff(noisy.astype(int), axis=0).std()
            )


def test_real_pairs_are_100_crops_and_each_scene_is_one(data_dir, monkeypatch):
    if not (data_dir / "polyu").is_dir():
        pytest.skip(f"needs real pairs: there is no {data_dir / 'polyu'}")
    monkeypatch.setenv("DENOISE_DATA_DIR", str(data_dir))
    monkeypatch.setattr(data, "_open", lambda path: path)
    scenes = load_pairs(data_folder())
    assert sum(map(len, scenes.values())) == 100  # Xu et al., arXiv:1804.02603.
    for scene, pairs in scenes.items():
        assert not scene.endswith("_")
        for truth, noisy in pairs:
            assert truth.is_file()
            assert truth.name.startswith(f"{scene}_")
            assert truth.name.replace("_mean", "_real") == noisy.name


# What is kept back


def test_every_25th_photo_is_kept_back():
    loaded = load_photos(data_folder())
    batches, (_, clean) = split(CONFIG)
    assert len(batches.examples.targets) == COUNT - 2
    for index, photo in enumerate(loaded):
        trained = any(np.array_equal(photo, other) for other in batches.examples.targets)
        assert trained == (index not in (0, 25))
    for photo, crop in zip((loaded[0], loaded[25]), clean, strict=True):
        # The middle 128 x 128 of 150 x 140.
        np.testing.assert_array_equal(crop, photo[11:139, 6:134].astype(np.float32) / 255)


def test_validation_is_on_the_noise_of_the_papers_unclipped_and_always_the_same(monkeypatch):
    monkeypatch.setattr(data, "VALIDATION_EVERY", 5)
    _, ((noisy, level), clean) = split(CONFIG)
    sigmas = np.float32([15, 25, 50, 15, 25, 50]) / 255
    np.testing.assert_array_equal(level, np.broadcast_to(sigmas[:, None, None, None], level.shape))
    assert level.shape == (*clean.shape[:3], 1)
    assert noisy.dtype == level.dtype == clean.dtype == np.float32
    # 49,152 values: a standard error of 0.3 %; allow four.
    np.testing.assert_allclose((noisy - clean).std(axis=(1, 2, 3)), sigmas, rtol=0.013)
    assert noisy.min() < 0 < 1 < noisy.max()
    again = split(dataclasses.replace(CONFIG, batch=2, noise=()))[1]
    assert same(((noisy, level), clean), again)
    assert not same(again, split(dataclasses.replace(CONFIG, seed=4))[1])


def test_no_scene_of_a_camera_is_trained_on_and_measured():
    scenes = load_pairs(data_folder())
    batches, (_, watched) = split(CAMERA)
    held_out = held_out_pairs(data_folder())

    def scenes_of(pictures, whole):
        return {
            name
            for name, pairs in scenes.items()
            for truth, _ in pairs
            for picture in pictures
            if np.array_equal(whole(truth), picture)
        }

    trained = scenes_of(batches.examples.targets, lambda truth: truth)
    measured = scenes_of([clean for clean, _ in held_out], lambda truth: truth / np.float32(255))
    validated = scenes_of(watched, lambda truth: truth[11:139, 6:134] / np.float32(255))
    # Every fourth is measured, of the others the first two are watched.
    assert measured == {SCENES[0], SCENES[4]}
    assert validated == {SCENES[1], SCENES[2]}
    assert trained == {SCENES[3], SCENES[5]}
    assert len(held_out) == len(batches.examples) == len(watched) == 2 * CROPS


def test_camera_noise_is_validated_at_the_level_that_is_estimated_for_the_whole_picture():
    scenes = load_pairs(data_folder())
    _, ((noisy, level), clean) = split(CAMERA)
    pairs = [pair for name in SCENES[1:3] for pair in scenes[name]]
    expected = [estimate_level(pair[1]) for pair in pairs]
    np.testing.assert_allclose(level[:, 0, 0, 0], expected, rtol=1e-6)
    assert np.ptp(level, axis=(1, 2, 3)).max() == 0
    assert (noisy - clean).std() == pytest.approx(CAMERA_SIGMA / 255, rel=0.15)


# Batches


@pytest.mark.parametrize("config", [CONFIG, CAMERA], ids=["photos", "camera"])
def test_a_batch_has_what_a_network_takes_and_answers(config):
    batches, _ = split(config)
    assert (len(batches), batches.batches_an_epoch) == (4, 4)
    for index in range(4):
        (noisy, level), clean = batches[index]
        assert noisy.shape == clean.shape == (6, 32, 32, 3)
        assert level.shape == (6, 32, 32, 1)
        assert noisy.dtype == level.dtype == clean.dtype == np.float32
        assert 0 <= clean.min() < clean.max() <= 1
        assert level.min() >= 0
        assert batches.examples_up_to(index) == 6 * (index + 1)


@pytest.mark.parametrize("config", [CONFIG, CAMERA], ids=["photos", "camera"])
def test_the_same_seed_gives_the_same_batches_and_no_two_are_alike(config):
    one, other = split(config)[0], split(config)[0]
    seen = []
    for epoch in (0, 1, 7):
        one.epoch = other.epoch = epoch
        for index in range(4):
            batch = one[index]
            assert same(batch, other[index])
            seen.append(batch[0][0].tobytes())
    assert len(set(seen)) == len(seen)
    other_seed = split(dataclasses.replace(config, seed=4))[0]
    other_seed.epoch = 7
    assert not same(one[3], other_seed[3])


@pytest.mark.parametrize("config", [CONFIG, CAMERA], ids=["photos", "camera"])
def test_a_training_that_goes_on_sees_the_batches_that_it_would_have_seen(config):
    whole, rest = split(config)[0], split(config)[0]
    whole.epoch = rest.epoch = 2
    rest.first_batch = 3
    assert len(rest) == 1
    assert same(rest[0], whole[3])


def test_crops_do_not_fit_into_a_smaller_photo_and_it_is_said(rng):
    small = [made_photo(rng), made_photo(rng, 40, 20)]
    with pytest.raises(ValueError, match=r"crops of 32 .* 20 x 40"):
        Batches(Examples(small), CONFIG)[0]
    Batches(Examples([made_photo(rng, 32, 32)]), CONFIG)[0]


# Crops


def places(height, width):
    """A picture in which each pixel says where it is: row, column, and 7."""
    picture = np.full((height, width, 3), 7, np.uint8)
    picture[..., 0], picture[..., 1] = np.indices((height, width))
    return picture


def test_a_crop_is_a_square_of_the_photo_turned_and_mirrored_in_all_ways(monkeypatch, rng):
    never(monkeypatch, "RESCALED_SHARE")
    ways, corners = set(), set()
    for _ in range(300):
        crop = np.rint(random_crop(places(20, 23), 16, rng) * 255).astype(int)
        assert crop.shape == (16, 16, 3)
        assert np.all(crop[..., 2] == 7)
        # One step along a side of the crop is one step along a side of the photo.
        down, right = crop[1, 0, :2] - crop[0, 0, :2], crop[0, 1, :2] - crop[0, 0, :2]
        rows, columns = np.indices((16, 16))[..., None]
        np.testing.assert_array_equal(crop[..., :2], crop[0, 0, :2] + rows * down + columns * right)
        ways.add((*down, *right))
        corners.add((crop[..., 0].min(), crop[..., 1].min()))
    assert len(ways) == 8
    assert corners == {(top, left) for top in range(5) for left in range(8)}


def test_half_of_the_crops_show_up_to_four_times_as_much_made_smaller(rng):
    grown = []
    for _ in range(400):
        crop = random_crop(places(100, 100), 40, rng)
        # How many rows and columns of the photo the crop covers.
        spread = np.ptp(crop[..., 0]) * 255, np.ptp(crop[..., 1]) * 255
        grown.append(np.mean(spread) / 39)
    grown = np.array(grown)
    rescaled = grown > 1.01
    # A share of 0.5, of which those of almost full size are not seen; 400 draws.
    assert rescaled.mean() == pytest.approx(0.5, abs=4 * 0.5 / 20)
    assert grown.min() > 0.99
    assert 1.9 < grown.max() <= 2.03


def test_a_photo_of_exactly_the_size_of_a_crop_is_taken_whole(rng):
    photo = made_photo(rng, 32, 32)
    for _ in range(20):
        crop = random_crop(photo, 32, rng)
        assert crop.sum() == pytest.approx((photo / 255).sum(), rel=1e-4)


# Noise


def batch_of(config, rng, count=400, side=24):
    """Return a degraded batch of soft stains, neither black nor white."""
    photo = made_photo(rng, side * 3, side * 3)
    crops = [random_crop(photo, side, rng) for _ in range(count)]
    clean = np.float32(0.3) + np.float32(0.4) * np.stack(crops)
    return degrade_photos(clean, config.noise, rng)


def rounded(pictures) -> np.ndarray:
    """Which of the pictures were clipped and have 8 bits."""
    levels = pictures * 255
    return np.abs(levels - np.rint(levels)).max(axis=(1, 2, 3)) < 1e-3


def is_grey(pictures) -> np.ndarray:
    return np.ptp(pictures, axis=3).max(axis=(1, 2)) == 0


def test_the_level_of_gaussian_noise_is_what_was_drawn(rng, monkeypatch):
    never(monkeypatch, "CLIPPED_SHARE", "GREY_SHARE")
    (noisy, level), clean = batch_of(only("gaussian"), rng)
    assert np.ptp(level, axis=(1, 2, 3)).max() == 0
    told = level[:, 0, 0, 0]
    # 1,728 values: a standard error of 1.7 %; allow five, as there are 400 pictures.
    np.testing.assert_allclose((noisy - clean).std(axis=(1, 2, 3)), told, rtol=0.085)
    assert noisy.min() < 0 < 1 < noisy.max()
    # Evenly between 0 and 75/255.
    assert np.histogram(told, 3, (0, 75 / 255))[0].min() > 400 / 3 - 4 * (400 * 2 / 9) ** 0.5


@pytest.mark.parametrize("kind", LEVEL_ERROR)
def test_the_level_of_other_noise_is_about_what_it_did(kind, rng, monkeypatch):
    never(monkeypatch, "MARKED_SHARE")
    low, high = LEVEL_ERROR[kind]
    (noisy, level), clean = batch_of(only(kind, low=PHOTO_NOISE_KINDS[kind].high / 2), rng, 100)
    did = np.array([metrics.rms(a, b) for a, b in zip(clean, noisy, strict=True)])
    share = level[:, 0, 0, 0] / did
    assert share.min() >= low - 1e-5
    assert share.max() <= high + 1e-5
    # All of the range is met.
    assert np.ptp(share) > 0.9 * (high - low)


def test_every_kind_of_noise_on_the_page_but_gaussian_has_a_level_that_is_uncertain():
    assert set(LEVEL_ERROR) | {"gaussian"} == set(PHOTO_NOISE_KINDS)


def test_some_noisy_pictures_were_clipped_and_rounded_and_others_not(rng):
    (noisy, _), _ = batch_of(only("gaussian", low=0.05), rng)
    # Four standard errors of a share of 0.4 of 400.
    assert rounded(noisy).mean() == pytest.approx(0.4, abs=4 * (0.24 / 400) ** 0.5)
    assert noisy[rounded(noisy)].min() == 0
    assert noisy[rounded(noisy)].max() == 1


def test_some_pictures_are_grey_and_their_noise_too(rng):
    (noisy, _), clean = batch_of(only("gaussian", low=0.05), rng)
    assert is_grey(clean).mean() == pytest.approx(0.1, abs=4 * (0.09 / 400) ** 0.5)
    np.testing.assert_array_equal(is_grey(noisy), is_grey(clean))


def test_the_pictures_that_are_given_stay_as_they_are(rng):
    clean = np.stack([random_crop(made_photo(rng), 32, rng) for _ in range(30)])
    before = clean.copy()
    degrade_photos(clean, CONFIG.noise, rng)
    np.testing.assert_array_equal(clean, before)


def test_lost_pixels_are_filled_in_and_marked_on_the_map(rng, monkeypatch):
    never(monkeypatch, "MIXED_SHARE", "GREY_SHARE")
    monkeypatch.setattr(data, "MARKED_SHARE", 1)
    (noisy, level), clean = batch_of(only("salt-and-pepper", low=0.05), rng, 50)
    assert set(np.unique(level)) == {0, np.float32(FILLED_LEVEL)}
    kept = level[..., 0] == 0
    assert 0.4 < kept.mean() < 0.95
    # All but the rare pixel that was taken for a part of a white or black area.
    off = np.abs(noisy - clean).max(axis=3)
    assert np.quantile(off[kept], 0.995) < 0.5 / 255 + 1e-6
    assert metrics.rms(clean[~kept], noisy[~kept]) < 0.05


def test_some_pictures_with_lost_pixels_have_other_noise_too(rng, monkeypatch):
    monkeypatch.setattr(data, "MARKED_SHARE", 1)
    (noisy, level), clean = batch_of(only("salt-and-pepper", low=0.05), rng)
    lowest = level.min(axis=(1, 2, 3))
    mixed = lowest > 0
    assert mixed.mean() == pytest.approx(0.3, abs=4 * (0.21 / 400) ** 0.5)
    kept = level[..., 0] == lowest[:, None, None]
    off = [metrics.rms(a[k], b[k]) for a, b, k in zip(clean, noisy, kept, strict=True)]
    # Of so small a picture one missed pixel counts much: the median of all is not moved by it.
    assert np.median(np.array(off)[mixed] / lowest[mixed]) == pytest.approx(1, rel=0.05)


def test_kinds_of_noise_are_drawn_by_their_shares(rng, monkeypatch):
    never(monkeypatch, "CLIPPED_SHARE", "GREY_SHARE", "MIXED_SHARE")
    (noisy, _), clean = batch_of(CONFIG, rng)
    # Salt and pepper leaves most pixels as they are; its share is 1 of 4.
    untouched = np.isclose(noisy, clean, atol=0.51 / 255).mean(axis=(1, 2, 3)) > 0.5
    assert untouched.mean() == pytest.approx(0.25, abs=4 * (0.1875 / 400) ** 0.5)


def test_the_recipe_for_photos_trains_on_every_noise_of_the_page_over_its_slider():
    ranges = {}
    for entry in RECIPES["photo"].config.noise:
        ranges[entry.kind] = max(entry.high, ranges.get(entry.kind, 0))
    for name, kind in PHOTO_NOISE_KINDS.items():
        assert ranges[name] == pytest.approx(kind.high)


# Camera noise


def test_most_crops_of_a_camera_are_of_its_own_pairs(rng, monkeypatch):
    never(monkeypatch, "GREY_SHARE")
    config = dataclasses.replace(CAMERA, batch=200, noise=(Noise("gaussian", 0.2, 0.3),))
    batches, _ = split(config)
    (noisy, level), clean = batches[0]
    errors = (noisy - clean).std(axis=(1, 2, 3))
    own = errors < 0.1
    assert own.mean() == pytest.approx(0.8, abs=4 * (0.16 / 200) ** 0.5)
    # Of own pairs the noise is the camera's, seen at the same place: no structure in it.
    assert errors[own].mean() == pytest.approx(CAMERA_SIGMA / 255, rel=0.15)
    assert np.all(rounded(noisy)[own])
    low, high = LEVEL_ERROR["poisson"]
    levels = level[own, 0, 0, 0]
    assert (
        min(batches.examples.labels) * low
        <= levels.min()
        < levels.max()
        <= max(batches.examples.labels) * high
    )
    # An estimate with its own error.
    assert (
        levels.min()
        < 0.8 * min(batches.examples.labels)
        < 1.2 * max(batches.examples.labels)
        < levels.max()
    )
    # The others have the noise of the settings.
    assert level[~own].min() >= 0.2


def test_crops_of_a_pair_are_cut_from_the_same_place():
    truth = places(100, 100)
    noisy = truth.copy()
    noisy[..., 2] = 200
    config = dataclasses.replace(CAMERA, batch=50, noise=(Noise("gaussian", 0.0, 0.0),))
    batches = Batches(Examples([truth], [noisy], np.float32([0.1])), config)
    (seen, _), clean = batches[0]
    own = seen[..., 2].mean(axis=(1, 2)) > 0.5
    assert own.any()
    np.testing.assert_array_equal(seen[own][..., :2], clean[own][..., :2])
