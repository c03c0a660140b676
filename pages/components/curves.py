"""The curves of a training: batch by batch faint, epoch by epoch bold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import altair as alt
import pandas as pd
import streamlit as st

BATCH, TRAIN, VALIDATION = "each batch", "training", "validation"
EPOCHS = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, tickCount=8))
MOST_POINTS = 600  # More cannot be told apart on a screen; what is kept is never thinned.


@dataclass
class History:
    """What the events of a run told so far."""

    batches_an_epoch: int = 1
    batches: list[tuple[float, float]] = field(default_factory=list)
    epochs: list[dict] = field(default_factory=list)
    probes: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    _last_time: float | None = None

    def add(self, events: Sequence[dict]) -> None:
        """Take in new events, in order."""
        for event in events:
            if event["event"] == "batch":
                if event["loss"] is not None:
                    self.batches.append((event["step"] / self.batches_an_epoch, event["loss"]))
                if self._last_time is not None:
                    self.seconds += event["time"] - self._last_time
                self._last_time = event["time"]
            elif event["event"] == "epoch":
                self.epochs.append(event)
            elif event["event"] == "probe":
                self.probes.append(event)
            elif event["event"] == "status":
                self.batches_an_epoch = event.get("batches_an_epoch", self.batches_an_epoch)
                self._last_time = None  # A pause is no training time.

    @property
    def progress(self) -> float:
        """How many epochs are done, with their fraction."""
        return self.batches[-1][0] if self.batches else 0.0


def thinned(points: Sequence, most: int = MOST_POINTS) -> list:
    """Return at most ``most`` of the points, evenly spread, the first and last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(index * step)] for index in range(most)]


def show_loss(history: History, log_scale: bool, first_epoch: float) -> None:
    """Draw the loss against epochs."""
    batches = [point for point in history.batches if point[0] >= first_epoch]
    frames = [_frame(BATCH, thinned(batches))]
    for name, label in (("loss", TRAIN), ("val_loss", VALIDATION)):
        frames.append(_frame(label, [(e["epoch"], e[name]) for e in history.epochs if e.get(name)]))
    table = pd.concat(frames)
    table = table[table["epoch"] >= first_epoch]
    faint = f"datum.curve == '{BATCH}'"
    chart = (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=EPOCHS,
            y=alt.Y(
                "value:Q",
                title="loss",
                axis=alt.Axis(tickCount=5),
                scale=alt.Scale(type="log" if log_scale else "linear", zero=False),
            ),
            color=_colour(BATCH, TRAIN, VALIDATION),
            opacity=alt.condition(faint, alt.value(0.5), alt.value(1)),
            strokeWidth=alt.condition(faint, alt.value(1), alt.value(2.5)),
            tooltip=["curve:N", alt.Tooltip("epoch:Q", format=".2f"), "value:Q"],
        )
        .properties(height=320)
    )
    st.altair_chart(chart, key="loss-chart", width="stretch", alt=f"Loss, {_now(history, 'loss')}")


def show_psnr(history: History) -> None:
    """Draw the PSNR of training and validation against epochs."""
    frames = [
        _frame(label, [(e["epoch"], e[name]) for e in history.epochs if e.get(name)])
        for name, label in (("psnr", TRAIN), ("val_psnr", VALIDATION))
    ]
    chart = (
        alt.Chart(pd.concat(frames))
        .mark_line(point=True, strokeWidth=2.5)
        .encode(
            x=EPOCHS,
            y=alt.Y(
                "value:Q",
                title="PSNR (dB)",
                axis=alt.Axis(tickCount=4),
                scale=alt.Scale(zero=False, padding=8),
            ),
            color=_colour(TRAIN, VALIDATION),
            tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=".2f")],
        )
        .properties(height=260)
    )
    st.altair_chart(chart, key="psnr-chart", width="stretch", alt=f"PSNR, {_now(history, 'psnr')}")


def _colour(*curves: str) -> alt.Color:
    """The same colour for the same curve in every chart, with a legend for these."""
    return alt.Color(
        "curve:N",
        scale=alt.Scale(domain=[BATCH, TRAIN, VALIDATION]),
        legend=alt.Legend(orient="bottom", title=None, values=list(curves)),
    )


def _now(history: History, name: str) -> str:
    """The newest values as words, for people who cannot see the chart."""
    if not history.epochs:
        return "before the end of the first epoch"
    last = history.epochs[-1]
    return f"after epoch {last['epoch']}: training {last[name]}, validation {last[f'val_{name}']}"


def _frame(curve: str, points: Sequence[tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "curve": curve,
            "epoch": [float(epoch) for epoch, _ in points],
            "value": [float(value) for _, value in points],
        }
    )
