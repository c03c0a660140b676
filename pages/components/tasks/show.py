"""How the answers of a task are shown, by the kind of its target."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from imaging.pixels import as_image, to_8_bits, to_pixels
from imaging.segmentation import centre_line_length
from models.host import a_turn
from models.tasks.contract import Task, Touch
from pages.components import widgets
from pages.components.tasks.audio import show_sound
from pages.components.tasks.downloads import (
    download_classes,
    download_instances,
    download_mask,
    download_picture,
    measure,
    pick_answer,
)
from pages.components.tasks.given import Given
from pages.components.tasks.regions import (
    COLOURS,
    as_shown,
    overlay,
    table_of,
    without_void,
)
from pages.components.tasks.texts import score_text
from pages.components.tasks.work import Answers
from pages.components.viewer import Classes, compare

SMALL = 256  # pixels of an enlarged picture's longer side: it is seen as large as there is room


def show_instances(task: Task, given: Given, found: Answers) -> None:
    """Draw numbered things in colours, count them, and offer a table of each."""
    answers = found.by_title
    _show_regions(task, given, answers, lambda numbers: numbers - 1, table_of(COLOURS))
    truth = None if given.target is None else len(np.unique(given.target[given.target > 0]))
    counts = {title: int(numbers.max(initial=0)) for title, numbers in answers.items()}
    columns = st.columns(len(counts) + (truth is not None))
    for column, (title, count) in zip(columns, counts.items(), strict=False):
        with column:
            st.metric(
                title,
                f"{count:,} found" if count else "none found",
                delta=None if truth is None else f"{count - truth:+d} against the true {truth}",
                delta_color="off",
                delta_arrow="off",
            )
    if truth is not None:
        with columns[-1]:
            st.metric(task.words[0], f"{truth:,}")
    _show_scores(task, given, answers)
    title = pick_answer(answers)
    measured = found.one(
        title, "regions", lambda numbers: measure(numbers, 255 * as_image(given.input).mean(axis=2))
    )
    download_instances(given, answers[title], measured)


def show_mask(task: Task, given: Given, found: Answers) -> None:
    """Draw a mask in one colour, say how much of the picture it is and how long its lines are."""
    answers = found.by_title
    _show_regions(
        task, given, answers, lambda mask: np.where(mask[..., 0] > 0.5, 0, -1), table_of(COLOURS)
    )
    lengths = found.each("length", lambda mask: centre_line_length(mask[..., 0]))
    for column, (title, mask) in zip(st.columns(len(answers)), answers.items(), strict=True):
        with column:
            st.metric(
                title,
                f"{mask.mean():.1%} of the picture" if mask.any() else "none found",
                delta=f"{lengths[title]:,.0f} pixels long" if mask.any() else None,
                delta_color="off",
                delta_arrow="off",
            )
    _show_scores(task, given, answers)
    title = pick_answer(answers)
    download_mask(given, answers[title])


def show_classes(task: Task, given: Given, found: Answers) -> None:
    """Draw each class in its colour, with a legend that says how much of the picture it is."""
    answers = found.by_title
    colours, labels = task.target.colours, task.target.labels
    _show_regions(
        task,
        given,
        answers,
        lambda classes: without_void(classes, len(labels)),
        table_of(colours),
        labels,
    )
    shown = dict(answers)
    if given.target is not None:
        shown[task.words[0]] = given.target
    rows = []
    for number, (label, colour) in enumerate(zip(labels, colours, strict=True)):
        shares = "".join(f"<td>{np.mean(classes == number):.1%}</td>" for classes in shown.values())
        swatch = (
            f"background:{colour};display:inline-block;width:1.1em;height:1.1em;"
            "forced-color-adjust:none"
        )
        rows.append(
            f'<tr><td><span style="{swatch}"></span></td><td>{escape(label)}</td>{shares}</tr>'
        )
    heads = "".join(f"<th>{escape(title)}</th>" for title in shown)
    st.html(
        "<style>.legend td,.legend th{padding:.1rem .8rem .1rem 0;text-align:left}</style>"
        f'<div style="overflow-x:auto"><table class="legend"><tr><th></th><th></th>{heads}</tr>'
        f"{''.join(rows)}</table></div>"
    )
    _show_scores(task, given, answers)
    title = pick_answer(answers)
    download_classes(given, answers[title], colours)


def show_pictures(task: Task, given: Given, found: Answers) -> None:
    """Show pictures beside the input, in its size where they have it."""
    answers = found.by_title
    touches = [
        touch
        for touch in task.touches.values()
        if widgets.toggle(
            touch.title, key=f"tasks_touch_{task.name}_{touch.name}", help=touch.description
        )
    ]
    if touches:
        what = " ".join(touch.name for touch in touches)
        answers = found.each(what, lambda answer: _touched(touches, given.input, answer))
    height, width = (side * task.scale for side in given.input.shape[:2])
    at_100_percent = task.scale > 1 and max(height, width) > SMALL
    if task.scale > 1:
        before = f"{width // task.scale} x {height // task.scale}"
        part = " Below is a part of them at 100 %: drag it to see another."
        st.caption(f"{before} pixels become {width} x {height}.{part if at_100_percent else ''}")
    seen = given.input
    if task.seen is not None:
        seen = found.of_input("seen", lambda: to_pixels(task.seen(given.input)))
    images = {task.words[1]: seen} | dict(answers)
    if given.target is not None:
        images[task.words[0]] = given.target
    size = max(image.shape[:2] for image in images.values())
    compare(
        {title: _enlarged(image, size) for title, image in images.items()},
        key="tasks_viewer",
        zoom=1 if at_100_percent else None,
    )
    if given.target is not None:  # Or there is nothing to compare with, and floats are large.
        _show_scores(task, given, {title: as_image(answer) for title, answer in answers.items()})
    title = pick_answer(answers)
    download_picture(given, answers[title])


def _touched(touches: Sequence[Touch], input: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Apply one touch after the other; return 8 bits."""
    for touch in touches:
        answer = touch.apply(input, as_image(answer))
    return to_pixels(answer)


def _enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeat the pixels of a smaller picture."""
    if image.shape[:2] != size:
        rows = np.arange(size[0]) * image.shape[0] // size[0]
        columns = np.arange(size[1]) * image.shape[1] // size[1]
        image = image[rows[:, None], columns]
    return image if image.dtype == np.float32 else to_8_bits(image)


def _show_regions(
    task: Task,
    given: Given,
    answers: Mapping[str, np.ndarray],
    numbers: Callable[[np.ndarray], np.ndarray],
    colours: np.ndarray,
    labels: Sequence[str] = (),
) -> None:
    """Draw input, answers and truth in one viewer, regions over the picture.

    With ``labels`` the mouse reads out those of the numbers.
    """
    viewer = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        strength = widgets.slider(
            "Colour over the picture", 0, 100, key="tasks_strength", format="%d %%", width=320
        )
        contour = widgets.toggle("Outline", key="tasks_contour")
    picture = as_shown(given.input)
    images = {task.words[1]: picture}
    regions = dict(answers)
    if given.target is not None:
        regions[task.words[0]] = given.target
    marked: dict[str, np.ndarray] = {}
    with a_turn():
        for title, answer in regions.items():
            marks = numbers(answer)
            images[title] = overlay(picture, marks, colours, strength / 100, contour)
            if labels:  # What has no label is -1, which becomes 255.
                marked[title] = marks.astype(np.uint8)
    with viewer:
        compare(images, key="tasks_viewer", classes=Classes(labels, marked) if labels else None)


def _show_scores(task: Task, given: Given, answers: Mapping[str, np.ndarray]) -> None:
    """Show how good each answer is where the truth is known."""
    if given.target is None:
        return
    metrics = task.metrics[:4]
    rows = {
        title: {metric.title: score_text(metric, given.target, answer) for metric in metrics}
        for title, answer in answers.items()
    }
    with st.expander("How good is that?"):
        st.dataframe(pd.DataFrame(rows).T)
        for metric in metrics:
            st.caption(f"**{metric.title}**: {metric.description}")


# By the kind of a task's target.
SHOW: dict[str, Callable[[Task, Given, Answers], None]] = {
    "instances": show_instances,
    "mask": show_mask,
    "classes": show_classes,
    "image": show_pictures,
    "audio": lambda task, given, found: show_sound(task, given, found.by_title),
}
