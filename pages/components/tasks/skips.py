"""Switches at the skip connections of a U-Net: what its answer loses without them."""

from collections.abc import Mapping

import streamlit as st

from models.catalogue import Card
from models.methods import Method, network_method
from models.tasks.contract import Task
from pages.components.cached import get_cut_predictor, get_predictor
from pages.components.controls import pick_skips

MOST = 6  # skip connections that a link can speak of
WORDS = (
    "What is switched off arrives as zeros. The network was trained with all of its skip "
    "connections and never learned to do without: what you see is how much it relies on each."
)


def with_cut(task: Task, methods: list[Method]) -> list[Method]:
    """Ask which skips of the first U-Net are on; add, behind it, the same network without others.

    Where no network has skip connections that can be cut, nothing is asked for.
    """
    number, card = _first_unet(methods)
    if card is None:
        return methods
    sizes = skip_sizes(card, tuple(get_predictor(card).skips))
    cut = f"tasks_cut_{task.name}"
    st.markdown(f"**Skip connections** of {card.title}", help=WORDS)
    on = pick_skips(
        _titles(sizes),
        st.session_state[cut],
        cut,
        lambda: _take(cut, tuple(sizes)),
    )
    off = tuple(name for name in sizes if name not in on)
    if not off:
        return methods
    without = network_method(
        card,
        get_cut_predictor(card, off),
        f"{card.name} without {' '.join(off)}",
        f"{card.title}, {in_words([sizes[name] for name in off], len(sizes))}",
    )
    return [*methods[: number + 1], without, *methods[number + 1 :]]


def skip_sizes(card: Card, skips: tuple[str, ...]) -> dict[str, int]:
    """Return by how much the maps of each skip connection, finest first, are smaller."""
    # The bottom is half as large as the coarsest; each level before is twice as large.
    return {name: card.multiple // 2 ** (len(skips) - level) for level, name in enumerate(skips)}


def in_words(sizes: list[int], count: int) -> str:
    """Return which of ``count`` skip connections are off."""
    if len(sizes) == count:
        return "no skips"
    return "without " + " and ".join(f"1/{size}" for size in sizes)


def _first_unet(methods: list[Method]) -> tuple[int, Card | None]:
    for number, method in enumerate(methods):
        if method.card is not None and get_predictor(method.card).skips:
            return number, method.card
    return 0, None


def _titles(sizes: Mapping[str, int]) -> dict[str, str]:
    ends = {min(sizes.values()): ", the finest", max(sizes.values()): ", the coarsest"}
    return {name: f"1/{size} of the size{ends.get(size, '')}" for name, size in sizes.items()}


def _take(cut: str, names: tuple[str, ...]) -> None:
    """Keep what the switches say; a callback.

    One that is no longer drawn says nothing, and stays as it was.
    """
    state = st.session_state
    state[cut] = [name for name in names if not state.get(f"{cut}_{name}", name not in state[cut])]
