"""Train a network and watch it learn: choose, start, see the curve grow, stop, go on."""

import streamlit as st

from pages.components import training
from pages.components.layout import page_footer, page_setup
from pages.components.visitor import visitor_token
from train import jobs
from train.runs import Run

page_setup(
    "Train a network",
    "A real training on 58,000 digits, with Keras and TensorFlow in a process of its own. "
    "It goes on when you close this page; come back by the same link.",
)


def show_run(run: Run, mine: bool) -> None:
    """Draw one run; called anew every half second while it is active."""
    status = jobs.status(run)
    if not run.folder.exists() or jobs.is_alive(run) != st.session_state.watching:
        st.rerun()  # The page around it has to know: it starts and ends the half-seconds.
    if refused := st.session_state.pop("refused", None):
        st.warning(refused, icon=":material/hourglass_disabled:")
    try:
        run.read_config()
    except ValueError as problem:
        st.error(f"The settings of this run cannot be read: {problem}", icon=":material/error:")
        return
    history = training.history_of(run)
    training.show_status(run, status, history)
    if not mine:
        st.caption("You see somebody else's run: its link shows it, but only its owner steers it.")
    with st.container(horizontal=True):
        if mine and status.active:
            st.button("Stop and keep", icon=":material/stop:", on_click=jobs.stop, args=(run,))
        if mine and status.state in (jobs.STOPPED, jobs.FAILED):
            st.button("Continue", icon=":material/play_arrow:", on_click=resume, args=(run,))
        if mine and not status.active:
            st.button("Delete", icon=":material/delete:", on_click=delete, args=(run,))
        if not status.active:
            training.show_take_away(run)
        usable = mine and not status.active and (run.folder / "card.json").exists()
        if usable and st.button("Use on the Draw page", icon=":material/draw:"):
            use(run)
    training.show_curves(history)
    training.show_probes(run, history)


def start(config, token: str) -> None:
    """Start a run and show it; a callback."""
    try:
        drawing = st.session_state.get("drawing")  # From the Draw page, if somebody drew there.
        run = jobs.start(config, token, st.session_state.recipe, drawing=drawing)
        st.query_params["run"] = run.folder.name
    except (jobs.Refused, OSError) as problem:
        st.session_state.refused = str(problem)


def resume(run: Run) -> None:
    """Go on with a run; a callback."""
    try:
        jobs.resume(run)
    except jobs.Refused as problem:
        st.session_state.refused = str(problem)


def delete(run: Run) -> None:
    """Delete a run and leave its page; a callback."""
    try:
        jobs.delete(run)
        st.query_params.pop("run", None)
    except jobs.Refused as problem:
        st.session_state.refused = str(problem)


def use(run: Run) -> None:
    """Go to the Draw page with this network chosen; it is there for this visitor only."""
    own = [folder for folder in st.session_state.get("own_models", []) if folder != run.folder]
    st.session_state.own_models = [run.folder, *own]
    st.session_state.model = run.folder.name
    st.switch_page("pages/draw.py")


token = visitor_token()
ask_box, run_box = st.columns([2, 5], gap="large")

with ask_box:
    config = training.pick_config()
    st.button(
        "Train",
        type="primary",
        icon=":material/play_arrow:",
        on_click=start,
        args=(config, token),
        disabled=token is None,
        width="stretch",
    )
    own = jobs.runs_of(token) if token else []
    if own:
        st.markdown("**Your runs**")
    for run in own[:10]:
        name = jobs.owner(run).get("name", run.folder.name)
        st.button(
            f"{name} · {training.WORDS[jobs.status(run).state]}",
            key=f"open-{run.folder.name}",
            on_click=st.query_params.update,
            args=({"run": run.folder.name},),
            width="stretch",
        )

with run_box:
    if refused := st.session_state.pop("refused", None):
        st.warning(refused, icon=":material/hourglass_disabled:")
    run_id = st.query_params.get("run", "")
    run = jobs.find(run_id)
    if run is None:
        if run_id:
            st.warning("This run does not exist any more: runs are kept for some days only.")
        st.info(
            "Choose a recipe and press Train. The dense network takes some seconds an epoch; "
            "the larger ones a minute or more.",
            icon=":material/school:",
        )
    else:
        # The worker outlives the training by the seconds in which it exports the network.
        st.session_state.watching = alive = jobs.is_alive(run)
        st.fragment(show_run, run_every=0.5 if alive else None)(
            run, bool(token) and jobs.controls(token, run)
        )

page_footer(
    "A run is kept for a week and then deleted. Whoever has its link can see it; only this browser "
    "can stop or delete it."
)
