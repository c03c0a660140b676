"""Answers as files, and inputs from files, by the kind of a task's signals."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.audio import LARGEST_FILE, TOO_LARGE, Recording, SoundError, read_audio, resampled, wav
from imaging.files.reading import read_photo
from imaging.files.writing import write
from imaging.pixels import png, to_pixels
from models.tasks.contract import Signal, Task, Watch

Predict = Callable[[np.ndarray, Watch | None], np.ndarray]


def answer_file(
    task: Task, predict: Predict, source: Path, watch: Watch, mask: bool
) -> tuple[bytes, tuple[str, ...]]:
    """Return the file that answers the file ``source``, and notes on what was changed to open it.

    It is a PNG, a picture with the date, camera and place of the one that was given, or for sound a
    WAV.  ``mask`` asks for 0 and 255 where the answer would be numbers
    of things.

    Raises:
        ValueError: if the file cannot be opened, or is too large; its text says what to do.
    """
    if task.input.kind == "audio":
        return _answer_recording(task, predict, source, watch)
    photo = read_photo(source, source.name)
    answer = predict(photo.on_paper, watch)
    return as_png(task.target, answer > 0 if mask else answer, photo.exif), photo.notes


def as_png(signal: Signal, answer: np.ndarray, exif: bytes = b"") -> bytes:
    """Return a picture ``(H, W, C)`` in [0, 1], mask, things or classes ``(H, W)`` as a PNG.

    Masks and truths are 0 and 255, things 16 bits with 0 for none, classes numbers with a palette.
    ``exif`` is what a picture says besides.
    """
    if answer.dtype == bool or signal.kind == "mask":
        return png((answer.reshape(*answer.shape[:2], 1) > 0.5) * np.uint8(255))
    if signal.kind == "instances":
        return numbers_png(answer)
    if signal.kind == "classes":
        return classes_png(answer, signal.colours)
    return write(to_pixels(answer), exif=exif)


def numbers_png(found: np.ndarray) -> bytes:
    """Return numbers ``(H, W)`` as a grey PNG of 16 bits."""
    return _saved(Image.fromarray(found.astype(np.uint16)))


def classes_png(classes: np.ndarray, colours: Sequence[str]) -> bytes:
    """Return class numbers ``(H, W)`` as a PNG with a palette of colours such as "#ff8000"."""
    picture = Image.fromarray(classes.astype(np.uint8), "P")
    picture.putpalette([int(each[at : at + 2], 16) for each in colours for at in (1, 3, 5)])
    return _saved(picture)


def _saved(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _answer_recording(
    task: Task, predict: Predict, source: Path, watch: Watch
) -> tuple[bytes, tuple[str, ...]]:
    if source.stat().st_size > LARGEST_FILE:
        raise SoundError(TOO_LARGE)
    given = read_audio(source.read_bytes())
    answer = at_rate_of(given, task.input.rate, lambda samples: predict(samples, watch))
    return wav(answer.samples, answer.rate), given.notes


def at_rate_of(
    given: Recording, rate: int, predict: Callable[[np.ndarray], np.ndarray]
) -> Recording:
    """Return what ``predict`` answers at ``rate``, at the rate and of the length that was given.

    ``predict`` takes and returns samples ``(N,)`` in [-1, 1].
    """
    back = resampled(predict(resampled(given.samples, given.rate, rate)), rate, given.rate)
    whole = np.zeros(len(given.samples), np.float32)
    part = back[: len(whole)]
    whole[: len(part)] = part
    return Recording(whole, given.rate, given.notes)
