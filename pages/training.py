"""Train a network and watch it learn: choose, start, see the curve grow, stop, go on."""

import dataclasses

import streamlit as st

from pages.components.layout import page_footer, page_setup
from pages.components.training import progress, race, run_list
from pages.components.training.form import Asked, own_pictures, pick_training
from pages.components.training.recorded_result import show_kept_result
from pages.components.training.visitor import visitor_token
from train import jobs
from train.config import OPTIMIZERS, TrainConfig
from train.run_folder import Run

page_setup(
    "Train a network",
    "A real training, with Keras and TensorFlow in a process of its own. It goes on when you close "
    "this page; come back by the same link.",
)


def show_run(run: Run, mine: bool) -> None:
    """Draw one run; called anew every half second while it is active."""
    status = jobs.status(run)
    elsewhere = st.query_params.get("run") != run.folder.name
    seen = jobs.is_alive(run), status.state
    if elsewhere or not run.folder.exists() or seen != st.session_state.watching:
        st.rerun()  # The page around it has to know: it ends the half-seconds, and lists the runs.
    show_refusal()
    try:
        config = run.read_config()
    except ValueError as problem:
        st.error(
            f"The settings of this run cannot be read: {jobs.tidy(str(problem), run)}",
            icon=":material/error:",
        )
        return
    history = progress.history_of(run)
    st.subheader(jobs.name_of(run), anchor=False)
    progress.show_progress(run, config, status, history)
    progress.show_why(status)
    if not mine:
        st.caption("You see somebody else's run: its link shows it, but only its owner steers it.")
    with st.container(horizontal=True):
        if mine:
            show_steering(run, status)
        if mine and not status.active:
            progress.show_take_away(run, history)
            usable = (run.folder / "card.json").exists()
            if usable and st.button("Use on the Draw page", icon=":material/draw:"):
                use(run)
        if racers := jobs.race_of(run):
            st.button(
                "See the race",
                icon=":material/flag:",
                on_click=run_list.open_comparison,
                args=(racers,),
            )
        if mine and not status.active:
            show_undoing(run)  # Last, where nobody has just pressed Stop twice.
    progress.show_numbers(config, status, history)
    progress.show_curves(history)
    progress.show_probes(run, history)


def show_steering(run: Run, status: jobs.Status) -> None:
    """Draw the buttons that steer a run."""
    if status.active:
        steer_button(run, "Pause", "pause", jobs.pause, "Stops after this batch; Continue goes on.")
        steer_button(run, "Stop and keep", "stop", jobs.stop, "Ends here; what it learned stays.")
        return
    if status.state in jobs.CAN_GO_ON:
        steer_button(
            run,
            "Continue",
            "play_arrow",
            jobs.resume,
            "Goes on where it was.",
            primary=status.state == jobs.PAUSED,
        )
    if status.state == jobs.DIVERGED:
        rate = safer_rate(run.read_config())
        again = "A new run with smaller steps."
        steer_button(run, f"Try again at {rate:g}", "replay", try_again, again)


def show_undoing(run: Run) -> None:
    """Draw the buttons that forget what a run has learned."""
    forget = "Forgets all and starts over, same settings."
    steer_button(run, "Reset", "restart_alt", jobs.reset, forget)
    st.button("Delete", icon=":material/delete:", on_click=run_list.delete, args=(run,))


def steer_button(run: Run, label: str, icon: str, act, help: str, primary: bool = False) -> None:
    """Draw a button that does something with a run."""
    st.button(
        label,
        icon=f":material/{icon}:",
        on_click=steer,
        args=(act, run),
        help=help,
        type="primary" if primary else "secondary",
    )


def show_refusal() -> None:
    """Say why the last click did nothing, once."""
    if refused := st.session_state.pop("refused", None):
        st.warning(refused, icon=":material/hourglass_disabled:")


def start(asked: Asked, token: str) -> None:
    """Start a run and show it; a callback."""
    try:
        drawing = st.session_state.get("drawing")  # From the Draw page, if somebody drew there.
        run = jobs.start(asked.config, token, asked.name, drawing=drawing, pictures=own_pictures())
        run_list.open_run(run)
        st.toast("It has started: beside this form, on a phone below it.", icon=":material/school:")
    except (jobs.Refused, OSError) as problem:
        st.session_state.refused = run_list.reason(problem)


def steer(act, run: Run) -> None:
    """Do something with a run, or say why it cannot be done; a callback."""
    try:
        act(run)
    except (jobs.Refused, OSError, ValueError) as problem:
        if run.folder.exists():  # Else the page says that it is gone.
            st.session_state.refused = run_list.reason(problem)


def try_again(run: Run) -> None:
    """Start the same with smaller steps."""
    config = run.read_config()
    config = dataclasses.replace(config, learning_rate=safer_rate(config))
    start(Asked(f"{jobs.name_of(run)}, smaller steps", config, ""), token)


def safer_rate(config: TrainConfig) -> float:
    """Return a learning rate for a training that diverged: the usual one, or a tenth."""
    tenth = config.learning_rate / 10
    return tenth if config.optimizer == "adadelta" else min(tenth, OPTIMIZERS[config.optimizer])


def use(run: Run) -> None:
    """Go to the Draw page with this network chosen; it is there for this visitor only."""
    own = [folder for folder in st.session_state.get("own_models", []) if folder != run.folder]
    st.session_state.own_models = [run.folder, *own]
    st.session_state.model = run.folder.name
    st.switch_page("pages/draw.py")


token = visitor_token()
ask_box, run_box = st.columns([4, 9], gap="large")

with ask_box:
    asked, start_box = pick_training()
    with start_box:
        if asked.problem:
            st.warning(asked.problem, icon=":material/block:")
        st.button(
            "Train",
            type="primary",
            icon=":material/play_arrow:",
            on_click=start,
            args=(asked, token),
            disabled=token is None or bool(asked.problem),
            width="stretch",
        )
    race.pick_race(asked, token)
    if token:
        run_list.show_runs(token)

with run_box:
    compared = race.comparable(st.query_params.get("compare", ""))
    run_id = st.query_params.get("run", "")
    run = run_list.find_run(run_id)
    # A worker outlives the training by the seconds in which it exports the network.
    if len(compared) > 1:
        st.session_state.watching = alive = [jobs.is_alive(each) for each in compared]
        show_refusal()
        st.fragment(race.show_comparison, run_every=1 if any(alive) else None)(compared, token)
    elif run is not None:
        alive = jobs.is_alive(run)
        st.session_state.watching = alive, jobs.status(run).state
        st.fragment(show_run, run_every=0.5 if alive else None)(
            run, bool(token) and jobs.controls(token, run)
        )
    else:
        show_refusal()
        if run_id or "compare" in st.query_params:
            st.warning("This run does not exist any more: runs are kept for some days only.")
        st.info(
            "Choose a recipe and press Train. The dense network takes some seconds an epoch; "
            "the larger ones a minute or more.",
            icon=":material/school:",
        )
        show_kept_result(asked.recipe)

page_footer(
    "A run is kept for a week and then deleted, unless you pin it; pictures that you upload are "
    "kept with it. Whoever has its link can see it; only this browser can steer or delete it."
)
