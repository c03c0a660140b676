"""Which digit is spoken?  The reader of sound, as ``read_digits`` is that of pictures.

    word (N,) -> spectrum, 32 bands of pitch by 32 pieces of time, a picture (32, 32, 1)
    picture --network--> probabilities (10,) of the digits zero to nine

A word is read whole, however long it takes: its picture is stretched to one width.  ``words_in``
says where in a recording words are.

Source:
    The bands are the mel scale's (Stevens et al., JASA 1937, doi:10.1121/1.1915893).
"""

from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from scipy import ndimage

from imaging.audio import BINS, HOP, RATE, mixed, samples_of, spectrum
from imaging.named import by_name
from models.tasks.contract import DataSet, Examples, Network, Recipe, Settings, Signal, Task, Watch
from models.tasks.read_digits import DIGIT, accuracy
from models.tasks.spoken_digits import (
    NOTICE,
    WHOLE,
    Voices,
    at_speed,
    background,
    load_voices,
    tilted,
)

SIDE = 32
LOWEST = 60.0  # Hz
SPEEDS = (0.75, 1.33)
CLEAN_SHARE, CLEANED_SHARE = 0.3, 0.3  # of the words; the others have noise
FAINTEST, LOUDEST = 0.0, 30.0  # dB of speech over noise
CUT, ADDED = 0.12, 0.12  # How much of a word may be missing or added at each end.
MOST_WORDS = 12
SHORTEST, LONGEST_GAP = 0.12, 0.12  # seconds
BELOW_LOUDEST = 32.0  # dB; what is fainter is a pause
ABOVE_FLOOR = 6.0  # times the power of the quietest tenth; what is fainter is noise


def load(folder: Path | None, split: str) -> Examples:
    """Return recordings of single digits; of the test, and only there, as inputs of digits.

    Raises:
        OSError: if there are none.
    """
    voices = load_voices(folder, split)
    if split != "test":
        return voices
    return Examples(
        list(voices.digits), [each.astype(np.float32) / WHOLE for each in voices.targets]
    )


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures ``(N, 32, 32, 1)`` of words, and digits ``(N,)``.

    Most have some noise, or what a mask leaves of them.  Speed, which moves the voice too, and a
    tilt of the spectrum make one speaker many.
    """
    voices = cast(Voices, examples)
    words = [_varied(voices, int(one), rng) for one in chosen]
    return np.stack([to_picture(word) for word in words]), voices.digits[chosen]


def validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures of all words as they are, and their digits."""
    voices = cast(Voices, examples)
    return np.stack([to_picture(word / WHOLE) for word in voices.targets]), voices.digits


def solve(
    network: Network, samples: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the probabilities ``(10,)`` of the digits for one word at 8 kHz."""
    return network(image=to_picture(samples)[np.newaxis])[0]


def to_picture(word: np.ndarray) -> np.ndarray:
    """Return a word ``(N,)`` as ``float32 (32, 32, 1)``, low tones first, of mean 0 and spread 1.

    What is more than 60 dB below its loudest place counts as silent.
    """
    power = _bands() @ np.square(np.abs(spectrum(word.astype(np.float32))))
    loud = np.log(np.maximum(power, max(float(power.max()), 1e-12) * 1e-6))
    at = np.linspace(0, loud.shape[1] - 1, SIDE)
    picture = np.stack([np.interp(at, np.arange(loud.shape[1]), band) for band in loud])
    picture = (picture - picture.mean()) / max(float(picture.std()), 1e-3)
    return picture[..., np.newaxis].astype(np.float32)


def words_in(samples: np.ndarray, most: int = MOST_WORDS) -> list[tuple[int, int]]:
    """Return where words begin and end in a recording at 8 kHz: what stands out from its pauses.

    Short gaps belong to a word, as before the t of "eight"; at most the first ``most`` words.
    """
    power = np.square(np.abs(spectrum(samples)[2:])).sum(axis=0)  # Without hum below 60 Hz.
    power = ndimage.uniform_filter1d(power, 5)
    if not power.max() > 1e-9:
        return []
    floor = float(np.percentile(power, 10))
    threshold = max(power.max() * 10 ** (-BELOW_LOUDEST / 10), ABOVE_FLOOR * floor)
    gap = round(LONGEST_GAP * RATE / HOP)
    speaking = ndimage.binary_closing(np.pad(power > threshold, gap), np.ones(gap))[gap:-gap]
    found, _ = ndimage.label(speaking)
    words = [(place.start * HOP, place.stop * HOP) for (place,) in ndimage.find_objects(found)]
    return [(a, min(b, len(samples))) for a, b in words if b - a >= SHORTEST * RATE][:most]


def _varied(voices: Voices, one: int, rng: np.random.Generator) -> np.ndarray:
    word = at_speed(voices.targets[one], rng.uniform(*SPEEDS))
    word = tilted(word, rng.uniform(-0.5, 0.5))
    first, last = (round(len(word) * rng.uniform(-ADDED, CUT)) for _ in range(2))
    word = np.pad(word[max(first, 0) : len(word) - max(last, 0)], (max(-first, 0), max(-last, 0)))
    kind = rng.random()
    if kind < CLEAN_SHARE or not word.any():
        return word / WHOLE
    noise = background(voices, len(word), rng)
    clean, noisy = mixed(word, noise, rng.uniform(FAINTEST, LOUDEST))
    return _masked(clean, noisy, rng) if kind < CLEAN_SHARE + CLEANED_SHARE else noisy


def _masked(clean: np.ndarray, noisy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what a denoiser might leave of a noisy word, one that takes too much or too little."""
    frames = spectrum(noisy)
    share = np.square(np.abs(spectrum(clean)) / np.maximum(np.abs(frames), 1e-9))
    share = np.clip(ndimage.gaussian_filter(share, rng.uniform(0, 1.5)), 0, 1)
    share = np.maximum(share ** rng.uniform(0.5, 2.0), rng.uniform(0, 0.1))
    return samples_of(frames * share.astype(np.float32), len(noisy))


@cache
def _bands() -> np.ndarray:
    """Return how much of each bin of a spectrum belongs to each band, ``(32, BINS)``."""
    pitch = 2595 * np.log10(1 + np.linspace(0, RATE / 2, BINS) / 700)
    centres = np.linspace(2595 * np.log10(1 + LOWEST / 700), pitch[-1], SIDE + 1)[:SIDE]
    width = centres[1] - centres[0]
    return np.maximum(0, 1 - np.abs(pitch - centres[:, np.newaxis]) / width)


RECIPES = by_name(
    [
        Recipe(
            "digit-listener",
            "Digit listener",
            "Says which spoken digit it hears, and how sure it is.",
            "After LeCun et al., Gradient-based learning, Proc. IEEE 1998",
            {
                "data": "spoken-digits",
                "architecture": "digit-reader",
                "settings": {"size": SIDE, "filters": 8, "units": 128},
                "loss": "sparse_categorical_crossentropy",
                "learning_rate": 0.001,
                "schedule": "cosine",
                "batch": 32,
                "epoch_batches": 100,
                "epochs": 30,
            },
        )
    ]
)
TASK = Task(
    name="hear-digits",
    title="Hear digits",
    description="Says which spoken digit it hears, and how sure it is.",
    input=Signal("audio", rate=RATE),
    target=DIGIT,
    words=("Digit", "Recording", "Heard"),
    metrics=(accuracy("The share of spoken digits that are understood."),),
    losses=("sparse_categorical_crossentropy",),
    watch=("accuracy",),
    data=by_name([DataSet("spoken-digits", "Spoken digits", load, NOTICE)]),
    batch=batch,
    validation=validation,
    solve=solve,
    walk="crops",
    recipes=RECIPES,
)
