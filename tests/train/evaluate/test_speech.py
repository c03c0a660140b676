import numpy as np
import pytest

from imaging.audio import RATE
from train.evaluate import speech


@pytest.fixture(autouse=True)
def one_recording(monkeypatch):
    """A tone of a second, and noise of a tenth of it that has nothing in common with it."""
    turns = 2 * np.pi * 440 * np.arange(RATE) / RATE
    clean, noise = np.sin(turns).astype(np.float32), 0.1 * np.cos(turns).astype(np.float32)
    monkeypatch.setattr(speech, "load_mixtures", lambda *_: [(clean, clean + noise, "tone")])


def test_every_method_gets_a_line_after_the_noisy_recordings(capsys):
    assert speech.main(["gate"]) == 0
    noisy, gate = capsys.readouterr().out.splitlines()
    assert noisy.startswith("noisy SI-SDR 20.000")  # A tenth in amplitude is 20 dB.
    assert gate.startswith("gate SI-SDR ")


def test_a_method_that_there_is_not_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        speech.main(["magic"])
    said = capsys.readouterr().err
    assert "magic: there are speech, speech-plain, log-mmse, wiener, gate" in said
