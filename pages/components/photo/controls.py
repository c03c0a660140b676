"""The controls of the Photo page: each asks the visitor and returns a plain value."""

import streamlit as st

from imaging.noise import PHOTO_NOISE_KINDS, NoiseKind
from imaging.photo_samples import PHOTO_SAMPLES
from models.catalogue import Card
from pages.components import link
from pages.components.controls import HIGHEST_SEED, to_new_seed
from pages.components.photo.methods import photo_method_names, photo_method_title
from pages.components.photo.source import SOURCES

HIGHEST_LEVEL = 75.0
TASKS = {"noisy": "It is already noisy", "add": "Add noise to it"}


def usual_settings(cards: dict[str, Card]) -> dict[str, object]:
    """Return what the controls show on arrival."""
    return {
        "photo_source": "sample",
        "photo_sample": "cat",
        "photo_task": "add",
        "photo_noise": "gaussian",
        "photo_strength": _usual_strength(),
        "photo_seed": 0,
        "photo_method": photo_method_names(cards)[0],
        "photo_own_level": False,
        "photo_level": 25.0,
        "photo_brightness": 100,
        "photo_colour": 100,
    }


def open_link(cards: dict[str, Card]) -> None:
    """Start with what the link says, and say what of it makes no sense."""
    parsers = {
        "photo_source": link.one_of("source", SOURCES),
        "photo_sample": link.one_of("sample", PHOTO_SAMPLES),
        "photo_task": link.one_of("task", TASKS),
        "photo_noise": link.one_of("noise", PHOTO_NOISE_KINDS),
        "photo_strength": _parse_strength,
        "photo_seed": link.number("seed", 0, HIGHEST_SEED, int),
        "photo_method": link.one_of("method", photo_method_names(cards)),
        "photo_own_level": _parse_truth,
        "photo_level": link.number("noise level", 0, HIGHEST_LEVEL),
        "photo_brightness": link.number("strength for brightness", 0, 100, int),
        "photo_colour": link.number("strength for colour", 0, 100, int),
    }
    problems = link.open_link(parsers, lambda: usual_settings(cards))
    # They stay until a picture is there: the page runs again by itself when one is finished.
    problems += st.session_state.get("photo_link_problems", [])
    st.session_state.photo_link_problems = problems
    for problem in problems:
        st.warning(problem, icon=":material/link_off:")


def forget_link_problems() -> None:
    """Say nothing more of the link from the next run on."""
    st.session_state.photo_link_problems = []


def write_link(cards: dict[str, Card]) -> None:
    """Put what the controls show into the address of the page."""
    usual = usual_settings(cards)
    settings = {name: st.session_state.get(name) for name in usual}
    if settings["photo_source"] != "sample":
        settings["photo_sample"] = None  # Nobody's upload is in a link.
    if settings["photo_task"] != "add":
        settings |= dict.fromkeys(("photo_noise", "photo_strength", "photo_seed"))
    if not settings["photo_own_level"]:
        settings["photo_level"] = None
    link.write_link(settings, usual)


def pick_task() -> bool:
    """Ask whether noise is to be added."""
    task = st.segmented_control(
        "The picture",
        list(TASKS),
        format_func=TASKS.get,
        required=True,
        key="photo_task",
        persist_state="session",
        label_visibility="collapsed",
    )
    return task == "add"


def pick_photo_noise() -> tuple[NoiseKind, float, int]:
    """Ask for a kind of noise, its strength and its seed."""
    name = st.selectbox(
        "Noise",
        list(PHOTO_NOISE_KINDS),
        format_func=lambda name: PHOTO_NOISE_KINDS[name].title,
        key="photo_noise",
        persist_state="session",
        on_change=_to_usual_strength,
    )
    kind = PHOTO_NOISE_KINDS[name]
    scale = kind.shown_per_unit
    whole = kind.step * scale >= 1
    strength = st.slider(
        f"Strength ({kind.unit})",
        kind.low * scale,
        float(round(kind.high * scale, 6)),
        step=float(round(kind.step * scale, 6)),
        format="%d" if whole else "%.2f",
        key="photo_strength",
        persist_state="session",
        help=kind.explain,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.number_input(
            "Seed",
            0,
            HIGHEST_SEED,
            step=1,
            key="photo_seed",
            persist_state="session",
            width=130,
            help="The number behind the pattern: the same seed gives the same noise.",
        )
        st.button("New noise", on_click=to_new_seed, args=("photo_",), key="photo_new_noise")
    return kind, strength / scale, seed


def pick_photo_method(cards: dict[str, Card]) -> str:
    """Ask for a way to denoise; return its name."""
    names = photo_method_names(cards)
    if st.session_state.photo_method not in names:
        st.session_state.photo_method = names[0]
    return st.selectbox(
        "Denoise with",
        names,
        format_func=lambda name: photo_method_title(name, cards),
        key="photo_method",
        persist_state="session",
    )


def pick_level(known: float, how: str) -> float:
    """Ask whether ``known``, in units of the full range, is to be overruled; return the level."""
    st.markdown(f"Noise level: **{known * 255:.1f}** of 255, {how}")
    own = st.toggle(
        "Set the level myself",
        key="photo_own_level",
        persist_state="session",
        help="The standard deviation of the noise. A higher level makes the result smoother, a "
        "lower one keeps more detail, and more noise.",
        on_change=_to_known_level,
        args=(known,),
    )
    if not own:
        return known
    level = st.slider(
        "Noise level (of 255)",
        0.0,
        HIGHEST_LEVEL,
        step=0.5,
        key="photo_level",
        persist_state="session",
    )
    return level / 255


def pick_shares(channels: int) -> tuple[float, float]:
    """Ask how much of the denoising to take over, for brightness and for colour."""
    brightness = _pick_share(
        "Strength, brightness" if channels == 3 else "Strength", "photo_brightness"
    )
    colour = _pick_share("Strength, colour", "photo_colour") if channels == 3 else brightness
    return brightness / 100, colour / 100


def reset(cards: dict[str, Card]) -> None:
    """Put all controls back to where they were on arrival; a callback."""
    for name, value in usual_settings(cards).items():
        st.session_state[name] = value
    _to_usual_strength()


def _pick_share(label: str, key: str) -> int:
    return st.slider(
        label,
        0,
        100,
        step=5,
        format="%d %%",
        key=key,
        persist_state="session",
        help="100 % is all that was computed, 0 % the noisy picture. Nothing is computed again.",
    )


def _usual_strength() -> float:
    kind = PHOTO_NOISE_KINDS[st.session_state.get("photo_noise", "gaussian")]
    return float(round(kind.default * kind.shown_per_unit, 6))


def _to_usual_strength() -> None:
    st.session_state.photo_strength = _usual_strength()


def _to_known_level(known: float) -> None:
    st.session_state.photo_level = min(HIGHEST_LEVEL, round(known * 255 * 2) / 2)


def _parse_strength(text: str) -> float:
    kind = PHOTO_NOISE_KINDS[st.session_state.photo_noise]  # Read from the link just before.
    return link.number("strength", kind.low, kind.high * kind.shown_per_unit)(text)


def _parse_truth(text: str) -> bool:
    return link.one_of("own level", ["True", "False"])(text) == "True"
