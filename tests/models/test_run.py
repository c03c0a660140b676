"""``python -m models run``: every job on files, and on what is not what the job is for."""

import numpy as np
import pytest
from PIL import Image

from imaging.audio import read_audio, wav
from models import __main__ as command_line
from tests.command_lines import assert_refused
from tests.recordings import NO_RECORDINGS, beeps

PICTURE_MODELS = (
    *("cells", "roads", "streets", "segment-digits-small", "upscale-2", "upscale-digits-small"),
    *("colour-faces", "colour", "colour-digits-small", "monet"),
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
