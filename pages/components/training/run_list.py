"""The visitor's runs: open, name, pin, delete, choose some to compare."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import streamlit as st

from pages.components import widgets
from pages.components.methods import unlike_each
from pages.components.training.opened import note_opened
from pages.components.training.progress import ICONS, WORDS
from train import jobs, owners, run_status
from train.run_folder import Run
from train.visitor_limits import Refused

SHOWN = 6
MOST_COMPARED = 4


def show_runs(token: str) -> None:
    """Draw the list of the runs that the token controls."""
    own = owners.runs_of(token)
    if not own:
        return
    st.header("Your runs", anchor=False)
    for run in own[:SHOWN]:
        _show_row(run)
    if len(own) > SHOWN:
        older = len(own) - SHOWN
        with st.expander(f"{older} older runs" if older > 1 else "1 older run"):
            for run in own[SHOWN:]:
                _show_row(run)
    if len(own) > 1:
        names = unlike_each({run.folder.name: owners.name_of(run) for run in own})
        # A run that was deleted cannot stay chosen.
        chosen = [name for name in st.session_state.get("compared", []) if name in names]
        st.session_state.compared = chosen
        st.multiselect(
            "Compare",
            list(names),
            format_func=names.get,
            max_selections=MOST_COMPARED,
            key="compared",
            placeholder="Choose two or more runs",
            on_change=_compare,
        )


def _show_row(run: Run) -> None:
    run_id, said = run.folder.name, owners.owner(run)
    state = run_status.status(run).state
    with st.container(horizontal=True, gap="small", wrap=False):
        st.button(
            f"{':material/keep: ' if said.get('pinned') else ''}{plain(owners.name_of(run))}",
            icon=ICONS[state],
            key=f"open-{run_id}",
            on_click=open_run,
            args=(run,),
            help=WORDS[state],
            width="stretch",
        )
        with st.popover("Edit", key=f"edit-{run_id}"):
            st.text_input(
                "Name",
                owners.name_of(run),
                max_chars=owners.LONGEST_NAME,
                key=f"name-{run_id}",
                on_change=_rename,
                args=(run,),
            )
            st.toggle(
                "Pin",
                bool(said.get("pinned")),
                key=f"pin-{run_id}",
                on_change=_pin,
                args=(run,),
                help="A pinned run stays on top and is not deleted after a week.",
            )
            widgets.remove_button(
                delete,
                run,
                label="Delete",
                key=f"delete-{run_id}",
                disabled=state in run_status.ACTIVE,
                width="stretch",
            )


def find_run(run_id: str) -> Run | None:
    """Return the run that a link names, None if there is none."""
    with suppress(OSError):  # No file has a name that long.
        return owners.find(run_id)
    return None


def plain(name: str) -> str:
    """Return a name, which may be a stranger's, as it was typed and not as Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#$:~&@." else c for c in name)


def reason(problem: Exception) -> str:
    """Return why something cannot be done, without our folders."""
    return getattr(problem, "strerror", None) or str(problem)


def show_refusal() -> None:
    """Say why the last click did nothing, once."""
    if refused := st.session_state.pop("refused", None):
        st.warning(refused, icon=":material/hourglass_disabled:")


def open_run(run: Run) -> None:
    """Show one run; a callback."""
    st.query_params.pop("compare", None)
    st.query_params["run"] = run.folder.name
    note_opened()


def open_comparison(runs: list[Run]) -> None:
    """Show several runs side by side; a callback."""
    st.query_params.pop("run", None)
    st.query_params["compare"] = ",".join(run.folder.name for run in runs)
    note_opened()


def delete(run: Run) -> None:
    """Delete a run and leave its page; a callback."""
    try:
        jobs.delete(run)
    except (Refused, OSError) as problem:
        st.session_state.refused = reason(problem)
        return
    if st.query_params.get("run") == run.folder.name:
        del st.query_params["run"]


def _compare() -> None:
    runs = [run for run_id in st.session_state.compared if (run := owners.find(run_id))]
    if len(runs) > 1:
        open_comparison(runs)


def _rename(run: Run) -> None:
    with _said_if_refused():
        owners.rename(run, st.session_state[f"name-{run.folder.name}"])


def _pin(run: Run) -> None:
    with _said_if_refused():
        owners.change_owner(run, pinned=st.session_state[f"pin-{run.folder.name}"])


@contextmanager
def _said_if_refused() -> Iterator[None]:
    """Say why nothing could be written, as on a full disk."""
    try:
        yield
    except FileNotFoundError:
        pass  # Deleted in another window: it is no longer in any list.
    except OSError as problem:
        st.session_state.refused = reason(problem)
