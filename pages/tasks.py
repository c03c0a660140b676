"""More jobs for the same network: segment, enlarge, colour, paint, listen."""

import streamlit as st

from pages.components import widgets
from pages.components.explain import show_model_card
from pages.components.layout import page_footer, page_setup
from pages.components.methods import load_methods, usable_cards
from pages.components.settings import (
    forget_problems,
    open_link,
    show_until_answered,
    write_link,
)
from pages.components.tasks.hint import pick_hint
from pages.components.tasks.job import pick_job
from pages.components.tasks.settings import reset, settings
from pages.components.tasks.show import SHOW
from pages.components.tasks.skips import with_cut
from pages.components.tasks.sources import PICK
from pages.components.tasks.texts import limits_of, show_older_methods, show_text
from pages.components.tasks.work import answers, too_large

page_setup(
    "More jobs",
    "The network that cleans pictures can do other jobs: all that changes is what goes in and what "
    "should come out. Here a plain encoder-decoder, a U-Net and an older method do the same job on "
    "the same picture.",
)


def body() -> None:
    """One job, from its input to what can be taken away."""
    cards = usable_cards()
    table = settings()
    show_until_answered("tasks", open_link(table))

    # Ask
    task = pick_job()
    st.markdown(task.description)
    given = PICK[task.input.kind](task)
    hint = None if given is None else pick_hint(task, given)
    write_link(table)
    if given is None:
        st.info("Choose a file above, or one of the samples.", icon=":material/upload:")
        return

    # Compute
    methods, broken = load_methods(task, cards)
    for problem in broken:
        st.warning(problem, icon=":material/heart_broken:")
    trained = any(method.card for method in methods)
    if not trained:
        st.info(
            "There is no network for this job yet, so only the older method answers. `python -m "
            "train list` lists the recipes for it.",
            icon=":material/school:",
        )
    if given.note:
        st.caption(given.note)
    if refused := too_large(task, given.input.shape, given.reduced_from):
        st.error(refused, icon=":material/open_in_full:")
        return
    found = answers(task, with_cut(task, methods), given.name, given.input, hint, given.find)
    if found is None:
        return

    # Show
    forget_problems("tasks")
    SHOW[task.target.kind](task, given, found)
    if trained:
        st.caption(limits_of(task))
    with st.container(horizontal=True):
        for method in methods:
            if method.card is not None:
                show_model_card(method.card, f"About {method.card.title}")
        if task.reader in cards:
            show_model_card(cards[task.reader], f"About {cards[task.reader].title}")
        show_older_methods(task)
        widgets.reset_button(reset, table)
    show_text(task)


body()
page_footer(
    "Your pictures and recordings stay in the server's memory, at most an hour after they were "
    "last used, or until you remove them. They are never written to a disk, and nobody else can "
    "see them."
)
