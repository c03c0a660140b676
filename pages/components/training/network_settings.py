"""The form of a network: its architecture, the settings that it has, the weights it begins with."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from models.tasks import TASKS
from pages.components import widgets
from pages.components.cached import get_catalogue
from train.config import (
    ARCHITECTURE_SETTINGS,
    BoolSetting,
    ChoiceSetting,
    FractionSetting,
    IntListSetting,
    IntSetting,
    TrainConfig,
    count_parameters,
    with_defaults,
)

ARCHITECTURE_TITLES = {
    "dense": "Dense",
    "convolutional": "Convolutional",
    "resize-convolution": "Resize or transposed convolution",
    "unet": "U-Net",
}

Key = Callable[[str], str]


def pick_network(config: TrainConfig, key: Key) -> TrainConfig:
    """Ask for an architecture, its settings and the weights to begin with."""
    architecture = pick_one(
        "Architecture",
        TASKS[config.task].networks,
        config.architecture,
        ARCHITECTURE_TITLES,
        key("architecture"),
    )
    given = config.settings if architecture == config.architecture else {}
    start = with_defaults(architecture, given)
    settings = {
        name: pick_setting(each, start[name], key(f"{architecture}-{name}"))
        for name, each in ARCHITECTURE_SETTINGS[architecture].items()
    }
    default = with_defaults(architecture, {})
    settings = {n: v for n, v in settings.items() if n in given or v != default[n]}
    config = dataclasses.replace(config, architecture=architecture, settings=settings)
    st.caption(f"{count_parameters(architecture, settings):,} parameters.")
    names = _shipped_like(config)
    start = widgets.selectbox(
        "Begin with",
        ["", *names],
        format_func=lambda name: names.get(name, "random weights"),
        key=key(f"start-{'-'.join(names)}"),
        help="Start from the weights of a shipped network with exactly this architecture."
        + ("" if names else " No shipped network matches."),
        disabled=not names,
    )
    return dataclasses.replace(config, start=start)


def pick_one(
    label: str,
    known: Iterable[str],
    begin: str,
    titles: Mapping[str, str],
    key: str,
    help: str | None = None,
) -> str:
    """Ask for one of the known names by its title; a recipe says which to ``begin`` with."""
    names = list(known)
    return widgets.selectbox(
        label, names, index=names.index(begin), format_func=titles.get, key=key, help=help
    )


def _shipped_like(config: TrainConfig) -> dict[str, str]:
    """Titles of the shipped networks of the same form, by name."""
    cards, _ = get_catalogue()
    wanted = with_defaults(config.architecture, config.settings)
    return {
        card.name: f"the weights of {card.title}"
        for card in cards.values()
        if card.architecture == config.architecture
        and with_defaults(card.architecture, card.settings) == wanted
        and (card.folder / "model.keras").is_file()
    }


def pick_setting(setting: object, value: object, key: str) -> object:
    """Ask for one setting of a network, starting with ``value``."""
    return WIDGETS[type(setting)](setting, value, key)


def _pick_int(setting: IntSetting, value: int | None, key: str) -> int | None:
    if not setting.optional:
        return widgets.number_input(
            setting.title, setting.low, setting.high, value, key=key, help=setting.help
        )
    if not widgets.toggle(setting.title, value is not None, key=f"{key}-on", help=setting.help):
        return None
    return widgets.number_input(
        setting.title,
        setting.low,
        setting.high,
        value or 10,
        key=key,
        label_visibility="collapsed",
    )


def _pick_int_list(setting: IntListSetting, value: list[int], key: str) -> list[int]:
    depth = widgets.segmented_control(
        "Levels",
        list(range(setting.fewest, setting.most + 1)),
        default=len(value),
        key=f"{key}-depth",
        help=setting.help,
    )
    start = [*value, *[value[-1]] * setting.most]
    with st.container(horizontal=True, gap="small"):
        return [
            widgets.number_input(
                f"{setting.title} {level}",
                1,
                setting.high,
                start[level - 1],
                key=f"{key}-{level}",
                width=92,
            )
            for level in range(1, depth + 1)
        ]


def _pick_fraction(setting: FractionSetting, value: float, key: str) -> float:
    return widgets.slider(
        setting.title, 0.0, setting.high, float(value), 0.05, key=key, help=setting.help
    )


def _pick_choice(setting: ChoiceSetting, value: str, key: str) -> str:
    return widgets.segmented_control(
        setting.title, setting.options, default=value, key=key, help=setting.help
    )


def _pick_bool(setting: BoolSetting, value: bool, key: str) -> bool:
    return widgets.toggle(setting.title, value, key=key, help=setting.help)


# How each type of setting is asked for: ``pick(setting, value, key) -> value``.
WIDGETS = {
    IntSetting: _pick_int,
    IntListSetting: _pick_int_list,
    FractionSetting: _pick_fraction,
    ChoiceSetting: _pick_choice,
    BoolSetting: _pick_bool,
}
