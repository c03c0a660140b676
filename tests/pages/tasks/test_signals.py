"""What the page of more jobs takes from browsers: hints and recordings; and how sound is shown."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from imaging.audio import LARGEST_FILE
from imaging.cielab import rgb_to_lab
from models.tasks.denoise_speech import TASK
from pages.components.tasks import audio, hint_pad
from pages.components.tasks.hear import heard_text


def test_hints_of_another_picture_are_forgotten():
    sent = {"name": "cat", "dots": [[0.5, 0.25, 3]]}
    assert hint_pad.read_dots(sent, "cat") == [[0.5, 0.25, 3]]
    assert hint_pad.read_dots(sent, "dog") == []


def test_a_hint_that_comes_with_another_picture_is_kept_for_its_own():
    dots = {"cat": [[0.5, 0.25, 3]], "dog": []}
    both = [[0.5, 0.25, 3], [0.1, 0.2, 4]]
    hint_pad.keep_dots(dots, {"name": "cat 0", "dots": both})
    assert dots == {"cat": both, "dog": []}


def test_hints_of_a_picture_that_was_never_shown_are_not_kept():
    dots = {"cat": []}
    hint_pad.keep_dots(dots, {"name": "dog 0", "dots": [[0.5, 0.25, 3]]})
    hint_pad.keep_dots(dots, None)
    assert dots == {"cat": []}


def test_what_a_pad_says_of_hints_that_were_reset_does_not_bring_them_back(monkeypatch):
    monkeypatch.setattr(hint_pad.st, "session_state", {"tasks_hints_round": 1})
    dots = {"cat": []}
    hint_pad.keep_dots(dots, {"name": "cat 0", "dots": [[0.5, 0.25, 3]]})
    assert dots == {"cat": []}


NO_DOTS = [
    [0.5],
    [0.5, 0.5, 99],
    [-1, 0, 0],
    [1, 0, 0],
    [0, float("nan"), 0],
    ["x", 0, 0],
    None,
    3,
    [0, 0, 0.5],
]


@pytest.mark.parametrize("dot", NO_DOTS)
def test_a_hint_that_makes_no_sense_is_left_out(dot: object):
    good = [0.1, 0.2, 0]
    assert hint_pad.read_dots({"name": "cat", "dots": [dot, good]}, "cat") == [good]


@pytest.mark.parametrize("sent", [None, 5, "cat", {"name": "cat"}, {"name": "cat", "dots": "x"}])
def test_a_message_that_is_none_is_no_hint(sent: object):
    assert hint_pad.read_dots(sent, "cat") == []


@pytest.mark.parametrize("dots", [[], [[0.412, 0.25, 3], [0, 0.999, 11]]])
def test_hints_in_a_link_are_those_that_were_clicked(dots):
    assert hint_pad.dots_from_text(hint_pad.dots_to_text(dots)) == dots


def test_a_hint_at_the_very_edge_stays_within_the_picture():
    (dot,) = hint_pad.read_dots({"name": "cat", "dots": [[0.9999, 0.0001, 0]]}, "cat")
    assert dot == [0.999, 0, 0]


@pytest.mark.parametrize(
    "text", ["1", "1.2", "1.2.3_", "1.2.99", "1000.2.3", "-1.2.3", "a.b.c", f"1.{5000 * chr(57)}.3"]
)
def test_hints_in_a_damaged_link_are_refused_in_a_sentence(text):
    with pytest.raises(ValueError, match="The hints of colour in the link are damaged"):
        hint_pad.dots_from_text(text)


@pytest.mark.parametrize(
    ("words", "text"), [(1, "7 (98 %)"), (12, "7 (98 %)"), (13, "… (the first 12 words)")]
)
def test_words_that_are_not_listened_to_are_said(words, text):
    said = heard_text([(7, 0.98)] * words).replace("\xa0", " ")
    assert said.endswith(text)
    assert said.count("7") == min(words, 12)


def test_only_so_many_hints_are_taken():
    dots = [[0.5, 0.5, 0]] * 1000
    assert len(hint_pad.read_dots({"name": "cat", "dots": dots}, "cat")) == hint_pad.MOST_HINTS


def test_the_palette_is_what_it_is_called():
    ab = dict(zip(hint_pad.PALETTE, hint_pad.palette_ab(), strict=True))
    assert ab["Red"][0] > 30
    assert ab["Leaf green"][0] < -15
    assert ab["Deep blue"][1] < -30
    assert ab["Yellow"][1] > 50
    assert ab["Grey"] == pytest.approx((0, 0), abs=0.01)
    skin = rgb_to_lab(np.array([[[224, 172, 139]]]) / 255)[0, 0, 1:]
    assert ab["Skin"] == pytest.approx(tuple(skin), abs=1e-3)


def test_a_tone_is_a_bright_line_at_its_height():
    time = np.arange(16_000) / 8000
    picture = audio.spectrogram(np.sin(2 * np.pi * 1000 * time).astype(np.float32), 1.0)
    assert picture.shape == (128, 251)
    column = picture[:, 125]
    row = np.flatnonzero(column == column.max()).mean()
    # 1 kHz is a quarter of 4 kHz from below.
    assert row == pytest.approx(127 - 32, abs=0.6)


def test_a_long_recording_is_a_picture_of_bounded_width():
    minute = np.ones(60 * 8000, np.float32)
    assert audio.spectrogram(minute, 1.0).shape == (128, audio.WIDEST)


def test_the_largest_file_is_one_number_with_the_uploader():
    config = tomllib.loads(Path(".streamlit/config.toml").read_text())
    assert config["server"]["maxUploadSize"] == LARGEST_FILE // 1_000_000


def test_samples_are_short_enough_to_be_sent():
    for sample in TASK.samples.values():
        assert len(sample.load()[0]) < 4 * TASK.input.rate
