"""Take noise out of speech: a second of sound is a picture, and the denoiser's network cleans it.

    noisy (N,) -> spectrum (129, T) -> logarithm of its size, a picture (128, T, 1)
    picture --network--> how much of each place is speech (128, T, 1)
    times the noisy spectrum, which keeps its phase -> speech (N,)

Everything is at 8 kHz, the rate of a telephone.  Trained on digits spoken by three men, it hears in
other sounds what it knows.

Source:
    Ratio masks: Wang et al., IEEE/ACM TASLP 2014, doi:10.1109/TASLP.2014.2352935; a U-Net on
    spectrograms: Jansson et al., ISMIR 2017.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from imaging import audio
from imaging.audio import RATE, level, mixed, samples_of, si_sdr, spectrum
from imaging.named import by_name
from imaging.noise import NoiseKind
from models.tasks import contract
from models.tasks.contract import Examples, Network, Settings, Watch
from models.tasks.spoken_digits import (
    NOTICE,
    WHOLE,
    Voices,
    at_speed,
    background,
    load_mixtures,
    load_voices,
    tilted,
)
from models.tiles import in_tiles

FRAMES = 128  # of a picture in training: one second
ROWS = 128  # frequencies; the highest, 4 kHz itself, is left out
MULTIPLE = 16
FAINTEST, LOUDEST = -5.0, 20.0  # dB of speech over noise
SPEEDS = (0.82, 1.22)


def load(folder: Path | None, split: str) -> Examples:
    """Return digits and noises; of the test the fixed strings of four digits, with noise.

    Raises:
        OSError: if there are none.
    """
    if split != "test":
        return load_voices(folder, split)
    clean, noisy, _ = zip(*load_mixtures(folder, split), strict=True)
    return Examples(clean, noisy)


def batch(
    examples: Voices, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures ``(N, ROWS, FRAMES, 1)`` of noisy speech, and what the loss needs.

    That is ``(N, ROWS, FRAMES, 3)``: the noisy size, and the clean spectrum in phase and across.
    """
    count = len(chosen)
    pictures = np.empty((count, ROWS, FRAMES, 1), np.float32)
    targets = np.empty((count, ROWS, FRAMES, 3), np.float32)
    for index, one in enumerate(chosen):
        clean, noisy = _mixture(examples, int(one), rng)
        loudness = np.sqrt(np.mean(np.square(noisy))) * np.exp(rng.normal(0, 0.4))
        clean, noisy = (spectrum(each / loudness)[:ROWS] for each in (clean, noisy))
        first = rng.integers(clean.shape[1] - FRAMES + 1)
        clean, noisy = (each[:, first : first + FRAMES] for each in (clean, noisy))
        size = np.abs(noisy)
        turned = clean * (noisy.conj() / np.maximum(size, 1e-9))
        pictures[index, ..., 0] = to_picture(size)
        targets[index] = np.stack([size, turned.real, np.abs(turned.imag)], axis=-1)
    return pictures, targets


def validation(
    examples: Voices, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return one second with each of 64 digits, evenly spread."""
    return batch(examples, np.linspace(0, len(examples) - 1, 64).astype(int), settings, rng)


def to_picture(size: np.ndarray) -> np.ndarray:
    """Return the sizes of a spectrum of mean power 1 as values from about -1.5 to 1.5."""
    return ((np.log(size + 1e-3) + 1) / 4).astype(np.float32)


def _mixture(sounds: Voices, one: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a second and a half of the speaker of a digit with pauses, and the same with noise.

    Speed, which moves the voice too, and a tilt of the spectrum make one speaker many.
    """
    length = RATE * 3 // 2 + 8 * 64
    speech = np.zeros(length, np.float32)
    speed, tilt = rng.uniform(*SPEEDS), rng.uniform(-0.5, 0.5)
    own = np.flatnonzero(sounds.labels == sounds.labels[one])
    place = -int(rng.integers(3000))
    while place < length:
        digit = at_speed(sounds.targets[rng.choice(own)], speed)
        first, last = max(place, 0), min(place + len(digit), length)
        if last > first:
            speech[first:last] = digit[first - place : last - place]
        place += len(digit) + int(rng.integers(800, 2400))
    noise = background(sounds, length, rng)
    if not speech.any() or not noise.any():
        return _mixture(sounds, one, rng)
    return mixed(tilted(speech, tilt), noise, rng.uniform(FAINTEST, LOUDEST))


def solve(
    network: Network,
    samples: np.ndarray,
    hint: float | None = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """Return the speech of a recording at 8 kHz, ``float32`` of the same length.

    ``hint`` is the share of the noise that is left in, 0 where it is left out.
    """
    loudness = 10 ** (level(samples) / 20)
    if not loudness:
        return samples
    frames = spectrum(samples)
    size = np.abs(frames[:ROWS]) / np.float32(loudness)

    # Beyond both ends the sound is mirrored: silence there would look like the end of a word.
    count = size.shape[1]
    around = ((0, 0), (MULTIPLE, MULTIPLE + -count % MULTIPLE))
    picture = np.pad(to_picture(size), around, mode="symmetric")[..., np.newaxis]
    mask = in_tiles(picture, lambda tile: network(image=tile[np.newaxis])[0], watch, MULTIPLE)
    mask = mask[:, MULTIPLE : MULTIPLE + count, 0]
    mask = np.concatenate([mask, mask[-1:]])
    left = np.float32(hint or 0)
    return samples_of(frames * (mask + left * (1 - mask)), len(samples))


def _noise_kind(name: str, title: str, description: str) -> NoiseKind:
    def corrupt(clean: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
        """Add noise ``strength`` times as loud as the speech, from a random place of its clip."""
        if name == "hiss":
            noise = rng.standard_normal(len(clean))
        else:
            clip = _shipped()[name]
            noise = np.resize(np.roll(clip, -int(rng.integers(len(clip)))), len(clean))
        loudness = [np.sqrt(np.mean(np.square(each, dtype=np.float64))) for each in (clean, noise)]
        share = strength * loudness[0] / max(loudness[1], 1e-9)
        return (clean + share * noise).astype(np.float32)

    return NoiseKind(
        name,
        title,
        corrupt,
        unit="% of the speech's loudness",
        high=1.5,
        default=0.5,
        description=description,
        shown_per_unit=100,
    )


def _shipped() -> dict[str, np.ndarray]:
    """Return the recordings that ship with the program, ``float32`` at 8 kHz."""
    with np.load(Path(__file__).with_name("samples.npz")) as file:
        return {name: file[name].astype(np.float32) / WHOLE for name in file.files}


def _sample(name: str, noise: str, strength: float) -> tuple[np.ndarray, np.ndarray | None]:
    spoken = _shipped()[name]
    if not noise:
        return spoken, None
    noisy = NOISES[noise].corrupt(spoken, strength, np.random.default_rng(0))
    peak = max(np.abs(noisy).max(), 1)
    return (noisy / peak).astype(np.float32), (spoken / peak).astype(np.float32)


def _baseline(name: str, title: str, description: str, denoise: Callable) -> contract.Baseline:
    def run(samples: np.ndarray, hint: float | None = None, watch: Watch | None = None):
        left = np.float32(hint or 0)
        return denoise(samples) * (1 - left) + left * samples

    return contract.Baseline(name, title, description, run)


def picture(tensor: np.ndarray) -> np.ndarray:
    """Return spectrograms with low tones at the bottom, bright where it is loud."""
    if tensor.shape[-1] == 3:
        tensor = to_picture(np.hypot(tensor[..., 1:2], tensor[..., 2:]))
    return np.clip(tensor[:, ::-1] / 2 + 0.5, 0, 1)


NOISES = by_name(
    [
        _noise_kind("hiss", "Hiss", "All frequencies alike, as a bad line."),
        _noise_kind("rain", "Rain", "Drops on a roof."),
        _noise_kind("clock", "Clock", "Short clicks, which filters hardly notice."),
        _noise_kind("helicopter", "Helicopter", "A noise that the network has never heard."),
    ]
)
SPEAKER = "Free Spoken Digit Dataset, Z. Jackson and others: {}"
BY_SA = "CC BY-SA 4.0"
SOUND = contract.Signal("audio", rate=RATE)


SOURCE = "Jansson et al., ISMIR 2017, with a phase-sensitive loss"
_CONFIG = {
    "data": "spoken-digits",
    "architecture": "unet",
    "settings": {
        "channels": 1,
        "size": None,
        "filters": [16, 32, 64, 96],
        "dropout": 0.0,
        "outputs": 1,
        "head": "sigmoid",
        "half": True,
    },
    "loss": "masked_spectrum",
    "learning_rate": 0.002,
    "schedule": "cosine",
    "batch": 16,
    "crop": FRAMES,
    "epoch_batches": 100,
    "epochs": 30,
    "average": 0.995,
    "clip": 1.0,
}

TASK = contract.Task(
    name="denoise-speech",
    title="Clean speech",
    description="Takes noise out of a recording of speech.",
    input=SOUND,
    target=SOUND,
    words=("Original", "Noisy", "Cleaned"),
    metrics=(
        contract.Metric(
            "si_sdr",
            "SI-SDR",
            "dB",
            si_sdr,
            "How much stronger the speech is than all else in the answer; loudness does not count.",
        ),
    ),
    losses=("masked_spectrum",),
    watch=(),
    data=by_name([contract.DataSet("spoken-digits", "Spoken digits", load, NOTICE)]),
    batch=batch,
    validation=validation,
    solve=solve,
    walk="crops",
    recipes=contract.with_and_without_skips(
        contract.Recipe(
            "speech",
            "Clean speech",
            "Sees the voice in the picture of a sound, and masks all else.",
            SOURCE,
            _CONFIG,
        ),
        purpose="Its mask is blurred: tones run into each other.",
    ),
    degradations=NOISES,
    baselines=by_name(
        [
            _baseline(
                "log-mmse",
                "Log-MMSE",
                "Follows the noise where nobody speaks and guesses the speech from the rest.",
                audio.log_mmse,
            ),
            _baseline("wiener", "Wiener", "The same with Wiener's gain.", audio.wiener),
            _baseline(
                "gate",
                "Spectral gate",
                "Silences what is not clearly above the typical level of its frequency.",
                audio.spectral_gate,
            ),
        ]
    ),
    samples=by_name(
        [
            contract.Sample(
                "digits-in-rain",
                "Four digits in rain",
                partial(_sample, "yweweler-1", "rain", 0.6),
                SPEAKER.format("yweweler"),
                BY_SA,
            ),
            contract.Sample(
                "digits-and-clock",
                "Four digits and a clock",
                partial(_sample, "yweweler-2", "clock", 0.6),
                SPEAKER.format("yweweler"),
                BY_SA,
            ),
            contract.Sample(
                "digits-in-hiss",
                "Four digits in hiss",
                partial(_sample, "yweweler-1", "hiss", 0.4),
                SPEAKER.format("yweweler"),
                BY_SA,
            ),
            contract.Sample(
                "bad-microphone",
                "A bad microphone",
                partial(_sample, "nicolas", "", 0),
                SPEAKER.format("nicolas, as it was recorded"),
                BY_SA,
            ),
        ]
    ),
    hint=contract.Hint(
        "left",
        "Noise left in",
        low=0.0,
        high=1.0,
        default=0.0,
        step=0.05,
        description="A little sounds more natural, and keeps what was mistaken for noise.",
    ),
    picture=picture,
    explanation=contract.Explanation(
        "A second of sound is a picture: time from left to right, tones from low to high, bright "
        "where it is loud. The U-Net of the denoiser looks at it and says for each place how much "
        "of it is speech; the noisy sound is multiplied by that, and becomes sound again. The "
        "phase of the noise stays in, so even a perfect answer is not silent behind the voice. The "
        "filters measure the noise where nobody speaks: they know hiss, but not the clicks of a "
        "clock. The network has heard voices, and keeps what looks like one.",
        (
            "the spectrogram of noisy speech, in decibels",
            "how much of each place is speech",
            "sigmoid, one share a place",
            "decibels of error, and loudness as the ear hears it",
            "SI-SDR, in decibels",
        ),
        "Trained on digits that three men spoke, at the rate of a telephone (8 kHz). Women's and "
        "children's voices, music and other languages are new to it. With much noise, quiet "
        "consonants are lost: leave a little noise in.",
    ),
    reader="digit-listener",
)
