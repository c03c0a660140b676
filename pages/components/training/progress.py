"""What the Train page shows of one run: how it is doing, its curves, what one can take away."""

import csv
import io

import streamlit as st

from models.tasks import TASKS
from pages.components.code_downloads import show_code_downloads
from pages.components.explain import duration
from pages.components.training import probes
from pages.components.training.curves import (
    MEASURES,
    PSNR,
    History,
    Measure,
    pick_view,
    show_learning_rate,
    show_loss,
    show_measure,
)
from train import owners, run_status
from train.config import TrainConfig
from train.run_folder import Run

WORDS = {
    run_status.WAITING: "Waiting",
    run_status.STARTING: "Starting TensorFlow",
    run_status.TRAINING: "Training",
    run_status.FINISHED: "Finished",
    run_status.PAUSED: "Paused",
    run_status.STOPPED: "Stopped",
    run_status.DIVERGED: "Diverged",
    run_status.FAILED: "Failed",
}
ICONS = {
    run_status.WAITING: ":material/hourglass_top:",
    run_status.STARTING: ":material/rocket_launch:",
    run_status.TRAINING: ":material/model_training:",
    run_status.FINISHED: ":material/check_circle:",
    run_status.PAUSED: ":material/pause_circle:",
    run_status.STOPPED: ":material/stop_circle:",
    run_status.DIVERGED: ":material/trending_up:",
    run_status.FAILED: ":material/error:",
}
COLUMNS = [
    "event",
    "step",
    "epoch",
    "seconds",
    "loss",
    "val_loss",
    *(f"{split}{name}" for name in [*MEASURES, "mse"] for split in ("", "val_")),
    "learning_rate",
    "images_per_second",
]


def history_of(run: Run) -> History:
    """Return what is known of the run, after reading what is new in its file."""
    # A run that was reset begins a new file.
    rounds = owners.owner(run).get("round", 0)
    key = f"history-{run.folder.name}"
    if key not in st.session_state or st.session_state[key][0] != rounds:
        st.session_state[key] = rounds, run_status.EventReader(run), History()
    _, reader, history = st.session_state[key]
    history.add(reader.read_new())
    return history


def show_progress(
    run: Run, config: TrainConfig, status: run_status.Status, history: History
) -> None:
    """Draw how far the run is."""
    text = WORDS[status.state]
    if status.state == run_status.WAITING and status.ahead:
        text = f"Waiting: {status.ahead} before this one"
    elif status.state in (run_status.WAITING, run_status.STARTING):
        text = "Starting TensorFlow and loading the data: a few seconds"
    elif status.state == run_status.TRAINING:
        epoch = min(int(history.progress) + 1, config.epochs)  # The last is validated.
        text = f"Training: epoch {epoch} of {config.epochs}"
    elif status.state in (run_status.PAUSED, run_status.STOPPED, run_status.DIVERGED):
        text = f"{text} after {history.progress:.1f} of {config.epochs} epochs"
    st.progress(min(1.0, history.progress / config.epochs), text=text)


def has_weights(run: Run) -> bool:
    """Whether anything that a run has learned was saved."""
    return run.model.exists() or run.checkpoint.exists()


def show_why(run: Run, status: run_status.Status) -> None:
    """Say why the run ended, where it did not simply reach its end."""
    why = f"{status.detail[:1].upper()}{status.detail[1:]}"
    if status.state == run_status.FAILED:
        st.error(why, icon=":material/error:")
    elif status.state == run_status.DIVERGED:
        kept = "The weights saved last are kept." if has_weights(run) else "Nothing was learned."
        st.error(
            f"{why}. The learning rate was too high, so every step overshot further. {kept}",
            icon=":material/trending_up:",
        )
    elif status.state == run_status.STOPPED and status.detail not in ("", "asked", "interrupted"):
        st.warning(f"The run stopped: {status.detail}.", icon=":material/front_hand:")
    elif status.state == run_status.FINISHED and status.detail:
        st.info(f"{why}.", icon=":material/flag:")


def measure_of(config: TrainConfig) -> Measure:
    """Return the metric that tells how good the network of a training is."""
    known = [name for name in TASKS[config.task].watch if name in MEASURES]
    return MEASURES[known[-1]] if known else PSNR


def show_numbers(config: TrainConfig, status: run_status.Status, history: History) -> None:
    """Draw the newest numbers."""
    with st.container(horizontal=True):
        last = history.epochs[-1] if history.epochs else {}
        measure, loss = measure_of(config), last.get("val_loss")
        value = measure.as_text(last.get(f"val_{measure.name}"))
        st.metric(f"Validation {measure.title}", value)
        st.metric("Validation loss", "–" if loss is None else f"{loss:.4f}")
        st.metric("Trained for", duration(history.seconds))
        if status.state == run_status.TRAINING and history.progress:
            left = history.seconds * (config.epochs / history.progress - 1)
            st.metric("Time left", duration(left))
        speed = last.get("images_per_second")
        st.metric("Pictures per second", f"{speed:,.0f}" if speed else "–")


def show_curves(history: History, measure: Measure = PSNR) -> None:
    """Draw loss, metric and learning rate."""
    if not history.places:
        return
    view = pick_view(history)
    show_loss(history, view)
    if history.epochs:
        measure_box, rate_box = st.columns(2)
        with measure_box:
            show_measure(history, view, measure)
        with rate_box:
            show_learning_rate(history, view)


def show_probes(run: Run, config: TrainConfig, history: History, mine: bool) -> None:
    """Draw what the network made of the same few pictures after each epoch."""
    task, drawn = TASKS[config.task], run.drawing.exists()
    if not history.probes:
        if mine and task.degrade and not drawn:
            st.caption(
                "Draw a digit on the Draw page first, and you can watch the network clean it up."
            )
        return
    probes.show_probes(run, [event["epoch"] for event in history.probes], task.words)
    yours = "Your own drawing is on the left. " if mine and task.degrade and drawn else ""
    invented = (
        "The last column is pure noise: whatever appears there is invented. "
        if task.degrade
        else ""
    )
    st.caption(f"{yours}{invented}None of these pictures was used for training.")


def show_downloads(
    run: Run, config: TrainConfig, status: run_status.Status, history: History
) -> None:
    """Draw the downloads of a run and the command that repeats it."""
    with st.popover("Download", icon=":material/download:"):
        files = {
            "Network (Keras)": (run.model if run.model.exists() else run.checkpoint, "model.keras"),
            "Network (ONNX)": (run.folder / "model.onnx", "model.onnx"),
            "Settings (JSON)": (run.folder / "config.json", "config.json"),
            "Your pictures (NumPy)": (run.own, "own.npz"),
        }
        for label, (path, name) in files.items():
            if path.exists():
                _button(label, path.read_bytes, name)
        if history.epochs:
            _button("Curves (CSV)", lambda: to_csv(run), "curves.csv")
        if history.probes:
            epochs = [event["epoch"] for event in history.probes]
            _button("Film (animated GIF)", lambda: probes.to_gif(run, epochs), "film.gif")
        show_code_downloads(config, owners.name_of(run), "code-of-run")
        own = " and your pictures" if run.own.exists() else ""
        whole = f"{config.epochs} epochs" if config.epochs > 1 else "1 epoch"
        # One that was broken off would not be broken off again.
        aim = f"train all {whole}" if status.state in run_status.CAN_GO_ON else "repeat this run"
        st.caption(f"To {aim} on your own machine, put the settings{own} into a folder and run")
        st.code("python -m train run FOLDER", language="bash")


def to_csv(run: Run) -> str:
    """Return all batches and epochs of a run as CSV."""
    file = io.StringIO()
    table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
    table.writeheader()
    for event in run.events():
        if event["event"] in ("batch", "epoch"):
            table.writerow(event)
    return file.getvalue()


def _button(label: str, make, name: str) -> None:
    st.download_button(label, make, name, on_click="ignore", key=f"take-{name}", width="stretch")
