"""Sound against SciPy, formulas and signals whose answer is known."""

import io
import struct

import numpy as np
import pytest
import soundfile
from scipy import signal
from scipy.io import wavfile

from imaging import audio

RATE = audio.RATE


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def tone(frequency: float = 440, seconds: float = 1, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def file(samples: np.ndarray, rate: int = RATE) -> bytes:
    written = io.BytesIO()
    wavfile.write(written, rate, samples)
    return written.getvalue()


def test_the_spectrum_is_that_of_scipy():
    samples = rng().standard_normal(2000).astype(np.float32)
    _, _, expected = signal.stft(samples, RATE, "hann", 256, 192, boundary="zeros", padded=False)
    expected = expected * 128  # SciPy divides by the window's sum.
    ours = audio.spectrum(samples)
    shared = min(ours.shape[1], expected.shape[1])
    assert ours.shape == (audio.BINS, 2000 // 64 + 1)
    assert shared >= 31
    # Sums of 256 values in single precision.
    assert np.abs(ours[:, :shared] - expected[:, :shared]).max() < 1e-3


@pytest.mark.parametrize("length", [1, 63, 64, 1000, 8000])
def test_there_and_back_is_the_same_recording(length: int):
    samples = rng().standard_normal(length).astype(np.float32)
    back = audio.samples_of(audio.spectrum(samples), length)
    # The last samples may lie beyond the last whole frame, where the window has faded.
    assert back.shape == (length,)
    assert np.abs(back - samples)[: length - 64].max(initial=0) < 1e-4


def test_resampling_keeps_a_low_tone_and_drops_a_high_one():
    low, high = (audio.resampled(tone(f, rate=44_100), 44_100, RATE) for f in (440, 6000))
    assert low.shape == high.shape == (RATE,)
    inside = slice(200, -200)
    assert np.abs(low - tone(440))[inside].max() < 0.01
    assert np.abs(high[inside]).max() < 0.01


def test_si_sdr_of_known_mixtures():
    target, other = tone(400), tone(1000)  # Whole periods: orthogonal.
    assert audio.si_sdr(target, target + 0.1 * other) == pytest.approx(20, abs=0.01)
    assert audio.si_sdr(target, 3 * target + 0.3 * other + 0.2) == pytest.approx(20, abs=0.01)
    assert audio.si_sdr(target, target) > 100
    assert audio.si_sdr(target, np.zeros_like(target)) < -50


def test_a_mixture_has_the_ratio_asked_for():
    speech, noise = tone(), rng().standard_normal(3000)
    for snr in (-5, 0, 10):
        clean, noisy = audio.mixed(speech, noise, snr)
        ratio = np.mean(clean**2) / np.mean((noisy - clean) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.01)
        assert max(np.abs(clean).max(), np.abs(noisy).max()) == pytest.approx(1)


def test_level_is_that_of_what_is_heard():
    # The power of a sine of amplitude 1/2 is 1/8.
    assert audio.level(tone()) == pytest.approx(10 * np.log10(1 / 8), abs=0.05)
    with_pause = np.concatenate([tone(seconds=2), np.zeros(4 * RATE, np.float32)])
    assert audio.level(with_pause) == pytest.approx(10 * np.log10(1 / 8), abs=0.05)
    with_hum = np.concatenate([tone(seconds=2), tone(50, seconds=4) / 30])
    assert audio.level(with_hum) == pytest.approx(10 * np.log10(1 / 8), abs=0.05)
    assert audio.level(audio.at_level(tone(), -20)) == pytest.approx(-20, abs=0.05)
    assert np.abs(audio.at_level(tone(), 0)).max() == pytest.approx(1)


def test_silence_has_no_level_and_stays_silence():
    nothing = np.zeros(RATE, np.float32)
    assert audio.level(nothing) == -np.inf
    assert not audio.at_level(nothing, -20).any()
    for denoise in (audio.log_mmse, audio.wiener, audio.spectral_gate):
        assert not denoise(nothing).any()


@pytest.mark.parametrize("denoise", [audio.log_mmse, audio.wiener, audio.spectral_gate])
def test_classical_denoisers_take_hiss_from_beeps(denoise):
    beeps = np.concatenate([np.zeros(RATE // 2, np.float32), tone(500, 0.3), tone(900, 0.3)] * 2)
    clean, noisy = audio.mixed(beeps, rng().standard_normal(len(beeps)), 5)
    denoised = denoise(noisy)
    assert denoised.dtype == np.float32
    assert denoised.shape == noisy.shape
    assert audio.si_sdr(clean, denoised) > audio.si_sdr(clean, noisy) + 3


def test_the_noise_is_followed_where_it_grows():
    hiss = rng().standard_normal(6 * RATE).astype(np.float32) * 0.02
    hiss[3 * RATE :] *= 3
    power = np.abs(audio.spectrum(hiss)).T ** 2
    followed = audio._noise_power(power)
    # A window of 256 squared sums to 96, and so does the power of each frequency of unit noise.
    assert followed[150:350].mean() == pytest.approx(96 * 0.02**2, rel=0.25)
    assert followed[-100:].mean() == pytest.approx(96 * 0.06**2, rel=0.25)


def test_a_written_file_is_read_again():
    recording = audio.read_audio(audio.wav(tone(), RATE))
    assert recording.rate == RATE
    assert recording.seconds == 1
    assert not recording.notes
    # Half a step of 16 bits.
    assert np.abs(recording.samples - tone()).max() < 1 / 32767


@pytest.mark.parametrize("kind", ["<i2", "<i4", "<f4", "u1"])
def test_stereo_of_any_kind_becomes_one_channel(kind: str):
    whole = {"<i2": 2**15, "<i4": 2**31, "<f4": 1, "u1": 2**7}[kind]
    stereo = np.stack([tone(rate=44_100), np.zeros(44_100, np.float32)], axis=1)
    stereo = stereo * max(whole - 1, 1) + (whole if kind == "u1" else 0)
    recording = audio.read_audio(file(stereo.astype(kind), 44_100))
    assert recording.rate == 44_100
    assert "2 channels were mixed" in recording.notes[0]
    assert np.abs(recording.samples).max() == pytest.approx(0.25, abs=0.01)


def test_of_channels_that_cancel_each_other_the_loudest_is_taken():
    sound = tone(rate=44_100)
    opposite = np.stack([sound * 0.9, -sound], axis=1)
    recording = audio.read_audio(file(opposite.astype("<f4"), 44_100))
    assert "number 2 alone was taken" in recording.notes[0]
    np.testing.assert_allclose(recording.samples, -sound, atol=1e-6)
    # One microphone of eight: the mix has a sixty-fourth of its power, and is kept.
    one = np.zeros((44_100, 8), "<f4")
    one[:, 3] = sound
    recording = audio.read_audio(file(one, 44_100))
    assert recording.notes == ("Its 8 channels were mixed to one.",)
    np.testing.assert_allclose(recording.samples, sound / 8, atol=1e-6)


def test_what_is_not_finite_is_silence_in_its_own_channel_alone():
    sound = tone()
    stereo = np.stack([sound, sound], axis=1)
    stereo[100:200, 0] = np.nan
    recording = audio.read_audio(file(stereo.astype("<f4")))
    np.testing.assert_allclose(recording.samples[100:200], sound[100:200] / 2, atol=1e-6)
    np.testing.assert_allclose(recording.samples[200:], sound[200:], atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "channels", "said"),
    [(384_000, 1, "384,000 and 1."), (3000, 1, "3,000 and 1."), (48_000, 9, "48,000 and 9.")],
)
def test_an_unusual_recording_is_refused_with_what_can_be_opened(rate, channels, said):
    content = file(np.full((rate, channels), 0.1, "<f4"), rate)
    with pytest.raises(audio.SoundError, match="4,000 to 192,000 samples a second") as refused:
        audio.read_audio(content)
    assert said in str(refused.value)


def test_only_the_first_minute_of_a_long_recording_is_opened():
    ten_minutes = rng().integers(-9000, 9000, 600 * 4000).astype("<i2")
    recording = audio.read_audio(file(ten_minutes, 4000))
    assert recording.seconds == audio.LONGEST
    assert "first 60 seconds" in recording.notes[0]


def test_clipping_is_noticed():
    loud = np.clip(tone() * 4, -1, 1)
    assert "clipped" in audio.read_audio(audio.wav(loud, RATE)).notes[0]
    beyond = audio.read_audio(file(tone() * 4))
    assert np.abs(beyond.samples).max() == pytest.approx(1)
    assert "louder" in beyond.notes[0]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", audio.EMPTY),
        (b"Dear diary, this is no sound at all." * 10, audio.NO_SOUND),
        (file(tone())[:30], audio.NO_SOUND),
        (file(np.zeros(8000, np.int16)), audio.SILENT),
        (file(np.full(8000, np.nan, np.float32)), audio.SILENT),
        (file(np.zeros(0, np.int16)), audio.EMPTY),
        (file(tone(), 1), audio.NO_SOUND),
        (b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVEfmt ", audio.NO_SOUND),
    ],
    ids=["empty", "text", "header-only", "silence", "nan", "no-samples", "rate-1", "cut-header"],
)
def test_a_bad_file_is_refused_in_words(data: bytes, sentence: str):
    with pytest.raises(audio.SoundError) as refused:
        audio.read_audio(data)
    assert str(refused.value) == sentence


def test_a_huge_file_is_refused_before_it_is_opened():
    class Huge(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            super().seek(offset, whence)
            return 10**9

    with pytest.raises(audio.SoundError, match="more than 20 MB"):
        audio.read_audio(Huge(b"RIFF"))


def test_all_can_be_brought_to_the_level_that_the_one_with_the_highest_peaks_can_reach():
    time = np.arange(16_000) / audio.RATE
    steady = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    clicks = 0.05 * steady
    clicks[::800] = 1
    wanted = audio.common_level([steady, clicks], -23)
    # A click of 1 in each tenth of a second, over a tone of 0.05: 1/800 + 0.05 ** 2 / 2.
    assert wanted == pytest.approx(10 * np.log10(1 / 800 + 0.05**2 / 2), abs=0.05)
    played = [audio.level(audio.at_level(each, wanted)) for each in (steady, clicks)]
    assert played == pytest.approx([wanted, wanted], abs=1e-3)
    assert audio.common_level([steady, np.zeros_like(steady)], -23) == -23


def test_a_recording_that_is_cut_off_is_opened_as_far_as_it_goes():
    noise, file = 0.1 * np.random.default_rng(0).standard_normal(48_000), io.BytesIO()
    soundfile.write(file, noise, 16_000, format="FLAC")
    whole = audio.read_audio(file.getvalue())
    cut = audio.read_audio(file.getvalue()[: len(file.getvalue()) * 9 // 10])
    assert whole.notes == ()
    assert "cut off" in cut.notes[0]
    assert 0.5 * whole.seconds < cut.seconds < whole.seconds
    count = len(cut.samples)
    np.testing.assert_array_equal(cut.samples, whole.samples[:count])


def test_a_recording_that_does_not_say_how_long_it_is_is_opened():
    noise, file = 0.1 * np.random.default_rng(0).standard_normal(48_000), io.BytesIO()
    soundfile.write(file, noise, 16_000, format="FLAC")
    content = bytearray(file.getvalue())
    content[21] &= 0xF0  # The number of samples: 36 bits of the first block, RFC 9639, 8.2.
    content[22:26] = bytes(4)
    found, whole = audio.read_audio(bytes(content)), audio.read_audio(file.getvalue())
    assert found.notes == ()
    assert whole.seconds - 0.2 < found.seconds <= whole.seconds
