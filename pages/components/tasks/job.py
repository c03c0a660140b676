"""Asks for the job; several tasks of one family are one job with a choice of its own."""

import streamlit as st

from models.tasks import TASKS
from models.tasks.contract import Task
from pages.components import widgets


def shown_tasks() -> dict[str, Task]:
    """Return the tasks of this page: those that bring samples; the others have their own page."""
    return {name: task for name, task in TASKS.items() if task.samples}


def chosen_task() -> Task:
    """Return the task that the visitor chose."""
    return TASKS[st.session_state.task]


def pick_job() -> Task:
    """Ask for the job, and where it has several tasks for one of them; return that."""
    state, jobs = st.session_state, _jobs()
    state.tasks_family = _job_of(chosen_task())
    widgets.chips(
        "Job",
        {title: title for title in jobs},
        "tasks_family",
        on_change=lambda: _go_to(next(iter(jobs[state.tasks_family].values()))),
    )
    members = jobs[state.tasks_family]
    if len(members) > 1:
        state.tasks_member = state.task
        widgets.segments(
            "Which",
            {name: member.variant for name, member in members.items()},
            "tasks_member",
            on_change=lambda: _go_to(members[state.tasks_member]),
        )
    return chosen_task()


def _jobs() -> dict[str, dict[str, Task]]:
    """The tasks of each job by name, in their order."""
    jobs: dict[str, dict[str, Task]] = {}
    for name, task in shown_tasks().items():
        jobs.setdefault(_job_of(task), {})[name] = task
    return jobs


def _job_of(task: Task) -> str:
    return task.family or task.title


def _go_to(task: Task) -> None:
    """Show another task, with the sample that is chosen if it has it; a callback."""
    before = chosen_task()
    sample = st.session_state[f"tasks_sample_{before.name}"]
    if _job_of(task) == _job_of(before) and sample in task.samples:
        st.session_state[f"tasks_sample_{task.name}"] = sample
    st.session_state.task = task.name
