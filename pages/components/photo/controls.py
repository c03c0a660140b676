"""The controls of the Photo page: each asks the visitor and returns a plain value."""

from collections.abc import Hashable

import streamlit as st

from imaging.noise import PHOTO_NOISE_KINDS, NoiseKind
from models.catalogue import Card
from models.methods import method_names, method_title
from models.tasks.denoise_photos import TASK
from models.tasks.denoise_photos.level import NOTHING, ROUNDED, in_place_of
from pages.components import widgets
from pages.components.controls import keep_valid, pick_seed
from pages.components.photo.settings import HIGHEST_LEVEL, TASKS, default_strength

ESTIMATED, AS_ADDED = "estimated", "as added"


def pick_task() -> bool:
    """Ask whether noise is to be added."""
    return widgets.segments("The picture", TASKS, "photo_task") == "add"


def pick_photo_noise() -> tuple[NoiseKind, float, int]:
    """Ask for a kind of noise, its strength and its seed."""
    name = widgets.by_title(
        widgets.selectbox,
        "Noise",
        widgets.titles_of(PHOTO_NOISE_KINDS),
        key="photo_noise",
        on_change=_to_default_strength,
    )
    kind = PHOTO_NOISE_KINDS[name]
    scale = kind.shown_per_unit
    whole = kind.step * scale >= 1
    strength = widgets.slider(
        f"Strength ({kind.unit})",
        kind.low * scale,
        float(round(kind.high * scale, 6)),
        step=float(round(kind.step * scale, 6)),
        format="%d" if whole else "%.2f",
        key="photo_strength",
        help=kind.description,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = pick_seed("photo_")
    return kind, strength / scale, seed


def pick_photo_method(cards: dict[str, Card]) -> str:
    """Ask for a way to denoise; return its name."""
    names = method_names(TASK, cards)
    keep_valid("photo_method", names)
    return widgets.selectbox(
        "Denoise with",
        names,
        format_func=lambda name: (
            method_title(TASK, name, cards) + (" (network)" if name in cards else "")
        ),
        key="photo_method",
    )


def pick_care(is_network: bool) -> bool:
    """Ask whether a network is to be asked four times; a filter is not."""
    return is_network and widgets.toggle(
        "Careful (four times slower)",
        key="photo_careful",
        help="Denoises the picture four times, turned and mirrored, and takes the mean: about "
        "0.13 dB better, because errors that differ cancel out.",
    )


def pick_level(known: float, how: str, of: Hashable) -> float:
    """Ask whether ``known``, in units of the full range, is to be overruled; return the level.

    The level that is chosen is alike everywhere, or as found, like the one that is known.  It is
    chosen for a picture with its noise, ``of``, and not for the next one.
    """
    state = st.session_state
    chosen_for = state.setdefault("photo_level_for", set())
    if state.get("photo_own_level") and chosen_for and of not in chosen_for:
        state.photo_own_level = False
    if known < NOTHING and how == ESTIMATED:
        found = "No noise" if known < ROUNDED else f"Hardly any noise ({known * 255:.1f} of 255)"
        st.markdown(f"**{found} found.** If you see noise in the picture, set the level yourself.")
    else:
        st.markdown(f"Noise level: **{known * 255:.1f}** of 255, {how}")
    own = widgets.toggle(
        "Set the level myself",
        key="photo_own_level",
        help="The standard deviation of the noise. A higher level gives a smoother result; a "
        "lower one keeps more detail and more noise.",
        on_change=_to_known_level,
        args=(known, of),
    )
    if not own:
        return known
    chosen_for.add(of)
    level = widgets.slider(
        "Noise level (of 255)",
        0.0,
        HIGHEST_LEVEL,
        step=0.5,
        key="photo_level",
    )
    return in_place_of(known, level / 255)


def say_bands(rows: float, columns: float) -> None:
    """Say that whole rows or columns differ, by these levels, where they do."""
    if rows or columns:
        lines, level = ("Rows", rows) if rows > columns else ("Columns", columns)
        st.caption(
            f":material/info: {lines} of this picture differ in brightness, by about "
            f"{level * 255:.0f} of 255. No method here takes such bands out."
        )


def pick_shares(channels: int) -> tuple[float, float]:
    """Ask how much of the denoising to take over, for brightness and for colour."""
    brightness = _pick_share(
        "Denoising of brightness" if channels == 3 else "Denoising", "photo_brightness"
    )
    colour = _pick_share("Denoising of colour", "photo_colour") if channels == 3 else brightness
    return brightness / 100, colour / 100


def _pick_share(label: str, key: str) -> int:
    # The browser blends while it is dragged; once it is let go the server is asked all the same.
    # With ``on_change="ignore"`` a download would be of the last run's strength: the button names a
    # file of that run, and sends no slider.  So would be the scores and the verdict.
    return widgets.slider(
        label,
        0,
        100,
        step=5,
        format="%d %%",
        key=key,
        help="Blends the noisy picture (0 %) with the denoised one (100 %). The network does not "
        "run again.",
    )


def _to_default_strength() -> None:
    st.session_state.photo_strength = default_strength()


def _to_known_level(known: float, of: Hashable) -> None:
    st.session_state.photo_level_for.add(of)
    st.session_state.photo_level = min(HIGHEST_LEVEL, round(known * 255 * 2) / 2)
