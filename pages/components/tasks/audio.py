"""Sound on the page of more jobs: choose or record it, hear it, see it, take it away."""

from collections.abc import Mapping
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from imaging.audio import (
    ENDINGS,
    LARGEST_FILE,
    LONGEST,
    SILENT,
    SoundError,
    at_level,
    common_level,
    level,
    read_audio,
    resampled,
    spectrum,
    wav,
)
from imaging.pixels import to_image
from models.tasks.contract import Task
from models.tasks.denoise_speech import ROWS, to_picture
from pages.components import widgets
from pages.components.cached import get_picture_cache
from pages.components.controls import HIGHEST_SEED
from pages.components.gallery import data_url, webp
from pages.components.picture_cache import GAVE_WAY
from pages.components.tasks.downloads import download_sound, pick_answer
from pages.components.tasks.given import Given, pick_sample
from pages.components.tasks.hear import hear_digits, heard_text
from pages.components.tasks.microphone import show_microphone_refused
from pages.components.tasks.own_file import pick_file
from pages.components.tasks.texts import score_text
from pages.components.tasks.work import owner

SOUND_SOURCES = {"sample": "Sample", "record": "Record", "file": "File"}
NO_NOISE = "none"
LOUDNESS = -23.0  # dB at which all are heard
LIMIT = (
    f"WAV, MP3, FLAC or OGG; at most {LARGEST_FILE // 1_000_000} MB, the first {LONGEST} seconds "
    "are used"
)
IN_A_ROW = 3
LISTENER = (
    "“Heard” is what another network makes of each word. It knows only the ten digits in English; "
    "a question mark means that it would only be guessing."
)
WIDEST = 900  # columns of a spectrogram on the screen


def pick_sound(task: Task) -> Given | None:
    """Ask for a recording, and for noise to add; return None while there is none."""
    source = widgets.segments("Recording", SOUND_SOURCES, "tasks_sound")
    given = pick_sample(task) if source == "sample" else _pick_recording(task, source)
    return None if given is None else _with_noise(task, given)


def _pick_recording(task: Task, source: str) -> Given | None:
    if source == "record":
        show_microphone_refused()
        label = f"Speak for a few seconds; the first {LONGEST} are used"
        ask = partial(st.audio_input, label, sample_rate=16_000)
        file = pick_file(ask, "tasks_microphone")
    else:
        file = pick_file(partial(st.file_uploader, LIMIT, ENDINGS), "tasks_sound_file")
    if file is None:
        return None
    rate = task.input.rate
    name = f"sound {rate} {file.digest}"
    try:
        samples, note = get_picture_cache().get_or_make(
            owner(), name, lambda: _opened(file.content(), rate), lambda made: made[0].nbytes
        )
    except SoundError as problem:
        st.error(str(problem), icon=":material/hearing_disabled:")
        return None
    return Given(name, file.name, samples, note=note)


def _opened(data: bytes | None, rate: int) -> tuple[np.ndarray, str]:
    """Return a recording at this rate, and what a visitor should know of it, in sentences."""
    if data is None:
        raise SoundError(GAVE_WAY)
    recording = read_audio(data)
    samples = resampled(recording.samples, recording.rate, rate)
    if not np.isfinite(level(samples, rate)):  # All of it counts as a pause.
        raise SoundError(SILENT)
    notes = list(recording.notes)
    if recording.rate < rate:
        notes.append(
            f"It has only {recording.rate:,} samples a second: tones above "
            f"{recording.rate / 2000:.1f} kHz are missing, and words are harder to hear."
        )
    if recording.rate > rate:
        notes.append(
            f"It is resampled to {rate:,} samples a second, as on the telephone: tones above "
            f"{rate // 2000} kHz are left out."
        )
    return samples, " ".join(notes)


def _with_noise(task: Task, given: Given) -> Given:
    """Add the noise that the visitor asks for to what is clean, or taken for clean."""
    kinds = task.degradations
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = widgets.selectbox(
            "Noise to add",
            [NO_NOISE, *kinds],
            format_func=lambda name: kinds[name].title if name in kinds else "None",
            key="tasks_noise",
            width=200,
        )
        if name == NO_NOISE:
            return given
        kind = kinds[name]
        strength = widgets.slider(
            f"Loudness ({kind.unit})",
            0,
            round(kind.high * kind.shown_per_unit),
            step=5,
            key="tasks_loudness",
            help=kind.description,
            width=320,
        )
        seed = widgets.number_input(
            "Seed", 0, HIGHEST_SEED, step=1, key="tasks_noise_seed", width=130
        )
    clean = given.input if given.target is None else given.target
    noisy = kind.corrupt(clean, strength / kind.shown_per_unit, np.random.default_rng(seed))
    peak = max(1.0, float(np.abs(noisy).max()))
    return Given(
        f"{given.name} {name} {strength} {seed}",
        given.title,
        (noisy / peak).astype(np.float32),
        (clean / peak).astype(np.float32),
        given.note,
    )


def show_sound(task: Task, given: Given, answers: Mapping[str, np.ndarray]) -> None:
    """Draw a player and a spectrogram of input, answers and truth, all equally loud.

    All are samples ``(N,)`` in [-1, 1] at the task's rate.
    """
    rate = task.input.rate
    signals: dict[str, np.ndarray] = {task.words[1]: given.input} | dict(answers)
    if given.target is not None:
        signals[task.words[0]] = given.target
    peak = max(_loudest(samples) for samples in signals.values())
    metric = task.metrics[0]
    titles = list(signals)
    loudness = common_level(signals.values(), LOUDNESS, rate)
    clearest = next(iter(answers.values())) if given.target is None else given.target
    heard = hear_digits(task, signals, clearest)
    for start in range(0, len(titles), IN_A_ROW):
        row = titles[start : start + IN_A_ROW]
        for column, title in zip(st.columns(IN_A_ROW, gap="medium"), row, strict=False):
            samples = signals[title]
            with column:
                score = ""
                if given.target is not None and title != task.words[0]:
                    score = f" {metric.title} {score_text(metric, given.target, samples)}"
                st.markdown(f"**{title}**{score}")
                st.audio(wav(at_level(samples, loudness, rate), rate), format="audio/wav")
                st.html(_picture(spectrogram(samples, peak), f"Spectrogram: {title}"))
                if title in heard:
                    st.caption(f"Heard: {heard_text(heard[title])}")
    st.caption(
        "All are played equally loud. Below each: time from left to right, low tones at the "
        f"bottom, bright where it is loud; 0 to {rate // 2000} kHz, one scale for all."
        + (f" {metric.title}: {metric.description}" if given.target is not None else "")
        + (f" {LISTENER}" if heard else "")
    )
    answer = answers[pick_answer(answers)]
    download_sound(given, answer, rate)


def spectrogram(samples: np.ndarray, peak: float) -> np.ndarray:
    """Return what the network sees as ``uint8 (128, T)``; ``peak`` is the unit.

    ``T`` is at most ``WIDEST``.
    """
    frames = np.abs(spectrum(samples)[:ROWS]) / np.float32(max(peak, 1e-6))
    if frames.shape[1] > WIDEST:
        frames = frames[:, np.linspace(0, frames.shape[1] - 1, WIDEST).astype(int)]
    grey = to_picture(frames)[::-1] / 2 + 0.5
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _picture(spectrogram: np.ndarray, alt: str) -> str:
    """Return the HTML of a spectrogram, seen larger than it is, without blur or loss."""
    address = data_url(webp(to_image(spectrogram)[..., np.newaxis]), "webp")
    look = "width:100%;image-rendering:pixelated;display:block"
    return f'<img alt="{escape(alt)}" src="{address}" style="{look}">'


def _loudest(samples: np.ndarray) -> float:
    loudness = level(samples)
    return 10 ** (loudness / 20) if np.isfinite(loudness) else 0.0
