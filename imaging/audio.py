"""Sound: opening recordings that strangers upload, spectrograms, quality, classical denoisers.

A recording is ``float32 (N,)`` in [-1, 1] with its rate in samples a second; ``RATE`` is that of
all arithmetic here.  A spectrum is ``complex64 (BINS, frames)``: one column every ``HOP`` samples.
"""

import io
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, gcd
from typing import Any, BinaryIO

import numpy as np

RATE = 8000
WINDOW, HOP = 256, 64
BINS = WINDOW // 2 + 1
LONGEST = 60  # Seconds of a recording that are opened.
_UNKNOWN = 2**62  # Frames that a file has which was written before anybody knew how many.
LARGEST_FILE = 20_000_000  # In bytes, as the uploader's.
ENDINGS = (".wav", ".mp3", ".flac", ".ogg")
SHORTEST = 0.05  # In seconds.
RATES, MOST_CHANNELS = (4000, 192_000), 8
KNOWN_RATES = (1000, 800_000)  # A file that says another one is damaged.
CANCELLED = 0.01  # The share of one channel's power below which a mix has lost the sound.

EMPTY = "This recording is empty. Choose another one."
NO_SOUND = (
    "This file is not a recording, or it is damaged. "
    "Open it in a sound program and save it again as WAV."
)
UNUSUAL = (
    f"Recordings of {RATES[0]:,} to {RATES[1]:,} samples a second and at most {MOST_CHANNELS} "
    "channels can be opened; this one has {rate:,} and {channels}. Open it in a sound program and "
    "save it at 44,100 in stereo."
)
TOO_LARGE = f"This recording has more than {LARGEST_FILE // 1_000_000} MB. Cut a shorter part out."
SILENT = "This recording is silent. Choose another one, or check the microphone."

QUIETEST = 1e-4  # Root mean square below which a recording counts as silent: -80 dB.
FLOOR = 0.1  # The least that a classical denoiser leaves of any noise: -20 dB.
SMOOTHING = 0.98

_one_at_a_time = threading.Lock()


class SoundError(ValueError):
    """A recording that cannot be opened; the text says why, and what the visitor can do."""


@dataclass(frozen=True)
class Recording:
    """An opened recording, mixed to one channel; ``notes`` say what was changed to open it."""

    samples: np.ndarray
    rate: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def read_audio(data: bytes | BinaryIO) -> Recording:
    """Open a WAV, FLAC, OGG or MP3 file; only its first ``LONGEST`` seconds are decoded.

    Raises:
        SoundError: if the file cannot be opened, or holds nothing.
    """
    import soundfile  # Loads a library of 3 MB, for one page.

    file = io.BytesIO(data) if isinstance(data, bytes) else data
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        raise SoundError(EMPTY)
    if size > LARGEST_FILE:
        raise SoundError(TOO_LARGE)
    notes, broken = [], []
    try:
        with _one_at_a_time, soundfile.SoundFile(file) as sound:
            rate, channels, frames = sound.samplerate, sound.channels, sound.frames
            if not KNOWN_RATES[0] <= rate <= KNOWN_RATES[1]:
                raise SoundError(NO_SOUND)
            if not (RATES[0] <= rate <= RATES[1] and channels <= MOST_CHANNELS):
                raise SoundError(UNUSUAL.format(rate=rate, channels=channels))
            # Mixed a piece at a time: eight channels as a whole would take half a gigabyte.
            powers, mixed = np.zeros(channels), []
            for piece in _pieces(sound, broken):
                powers += np.square(piece, dtype=np.float64).sum(axis=0)
                mixed.append(piece.mean(axis=1, dtype=np.float64).astype(np.float32))
            left = sum(np.square(piece, dtype=np.float64).sum() for piece in mixed)
            loudest = int(powers.argmax())
            cancelled = left < CANCELLED * powers[loudest]
            if cancelled:
                sound.seek(0)
                mixed = [piece[:, loudest].copy() for piece in _pieces(sound, [])]
    except SoundError:
        raise
    except Exception as error:  # libsndfile's and Python's own, without a common base class.
        raise SoundError(NO_SOUND) from error
    if broken and frames < _UNKNOWN:
        notes.append("It is cut off or damaged: what could be read of it was opened.")
    elif frames > LONGEST * rate and not broken:
        notes.append(f"Only its first {LONGEST} seconds were opened.")
    if cancelled and channels > 1:
        notes.append(
            f"Mixed to one, its {channels} channels cancel each other: number {loudest + 1} alone "
            "was taken."
        )
    elif channels > 1:
        notes.append(f"Its {channels} channels were mixed to one.")
    samples = np.concatenate(mixed) if mixed else np.empty(0, np.float32)
    if len(samples) < SHORTEST * rate:
        raise SoundError(EMPTY)
    peak = np.abs(samples).max()
    if np.sqrt(np.vdot(samples, samples) / len(samples)) < QUIETEST:
        raise SoundError(SILENT)
    if peak > 1:
        samples = samples / peak
        notes.append("It was louder than a file can be, and was made quieter.")
    elif np.mean(np.abs(samples) > 0.999) > 0.001:
        notes.append("It is clipped: its loudest parts were cut off when it was recorded.")
    return Recording(samples, rate, tuple(notes))


def _pieces(sound: Any, broken: list[Exception]) -> Iterator[np.ndarray]:
    """Yield what is opened of a ``soundfile.SoundFile``, ``float32 (N, channels)``.

    A tenth of a second each; what is not finite is silence.  Where a file ends too soon, or does
    not say where it ends, why it ended is put into ``broken``.
    """
    left = min(sound.frames, LONGEST * sound.samplerate)
    piece = np.empty(0)
    while left > 0:
        try:
            piece = sound.read(min(sound.samplerate // 10, left), "float32", True)
        except Exception as error:
            if not piece.size:
                raise  # Nothing could be read.
            broken.append(error)
            return
        if not len(piece):
            return
        left -= len(piece)
        yield np.nan_to_num(piece, nan=0, posinf=0, neginf=0)


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Return a 16-bit WAV file; what is beyond [-1, 1] is clipped."""
    from scipy.io import wavfile

    file = io.BytesIO()
    wavfile.write(file, rate, np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16))
    return file.getvalue()


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Return the recording at another rate, without what the new rate cannot hold."""
    from scipy.signal import resample_poly

    if rate == new_rate:
        return samples
    shared = gcd(rate, new_rate)
    return resample_poly(samples, new_rate // shared, rate // shared).astype(np.float32)


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Return the short-time Fourier transform, one frame more than whole hops.

    Each frame is centred on its hop; beyond the ends the recording is taken for silent.
    """
    frames = len(samples) // HOP + 1
    padded = np.zeros((frames - 1) * HOP + WINDOW, np.float32)
    part = padded[WINDOW // 2 :][: len(samples)]
    part[:] = samples[: len(part)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.fft.rfft(windows * _hann(), axis=1).T.astype(np.complex64)


def samples_of(frames: np.ndarray, length: int) -> np.ndarray:
    """Return the recording of a spectrum, ``float32 (length,)``: the inverse of ``spectrum``."""
    pieces = np.fft.irfft(frames.T, WINDOW, axis=1) * _hann()
    total = np.zeros((pieces.shape[0] - 1) * HOP + WINDOW)
    weight = np.zeros_like(total)
    square = _hann() ** 2
    for index, piece in enumerate(pieces):
        place = slice(index * HOP, index * HOP + WINDOW)
        total[place] += piece
        weight[place] += square
    inside = slice(WINDOW // 2, WINDOW // 2 + length)
    whole = np.zeros(length, np.float32)
    part = (total[inside] / np.maximum(weight[inside], 1e-3)).astype(np.float32)
    whole[: len(part)] = part
    return whole


def _hann() -> np.ndarray:
    """A periodic Hann window: squared and shifted by a quarter, it adds up to 3/2."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def mixed(speech: np.ndarray, noise: np.ndarray, snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Return speech and noisy speech; ``snr`` is the power of one over the other in dB.

    The noise is repeated or cut to the length of the speech.  Both come back divided by the same
    peak.
    """
    noise = np.resize(noise, len(speech)).astype(np.float64)
    powers = [np.mean(np.square(each, dtype=np.float64)) for each in (speech, noise)]
    noisy = speech + noise * np.sqrt(powers[0] / max(powers[1], 1e-12) / 10 ** (snr / 10))
    peak = max(np.abs(noisy).max(), np.abs(speech).max(), 1e-9)
    return (speech / peak).astype(np.float32), (noisy / peak).astype(np.float32)


def si_sdr(target: np.ndarray, answer: np.ndarray) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB.

    How much stronger what the answer shares with the target is than all else in it.

    Source:
        Le Roux et al., ICASSP 2019, doi:10.1109/ICASSP.2019.8683855.
    """
    target, answer = (np.asarray(each, np.float64) - np.mean(each) for each in (target, answer))
    shared = target * (answer @ target) / max(target @ target, 1e-12)
    rest = answer - shared
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(shared @ shared / max(rest @ rest, 1e-20)))


def level(samples: np.ndarray, rate: int = RATE) -> float:
    """Return the level in dB of what is not a pause; -inf for silence.

    Source:
        The gates of ITU-R BS.1770-4: blocks of 0.4 s, none below -70 dB, then none 10 dB below the
        mean of the others.  The ear's filter is left out: it does little to speech.
    """
    block = max(1, round(0.4 * rate))
    count = ceil(len(samples) / block)
    power = np.array(
        [
            np.mean(np.square(samples[i * block : (i + 1) * block], dtype=np.float64))
            for i in range(count)
        ]
    )
    heard = power[power > 1e-7]
    if not len(heard):
        return -np.inf
    heard = heard[heard > heard.mean() / 10]
    return float(10 * np.log10(heard.mean()))


def at_level(samples: np.ndarray, wanted: float, rate: int = RATE) -> np.ndarray:
    """Return the recording at the level ``wanted`` in dB, quieter where it would clip."""
    now = level(samples, rate)
    if not np.isfinite(now):
        return samples
    gain = min(10 ** ((wanted - now) / 20), 1 / max(np.abs(samples).max(), 1e-9))
    return (samples * gain).astype(np.float32)


def common_level(recordings: Iterable[np.ndarray], wanted: float, rate: int = RATE) -> float:
    """Return the level in dB, ``wanted`` at most, that all can be brought to without clipping."""
    highest = wanted
    for samples in recordings:
        now, peak = level(samples, rate), float(np.abs(samples).max(initial=0))
        if np.isfinite(now):
            highest = min(highest, now - 20 * np.log10(peak))
    return highest


def log_mmse(samples: np.ndarray) -> np.ndarray:
    """Reduce noise by the log-spectral amplitude estimator, the best known of the classics.

    Source:
        Ephraim and Malah, IEEE TASSP 1985, doi:10.1109/TASSP.1985.1164550.
    """
    from scipy.special import exp1

    def gain(prior: np.ndarray, posterior: np.ndarray) -> np.ndarray:
        share = prior / (1 + prior)
        return share * np.exp(0.5 * exp1(np.maximum(share * posterior, 1e-8)))

    return _with_gain(samples, gain)


def wiener(samples: np.ndarray) -> np.ndarray:
    """Reduce noise by Wiener's filter.

    Source:
        Scalart and Filho, ICASSP 1996, doi:10.1109/ICASSP.1996.543199.
    """
    return _with_gain(samples, lambda prior, posterior: prior / (1 + prior))


def _with_gain(samples: np.ndarray, gain) -> np.ndarray:
    """Multiply each frame by a gain that follows from how far it is above the noise."""
    frames = spectrum(samples)
    power = np.abs(frames.T.astype(np.complex128)) ** 2 + 1e-12
    kept = np.empty_like(power)
    clean_before = power[0]
    for index, (now, noise) in enumerate(zip(power, _noise_power(power), strict=True)):
        posterior = np.minimum(now / noise, 1e4)
        prior = SMOOTHING * clean_before / noise + (1 - SMOOTHING) * np.maximum(posterior - 1, 0)
        kept[index] = np.clip(gain(np.maximum(prior, 10**-2.5), posterior), FLOOR, 1)
        clean_before = kept[index] ** 2 * now
    return samples_of(frames * kept.T, len(samples))


def _noise_power(power: np.ndarray) -> np.ndarray:
    """Follow the power of the noise in each frequency, learning where speech is unlikely.

    Source:
        Gerkmann and Hendriks, IEEE TASLP 2012, doi:10.1109/TASL.2011.2180896; the recording is
        taken to begin with a twentieth of a second of noise.
    """
    expected = 10**1.5  # How far speech is above the noise where there is any.
    noise = power[: max(1, round(0.05 * RATE / HOP))].mean(axis=0)
    followed, likely = np.empty_like(power), np.zeros_like(noise)
    for index, now in enumerate(power):
        exponent = np.minimum(now / noise * expected / (1 + expected), 200)
        speech = 1 / (1 + (1 + expected) * np.exp(-exponent))
        likely = 0.9 * likely + 0.1 * speech
        # Where it says speech for long, it is wrong: the noise has grown.
        speech = np.where(likely > 0.99, np.minimum(speech, 0.99), speech)
        noise = 0.8 * noise + 0.2 * (speech * noise + (1 - speech) * now)
        followed[index] = noise
    return followed


def spectral_gate(samples: np.ndarray) -> np.ndarray:
    """Silence what is not clearly above the typical level of its frequency.

    Source:
        The non-stationary gate of Sainburg and Zorea's ``noisereduce`` 3, arXiv:2412.17851: the
        typical level is the magnitude smoothed forwards and backwards over two seconds.
    """
    from scipy.ndimage import uniform_filter
    from scipy.signal import filtfilt

    frames = spectrum(samples)
    size = np.abs(frames)
    share = _smoothing_share(2 * RATE / HOP)
    typical = filtfilt([share], [1, share - 1], size, axis=1, padtype=None)
    above = (size - typical) / np.maximum(typical, 1e-9)
    open_ = 1 / (1 + np.exp(np.clip(-(above - 2) * 10, -50, 50)))
    # Smoothed over 500 Hz and 50 ms, as there.
    open_ = uniform_filter(open_, (round(500 / (RATE / WINDOW)), round(0.05 * RATE / HOP)))
    return samples_of(frames * open_, len(samples))


def _smoothing_share(frames: float) -> float:
    """The share of the newest value in a running mean of this many frames."""
    return float((np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2))
