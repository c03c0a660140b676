"""Train a network and watch it learn: choose, start, see the curve grow, stop, go on."""

import streamlit as st

from pages.components.code_downloads import show_code_downloads
from pages.components.layout import page_footer, page_setup
from pages.components.training import race, run_list, steering
from pages.components.training.form import TrainingRequest, pick_training
from pages.components.training.opened import run_container
from pages.components.training.ready import show_ready
from pages.components.training.recorded_result import show_recorded_result
from pages.components.training.visitor import visitor_token
from train import owners
from train.tutorial_code import fits_into_a_file

page_setup(
    "Train a network",
    "Train a real network with Keras and TensorFlow. Training continues after you close this "
    "page; the same link brings you back.",
)


def body() -> None:
    """What to train on the left, on a phone above; what became of it beside."""
    token = visitor_token()
    ask_box, run_box = st.columns([4, 9], gap="large")
    with ask_box:
        request = pick_request(token)
    with run_box, run_container():
        compared = race.comparable(st.query_params.get("compare", ""))
        run = run_list.find_run(st.query_params.get("run", ""))
        if len(compared) == 1:
            run = race.show_only(compared[0])
        if len(compared) > 1:
            race.watch(compared, token)
        elif run is not None:
            steering.watch(run, mine=bool(token) and owners.controls(token, run))
        else:
            show_nothing_yet(request)


def pick_request(token: str | None) -> TrainingRequest:
    """Ask what to train, and list what was trained."""
    request, start_box = pick_training()
    with start_box:
        if request.problem:
            st.warning(request.problem, icon=":material/block:")
        st.button(
            "Train",
            type="primary",
            icon=":material/play_arrow:",
            on_click=steering.start,
            args=(request, token),
            disabled=token is None or bool(request.problem),
            width="stretch",
        )
        show_ready()
    race.pick_race(request, token)
    if token:
        run_list.show_runs(token)
    return request


def show_nothing_yet(request: TrainingRequest) -> None:
    """Say how to begin, and show what the chosen recipe gave before."""
    run_list.show_refusal()
    if {"run", "compare"} & st.query_params.keys():
        st.warning("This run no longer exists. Unpinned runs are deleted after a week.")
    st.info(
        "Choose a recipe and press Train. The dense network takes a few seconds per epoch; the "
        "larger ones a minute or more.",
        icon=":material/school:",
    )
    if fits_into_a_file(request.config):
        with (
            st.container(horizontal=True),
            st.popover("This training as code", icon=":material/code:"),
        ):
            show_code_downloads(request.config, request.name, "code-of-form")
    show_recorded_result(request.recipe)


body()
page_footer(
    "A run is kept for a week and then deleted, unless you pin it; pictures that you upload are "
    "kept with it. Anyone with its link can see it; only this browser can control or delete it."
)
