"""Sound on a page: choose or record it, hear it, see it."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from imaging.audio import (
    LARGEST_FILE,
    LONGEST,
    Recording,
    SoundError,
    at_level,
    level,
    read_audio,
    spectrum,
    wav,
)
from imaging.noise import NoiseKind
from models.tasks.contract import Task
from models.tasks.denoise_speech import ROWS, to_picture
from pages.components import widgets

SAMPLE, RECORD, UPLOAD = "A sample", "Record", "A file of mine"
LOUDNESS = -23.0  # dB at which all are heard
ENDINGS = ["wav", "mp3", "flac", "ogg"]
LIMIT = f"WAV, MP3, FLAC or OGG, at most {LONGEST} seconds and {LARGEST_FILE // 1_000_000} MB."
WIDEST = 900  # columns of a spectrogram on the screen


def pick_recording(task: Task, prefix: str) -> tuple[Recording, np.ndarray | None] | None:
    """Ask for a recording; return it with what is known to be right, None where there is none."""
    way = widgets.pills("Recording", [SAMPLE, RECORD, UPLOAD], key=f"{prefix}way")
    if way == SAMPLE:
        name = widgets.selectbox(
            "Sample",
            list(task.samples),
            format_func=lambda name: task.samples[name].title,
            key=f"{prefix}sample",
        )
        sample = task.samples[name]
        st.caption(f"{sample.source}, {sample.licence}.")
        given, target = sample.load()
        return Recording(given, task.input.rate), target
    if way == RECORD:
        file = st.audio_input(
            f"Speak for a few seconds, {LONGEST} at most",
            sample_rate=16_000,
            key=f"{prefix}microphone",
            help="If the microphone stays silent, the browser was not allowed to use it: the sign "
            "in the address bar changes that. Nothing is kept on the server.",
        )
    else:
        file = st.file_uploader(LIMIT, type=ENDINGS, key=f"{prefix}file")
    if file is None:
        st.info(
            "Say something, or choose a file." if way == UPLOAD else "Press the microphone.",
            icon=":material/mic:",
        )
        return None
    try:
        recording = read_audio(file.getvalue())
    except SoundError as problem:
        st.error(str(problem), icon=":material/hearing_disabled:")
        return None
    for note in recording.notes:
        st.caption(note)
    return recording, None


def pick_noise(kinds: Mapping[str, NoiseKind], prefix: str) -> tuple[NoiseKind, float, int]:
    """Ask what noise to add to clean speech, how loud, and the number behind it."""
    name = widgets.selectbox(
        "Noise", list(kinds), format_func=lambda name: kinds[name].title, key=f"{prefix}noise"
    )
    kind = kinds[name]
    strength = widgets.slider(
        f"Loudness ({kind.unit})",
        0,
        round(kind.high * 100),
        step=5,
        key=f"{prefix}loudness",
        help=kind.explain,
    )
    seed = widgets.number_input("Seed", 0, 9999, step=1, key=f"{prefix}seed", width=130)
    return kind, strength / 100, seed


def show_recordings(signals: Mapping[str, np.ndarray], rate: int, captions: Mapping[str, str]):
    """Draw a player and a spectrogram for each recording, all equally loud to the ear."""
    columns = st.columns(len(signals), gap="medium")
    peak = max(_loudest(samples) for samples in signals.values())
    for column, (title, samples) in zip(columns, signals.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.audio(wav(at_level(samples, LOUDNESS, rate), rate), format="audio/wav")
            st.image(spectrogram(samples, peak), width="stretch", caption=captions.get(title))
    st.caption(
        "All are played equally loud. Below each: time from left to right, low tones at the "
        "bottom, bright where it is loud; 0 to 4 kHz, the same scale in all."
    )


def spectrogram(samples: np.ndarray, peak: float) -> np.ndarray:
    """Return the picture ``uint8 (128, T)`` that the network sees; ``peak`` shows as white."""
    frames = np.abs(spectrum(samples)[:ROWS]) / np.float32(max(peak, 1e-6))
    if frames.shape[1] > WIDEST:
        frames = frames[:, np.linspace(0, frames.shape[1] - 1, WIDEST).astype(int)]
    grey = to_picture(frames)[::-1] / 2 + 0.5
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _loudest(samples: np.ndarray) -> float:
    loudness = level(samples)
    return 10 ** (loudness / 20) if np.isfinite(loudness) else 0.0
