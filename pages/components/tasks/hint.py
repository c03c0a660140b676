"""What a visitor may tell a network besides its input: a number on a slider, or colours."""

from typing import Any

from models.tasks.contract import Task
from pages.components import widgets
from pages.components.tasks.given import Given
from pages.components.tasks.hint_pad import pick_hints


def pick_hint(task: Task, given: Given) -> Any:
    """Ask for the hint that the task takes; None where it takes none."""
    if "hints" in task.inputs:
        return pick_hints(given, task.name)
    hint = task.hint
    if hint is None:
        return None
    unit = hint.shown_per_unit
    shown = widgets.slider(
        hint.title,
        hint.low * unit,
        hint.high * unit,
        step=hint.step * unit,
        key=f"tasks_hint_{task.name}",
        help=hint.description,
        width=320,
    )
    return shown / unit
