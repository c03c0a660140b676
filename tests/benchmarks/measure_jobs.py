"""What the networks of more jobs cost: seconds and memory, on small and on large pictures.

    python -m tests.benchmarks.measure_jobs cells 1000 1000 5

is one measurement in its own process, whose memory nothing else has touched.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

from imaging.audio import LONGEST
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import find_card, load_catalogue
from models.predictor import load_predictor
from models.tasks import TASKS
from models.tasks.contract import Task
from models.tasks.upscale_photos import MOST_PIXELS
from tests.app_server import ROOT
from tests.benchmarks.measure_photo import watching
from tests.benchmarks.report import Budget, Row

MEGAPIXEL, LARGE = (1000, 1000), (3000, 4000)  # height and width
RUNS = 5
WARM = 96  # pixels to a side, or tenths of a second, before the memory is looked at
SPEED, MEMORY = Budget(median=1.5), Budget(median=400)


# Those that the page More jobs shows.
MEASURED = [name for name, each in TASKS.items() if each.samples]


def jobs(tasks: Sequence[str] = ()) -> list[Row]:
    """Seconds of every network on 1 and 12 megapixels, and megabytes of every job on the larger.

    Where the answer to 12 megapixels would be too large and is refused, the largest that is not.
    A job with sound has the longest recording instead.  Where tasks are named, these alone are
    measured.
    """
    rows, above = [], {}
    for card in load_catalogue().values():
        task = TASKS[card.task]
        if task.name not in (tasks or MEASURED):
            continue
        for size, runs in _sizes(task):
            measured = _measured_alone(card.name, size, runs)
            budget = SPEED if size != LARGE and runs > 1 else Budget()
            rows.append(Row(f"`{card.name}`, {in_words(task, size)}", "s", measured[0], budget))
        # The last size is the largest.
        above.setdefault((task.name, in_words(task, size)), []).append(measured[1])
    return rows + [
        Row(f"memory above idle, `{task}`, {words}", "MB", [max(megabytes)], MEMORY)
        for (task, words), megabytes in above.items()
    ]


def _sizes(task: Task) -> list[tuple[tuple[int, int], int]]:
    """The sizes of the inputs and how often each is measured, the largest last."""
    if task.input.kind == "audio":
        return [((1, LONGEST * task.input.rate), RUNS)]
    if task.scale == 1:
        return [(MEGAPIXEL, RUNS), (LARGE, 1)]
    largest = int((MOST_PIXELS / task.scale**2) ** 0.5)
    return [(MEGAPIXEL, RUNS), *([((largest, largest), 1)] if largest > MEGAPIXEL[0] else [])]


def in_words(task: Task, size: tuple[int, int]) -> str:
    """Return what an input of this size is called."""
    if task.input.kind == "audio":
        return f"{size[1] // task.input.rate} seconds"
    megapixels = size[0] * size[1] / 1e6
    return f"{megapixels:.3g} megapixel{'' if megapixels == 1 else 's'}"


def _measured_alone(name: str, size: tuple[int, int], runs: int) -> tuple[list[float], float]:
    """Seconds of each run and megabytes above idle, of a process of its own."""
    command = [sys.executable, "-m", __name__, name, *map(str, (*size, runs))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def measure(name: str, size: tuple[int, int], runs: int) -> tuple[list[float], float]:
    """Return the seconds of each run and the megabytes that the runs took above the rest."""
    predictor = load_predictor(find_card(name))
    given = _input(predictor.task, size)
    predictor.predict(_input(predictor.task, (min(size[0], WARM), min(size[1], 100 * WARM))))
    seconds = []
    with watching(os.getpid()) as seen:
        for _ in range(runs):
            began = time.perf_counter()
            predictor.predict(given)
            seconds.append(time.perf_counter() - began)
    return seconds, max(seen) - seen[0]


def _input(task: Task, size: tuple[int, int]) -> np.ndarray:
    """A photo ``uint8 (*size, 3)``, or a sound as long as ``size`` is wide."""
    if task.input.kind == "audio":
        sound, _ = next(iter(task.samples.values())).load()
        return np.resize(sound, size[1])
    photo = Image.fromarray(PHOTO_SAMPLES["astronaut"].load())
    return np.asarray(photo.resize(size[::-1], Image.Resampling.BICUBIC))


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], (int(sys.argv[2]), int(sys.argv[3])), int(sys.argv[4]))))
