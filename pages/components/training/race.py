"""Races and comparisons: several runs in one chart, one table, one film."""

import dataclasses

import streamlit as st

from models.tasks import TASKS
from pages.components.methods import unlike
from pages.components.training import run_list
from pages.components.training.curves import History, Measure, show_overlay
from pages.components.training.form import TrainingRequest
from pages.components.training.probes import show_probes_together
from pages.components.training.progress import history_of, measure_of, show_progress
from pages.components.training.setting_texts import as_text, title_of
from pages.components.training.steering import note_start, was_clicked_before
from pages.components.training.upload import uploaded_pictures
from train import jobs, owners, run_status
from train.config import (
    ARCHITECTURE_SETTINGS,
    TrainConfig,
    count_parameters,
    differences,
    on_equal_terms,
    with_defaults,
)
from train.run_folder import Run
from train.visitor_limits import Refused


def pick_race(request: TrainingRequest, token: str | None) -> None:
    """Ask for the networks of a race and start it."""
    pair = with_and_without_skips(request)
    if pair:
        st.button(
            "Race with and without skips",
            icon=":material/flag:",
            on_click=_start,
            args=(pair, token),
            disabled=token is None or bool(request.problem),
            help="The U-Net against the plain encoder-decoder: the same batches, one after the "
            "other.",
            width="stretch",
        )
    with st.expander("A fair race", icon=":material/flag:"):
        st.caption(
            "Two or three networks learn from the same batches, with the same noise and seed, one "
            "after the other. Set one up above and add it, then change the settings and add the "
            "next."
        )
        racers = st.session_state.setdefault("racers", [])
        other_job = bool(racers) and request.config.task != racers[0][1].task
        for index, (name, _) in enumerate(racers):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{index + 1}. {name}", width="stretch")
                st.button("Remove", key=f"remove-{name}", on_click=_remove, args=(name,))
        st.button(
            "Add these settings",
            icon=":material/add:",
            on_click=_add,
            args=(request,),
            disabled=bool(request.problem) or other_job or len(racers) == max(jobs.RACERS),
            width="stretch",
        )
        if other_job:
            st.caption("Only networks for the same job can race.")
        elif racers and on_equal_terms(request.config, racers[0][1]) != request.config:
            st.caption("It will use the data, noise, batch size, epochs and seed of the first.")
        st.button(
            "Start the race",
            icon=":material/flag:",
            on_click=_start,
            args=(racers, token),
            disabled=token is None or len(racers) < min(jobs.RACERS),
            width="stretch",
        )


def _remove(name: str) -> None:
    """Take a racer out, if a click before has not."""
    state = st.session_state
    state.racers = [racer for racer in state.racers if racer[0] != name]


def _add(request: TrainingRequest) -> None:
    racers = st.session_state.racers
    racers.append((unlike(request.name, [name for name, _ in racers]), request.config))


def with_and_without_skips(request: TrainingRequest) -> list[tuple[str, TrainConfig]]:
    """Return a network with skip connections and the same without, by name; else nothing."""
    config = request.config
    if config.start:
        return []  # Those weights are of one of the two only.
    if "skips" not in ARCHITECTURE_SETTINGS.get(config.architecture, {}):
        return []
    if not with_defaults(config.architecture, config.settings)["skips"]:
        return []
    plain = dataclasses.replace(config, settings=config.settings | {"skips": False})
    return [(request.name, config), (f"No skips: {request.name}", plain)]


def _start(racers: list[tuple[str, TrainConfig]], token: str) -> None:
    asked = [*racers]
    # The racers that were added are gone after the first of two clicks.
    if not asked or was_clicked_before(asked):
        return
    try:
        runs = jobs.start_race(
            racers,
            token,
            drawing=st.session_state.get("draw_drawing"),
            pictures=uploaded_pictures(),
        )
    except (Refused, OSError) as problem:
        st.session_state.refused = run_list.reason(problem)
        return
    note_start(asked, runs[0])
    racers.clear()
    run_list.open_comparison(runs)


def comparable(ids: str) -> list[Run]:
    """Return the runs that a link names, those that exist and can be read."""
    runs = []
    for run_id in list(dict.fromkeys(ids.split(",")))[: run_list.MOST_COMPARED]:
        run = run_list.find_run(run_id)
        if run is None:
            continue
        try:
            run.read_config()
        except ValueError:
            continue
        runs.append(run)
    return runs


def show_only(run: Run) -> Run:
    """Show the one run of a comparison, and say so where it named others; return it."""
    if {*st.query_params["compare"].split(",")} != {run.folder.name}:
        st.session_state.refused = (
            "Of this comparison only this run is left; the others no longer exist."
        )
    run_list.open_run(run)
    return run


def watch(runs: list[Run], token: str | None) -> None:
    """Draw several runs side by side, and again every second while one is active."""
    st.session_state.watching = alive = [run_status.is_alive(run) for run in runs]
    st.fragment(show_comparison, run_every=1 if any(alive) else None)(runs, token)


def show_comparison(runs: list[Run], token: str | None) -> None:
    """Draw several runs side by side, as they are now."""
    elsewhere = "compare" not in st.query_params
    gone = not all(run.folder.exists() for run in runs)  # Deleted in another window.
    alive = [run_status.is_alive(run) for run in runs]
    if elsewhere or gone or alive != st.session_state.watching:
        st.rerun()  # The page around it has to know: it starts and ends the seconds.
    run_list.show_refusal()
    named = _by_name(runs)
    configs = {name: run.read_config() for name, run in named.items()}
    histories = {name: history_of(run) for name, run in named.items()}
    statuses = {name: run_status.status(run) for name, run in named.items()}
    for name, run in named.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch", gap=None):
                st.markdown(f"**{run_list.plain(name)}**")
                show_progress(run, configs[name], statuses[name], histories[name])
            st.button("Open", key=f"open-one-{run.folder.name}", on_click=run_list.open_run,
                      args=(run,))  # fmt: skip
    mine = [run for run in runs if token and owners.controls(token, run)]
    if any(statuses[name].active and run in mine for name, run in named.items()):
        st.button("Stop all and keep", icon=":material/stop:", on_click=_stop_all, args=(mine,))
    if any(history.epochs for history in histories.values()):
        _show_charts(named, configs, histories)
    _show_table(configs, histories)
    epochs = _common_epochs(histories)
    words = TASKS[next(iter(configs.values())).task].words
    if epochs and not show_probes_together(named, epochs, words):
        st.caption(
            "These runs used different noise or data, so their sample pictures cannot be shown "
            "side by side."
        )


def _stop_all(runs: list[Run]) -> None:
    for run in reversed(runs):  # The last in line first, so that none starts in between.
        if run_status.status(run).active:
            try:
                jobs.stop(run)
            except OSError as problem:
                st.session_state.refused = run_list.reason(problem)


def _by_name(runs: list[Run]) -> dict[str, Run]:
    """The runs by their names, told apart by a number where two are called the same."""
    named: dict[str, Run] = {}
    for run in runs:
        named[unlike(owners.name_of(run), named)] = run
    return named


def _measured_on(run: Run, config: TrainConfig) -> tuple:
    """What the numbers of a run were measured on; visitors' pictures are known by their size."""
    own = run.own.stat().st_size if run.own.exists() else 0
    return config.task, config.data, config.noise, own


def _show_charts(
    named: dict[str, Run], configs: dict[str, TrainConfig], histories: dict[str, History]
) -> None:
    same_loss = len({config.loss for config in configs.values()}) == 1
    measure_box, loss_box = st.columns(2) if same_loss else (st.container(), None)
    measure = _measure(configs)
    with measure_box:
        unit = f" ({measure.unit})" if measure.unit else ""
        title = f"validation {measure.title}{unit}"
        show_overlay(histories, f"val_{measure.name}", title, log_scale=False)
    if loss_box is not None:
        with loss_box:
            show_overlay(histories, "val_loss", "validation loss", log_scale=True)
    if len({_measured_on(run, configs[name]) for name, run in named.items()}) > 1:
        st.caption(
            "These runs were measured on different pictures or noise: their numbers cannot be "
            "compared."
        )
    elif not same_loss:
        st.caption(
            f"These runs used different losses, which cannot be compared. {measure.title} can."
        )


def _show_table(configs: dict[str, TrainConfig], histories: dict[str, History]) -> None:
    """What differs, and what came of it."""
    rows = {
        title_of(setting): [as_text(value) for value in values]
        for setting, values in differences(list(configs.values())).items()
    }
    rows["parameters"] = [_parameters(config) for config in configs.values()]
    rows["epochs trained"] = [f"{history.progress:.1f}" for history in histories.values()]
    measure = _measure(configs)
    rows[f"best validation {measure.title}"] = [_best(h, measure) for h in histories.values()]
    rows["seconds"] = [f"{history.seconds:.0f}" for history in histories.values()]
    lines = [
        f"| | {' | '.join(_cell(run_list.plain(name)) for name in configs)} |",
        f"|---|{'---|' * len(configs)}",
        *(f"| {name} | {' | '.join(map(_cell, values))} |" for name, values in rows.items()),
    ]
    st.markdown("\n".join(lines))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _parameters(config: TrainConfig) -> str:
    try:
        return f"{count_parameters(config.architecture, config.settings):,}"
    except ValueError:
        return "–"


def _measure(configs: dict[str, TrainConfig]) -> Measure:
    """The metric of the first run; those of other jobs have no such curve."""
    return measure_of(next(iter(configs.values())))


def _best(history: History, measure: Measure) -> str:
    values = history.of_epochs(f"val_{measure.name}")
    return measure.as_text(values[:, 1].max() if len(values) else None)


def _common_epochs(histories: dict[str, History]) -> list[int]:
    """The epochs after which all runs have pictures."""
    seen = [{event["epoch"] for event in history.probes} for history in histories.values()]
    return sorted(set.intersection(*seen)) if seen else []
