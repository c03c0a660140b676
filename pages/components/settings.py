"""The settings of a page: a row for each, which the session keeps and the link carries.

A page opened by a link starts with what the link says.  What the link says wrong is replaced by
the default, and said in a sentence.

(Streamlit's own ``bind="query-params"`` writes the titles that controls show, so that a link
would break with every better title, and drops a wrong value without a word.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.components.link import Parser


def always(values: Mapping[str, Any]) -> bool:
    """Say that a setting counts, whatever the others are."""
    return True


@dataclass(frozen=True)
class Setting:
    """What one control of a page is set to.

    ``key`` is that of the control in ``st.session_state``, and its name in links unless ``name``
    is another.  ``default`` is a value, or a function that returns it, called when the settings
    above it in the table are known.  ``parse`` reads the text of a link and raises ``ValueError``
    with a sentence; ``text`` writes it.  ``counts(values)`` says whether the setting has a part
    in what the page shows now, given all values by key: if not, the link does without it.
    """

    key: str
    default: Any
    parse: Parser
    text: Callable[[Any], str] = str
    counts: Callable[[Mapping[str, Any]], bool] = always
    name: str = ""

    @property
    def in_link(self) -> str:
        """What links call it."""
        return self.name or self.key

    @property
    def on_arrival(self) -> Any:
        """The value that it has where nobody said anything else."""
        return self.default() if callable(self.default) else self.default


def open_link(
    settings: Sequence[Setting], follow: Mapping[str, Any] | None = None, again: bool = False
) -> list[str]:
    """Start this visitor's session with the settings of the link, in the order of the table.

    ``follow`` holds values, by key, that come before the defaults.  Returns a sentence for each
    setting that makes no sense.  Later calls in the same session do nothing, but ``again``: then
    the link is read once more, and it alone counts.
    """
    state = st.session_state
    opened = f"link opened: {' '.join(setting.key for setting in settings)}"
    if opened in state and not again:
        _refuse_nonsense(settings)
        return []
    state[opened] = True
    problems = []
    for setting in settings:
        key, name = setting.key, setting.in_link
        if again or key not in state:
            value = follow[key] if follow and key in follow else setting.on_arrival
        else:
            value = state[key]  # Another page has set it.
        if name in st.query_params:
            try:
                value = setting.parse(st.query_params[name])
            except ValueError as problem:
                problems.append(str(problem))
        state[key] = value
        state.pop(gave_way(key), None)
    return problems


def _refuse_nonsense(settings: Sequence[Setting]) -> None:
    """Put back what no control of ours could have sent; a browser can be made to send anything."""
    state = st.session_state
    for setting in settings:
        value = state.get(setting.key)
        if value is None and setting.key in state:
            # Where one run follows another at once, a control may not hear what it is set to, and
            # says that it is set to nothing.
            state[setting.key] = setting.on_arrival
        elif isinstance(value, str | int | float):
            try:
                setting.parse(setting.text(value))
            except (ValueError, LookupError, TypeError, ArithmeticError):
                state[setting.key] = setting.on_arrival


def write_link(settings: Sequence[Setting]) -> None:
    """Put the settings that count and differ from their defaults into the address of the page."""
    before = st.query_params.to_dict()
    values = {setting.key: st.session_state.get(setting.key) for setting in settings}
    after = dict(before)
    for setting in settings:
        value = values[setting.key]
        after.pop(setting.in_link, None)
        if value is not None and setting.counts(values):
            default = setting.on_arrival
            text = setting.text(value)
            if default is None or text != setting.text(default):
                after[setting.in_link] = text
    if after != before:
        st.query_params.from_dict(after)


def reset(settings: Sequence[Setting]) -> None:
    """Put all settings back to where they were on arrival."""
    for setting in settings:
        st.session_state[setting.key] = setting.on_arrival
        st.session_state.pop(gave_way(setting.key), None)


def gave_way(key: str) -> str:
    """Return where a choice is kept that cannot be made just now: see ``keep_valid_for_now``."""
    return f"{key} gave way"


def show_until_answered(page: str, problems: Sequence[str]) -> None:
    """Say what makes no sense, also when the page runs again by itself to show its answer."""
    kept = [*problems, *st.session_state.get(f"{page}_link_problems", ())]
    st.session_state[f"{page}_link_problems"] = kept
    show_problems(kept)


def forget_problems(page: str) -> None:
    """Say nothing more of the link from the next run on: the answer is there."""
    st.session_state[f"{page}_link_problems"] = []


def show_problems(problems: Sequence[str]) -> None:
    """Say what of a link makes no sense."""
    for problem in problems:
        st.warning(problem, icon=":material/link_off:")
