"""One run on the Train page: how it is doing, and the buttons that steer it."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import streamlit as st

from models.tasks import TASKS
from pages.components import widgets
from pages.components.layout import say_on_arrival
from pages.components.training import progress, run_list
from pages.components.training.curves import History
from pages.components.training.form import TrainingRequest
from pages.components.training.upload import uploaded_pictures
from train import jobs, owners, run_status
from train.config import OPTIMIZERS, TrainConfig
from train.run_folder import Run
from train.visitor_limits import Refused

Action = Callable[[Run], None]
DOUBLE_CLICK = 2.0  # seconds

# The backend of Keras whose networks can be written as ONNX.
EXPORTS = "tensorflow"
UNUSABLE = (
    ":material/link_off: Training is finished, but its worker was ended before it had prepared the "
    "network for the other pages. Continue does that."
)


def watch(run: Run, mine: bool) -> None:
    """Draw one run, and again every half second while it is active."""
    # A worker outlives the training by the seconds in which it exports the network.
    alive = run_status.is_alive(run)
    st.session_state.watching = alive, run_status.status(run).state
    st.fragment(show_run, run_every=0.5 if alive else None)(run, mine)


def show_run(run: Run, mine: bool) -> None:
    """Draw one run as it is now."""
    status = run_status.status(run)
    seen = run_status.is_alive(run), status.state
    if st.query_params.get("run") != run.folder.name or not run.folder.exists():
        st.rerun()  # The page around it has to know.
    run_list.show_refusal()
    try:
        config = run.read_config()
    except ValueError as problem:
        why = run_status.without_paths(str(problem), run)
        st.error(f"The settings of this run cannot be read: {why}", icon=":material/error:")
        return _follow_changes(seen)
    history = progress.history_of(run)
    st.header(run_list.plain(owners.name_of(run)), anchor=False)
    progress.show_progress(run, config, status, history)
    progress.show_why(run, status)
    if not mine:
        st.caption(
            "This is someone else's run. You can watch it, but only its owner can control it."
        )
    with st.container(horizontal=True):
        show_buttons(run, config, mine, status, history, working=seen[0])
    progress.show_numbers(config, status, history)
    progress.show_curves(history, progress.measure_of(config))
    progress.show_probes(run, config, history, mine)
    _follow_changes(seen)


def _follow_changes(seen: tuple[bool, str]) -> None:
    """Have the page drawn again where it has to know: it ends the half-seconds, lists the runs.

    Done last, as this may be the run of a button that somebody has pressed.
    """
    if seen != st.session_state.watching:
        st.rerun()


def show_buttons(
    run: Run,
    config: TrainConfig,
    mine: bool,
    status: run_status.Status,
    history: History,
    working: bool,
) -> None:
    """Draw what can be done with a run: steer it, take it away, compare it, forget it.

    While its worker is ``working`` after the training, it writes the files that can be taken away,
    and the page is drawn so often that a download would be cut off.
    """
    if mine:
        show_steering(run, status)
    nothing = status.state == run_status.DIVERGED and not progress.has_weights(run)
    if mine and not status.active and working and not nothing:
        st.caption(":material/hourglass_top: Preparing the network …")
    if mine and not status.active and not working:
        progress.show_downloads(run, config, status, history)
        usable = (run.folder / "card.json").exists()
        if status.state == run_status.FINISHED and not usable and history.backend == EXPORTS:
            st.caption(UNUSABLE)
            on = "Only what is missing is made."
            steer_button(run, "Continue", "play_arrow", jobs.resume, on, primary=True)
        if usable and TASKS[config.task].explanation:
            if st.button("Use on More jobs", icon=":material/category:"):
                use_for_job(run, config)
        elif usable and st.button("Use on the Draw page", icon=":material/draw:"):
            use(run)
    if racers := owners.race_of(run):
        st.button(
            "See the race",
            icon=":material/flag:",
            on_click=run_list.open_comparison,
            args=(racers,),
        )
    if mine and not status.active:
        show_undoing(run)  # Last, where nobody has just pressed Stop twice.


def show_steering(run: Run, status: run_status.Status) -> None:
    """Draw the buttons that steer a run."""
    if status.active:
        later = "Pause after the current batch; you can continue later."
        steer_button(run, "Pause", "pause", jobs.pause, later)
        steer_button(run, "Stop and keep", "stop", jobs.stop, "Stop now and keep the weights.")
        return
    if status.state in run_status.CAN_GO_ON:
        paused = status.state == run_status.PAUSED
        on = "Resume where it stopped."
        steer_button(run, "Continue", "play_arrow", jobs.resume, on, primary=paused)
    if status.state == run_status.DIVERGED:
        rate = safer_rate(run.read_config())
        again = "Starts a new run with a lower learning rate."
        steer_button(run, f"Try again at {rate:g}", "replay", try_again, again)


def show_undoing(run: Run) -> None:
    """Draw the buttons that forget what a run has learned."""
    with st.popover("Reset or delete", icon=":material/delete:"):
        st.markdown(
            "**Reset** discards the weights and trains again with the same settings. **Delete** "
            "removes the run. Neither can be undone."
        )
        forget = "Discard the weights and train again with the same settings."
        steer_button(run, "Reset", "restart_alt", jobs.reset, forget)
        widgets.remove_button(run_list.delete, run, label="Delete")


def steer_button(
    run: Run, label: str, icon: str, act: Action, help: str, primary: bool = False
) -> None:
    """Draw a button that does something with a run."""
    st.button(
        label,
        icon=f":material/{icon}:",
        on_click=steer,
        args=(act, run),
        help=help,
        type="primary" if primary else "secondary",
    )


def start(request: TrainingRequest, token: str) -> None:
    """Start a run and show it; a callback."""
    drawing = st.session_state.get("draw_drawing")  # Where somebody drew on that page.
    _start(request, token, drawing, uploaded_pictures())


def _start(
    request: TrainingRequest,
    token: str,
    drawing: np.ndarray | None,
    pictures: np.ndarray | None,
) -> None:
    if was_clicked_before(request):
        return
    try:
        run = jobs.start(request.config, token, request.name, drawing=drawing, pictures=pictures)
        note_start(request, run)
        run_list.open_run(run)
        st.toast(
            "Training started. Watch it on the right (on a phone, below).",
            icon=":material/school:",
        )
    except (Refused, OSError) as problem:
        st.session_state.refused = run_list.reason(problem)


def note_start(asked: object, run: Run) -> None:
    """Note what was asked for when a run was started."""
    st.session_state.started = asked, run, time.monotonic()


def was_clicked_before(asked: object) -> bool:
    """Whether this is the second click of two, before the first one's answer."""
    before, run, since = st.session_state.get("started", (None, None, 0.0))
    again = asked == before and time.monotonic() - since < DOUBLE_CLICK
    return again and run_status.status(run).active


def steer(act: Action, run: Run) -> None:
    """Do something with a run, or say why it cannot be done; a callback."""
    try:
        act(run)
    except (Refused, OSError, ValueError) as problem:
        if run.folder.exists():  # Else the page says that it is gone.
            st.session_state.refused = run_list.reason(problem)


def try_again(run: Run) -> None:
    """Start the same with smaller steps, on the run's own images; a callback."""
    config = run.read_config()
    config = dataclasses.replace(config, learning_rate=safer_rate(config))
    addition = ", lower learning rate"
    name = owners.shortened(owners.name_of(run), owners.LONGEST_NAME - len(addition)) + addition
    request = TrainingRequest(name, config, problem="")
    _start(request, st.session_state.visitor_token, *jobs.given_to(run))


def safer_rate(config: TrainConfig) -> float:
    """Return a learning rate after one that diverged: a tenth, at most the optimizer's default."""
    tenth = config.learning_rate / 10
    return tenth if config.optimizer == "adadelta" else min(tenth, OPTIMIZERS[config.optimizer])


def use(run: Run) -> None:
    """Go to the Draw page with this network chosen; it is there for this visitor only."""
    _take_along(run)
    st.session_state.draw_model = run.folder.name
    say_on_arrival("Your network is selected under “Denoise with”.")
    st.switch_page("pages/draw.py")


def use_for_job(run: Run, config: TrainConfig) -> None:
    """Go to its job with this network among the others, on a sample of what it has learned."""
    _take_along(run)
    st.session_state.task = config.task
    drawn = [name for name, each in TASKS[config.task].samples.items() if each.drawn]
    if drawn:
        st.session_state[f"tasks_sample_{config.task}"] = drawn[0]
        st.session_state.tasks_source = "sample"
    st.switch_page("pages/tasks.py")


def _take_along(run: Run) -> None:
    others = [folder for folder in st.session_state.get("user_models", []) if folder != run.folder]
    st.session_state.user_models = [run.folder, *others]
