"""What the Train page asks and shows: the settings of a run, and the run itself."""

import base64
import dataclasses
from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image

from imaging.noise import NOISE_KINDS
from pages.components.curves import History, show_loss, show_psnr
from pages.components.gallery import png
from train import jobs
from train.config import DATA_SETS, LOSSES, OPTIMIZERS, SCHEDULES, Noise, TrainConfig
from train.recipes import RECIPES
from train.runs import Run

FIRST_RECIPE = "dense"
WORDS = {
    jobs.WAITING: "Waiting",
    jobs.STARTING: "Starting TensorFlow",
    jobs.TRAINING: "Training",
    jobs.FINISHED: "Finished",
    jobs.STOPPED: "Stopped",
    jobs.FAILED: "Failed",
}
LOSS_TITLES = {
    "binary_crossentropy": "Binary cross-entropy",
    "mse": "Mean squared error",
    "mae": "Mean absolute error",
}


def pick_config() -> TrainConfig:
    """Ask for a recipe and what to change in it; return the settings of a run."""
    recipes = [name for name, recipe in RECIPES.items() if recipe.config.target == "clean"]
    name = st.selectbox(
        "Recipe",
        recipes,
        index=recipes.index(FIRST_RECIPE),
        format_func=lambda name: RECIPES[name].title,
        key="recipe",
    )
    recipe = RECIPES[name]
    config = recipe.config
    st.caption(f"{recipe.purpose} {recipe.source}.")

    # A key with the recipe in it: another recipe brings its own settings along.
    key = f"{name}-".__add__
    epochs = st.slider(
        "Epochs", 1, jobs.Limits().epochs, min(config.epochs, 100), key=key("epochs")
    )
    with st.expander("Data and noise"):
        data = st.selectbox("Data", DATA_SETS, index=DATA_SETS.index(config.data), key=key("data"))
        noise = _pick_noise(config, key)
        fresh = st.toggle(
            "New noise in every epoch",
            config.fresh_noise,
            key=key("fresh"),
            help="The tutorials draw the noise once; then the network can learn it by heart.",
        )
    with st.expander("Learning"):
        optimizer = st.selectbox(
            "Optimizer",
            list(OPTIMIZERS),
            index=list(OPTIMIZERS).index(config.optimizer),
            key=key("optimizer"),
        )
        usual = config.learning_rate if optimizer == config.optimizer else OPTIMIZERS[optimizer]
        rate = st.number_input(
            "Learning rate",
            1e-6,
            100.0,
            usual,
            format="%g",
            key=key(f"rate-{optimizer}"),
            help="Each optimizer starts at Keras 3's own default, a recipe at its own.",
        )
        if optimizer == "adadelta" and rate < 0.1:
            st.warning(
                "Adadelta at 0.001, the default of Keras 3, barely learns: the tutorials were "
                "written when it was 1.0."
            )
        schedule = st.selectbox(
            "Schedule", SCHEDULES, index=SCHEDULES.index(config.schedule), key=key("schedule")
        )
        losses = [loss for loss in LOSSES if loss in LOSS_TITLES]
        loss = st.selectbox(
            "Loss",
            losses,
            index=losses.index(config.loss),
            format_func=LOSS_TITLES.get,
            key=key("loss"),
        )
        batch = st.select_slider("Batch", [16, 32, 64, 128, 256, 512], config.batch, key=key("b"))
        seed = st.number_input("Seed", 0, 9999, config.seed, key=key("seed"))
    return dataclasses.replace(
        config,
        epochs=epochs,
        data=data,
        noise=noise,
        fresh_noise=fresh,
        optimizer=optimizer,
        learning_rate=rate,
        schedule=schedule,
        loss=loss,
        batch=batch,
        seed=seed,
    )


def _pick_noise(config: TrainConfig, key: Callable[[str], str]) -> tuple[Noise, ...]:
    choices = ["as in the recipe", "none", *NOISE_KINDS]
    choice = st.selectbox(
        "Noise",
        choices,
        format_func=lambda name: NOISE_KINDS[name].title if name in NOISE_KINDS else name,
        key=key("noise"),
    )
    if choice == "as in the recipe":
        return config.noise
    if choice == "none":
        return ()
    kind = NOISE_KINDS[choice]
    low, high = st.slider(
        f"Strength, from and to ({kind.unit})",
        kind.low,
        kind.high,
        (kind.low, kind.high),
        kind.step,
        key=key(f"range-{choice}"),
    )
    return (Noise(choice, low, high),)


def history_of(run: Run) -> History:
    """Return what is known of the run, after reading what is new in its file."""
    key = f"history-{run.folder.name}"
    if key not in st.session_state:
        st.session_state[key] = jobs.EventReader(run), History()
    reader, history = st.session_state[key]
    history.add(reader.read_new())
    return history


def show_status(run: Run, status: jobs.Status, history: History) -> None:
    """Draw how the run is doing, in words and numbers."""
    config = run.read_config()
    done = min(1.0, history.progress / config.epochs)
    text = WORDS[status.state]
    if status.state == jobs.WAITING:
        text = f"Waiting: {status.ahead} before this one"
    elif status.state == jobs.STARTING:
        text = "Starting TensorFlow and loading the pictures: some seconds"
    elif status.state == jobs.TRAINING:
        text = f"Training: epoch {int(history.progress) + 1} of {config.epochs}"
    st.progress(done, text=text)
    if status.state == jobs.FAILED:
        st.error(status.detail, icon=":material/error:")
    elif status.state == jobs.STOPPED and status.detail not in ("", "asked", "interrupted"):
        st.warning(f"The run stopped: {status.detail}", icon=":material/front_hand:")

    with st.container(horizontal=True):
        last = history.epochs[-1] if history.epochs else {}
        st.metric("Validation PSNR", f"{last['val_psnr']:.2f} dB" if "val_psnr" in last else "–")
        loss = last.get("val_loss")
        st.metric("Validation loss", "–" if loss is None else f"{loss:.4f}")
        st.metric("Trained for", _duration(history.seconds))
        left = (
            history.seconds * (config.epochs / history.progress - 1) if history.progress else None
        )
        active = status.state == jobs.TRAINING
        st.metric("Time left", _duration(left) if active and left is not None else "–")
        speed = last.get("images_per_second")
        st.metric("Pictures per second", f"{speed:,.0f}" if speed else "–")


def show_curves(history: History) -> None:
    """Draw the loss and PSNR curves with their switches."""
    if not history.batches:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        log_scale = st.toggle("Logarithmic loss", key="log-scale")
        late = st.toggle(
            "Leave out the first epoch",
            key="late",
            help="The first steps are so much worse that they flatten the rest of the curve.",
        )
    show_loss(history, log_scale, 1.0 if late and history.progress > 1 else 0.0)
    if history.epochs:
        show_psnr(history)


def show_probes(run: Run, history: History) -> None:
    """Draw what the network made of the same few pictures after each epoch."""
    if not history.probes:
        if not run.drawing.exists():
            st.caption(
                "Draw a digit on the Draw page first, and you can watch your own become clean."
            )
        return
    epochs = [event["epoch"] for event in history.probes]
    newest = epochs[-1]
    chosen = newest
    if len(epochs) > 1:
        follow = st.toggle("Follow the newest epoch", True, key=f"follow-{run.folder.name}")
        if not follow:
            chosen = st.select_slider("After epoch", epochs, newest, key=f"epoch-{run.folder.name}")
    path = run.folder / "probes" / f"epoch-{chosen:04d}.png"
    try:
        with Image.open(path) as file:
            sheet = np.asarray(file.convert("L"), np.float32)[..., None] / 255
    except OSError:
        st.caption("The pictures of this epoch are gone.")
        return
    source = base64.b64encode(png(sheet)).decode()
    st.html(
        f'<img alt="Original, noisy and denoised digits after epoch {chosen}" '
        'style="width: 100%; image-rendering: pixelated; border-radius: .35rem; display: block" '
        f'src="data:image/png;base64,{source}">'
    )
    yours = "Your own drawing comes first. " if run.drawing.exists() else ""
    st.caption(
        f"After epoch {chosen}: original, noisy, denoised. {yours}None of these digits was "
        "trained on."
    )


def show_take_away(run: Run) -> None:
    """Draw the downloads of a run and the command that repeats it."""
    with st.popover("Download", icon=":material/download:"):
        files = {
            "Network (Keras)": (run.model if run.model.exists() else run.checkpoint, "model.keras"),
            "Settings (JSON)": (run.folder / "config.json", "config.json"),
            "All events (JSON lines)": (run.progress, "progress.jsonl"),
        }
        for label, (path, name) in files.items():
            if path.exists():
                st.download_button(
                    label,
                    path.read_bytes if path.stat().st_size > 0 else "",
                    name,
                    on_click="ignore",
                    key=f"take-{name}",
                    width="stretch",
                )
        st.caption("The same run on your own machine: put the settings into a folder, and")
        st.code("python -m train run FOLDER", language="bash")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
