"""``python -m models run``: every job on files, and on what is not what the job is for."""

import numpy as np
import pytest
from PIL import Image

from imaging.audio import read_audio, wav
from models import __main__ as command_line
from models.tasks import TASKS
from tests.command_lines import assert_refused
from tests.recordings import NO_RECORDINGS, beeps

PICTURE_MODELS = (
    *("cells", "roads", "streets", "segment-digits-small", "upscale-2", "upscale-digits-small"),
    *("colour-faces", "colour", "colour-digits-small", "monet", "photo"),
)


@pytest.fixture
def run(capsys):
    """Run the command; returns (exit status, stdout, stderr)."""

    def run(*arguments):
        status = command_line.main(["run", *(str(argument) for argument in arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("model", PICTURE_MODELS)
@pytest.mark.parametrize("size", [(1, 1), (300, 2)])
def test_a_pixel_and_a_sliver_become_pictures_of_their_size(run, tmp_path, model, size):
    Image.new("RGB", size, (90, 90, 90)).save(tmp_path / "in.png")
    status, _, err = run(tmp_path / "in.png", tmp_path / "out.png", "--model", model)
    assert (status, err) == (0, "")
    times = 2 if model.startswith("upscale") else 1
    with Image.open(tmp_path / "out.png") as out:
        assert out.size == (times * size[0], times * size[1])


@pytest.mark.parametrize("model", ["photo", "unet", "dense"])
def test_networks_that_denoise_answer_as_to_denoise(run, tmp_path, capsys, model, rng):
    noisy = np.clip(rng.normal(120, 40, (28, 28)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).convert("RGB").save(tmp_path / "in.png")
    assert run(tmp_path / "in.png", tmp_path / "run.png", "--model", model)[0] == 0
    arguments = ["denoise", str(tmp_path / "in.png"), str(tmp_path / "denoise.png")]
    assert command_line.main([*arguments, "--model", model]) == 0
    with Image.open(tmp_path / "run.png") as one, Image.open(tmp_path / "denoise.png") as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))
        assert 20 < np.asarray(one).mean() < 200


@pytest.mark.parametrize("hint", ["-1", "76", "nan"])
def test_a_hint_that_is_not_on_the_slider_is_refused_as_the_slider_shows_it(run, tmp_path, hint):
    Image.new("RGB", (8, 8)).save(tmp_path / "in.png")
    outcome = run(tmp_path / "in.png", tmp_path / "out.png", "--model", "photo", "--hint", hint)
    assert_refused(outcome, f"Noise level goes from 0 to 75, got {hint}")


def test_the_hint_of_a_denoiser_is_the_level(run, tmp_path, rng):
    noisy = np.clip(rng.normal(120, 40, (64, 64, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "in.png")
    kept = {}
    for level in ("0", "75"):
        out = tmp_path / f"{level}.png"
        assert run(tmp_path / "in.png", out, "--model", "photo", "--hint", level)[0] == 0
        with Image.open(out) as answer:
            kept[level] = np.asarray(answer).std()
    assert kept["0"] > 2 * kept["75"]


def test_pictures_of_a_folder_whose_names_differ_in_their_ending_are_all_kept(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("x.jpg", "x.png", ".DS_Store", "notes.txt"):
        if name.startswith("x"):
            Image.new("RGB", (20, 20), (90, 90, 90)).save(folder / name)
        else:
            (folder / name).write_text("text")
    status, out, err = run(folder, tmp_path / "out", "--model", "cells")
    assert (status, err) == (0, "")
    assert "2 of 2 files" in out
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"x-jpg.png", "x-png.png"}


def test_a_folder_is_never_written_into_itself(run, tmp_path):
    Image.new("RGB", (20, 20), (90, 90, 90)).save(tmp_path / "x.png")
    before = (tmp_path / "x.png").read_bytes()
    assert_refused(run(tmp_path, tmp_path, "--model", "cells"), "holds the files themselves")
    assert (tmp_path / "x.png").read_bytes() == before


@pytest.mark.parametrize("model", ["streets", "upscale-2", "photo"])
def test_a_mask_is_only_for_models_that_find_things(run, tmp_path, model):
    Image.new("RGB", (20, 20)).save(tmp_path / "in.png")
    outcome = run(tmp_path / "in.png", tmp_path / "out.png", "--model", model, "--mask")
    assert_refused(outcome, "--mask is for models that find things")


def test_faint_nuclei_of_16_bits_are_found_as_those_of_8(run, tmp_path):
    """At a two-hundredth of the range, 8 bits would leave two levels of grey."""
    picture, _ = TASKS["segment-cells"].samples["drawn-cells"].load()
    bright = picture.mean(axis=2).astype(np.uint8)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(bright.astype(np.uint16)).save(tmp_path / "faint.png")
    counts = {}
    for name in ("bright", "faint"):
        out = tmp_path / f"{name}-out.png"
        assert run(tmp_path / f"{name}.png", out, "--model", "cells")[0] == 0
        with Image.open(out) as answer:
            counts[name] = np.asarray(answer).max()
    assert counts["bright"] > 10
    assert counts["faint"] == counts["bright"]


def test_ink_on_transparent_is_drawn_on_paper(run, tmp_path):
    ink = np.zeros((40, 40, 4), np.uint8)
    ink[10:30, 18:22, 3] = 255
    Image.fromarray(ink).save(tmp_path / "in.png")
    assert run(tmp_path / "in.png", tmp_path / "out.png", "--model", "upscale-2")[0] == 0
    with Image.open(tmp_path / "out.png") as out:
        answer = np.asarray(out)
    assert answer[:10].mean() > 240 > 60 > answer[24:56, 38:42].mean()


def test_a_picture_keeps_date_and_camera_and_stands_upright(run, tmp_path):
    exif = Image.Exif()
    exif[0x0110], exif[0x0132], exif[0x0112] = "A camera", "2026:01:02 03:04:05", 6
    Image.new("RGB", (40, 30), (200, 90, 40)).save(tmp_path / "in.jpg", exif=exif)
    assert run(tmp_path / "in.jpg", tmp_path / "out.png", "--model", "upscale-2")[0] == 0
    with Image.open(tmp_path / "out.png") as out:
        assert out.size == (60, 80)  # It was taken upright.
        kept = out.getexif()
    assert (kept[0x0110], kept[0x0132]) == ("A camera", "2026:01:02 03:04:05")
    assert kept[0x0112] == 1


@pytest.mark.parametrize("model", ["cells", "roads"])
def test_where_there_is_nothing_the_mask_is_empty(run, tmp_path, model):
    Image.new("RGB", (120, 90)).save(tmp_path / "in.png")
    assert run(tmp_path / "in.png", tmp_path / "out.png", "--model", model, "--mask")[0] == 0
    with Image.open(tmp_path / "out.png") as out:
        assert not np.asarray(out).any()


@pytest.mark.parametrize(("content", "sentence"), NO_RECORDINGS.values(), ids=NO_RECORDINGS)
def test_what_is_not_a_sound_is_refused_in_a_line(run, tmp_path, content, sentence):
    (tmp_path / "in.wav").write_bytes(content)
    outcome = run(tmp_path / "in.wav", tmp_path / "out.wav", "--model", "speech")
    assert_refused(outcome, sentence)
    assert not (tmp_path / "out.wav").exists()


def test_a_text_that_is_called_a_picture_is_refused_in_a_line(run, tmp_path):
    (tmp_path / "in.png").write_text("text")
    status, out, err = run(tmp_path / "in.png", tmp_path / "out.png", "--model", "cells")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1


def test_stereo_at_44_100_hertz_keeps_rate_and_length_and_says_what_was_mixed(run, tmp_path):
    both = np.stack([beeps(2, 44_100), beeps(2, 44_100)], axis=1)
    (tmp_path / "in.wav").write_bytes(wav(both, 44_100))
    status, out, _ = run(tmp_path / "in.wav", tmp_path / "out.wav", "--model", "speech")
    assert status == 0
    assert "Its 2 channels were mixed to one." in out
    answer = read_audio((tmp_path / "out.wav").read_bytes())
    assert (answer.rate, len(answer.samples)) == (44_100, 88_200)


def test_of_ten_minutes_the_first_is_answered_and_that_is_said(run, tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(beeps(600, 8000), 8000))
    status, out, _ = run(tmp_path / "in.wav", tmp_path / "out.wav", "--model", "speech")
    assert status == 0
    assert "Only its first 60 seconds were opened." in out


def test_clipping_is_said(run, tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(np.clip(6 * beeps(2, 8000), -1, 1), 8000))
    status, out, _ = run(tmp_path / "in.wav", tmp_path / "out.wav", "--model", "speech")
    assert status == 0
    assert "It is clipped" in out
