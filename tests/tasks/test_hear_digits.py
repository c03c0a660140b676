"""The reader of sound: where words are, what it sees of them, and what it hears in a sample."""

import dataclasses

import numpy as np
import pytest

from imaging.audio import RATE
from models.catalogue import load_catalogue
from models.predictor import load_predictor
from models.tasks import denoise_speech, hear_digits
from models.tasks.spoken_digits import Voices


def tone(seconds: float, pitch: float = 700.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def pause(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_words_are_found_where_it_is_loud_and_short_gaps_belong_to_them():
    eight = np.concatenate([tone(0.3), pause(0.06), tone(0.1)])
    sound = np.concatenate([pause(0.5), eight, pause(0.4), tone(0.25), pause(0.5)])
    (first, last), (start, end) = hear_digits.words_in(sound)
    # A window of 32 ms and a mean over 40 ms blur the edges.
    near = 0.06 * RATE
    assert (first, last) == pytest.approx((0.5 * RATE, 0.96 * RATE), abs=near)
    assert (start, end) == pytest.approx((1.36 * RATE, 1.61 * RATE), abs=near)


def test_words_are_found_above_a_hiss(rng):
    sound = np.concatenate([pause(0.6), tone(0.4), pause(0.6)])
    hiss = 0.01 * rng.standard_normal(len(sound)).astype(np.float32)
    assert len(hear_digits.words_in(sound + hiss)) == 1


@pytest.mark.parametrize("sound", [pause(0), pause(1), tone(0.01)], ids=["none", "silent", "click"])
def test_there_are_no_words_in_nothing(sound):
    assert hear_digits.words_in(sound) == []


def test_a_long_recording_has_a_bounded_number_of_words():
    sound = np.tile(np.concatenate([tone(0.3), pause(0.4)]), 40)
    assert len(hear_digits.words_in(sound)) == hear_digits.MOST_WORDS
    assert len(hear_digits.words_in(sound, 13)) == 13


def test_the_picture_of_a_word_does_not_depend_on_its_loudness_and_high_tones_are_below():
    word = tone(0.4, 600.0)
    picture = hear_digits.to_picture(word)
    assert picture.shape == (32, 32, 1)
    assert picture.mean() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(picture, hear_digits.to_picture(word * 0.01), atol=1e-3)
    # In mel, 60 Hz is 92.8, 600 Hz is 697.6 and 4000 Hz is 2146; a band is 2053 / 32 = 64.2 of it.
    assert picture[:, 16, 0].argmax() == pytest.approx((697.6 - 92.8) / 64.2, abs=0.6)
    higher = hear_digits.to_picture(tone(0.4, 3000.0))
    assert higher[:, 16, 0].argmax() > picture[:, 16, 0].argmax()


def test_a_batch_is_pictures_of_the_chosen_words_and_their_digits(rng):
    words = [(tone(0.3 + 0.1 * k) * 20_000).astype(np.int16) for k in range(4)]
    noise = (rng.standard_normal(9000) * 3000).astype(np.int16)
    voices = Voices(words, labels=np.zeros(4), noises=[noise], digits=np.array([7, 0, 3, 5]))
    pictures, digits = hear_digits.batch(voices, np.array([2, 0, 2]), None, rng)
    assert pictures.shape == (3, 32, 32, 1)
    assert np.isfinite(pictures).all()
    assert digits.tolist() == [3, 7, 3]
    # The same word, varied.
    assert not np.array_equal(pictures[0], pictures[2])


def test_the_digits_of_a_sample_are_heard_by_the_network_that_the_page_asks():
    """A speaker that it has never heard says three, one, four, two."""
    card = load_catalogue()[denoise_speech.TASK.reader]
    listener = load_predictor(card)
    _, clean = denoise_speech.TASK.samples["digits-in-rain"].load()
    words = hear_digits.words_in(clean)
    heard = [int(listener.predict(clean[a:b]).argmax()) for a, b in words]
    assert heard == [3, 1, 4, 2]


def test_a_listener_that_is_missing_hears_nothing(monkeypatch):
    from pages.components.tasks import hear

    task = dataclasses.replace(denoise_speech.TASK, reader="nobody")
    monkeypatch.setattr(hear, "get_cards", lambda: ({}, []))
    assert hear.hear_digits(task, {"Noisy": tone(1)}, tone(1)) == {}
