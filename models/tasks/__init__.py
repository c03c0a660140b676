"""The tasks by name: what there is to learn, in the order in which screens list it."""

from imaging.named import by_name, found
from models.tasks import (
    colour_digits,
    colour_photos,
    denoise_digits,
    denoise_photos,
    denoise_speech,
    hear_digits,
    paint,
    read_digits,
    segment_cells,
    segment_digits,
    segment_roads,
    segment_scenes,
    upscale_digits,
    upscale_photos,
)
from models.tasks.contract import Task

TASKS: dict[str, Task] = by_name(
    [
        denoise_digits.TASK,
        denoise_photos.TASK,
        read_digits.TASK,
        segment_cells.TASK,
        segment_roads.TASK,
        segment_scenes.TASK,
        segment_digits.TASK,
        *upscale_photos.TASKS,
        upscale_digits.TASK,
        *colour_photos.TASKS,
        colour_digits.TASK,
        paint.TASK,
        denoise_speech.TASK,
        hear_digits.TASK,
    ]
)


def find_task(name: str) -> Task:
    """Return the task called ``name``; raise ``ValueError`` that lists the known names."""
    return found(TASKS, name, "task")
