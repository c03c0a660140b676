"""Spoken digits and noises for the tasks of speech: where they lie, and how they are varied.

Recordings are ``(N,)`` at 8 kHz, ``int16`` in the files and ``float32`` of any loudness once
varied.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imaging.audio import mixed
from models.tasks.contract import Examples

NOTICE = (
    "Trained on the Free Spoken Digit Dataset (CC BY-SA 4.0), noises of ESC-10 (CC BY 3.0) and "
    "Speech Commands (CC BY 4.0)."
)
SPLITS = {"train": "train", "validation": "val", "test": "test"}
WHOLE = 32768  # 16 bits
WHITE_SHARE, TWO_NOISES_SHARE = 0.1, 0.15


@dataclass(frozen=True)
class Voices(Examples):
    """Spoken digits as targets, ``int16``, who speaks each as labels, and noises, ``int16``.

    ``digits`` says which digit each is.
    """

    noises: Sequence[np.ndarray] = ()
    digits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def load_voices(folder: Path | None, split: str) -> Voices:
    """Return the digits and the noises of a split, which has speakers of its own.

    Raises:
        OSError: if there are none.
    """
    speech, noise = _read(folder)
    who = speech["speaker"]
    chosen = np.flatnonzero(speech["split"][who] == SPLITS[split])
    noises = np.flatnonzero(noise["split"] == SPLITS[split])
    return Voices(
        [_samples(speech, int(one)) for one in chosen],
        labels=who[chosen],
        noises=[_samples(noise, int(one)) for one in noises],
        digits=speech["digit"][chosen].astype(np.int64),
    )


def load_mixtures(folder: Path | None, split: str) -> list[tuple[np.ndarray, np.ndarray, dict]]:
    """Return ``(clean, noisy, recipe)`` of the fixed strings of four digits.

    Raises:
        OSError: if there are none.
    """
    speech, noise = _read(folder)
    recipes = json.loads((_sound(folder) / "mixtures.json").read_text())[SPLITS[split]]
    return [(*_from_recipe(recipe, speech, noise), recipe) for recipe in recipes]


def _sound(folder: Path | None) -> Path:
    if folder is None:
        raise OSError("speech is looked for in DENOISE_DATA_DIR, which names no folder")
    return folder / "sound"


def _read(folder: Path | None) -> tuple[dict, dict]:
    sounds = []
    for name in ("speech", "noise"):
        with np.load(_sound(folder) / f"{name}.npz") as file:
            sounds.append(dict(file))
    return sounds[0], sounds[1]


def _from_recipe(recipe: dict, speech: dict, noise: dict) -> tuple[np.ndarray, np.ndarray]:
    parts = [np.zeros(recipe["gaps"][0], np.float32)]
    for one, gap in zip(recipe["speech"], recipe["gaps"][1:], strict=True):
        parts += [_recording(speech, one), np.zeros(gap, np.float32)]
    clean, about = np.concatenate(parts), recipe["noise"]
    if "seed" in about:
        sound = np.random.default_rng(about["seed"]).standard_normal(len(clean))
    else:
        sound = np.resize(np.roll(_recording(noise, about["clip"]), -about["offset"]), len(clean))
    return mixed(clean, sound, recipe["snr"])


def _samples(sounds: dict, one: int) -> np.ndarray:
    start, length = sounds["start"][one], sounds["length"][one]
    return sounds["samples"][start : start + length]


def _recording(sounds: dict, one: int) -> np.ndarray:
    return _samples(sounds, one).astype(np.float32) / WHOLE


def background(sounds: Voices, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return a noise of this length, varied in speed and tilt; now and then hiss, or both."""
    hiss = rng.standard_normal(length).astype(np.float32)
    if rng.random() < WHITE_SHARE:
        return hiss
    noise = sounds.noises[int(rng.integers(len(sounds.noises)))]
    noise = at_speed(noise, rng.uniform(0.8, 1.25))
    noise = np.resize(np.roll(noise, -rng.integers(len(noise))), length)
    noise = tilted(noise, rng.uniform(-0.5, 0.5))
    if rng.random() < TWO_NOISES_SHARE:
        noise = noise / (np.sqrt(np.mean(noise**2)) + 1e-6) + rng.uniform(0, 0.7) * hiss
    return noise


def at_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Return the recording played faster, above 1, which raises the voice too."""
    count = len(samples)
    places = np.arange(0, count - 1, speed)
    return np.interp(places, np.arange(count), samples.astype(np.float32)).astype(np.float32)


def tilted(samples: np.ndarray, tilt: float) -> np.ndarray:
    """Return the recording with its higher frequencies stronger or, below 0, weaker."""
    tilted = samples.copy()
    tilted[1:] -= np.float32(tilt) * samples[:-1]
    return tilted
