"""The curves of a training: batch by batch faint, epoch by epoch bold."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging.named import by_name
from pages.components import widgets
from pages.components.layout import NAME_IN_LINES, show_chart

BATCH, SMOOTHED = "each batch", "each batch, smoothed"
TRAIN, VALIDATION = "training", "validation"
CURVES = [BATCH, TRAIN, VALIDATION, SMOOTHED]
# Of a loss that explodes thirty digits would be written, and cut off.
LOSS_LABELS = "abs(datum.value) < 1e5 || !datum.label ? datum.label : format(datum.value, '.2~e')"
MOST_POINTS = 1000  # More cannot be told apart on a screen; what is kept is never thinned.


@dataclass(frozen=True)
class Measure:
    """The metric of a training that curves show: its name in events, its title, how it is told."""

    name: str
    title: str
    unit: str = ""
    decimals: int = 3

    def as_text(self, value: float | None) -> str:
        """Return a value with its unit; a dash where there is none."""
        return "–" if value is None else f"{value:.{self.decimals}f} {self.unit}".strip()


PSNR = Measure("psnr", "PSNR", "dB", 2)
MEASURES = by_name(
    [
        PSNR,
        Measure("mean_iou", "Mean IoU"),
        Measure("mask_dice", "Dice"),
        Measure("accuracy", "Accuracy"),
    ]
)


@dataclass
class History:
    """What the events of a run told so far."""

    batches_an_epoch: int = 1
    places: array = field(default_factory=lambda: array("d"))  # in epochs, of each batch
    losses: array = field(default_factory=lambda: array("d"))
    rates: list[tuple[float, float]] = field(default_factory=list)
    epochs: list[dict] = field(default_factory=list)
    probes: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    backend: str = ""  # of Keras, as the last worker said
    _last_time: float | None = None

    def add(self, events: Iterable[dict]) -> None:
        """Take in new events, in order."""
        for event in events:
            if event["event"] == "batch":
                self._add_batch(event)
            elif event["event"] == "epoch":
                _put(self.epochs, event)
            elif event["event"] == "probe":
                _put(self.probes, event)
            elif event["event"] == "status":
                self.batches_an_epoch = event.get("batches_an_epoch", self.batches_an_epoch)
                self.backend = event.get("backend", self.backend)
                self._last_time = None  # A pause does not count as training.

    def _add_batch(self, event: dict) -> None:
        place = event["step"] / self.batches_an_epoch
        # A training that was killed goes on from its last checkpoint: some batches come twice.
        while self.places and self.places[-1] >= place:
            self.places.pop()
            self.losses.pop()
        while self.rates and self.rates[-1][0] >= place:
            self.rates.pop()
        if event["loss"] is not None:
            self.places.append(place)
            self.losses.append(event["loss"])
        if "learning_rate" in event:
            self.rates.append((place, event["learning_rate"]))
        if self._last_time is not None:
            self.seconds += event["time"] - self._last_time
        self._last_time = event["time"]

    @property
    def progress(self) -> float:
        """How many epochs are done, with their fraction."""
        return self.places[-1] if self.places else 0.0

    def batches(self) -> np.ndarray:
        """Return epoch and loss of each batch, ``(N, 2)``."""
        return np.column_stack([np.array(self.places), np.array(self.losses)])

    def of_epochs(self, name: str) -> np.ndarray:
        """Return epoch and a value of each epoch that has it, ``(N, 2)``."""
        points = [(e["epoch"], e[name]) for e in self.epochs if e.get(name) is not None]
        return np.array(points, float).reshape(-1, 2)


def _put(events: list[dict], event: dict) -> None:
    """Append the event of an epoch, in place of those that are trained again."""
    while events and events[-1]["epoch"] >= event["epoch"]:
        events.pop()
    events.append(event)


@dataclass(frozen=True)
class View:
    """How curves are drawn.

    ``smoothing`` is the weight of what came before, 0 for none; ``first_epoch`` is where the
    chart begins.
    """

    log_scale: bool = False
    first_epoch: float = 0.0
    smoothing: float = 0.0


def pick_view(history: History) -> View:
    """Ask how to draw the curves."""
    with st.popover("Axes and smoothing", icon=":material/tune:"):
        log_scale = widgets.toggle(
            "Logarithmic loss",
            key="log-scale",
        )
        first = widgets.number_input(
            "Start from epoch",
            0,
            10_000,
            0,
            key="first-epoch",
            help="The first steps are so much worse that they flatten the rest of the curve.",
        )
        smoothing = widgets.slider(
            "Smoothing",
            0.0,
            0.99,
            0.0,
            key="smoothing",
            help="An exponential moving average of the batches, corrected for its bias at the "
            "start. The raw curve stays visible behind it.",
        )
    # An epoch that is not there yet would leave an empty chart.
    return View(log_scale, min(first, max(0.0, history.progress - 1)), smoothing)


def decimated(points: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Return at most ``most`` of the points ``(N, 2)``, in order, that look like all of them.

    The first and the last are kept, and of each stretch between them the lowest and the highest:
    no peak is lost.
    """
    if len(points) <= most:
        return points
    inner = points[1:-1]
    stretches = (most - 2) // 2
    edges = np.linspace(0, len(inner), stretches + 1).astype(int)
    chosen = [0, len(points) - 1]
    for start, end in pairwise(edges):
        values = inner[start:end, 1]
        chosen += [1 + start + int(values.argmin()), 1 + start + int(values.argmax())]
    return points[np.unique(chosen)]


def smoothed(points: np.ndarray, weight: float) -> np.ndarray:
    """Return the points ``(N, 2)`` with an exponential mean of their values, free of its bias.

    A mean that starts at 0 is too small at first; it is divided by the weight that it has seen.

    Source:
        Kingma and Ba, Adam, ICLR 2015, arXiv:1412.6980, section 3; TensorBoard does the same.
    """
    sums = accumulate(points[:, 1].tolist(), lambda mean, value: weight * mean + value, initial=0.0)
    means = np.fromiter(sums, float)[1:] * (1 - weight)
    seen = 1 - np.power(weight, np.arange(1, len(points) + 1))
    return np.column_stack([points[:, 0], means / seen])


def show_loss(history: History, view: View) -> None:
    """Draw the loss against epochs."""
    batches = history.batches()
    curves = {BATCH: batches}
    if view.smoothing:
        curves[SMOOTHED] = smoothed(batches, view.smoothing)
    curves[TRAIN], curves[VALIDATION] = history.of_epochs("loss"), history.of_epochs("val_loss")
    table = _table(curves, view.first_epoch, positive=view.log_scale)
    faint = f"datum.curve == '{BATCH}'"
    chart = (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=_epochs(table),
            y=alt.Y(
                "value:Q",
                title="loss",
                axis=alt.Axis(tickCount=5, labelExpr=LOSS_LABELS),
                scale=alt.Scale(type="log" if view.log_scale else "linear", zero=False),
            ),
            color=_colour(curves),
            opacity=alt.condition(faint, alt.value(0.25 if view.smoothing else 0.5), alt.value(1)),
            strokeWidth=alt.condition(faint, alt.value(1), alt.value(2.5)),
            tooltip=["curve:N", alt.Tooltip("epoch:Q", format=".2f"), "value:Q"],
        )
    )
    # After the first epoch there is a point to see, and no line yet.
    epochs = chart.transform_filter(f"datum.curve == '{TRAIN}' || datum.curve == '{VALIDATION}'")
    chart = (chart + epochs.mark_circle(size=30)).properties(height=380)
    show_chart(chart, "loss-chart", alt=f"Loss, {_now(history, 'loss')}")


def show_measure(history: History, view: View, measure: Measure) -> None:
    """Draw the metric of training and validation against epochs."""
    name = measure.name
    curves = {TRAIN: history.of_epochs(name), VALIDATION: history.of_epochs(f"val_{name}")}
    table = _table(curves, view.first_epoch)
    chart = (
        alt.Chart(table)
        .mark_line(point=True, strokeWidth=2.5)
        .encode(
            x=_epochs(table),
            y=alt.Y(
                "value:Q",
                title=f"{measure.title} ({measure.unit})" if measure.unit else measure.title,
                axis=alt.Axis(tickCount=4),
                scale=alt.Scale(zero=False, padding=8),
            ),
            color=_colour(curves),
            tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=f".{measure.decimals}f")],
        )
        .properties(height=280)
    )
    words = f"{measure.title}, {_now(history, name)}"
    show_chart(chart, key=f"{name}-chart", alt=words)


def show_learning_rate(history: History, view: View) -> None:
    """Draw the learning rate against epochs."""
    rates = np.array(history.rates, float).reshape(-1, 2)
    table = _table({"learning rate": rates}, view.first_epoch)
    chart = (
        alt.Chart(table)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=_epochs(table),
            y=alt.Y(
                "value:Q",
                title="learning rate",
                axis=alt.Axis(tickCount=4, format="~g"),
            ),
            tooltip=[
                alt.Tooltip("epoch:Q", format=".2f"),
                alt.Tooltip("value:Q", title="learning rate", format="~g"),
            ],
        )
        .properties(height=200)  # As high as PSNR, which has a legend, without one.
    )
    now = f"now {rates[-1, 1]:g}" if len(rates) else "not known yet"
    show_chart(chart, key="rate-chart", alt=f"Learning rate, {now}")


def show_overlay(histories: Mapping[str, History], name: str, title: str, log_scale: bool) -> None:
    """Draw one value, as ``val_psnr``, of several runs in one chart."""
    table = _table({run: history.of_epochs(name) for run, history in histories.items()}, 0.0)
    chart = (
        alt.Chart(table)
        .mark_line(point=True, strokeWidth=2.5)
        .encode(
            x=_epochs(table),
            y=alt.Y(
                "value:Q",
                title=title,
                axis=alt.Axis(tickCount=5, labelExpr=LOSS_LABELS),
                # Rounded to powers of ten, a logarithmic axis would leave most of it empty.
                scale=alt.Scale(
                    type="log" if log_scale else "linear", zero=False, nice=not log_scale, padding=8
                ),
            ),
            color=alt.Color(
                "curve:N",
                scale=alt.Scale(domain=list(histories)),
                legend=alt.Legend(
                    orient="bottom",
                    title=None,
                    columns=1,
                    labelLimit=400,
                    labelExpr=NAME_IN_LINES,
                ),
            ),
            # Not by colour alone.
            shape=alt.Shape("curve:N", scale=alt.Scale(domain=list(histories)), legend=None),
            tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=".4g")],
        )
        # The names stand below each other, long ones on several lines.
        .properties(height=280 + sum(30 + 17 * (len(run) // 30) for run in histories))
    )
    last = [
        f"{run} {history.epochs[-1][name]:.4g}"
        for run, history in histories.items()
        if history.epochs and history.epochs[-1].get(name) is not None
    ]
    show_chart(
        chart,
        key=f"overlay-{name}",
        alt=f"{title}: {', '.join(last) or 'none yet'}",
    )


def _epochs(table: pd.DataFrame) -> alt.X:
    """The axis of epochs, in whole ones if there is one in the table."""
    drawn = table["epoch"]
    if drawn.max() - drawn.min() < 1 and not (drawn == drawn.round()).any():
        return alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickCount=5, format="~g"))
    return alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, tickCount=8, format="d"))


def _colour(curves: Iterable[str]) -> alt.Color:
    """The same colour for the same curve in every chart, with a legend for these."""
    return alt.Color(
        "curve:N",
        scale=alt.Scale(domain=CURVES),
        # Two side by side: more are cut off on a phone.
        legend=alt.Legend(orient="bottom", title=None, columns=2, values=list(curves)),
    )


def _now(history: History, name: str) -> str:
    """The newest values as words, for people who cannot see the chart."""
    if not history.epochs:
        return "before the end of the first epoch"
    last = history.epochs[-1]
    return f"after epoch {last['epoch']}: training {last[name]}, validation {last[f'val_{name}']}"


def _table(
    curves: Mapping[str, np.ndarray], first_epoch: float, positive: bool = False
) -> pd.DataFrame:
    """The points to draw, ``(curve, epoch, value)``; a logarithm needs positive ones."""
    frames = []
    for name, points in curves.items():
        shown = points[points[:, 0] >= first_epoch]
        if positive:
            shown = shown[shown[:, 1] > 0]
        shown = decimated(shown)
        frames.append(pd.DataFrame({"curve": name, "epoch": shown[:, 0], "value": shown[:, 1]}))
    return pd.concat(frames)
