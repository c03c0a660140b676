"""The probes of a training: the same few pictures after every epoch, to scrub and to play.

All frames are in the browser, so playing asks nothing of the server.  What is the same after
every epoch, the clean and the noisy pictures, is sent once.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pages.components.component import component
from train.run_folder import Run

MOST_FRAMES = 40  # Each takes some kilobytes; what is kept is never thinned.
GIF_SCALE, GIF_MILLISECONDS, GIF_LAST = 2, 250, 1500

_mount = component(__file__, '<div class="probes"></div>')


@dataclass(frozen=True)
class Sheet:
    """What was seen after one epoch: rows ``(H, W)`` or ``(H, W, 3)``, 8-bit."""

    epoch: int
    clean: np.ndarray
    noisy: np.ndarray
    denoised: np.ndarray


def read_sheet(run: Run, epoch: int) -> Sheet | None:
    """Read the pictures after an epoch, None where they are gone."""
    try:
        with Image.open(run.folder / "probes" / f"epoch-{epoch:04d}.png") as file:
            pixels = np.asarray(file)
    except OSError:
        return None
    side = len(pixels) // 3
    return Sheet(epoch, pixels[:side], pixels[side : 2 * side], pixels[2 * side :])


def evenly_spaced(epochs: Sequence[int], most: int = MOST_FRAMES) -> list[int]:
    """Return at most ``most`` of the epochs, evenly spread, the first and the last among them."""
    if len(epochs) <= most:
        return list(epochs)
    step = (len(epochs) - 1) / (most - 1)
    return [epochs[round(index * step)] for index in range(most)]


Words = tuple[str, str, str]  # what target, input and answer are called


def show_probes(run: Run, epochs: Sequence[int], words: Words) -> None:
    """Draw the player of one run."""
    sheets = [sheet for epoch in evenly_spaced(epochs) if (sheet := read_sheet(run, epoch))]
    if not sheets:
        return
    last = sheets[-1]
    _mount(
        key=f"probes-{run.folder.name}",
        data={
            "about": f"{words[0]}, {words[1]} and {words[2]}, after each epoch",
            "still": [_row(words[0], last.clean), _row(words[1], last.noisy)],
            "frames": [
                {"epoch": sheet.epoch, "rows": [_row(words[2], sheet.denoised)]} for sheet in sheets
            ],
        },
    )


def show_probes_together(runs: dict[str, Run], epochs: Sequence[int], words: Words) -> bool:
    """Draw one player for several runs that saw the same pictures; False where they did not."""
    frames, still = [], None
    for epoch in evenly_spaced(epochs):
        sheets = {name: read_sheet(run, epoch) for name, run in runs.items()}
        if not all(sheets.values()):
            continue
        first = next(iter(sheets.values()))
        if any(not np.array_equal(sheet.noisy, first.noisy) for sheet in sheets.values()):
            return False
        still = [_row(words[0], first.clean), _row(words[1], first.noisy)]
        rows = [_row(name, sheet.denoised) for name, sheet in sheets.items()]
        frames.append({"epoch": epoch, "rows": rows})
    if frames:
        _mount(
            key="probes-together",
            data={
                "about": f"{words[0]}, {words[1]}, and {words[2]} by {', '.join(runs)}",
                "still": still,
                "frames": frames,
            },
        )
    return True


def to_gif(run: Run, epochs: Sequence[int]) -> bytes:
    """Return all epochs as an animated GIF, the number of the epoch below the pictures."""
    frames = []
    for epoch in evenly_spaced(epochs, most=100):
        if (sheet := read_sheet(run, epoch)) is None:
            continue
        rows = np.concatenate([sheet.clean, sheet.noisy, sheet.denoised])
        picture = Image.fromarray(rows.repeat(GIF_SCALE, 0).repeat(GIF_SCALE, 1))
        frame = Image.new(picture.mode, (picture.width, picture.height + 16))
        frame.paste(picture)
        white = 255 if picture.mode == "L" else (255, 255, 255)
        ImageDraw.Draw(frame).text((4, picture.height + 2), f"epoch {epoch}", fill=white)
        frames.append(frame)
    if not frames:
        return b""
    file = io.BytesIO()
    durations = [GIF_MILLISECONDS] * (len(frames) - 1) + [GIF_LAST]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _row(label: str, pixels: np.ndarray) -> dict[str, str]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"label": label, "png": base64.b64encode(file.getvalue()).decode()}
